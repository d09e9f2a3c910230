/* A guest that writes its memory by a pattern, as long as it runs. */
#include <string.h>

#include "tests/sim/world.h"

#define WRITES_AT_ONCE 48

#define KINDS 5

/* Pages of all kinds: one word, text-like, random. */
static void fill_page(u64 *random, u8 *page, unsigned kind)
{
	u64 word = sim_random(random);

	for (unsigned i = 0; i < MIG_PAGE; i += 8) {
		if (kind == 2)
			word = "godwits."[i / 8 % 7] * 0x01010101u +
			       (i % 96 == 0 ? sim_random(random) : 0);
		else if (kind >= 3)
			word = sim_random(random);
		memcpy(page + i, &word, 8);
	}
}

static unsigned any_kind(struct guest *guest)
{
	return 1 + (unsigned)sim_below(&guest->random, KINDS - 1);
}

void guest_start(struct world *world)
{
	struct guest *guest = &world->guest;
	const struct scenario *scenario = &world->scenario;

	memset(guest, 0, sizeof(*guest));
	guest->memory = world->memory[0];
	guest->random = scenario->seed ^ 0x67756573u;
	guest->runs = true;
	guest->percent = 100;
	memset(world->memory, 0, sizeof(world->memory));
	for (u64 i = 0; i < scenario->pages; i++)
		if (sim_below(&guest->random, 100) < scenario->fill)
			fill_page(&guest->random, guest->memory + i * MIG_PAGE,
				  scenario->noise ? KINDS - 1
						  : any_kind(guest));
	for (u32 i = 0; i < scenario->state_size; i++)
		world->state[i] = (u8)sim_random(&guest->random);
}

static u64 place(struct world *world)
{
	struct guest *guest = &world->guest;
	u64 pages = world->scenario.pages, hot = mig_max(1, pages / 8);

	switch (world->scenario.pattern) {
	case PATTERN_HOT:
		return sim_below(&guest->random, 10) == 0
			       ? sim_below(&guest->random, pages)
			       : sim_below(&guest->random, hot);
	case PATTERN_SEQUENTIAL:
		return guest->place++ / 8 % pages;
	default:
		return sim_below(&guest->random, pages);
	}
}

static void write_once(struct world *world)
{
	struct guest *guest = &world->guest;
	u64 page = place(world), kind = sim_below(&guest->random, 64);
	u8 *at = guest->memory + page * MIG_PAGE;

	if (world->scenario.noise)
		kind = 2;
	if (kind == 0)
		memset(at, 0, MIG_PAGE);
	else if (kind == 1)
		fill_page(&guest->random, at, any_kind(guest));
	else
		put_u64(at + 8 * sim_below(&guest->random, MIG_PAGE / 8),
			sim_random(&guest->random));
	bits_set(guest->dirty, page);
}

/* What it wrote since it was last looked at. */
void guest_catch_up(struct world *world)
{
	struct guest *guest = &world->guest;
	u64 passed = world->now - guest->wrote_at, writes;

	if (!guest->runs || world->scenario.pattern == PATTERN_IDLE)
		return;
	writes = passed * world->scenario.writes * guest->percent / 100000;
	if (writes == 0)
		return;
	guest->wrote_at = world->now;
	if (world->scenario.diligent)
		guest->wrote_at -= passed - writes * 100000 /
						    world->scenario.writes /
						    guest->percent;
	if (world->scenario.pattern == PATTERN_BURST &&
	    world->now / 2000 % 2 != 0)
		return;
	if (!world->scenario.diligent)
		writes = mig_min(writes, WRITES_AT_ONCE);
	while (writes-- != 0)
		write_once(world);
}

/* Its last writes, while it is being stopped. */
void guest_last_words(struct world *world)
{
	guest_catch_up(world);
	if (world->scenario.pattern == PATTERN_IDLE)
		return;
	write_once(world);
	write_once(world);
}
