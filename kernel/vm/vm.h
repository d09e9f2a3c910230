/*
 * A virtual machine: configuration, memory, second-level tables, devices,
 * vCPUs, and the life it leads from `start` to its end. One spinlock per VM
 * guards devices and life; vCPU registers belong to the CPU that runs them.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "cpu/time.h"
#include "lib/console.h"
#include "lib/error.h"
#include "lib/spinlock.h"
#include "lib/types.h"
#include "vm/bus.h"
#include "vm/memory.h"
#include "vm/model.h"
#include "vm/slpt.h"
#include "vm/vcpu.h"

#define VM_NAME_MAX   24
#define VM_TEXT_MAX   256
#define VM_MODULES    4
#define VM_VCPUS      8
#define VM_MEMORY_MIN MIB(1)

/* Where what is typed for the VM goes. */
enum console_kind { CONSOLE_UART, CONSOLE_VIRTIO };
enum loader_kind {
	LOADER_AUTO,
	LOADER_MULTIBOOT,
	LOADER_FLAT,
	LOADER_LINUX,
	LOADER_PVH
};

enum on_reset { ON_RESET_RESTART, ON_RESET_END };

/* What the configuration file says of a VM. */
struct vm_config {
	char name[VM_NAME_MAX];
	u64 memory;
	unsigned cpus;
	char kernel[VM_TEXT_MAX];
	char module[VM_MODULES][VM_TEXT_MAX]; /* "FILE words for its command" */
	unsigned modules;
	char cmdline[VM_TEXT_MAX];
	enum loader_kind loader;
	enum cpu_model cpu_model;
	enum console_kind console;
	unsigned console_line; /* of the host, COM1 to COM4; 0: its console */

	bool net; /* a network card at the host's switch: */
	u8 mac[6];
	bool mac_of_nic; /* instead: the host's first NIC's */
	unsigned mtu;
	bool autostart;
	bool populate; /* all memory at the start, in pages up to 1 GiB */
	bool counters; /* the guest sees what its exits cost: CPUID */
	enum on_reset on_reset;
	int host_cpu; /* -1: spread */
};

enum vm_life {
	VM_OFF, /* never started, or stopped by the operator */
	VM_RUNNING,
	VM_PAUSED,
	VM_ENDED,   /* by itself, with a status */
	VM_CRASHED, /* by a fault of its own or of ours; `reason` says which */
	VM_RESTARTING, /* has asked for a reset, and waits for its time */
	/* See move.h. */
	VM_MOVING,   /* stands still to be handed over */
	VM_MOVED,    /* runs elsewhere: `reason` says where */
	VM_ARRIVING, /* is being taken in */
};

#define VM_CONSOLE_SIZE 16384
#define VM_LINE_MAX	160

/*
 * What the guest has written, and what the operator has typed for it. The lock
 * is for the output; the input has one writer and one reader.
 */
struct vm_console {
	struct spinlock lock;
	char out[VM_CONSOLE_SIZE]; /* ring of the newest output */
	u64 out_count;		   /* bytes ever written */
	u64 began;		   /* of them, before this start */
	u64 shown;		   /* of them, to the host's console */
	bool wants_room;	   /* the guest waits for it */
	bool ended;		   /* no more is to come */
	char line[VM_LINE_MAX];	   /* the unfinished line, for the host log */
	unsigned line_used;
	char in[VM_CONSOLE_SIZE];
	u32 in_head, in_tail;
	const struct console_device *own; /* a line of its own, or NULL */
	void *own_line;
};

struct vm {
	struct vm_config config;
	struct vm_config configured; /* by this host, whatever came since */
	unsigned index;
	struct spinlock lock;
	u32 life;   /* enum vm_life, atomic */
	u32 missed; /* atomic: the life that it came to as it was halted */
	u32 speed;  /* atomic: percent of the time it may have; 0: all */
	u32 status;
	/* What its state calls it, on its way, if not config.name. */
	char came_as[VM_NAME_MAX];
	char reason[160];

	const struct model *model; /* the CPU that its vCPUs are */
	struct guest_memory memory;
	struct slpt slpt;
	struct spinlock tables_lock; /* see shootdown.h */
	bool tables_changing;
	u64 write_faults;    /* writes to pages whose right was taken */
	struct dirty *dirty; /* see dirty.h; NULL: never tracked */
	struct bus ports;
	struct bus mmio;
	struct vm_console console;
	struct vcpu *vcpu[VM_VCPUS];
	unsigned vcpus;
	u64 tsc_base; /* host TSC when the machine was switched on, or came */
	u64 ns_base;  /* the machine's clock then */
	u64 tsc_rate_khz; /* of a frozen VM: of the host it comes from */
	u64 frozen_tsc, frozen_ns; /* host TSC when it was frozen; its clock */
	u64 started_ns, first_entry_ns;
	u64 restarts;	    /* after resets, since the operator's start */
	bool wants_service; /* atomic: see vm_request_service() */
	u64 serve_by;	    /* host TSC, 0: see vm_serve_unasked() */

	struct chipset *chipset;
	struct uart *uart;
	struct pci_bus *pci;
	struct net_port *net; /* its network card's, while it has one */
};

#define VMS_MAX 64

