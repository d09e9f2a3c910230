/*
 * Device registers: each access is one, of that width, in program order. Unit
 * tests bring accessors of their own, with a made-up device behind them.
 */
#ifndef DRIVERS_MMIO_H
#define DRIVERS_MMIO_H

#include "lib/types.h"

#ifdef HOST_TEST
#define DEFINE_MMIO(bits)                                  \
	u##bits mmio_read##bits(const volatile void *reg); \
	void mmio_write##bits(volatile void *reg, u##bits value);
#else
#define DEFINE_MMIO(bits)                                                      \
	static inline u##bits mmio_read##bits(const volatile void *reg)        \
	{                                                                      \
		u##bits value = *(const volatile u##bits *)reg;                \
                                                                               \
		asm volatile("" ::: "memory");                                 \
		return value;                                                  \
	}                                                                      \
	static inline void mmio_write##bits(volatile void *reg, u##bits value) \
	{                                                                      \
		/* x86 keeps stores in order; so must the compiler. */         \
		asm volatile("" ::: "memory");                                 \
		*(volatile u##bits *)reg = value;                              \
	}
#endif

DEFINE_MMIO(8)
DEFINE_MMIO(16)
DEFINE_MMIO(32)
#undef DEFINE_MMIO

#endif
