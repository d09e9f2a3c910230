/*
 * What the libraries under migrate/ expect of a C library beyond lib/string.h.
 * They allocate nothing on the ways that are used here.
 */
#include "lib/panic.h"
#include "lib/string.h"

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int byte, size_t n, size_t room);
void __stack_chk_fail(void) NORETURN;
void *calloc(size_t count, size_t size);
void free(void *ptr);

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		panic("a library copies %zu bytes to where %zu fit", n, room);
	return memcpy(to, from, n);
}

void *__memset_chk(void *to, int byte, size_t n, size_t room)
{
	if (n > room)
		panic("a library sets %zu bytes where %zu are", n, room);
	return memset(to, byte, n);
}

void __stack_chk_fail(void)
{
	panic("a library has overrun its stack");
}

void *calloc(size_t count, size_t size)
{
	return NULL;
}

void free(void *ptr)
{
}
