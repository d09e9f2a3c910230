/*
 * What a guest's exits do to it: halting, what is injected, when its CPU looks
 * around, and which accesses to devices can be done for it. The guest is a
 * page of bytes whose linear addresses are physical ones, and one device.
 *
 *	links: kernel/vm/exits.c kernel/vm/emulate_mmio.c kernel/vm/inject.c
 *	links: kernel/vm/decode.c kernel/vm/decode_opcode.c
 *	links: kernel/vm/decode_tables.c kernel/vm/decode_mmio.c
 *	links: kernel/vm/alu.c kernel/vm/bus.c kernel/vm/state.c
 */
#include "tests/unit/test.h"

#include <asm/prctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "cpu/regs.h"
#include "trace/trace.h"
#include "vm/dirty.h"
#include "vm/handlers.h"
#include "vm/model.h"
#include "vm/walk.h"

#define CODE	  0x1000
#define DEVICE	  0xc0000000u
#define MOV_LOAD  "\x8b\x03" /* MOV EAX, [RBX] */
#define MOV_STORE "\x89\x03"

static struct vm vm;
static struct vcpu vcpu;
static struct cpu cpu;
static u8 code[INSN_MAX];
static char crashed[128];
static u32 device_register;
static u64 comes_timer, comes_other; /* interrupts, when they are let in */
static unsigned logs_emptied;

/* --- the rest of the kernel ------------------------------------------------
 */

u64 trace_wanted;

void trace_put(enum trace_kind kind, u32 who, u32 value, u64 a, u64 b, u64 c)
{
}

void vm_crash(struct vm *of, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(crashed, sizeof(crashed), fmt, args);
	va_end(args);
}

void cpu_take_interrupts(void)
{
	cpu.timer_interrupts += comes_timer;
	cpu.other_interrupts += comes_other;
}

void dirty_log_full(struct vcpu *of)
{
	logs_emptied++;
}

err_t dirty_fault(struct vm *of, u64 gpa, bool write)
{
	return E_OK;
}

enum dirty_way dirty_way(const struct vm *of)
{
	return DIRTY_OFF;
}

bool slpt_lookup(const struct slpt *slpt, u64 gpa, struct slpt_leaf *leaf)
{
	return false;
}

err_t vm_map_chunk(struct vm *of, u64 gpa)
{
	return E_NOMEM;
}

bool guest_is_ram(const struct guest_memory *mem, u64 gpa, u64 n)
{
	return gpa < CODE + PAGE_SIZE;
}

err_t guest_read(const struct guest_memory *mem, u64 gpa, void *dst, u64 n)
{
	return E_FAULT;
}

err_t guest_write(struct guest_memory *mem, u64 gpa, const void *src, u64 n)
{
	return E_FAULT;
}

size_t fetch_insn(struct vcpu *of, u8 bytes[INSN_MAX])
{
	memcpy(bytes, code, INSN_MAX);
	return INSN_MAX;
}

unsigned fetch_length(struct vcpu *of)
{
	return 0;
}

enum decode_mode decode_mode_of(enum cpu_mode mode)
{
	return DECODE_64;
}

err_t segment_linear(struct vcpu *of, enum segment_name name, u64 offset,
		     unsigned n, bool write, u64 *linear,
		     struct exit_exception *fault)
{
	*linear = offset;
	return E_OK;
}

err_t walk_linear(struct vcpu *of, u64 linear, u32 access, u64 *gpa,
		  struct exit_exception *fault)
{
	*gpa = linear;
	return E_OK;
}

/* Every model-specific register is 0x1234567890, but 0 is none. */
err_t model_rdmsr(struct vcpu *of, u32 msr, u64 *value)
{
	*value = 0x1234567890;
	return msr ? E_OK : E_INVALID;
}

err_t model_wrmsr(struct vcpu *of, u32 msr, u64 value)
{
	return msr ? E_OK : E_INVALID;
}

/* Not met here. */
#define NOT_MET(name)                                              \
	enum next_step name(struct vcpu *of, struct vm_exit *exit) \
	{                                                          \
		test_fail(__FILE__, __LINE__, "%s", #name);        \
		return NEXT_LEAVE;                                 \
	}
NOT_MET(handle_cpuid)
NOT_MET(handle_hypercall)
NOT_MET(handle_io)
NOT_MET(handle_cr)
NOT_MET(handle_dr)
NOT_MET(handle_xsetbv)

/* --- a guest ---------------------------------------------------------------
 */

static u64 read_register(void *device, struct vcpu *of, u64 offset,
			 unsigned size)
{
	return device_register;
}

static void write_register(void *device, struct vcpu *of, u64 offset,
			   unsigned size, u64 value)
{
	device_register = (u32)value;
}

static const struct bus_ops ops = {read_register, write_register, NULL};

static void start(const char *bytes)
{
	vm = (struct vm){0};
	vcpu = (struct vcpu){.vm = &vm, .valid = ~0u};
	vcpu.state.rip = CODE;
	vcpu.state.gpr[RBX] = DEVICE;
	CHECK_EQ(bus_add(&vm.mmio, "device", DEVICE, PAGE_SIZE, &ops, NULL),
		 E_OK);
	memset(code, 0x90, sizeof(code));
	memcpy(code, bytes, strlen(bytes));
	crashed[0] = '\0';
	cpu = (struct cpu){.self = &cpu};
	comes_timer = comes_other = 0;
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu), 0);
}

