/*
 * Lab 2's hypercalls, as guest and hypervisor agree on them. The number is in
 * RAX, arguments are in RBX and RCX, the answer comes in RAX: negative for an
 * error. All other registers stay as they are. Outside 64-bit mode registers
 * have 32 bits, arguments and answer too.
 */
#ifndef LAB2_CALLS_H
#define LAB2_CALLS_H

/* The vCPU's number. */
#define CALL_WHO 0x6c01

/*
 * RBX: the guest physical address of a text, RCX: its bytes. The host's log
 * shows it, with a dot for each byte that is no printable ASCII. The answer is
 * RCX.
 */
#define CALL_SAY 0x6c02
#define SAY_MAX	 80 /* bytes; more is CALL_INVALID */

/*
 * RBX: the guest physical address of 64-bit words, RCX: how many, at most
 * SUM_MAX. The answer is their sum without its highest bit, so that it is never
 * an error.
 */
#define CALL_SUM 0x6c03
#define SUM_MAX	 4096 /* words; more is CALL_INVALID */

#define CALL_FORBIDDEN (-1)    /* asked in user mode, whatever it was */
#define CALL_FAULT     (-14)   /* some of it is no RAM */
#define CALL_INVALID   (-22)   /* a length that is not allowed */
#define CALL_UNKNOWN   (-1000) /* no such number */

#endif
