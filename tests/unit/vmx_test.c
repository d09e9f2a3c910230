/*
 * The pure parts of the VMX engine: which processors it accepts and how it says
 * what is missing, and the rules of entry, each broken once.
 *
 *	links: kernel/vmx/caps.c kernel/vmx/rules.c kernel/vm/rules.c
 *	links: kernel/vmx/explain.c kernel/lib/string.c
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/msr.h"
#include "cpu/regs.h"
#include "vmx/vmx.h"

void vmx_field_failed(const char *what, u32 field, u64 value)
{
	test_fail(__FILE__, __LINE__, "%s %x %lx", what, field, value);
}

/* --- capabilities */

/* What a Skylake-X reports. */
static const struct vmx_msrs skylake = {
	.basic = 0x00d810000000002b,
	.misc = 0x600401e0,
	.ept_vpid = 0xf0106334141,
	.cr0_fixed0 = 0x80000021,
	.cr0_fixed1 = 0xffffffff,
	.cr4_fixed0 = 0x2000,
	.cr4_fixed1 = 0x3727ff,
	.pin = 0x7f00000016,
	.proc = 0xf7f9fffe04006172,
	.proc2 = 0x02177fff00000000,
	.exit = 0x007fffff00036dfb,
	.entry = 0x0000ffff000011fb,
};

static struct vmx_caps caps;
static struct engine_caps out;

static void forbid(u64 *msr, u64 bits)
{
	*msr &= ~(bits << 32);
}

TEST(skylake_has_all)
{
	CHECK_EQ(vmx_choose(&skylake, &caps, &out), E_OK);
	CHECK_STR(out.features, "EPT, 2M, 1G, A/D, PML, unrestricted guest, "
				"VPID, preemption timer, TSC scaling");
	CHECK_STR(out.missing, "");
	CHECK(caps.accessed_dirty && caps.pml && out.preemption_timer);
	CHECK_EQ(caps.revision, 0x2b);
	CHECK_EQ(caps.invept, INVEPT_SINGLE);
	CHECK_EQ(out.asids, 65535);
}

TEST(controls_have_what_must_be_and_what_we_want)
{
	CHECK_EQ(vmx_choose(&skylake, &caps, &out), E_OK);
	CHECK_EQ(caps.pin, 0x16 | PIN_EXTERNAL_INTERRUPT | PIN_NMI |
				   PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER);
	CHECK_EQ(caps.proc & 0x04006172, 0x04006172);
	CHECK(caps.proc & PROC_SECONDARY);
	CHECK(!(caps.proc & (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW)));
	/* On request only, or as the guest's mode wants it. */
	CHECK(!(caps.proc2 & (PROC2_PML | PROC2_TSC_SCALING)));
	CHECK(!(caps.entry & ENTRYC_GUEST_64));
}

TEST(without_accessed_dirty_bits)
{
	struct vmx_msrs msrs = skylake;

	msrs.ept_vpid &= ~EPT_CAP_ACCESSED_DIRTY;
	forbid(&msrs.proc2, PROC2_PML);
	CHECK_EQ(vmx_choose(&msrs, &caps, &out), E_OK);
	CHECK(!caps.accessed_dirty && !caps.pml);
	CHECK_STR(out.missing, "A/D, PML");
}

TEST(without_preemption_timer_and_vpid)
{
	struct vmx_msrs msrs = skylake;

	forbid(&msrs.pin, PIN_PREEMPTION_TIMER);
	forbid(&msrs.exit, EXITC_SAVE_TIMER);
	forbid(&msrs.proc2, PROC2_VPID);
	CHECK_EQ(vmx_choose(&msrs, &caps, &out), E_OK);
	CHECK(!out.preemption_timer);
	CHECK_EQ(out.asids, 0);
	CHECK(!(caps.exit & EXITC_SAVE_TIMER));
	CHECK_STR(out.missing, "VPID, preemption timer, timer saving");
}

/* Saving a timer that does not run is an invalid control. */
TEST(timer_saving_needs_the_timer)
{
	struct vmx_msrs msrs = skylake;

	forbid(&msrs.pin, PIN_PREEMPTION_TIMER);
	CHECK_EQ(vmx_choose(&msrs, &caps, &out), E_OK);
	CHECK(!(caps.exit & EXITC_SAVE_TIMER));
}

