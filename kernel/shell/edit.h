/*
 * The line that the operator types: editing keys, and the lines before. Keys go
 * in one by one, what to do about it comes out; nothing here shows anything.
 */
#ifndef SHELL_EDIT_H
#define SHELL_EDIT_H

#include "lib/types.h"
#include "shell/command.h"

#define HISTORY 16

struct editor {
	char text[COMMAND_MAX + 1];
	unsigned length, cursor;
	char history[HISTORY][COMMAND_MAX + 1];
	unsigned lines; /* ever entered */
	unsigned back;	/* how many lines back the shown one is, 0: new */
	u8 escape;	/* how much of an escape sequence has come */
	char parameter; /* its digit */
};

enum edit_action {
	EDIT_NOTHING,
	EDIT_CHANGED, /* to be shown */
	EDIT_COMPLETE,
	EDIT_ENTER, /* text is the line: take it, then edit_clear() */
};

enum edit_action edit_key(struct editor *e, int c);

/* The line is done with; one that was entered is remembered. */
void edit_clear(struct editor *e, bool remember);

/* Another text, the cursor behind it. */
void edit_set(struct editor *e, const char *text);

#endif
