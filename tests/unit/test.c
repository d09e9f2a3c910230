/* The runner behind test.h: registration, selection, one process per test. */
#include "tests/unit/test.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/log.h"
#include "lib/panic.h"

/* The status of a test's process after a failed check; nobody else's. */
#define CHECK_FAILED 99

jmp_buf test_panic_exit;
bool test_panic_wanted;

static struct test *tests, **last = &tests;
static const struct test *running;

void test_register(struct test *test)
{
	*last = test;
	last = &test->next;
}

static NORETURN void fail(const char *file, int line, const char *fmt,
			  va_list args)
{
	fprintf(stdout, "FAIL %s: %s:%d: ", running->name, file, line);
	vfprintf(stdout, fmt, args);
	fprintf(stdout, "\n");
	/* What the test has left behind is no leak, and would hide the line. */
	fflush(stdout);
	_exit(CHECK_FAILED);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail(file, line, fmt, args);
}

void test_check_eq(const char *file, int line, const char *what, uint64_t a,
		   uint64_t b)
{
	if (a != b)
		test_fail(file, line,
			  "%s: %" PRIu64 " (0x%" PRIx64 ") and %" PRIu64
			  " (0x%" PRIx64 ")",
			  what, a, a, b, b);
}

void test_check_str(const char *file, int line, const char *what, const char *a,
		    const char *b)
{
	if (!a || !b || strcmp(a, b))
		test_fail(file, line, "%s: \"%s\" and \"%s\"", what,
			  a ? a : "(null)", b ? b : "(null)");
}

void test_check_mem(const char *file, int line, const char *what, const void *a,
		    const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;
	size_t i;

	for (i = 0; i < size; i++)
		if (x[i] != y[i])
			test_fail(file, line,
				  "%s: at byte %zu: 0x%02x and 0x%02x", what, i,
				  x[i], y[i]);
}

/* --- the kernel's services, unless the test links the kernel's own ----------
 */

__attribute__((weak)) void panic_at(const char *file, int line, const char *fmt,
				    ...)
{
	va_list args;

	if (test_panic_wanted) {
		test_panic_wanted = false;
		longjmp(test_panic_exit, 1);
	}
	va_start(args, fmt);
	fail(file, line, fmt, args);
}

__attribute__((weak)) void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
}

__attribute__((weak)) const char *err_text(err_t err)
{
	static char text[24];

	snprintf(text, sizeof(text), "error %d", err);
	return text;
}

/* --- running
 * ------------------------------------------------------------------ */

/*
 * Each test has a process of its own, so that one which a sanitizer stops, or
 * which crashes, fails alone and leaves nothing behind for the next.
 */
static bool run(const struct test *test)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		running = test;
		test->run();
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0) {
		perror("fork");
		exit(2);
	}
	if (status == 0)
		fprintf(stdout, "ok %s\n", test->name);
	else if (WIFSIGNALED(status))
		fprintf(stdout, "FAIL %s: signal %d\n", test->name,
			WTERMSIG(status));
	else if (WEXITSTATUS(status) != CHECK_FAILED)
		fprintf(stdout, "FAIL %s: stopped by a sanitizer\n",
			test->name);
	fflush(stdout);
	return status == 0;
}

static const struct test *find(const char *name)
{
	const struct test *test;

	for (test = tests; test; test = test->next)
		if (!strcmp(test->name, name))
			return test;
	return NULL;
}

static int run_named(int count, char **names)
{
	const struct test *test;
	int failed = 0, i;

	for (i = 0; i < count; i++) {
		test = find(names[i]);
		if (!test) {
			fprintf(stderr, "no test %s; --list shows them\n",
				names[i]);
			return 2;
		}
		failed += !run(test);
	}
	return failed != 0;
}

int main(int argc, char **argv)
{
	const struct test *test;
	int failed = 0;

	if (!tests) {
		fprintf(stderr, "%s has no TEST\n", argv[0]);
		return 2;
	}
	if (argc > 1 && !strcmp(argv[1], "--list")) {
		for (test = tests; test; test = test->next)
			fprintf(stdout, "%s\n", test->name);
		return 0;
	}
	if (argc > 1)
		return run_named(argc - 1, argv + 1);
	for (test = tests; test; test = test->next)
		failed += !run(test);
	return failed != 0;
}
