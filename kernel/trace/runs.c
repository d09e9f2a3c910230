/* Pages of a bitmap as runs, three to a record. */
#include "trace/trace.h"

static void put(struct trace_runs *runs)
{
	if (runs->runs)
		trace_put(TRACE_DIRTY_RUNS, runs->who, runs->value,
			  runs->run[0], runs->run[1], runs->run[2]);
	runs->runs = 0;
	runs->run[0] = runs->run[1] = runs->run[2] = 0;
}

static void close(struct trace_runs *runs)
{
	if (runs->pages)
		runs->run[runs->runs++] = TRACE_RUN(runs->first, runs->pages);
	runs->pages = 0;
	if (runs->runs == 3)
		put(runs);
}

void trace_runs_word(struct trace_runs *runs, u64 first_page, u64 word)
{
	while (word) {
		unsigned at = __builtin_ctzll(word);
		u64 rest = ~(word >> at);
		unsigned n = rest ? __builtin_ctzll(rest) : 64;

		if (!runs->pages ||
		    runs->first + runs->pages != first_page + at)
			close(runs);
		if (!runs->pages)
			runs->first = first_page + at;
		runs->pages += n;
		word = at + n < 64 ? word & ~0ULL << (at + n) : 0;
	}
}

void trace_runs_end(struct trace_runs *runs)
{
	close(runs);
	put(runs);
}