static enum next_step exits(struct vm_exit exit)
{
	vcpu.exit = exit;
	return exit_handlers[exit.reason](&vcpu, &vcpu.exit);
}

static struct vm_exit access_to(u64 gpa, u32 access)
{
	return (struct vm_exit){.reason = EXIT_MEMORY,
				.memory = {.gpa = gpa, .access = access}};
}

static void interrupt_is_pending(void)
{
	vcpu.state.pending =
		(struct event){.kind = EVENT_INTERRUPT, .vector = 0x41};
}

/* --- halting ---------------------------------------------------------------
 */

TEST(a_guest_halts)
{
	start("\xf4");
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_HLT, .ilen = 1}),
		 NEXT_LEAVE);
	CHECK_EQ(vcpu.state.activity, ACTIVITY_HALT);
	CHECK_EQ(vcpu.state.rip, CODE + 1);
	CHECK(vcpu.dirty & STATE_CORE);
}

/* Nothing else might wake it: what is pending counts as taken already. */
TEST(a_guest_with_something_pending_does_not_halt)
{
	start("\xf4");
	interrupt_is_pending();
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_HLT, .ilen = 1}),
		 NEXT_ENTER);
	CHECK_EQ(vcpu.state.activity, ACTIVITY_RUN);
	CHECK_EQ(vcpu.state.rip, CODE + 1);
	CHECK_EQ(vcpu.state.pending.vector, 0x41);
}

TEST(a_single_step_over_hlt_traps)
{
	start("\xf4");
	vcpu.state.rflags = RFLAGS_TF;
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_HLT, .ilen = 1}),
		 NEXT_ENTER);
	CHECK_EQ(vcpu.state.activity, ACTIVITY_RUN);
	CHECK_EQ(vcpu.state.pending.vector, EXC_DB);
}

/* --- devices ---------------------------------------------------------------
 */

TEST(a_device_is_read_and_written)
{
	start(MOV_LOAD);
	device_register = 0x89abcdef;
	vcpu.state.gpr[RAX] = ~0ULL;
	CHECK_EQ(exits(access_to(DEVICE, MEM_READ)), NEXT_SKIP);
	CHECK_EQ(vcpu.state.gpr[RAX], 0x89abcdef);
	CHECK_EQ(vcpu.exit.ilen, 2);
	CHECK(vcpu.requests & REQUEST_INTERRUPT);
	start(MOV_STORE);
	vcpu.state.gpr[RAX] = 0x1234;
	CHECK_EQ(exits(access_to(DEVICE, MEM_WRITE)), NEXT_SKIP);
	CHECK_EQ(device_register, 0x1234);
	CHECK_STR(crashed, "");
}

/* What is to be delivered next has nothing to do with this access. */
TEST(a_device_is_read_with_an_interrupt_pending)
{
	start(MOV_LOAD);
	interrupt_is_pending();
	CHECK_EQ(exits(access_to(DEVICE, MEM_READ)), NEXT_SKIP);
	CHECK_EQ(vcpu.state.gpr[RAX], device_register);
	CHECK_EQ(vcpu.state.pending.kind, EVENT_INTERRUPT);
	CHECK_STR(crashed, "");
}

TEST(what_cannot_be_emulated_is_named)
{
	struct vm_exit exit = access_to(DEVICE, MEM_WRITE);

	start(MOV_STORE);
	exit.delivery = true;
	CHECK_EQ(exits(exit), NEXT_LEAVE);
	CHECK_STR(crashed, "access to GPA c0000000: an event's stack or table "
			   "is outside its memory");
	start(MOV_LOAD);
	CHECK_EQ(exits(access_to(DEVICE, MEM_READ | MEM_FETCH)), NEXT_LEAVE);
	CHECK_STR(crashed, "access to GPA c0000000: code outside its memory");
	start(MOV_LOAD);
	CHECK_EQ(exits(access_to(DEVICE, MEM_READ | MEM_TABLE)), NEXT_LEAVE);
	CHECK_STR(crashed, "access to GPA c0000000: the guest's page tables "
			   "are outside its memory");
	start("\x0f\x0b"); /* UD2 */
	CHECK_EQ(exits(access_to(DEVICE, MEM_READ)), NEXT_LEAVE);
	CHECK_STR(crashed, "access to GPA c0000000: its instruction is none "
			   "for devices");
	start("\x06"); /* PUSH ES */
	CHECK_EQ(exits(access_to(DEVICE, MEM_READ)), NEXT_LEAVE);
	CHECK_STR(crashed, "access to GPA c0000000: its instruction cannot be "
			   "decoded");
}

