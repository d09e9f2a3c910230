/*
 * What a migration cost: a record per round and one for the whole. The console
 * prints it for people, the lab reads it as one line of JSON.
 */
#ifndef MIGRATE_REPORT_H
#define MIGRATE_REPORT_H

#include "migrate/codec.h"
#include "migrate/policy.h"
#include "migrate/predict.h"

#define REPORT_ROUNDS (POLICY_ROUNDS + 1) /* and the one while stopped */

struct report {
	const char *policy;
	struct round_stats round[REPORT_ROUNDS];
	u32 rounds;	     /* recorded; later ones are only in the sums */
	u64 total, downtime; /* microseconds */
	u64 pages, bytes, frames, frames_lost, parts_again, probes;
	u64 records_resent, control_bytes, dropped;
	u64 state_bytes;
	u32 sessions, attempts;
	struct codec_count codec[CODECS];
	u64 memory_hash, state_hash, certificate;
	unsigned code;		      /* enum mig_error */
	u64 differs_at;		      /* MIG_DIFFERS: the first page, or none */
	struct prediction prediction; /* MIG_DRY */
};

#define REPORT_NO_PAGE UINT64_MAX

/* One line without its end; how long it is, or 0 when `size` is too small. */
size_t report_json(const struct report *report, char *at, size_t size);

/* "certificate 0123456789abcdef": what both ends print. */
void report_certificate(u64 certificate, char at[32]);

#endif
