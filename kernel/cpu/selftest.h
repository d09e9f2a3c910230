/* Promises of cpu/ that only a running machine can break, tried out. */
#ifndef CPU_SELFTEST_H
#define CPU_SELFTEST_H

#include "lib/error.h"

/* Takes some milliseconds. Logs each promise that is not kept. */
err_t cpu_selftest(void);

#endif
