#include "vm/rules.h"

#include "lib/string.h"

static bool canonical(u64 address)
{
	return (u64)((i64)(address << 16) >> 16) == address;
}

/* Of the eight memory types in it, 2, 3 and those above 7 do not exist. */
static bool bad_pat(u64 pat)
{
	for (; pat; pat >>= 8)
		if ((u8)pat > 7 || (pat & 6) == 2)
			return true;
	return false;
}

static bool holds(const struct rule_term *term, u64 v)
{
	switch (term->test) {
	case RULE_ANY:
		return v & term->value;
	case RULE_NONE:
		return !(v & term->value);
	case RULE_LACKS:
		return ~v & term->value;
	case RULE_IS:
		return (v & term->mask) == term->value;
	case RULE_IS_NOT:
		return (v & term->mask) != term->value;
	case RULE_ABOVE:
		return v > term->value;
	case RULE_NOT_CANONICAL:
		return !canonical(v);
	case RULE_BAD_PAT:
		return bad_pat(v);
	default:
		return true;
	}
}

err_t rules_check(const struct rule *rules, size_t n, const void *of,
		  const char *name, char *why, size_t size)
{
	for (; n-- > 0; rules++) {
		u64 value[RULE_TERMS] = {0};
		unsigned i = 0;

		for (; i < RULE_TERMS; i++) {
			const struct rule_term *term = &rules->term[i];

			memcpy(&value[i], (const u8 *)of + term->offset,
			       term->size);
			if (!holds(term, value[i]))
				break;
		}
		if (i == RULE_TERMS) {
			size_t used = snprintf(why, size, "%s", name);

			return rule_broken(why + used, size - used, rules->text,
					   value[0]);
		}
	}
	return E_OK;
}

err_t rule_broken(char *why, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, size, fmt, args);
	va_end(args);
	return E_INVALID;
}
