/*
 * Why a migration ended: the codes that go over the wire, with the text that
 * operators see (docs/wire.md, "Errors").
 */
#ifndef MIGRATE_ERROR_H
#define MIGRATE_ERROR_H

#define MIG_ERRORS(X)                                                     \
	X(OK, 0, "success")                                               \
	X(VERSION, 1, "no common protocol version")                       \
	X(SECURITY, 2, "the hosts are configured for different security") \
	X(BUSY, 3, "the target is taking another VM")                     \
	X(UNKNOWN, 4, "the target does not know this migration")          \
	X(MEMORY, 5, "the target has too little memory")                  \
	X(STATE_SIZE, 6, "the state is larger than the target takes")     \
	X(REQUIREMENT, 7, "the target lacks what the VM needs")           \
	X(RECORD, 8, "a mandatory record is not known")                   \
	X(MALFORMED, 9, "a record breaks the protocol")                   \
	X(DIFFERS, 10, "memory or state differ")                          \
	X(CANCELLED, 11, "cancelled by the operator")                     \
	X(POLICY, 12, "the policy gave up")                               \
	X(DRY, 13, "dry run: nothing was moved")                          \
	X(LINK, 14, "the link did not come back")                         \
	X(HOST, 15, "the host could not build or run the VM")             \
	X(DISCARDED, 16, "discarded by the target's operator")            \
	X(FRAME, 17, "the frame size is too small")                       \
	X(ATTEMPTS, 18, "stopped too often without a commit")             \
	X(EXISTS, 19, "the target has a VM of that name in use")

#define MIG_ERROR_ENUM(name, value, text) MIG_##name = value,
enum mig_error { MIG_ERRORS(MIG_ERROR_ENUM) };
#undef MIG_ERROR_ENUM

/* For any number, also one that came over the wire. */
const char *mig_error_text(unsigned code);

#endif
