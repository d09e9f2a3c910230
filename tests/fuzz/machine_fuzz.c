/*
 * All device models together, by libFuzzer: `make fuzz FUZZ=machine`.
 *
 *	like: tests/unit/machine_fuzz_test.c
 */
#include "tests/fuzz/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_machine(data, size);
	return 0;
}
