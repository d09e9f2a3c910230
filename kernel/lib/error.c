#include "lib/error.h"

const char *err_text(err_t err)
{
#define ERROR_TEXT(name, value, text) \
	case name:                    \
		return text;
	switch (err) {
		ERRORS(ERROR_TEXT)
	}
#undef ERROR_TEXT
	return "unknown error";
}

const char *err_name(err_t err)
{
#define ERROR_NAME(name, value, text) \
	case name:                    \
		return #name;
	switch (err) {
		ERRORS(ERROR_NAME)
	}
#undef ERROR_NAME
	return "E_UNKNOWN";
}
