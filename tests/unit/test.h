/*
 * Unit tests that run on the build host, under the address and undefined
 * behaviour sanitizers. A file tests/unit/X_test.c becomes out/unit/X_test;
 * one line in its head comment names the sources it is linked with:
 *
 *	links: kernel/vm/decode.c kernel/lib/error.c
 *	libs: -lopcodes
 *
 * (the second only where needed). A test is
 *
 *	TEST(bitmap_finds_first_zero)
 *	{
 *		CHECK(bitmap_empty(map));
 *		CHECK_EQ(bitmap_first_zero(map, 64), 3);
 *		CHECK_STR(err_text(E_OK), "success");
 *	}
 *
 * and registers itself. A failed check prints where and what, and ends that
 * test. The program runs all tests, those named, or lists them (--list); each
 * runs in a process of its own (in gdb: set follow-fork-mode child).
 *
 * Kernel functions a test need not link are here in a host version: panic_at()
 * fails the test (or satisfies CHECK_PANIC), log_line() prints to stderr, and
 * err_text() gives the number; the kernel's own replace them when linked. The
 * C library's memcpy, snprintf and so on serve the kernel's sources too; see
 * own_names.h for testing the kernel's own.
 */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *test);

#define TEST(title)                                                     \
	static void test_##title(void);                                 \
	__attribute__((constructor)) static void add_##title(void)      \
	{                                                               \
		static struct test test = {#title, test_##title, NULL}; \
                                                                        \
		test_register(&test);                                   \
	}                                                               \
	static void test_##title(void)

/* Ends the running test with a line of file, line and what was wrong. */
__attribute__((noreturn, format(__printf__, 3, 4))) void
test_fail(const char *file, int line, const char *fmt, ...);

void test_check_eq(const char *file, int line, const char *what, uint64_t a,
		   uint64_t b);
void test_check_str(const char *file, int line, const char *what, const char *a,
		    const char *b);
void test_check_mem(const char *file, int line, const char *what, const void *a,
		    const void *b, size_t size);

#define CHECK(cond)                                                 \
	do {                                                        \
		if (!(cond))                                        \
			test_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

/* Integers of any type, compared as 64 bits; pointers want a cast. */
#define CHECK_EQ(a, b)                                                 \
	test_check_eq(__FILE__, __LINE__, #a " == " #b, (uint64_t)(a), \
		      (uint64_t)(b))
#define CHECK_STR(a, b) test_check_str(__FILE__, __LINE__, #a " is " #b, a, b)
#define CHECK_MEM(a, b, size) \
	test_check_mem(__FILE__, __LINE__, #a " is " #b, a, b, size)

/* The statement must end in panic(). It does not return, so it may leak. */
extern jmp_buf test_panic_exit;
extern bool test_panic_wanted;

#define CHECK_PANIC(statement)                                             \
	do {                                                               \
		test_panic_wanted = true;                                  \
		if (!setjmp(test_panic_exit)) {                            \
			statement;                                         \
			test_panic_wanted = false;                         \
			test_fail(__FILE__, __LINE__, "%s: did not panic", \
				  #statement);                             \
		}                                                          \
	} while (0)

#endif
