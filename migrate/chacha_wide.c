/* The same for processors that have AVX2: whoever calls it has asked. */
#include "migrate/types.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), \
			     apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define BLOCKS	 8
#define CHACHA20 chacha20_wide
#include "migrate/chacha_blocks.h"

#ifdef __clang__
#pragma clang attribute pop
#endif
