/*
 * What a trace consists of. A record is 40 bytes, little-endian as they lie in
 * memory; docs/trace.md has the table of what is in them, tools/rig/trace.py
 * reads them. Numbers are never given anew: a trace may be old.
 */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include "lib/types.h"

struct trace_record {
	u64 tsc; /* the host's */
	u8 kind; /* enum trace_kind */
	u8 cpu;	 /* of the host, low byte */
	u8 vm;	 /* its index in `vm list`, TRACE_NONE */
	u8 vcpu;
	u32 value;
	u64 a, b, c;
};
ASSERT_SIZE(struct trace_record, 40);

#define TRACE_NONE 0xff

/*			value		a	b	c */
enum trace_kind {
	TRACE_LOST = 1,	  /* -		records	-	- */
	TRACE_EXIT,	  /* reason	RIP	ticks	detail */
	TRACE_INJECT,	  /* vector	kind	-	- */
	TRACE_TURN,	  /* -		ticks	-	- */
	TRACE_ROUND,	  /* number	ticks	pages	bytes */
	TRACE_HARVEST,	  /* number	ticks	pages	-; 0: tracking is on */
	TRACE_MOVE,	  /* step	-	-	- */
	TRACE_SENT,	  /* frames	first	bytes	ticks */
	TRACE_RECEIVED,	  /* the same */
	TRACE_DIRTY_RUNS, /* harvest	three runs of pages */
	TRACE_DIRTY_FAULT /* -		GPA	RIP	- */
};

/* Of TRACE_SENT and TRACE_RECEIVED: who they are, for both ends. */
#define TRACE_FRAME(kind, session, number) \
	((u64)(kind) << 40 | (u64)(session) << 32 | (u32)(number))

/* Of TRACE_DIRTY_RUNS: pages from `first` on; 0 pages: no run. */
#define TRACE_RUN(first, pages) ((u64)(first) << 32 | (u32)(pages))

enum trace_step {
	TRACE_STARTED = 1, /* the source: it has begun, */
	TRACE_STOP,	   /* the guest is to stand still, */
	TRACE_STOPPED,	   /* it does, */
	TRACE_SAVED,	   /* its state is taken, */
	TRACE_PREPARE,	   /* and has arrived; */
	TRACE_COMMIT,	   /* the target may run it, */
	TRACE_RELEASED,	   /* and has said so */
	TRACE_RESUMED,	   /* instead: it runs here again */
	TRACE_FAILED,
	TRACE_ARRIVING, /* the target: memory is there, */
	TRACE_BUILD,	/* its state is being made a machine, */
	TRACE_BUILT,
	TRACE_RUNS, /* and it goes on here */
	TRACE_DISCARDED,
};

#endif
