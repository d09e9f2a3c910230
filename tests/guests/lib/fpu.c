#include "fpu.h"

u64 fpu_components;

void fpu_on(u64 wanted)
{
	bool xsave = cpuid(1, 0).ecx & BIT(26);

	write_cr0((read_cr0() | CR0_MP | CR0_NE) & ~(CR0_EM | CR0_TS));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT |
		  (xsave ? CR4_OSXSAVE : 0));
	fpu_components = xsave ? cpuid(0xd, 0).eax & wanted : 0;
	if (xsave)
		asm volatile("xsetbv" ::"a"(fpu_components), "d"(0), "c"(0));
}

void fpu_load(const struct fpu_area *area)
{
	if (fpu_components)
		asm volatile("xrstor %0" ::"m"(*area), "a"(7), "d"(0)
			     : "memory");
	else
		asm volatile("fxrstor %0" ::"m"(*area) : "memory");
}

void fpu_store(struct fpu_area *area)
{
	memset(area, 0, sizeof(*area));
	if (fpu_components)
		asm volatile("xsave %0"
			     : "+m"(*area)
			     : "a"(7), "d"(0)
			     : "memory");
	else
		asm volatile("fxsave %0" : "=m"(*area)::"memory");
}

static u64 next_random(u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state ^ *state >> 29;
}

void fpu_fill(struct fpu_area *area, u64 seed)
{
	u64 state = seed * 0x9e3779b97f4a7c15ULL + 1;
	bool avx = fpu_components & 4;

	memset(area, 0, sizeof(*area));
	area->fcw = 0x37f;
	area->mxcsr = 0x1f80 | (seed & 3) << 13; /* rounding too */
	area->ftw = 0xff;
	for (unsigned i = 0; i < 8; i++) {
		area->st[i][0] = next_random(&state) | BIT(63); /* normal */
		area->st[i][1] = 0x4000 + i;
	}
	for (unsigned i = 0; i < 16; i++) {
		area->xmm[i][0] = next_random(&state);
		area->xmm[i][1] = next_random(&state);
		area->ymm[i][0] = avx ? next_random(&state) : 0;
		area->ymm[i][1] = avx ? next_random(&state) : 0;
	}
	area->header[0] = fpu_components;
}