extern struct vm *vms[VMS_MAX];
extern unsigned vm_count;

/* Registers a VM; it stays VM_OFF. */
err_t vm_add(const struct vm_config *config);
struct vm *vm_find(const char *name);

err_t vm_start(struct vm *vm);
err_t vm_stop(struct vm *vm);
err_t vm_pause(struct vm *vm);
err_t vm_resume(struct vm *vm);

/*
 * What those are made of: from running to another life, nothing of it runs when
 * it returns; and back. False: it was not in that life.
 */
bool vm_halt(struct vm *vm, u32 life);
bool vm_let_run(struct vm *vm, u32 from);

/*
 * From the vCPU's own CPU: the guest has ended with a status, or cannot go on
 * for the reason given. The VM stops; memory stays for inspection until the
 * next start.
 */
void vm_end(struct vm *vm, u32 status);
void vm_crash(struct vm *vm, const char *fmt, ...) PRINTF(2);

/*
 * The same: the guest has asked for a reset. As its configuration says, the
 * first CPU starts it anew from its files, at most once in RESTART_NS, so that
 * one that crashes early does not keep the host busy; or it ends with a status
 * that no guest can claim, since it is no byte.
 */
void vm_reset(struct vm *vm);
#define STATUS_RESET 0x100
#define RESTART_NS   ((u64)1000000000)

/* The host TSC by which vm_serve() has a restart to do, ~0: none waits. */
u64 vm_wake(void);

/*
 * Tells programs (lib/notice.h) what has happened to the VM, in a word, with
 * its state: "started", "crashed", and what devices see, like "panicked".
 */
void vm_notice(const struct vm *vm, const char *change);

/*
 * From any CPU: the first one is to call machine->serve() soon, even if it is
 * running a guest or halted. vm_serve() does it, for all VMs; true: it has to
 * be called again.
 */
void vm_request_service(struct vm *vm);
bool vm_serve(void);

/*
 * From machine->serve(): for the next `ns` the VM is served as often as the
 * first CPU comes around, and once at their end, whether it asks or not. For
 * guests that share that CPU; where there are others it does nothing.
 */
void vm_serve_unasked(struct vm *vm, u64 ns);

/*
 * vm_build.c: everything the VM is made of; vm_release() also after a failure
 * of vm_build(). A VM that comes from elsewhere has its memory first, the rest
 * later, without files; vm_take_apart() leaves just the memory.
 */
err_t vm_build(struct vm *vm);
err_t vm_build_bare(struct vm *vm); /* without devices and files */
err_t vm_build_around_memory(struct vm *vm);
void vm_take_apart(struct vm *vm);
void vm_release(struct vm *vm);

/* Whoever follows VMs hears of each that is taken apart; may be NULL. */
extern void (*vm_on_release)(struct vm *vm);

/*
 * Zeroes and maps all memory now, in the largest pages; or the 2 MiB around
 * gpa, which is RAM, when the guest gets there. The latter under tables_lock.
 */
err_t vm_populate(struct vm *vm);
err_t vm_map_chunk(struct vm *vm, u64 gpa);

const char *life_name(enum vm_life life);

/* Its memory is to stay as it is: whatever comes has to wait. */
static inline bool vm_stands_still(const struct vm *vm)
{
	return vm->life == VM_PAUSED || vm->life == VM_MOVING ||
	       vm->life == VM_ARRIVING;
}

/* It runs or will, unless somebody ends it. */
static inline bool vm_is_alive(const struct vm *vm)
{
	return vm->life == VM_RUNNING || vm->life == VM_RESTARTING ||
	       vm_stands_still(vm);
}

/* The machine's clock, nanoseconds since it was switched on, at a host TSC. */
static inline u64 vm_ns_at(const struct vm *vm, u64 tsc)
{
	return vm->ns_base + tsc_to_ns(MAX(tsc, vm->tsc_base) - vm->tsc_base);
}

/* The VM whose console the operator has attached, if any. */
extern struct vm *vm_console_attached;
void vm_console_attach(struct vm *vm); /* shows the last screen again */
void vm_console_detach(void);

/*
 * Guest output: kept in the ring, shown by line or raw when attached. A device
 * asks for room first and has its guest wait when there is too little: it is
 * told by machine->typed() when half of the ring is free again. Writing more
 * than that waits for the host's console.
 */
size_t vm_console_room(struct vm *vm);
void vm_console_write(struct vm *vm, const char *bytes, size_t n);
int vm_console_read(struct vm *vm); /* next typed byte, -1 none */

/*
 * From now on all that the guest writes goes to this line as it is, and nothing
 * to the host's console. The line is used with the console's lock held; its
 * bytes for the guest are the caller's to read. Before the first start.
 */
void vm_console_own(struct vm *vm, const struct console_device *device,
		    void *line);

bool vm_console_type(struct vm *vm, char byte); /* false: full */
bool vm_console_full(struct vm *vm);

/* The first CPU's turn: shows what had to wait. */
void vm_console_serve(void);

/* Before the host ends: all that is not shown yet, however long it takes. */
void vm_console_drain(void);

/* The guest is to start, or has ended. What it wrote stays. */
void vm_console_begin(struct vm *vm);
void vm_console_end(struct vm *vm);

#endif
