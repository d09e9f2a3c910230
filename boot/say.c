#include <stdarg.h>

#include "boot/say.h"

static SIMPLE_TEXT_OUTPUT_INTERFACE *console;

void say_start(EFI_SYSTEM_TABLE *system)
{
	console = system->ConOut;
}

static void put(char c)
{
	CHAR16 text[] = {(CHAR16)c, 0};

	if (c == '\n')
		put('\r');
	if (console)
		console->OutputString(console, text);
}

/* Padded with blanks on the left, as the only padding in use. */
static void put_number(u64 value, unsigned base, int width)
{
	char digits[20];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (; width > n; width--)
		put(' ');
	while (n)
		put(digits[--n]);
}

/* Padded on the right: names come first in a line. */
static void put_string(const char *s, int width)
{
	for (; *s; s++, width--)
		put(*s);
	for (; width > 0; width--)
		put(' ');
}

static void say_args(const char *fmt, va_list args)
{
	for (; *fmt; fmt++) {
		int width = 0;
		bool wide = false;

		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + (*fmt - '0');
		for (; *fmt == 'l'; fmt++)
			wide = true;
		switch (*fmt) {
		case 's':
			put_string(va_arg(args, const char *), width);
			break;
		case 'c':
			put((char)va_arg(args, int));
			break;
		case 'u':
		case 'x':
			put_number(wide ? va_arg(args, u64)
					: va_arg(args, unsigned),
				   *fmt == 'x' ? 16 : 10, width);
			break;
		default:
			put(*fmt);
		}
	}
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_args(fmt, args);
	va_end(args);
}

EFI_STATUS fail(EFI_STATUS status, const char *fmt, ...)
{
	va_list args;

	say("godwit: ");
	va_start(args, fmt);
	say_args(fmt, args);
	va_end(args);
	say("\n");
	return status;
}

/* UEFI 2.10, appendix D: those that the services called here can return. */
const char *status_text(EFI_STATUS status)
{
	switch (status) {
	case EFI_LOAD_ERROR:
		return "load error";
	case EFI_INVALID_PARAMETER:
		return "invalid parameter";
	case EFI_UNSUPPORTED:
		return "not supported by the firmware";
	case EFI_BAD_BUFFER_SIZE:
		return "bad buffer size";
	case EFI_BUFFER_TOO_SMALL:
		return "buffer too small";
	case EFI_NOT_READY:
		return "device not ready";
	case EFI_DEVICE_ERROR:
		return "device error";
	case EFI_OUT_OF_RESOURCES:
		return "out of memory";
	case EFI_VOLUME_CORRUPTED:
		return "file system corrupted";
	case EFI_NO_MEDIA:
		return "no medium in the device";
	case EFI_MEDIA_CHANGED:
		return "medium was changed";
	case EFI_NOT_FOUND:
		return "not found";
	case EFI_ACCESS_DENIED:
		return "access denied";
	case EFI_TIMEOUT:
		return "timed out";
	case EFI_ABORTED:
		return "aborted";
	case EFI_SECURITY_VIOLATION:
		return "refused by secure boot";
	case EFI_CRC_ERROR:
		return "checksum error";
	case EFI_END_OF_FILE:
		return "end of file";
	default:
		return "unknown firmware error";
	}
}

bool ascii_from_ucs2(char *ascii, size_t size, const CHAR16 *ucs2)
{
	bool exact = true;
	size_t n = 0;

	for (; *ucs2; ucs2++) {
		bool printable = *ucs2 >= ' ' && *ucs2 <= '~';

		if (n + 1 == size) {
			exact = false;
			break;
		}
		if (!printable)
			exact = false;
		ascii[n++] = printable ? (char)*ucs2 : '?';
	}
	ascii[n] = '\0';
	return exact;
}