TEST(only_global_invept)
{
	struct vmx_msrs msrs = skylake;

	msrs.ept_vpid &= ~EPT_CAP_INVEPT_SINGLE;
	CHECK_EQ(vmx_choose(&msrs, &caps, &out), E_OK);
	CHECK_EQ(caps.invept, INVEPT_ALL);
}

TEST(refuses_without_unrestricted_guest)
{
	struct vmx_msrs msrs = skylake;

	forbid(&msrs.proc2, PROC2_UNRESTRICTED_GUEST | PROC2_PML);
	CHECK_EQ(vmx_choose(&msrs, &caps, &out), E_UNSUPPORTED);
	CHECK_STR(out.missing, "unrestricted guest");
}

TEST(refuses_without_ept)
{
	struct vmx_msrs msrs = skylake;

	forbid(&msrs.proc2, PROC2_UNRESTRICTED_GUEST | PROC2_EPT);
	msrs.ept_vpid = 0;
	CHECK_EQ(vmx_choose(&msrs, &caps, &out), E_UNSUPPORTED);
	CHECK_STR(out.missing, "EPT, unrestricted guest");
}

TEST(refuses_what_has_nothing_and_stays_in_bounds)
{
	const struct vmx_msrs msrs = {0};

	CHECK_EQ(vmx_choose(&msrs, &caps, &out), E_UNSUPPORTED);
	CHECK(strlen(out.missing) < sizeof(out.missing));
	CHECK(strstr(out.missing, "interrupt exits, virtual NMIs") ==
	      out.missing);
}

TEST(firmware_lock)
{
	struct vmx_msrs msrs = skylake;
	static const struct {
		u64 value;
		err_t err;
	} cases[] = {
		{0, E_OK},	    /* ours to set */
		{4, E_OK},	    /* enabled, not locked */
		{5, E_OK},	    /* enabled and locked */
		{1, E_UNSUPPORTED}, /* locked off */
		{3, E_UNSUPPORTED}, /* within SMX only */
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		msrs.feature_control = cases[i].value;
		CHECK_EQ(vmx_choose(&msrs, &caps, &out), cases[i].err);
		CHECK_EQ(!!strstr(out.missing, "IA32_FEATURE_CONTROL"),
			 cases[i].err != E_OK);
	}
}

/* --- entry rules */

static const u16 encodings[] = {
#define ENCODING(name, encoding) encoding,
	VMCS_FIELDS(ENCODING)
#undef ENCODING
};

static struct vmcs_image image;

static void set(u32 field, u64 value)
{
	for (unsigned i = 0; i < ARRAY_LEN(encodings); i++) {
		if (encodings[i] == field) {
			image.value[i] = value;
			return;
		}
	}
	test_fail(__FILE__, __LINE__, "no field %x", field);
}

TEST(fields_ascend_so_that_segments_are_neighbours)
{
	for (unsigned i = 1; i < ARRAY_LEN(encodings); i++)
		CHECK(encodings[i] > encodings[i - 1]);
}

/* 64-bit code at privilege level 0, as an operating system runs. */
static void make_valid(void)
{
	CHECK_EQ(vmx_choose(&skylake, &caps, &out), E_OK);
	memset(&image, 0, sizeof(image));
	set(PIN_CONTROLS, caps.pin);
	set(PROC_CONTROLS, caps.proc);
	set(PROC2_CONTROLS, caps.proc2);
	set(EXIT_CONTROLS, caps.exit);
	set(ENTRY_CONTROLS, caps.entry | ENTRYC_GUEST_64);
	set(VPID, 1);
	set(EPT_POINTER,
	    0x100000 | EPTP_WALK_4 | EPTP_WRITE_BACK | EPTP_ACCESSED_DIRTY);
	set(GUEST_CR0, CR0_PG | CR0_NE | CR0_PE);
	set(GUEST_CR4, CR4_VMXE | CR4_PAE);
	set(GUEST_CR3, 0x1000);
	set(GUEST_EFER, EFER_LME | EFER_LMA);
	set(GUEST_PAT, PAT_DEFAULT);
	set(GUEST_RFLAGS, RFLAGS_R1);
	set(GUEST_RIP, 0xffffffff80000000);
	set(GUEST_LINK_POINTER, ~0ULL);
	for (unsigned i = ES; i <= GS; i++) {
		set(GUEST_ES_ACCESS + 2 * i, 0xc093);
		set(GUEST_ES_LIMIT + 2 * i, 0xffffffff);
	}
	set(GUEST_CS_ACCESS, 0xa09b);
	set(GUEST_LDTR_ACCESS, ACCESS_UNUSABLE);
	set(GUEST_TR_ACCESS, 0x8b);
	set(GUEST_TR_LIMIT, 0x67);
}

