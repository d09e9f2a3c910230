/* What people and programs say to the service, and are answered. */
#include "cpu/regs.h"
#include "cpu/time.h"
#include "lib/string.h"
#include "migration/channel.h"
#include "migration/parts.h"
#include "shell/answer.h"
#include "vm/vm.h"

void migration_start(struct answer *a, struct vm *vm, const char *host,
		     const struct migration_options *options)
{
	const char *name = vm->config.name;
	err_t err = E_OK;

	if (!channel_nic())
		answer_error(a, E_NOTFOUND, "migrate: this host has no NIC");
	else if (migration_is_here(host) && !migration_to_itself(host))
		answer_error(a, E_INVALID,
			     "migrate: this host is %s (a VM moves to it from "
			     "here with both-ends = yes in [migrate])",
			     host);
	else if (outgoing_busy())
		answer_error(a, E_BUSY, "migrate: %s is on its way to %s",
			     outgoing.vm->config.name, outgoing.config.target);
	else if (vm->life != VM_RUNNING)
		answer_error(a, E_STATE, "migrate: %s is %s, not running", name,
			     life_name(vm->life));
	else if (options->dirty && !dirty_can(options->dirty))
		answer_error(a, E_UNSUPPORTED,
			     "migrate: this processor cannot track dirty pages "
			     "by %s",
			     dirty_names[options->dirty]);
	else if (dirty_way(vm) != DIRTY_OFF)
		answer_error(a, E_BUSY,
			     "migrate: `vm dirty` follows %s by %s (turn that "
			     "off first)",
			     name, dirty_names[dirty_way(vm)]);
	else if (!migration_may_speak(options->security))
		answer_error(a, E_INVALID,
			     "migrate: no key (expected key = ... in "
			     "[migrate], or security=none)");
	else
		err = outgoing_start(vm, host, options);
	if (err)
		answer_error(a, err, "migrate: %s: %s", name, err_text(err));
	if (a->err || err)
		return;
	answer_line(a, "{}: on its way to {}");
	answer_text(a, "vm", name);
	answer_text(a, "to", host);
}

static void show_outgoing(struct answer *a, const struct outgoing *out)
{
	const struct source *s = out->source;

	answer_text(a, "vm", out->vm->config.name);
	answer_text(a, "way", "to");
	answer_text(a, "host", out->config.target);
	answer_text(a, "state", mig_state_text(source_state(s)));
	answer_number(a, "round", s->round.round);
	answer_number(a, "pages_left", s->sender.todo_left);
	answer_number(a, "bytes", s->sender.counts.bytes);
	answer_number(a, "predicted_us", s->round.predicted);
	answer_text(a, "result",
		    !source_ended(s) ? NULL
		    : out->why	     ? out->why
				     : mig_error_text(s->code));
}

static void show_incoming(struct answer *a, const struct incoming *in)
{
	const struct target *t = in->target;

	answer_text(a, "vm", in->vm_name);
	answer_text(a, "way", "from");
	answer_text(a, "host", in->peer);
	answer_text(a, "state", mig_state_text(t->state));
	answer_none(a, "round");
	answer_number(a, "pages_left",
		      t->pages - MIN(t->pages, t->receiver.applied));
	answer_number(a, "bytes", t->link.counts.rx_bytes);
	answer_none(a, "predicted_us");
	answer_text(a, "result",
		    target_ended(t) ? mig_error_text(t->code) : NULL);
}

void migration_status(struct answer *a)
{
	const struct netdev *nic = channel_nic();

	answer_line(a, "{}{:, frames up to }{:, listening: }");
	answer_text(a, "nic", nic ? nic->name : "no NIC");
	answer_number(a, "frame_max", nic ? channel_frame_max() : 0);
	answer_flag(a, "listening", incoming[0] != NULL);
	answer_list(a, "migrations",
		    "{-12} {-5} {-17} {-10} {5} {10} {11} {12}  {}");
	if (outgoing.source) {
		answer_row(a);
		show_outgoing(a, &outgoing);
	}
	for (unsigned i = 0; i < ARRAY_LEN(incoming); i++) {
		if (!incoming[i] || !incoming[i]->vm_name[0])
			continue;
		answer_row(a);
		show_incoming(a, incoming[i]);
	}
	answer_end(a);
}

void migration_cancel(struct answer *a)
{
	if (!outgoing_busy() ||
	    !source_cancel(outgoing.source, migration_now())) {
		answer_error(a, E_STATE, "migrate cancel: %s",
			     outgoing_busy() ? "it is too late for that"
					     : "no VM is on its way");
		return;
	}
	answer_line(a, "{}: cancelled");
	answer_text(a, "vm", outgoing.vm->config.name);
}

void migration_wait(struct answer *a, u64 seconds)
{
	a->waiting = true;
	a->busy = migration_busy;
	a->wait_end = seconds ? rdtsc() + ns_to_tsc(seconds * NS_PER_S) : ~0ULL;
}

static struct incoming *prepared(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(incoming); i++)
		if (incoming[i] &&
		    incoming[i]->target->state == TARGET_PREPARED)
			return incoming[i];
	return NULL;
}

static bool source_in_doubt(void)
{
	return outgoing.source && outgoing.source->state == SOURCE_IN_DOUBT;
}

void migration_in_doubt(struct answer *a)
{
	const struct incoming *in = prepared();

	answer_list(a, "in_doubt", "{}: {}");
	if (source_in_doubt()) {
		answer_row(a);
		answer_text(a, "vm", outgoing.vm->config.name);
		answer_text(a, "what",
			    "the other host was told to run it and has not "
			    "answered: `migrate resume` runs it here, `migrate "
			    "release` lets go of it; look at the other host "
			    "first");
	}
	if (in) {
		answer_row(a);
		answer_text(a, "vm", in->vm_name);
		answer_text(a, "what",
			    "it is ready to run here, and its old host has not "
			    "said so: `migrate run` runs it, `migrate discard` "
			    "forgets it; look at the other host first");
	}
	answer_end(a);
	if (!source_in_doubt() && !in)
		answer_say(a, "nothing is in doubt\n");
}

void migration_force_source(struct answer *a, bool run_here)
{
	if (!source_in_doubt()) {
		answer_error(a, E_STATE,
			     "migrate %s: no VM of this host is in "
			     "doubt",
			     run_here ? "resume" : "release");
		return;
	}
	source_force(outgoing.source, migration_now(), run_here);
	answer_line(a, "{}: {}");
	answer_text(a, "vm", outgoing.vm->config.name);
	answer_text(a, "state", run_here ? "runs here" : "let go");
}

void migration_force_target(struct answer *a, bool run_here)
{
	struct incoming *in = incoming[0];
	bool done = run_here ? (in = prepared()) && target_force_run(in->target)
			     : in && target_discard(in->target);

	if (!done) {
		answer_error(a, E_STATE, "migrate %s: no VM is %s",
			     run_here ? "run" : "discard",
			     run_here ? "ready to run here" : "arriving");
		return;
	}
	answer_line(a, "{}: {}");
	answer_text(a, "vm", in->vm_name);
	answer_text(a, "state", run_here ? "runs here" : "discarded");
}
