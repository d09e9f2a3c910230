#include "vm/walk.h"

#include "cpu/msr.h"
#include "cpu/regs.h"
#include "cpu/traps.h"
#include "lib/string.h"
#include "vm/decode.h"
#include "vm/vm.h"

/* Guest page-table entries, SDM vol. 3A 4.3 to 4.5. */
#define P_PRESENT  BIT(0)
#define P_WRITE	   BIT(1)
#define P_USER	   BIT(2)
#define P_ACCESSED BIT(5)
#define P_DIRTY	   BIT(6)
#define P_LARGE	   BIT(7)
#define P_NX	   BIT(63)
#define P_ADDRESS  0x000ffffffffff000ULL

/* Page-fault error code. */
#define PF_PRESENT  1u
#define PF_WRITE    2u
#define PF_USER	    4u
#define PF_RESERVED 8u
#define PF_FETCH    16u

/* The three shapes of guest paging. */
struct paging {
	unsigned levels;
	unsigned entry_size;
	unsigned index_bits;
	u64 top; /* physical address of the first table */
	bool nx;
};

static struct paging paging_of(const struct vcpu_state *s)
{
	bool nx = s->efer & EFER_NXE;

	if (!(s->cr4 & CR4_PAE))
		return (struct paging){2, 4, 10, s->cr3 & 0xfffff000, false};
	if (!(s->efer & EFER_LMA))
		return (struct paging){3, 8, 9, s->cr3 & 0xffffffe0, nx};
	return (struct paging){4, 8, 9, s->cr3 & P_ADDRESS, nx};
}

static u8 *entry_at(struct vcpu *vcpu, u64 gpa)
{
	u64 left;

	return guest_ram(&vcpu->vm->memory, gpa, &left);
}

static u64 load_entry(const u8 *at, unsigned size)
{
	return size == 8 ? __atomic_load_n((const u64 *)at, __ATOMIC_RELAXED)
			 : __atomic_load_n((const u32 *)at, __ATOMIC_RELAXED);
}

/* Of a leaf: the bits that hold neither address nor flags must be clear. */
static bool reserved_set(const struct paging *p, u64 entry, u64 leaf_size)
{
	if (p->entry_size == 4)
		return false;
	if (!p->nx && (entry & P_NX))
		return true;
	return leaf_size > PAGE_SIZE &&
	       (entry & P_ADDRESS & (leaf_size - 1) & ~BIT(12));
}

/* Do the rights gathered over all levels allow the access? */
static bool allowed(const struct vcpu_state *s, const struct paging *p,
		    u64 rights, u64 nx, u32 access)
{
	bool user_page = rights & P_USER;

	if (access & WALK_USER) {
		if (!user_page)
			return false;
		if ((access & WALK_WRITE) && !(rights & P_WRITE))
			return false;
	} else {
		if ((access & WALK_WRITE) && !(rights & P_WRITE) &&
		    (s->cr0 & CR0_WP))
			return false;
		if (user_page && (access & WALK_FETCH) && (s->cr4 & CR4_SMEP))
			return false;
		if (user_page && !(access & WALK_FETCH) &&
		    (s->cr4 & CR4_SMAP) && !(s->rflags & RFLAGS_AC))
			return false;
	}
	return !((access & WALK_FETCH) && p->nx && nx);
}

static err_t fault_at(struct exit_exception *fault, u64 linear, u32 access,
		      u32 error)
{
	if (access & WALK_WRITE)
		error |= PF_WRITE;
	if (access & WALK_USER)
		error |= PF_USER;
	if (access & WALK_FETCH)
		error |= PF_FETCH;
	*fault = (struct exit_exception){EXC_PF, true, error, linear};
	return E_FAULT;
}

