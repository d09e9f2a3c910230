/* All devices of a PC, one after the other: to be dumped, saved, restored. */
#ifndef MACHINE_DEVICES_H
#define MACHINE_DEVICES_H

#include "vm/stream.h"

/* Ends with the first error, which it returns. */
typedef err_t device_visitor(void *context, const struct device_description *d,
			     unsigned id, void *device);
err_t devices_visit(struct vm *vm, device_visitor *visit, void *context);

/* See struct machine. */
void devices_freeze(struct vm *vm);
void devices_go_on(struct vm *vm);
void devices_save(struct stream_writer *w, struct vm *vm);
err_t devices_restore(struct stream_reader *r, struct vm *vm);

#endif
