/*
 * Some kernel sources define what the C library defines too. For the build
 * host they are compiled with this header in front, so that both can live in
 * one program: the tests' and the sanitizers' calls reach the C library, and a
 * test of the kernel's own versions includes this header before all others.
 */
#ifndef UNIT_OWN_NAMES_H
#define UNIT_OWN_NAMES_H

#define memcpy	  own_memcpy
#define memmove	  own_memmove
#define memset	  own_memset
#define memcmp	  own_memcmp
#define strlen	  own_strlen
#define strnlen	  own_strnlen
#define strcmp	  own_strcmp
#define strncmp	  own_strncmp
#define strchr	  own_strchr
#define snprintf  own_snprintf
#define vsnprintf own_vsnprintf
#define printf	  own_printf
#define vprintf	  own_vprintf

#endif
