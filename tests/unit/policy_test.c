/*
 * When to stop the guest, and what a dry run says of it beforehand.
 *
 * links: migrate/predict.c
 * links: migrate/policy/policy.c migrate/policy/classic.c
 * links: migrate/policy/downtime.c migrate/policy/fixed.c
 * links: migrate/policy/stop_and_copy.c
 */
#include <string.h>

#include "migrate/error.h"
#include "migrate/policy.h"
#include "migrate/predict.h"
#include "tests/unit/test.h"

/* Whatever it is told, each policy stops or gives up in its rounds. */
TEST(every_policy_ends)
{
	static const char *const names[] = {"classic", "downtime", "fixed",
					    "stop-and-copy"};
	struct policy_params params = {
		.rounds = 1000, .threshold = 0, .downtime = 0, .hardest = 1};

	for (unsigned i = 0; i < 4; i++) {
		struct round_stats now = {.remaining = 9,
					  .predicted = 9,
					  .throttle = 100},
				   last;
		enum policy_action action = POLICY_ROUND;

		while (action == POLICY_ROUND || action == POLICY_THROTTLE) {
			CHECK(now.round <= POLICY_ROUNDS);
			action = policy_decide(policy_find(names[i]), &params,
					       now.round == 0 ? NULL : &last,
					       &now)
					 .action;
			last = now;
			now.round++;
		}
	}
	CHECK(policy_find("none") == NULL);
}

/* --- downtime: 50 ms are allowed, 10 rounds, half the speed at least */

static const struct policy_params allowed = {
	.rounds = 10, .downtime = 50000, .hardest = 50};

/* After a round that shortened the predicted downtime from `before`. */
static struct policy_answer after(u32 round, u64 before, u64 predicted,
				  u64 least, unsigned throttle)
{
	struct round_stats last = {.round = round - 1,
				   .predicted = before,
				   .least = least,
				   .throttle = throttle};
	struct round_stats now = {.round = round,
				  .predicted = predicted,
				  .least = least,
				  .throttle = throttle};

	return policy_decide(&policy_downtime, &allowed,
			     round > 1 ? &last : NULL, &now);
}

TEST(downtime_goes_on_while_rounds_shrink)
{
	CHECK_EQ(after(1, 0, 400000, 1000, 100).action, POLICY_ROUND);
	CHECK_EQ(after(2, 400000, 90000, 1000, 100).action, POLICY_ROUND);
	/* Short enough, and it may become shorter still. */
	CHECK_EQ(after(3, 90000, 40000, 1000, 100).action, POLICY_ROUND);
	CHECK_EQ(after(4, 40000, 35999, 1000, 100).action, POLICY_ROUND);
}

TEST(downtime_stops_when_rounds_do_not_shrink)
{
	CHECK_EQ(after(4, 40000, 36000, 1000, 100).action, POLICY_STOP);
	CHECK_EQ(after(4, 40000, 40000, 1000, 100).action, POLICY_STOP);
	CHECK_EQ(after(4, 40000, 50000, 1000, 100).action, POLICY_STOP);
	CHECK_EQ(after(4, 40000, 50001, 1000, 100).action, POLICY_THROTTLE);
}

/* What would remain are the state and the round trips. */
TEST(downtime_stops_when_pages_do_not_matter)
{
	CHECK_EQ(after(3, 40000, 20000, 10000, 100).action, POLICY_STOP);
	CHECK_EQ(after(3, 40000, 20000, 9999, 100).action, POLICY_ROUND);
}

TEST(downtime_throttles_step_by_step)
{
	struct policy_answer answer = after(3, 90000, 90000, 1000, 100);

	CHECK_EQ(answer.action, POLICY_THROTTLE);
	CHECK_EQ(answer.percent, 80);
	answer = after(4, 90000, 90000, 1000, 80);
	CHECK_EQ(answer.action, POLICY_THROTTLE);
	CHECK_EQ(answer.percent, 60);
	/* No slower than allowed, but there are rounds left. */
	CHECK_EQ(after(5, 90000, 90000, 1000, 60).action, POLICY_ROUND);
	/* What shrinks by itself is left alone. */
	CHECK_EQ(after(5, 90000, 80000, 1000, 100).action, POLICY_ROUND);
}

/* A guest that rests most of the time only feels what is less than it uses. */
TEST(downtime_goes_below_a_fifth_by_halves)
{
	static const unsigned steps[] = {100, 80, 60, 40, 20, 10, 5};
	struct policy_params params = {
		.rounds = 30, .downtime = 50000, .hardest = 5};
	struct round_stats now = {
		.round = 5, .predicted = 90000, .least = 1000, .throttle = 100};
	struct policy_answer answer;

	for (unsigned i = 1; i < sizeof(steps) / sizeof(steps[0]); i++) {
		answer = policy_decide(&policy_downtime, &params, &now, &now);
		CHECK_EQ(answer.action, POLICY_THROTTLE);
		CHECK_EQ(answer.percent, steps[i]);
		now.throttle = answer.percent;
	}
	answer = policy_decide(&policy_downtime, &params, &now, &now);
	CHECK_EQ(answer.action, POLICY_ROUND);
}

