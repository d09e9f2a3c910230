/* The local APIC's registers and bits, and what its own files share. */
#ifndef MACHINE_LAPIC_REGS_H
#define MACHINE_LAPIC_REGS_H

#include "cpu/msr.h"
#include "machine/lapic.h"
#include "vm/vcpu.h"

/* Numbers: MMIO offset / 16, and MSR - 0x800 (tables 11-1 and 11-6). */
enum vlapic_register {
	APIC_ID = 0x02,
	APIC_VERSION = 0x03,
	APIC_TPR = 0x08,
	APIC_APR = 0x09,
	APIC_PPR = 0x0a,
	APIC_EOI = 0x0b,
	APIC_RRD = 0x0c,
	APIC_LDR = 0x0d,
	APIC_DFR = 0x0e,
	APIC_SVR = 0x0f,
	APIC_ISR = 0x10, /* eight each */
	APIC_TMR = 0x18,
	APIC_IRR = 0x20,
	APIC_ESR = 0x28,
	APIC_ICR = 0x30,
	APIC_ICR_HIGH = 0x31,
	APIC_LVT = 0x32, /* in the order of enum lapic_lvt */
	APIC_INITIAL = 0x38,
	APIC_CURRENT = 0x39,
	APIC_DIVIDE = 0x3e,
	APIC_SELF_IPI = 0x3f,
	APIC_REGISTERS = 0x40
};

#define SVR_ENABLE BIT(8)

#define LVT_SENT	   BIT(12) /* delivery status */
#define LVT_REMOTE	   BIT(14) /* IRR */
#define LVT_MASKED	   BIT(16)
#define LVT_TIMER_MODE	   (3u << 17)
#define LVT_TIMER_ONE_SHOT (0u << 17)
#define LVT_TIMER_PERIODIC (1u << 17)
#define LVT_TIMER_DEADLINE (2u << 17)

/* Delivery modes, of the ICR and of local vectors (figures 11-12, 11-8). */
enum vlapic_delivery {
	DELIVER_FIXED,
	DELIVER_LOWEST,
	DELIVER_SMI,
	DELIVER_RESERVED,
	DELIVER_NMI,
	DELIVER_INIT,
	DELIVER_STARTUP,
	DELIVER_EXTINT
};
#define DELIVERY(word) (((word) >> 8) & 7)

#define ICR_LOGICAL	   BIT(11)
#define ICR_ASSERT	   BIT(14)
#define ICR_LEVEL	   BIT(15)
#define ICR_SHORTHAND(icr) (((icr) >> 18) & 3)
#define ICR_TO_SELF	   1
#define ICR_TO_ALL	   2
#define ICR_TO_OTHERS	   3
#define ICR_VALID	   0x000ccfffu

#define ESR_SEND_VECTOR	     BIT(5)
#define ESR_RECEIVE_VECTOR   BIT(6)
#define ESR_REGISTER_ADDRESS BIT(7)

/* What other CPUs may be reading or writing at the same time. */
#define SHARED_GET(x)	 __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define SHARED_SET(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)

static inline bool vlapic_enabled(const struct lapic *lapic)
{
	return SHARED_GET(lapic->base) & APIC_BASE_ENABLE;
}

static inline bool vlapic_x2apic(const struct lapic *lapic)
{
	return SHARED_GET(lapic->base) & APIC_BASE_X2APIC;
}

/* Accepts interrupts: enabled by MSR and by software. */
static inline bool vlapic_accepts(const struct lapic *lapic)
{
	return vlapic_enabled(lapic) && (SHARED_GET(lapic->svr) & SVR_ENABLE);
}

/* x2APIC: cluster in the upper half, a bit in the lower (11.12.10.2). */
static inline u32 vlapic_x2apic_ldr(const struct lapic *lapic)
{
	return lapic->id >> 4 << 16 | 1u << (lapic->id & 15);
}

/* lapic_registers.c: all but the ICR's sending. */
u32 vlapic_read(struct lapic *lapic, unsigned reg);
void vlapic_write(struct lapic *lapic, unsigned reg, u32 value);

/* lapic.c */
void vlapic_update_ppr(struct lapic *lapic);
/* The run loop may offer what it did not, or must take an offer back. */
void vlapic_look_again(struct lapic *lapic);
void vlapic_end_of_interrupt(struct lapic *lapic);
void vlapic_error(struct lapic *lapic, u32 bit);
void vlapic_local(struct lapic *lapic, enum lapic_lvt which);

/* The greatest vector in a set, -1: none; whether there is no other. */
int vlapic_highest(const u64 *bits);
bool vlapic_is_only(const u64 *bits, int vector);

/* lapic_eoi.c: the guest's word, as its MSR has it. */
bool vlapic_eoi_word_fits(const struct vm *vm, u64 value);
err_t vlapic_eoi_word_write(struct lapic *lapic, u64 value);

/* What is there, in each mode, and which bits can be written. */
#define REG_READ     1u
#define REG_WRITE    2u
#define REG_X2_READ  4u
#define REG_X2_WRITE 8u

struct vlapic_reg {
	u8 rights;
	u32 writable;
};
extern const struct vlapic_reg vlapic_regs[APIC_REGISTERS];

/* lapic_ipi.c: what a write to the ICR or to SELF IPI starts. */
void vlapic_send(struct lapic *lapic);
void vlapic_send_self(struct lapic *lapic, u8 vector);

/* lapic_timer.c */
void vlapic_timer_reset(struct lapic *lapic);
void vlapic_timer_freeze(struct lapic *lapic);
void vlapic_timer_go_on(struct lapic *lapic);
void vlapic_timer_mode(struct lapic *lapic, u32 old_lvt);
void vlapic_timer_start(struct lapic *lapic, u32 count);
void vlapic_timer_divide(struct lapic *lapic, u32 value);
u32 vlapic_timer_current(struct lapic *lapic);
u64 vlapic_deadline_read(const struct lapic *lapic);
void vlapic_deadline_write(struct lapic *lapic, u64 value);

#endif
