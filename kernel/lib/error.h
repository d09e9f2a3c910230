/*
 * What can go wrong, as small negative codes with a text each. A function that
 * can fail returns an err_t; details for a person go to the log where the
 * error is born.
 */
#ifndef LIB_ERROR_H
#define LIB_ERROR_H

#define ERRORS(X)                                               \
	X(E_OK, 0, "success")                                   \
	X(E_NOMEM, -1, "out of memory")                         \
	X(E_INVALID, -2, "invalid argument")                    \
	X(E_RANGE, -3, "out of range")                          \
	X(E_NOTFOUND, -4, "not found")                          \
	X(E_EXISTS, -5, "exists already")                       \
	X(E_BUSY, -6, "busy")                                   \
	X(E_STATE, -7, "not possible in this state")            \
	X(E_UNSUPPORTED, -8, "not supported by this hardware")  \
	X(E_FORMAT, -9, "malformed")                            \
	X(E_HARDWARE, -10, "the hardware refused")              \
	X(E_FAULT, -11, "the guest's memory does not allow it") \
	X(E_TIMEOUT, -12, "timed out")

#define ERROR_ENUM(name, value, text) name = value,
typedef enum { ERRORS(ERROR_ENUM) } err_t;
#undef ERROR_ENUM

const char *err_text(err_t err);
const char *err_name(err_t err); /* "E_NOMEM" */

#endif