TEST(downtime_does_not_throttle_for_nothing)
{
	CHECK_EQ(after(3, 90000, 90000, 45000, 100).action, POLICY_ROUND);
	CHECK_EQ(after(3, 90000, 90000, 90000, 100).action, POLICY_ROUND);
	CHECK_EQ(after(3, 90000, 90000, 44999, 100).action, POLICY_THROTTLE);
}

TEST(downtime_keeps_its_word_at_the_last_round)
{
	CHECK_EQ(after(9, 90000, 60000, 1000, 100).action, POLICY_ROUND);
	CHECK_EQ(after(10, 90000, 60000, 1000, 100).action, POLICY_GIVE_UP);
	CHECK_EQ(after(10, 90000, 50001, 50001, 100).action, POLICY_GIVE_UP);
	CHECK_EQ(after(10, 90000, 50000, 1000, 100).action, POLICY_STOP);
}

/* --- predictions */

/* 1000 pages at a page a millisecond; the guest's writes level off. */
static struct predict_input guest_of(u64 per_second)
{
	struct predict_input input = {
		.policy = &policy_classic,
		.params = {.rounds = 20, .threshold = 5, .downtime = 50000},
		.path = {.bandwidth = 4096000,
			 .link = 4096000,
			 .round_trip = 100,
			 .state_bytes = 4096},
		.asking = 500,
		.pages = 1000,
		.first_bytes = 1000 * MIG_PAGE,
		.page_bytes = MIG_PAGE,
		.points = 2,
		.dirty = {{1000000, per_second}, {2000000, per_second}},
	};

	return input;
}

TEST(a_quiet_guest_takes_one_round)
{
	struct predict_input input = guest_of(0);
	struct prediction said;

	input.points = 0;
	predict(&input, &said);
	CHECK_EQ(said.code, MIG_OK);
	CHECK_EQ(said.rounds, 1);
	CHECK_EQ(said.bytes, 1000 * MIG_PAGE);
	/* Its state, and three round trips. */
	CHECK_EQ(said.downtime, 1000 + 300);
	CHECK_EQ(said.total, 500 + 1000000 + 1300);
}

TEST(rounds_shrink_as_the_guest_lets_them)
{
	struct predict_input input = guest_of(100);
	struct prediction said;

	/* 1000 pages, then 100, 10, and one when it has stopped. */
	predict(&input, &said);
	CHECK_EQ(said.rounds, 3);
	CHECK_EQ(said.bytes, 1111 * MIG_PAGE);
	CHECK_EQ(said.dirty_rate, 100);
	/* Faster than the link: all rounds, and a long stop. */
	input = guest_of(1000);
	predict(&input, &said);
	CHECK_EQ(said.rounds, 20);
	CHECK(said.downtime > 1000000);
	/* The pages that are written level off at 100. */
	input = guest_of(100);
	input.path.bandwidth /= 10;
	predict(&input, &said);
	CHECK_EQ(said.rounds, 20);
	CHECK_EQ(said.bytes, (1000 + 20 * 100) * MIG_PAGE);
}

TEST(a_prediction_is_the_policys)
{
	struct predict_input input = guest_of(1000);
	struct prediction said;

	input.policy = &policy_stop_and_copy;
	predict(&input, &said);
	CHECK_EQ(said.rounds, 0);
	CHECK(said.downtime > 1000000 && said.downtime < 1010000);
	input.policy = &policy_downtime;
	input.params.hardest = 20;
	predict(&input, &said);
	CHECK_EQ(said.code, MIG_OK);
	CHECK(said.throttle < 100 && said.downtime <= 50000);
	input.params.hardest = 100;
	predict(&input, &said);
	CHECK_EQ(said.code, MIG_POLICY);
	CHECK_EQ(said.throttle, 100);
	CHECK_EQ(said.downtime, 0);
}

/* Whatever it is told, it ends and does not divide by nothing. */
TEST(a_prediction_survives_any_figures)
{
	struct predict_input input = guest_of(0);
	struct prediction said;

	memset(&input.path, 0, sizeof(input.path));
	predict(&input, &said);
	CHECK(said.rounds <= POLICY_ROUNDS);
	input.pages = UINT32_MAX;
	input.first_bytes = (u64)UINT32_MAX * MIG_PAGE;
	input.dirty[1].pages = UINT32_MAX;
	predict(&input, &said);
	CHECK(said.rounds <= POLICY_ROUNDS);
	CHECK_EQ(predict_time((u64)1 << 43, 1000000000), 8796093022);
}
