/* The guest's life: command line, tests, end. */
#include "guest.h"
#include "multiboot.h"
#include "print.h"

const struct multiboot_info *boot_info;
u32 boot_magic;

void guest_start(void);

void guest_end(unsigned status)
{
	for (;;)
		outb(PORT_END, status);
}

/* --- the command line --- */

/* What follows NAME or NAME=, or NULL. */
static const char *find_option(const char *name)
{
	const char *at = (const char *)(word)boot_info->cmdline;
	size_t n = strlen(name);

	if (!(boot_info->flags & MULTIBOOT_CMDLINE))
		return NULL;
	for (; *at; at++) {
		if (strncmp(at, name, n) == 0) {
			if (at[n] == '=')
				return at + n + 1;
			if (!at[n] || at[n] == ' ')
				return at + n;
		}
		while (*at && *at != ' ')
			at++;
		if (!*at)
			break;
	}
	return NULL;
}

bool option(const char *name)
{
	return find_option(name) != NULL;
}

bool option_text(const char *name, char *text, size_t size)
{
	const char *value = find_option(name);
	size_t n = 0;

	if (!value)
		return false;
	while (value[n] && value[n] != ' ' && n + 1 < size) {
		text[n] = value[n];
		n++;
	}
	text[n] = '\0';
	return true;
}

u64 option_number(const char *name, u64 otherwise)
{
	char text[24];
	u64 value;

	if (!option_text(name, text, sizeof(text)) ||
	    !parse_number(text, &value))
		return otherwise;
	return value;
}

bool on_godwit(void)
{
	const struct cpuid id = cpuid(0x40000100, 0);
	const u32 words[3] = {id.ebx, id.ecx, id.edx};

	return (cpuid(1, 0).ecx & BIT(31)) &&
	       memcmp(words, "GodwitGodwit", sizeof(words)) == 0;
}

/* --- tests --- */

static const struct test *running;
static enum { PASSING, FAILED, SKIPPED } verdict;
static char reason[160];
extern const u8 guard_return[];

static void conclude(int how, const char *fmt, va_list *args)
{
	if (verdict != PASSING)
		return;
	verdict = how;
	vformat(reason, sizeof(reason), fmt, args);
}

bool test_failed(void)
{
	return verdict == FAILED;
}

void expect_failed(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	conclude(FAILED, fmt, &args);
	va_end(args);
}

void skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	conclude(SKIPPED, fmt, &args);
	va_end(args);
	asm volatile("jmp guard_return" ::: "memory");
	__builtin_unreachable();
}

void test_broken(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	conclude(FAILED, fmt, &args);
	va_end(args);
	if (running)
		return;
	print("FAIL guest: %s\n", reason);
	guest_end(1);
}

/* A name stands whole in a list with commas. */
static bool is_listed(const char *name, const char *list)
{
	size_t n = strlen(name);

	while (*list) {
		if (strncmp(list, name, n) == 0 && (list[n] == ',' || !list[n]))
			return true;
		while (*list && *list++ != ',')
			;
	}
	return false;
}

static void run_one(const struct test *test, const char *without)
{
	verdict = PASSING;
	running = test;
	memset(trap_hooks, 0, sizeof(trap_hooks));
	user_flags = 2;
	caught.vector = -1;
	if (is_listed(test->name, without)) {
		verdict = SKIPPED;
		format(reason, sizeof(reason), "not on this platform");
	} else if (test->godwit_only && !on_godwit()) {
		verdict = SKIPPED;
		format(reason, sizeof(reason), "only Godwit promises it");
	} else {
		guarded(test->run);
	}
	running = NULL;
	if (verdict == PASSING)
		print("ok %s\n", test->name);
	else
		print("%s %s: %s\n", verdict == FAILED ? "FAIL" : "skip",
		      test->name, reason);
}

bool attempt(void (*fn)(void))
{
	static const struct test attack = {"attack", NULL, false};
	bool whole;

	running = &attack;
	whole = guarded(fn);
	running = NULL;
	return whole;
}

/* Marsaglia's xorshift64. */
u64 random_number(void)
{
	static u64 state = 0x2545f4914f6cdd1d;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

int run_tests(const struct test *tests, unsigned count)
{
	char only[64] = "", without[200] = "";
	int status = 0;

	option_text("only", only, sizeof(only));
	option_text("without", without, sizeof(without));
	for (unsigned i = 0; i < count; i++) {
		if (*only && strcmp(only, tests[i].name))
			continue;
		run_one(&tests[i], without);
		if (verdict == FAILED)
			status = 1;
	}
	return status;
}

/* Called by start64.S and start32.S. */
void guest_start(void)
{
	traps_init();
	if (boot_magic != MULTIBOOT_LOADED) {
		print("FAIL guest: EAX at the start is %x\n", boot_magic);
		guest_end(1);
	}
	guest_end(guest_main());
}
