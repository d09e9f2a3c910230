#include "wirebox.h"

struct settings settings = {.fails = {true, true}};

enum purpose {
	LOSS,
	CORRUPT,
	BIT,
	REPEAT,
	REORDER,
	OVERTAKEN,
	JITTER,
	PURPOSES
};

#define GOLDEN 0x9e3779b97f4a7c15ull

static u64 chance;

/* Steele, Lea, Flood: splitmix64's finisher. */
static u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

void fate_seed(u64 seed)
{
	chance = mix(seed + GOLDEN);
	ways[0].number = ways[1].number = 0;
}

/* One of 2^32, for each frame and purpose another. */
static u64 dice(unsigned side, u64 number, enum purpose purpose)
{
	u64 which = (number * 2 + side) * PURPOSES + purpose;

	return mix(chance + which * GOLDEN) >> 32;
}

/* From 0 up to, without it, `below`. */
static u64 share(u64 below, u64 of)
{
	return (u64)((unsigned __int128)below * of >> 32);
}

struct fate fate_of(unsigned side, u64 number, u32 size)
{
	const struct settings *s = &settings;
	struct fate fate = {0};

	if (s->loss)
		fate.lost = dice(side, number, LOSS) < s->loss;
	if (s->repeat)
		fate.repeated = dice(side, number, REPEAT) < s->repeat;
	if (s->corrupt && dice(side, number, CORRUPT) < s->corrupt) {
		fate.corrupted = size > 0;
		fate.bit = (u32)share(size * 8, dice(side, number, BIT));
	}
	if (s->reorder && dice(side, number, REORDER) < s->reorder)
		fate.overtaken =
			1 + (u32)share(HELD, dice(side, number, OVERTAKEN));
	if (s->jitter)
		fate.late = share(s->jitter, dice(side, number, JITTER));
	return fate;
}
