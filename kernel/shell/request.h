/*
 * A request of a program, one line of the JSON line:
 *
 *	{"id": 1, "command": "vm start hello"}
 *
 * The line may hold anything at all; it is judged as a whole, so that whatever
 * is wrong with it ends with its newline.
 */
#ifndef SHELL_REQUEST_H
#define SHELL_REQUEST_H

#include "lib/error.h"
#include "shell/command.h"

#define REQUEST_MAX 1024 /* bytes of a line */
#define ID_MAX	    64	 /* of them in the id */

struct request {
	char id[ID_MAX + 1]; /* JSON, as it came; "null": none given */
	char command[COMMAND_MAX + 1];
};

/*
 * E_FORMAT: why says what is wrong and in which column. The id is there even
 * then, if it was read before that.
 */
err_t request_parse(const char *line, size_t n, struct request *out, char *why,
		    size_t size);

#endif
