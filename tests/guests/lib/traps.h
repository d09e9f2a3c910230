/* Between the files of the library, and for tests that go deeper. */
#ifndef TRAPS_H
#define TRAPS_H

#include "guest.h"

#define VEC_USER_RETURN 0x20

/* TSS: a set bit forbids the port to user mode. */
#define IO_BITMAP_BYTES 129 /* ports 0-0x3ff, and one of ones */
u8 *io_bitmap(void);

void idt_load(void);

/* The end of user_call(), and the stack for exceptions in user mode. */
extern const u8 user_return[];
extern u8 trap_stack_top[];

/* Called by traps64.S, traps32.S. */
void trap_handler(struct trap_frame *frame);

/* The test that runs has failed and is over; without one, the guest is. */
void test_broken(const char *fmt, ...) PRINTF(1);

void format(char *text, size_t size, const char *fmt, ...) PRINTF(3);

#endif
