/* Keys as a VT100 and its heirs send them (ECMA-48, 5.4: control sequences). */
#include "shell/edit.h"

#include "lib/string.h"

#define CTRL(letter) ((letter)&0x1f)
#define KEY_ESCAPE   0x1b
#define KEY_DELETE   0x7f

enum { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_SEQUENCE };

void edit_set(struct editor *e, const char *text)
{
	copy_string(e->text, sizeof(e->text), text);
	e->length = e->cursor = strlen(e->text);
}

static const char *past(const struct editor *e, unsigned back)
{
	return e->history[(e->lines - back) % HISTORY];
}

void edit_clear(struct editor *e, bool remember)
{
	if (remember && e->length && (!e->lines || strcmp(e->text, past(e, 1))))
		copy_string(e->history[e->lines++ % HISTORY],
			    sizeof(e->history[0]), e->text);
	e->back = 0;
	edit_set(e, "");
}

/* A line back, or forward again; what was begun is not kept. */
static enum edit_action recall(struct editor *e, int step)
{
	unsigned back = e->back + step;

	if (back > MIN(e->lines, HISTORY))
		return EDIT_NOTHING;
	e->back = back;
	edit_set(e, back ? past(e, back) : "");
	return EDIT_CHANGED;
}

static enum edit_action move(struct editor *e, unsigned to)
{
	if (to > e->length)
		return EDIT_NOTHING;
	e->cursor = to;
	return EDIT_CHANGED;
}

static enum edit_action insert(struct editor *e, char c)
{
	if (e->length == COMMAND_MAX)
		return EDIT_NOTHING;
	memmove(e->text + e->cursor + 1, e->text + e->cursor,
		e->length - e->cursor + 1);
	e->text[e->cursor++] = c;
	e->length++;
	return EDIT_CHANGED;
}

static enum edit_action erase(struct editor *e, unsigned at)
{
	if (at >= e->length)
		return EDIT_NOTHING;
	memmove(e->text + at, e->text + at + 1, e->length - at);
	e->length--;
	e->cursor = at;
	return EDIT_CHANGED;
}

static enum edit_action sequence(struct editor *e, int c)
{
	switch (c) {
	case 'A':
		return recall(e, 1);
	case 'B':
		return recall(e, -1);
	case 'C':
		return move(e, e->cursor + 1);
	case 'D':
		return move(e, e->cursor - 1);
	case 'H':
		return move(e, 0);
	case 'F':
		return move(e, e->length);
	case '~':
		return e->parameter == '3' ? erase(e, e->cursor) : EDIT_NOTHING;
	default:
		return EDIT_NOTHING;
	}
}

/* True: the key belongs to an escape sequence that has not ended yet. */
static bool escaping(struct editor *e, int c)
{
	if (e->escape == ESCAPE_NONE && c == KEY_ESCAPE) {
		e->escape = ESCAPE_BEGUN;
		e->parameter = 0;
		return true;
	}
	if (e->escape == ESCAPE_BEGUN && (c == '[' || c == 'O')) {
		e->escape = ESCAPE_SEQUENCE;
		return true;
	}
	if (e->escape == ESCAPE_SEQUENCE && c >= '0' && c <= ';') {
		e->parameter = c;
		return true;
	}
	return false;
}

enum edit_action edit_key(struct editor *e, int c)
{
	unsigned escape;

	if (escaping(e, c))
		return EDIT_NOTHING;
	escape = e->escape;
	e->escape = ESCAPE_NONE;
	if (escape == ESCAPE_SEQUENCE)
		return sequence(e, c);
	if (c >= 0x20 && c < KEY_DELETE)
		return insert(e, c);
	switch (c) {
	case '\r':
	case '\n':
		return EDIT_ENTER;
	case '\t':
		return EDIT_COMPLETE;
	case '\b':
	case KEY_DELETE:
		return erase(e, e->cursor - 1);
	case CTRL('A'):
		return move(e, 0);
	case CTRL('E'):
		return move(e, e->length);
	case CTRL('P'):
		return recall(e, 1);
	case CTRL('N'):
		return recall(e, -1);
	case CTRL('C'):
	case CTRL('U'):
		edit_clear(e, false);
		return EDIT_CHANGED;
	default:
		return EDIT_NOTHING;
	}
}
