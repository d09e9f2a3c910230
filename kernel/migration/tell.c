/* What people and programs are told of a migration, on both hosts. */
#include "cpu/time.h"
#include "lib/log.h"
#include "lib/notice.h"
#include "lib/string.h"
#include "migration/parts.h"
#include "mm/heap.h"
#include "vm/vm.h"

#define REPORT_MAX KIB(32)

/* Tenths of MB/s. */
static u64 rate_of(u64 bytes, u64 ns)
{
	return bytes * 10000 / MAX(ns, 1);
}

static void begin(struct notice *n, const char *vm, const char *change)
{
	notice_begin(n, "migration");
	json_text(&n->json, "vm", vm);
	json_text(&n->json, "change", change);
}

void tell_outgoing(const struct outgoing *out, const char *change)
{
	const char *vm = out->vm->config.name;
	struct notice n;

	if (!strcmp(change, "started"))
		log_info("%s: %s to %s: policy %s, dirty pages by %s, %s", vm,
			 out->config.dry_run ? "dry run of a move" : "moves",
			 out->config.target, out->config.policy->name,
			 dirty_names[out->way],
			 migration_securities[out->config.link.security]);
	begin(&n, vm, change);
	json_text(&n.json, "to", out->config.target);
	json_text(&n.json, "state", mig_state_text(source_state(out->source)));
	notice_end(&n);
}

static void hex(char *to, const u8 *bytes, unsigned n)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < n; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
}

/* For tools/capture: whoever reads this log can read the migration. */
void tell_keys(const struct outgoing *out)
{
	const struct link *link = &out->source->link;
	char tx[2 * CRYPTO_KEY + 1], rx[2 * CRYPTO_KEY + 1];

	hex(tx, link->tx.key, CRYPTO_KEY);
	hex(rx, link->rx.key, CRYPTO_KEY);
	log_warn("%s: session keys %s %s", out->vm->config.name, tx, rx);
}

void tell_round(const struct outgoing *out)
{
	const struct report *report = &out->source->report;
	const struct round_stats *r = &report->round[report->rounds - 1];
	u64 rate = rate_of(r->bytes, r->duration * NS_PER_US);
	struct notice n;

	log_info("%s: round %u: %lu pages in %lu us, %lu.%lu MB/s, %lu left, "
		 "would be down %lu us%s",
		 out->vm->config.name, r->round, r->pages, r->duration,
		 rate / 10, rate % 10, r->remaining, r->predicted,
		 r->throttle < 100 ? ", guest slowed down" : "");
	begin(&n, out->vm->config.name, "round");
	json_number(&n.json, "round", r->round);
	json_number(&n.json, "pages", r->pages);
	json_number(&n.json, "bytes", r->bytes);
	json_number(&n.json, "us", r->duration);
	json_number(&n.json, "remaining", r->remaining);
	json_number(&n.json, "predicted_us", r->predicted);
	notice_end(&n);
}

void tell_progress(const struct outgoing *out)
{
	const struct source *source = out->source;
	const char *vm = out->vm->config.name;
	u64 left = source->sender.todo_left;
	u64 rate = rate_of(source->sender.counts.bytes - out->told_bytes,
			   now_ns() - out->told_at);

	switch (source_state(source)) {
	case SOURCE_IN_DOUBT:
		log_warn("%s: in doubt: %s may run it, or not; `migrate "
			 "in-doubt` says what to do",
			 vm, out->config.target);
		tell_outgoing(out, "in-doubt");
		break;
	case SOURCE_SEEKING:
		log_info("%s: looking for %s", vm, out->config.target);
		break;
	default:
		log_info("%s: round %u: %lu of %lu pages to go, %lu.%lu MB/s",
			 vm, source->round.round, left, source->config->pages,
			 rate / 10, rate % 10);
	}
}

/* One line for programs, with the whole report. */
static void tell_report(const struct outgoing *out, const char *parts)
{
	const struct report *report = &out->source->report;
	char *text = kmalloc(REPORT_MAX), *whole = kmalloc(2 * REPORT_MAX);
	struct json j;
	size_t n;

	if (text && whole && (n = report_json(report, text, REPORT_MAX - 1))) {
		text[n] = '\0';
		json_begin(&j, whole, 2 * REPORT_MAX);
		json_text(&j, "event", "migration-report");
		json_number(&j, "time_ns", now_ns());
		json_text(&j, "vm", out->vm->config.name);
		json_text(&j, "to", out->config.target);
		json_text(&j, "dirty", dirty_names[out->way]);
		json_text(&j, "security",
			  migration_securities[out->config.link.security]);
		json_raw(&j, "parts", parts);
		json_raw(&j, "report", text);
		n = json_finish(&j);
		notice_answer(whole, n);
	}
	kfree(text);
	kfree(whole);
}

static u64 us(u64 from, u64 to)
{
	return to > from ? (to - from) / NS_PER_US : 0;
}

