#include "cpu/features.h"
#include "cpu/msr.h"
#include "cpu/regs.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/printf.h"
#include "lib/string.h"

/*
 * State components that we know how to keep (SDM vol. 1 13.1): x87, SSE, AVX,
 * MPX (2), AVX-512 (3), PKRU.
 */
#define XCR0_KNOWN   0x2ffULL
#define XSAVE_LEGACY 576 /* the legacy region and the header */

enum { REG_eax, REG_ebx, REG_ecx, REG_edx };

struct feature {
	const char *name;
	size_t field; /* offset of its bool */
	u32 leaf, subleaf;
	u8 reg, bit;
};

#define FEATURE_ROW(field, leaf, subleaf, reg, bit)              \
	{                                                        \
		#field,	   offsetof(struct cpu_features, field), \
		leaf,	   subleaf,                              \
		REG_##reg, bit},
static const struct feature table[] = {CPU_FEATURES(FEATURE_ROW)};
#undef FEATURE_ROW

struct cpu_features features;

static bool has_leaf(u32 leaf)
{
	if (leaf >= 0x80000000)
		return leaf <= features.max_extended_leaf;
	return leaf <= features.max_leaf;
}

static bool ask(const struct feature *f)
{
	struct cpuid_regs r;
	u32 values[4];

	if (!has_leaf(f->leaf))
		return false;
	r = cpuid(f->leaf, f->subleaf);
	values[REG_eax] = r.eax;
	values[REG_ebx] = r.ebx;
	values[REG_ecx] = r.ecx;
	values[REG_edx] = r.edx;
	return values[f->reg] >> f->bit & 1;
}

static bool *field_of(const struct feature *f)
{
	return (bool *)((u8 *)&features + f->field);
}

static void put_text(char *text, u32 a, u32 b, u32 c)
{
	u32 words[3] = {a, b, c};

	memcpy(text, words, sizeof(words));
	text[sizeof(words)] = '\0';
}

static void read_vendor(void)
{
	struct cpuid_regs r = cpuid(0, 0);

	features.max_leaf = r.eax;
	put_text(features.vendor_id, r.ebx, r.edx, r.ecx);
	if (strcmp(features.vendor_id, "GenuineIntel") == 0)
		features.vendor = VENDOR_INTEL;
	else if (strcmp(features.vendor_id, "AuthenticAMD") == 0 ||
		 strcmp(features.vendor_id, "HygonGenuine") == 0)
		features.vendor = VENDOR_AMD;
	features.max_extended_leaf = cpuid(0x80000000, 0).eax;
	features.signature = cpuid(1, 0).eax;
}

static void read_brand(void)
{
	char *text = features.brand;
	size_t start = 0, len;

	if (!has_leaf(0x80000004)) {
		copy_string(text, sizeof(features.brand), features.vendor_id);
		return;
	}
	for (u32 i = 0; i < 3; i++) {
		struct cpuid_regs r = cpuid(0x80000002 + i, 0);

		memcpy(text + i * sizeof(r), &r, sizeof(r));
	}
	while (text[start] == ' ')
		start++;
	len = strnlen(text + start, sizeof(features.brand) - 1 - start);
	while (len > 0 && text[start + len - 1] == ' ')
		len--;
	memmove(text, text + start, len);
	text[len] = '\0';
}

static void read_sizes(void)
{
	features.phys_bits = 36;
	features.virt_bits = 48;
	if (has_leaf(0x80000008)) {
		u32 eax = cpuid(0x80000008, 0).eax;

		features.phys_bits = (u8)eax;
		features.virt_bits = (u8)(eax >> 8);
	}
	if (features.hypervisor) {
		struct cpuid_regs r = cpuid(0x40000000, 0);

		put_text(features.hypervisor_id, r.ebx, r.ecx, r.edx);
	}
}

/* Each component has its place in the standard format (SDM vol. 1 13.4). */
static void read_xsave(void)
{
	struct cpuid_regs r;

	if (!features.xsave)
		return;
	r = cpuid(0xd, 0);
	features.xcr0 = ((u64)r.edx << 32 | r.eax) & XCR0_KNOWN;
	features.xsave_size = XSAVE_LEGACY;
	for (u32 i = 2; i < 64; i++) {
		if (!(features.xcr0 >> i & 1))
			continue;
		r = cpuid(0xd, i);
		features.xsave_size = MAX(features.xsave_size, r.ebx + r.eax);
	}
}

void features_read(void)
{
	read_vendor();
	for (unsigned i = 0; i < ARRAY_LEN(table); i++)
		*field_of(&table[i]) = ask(&table[i]);
	read_brand();
	read_sizes();
	read_xsave();
	if (!features.nx || !features.apic || !features.pat)
		panic("this processor lacks%s%s%s", features.nx ? "" : " NX",
		      features.apic ? "" : " a local APIC",
		      features.pat ? "" : " PAT");
}

void features_enable(void)
{
	u64 cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cr4 |= features.mce ? CR4_MCE : 0;
	cr4 |= features.pge ? CR4_PGE : 0;
	cr4 |= features.xsave ? CR4_OSXSAVE : 0;
	cr4 |= features.smep ? CR4_SMEP : 0;
	cr4 |= features.smap ? CR4_SMAP : 0;
	cr4 |= features.umip ? CR4_UMIP : 0;
	wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & EFER_LMA) | EFER_LME | EFER_NXE);
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	write_cr4(cr4);
	wrmsr(MSR_PAT, PAT_DEFAULT);
	if (features.xsave)
		xsetbv(0, features.xcr0);
}

err_t features_compare(void)
{
	err_t err = E_OK;

	for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
		if (*field_of(&table[i]) && !ask(&table[i])) {
			log_warn("cpu: a processor lacks %s", table[i].name);
			err = E_UNSUPPORTED;
		}
	}
	return err;
}

const char *features_text(char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(table) && used < size; i++) {
		if (*field_of(&table[i]))
			used += (size_t)snprintf(buf + used, size - used,
						 "%s%s", used > 0 ? " " : "",
						 table[i].name);
	}
	return buf;
}
