/*
 * A trace of what the hypervisor does, for looking at afterwards: each CPU
 * writes records into a ring of its own, the first CPU hands them out (`trace
 * read`). While nothing is traced, a place that could costs one branch:
 *
 *	if (trace_wants(TRACE_TURNS))
 *		trace_put(TRACE_TURN, trace_who(vm, vcpu), 0, ticks, 0, 0);
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "lib/error.h"
#include "trace/record.h"

#define TRACE_EXITS	 BIT(0)
#define TRACE_INTERRUPTS BIT(1)
#define TRACE_TURNS	 BIT(2)
#define TRACE_MIGRATION	 BIT(3)
#define TRACE_FRAMES	 BIT(4)
#define TRACE_DIRTY	 BIT(5)
#define TRACE_CLASSES	 6

extern const char *const trace_classes[TRACE_CLASSES + 1]; /* NULL: end */

/* The classes that are traced. */
extern u64 trace_wanted;

static inline bool trace_wants(u64 classes)
{
	return unlikely(trace_wanted & classes);
}

/* Whose it is, by their numbers: see struct trace_record. */
#define TRACE_NOBODY 0xff00u
static inline u32 trace_who(u32 vm, u32 vcpu)
{
	return vm << 8 | vcpu;
}

/* On the CPU that it happened on; now, or at a TSC that was. */
void trace_put(enum trace_kind kind, u32 who, u32 value, u64 a, u64 b, u64 c);
void trace_put_at(u64 tsc, enum trace_kind kind, u32 who, u32 value, u64 a,
		  u64 b, u64 c);

/* The same for the pages of a bitmap's words, which come in order. */
struct trace_runs {
	u32 who, value;
	unsigned runs;
	u64 run[3];
	u64 first, pages; /* the run that may go on */
};
void trace_runs_word(struct trace_runs *runs, u64 first_page, u64 word);
void trace_runs_end(struct trace_runs *runs);

/* --- the first CPU's */

/* Adds classes. E_NOMEM: nothing is traced that was not. */
err_t trace_on(u64 classes);
void trace_off(void);

/* The oldest records of each CPU, up to `most`; how many. */
size_t trace_read(struct trace_record *to, size_t most);

struct trace_stats {
	u64 room;    /* records, of all rings */
	u64 waiting; /* to be read */
	u64 lost;    /* ever */
};
struct trace_stats trace_stats(void);

#endif
