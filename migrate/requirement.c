/* What a VM needs of its host, and how a refusal reads. */
#include "migrate/text.h"
#include "migrate/wire.h"

void requirement_put(u8 *at, const struct requirement *requirement)
{
	memset(at, 0, RECORD_REQUIRE_SIZE);
	at[0] = requirement->class;
	at[1] = requirement->rule;
	put_u16(at + 2, requirement->reg);
	put_u32(at + 4, requirement->index);
	put_u32(at + 8, requirement->sub);
	put_u64(at + 16, requirement->value);
	memcpy(at + 24, requirement->name, WIRE_NAME);
}

void requirement_parse(const u8 *at, struct requirement *requirement)
{
	requirement->class = at[0];
	requirement->rule = at[1];
	requirement->reg = get_u16(at + 2);
	requirement->index = get_u32(at + 4);
	requirement->sub = get_u32(at + 8);
	requirement->value = get_u64(at + 16);
	memcpy(requirement->name, at + 24, WIRE_NAME);
	requirement->name[WIRE_NAME - 1] = 0;
}

/* A rule that is not known is not met. */
bool requirement_met(const struct requirement *requirement, u64 have)
{
	switch (requirement->rule) {
	case RULE_BITS:
		return (requirement->value & ~have) == 0;
	case RULE_EQUAL:
		return have == requirement->value;
	case RULE_LEAST:
		return have >= requirement->value;
	case RULE_MOST:
		return have <= requirement->value;
	}
	return false;
}

static void add_place(struct text *text, const struct requirement *requirement)
{
	static const char *const registers[] = {"eax", "ebx", "ecx", "edx"};
	static const char *const classes[] = {
		[CLASS_CPUID] = "cpuid leaf ", [CLASS_MSR] = "msr ",
		[CLASS_DEVICE] = "device ",    [CLASS_RECORD] = "record ",
		[CLASS_HOST] = "host ",
	};

	if (requirement->class < CLASS_CPUID || requirement->class > CLASS_HOST)
		text_add(text, "class ? ");
	else
		text_add(text, classes[requirement->class]);
	text_hex(text, requirement->index);
	if (requirement->class == CLASS_CPUID) {
		text_add(text, " subleaf ");
		text_hex(text, requirement->sub);
		text_add(text, " ");
		text_add(text, registers[requirement->reg & 3]);
	}
}

void requirement_text(char *at, size_t size,
		      const struct requirement *requirement, u64 have)
{
	static const char *const rules[] = {"?", "bits", "equal", "at least",
					    "at most"};
	struct text text;

	text_begin(&text, at, size);
	add_place(&text, requirement);
	text_add(&text, " \"");
	text_add(&text, requirement->name);
	text_add(&text, "\": needs ");
	text_add(&text,
		 rules[requirement->rule <= RULE_MOST ? requirement->rule : 0]);
	text_add(&text, " ");
	text_hex(&text, requirement->value);
	text_add(&text, ", has ");
	text_hex(&text, have);
}
