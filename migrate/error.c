#include "migrate/error.h"

const char *mig_error_text(unsigned code)
{
#define MIG_ERROR_TEXT(name, value, text) \
	case value:                       \
		return text;
	switch (code) {
		MIG_ERRORS(MIG_ERROR_TEXT)
	}
#undef MIG_ERROR_TEXT
	return "an error this host does not know";
}
