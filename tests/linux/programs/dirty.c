/*
 * dirty MIB [RATE]: rewrites memory for ever, RATE pages a second (0: as many
 * as it can), and looks whether each page still holds what the pass before
 * wrote. A line a second; the largest gap is the longest time between two
 * pages.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE  4096u
#define WORDS (PAGE / sizeof(uint64_t))

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t content(uint64_t page, uint64_t pass, unsigned i)
{
	return pass ? (page << 24 ^ pass) * 0x9e3779b97f4a7c15u + i : 0;
}

static void touch(volatile uint64_t *at, uint64_t page, uint64_t pass)
{
	for (unsigned i = 0; i < WORDS; i++) {
		uint64_t want = content(page, pass, i);

		if (at[i] != want) {
			printf("FAIL linux.dirty: page %llu word %u is %llx, "
			       "not %llx, in pass %llu\n",
			       (unsigned long long)page, i,
			       (unsigned long long)at[i],
			       (unsigned long long)want,
			       (unsigned long long)pass);
			exit(1);
		}
		at[i] = content(page, pass + 1, i);
	}
}

/* Until so many pages are due. */
static void pace(uint64_t begun, uint64_t count, uint64_t rate)
{
	uint64_t due = rate ? begun + count * 1000000 / rate : 0,
		 now = now_us();
	struct timespec wait = {0, 0};

	if (due <= now)
		return;
	wait.tv_nsec = (long)(due - now) * 1000 % 1000000000;
	nanosleep(&wait, NULL);
}

int main(int argc, char **argv)
{
	uint64_t pages = argc > 1 ? strtoull(argv[1], NULL, 0) * 256 : 256;
	uint64_t rate = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t line = now_us(), last = line, gap = 0, count = 0;

	if (!pages || memory == MAP_FAILED) {
		puts("FAIL linux.dirty: no memory");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (uint64_t pass = 0;; pass++) {
		for (uint64_t page = 0; page < pages; page++) {
			uint64_t now = now_us();

			touch((volatile uint64_t *)(memory + page * PAGE), page,
			      pass);
			gap = now - last > gap ? now - last : gap;
			last = now;
			count++;
			if (now - line < 1000000) {
				pace(line, count, rate);
				continue;
			}
			printf("dirty: pass %llu, %llu pages/s, largest gap "
			       "%llu us\n",
			       (unsigned long long)pass,
			       (unsigned long long)(count * 1000000 /
						    (now - line)),
			       (unsigned long long)gap);
			line = now;
			gap = count = 0;
		}
	}
}