TEST(ram_without_tables_ends_the_guest)
{
	start(MOV_LOAD);
	CHECK_EQ(exits(access_to(CODE, MEM_READ)), NEXT_ENTER);
	CHECK_STR(crashed, "no memory for the tables of GPA 1000");
}

/* --- the host's business ---------------------------------------------------
 */

TEST(a_timer_alone_leaves_the_guest_on_its_cpu)
{
	start("");
	comes_timer = 1;
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_INTERRUPT}), NEXT_ENTER);
	CHECK_EQ(vcpu.requests, REQUEST_INTERRUPT);
	comes_other = 1;
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_INTERRUPT}), NEXT_LEAVE);
	comes_timer = comes_other = 0;
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_INTERRUPT}), NEXT_LEAVE);
}

TEST(a_full_log_is_emptied)
{
	start("");
	logs_emptied = 0;
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_PML_FULL}), NEXT_ENTER);
	CHECK_EQ(logs_emptied, 1);
}

TEST(an_nmi_window_asks_for_what_waits)
{
	start("");
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_NMI_WINDOW}),
		 NEXT_ENTER);
	CHECK_EQ(vcpu.requests, 0);
	vcpu.nmi_waiting = true;
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_NMI_WINDOW}),
		 NEXT_ENTER);
	CHECK_EQ(vcpu.requests, REQUEST_NMI);
}

/* --- registers and exceptions ----------------------------------------------
 */

TEST(an_msr_comes_in_two_halves)
{
	start("");
	vcpu.state.gpr[RCX] = 1;
	vcpu.state.gpr[RAX] = vcpu.state.gpr[RDX] = ~0ULL;
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_MSR_READ}), NEXT_SKIP);
	CHECK_EQ(vcpu.state.gpr[RAX], 0x34567890);
	CHECK_EQ(vcpu.state.gpr[RDX], 0x12);
}

TEST(an_unknown_msr_is_a_gp)
{
	start("");
	for (unsigned reason = EXIT_MSR_READ; reason <= EXIT_MSR_WRITE;
	     reason++) {
		vcpu.state.pending.kind = EVENT_NONE;
		CHECK_EQ(exits((struct vm_exit){.reason = reason}), NEXT_ENTER);
		CHECK_EQ(vcpu.state.pending.kind, EVENT_EXCEPTION);
		CHECK_EQ(vcpu.state.pending.vector, EXC_GP);
		CHECK_EQ(vcpu.state.rip, CODE);
	}
}

TEST(what_the_model_lacks_is_a_ud)
{
	static const u8 lacking[] = {EXIT_MONITOR, EXIT_MWAIT, EXIT_VIRT_INSN};

	for (unsigned i = 0; i < ARRAY_LEN(lacking); i++) {
		start("");
		CHECK_EQ(exits((struct vm_exit){.reason = lacking[i]}),
			 NEXT_ENTER);
		CHECK_EQ(vcpu.state.pending.vector, EXC_UD);
	}
}

TEST(a_machine_check_ends_the_guest)
{
	start("");
	exits((struct vm_exit){.reason = EXIT_EXCEPTION,
			       .exception = {.vector = EXC_MC}});
	CHECK_STR(crashed, "machine check");
	CHECK_EQ(vcpu.state.pending.kind, EVENT_NONE);
	exits((struct vm_exit){
		.reason = EXIT_EXCEPTION,
		.exception = {.vector = EXC_AC, .has_error = true}});
	CHECK_EQ(vcpu.state.pending.vector, EXC_AC);
}

TEST(an_exit_nobody_expects_is_reported)
{
	start("");
	CHECK_EQ(exits((struct vm_exit){.reason = EXIT_SIPI,
					.code = 4,
					.info1 = 5,
					.info2 = 6}),
		 NEXT_LEAVE);
	CHECK_STR(crashed, "unexpected exit: sipi, code 4 info 5 6");
}

TEST(every_reason_has_a_handler_and_a_name)
{
	for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
		CHECK(exit_handlers[i] && exit_names[i]);
}
