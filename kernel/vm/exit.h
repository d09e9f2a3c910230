/*
 * Why a guest stopped, in words that both vendors share. An engine decodes its
 * own exit into struct vm_exit; kernel/vm handles it and never sees the
 * hardware's code but in reports.
 */
#ifndef VM_EXIT_H
#define VM_EXIT_H

#include "lib/types.h"
#include "vm/exit_reasons.h"
#include "vm/state.h"

extern const char *const exit_names[EXIT_REASON_COUNT];

enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW };

#define MEM_READ  1u
#define MEM_WRITE 2u
#define MEM_FETCH 4u
#define MEM_TABLE 8u /* the access was the guest's own page walk */

struct exit_io {
	u16 port;
	u8 size;
	bool in;
	bool string;
	bool rep;
};

struct exit_memory {
	u64 gpa;
	u32 access; /* MEM_* */
};

struct exit_cr {
	u8 number;
	u8 gpr;	   /* of MOV */
	u8 access; /* enum cr_access */
	u16 lmsw;  /* LMSW's operand */
};

struct exit_dr {
	u8 number;
	u8 gpr;
	bool read;
};

struct exit_exception {
	u8 vector;
	bool has_error;
	u32 error;
	u64 address; /* #PF */
};

struct vm_exit {
	enum exit_reason reason;
	u8 ilen;	  /* 0: the hardware does not tell */
	u64 code;	  /* the hardware's own reason and details, */
	u64 info1, info2; /* for reports */
	bool delivery;	  /* EXIT_MEMORY: an event's was interrupted by it */
	union {
		struct exit_io io;
		struct exit_memory memory;
		struct exit_cr cr;
		struct exit_dr dr;
		struct exit_exception exception;
	};
};

#endif
