#include "cpu/random.h"

#include "cpu/features.h"
#include "cpu/regs.h"

#define RDRAND_TRIES 10 /* SDM vol. 1, 7.3.17.1 */
#define ROUNDS	     64 /* of jitter: at least one bit each, one hopes */

static bool rdrand(u64 *value)
{
	bool there;

	asm volatile("rdrand %0" : "=r"(*value), "=@ccc"(there)::"cc");
	return there;
}

/* A permutation of 64 bits that carries each to all (splitmix64's). */
static u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* How long a round takes depends on caches, interrupts, other threads. */
static u64 jitter(void)
{
	static u64 pool;
	u64 x = __atomic_load_n(&pool, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned n = x & 31; n; n--)
			__builtin_ia32_pause();
		x = mix(x + rdtsc());
	}
	__atomic_store_n(&pool, x, __ATOMIC_RELAXED);
	return mix(~x);
}

/*
 * An emulator's generator may begin anew with the same numbers at each start;
 * the time does not.
 */
u64 random64(void)
{
	u64 value;

	for (unsigned i = 0; features.rdrand && i < RDRAND_TRIES; i++)
		if (rdrand(&value))
			return mix(value + rdtsc());
	return jitter();
}
