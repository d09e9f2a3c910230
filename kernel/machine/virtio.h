/* The virtio devices of a VM, each onto its PCI bus. */
#ifndef MACHINE_VIRTIO_H
#define MACHINE_VIRTIO_H

#include "lib/error.h"

struct vm;

err_t virtio_console_create(struct vm *vm);
err_t virtio_net_create(struct vm *vm);
err_t virtio_rng_create(struct vm *vm);

#endif
