/*
 * Inside the reader of godwit.conf, and which file does what:
 *
 *	config.c        lines and sections
 *	config_keys.c   what may stand in a section, and how each value is read
 *	config_words.c  pieces of text, and saying what is wrong with them
 */
#ifndef SHELL_CONFIG_PARSER_H
#define SHELL_CONFIG_PARSER_H

#include "lib/error.h"
#include "shell/config.h"

/* A piece of the text; not terminated. */
struct slice {
	const char *at;
	size_t n;
};

/* As much of a wrong value as an error shows. */
#define SHOWN(s) (int)MIN((s).n, 40), (s).at

struct parser {
	struct config *out;
	struct vm_config *vm; /* of the section, NULL in others */
	struct netdev_options *nic;
	bool in_section;
	bool host_seen, migrate_seen;
	bool in_migrate;
	unsigned line;
	unsigned section_line;
	u32 keys_seen; /* bits: places in the section's table */
	char *error;
	size_t error_size;
};

struct key {
	const char *name;
	err_t (*set)(struct parser *p, const struct key *key, struct slice s,
		     void *field);
	u16 offset; /* in the section's struct */
	u16 size;   /* of text */
	u64 low, high;
	const char *const *words; /* their places are the values */
	bool repeats;
};

/* An error at the line being read, or at its section's; always E_FORMAT. */
err_t config_fail(struct parser *p, const char *fmt, ...) PRINTF(2);
err_t config_fail_section(struct parser *p, const char *fmt, ...) PRINTF(2);

bool is_blank(char c);
struct slice trim(struct slice s);
bool equals(struct slice s, const char *word);
bool is_name(struct slice s);
bool slice_copy(char *to, size_t size, struct slice s);
bool slice_number(struct slice s, u64 *value);

/* A line "name = value" of the section that is open. */
err_t config_set(struct parser *p, struct slice name, struct slice value);

#endif
