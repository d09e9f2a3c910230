/* What vm_save() and vm_restore() (move.h) make of the parts of a VM. */
#ifndef VM_SAVE_H
#define VM_SAVE_H

#include "vm/stream.h"

struct vm;

/* save_cpu.c: the CPU model, and each vCPU. */
void save_cpus(struct stream_writer *w, struct vm *vm);
err_t restore_cpus(struct stream_reader *r, struct vm *vm);

#endif
