/*
 * Names for addresses of our own code, from the symbol table of the kernel file
 * that the boot program left in memory. There is no build step behind it.
 */
#ifndef LIB_SYMBOLS_H
#define LIB_SYMBOLS_H

#include "lib/error.h"
#include "lib/types.h"

/* The file is checked here, once; lookups then trust it. */
err_t symbols_init(const void *elf, size_t size);

/* The function that holds addr, NULL if unknown; its offset into it. */
const char *symbol_at(u64 addr, u64 *offset);

/* "name+0x12" or "0x..." into buf; returns buf. */
const char *symbol_text(char *buf, size_t size, u64 addr);

#define SYMBOL_TEXT_MAX 80

#endif
