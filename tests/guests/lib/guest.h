/*
 * What our test guests share. A guest is one file that defines guest_main();
 * the rest of this folder brings it from Multiboot's entry to there, in 64-bit
 * mode with the first 4 GiB mapped one to one (or 32-bit protected mode without
 * paging), with exceptions caught and text going to port 0xe9.
 *
 * Most guests are a table of tests. Each prints one line:
 *
 *	ok exit.cpuid
 *	FAIL exit.cpuid: leaf 7: upper half of RBX is 1
 *	skip exit.rdtscp: this CPU has none
 *
 * Words on the command line that all of them know: `only=NAME` runs one test,
 * `without=NAME,NAME` skips tests that a platform cannot pass.
 */
#ifndef GUEST_H
#define GUEST_H

#include "lib/string.h"
#include "lib/types.h"
#include "x86.h"

/* The guest itself; what it returns is its status. */
int guest_main(void);

void guest_end(unsigned status) NORETURN;

/* --- text: %d %u %x %s %c %p %%, l, ll, width, 0 and - --- */

void print(const char *fmt, ...) PRINTF(1);
/* Where it goes: the debug port, unless a guest has something better. */
extern void (*print_sink)(const char *text, size_t n);

/* --- how it was started --- */

extern const struct multiboot_info *boot_info;
extern u32 boot_magic;

/* A word on the command line, alone or as NAME=VALUE. */
bool option(const char *name);
u64 option_number(const char *name, u64 otherwise);
bool option_text(const char *name, char *text, size_t size);

/* Under Godwit, and not some other machine? By the hypervisor leaf. */
bool on_godwit(void);

/* --- tests --- */

struct test {
	const char *name;
	void (*run)(void);
	bool godwit_only; /* a promise that other machines do not make */
};
#define TEST(name, run)          \
	{                        \
		name, run, false \
	}
#define GODWIT_TEST(name, run)  \
	{                       \
		name, run, true \
	}

/* Runs them in order; the status is 1 if any has failed. */
int run_tests(const struct test *tests, unsigned count);
#define RUN_TESTS(tests) run_tests(tests, ARRAY_LEN(tests))

/* The first that fails is the test's reason; the test goes on. */
#define expect(cond, ...)                           \
	do {                                        \
		if (!(cond))                        \
			expect_failed(__VA_ARGS__); \
	} while (0)
void expect_failed(const char *fmt, ...) PRINTF(1);

/* Has the running test failed? Then a loop need not go on. */
bool test_failed(void);

/* Ends the test: it cannot be done here. */
void skip(const char *fmt, ...) PRINTF(1) NORETURN;

/* --- exceptions and interrupts --- */

struct trap_frame {
	word gpr[GPR_COUNT]; /* in the order of their numbers; not RSP */
	word vector, error;
	word rip, cs, rflags, rsp, ss;
};

/* True: dealt with, return to what the frame says now. */
typedef bool (*trap_hook)(struct trap_frame *frame);
extern trap_hook trap_hooks[256];

/*
 * TRY("insn") in an asm statement: an exception exactly at the instruction is
 * noted in `caught`, and the program goes on behind it. vector is -1 if there
 * was none.
 */
struct caught {
	int vector;
	u32 error;
	word rip, rflags, cr2, dr6;
};
extern volatile struct caught caught;

#define TRY(insn)                                                \
	"movl $-1, caught\n771: " insn                           \
	"\n772:\n\t.pushsection .catch,\"a\"\n\t" WORD_DIRECTIVE \
	" 771b, 772b\n\t.popsection\n\t"

/* "#UD error 0", for messages. */
const char *caught_text(void);
#define expect_caught(number, ...) \
	expect(caught.vector == (number), __VA_ARGS__)
#define expect_none(what) \
	expect(caught.vector < 0, "%s: %s", what, caught_text())
#define expect_trap(number, what)                                        \
	expect(caught.vector == (number), "%s: %s, not vector %d", what, \
	       caught_text(), number)

/* Calls fn, whatever comes of it: false when an exception has ended it. */
bool attempt(void (*fn)(void));

void traps_init(void);
/* IST 0: none, else 1-3, each with a stack of its own. */
void trap_gate(unsigned vector, unsigned dpl, unsigned ist);
void trap_gate_absent(unsigned vector);

/* Calls fn; an unexpected exception comes back here (lib/traps.c). */
bool guarded(void (*fn)(void));

/*
 * Calls fn in user mode, on a stack of its own, with user_flags in RFLAGS;
 * returns when fn does.
 */
void user_call(void (*fn)(void));
extern word user_flags;

/* Numbers for attacks: the same at every start. */
u64 random_number(void);

/* --- running made-up code --- */

struct regs {
	word gpr[GPR_COUNT];
	word rflags;
};

/*
 * Loads all registers but RSP from regs, runs code, which ends with RET, and
 * stores them there again.
 */
void run_regs(struct regs *regs, const void *code);

/* The same for some bytes; anything but going on right behind them is #UD. */
void run_bytes(struct regs *regs, const u8 *bytes, unsigned n);

/* Different values with set upper halves in all registers, CF..OF in flags. */
void regs_pattern(struct regs *regs);
#define FLAGS_ARITHMETIC 0x8d5u

/* Names the first register that differs, but for those in the mask `except`. */
const char *regs_difference(const struct regs *a, const struct regs *b,
			    u32 except);

#endif
