/*
 * The guest's own paging, walked in software: for what an exit points at by
 * linear address (instruction bytes, string I/O, MMIO). Reaches guest tables
 * through the range-checked accessors, and sets A and D bits in them as the
 * processor would.
 */
#ifndef VM_WALK_H
#define VM_WALK_H

#include "lib/error.h"
#include "lib/types.h"
#include "vm/decode.h"
#include "vm/exit.h"

struct vcpu;
struct code_cache;

#define WALK_WRITE 1u
#define WALK_USER  2u /* as CPL 3 would */
#define WALK_FETCH 4u
#define WALK_PEEK  8u /* asks for no rights, leaves no mark */

/*
 * Linear to guest physical. E_FAULT: the guest would get the #PF in *fault.
 */
err_t walk_linear(struct vcpu *vcpu, u64 linear, u32 access, u64 *gpa,
		  struct exit_exception *fault);

/*
 * Where the processor has just executed code. Needs STATE_FETCH only; path, if
 * there is one, takes the entries that lie on the way.
 */
bool walk_peek(struct vcpu *vcpu, u64 linear, u64 *gpa,
	       struct code_cache *path);

/* Linear copies, crossing pages as needed; nothing is written on a fault. */
err_t linear_read(struct vcpu *vcpu, u64 linear, void *dst, size_t n,
		  u32 access, struct exit_exception *fault);
err_t linear_write(struct vcpu *vcpu, u64 linear, const void *src, size_t n,
		   u32 access, struct exit_exception *fault);

/* --- fetch.c */

/*
 * The bytes at CS:RIP, up to 15, as many as can be had without a fault.
 * Returns how many.
 */
size_t fetch_insn(struct vcpu *vcpu, u8 bytes[INSN_MAX]);

enum decode_mode decode_mode_of(enum cpu_mode mode);

/*
 * Length of the intercepted instruction at CS:RIP, for hardware that does not
 * tell. 0 when it cannot be fetched or is none.
 */
unsigned fetch_length(struct vcpu *vcpu);

#endif