struct change {
	u32 field;
	u64 value;
};

struct broken {
	const char *why;
	struct change change[4]; /* ended by field and value 0 */
};

#define EVENT(type, vector) \
	(EVENT_VALID | (u64)(type) << EVENT_TYPE_SHIFT | (vector))
#define VALID_CR0 (CR0_PG | CR0_NE | CR0_PE)

static void apply(const struct broken *b)
{
	for (unsigned i = 0; i < 4; i++)
		if (b->change[i].field || b->change[i].value)
			set(b->change[i].field, b->change[i].value);
}

static const struct broken controls[] = {
	{"pin-based controls bf: bits 80 must be 0", {{PIN_CONTROLS, 0xbf}}},
	{"processor-based controls 0: bits 4006172 must be 1",
	 {{PROC_CONTROLS, 0}}},
	{"secondary controls 80000000: bits 80000000 must be 0",
	 {{PROC2_CONTROLS, 0x80000000}}},
	{"exit controls 0: bits 36dfb must be 1", {{EXIT_CONTROLS, 0}}},
	{"entry controls 10011fb: bits 1000000 must be 0",
	 {{ENTRY_CONTROLS, 0x10011fb}}},
	{"virtual NMIs without NMI exiting", {{PIN_CONTROLS, 0x16 | 0x20}}},
	{"NMI window without virtual NMIs",
	 {{PIN_CONTROLS, 0x16}, {PROC_CONTROLS, 0x04006172 | PROC_NMI_WINDOW}}},
	{"I/O bitmap A 1001: not aligned", {{IO_BITMAP_A, 0x1001}}},
	{"I/O bitmap B 2800: not aligned", {{IO_BITMAP_B, 0x2800}}},
	{"MSR bitmap 3008: not aligned", {{MSR_BITMAP, 0x3008}}},
	{"unrestricted guest without EPT",
	 {{PROC2_CONTROLS, PROC2_UNRESTRICTED_GUEST}}},
	{"page-modification log without EPT", {{PROC2_CONTROLS, PROC2_PML}}},
	{"page-modification log 5010: not aligned",
	 {{PROC2_CONTROLS, PROC2_PML | PROC2_EPT}, {PML_ADDRESS, 0x5010}}},
	{"EPT pointer 1018: not 4 levels, write-back", {{EPT_POINTER, 0x1018}}},
	{"EPT pointer 1016: not 4 levels, write-back", {{EPT_POINTER, 0x1016}}},
	{"EPT pointer 109e: reserved bits", {{EPT_POINTER, 0x109e}}},
	{"saving a preemption timer that is off", {{PIN_CONTROLS, 0x16}}},
	{"event 80001006: reserved bits", {{ENTRY_EVENT, 0x80001006}}},
	{"event 80000106: no such type", {{ENTRY_EVENT, EVENT(1, 6)}}},
	{"event 80000700: no such type", {{ENTRY_EVENT, EVENT(7, 0)}}},
	{"event 80000203: an NMI with a vector that is not 2",
	 {{ENTRY_EVENT, EVENT(2, 3)}}},
	{"event 80000320: an exception with a vector above 31",
	 {{ENTRY_EVENT, EVENT(3, 32)}}},
	{"event 80000b06: has an error code, must have none",
	 {{ENTRY_EVENT, EVENT(3, 6) | EVENT_HAS_ERROR}}},
	{"event 80000b0d: has an error code, must have none",
	 {{ENTRY_EVENT, EVENT(3, 13) | EVENT_HAS_ERROR}, {GUEST_CR0, 0x20}}},
	{"event 8000030d: has no error code, must have one",
	 {{ENTRY_EVENT, EVENT(3, 13)}}},
	{"event of an instruction of 0 bytes", {{ENTRY_EVENT, EVENT(4, 0x80)}}},
	{"event of an instruction of 16 bytes",
	 {{ENTRY_EVENT, EVENT(6, 3)}, {ENTRY_EVENT_LENGTH, 16}}},
};

