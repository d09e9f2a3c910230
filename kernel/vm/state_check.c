/*
 * The rules a guest state must keep to be entered, checked in software before
 * the hardware sees it: the union of what VMX (SDM vol. 3C 27.3.1) and SVM (APM
 * vol. 2 15.5.1) require and of what the architecture makes impossible.
 */
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/printf.h"
#include "vm/state.h"

struct check {
	const struct vcpu_state *s;
	const struct state_limits *limits;
	char *why;
	size_t size;
};

#define REFUSE_IF(c, cond, ...)                                     \
	do {                                                        \
		if (cond) {                                         \
			snprintf((c)->why, (c)->size, __VA_ARGS__); \
			return E_INVALID;                           \
		}                                                   \
	} while (0)

static bool canonical(u64 address)
{
	return (u64)((i64)(address << 16) >> 16) == address;
}

static bool valid_pat(u64 pat)
{
	for (unsigned i = 0; i < 64; i += 8) {
		u8 type = pat >> i;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static err_t check_control(const struct check *c)
{
	const struct vcpu_state *s = c->s;
	bool paging = s->cr0 & CR0_PG, lma = s->efer & EFER_LMA;

	REFUSE_IF(c, s->cr0 >> 32, "CR0 %lx: upper half set", s->cr0);
	REFUSE_IF(c, paging && !(s->cr0 & CR0_PE), "CR0 %lx: PG without PE",
		  s->cr0);
	REFUSE_IF(c, (s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD),
		  "CR0 %lx: NW without CD", s->cr0);
	REFUSE_IF(c, s->cr4 & ~c->limits->cr4_allowed,
		  "CR4 %lx: bits %lx are not offered", s->cr4,
		  s->cr4 & ~c->limits->cr4_allowed);
	REFUSE_IF(c, s->cr3 >> c->limits->phys_bits,
		  "CR3 %lx: beyond %u physical bits", s->cr3,
		  c->limits->phys_bits);
	REFUSE_IF(c, s->efer & ~c->limits->efer_allowed,
		  "EFER %lx: bits %lx are not offered", s->efer,
		  s->efer & ~c->limits->efer_allowed);
	REFUSE_IF(c, lma != (paging && (s->efer & EFER_LME)),
		  "EFER %lx: LMA is not LME and CR0.PG", s->efer);
	REFUSE_IF(c, lma && !(s->cr4 & CR4_PAE), "CR4 %lx: long mode, no PAE",
		  s->cr4);
	REFUSE_IF(c, (s->cr4 & CR4_PCIDE) && !lma,
		  "CR4 %lx: PCIDE outside long mode", s->cr4);
	REFUSE_IF(c, s->cr8 > 15, "CR8 %lx: above 15", s->cr8);
	REFUSE_IF(c, !valid_pat(s->pat), "PAT %lx: unknown memory type",
		  s->pat);
	REFUSE_IF(c,
		  !(s->xcr0 & 1) || (s->xcr0 & ~c->limits->xcr0_allowed) ||
			  (s->xcr0 & 6) == 4,
		  "XCR0 %lx: not a valid set of components", s->xcr0);
	REFUSE_IF(c, s->dr6 >> 32, "DR6 %lx: upper half set", s->dr6);
	REFUSE_IF(c, s->dr7 >> 32, "DR7 %lx: upper half set", s->dr7);
	return E_OK;
}

static err_t check_addresses(const struct check *c)
{
	const struct vcpu_state *s = c->s;
	const struct {
		const char *name;
		u64 value;
	} linear[] = {
		{"GDTR.base", s->gdtr.base},
		{"IDTR.base", s->idtr.base},
		{"FS.base", s->seg[FS].base},
		{"GS.base", s->seg[GS].base},
		{"LDTR.base", s->seg[LDTR].base},
		{"TR.base", s->seg[TR].base},
		{"KERNEL_GS_BASE", s->kernel_gs_base},
		{"LSTAR", s->lstar},
		{"CSTAR", s->cstar},
		{"SYSENTER_ESP", s->sysenter_esp},
		{"SYSENTER_EIP", s->sysenter_eip},
	};

	for (unsigned i = 0; i < ARRAY_LEN(linear); i++)
		REFUSE_IF(c, !canonical(linear[i].value),
			  "%s %lx: not canonical", linear[i].name,
			  linear[i].value);
	REFUSE_IF(c, s->gdtr.limit > 0xffff || s->idtr.limit > 0xffff,
		  "GDTR/IDTR limit above 0xffff");
	REFUSE_IF(c, state_mode(s) != MODE_64 && s->rip >> 32,
		  "RIP %lx: upper half set outside 64-bit mode", s->rip);
	REFUSE_IF(c, state_mode(s) == MODE_64 && !canonical(s->rip),
		  "RIP %lx: not canonical", s->rip);
	return E_OK;
}

static err_t check_segments(const struct check *c)
{
	static const char *const names[] = {"ES", "CS", "SS",	"DS",
					    "FS", "GS", "LDTR", "TR"};
	const struct vcpu_state *s = c->s;
	const struct segment *cs = &s->seg[CS], *tr = &s->seg[TR];

	REFUSE_IF(c, !(cs->attr & SEG_P) || !(cs->attr & SEG_S),
		  "CS attributes %03x: not a present code segment", cs->attr);
	REFUSE_IF(c,
		  (s->efer & EFER_LMA) && (cs->attr & SEG_L) &&
			  (cs->attr & SEG_DB),
		  "CS attributes %03x: L and D in long mode", cs->attr);
	REFUSE_IF(c, !(tr->attr & SEG_P) || (tr->attr & SEG_S),
		  "TR attributes %03x: not a present TSS", tr->attr);
	REFUSE_IF(c,
		  (tr->attr & SEG_TYPE) != 11 &&
			  ((tr->attr & SEG_TYPE) != 3 || (s->efer & EFER_LMA)),
		  "TR attributes %03x: not a busy TSS", tr->attr);
	for (unsigned i = 0; i < SEGMENTS; i++) {
		const struct segment *seg = &s->seg[i];
		bool page_granular = seg->attr & SEG_G;

		if (!(seg->attr & SEG_P))
			continue;
		REFUSE_IF(c, seg->attr & ~SEG_ATTR,
			  "%s attributes %03x: unknown bits", names[i],
			  seg->attr);
		REFUSE_IF(c, page_granular && (seg->limit & 0xfff) != 0xfff,
			  "%s limit %x: G set, low bits not all ones", names[i],
			  seg->limit);
		REFUSE_IF(c, !page_granular && seg->limit >> 20,
			  "%s limit %x: above 1 MiB without G", names[i],
			  seg->limit);
	}
	return E_OK;
}

/* Virtual 8086 segments have one form only (SDM vol. 3C 27.3.1.2). */
static err_t check_vm86(const struct check *c)
{
	const struct vcpu_state *s = c->s;

	if (!(s->rflags & RFLAGS_VM))
		return E_OK;
	REFUSE_IF(c, !(s->cr0 & CR0_PE), "RFLAGS.VM in real mode");
	REFUSE_IF(c, s->efer & EFER_LMA, "RFLAGS.VM in long mode");
	for (unsigned i = ES; i <= GS; i++)
		REFUSE_IF(c, s->seg[i].base != (u64)s->seg[i].selector << 4,
			  "virtual 8086: segment %u base %lx is not its "
			  "selector times 16",
			  i, s->seg[i].base);
	return E_OK;
}

static err_t check_event(const struct check *c)
{
	const struct vcpu_state *s = c->s;
	const struct event *e = &s->pending;

	REFUSE_IF(c, !(s->rflags & RFLAGS_R1), "RFLAGS %lx: bit 1 clear",
		  s->rflags);
	REFUSE_IF(c, s->rflags & ~0x3f7fd7ULL, "RFLAGS %lx: reserved bits",
		  s->rflags);
	REFUSE_IF(c, e->kind > EVENT_ICEBP, "event of unknown kind %u",
		  e->kind);
	REFUSE_IF(c, e->kind == EVENT_EXCEPTION && e->vector > 31,
		  "exception with vector %u", e->vector);
	REFUSE_IF(c, e->kind == EVENT_NMI && e->vector != 2,
		  "NMI with vector %u", e->vector);
	REFUSE_IF(c, e->kind >= EVENT_SOFT_INTERRUPT && e->ilen > 15,
		  "event with an instruction of %u bytes", e->ilen);
	REFUSE_IF(c, s->activity > ACTIVITY_WAIT_SIPI, "activity %u unknown",
		  s->activity);
	REFUSE_IF(c, s->shadow > 3, "interrupt shadow %u unknown", s->shadow);
	return E_OK;
}

err_t state_check(const struct vcpu_state *state,
		  const struct state_limits *limits, char *why, size_t size)
{
	const struct check c = {state, limits, why, size};
	static err_t (*const checks[])(const struct check *) = {
		check_control, check_addresses, check_segments,
		check_vm86,    check_event,
	};

	for (unsigned i = 0; i < ARRAY_LEN(checks); i++) {
		err_t err = checks[i](&c);

		if (err)
			return err;
	}
	return E_OK;
}
