/*
 * The length of an intercepted instruction, as quickly as it can be had, for
 * hardware that does not tell.
 *
 * Walking four levels for each exit would cost more than the rest of it. So the
 * last walk is remembered with the entries it went through; when CR3 and all
 * four entries are what they were, a new walk would end at the same place. Only
 * for 64-bit code and 4 KiB pages; CR0 and EFER clear it (they exit).
 */
#ifndef VM_FETCH_H
#define VM_FETCH_H

#include "vm/vcpu.h"

#define PLAIN_MAX 3 /* bytes that plain_length() looks at */

/*
 * The code at RIP, PLAIN_MAX bytes at least, or NULL. The caller knows that the
 * guest is in 64-bit mode.
 */
static inline const u8 *code_cached(const struct code_cache *c, u64 rip,
				    u64 cr3)
{
	if (rip >> PAGE_SHIFT != c->page || cr3 != c->cr3 ||
	    *c->at[0] != c->entry[0] || *c->at[1] != c->entry[1] ||
	    *c->at[2] != c->entry[2] || *c->at[3] != c->entry[3] ||
	    (rip & PAGE_MASK) > PAGE_SIZE - PLAIN_MAX)
		return NULL;
	return c->host + (rip & PAGE_MASK);
}

/*
 * The plain forms of what engines intercept most, without a prefix: exact, and
 * most of what a guest executes. 0: some other form.
 */
static inline unsigned plain_length(const u8 *b)
{
	if (likely(b[0] == 0x0f && b[1] == 0xa2)) /* CPUID */
		return 2;
	if (b[0] == 0xf4) /* HLT */
		return 1;
	if (b[0] != 0x0f)
		return 0;
	if ((b[1] & 0xfc) == 0x30) /* MSRs, TSC, PMC */
		return 2;
	return b[1] == 0x01 && b[2] >= 0xc0 ? 3 : 0; /* VMMCALL, XSETBV ... */
}

#endif