static const struct broken guests[] = {
	/* 27.3.1.1 */
	{"CR0 80000001: bits 20 must be 1", {{GUEST_CR0, CR0_PG | CR0_PE}}},
	{"CR0 180000021: bits 100000000 must be 0",
	 {{GUEST_CR0, VALID_CR0 | BIT(32)}}},
	{"CR0 80000020: PG without PE", {{GUEST_CR0, CR0_PG | CR0_NE}}},
	{"CR4 20: bits 2000 must be 1", {{GUEST_CR4, CR4_PAE}}},
	{"CR4 10002020: bits 10000000 must be 0",
	 {{GUEST_CR4, CR4_VMXE | CR4_PAE | BIT(28)}}},
	{"DEBUGCTL 8: reserved bits", {{GUEST_DEBUGCTL, 8}}},
	{"long mode without CR0.PG", {{GUEST_CR0, CR0_NE | CR0_PE}}},
	{"long mode without CR4.PAE", {{GUEST_CR4, CR4_VMXE}}},
	{"CR4.PCIDE outside long mode",
	 {{ENTRY_CONTROLS, 0x11fb}, {GUEST_CR4, CR4_VMXE | CR4_PCIDE}}},
	{"CR3 10000000001000: reserved bits", {{GUEST_CR3, BIT(52) | 0x1000}}},
	{"DR7 100000400: upper half set", {{GUEST_DR7, BIT(32) | 0x400}}},
	{"SYSENTER_ESP 800000000000: not canonical",
	 {{GUEST_SYSENTER_ESP, BIT(47)}}},
	{"SYSENTER_EIP 800000000000: not canonical",
	 {{GUEST_SYSENTER_EIP, BIT(47)}}},
	{"PAT 3: unknown memory type", {{GUEST_PAT, 3}}},
	{"EFER 1500: reserved bits", {{GUEST_EFER, 0x1500}}},
	{"EFER 100: the entry control", {{GUEST_EFER, EFER_LME}}},
	{"EFER 400: LMA without LME", {{GUEST_EFER, EFER_LMA}}},
	/* 27.3.1.2 */
	{"ES: virtual 8086, base 0 is not selector 10 times 16",
	 {{GUEST_RFLAGS, RFLAGS_VM | RFLAGS_R1}, {GUEST_ES_SELECTOR, 0x10}}},
	{"ES: virtual 8086, limit ffffffff is not ffff",
	 {{GUEST_RFLAGS, RFLAGS_VM | RFLAGS_R1}}},
	{"ES: virtual 8086, access rights c093 are not f3",
	 {{GUEST_RFLAGS, RFLAGS_VM | RFLAGS_R1}, {GUEST_ES_LIMIT, 0xffff}}},
	{"CS: unusable", {{GUEST_CS_ACCESS, ACCESS_UNUSABLE}}},
	{"CS: type 10 is neither accessed code nor 3",
	 {{GUEST_CS_ACCESS, 0xa09a}}},
	{"CS: type 3 with DPL 1", {{GUEST_CS_ACCESS, 0xa0b3}}},
	{"CS: DPL 3, but SS has 0", {{GUEST_CS_ACCESS, 0xa0fb}}},
	{"CS: conforming, DPL 3 above SS's 0", {{GUEST_CS_ACCESS, 0xa0ff}}},
	{"CS: access rights e09b, both L and D", {{GUEST_CS_ACCESS, 0xe09b}}},
	{"SS: DPL 3 in real mode",
	 {{GUEST_CS_ACCESS, 0xa093}, {GUEST_SS_ACCESS, 0xc0f3}}},
	{"SS: type 1 is not writable", {{GUEST_SS_ACCESS, 0xc091}}},
	{"DS: access rights c013, not present", {{GUEST_DS_ACCESS, 0xc013}}},
	{"DS: access rights c083, S is wrong", {{GUEST_DS_ACCESS, 0xc083}}},
	{"TR: access rights 9b, S is wrong", {{GUEST_TR_ACCESS, 0x9b}}},
	{"FS: access rights c193, reserved bits", {{GUEST_FS_ACCESS, 0xc193}}},
	{"ES: G with limit ffff0000", {{GUEST_ES_LIMIT, 0xffff0000}}},
	{"ES: limit ffffffff without G", {{GUEST_ES_ACCESS, 0x4093}}},
	{"TR: selector c is an LDT's", {{GUEST_TR_SELECTOR, 0xc}}},
	{"DS: base 100000000 above 4 GiB", {{GUEST_DS_BASE, BIT(32)}}},
	{"GS: base 800000000000 not canonical", {{GUEST_GS_BASE, BIT(47)}}},
	{"DS: type 2, not accessed", {{GUEST_DS_ACCESS, 0xc092}}},
	{"DS: type 9, code not readable", {{GUEST_DS_ACCESS, 0xc099}}},
	{"TR: unusable", {{GUEST_TR_ACCESS, ACCESS_UNUSABLE}}},
	{"TR: type 3 is no busy TSS", {{GUEST_TR_ACCESS, 0x83}}},
	{"LDTR: type 9 is no LDT", {{GUEST_LDTR_ACCESS, 0x89}}},
	/* 27.3.1.3, 27.3.1.4 */
	{"GDTR base 800000000000: not canonical", {{GUEST_GDTR_BASE, BIT(47)}}},
	{"IDTR base 800000000000: not canonical", {{GUEST_IDTR_BASE, BIT(47)}}},
	{"GDTR limit 10000 above", {{GUEST_GDTR_LIMIT, 65536}}},
	{"IDTR limit 10000 above", {{GUEST_IDTR_LIMIT, 65536}}},
	{"RIP ffffffff80000000 outside 64-bit code",
	 {{GUEST_CS_ACCESS, 0xc09b}}},
	{"RIP 800000000000: not canonical", {{GUEST_RIP, BIT(47)}}},
	{"RFLAGS a: reserved bits", {{GUEST_RFLAGS, 0xa}}},
	{"RFLAGS 200: bit 1 is 0", {{GUEST_RFLAGS, RFLAGS_IF}}},
	{"an external interrupt is injected with RFLAGS.IF clear",
	 {{ENTRY_EVENT, EVENT(0, 0x40)}}},
	/* 27.3.1.5 */
	{"activity 4", {{GUEST_ACTIVITY, 4}}},
	{"halted outside CPL 0",
	 {{GUEST_ACTIVITY, 1},
	  {GUEST_CS_ACCESS, 0xa0fb},
	  {GUEST_SS_ACCESS, 0xc0f3}}},
	{"activity 1 in an interrupt shadow",
	 {{GUEST_ACTIVITY, 1}, {GUEST_INTERRUPTIBILITY, 2}}},
	{"event 80000306 does not end activity 1",
	 {{GUEST_ACTIVITY, 1}, {ENTRY_EVENT, EVENT(3, 6)}}},
	{"event 80000301 does not end activity 2",
	 {{GUEST_ACTIVITY, 2}, {ENTRY_EVENT, EVENT(3, 1)}}},
	{"event 80000202 does not end activity 3",
	 {{GUEST_ACTIVITY, 3}, {ENTRY_EVENT, EVENT(2, 2)}}},
	{"interruptibility 20: reserved bits", {{GUEST_INTERRUPTIBILITY, 32}}},
	{"blocking by STI and by MOV SS", {{GUEST_INTERRUPTIBILITY, 3}}},
	{"blocking by STI with RFLAGS.IF clear", {{GUEST_INTERRUPTIBILITY, 1}}},
	{"an external interrupt is injected into a shadow",
	 {{GUEST_RFLAGS, RFLAGS_IF | RFLAGS_R1},
	  {GUEST_INTERRUPTIBILITY, 1},
	  {ENTRY_EVENT, EVENT(0, 0x40)}}},
	{"an NMI is injected into the shadow of MOV SS",
	 {{GUEST_INTERRUPTIBILITY, 2}, {ENTRY_EVENT, EVENT(2, 2)}}},
	{"blocking by SMI", {{GUEST_INTERRUPTIBILITY, 4}}},
	{"an NMI is injected while NMIs are blocked",
	 {{GUEST_INTERRUPTIBILITY, 8}, {ENTRY_EVENT, EVENT(2, 2)}}},
	{"pending debug exceptions 10: reserved", {{GUEST_PENDING_DEBUG, 16}}},
	{"pending debug exceptions 0: BS does not go with RFLAGS.TF",
	 {{GUEST_RFLAGS, RFLAGS_TF | RFLAGS_R1}, {GUEST_INTERRUPTIBILITY, 2}}},
	{"pending debug exceptions 4000: BS does not go with RFLAGS.TF",
	 {{GUEST_PENDING_DEBUG, 0x4000}, {GUEST_INTERRUPTIBILITY, 2}}},
	{"VMCS link pointer 0", {{GUEST_LINK_POINTER, 0}}},
	/* 27.3.1.6 */
	{"PDPTE 2 100000000000fe7: reserved bits",
	 {{ENTRY_CONTROLS, 0x11fb},
	  {GUEST_EFER, 0},
	  {GUEST_RIP, 0},
	  {GUEST_PDPTE2, BIT(56) | 0xfe7}}},
};

