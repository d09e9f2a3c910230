/*
 * Names: "FAT: General Overview of On-Disk Format" 1.03, "FAT Long Directory
 * Entries". A short name stands beside each long one and is made from it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "tools/fat_tree.h"
#include "tools/image.h"

struct fat_node *fat_new(void)
{
	return must_alloc(sizeof(struct fat_node));
}

void fat_free(struct fat_node *root)
{
	while (root) {
		struct fat_node *next = root->next;

		fat_free(root->children);
		free(root->source);
		free(root);
		root = next;
	}
}

/* --- short names ---------------------------------------------------------- */

static bool short_char(char c)
{
	return isupper((u8)c) || isdigit((u8)c) ||
	       (c && strchr("$%'-_@~`!(){}^#&", c));
}

/* Copies up to n characters of s..end; false when one was lost or changed. */
static bool short_part(char *out, size_t n, const char *s, const char *end)
{
	size_t used = 0;
	bool exact = true;

	for (; s < end; s++) {
		char c = (char)toupper((u8)*s);

		if (c == ' ' || c == '.' || used == n) {
			exact = false;
			continue;
		}
		exact &= short_char(c);
		out[used++] = short_char(c) ? c : '_';
	}
	return exact;
}

static bool short_taken(const struct fat_node *folder, const char *name)
{
	for (struct fat_node *n = folder->children; n; n = n->next) {
		if (!strcmp(n->short_name, name))
			return true;
	}
	return false;
}

/* "LONGNA~1EXT": the first number that is free in the folder. */
static void short_number(const struct fat_node *folder, char *name)
{
	size_t stem = strcspn(name, " ");

	stem = MIN(stem, 8);
	for (unsigned i = 1; i < 1000000; i++) {
		char tail[9];
		size_t length = (size_t)snprintf(tail, sizeof(tail), "~%u", i);
		size_t keep = MIN(stem, 8 - length);
		char trial[FAT_SHORT_LENGTH + 1];

		memcpy(trial, name, sizeof(trial));
		memset(trial + keep, ' ', 8 - keep);
		memcpy(trial + keep, tail, length);
		if (!short_taken(folder, trial)) {
			memcpy(name, trial, sizeof(trial));
			return;
		}
	}
	die("%s: no short name is left", name);
}

static void make_short_name(const struct fat_node *folder,
			    struct fat_node *node)
{
	const char *start = node->name + strspn(node->name, ".");
	const char *end = node->name + strlen(node->name);
	const char *dot = strrchr(start, '.');
	char *out = node->short_name;
	bool exact = start == node->name;

	memset(out, ' ', FAT_SHORT_LENGTH);
	exact &= short_part(out, 8, start, dot ? dot : end);
	if (dot)
		exact &= short_part(out + 8, 3, dot + 1, end);
	if (!exact || short_taken(folder, out))
		short_number(folder, out);
}

/* Does the short name alone tell the whole name? */
static bool short_is_enough(const struct fat_node *node)
{
	char text[FAT_SHORT_LENGTH + 2];
	size_t n = 0;

	for (int i = 0; i < FAT_SHORT_LENGTH; i++) {
		if (node->short_name[i] == ' ')
			continue;
		if (i >= 8 && !memchr(text, '.', n))
			text[n++] = '.';
		text[n++] = node->short_name[i];
	}
	text[n] = '\0';
	return !strcmp(text, node->name);
}

unsigned fat_entries(const struct fat_node *node)
{
	size_t length = strlen(node->name);

	if (short_is_enough(node))
		return 1;
	return 1 + (unsigned)((length + FAT_LONG_CHARS - 1) / FAT_LONG_CHARS);
}

/* The volume's label in the root, "." and ".." in any other folder. */
unsigned fat_folder_entries(const struct fat_node *folder)
{
	unsigned n = folder->parent ? 2 : 1;

	for (struct fat_node *c = folder->children; c; c = c->next)
		n += fat_entries(c);
	return n;
}

/* --- the tree ------------------------------------------------------------- */

static void check_name(const char *path, const char *name, size_t length)
{
	if (!length || length > FAT_NAME_MAX)
		die("%s: each part of the name has 1 to %d characters", path,
		    FAT_NAME_MAX);
	for (size_t i = 0; i < length; i++) {
		if (name[i] < ' ' || name[i] > '~' ||
		    strchr("\"*:<>?\\|", name[i]))
			die("%s: a FAT name is plain ASCII without "
			    "\" * : < > ? \\ |",
			    path);
	}
	if (name[length - 1] == '.' || name[length - 1] == ' ')
		die("%s: a FAT name does not end in a dot or blank", path);
}

/* FAT knows names by their letters, whatever the case. */
static struct fat_node *find(const struct fat_node *folder, const char *name,
			     size_t length)
{
	for (struct fat_node *n = folder->children; n; n = n->next) {
		if (strlen(n->name) == length &&
		    !strncasecmp(n->name, name, length))
			return n;
	}
	return NULL;
}

static struct fat_node *add_child(struct fat_node *folder, const char *name,
				  size_t length)
{
	struct fat_node *node = must_alloc(sizeof(*node));

	memcpy(node->name, name, length);
	make_short_name(folder, node);
	node->parent = folder;
	if (folder->last_child)
		folder->last_child->next = node;
	else
		folder->children = node;
	folder->last_child = node;
	return node;
}

static u32 source_size(const char *source)
{
	struct stat info;

	if (stat(source, &info))
		die("%s: %s", source, strerror(errno));
	if (!S_ISREG(info.st_mode))
		die("%s: not a file", source);
	if ((u64)info.st_size > UINT32_MAX)
		die("%s: a file on FAT is smaller than 4 GiB", source);
	return (u32)info.st_size;
}

void fat_add(struct fat_node *root, const char *path, const char *source)
{
	struct fat_node *node = root;
	u32 size = source_size(source);

	for (const char *name = path;; name++) {
		size_t length = strcspn(name, "/");
		struct fat_node *child;

		check_name(path, name, length);
		child = find(node, name, length);
		if (child && (child->source || !name[length]))
			die("%s: %s is there already", path, child->name);
		node = child ? child : add_child(node, name, length);
		name += length;
		if (!*name)
			break;
	}
	node->size = size;
	node->source = strdup(source);
	if (!node->source)
		die("out of memory");
}
