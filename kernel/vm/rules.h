/*
 * Rules that a structure must keep, as data: a row says what is wrong when all
 * of its terms hold. What depends on more than the structure itself is code, in
 * the file that has the rows, and says rule_broken().
 */
#ifndef VM_RULES_H
#define VM_RULES_H

#include "lib/error.h"
#include "lib/printf.h"
#include "lib/types.h"

enum rule_test {
	RULE_ALWAYS, /* a term that is not used */
	RULE_ANY,
	RULE_NONE,
	RULE_LACKS,
	RULE_IS,
	RULE_IS_NOT,
	RULE_ABOVE,
	RULE_NOT_CANONICAL,
	RULE_BAD_PAT,
};

struct rule_term {
	u16 offset;
	u8 size;
	u8 test; /* enum rule_test */
	u32 mask;
	u64 value;
};

#define RULE_TERMS 3

struct rule {
	const char *text; /* may have one %lx: the first term's field */
	struct rule_term term[RULE_TERMS];
};

/* Terms on a field of RULES_OF, the structure that the table is about. */
#define RULE_TERM(field, test, mask, value)                                \
	{                                                                  \
		offsetof(RULES_OF, field), sizeof(((RULES_OF *)0)->field), \
			(test), (u32)(mask), (value)                       \
	}
#define ANY(field, bits)       RULE_TERM(field, RULE_ANY, 0, bits)
#define NONE(field, bits)      RULE_TERM(field, RULE_NONE, 0, bits)
#define LACKS(field, bits)     RULE_TERM(field, RULE_LACKS, 0, bits)
#define IS(field, mask, v)     RULE_TERM(field, RULE_IS, mask, v)
#define IS_NOT(field, mask, v) RULE_TERM(field, RULE_IS_NOT, mask, v)
#define ABOVE(field, v)	       RULE_TERM(field, RULE_ABOVE, 0, v)
#define NOT_CANONICAL(field)   RULE_TERM(field, RULE_NOT_CANONICAL, 0, 0)
#define BAD_PAT(field)	       RULE_TERM(field, RULE_BAD_PAT, 0, 0)
#define UPPER_HALF	       (~0ULL << 32)

/*
 * E_INVALID: why says which of n rules is the first that is broken, and of what
 * ("CS: ", or nothing).
 */
err_t rules_check(const struct rule *rules, size_t n, const void *of,
		  const char *name, char *why, size_t size);

/* Says so; E_INVALID. */
err_t rule_broken(char *why, size_t size, const char *fmt, ...) PRINTF(3);

#endif