/* Sets A on the way down, D where it ends, as the processor does. */
static void mark(struct vcpu *vcpu, u64 at, unsigned size, u64 entry, u64 bits)
{
	u8 *host = entry_at(vcpu, at);

	if ((entry & bits) == bits)
		return;
	if (size == 8)
		__atomic_fetch_or((u64 *)host, bits, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_or((u32 *)host, (u32)bits, __ATOMIC_SEQ_CST);
	guest_mark(&vcpu->vm->memory, at, size);
}

/* A 4 MiB page's address has bits 39:32 in 20:13 (SDM vol. 3A 4.3). */
static u64 leaf_base(const struct paging *p, u64 entry, u64 size)
{
	if (p->entry_size == 4 && size > PAGE_SIZE)
		return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
	return entry & P_ADDRESS & ~(size - 1);
}

static bool ends_here(const struct vcpu_state *s, const struct paging *p,
		      u64 entry, unsigned level)
{
	if (level == 0)
		return true;
	if (!(entry & P_LARGE) || level == 3)
		return false;
	if (p->levels == 3 && level == 2)
		return false; /* a PDPTE: reserved there */
	return p->entry_size == 8 || (s->cr4 & CR4_PSE);
}

static void remember(struct code_cache *path, unsigned level, const u8 *at,
		     u64 entry)
{
	/* The levels below a large page are the same entry. */
	do {
		path->at[level] = (const u64 *)at;
		path->entry[level] = entry;
	} while ((entry & P_LARGE) && level--);
}

static err_t walk_tables(struct vcpu *vcpu, u64 linear, u32 access, u64 *gpa,
			 struct exit_exception *fault, struct code_cache *path)
{
	const struct vcpu_state *s = &vcpu->state;
	const struct paging p = paging_of(s);
	u64 table = p.top, rights = P_WRITE | P_USER, nx = 0;

	for (unsigned level = p.levels - 1;; level--) {
		unsigned shift = PAGE_SHIFT + p.index_bits * level;
		u64 index = (linear >> shift) & (BIT(p.index_bits) - 1);
		u64 where = table + index * p.entry_size;
		u8 *at = entry_at(vcpu, where);
		bool pdpte = p.levels == 3 && level == 2;
		u64 entry = at ? load_entry(at, p.entry_size) : 0;

		if (!(entry & P_PRESENT))
			return fault_at(fault, linear, access, 0);
		if (path)
			remember(path, level, at, entry);
		if (!pdpte) { /* PDPTEs carry no rights */
			rights &= entry;
			nx |= entry & P_NX;
		}
		if (ends_here(s, &p, entry, level)) {
			u64 size = BIT(shift);

			if (reserved_set(&p, entry, size))
				return fault_at(fault, linear, access,
						PF_PRESENT | PF_RESERVED);
			if (!(access & WALK_PEEK) &&
			    !allowed(s, &p, rights, nx, access))
				return fault_at(fault, linear, access,
						PF_PRESENT);
			if (!(access & WALK_PEEK))
				mark(vcpu, where, p.entry_size, entry,
				     P_ACCESSED | (access & WALK_WRITE ? P_DIRTY
								       : 0));
			*gpa = leaf_base(&p, entry, size) |
			       (linear & (size - 1));
			return E_OK;
		}
		if (!pdpte && !(access & WALK_PEEK))
			mark(vcpu, where, p.entry_size, entry, P_ACCESSED);
		table = entry & P_ADDRESS;
	}
}

err_t walk_linear(struct vcpu *vcpu, u64 linear, u32 access, u64 *gpa,
		  struct exit_exception *fault)
{
	vcpu_need(vcpu, STATE_CONTROL);
	if (!(vcpu->state.cr0 & CR0_PG)) {
		*gpa = (u32)linear;
		return E_OK;
	}
	if (!(vcpu->state.efer & EFER_LMA)) {
		linear = (u32)linear;
	} else if ((u64)((i64)(linear << 16) >> 16) != linear) {
		*fault = (struct exit_exception){EXC_GP, true, 0, 0};
		return E_FAULT;
	}
	return walk_tables(vcpu, linear, access, gpa, fault, NULL);
}

bool walk_peek(struct vcpu *vcpu, u64 linear, u64 *gpa, struct code_cache *path)
{
	struct exit_exception fault;

	*gpa = (u32)linear;
	return !(vcpu->state.cr0 & CR0_PG) ||
	       !walk_tables(vcpu, linear, WALK_PEEK, gpa, &fault, path);
}

/* At most two pages: n is at most a page. Both are walked before any use. */
struct span {
	u64 gpa[2];
	size_t first;
};

static err_t walk_span(struct vcpu *vcpu, u64 linear, size_t n, u32 access,
		       struct span *span, struct exit_exception *fault)
{
	err_t err = walk_linear(vcpu, linear, access, &span->gpa[0], fault);

	span->first = MIN(n, PAGE_SIZE - (linear & PAGE_MASK));
	if (!err && span->first < n)
		err = walk_linear(vcpu, linear + span->first, access,
				  &span->gpa[1], fault);
	return err;
}

err_t linear_read(struct vcpu *vcpu, u64 linear, void *dst, size_t n,
		  u32 access, struct exit_exception *fault)
{
	struct guest_memory *mem = &vcpu->vm->memory;
	struct span span;
	err_t err = walk_span(vcpu, linear, n, access, &span, fault);

	if (err)
		return err;
	/* Outside RAM there is nothing: all ones. */
	if (guest_read(mem, span.gpa[0], dst, span.first))
		memset(dst, 0xff, span.first);
	if (span.first < n &&
	    guest_read(mem, span.gpa[1], (u8 *)dst + span.first,
		       n - span.first))
		memset((u8 *)dst + span.first, 0xff, n - span.first);
	return E_OK;
}

err_t linear_write(struct vcpu *vcpu, u64 linear, const void *src, size_t n,
		   u32 access, struct exit_exception *fault)
{
	struct guest_memory *mem = &vcpu->vm->memory;
	struct span span;
	err_t err =
		walk_span(vcpu, linear, n, access | WALK_WRITE, &span, fault);

	if (err)
		return err;
	/* Writes outside RAM vanish, as on a PC. */
	(void)guest_write(mem, span.gpa[0], src, span.first);
	if (span.first < n)
		(void)guest_write(mem, span.gpa[1],
				  (const u8 *)src + span.first, n - span.first);
	return E_OK;
}
