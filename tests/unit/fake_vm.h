/*
 * What kernel/machine needs of the rest of the kernel, for tests: a clock that
 * stands until it is told, memory from malloc (each 2 MiB of guest RAM and each
 * file a block of its own, so that the sanitizer sees one byte too far), files,
 * a console, and what would reach the operator.
 */
#ifndef UNIT_FAKE_VM_H
#define UNIT_FAKE_VM_H

#include "lib/types.h"
#include "vm/vm.h"

/* The host's clock: 2.6 GHz, so that ticks and nanoseconds differ. */
#define FAKE_TSC_HZ 2600000000ULL
extern u64 fake_tsc;

/* The newest log line, and how many there were. */
extern char fake_log[256];
extern unsigned fake_log_lines;

extern char fake_console_out[256];
extern size_t fake_console_used;
extern size_t fake_console_room;
extern const char *fake_console_in; /* what is left to be read */

extern const char *fake_notice; /* the newest */
extern bool fake_ended;
extern u32 fake_status;
extern unsigned fake_requested; /* vm_request_service() */
extern bool fake_shares_cpu;	/* vm_serve_unasked() does something */

/* Levels of interrupt lines by GSI; the newest message, and how many. */
extern u32 fake_lines;
extern u64 fake_message_address;
extern u32 fake_message_data;
extern unsigned fake_messages;

/* With so many vCPUs, reset as vm_build.c does it; memory 0: none. */
struct vm *fake_vm(unsigned vcpus, u64 memory);
void fake_vm_free(struct vm *vm);

/* Visible to file_find(); the content is copied. */
void fake_file(const char *name, const void *data, size_t size);
void fake_files_forget(void);

/* Takes and returns the vCPU's requests. */
u64 fake_requests(struct vcpu *vcpu);

/* Deterministic, from a seed: xorshift64*. */
u64 fake_random(u64 *seed);

#endif
