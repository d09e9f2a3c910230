/*
 * A guest that does anything at all to its machine: bytes are read as a list of
 * what it does. Every device is there, on a VM of 128 KiB, with a frame now and
 * then from the network and time that goes on. What must hold is that nothing
 * of the host's is touched (the sanitizers see to that), that nothing panics,
 * and that no call takes for ever.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include <stddef.h>
#include <stdint.h>

void fuzz_machine(const uint8_t *data, size_t size);

#endif