typedef err_t (*checker)(const struct vmcs_image *, const struct vmx_caps *,
			 char *, size_t);

static void check_table(const struct broken *table, size_t n, checker check)
{
	char why[160];

	for (size_t i = 0; i < n; i++) {
		strcpy(why, "(no rule)");
		make_valid();
		apply(&table[i]);
		if (check(&image, &caps, why, sizeof(why)) != E_INVALID ||
		    strncmp(why, table[i].why, strlen(table[i].why)))
			test_fail(__FILE__, __LINE__, "\"%s\" gave \"%s\"",
				  table[i].why, why);
	}
}

TEST(a_valid_vmcs_breaks_no_rule)
{
	char why[160] = "";

	make_valid();
	vmx_check_controls(&image, &caps, why, sizeof(why));
	vmx_check_guest(&image, &caps, why, sizeof(why));
	CHECK_STR(why, "");
}

/* A real-mode guest, as only an unrestricted one may be. */
TEST(a_valid_real_mode_vmcs_breaks_no_rule)
{
	char why[160] = "";

	make_valid();
	set(ENTRY_CONTROLS, 0x11fb);
	set(GUEST_CR0, CR0_NE);
	set(GUEST_CR4, CR4_VMXE);
	set(GUEST_EFER, 0);
	set(GUEST_CS_ACCESS, 0x93);
	set(GUEST_CS_LIMIT, 0xffff);
	set(GUEST_RIP, 0x7c00);
	set(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS);
	vmx_check_guest(&image, &caps, why, sizeof(why));
	CHECK_STR(why, "");
}

TEST(each_rule_of_controls)
{
	check_table(controls, ARRAY_LEN(controls), vmx_check_controls);
}

TEST(each_rule_of_guest_state)
{
	check_table(guests, ARRAY_LEN(guests), vmx_check_guest);
}

TEST(vpid_0)
{
	char why[160] = "";

	make_valid();
	set(VPID, 0);
	CHECK_EQ(vmx_check_controls(&image, &caps, why, sizeof(why)),
		 E_INVALID);
	CHECK_STR(why, "VPID 0");
}

TEST(ept_pointer_where_there_are_no_accessed_bits)
{
	char why[160] = "";

	make_valid();
	caps.ept &= ~EPT_CAP_ACCESSED_DIRTY;
	CHECK_EQ(vmx_check_controls(&image, &caps, why, sizeof(why)),
		 E_INVALID);
	CHECK(strstr(why, "this processor has no A/D bits"));
}

TEST(every_error_number_has_words)
{
	CHECK_STR(vmx_error_text(7), "invalid control fields");
	CHECK_STR(vmx_error_text(14), "an error without a name");
	CHECK_STR(vmx_error_text(1000), "an error without a name");
}