/* How the downtime is made up, in microseconds. */
static void parts_of(const struct outgoing *out, char *text, size_t size)
{
	const struct handover *at = &out->at;
	const struct dirty_stats *d = &out->dirty;
	struct json j;
	size_t n;

	json_begin(&j, text, size);
	json_number(&j, "stop", us(at->stop, at->stopped));
	json_number(&j, "state_capture", us(at->stopped, at->saved));
	json_number(&j, "last_round", us(at->saved, at->pages));
	json_number(&j, "state_transfer", us(at->pages, at->prepare));
	json_number(&j, "verify", us(at->prepare, at->commit));
	json_number(&j, "commit", us(at->commit, at->done));
	json_number(&j, "tracking_on", d->on_ns / NS_PER_US);
	json_number(&j, "harvests", d->harvests);
	json_number(&j, "harvest", d->harvest_ns / NS_PER_US);
	json_number(&j, "longest_harvest", d->longest_ns / NS_PER_US);
	json_number(&j, "faults", d->faults);
	json_number(&j, "drains", d->drains);
	n = json_finish(&j);
	if (n)
		text[n - 1] = '\0'; /* no line of its own */
	else
		copy_string(text, size, "null");
}

static void say_certificate(const char *vm, u64 certificate)
{
	char text[32];

	report_certificate(certificate, text);
	log_info("%s: certificate %s", vm, text);
}

void tell_done(const struct outgoing *out)
{
	const struct report *r = &out->source->report;
	const struct handover *at = &out->at;
	const char *vm = out->vm->config.name;
	u64 rate = rate_of(r->bytes, r->total * NS_PER_US);
	char parts[512];

	log_info("%s: moved to %s: total %lu us, down %lu us, %u rounds, %lu "
		 "pages, %lu bytes, %lu.%lu MB/s",
		 vm, out->config.target, r->total, r->downtime, r->rounds,
		 r->pages, r->bytes + r->control_bytes, rate / 10, rate % 10);
	log_info("%s: down: stop %lu, state %lu, last round %lu, state's way "
		 "%lu, verify %lu, commit %lu us",
		 vm, us(at->stop, at->stopped), us(at->stopped, at->saved),
		 us(at->saved, at->pages), us(at->pages, at->prepare),
		 us(at->prepare, at->commit), us(at->commit, at->done));
	say_certificate(vm, r->certificate);
	tell_outgoing(out, "done");
	parts_of(out, parts, sizeof(parts));
	tell_report(out, parts);
}

static const char *reason(const struct outgoing *out)
{
	return out->why ? out->why : mig_error_text(out->source->code);
}

void tell_failed(const struct outgoing *out)
{
	const struct source *source = out->source;
	char text[160], parts[512];
	struct notice n;

	copy_string(text, sizeof(text), reason(out));
	if (source->code == MIG_REQUIREMENT)
		requirement_text(text, sizeof(text), &source->refused,
				 source->refused_have);
	log_error("%s: not moved: %s", out->vm->config.name, text);
	if (source->report.differs_at != REPORT_NO_PAGE)
		log_error("%s: the first page that differs is %lu",
			  out->vm->config.name, source->report.differs_at);
	begin(&n, out->vm->config.name, "failed");
	json_text(&n.json, "to", out->config.target);
	json_text(&n.json, "reason", text);
	json_number(&n.json, "code", source->code);
	notice_end(&n);
	parts_of(out, parts, sizeof(parts));
	tell_report(out, parts);
}

void tell_dry(const struct outgoing *out)
{
	const struct prediction *p = &out->source->report.prediction;
	const char *vm = out->vm->config.name;

	log_info("%s: would move to %s in %lu us, down %lu us, %lu rounds, %lu "
		 "bytes: %s",
		 vm, out->config.target, p->total, p->downtime, p->rounds,
		 p->bytes, mig_error_text((unsigned)p->code));
	log_info("%s: from %lu bytes/s, %lu us there and back, %lu bytes a "
		 "page, %lu pages/s written",
		 vm, p->bandwidth, p->round_trip, p->page_bytes, p->dirty_rate);
	tell_outgoing(out, "dry-run");
	tell_report(out, "null");
}

void tell_incoming(const struct incoming *in, const char *change)
{
	const struct target *target = in->target;
	const char *vm = in->vm_name;
	struct notice n;

	if (!strcmp(change, "arriving"))
		log_info("%s: arriving from %s, %lu MiB", vm, in->peer,
			 target->pages * PAGE_SIZE >> 20);
	if (!strcmp(change, "arrived")) {
		log_info("%s: runs here: built in %lu us, started in %lu us, "
			 "%lu ms after it was announced",
			 vm, in->restore_ns / NS_PER_US, in->run_ns / NS_PER_US,
			 (now_ns() - in->began) / NS_PER_MS);
		say_certificate(vm, target->certificate);
	}
	if (!strcmp(change, "discarded"))
		log_warn("%s: did not arrive: %s%s%s", vm,
			 mig_error_text(target->code), in->why[0] ? ": " : "",
			 in->why);
	begin(&n, vm, change);
	if (!strcmp(change, "arrived"))
		json_number(&n.json, "built_us", in->restore_ns / NS_PER_US);
	if (target->code)
		json_text(&n.json, "reason", mig_error_text(target->code));
	notice_end(&n);
}
