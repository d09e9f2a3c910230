/*
 * Plain text on the firmware's console: progress and, above all, why the
 * program gives up. Works until ExitBootServices.
 */
#ifndef BOOT_SAY_H
#define BOOT_SAY_H

#include <efi.h>

#include "lib/types.h"

void say_start(EFI_SYSTEM_TABLE *system);

/* %s %c %u %x, with l for 64 bits and a width; \n ends a line. */
void say(const char *fmt, ...) PRINTF(1);

/* Says "godwit: ..." on a line of its own, and returns status. */
EFI_STATUS fail(EFI_STATUS status, const char *fmt, ...) PRINTF(2);

/* "out of memory" for EFI_OUT_OF_RESOURCES and so on. */
const char *status_text(EFI_STATUS status);

/*
 * The firmware's UCS-2 as ASCII, cut to size and always terminated; what is
 * not printable ASCII becomes '?'. false: something was cut or replaced.
 */
bool ascii_from_ucs2(char *ascii, size_t size, const CHAR16 *ucs2);

#endif
