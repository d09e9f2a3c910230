/*
 * The kinds of exit that both vendors share. Their numbers are known outside:
 * to guests, which read counts by them (CPUID leaf 0x40000102), and in traces.
 * So a new one comes last.
 */
#ifndef VM_EXIT_REASONS_H
#define VM_EXIT_REASONS_H

/* id, name for `exits`; the order is the order of the table there. */
#define EXIT_REASONS(X)                                           \
	X(EXIT_UNKNOWN, "unknown")                                \
	X(EXIT_CPUID, "cpuid")                                    \
	X(EXIT_HYPERCALL, "hypercall")                            \
	X(EXIT_IO, "io")                                          \
	X(EXIT_MSR_READ, "msr-read")                              \
	X(EXIT_MSR_WRITE, "msr-write")                            \
	X(EXIT_HLT, "hlt")                                        \
	X(EXIT_CR, "cr")                                          \
	X(EXIT_DR, "dr")                                          \
	X(EXIT_XSETBV, "xsetbv")                                  \
	X(EXIT_MEMORY, "memory")                                  \
	X(EXIT_MISCONFIG, "misconfiguration")                     \
	X(EXIT_EXCEPTION, "exception")                            \
	X(EXIT_TRIPLE_FAULT, "triple-fault")                      \
	X(EXIT_INTERRUPT, "interrupt")                            \
	X(EXIT_NMI, "nmi")                                        \
	X(EXIT_TIMER, "timer")                                    \
	X(EXIT_INTERRUPT_WINDOW, "interrupt-window")              \
	X(EXIT_NMI_WINDOW, "nmi-window")                          \
	X(EXIT_CACHE, "cache") /* INVD, WBINVD */                 \
	X(EXIT_RDPMC, "rdpmc")                                    \
	X(EXIT_MONITOR, "monitor")                                \
	X(EXIT_MWAIT, "mwait")                                    \
	X(EXIT_PAUSE, "pause")                                    \
	X(EXIT_VIRT_INSN, "vmx-svm-insn") /* VMXON, VMRUN, ... */ \
	X(EXIT_TASK_SWITCH, "task-switch")                        \
	X(EXIT_PML_FULL, "pml-full")                              \
	X(EXIT_INIT, "init")                                      \
	X(EXIT_SIPI, "sipi")                                      \
	X(EXIT_ENTRY_FAILED, "entry-failed")

#define EXIT_ENUM(id, name) id,
enum exit_reason { EXIT_REASONS(EXIT_ENUM) EXIT_REASON_COUNT };
#undef EXIT_ENUM

#endif
