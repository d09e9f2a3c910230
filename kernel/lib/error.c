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
