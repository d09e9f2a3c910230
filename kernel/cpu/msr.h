/*
 * Model-specific registers by their names in SDM vol. 4 and APM vol. 2
 * appendix A. What only one engine needs is named in that engine.
 */
#ifndef CPU_MSR_H
#define CPU_MSR_H

#include "lib/types.h"

#define MSR_TSC		    0x10
#define MSR_APIC_BASE	    0x1b
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_TSC_ADJUST	    0x3b
#define MSR_BIOS_SIGN_ID    0x8b
#define MSR_MTRRCAP	    0xfe
#define MSR_SYSENTER_CS	    0x174
#define MSR_SYSENTER_ESP    0x175
#define MSR_SYSENTER_EIP    0x176
#define MSR_MCG_CAP	    0x179
#define MSR_MCG_STATUS	    0x17a
#define MSR_MISC_ENABLE	    0x1a0
#define MSR_DEBUGCTL	    0x1d9
#define MSR_PAT		    0x277
#define MSR_MTRR_DEF_TYPE   0x2ff
#define MSR_TSC_DEADLINE    0x6e0
#define MSR_X2APIC_BASE	    0x800
#define MSR_XSS		    0xda0

#define MSR_EFER	   0xc0000080
#define MSR_STAR	   0xc0000081
#define MSR_LSTAR	   0xc0000082
#define MSR_CSTAR	   0xc0000083
#define MSR_SFMASK	   0xc0000084
#define MSR_FS_BASE	   0xc0000100
#define MSR_GS_BASE	   0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX	   0xc0000103

#define MSR_AMD_HWCR	 0xc0010015
#define MSR_AMD_VM_CR	 0xc0010114
#define MSR_AMD_HSAVE_PA 0xc0010117

#define EFER_SCE   BIT(0)
#define EFER_LME   BIT(8)
#define EFER_LMA   BIT(10)
#define EFER_NXE   BIT(11)
#define EFER_SVME  BIT(12)
#define EFER_LMSLE BIT(13)
#define EFER_FFXSR BIT(14)

#define APIC_BASE_BSP	  BIT(8)
#define APIC_BASE_X2APIC  BIT(10)
#define APIC_BASE_ENABLE  BIT(11)
#define APIC_BASE_ADDRESS 0x000ffffffffff000ULL

/* Power-on layout: WB WT UC- UC, twice (SDM vol. 3A 12.12.4). */
#define PAT_DEFAULT 0x0007040600070406ULL

#endif
