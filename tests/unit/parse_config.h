/* A configuration is read, and is good or says exactly what is wrong. */
#ifndef UNIT_PARSE_CONFIG_H
#define UNIT_PARSE_CONFIG_H

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "shell/config.h"

#define VM_LINES "[vm a]\nkernel=k\n"

static struct config config;
static char error[256];

/* From a block of its own size, so that one byte too far is seen. */
static err_t parse_bytes(const char *text, size_t size)
{
	char *copy = malloc(size);
	err_t err;

	if (size)
		memcpy(copy, text, size);
	memset(&config, 0xa5, sizeof(config));
	error[0] = '\0';
	err = config_parse(copy, size, &config, error, sizeof(error));
	free(copy);
	return err;
}

static void good(const char *text)
{
	err_t err = parse_bytes(text, strlen(text));

	CHECK_STR(error, "");
	CHECK_EQ(err, E_OK);
}

static void bad(const char *text, const char *expected)
{
	CHECK_EQ(parse_bytes(text, strlen(text)), E_FORMAT);
	CHECK_STR(error, expected);
}

#endif
