/*
 * The processors, by the MP Services Protocol: PI 1.7, volume 2, 13.4. gnu-efi
 * does not declare it.
 */
#include "boot/firmware.h"
#include "boot/memory.h"
#include "boot/say.h"

#define MP_SERVICES_GUID                                               \
	{                                                              \
		0x3fdda605, 0xa76e, 0x4f46,                            \
		{                                                      \
			0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 \
		}                                                      \
	}

#define PROCESSOR_IS_BSP  BIT(0)
#define PROCESSOR_ENABLED BIT(1)
#define PROCESSOR_HEALTHY BIT(2)

struct processor_information {
	UINT64 id; /* the local APIC's */
	UINT32 status;
	UINT32 location[3];
	UINT32 extended_location[6];
};

struct mp_services {
	EFI_STATUS(EFIAPI *get_number)
	(struct mp_services *this, UINTN *count, UINTN *enabled);
	EFI_STATUS(EFIAPI *get_information)
	(struct mp_services *this, UINTN number,
	 struct processor_information *information);
	/* What starts and stops processors is the kernel's own business. */
};

static u32 flags_of(u32 status)
{
	u32 flags = 0;

	if (status & PROCESSOR_ENABLED)
		flags |= BOOT_CPU_ENABLED;
	if (status & PROCESSOR_HEALTHY)
		flags |= BOOT_CPU_HEALTHY;
	if (status & PROCESSOR_IS_BSP)
		flags |= BOOT_CPU_BOOTSTRAP;
	return flags;
}

EFI_STATUS firmware_cpus(EFI_BOOT_SERVICES *bs, struct boot_info *info)
{
	static EFI_GUID guid = MP_SERVICES_GUID;
	struct mp_services *mp;
	struct boot_cpu *cpus;
	UINTN count, enabled;

	if (EFI_ERROR(bs->LocateProtocol(&guid, NULL, (void **)&mp)) ||
	    EFI_ERROR(mp->get_number(mp, &count, &enabled)) || !count)
		return EFI_SUCCESS;
	cpus = memory_alloc(count * sizeof(*cpus), MEMORY_KEEP, 0);
	if (!cpus)
		return fail(EFI_OUT_OF_RESOURCES,
			    "out of memory for the list of %lu CPUs", count);
	info->cpus = (u64)cpus;
	for (UINTN i = 0; i < count; i++) {
		struct processor_information one = {0};
		EFI_STATUS status = mp->get_information(mp, i, &one);

		if (EFI_ERROR(status)) {
			say("CPU %lu: the firmware tells nothing: %s\n", i,
			    status_text(status));
			continue;
		}
		cpus[info->cpu_count++] = (struct boot_cpu){
			.apic_id = (u32)one.id, .flags = flags_of(one.status)};
	}
	return EFI_SUCCESS;
}
