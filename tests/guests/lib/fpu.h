/* The floating-point registers as memory: x87, SSE, AVX. */
#ifndef FPU_H
#define FPU_H

#include "guest.h"

/* FXSAVE's layout; XSAVE adds a header and AVX's upper halves behind. */
struct fpu_area {
	u16 fcw, fsw, ftw, fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u64 st[8][2];
	u64 xmm[16][2];
	u64 unused[12];
	u64 header[8];
	u64 ymm[16][2];
} ALIGNED(64);
ASSERT_SIZE(struct fpu_area, 832);

/* What XSAVE saves of the wanted components; 0: FXSAVE is used. */
extern u64 fpu_components;

/* Usable, with those of the components in XCR0 that there are. */
void fpu_on(u64 wanted);
void fpu_load(const struct fpu_area *area);
void fpu_store(struct fpu_area *area);
/* Values that are the seed's, in everything that fpu_load() loads. */
void fpu_fill(struct fpu_area *area, u64 seed);

#endif
