/*
 * The device models under random guests: a short run of what `make fuzz` does
 * for as long as one likes, and everything that it has ever found.
 *
 *	links: kernel/machine/pc.c kernel/machine/chipset.c
 *	links: kernel/machine/devices.c kernel/vm/stream.c
 *	links: kernel/machine/irq.c kernel/machine/pic.c
 *	links: kernel/machine/pit.c kernel/machine/ioapic.c
 *	links: kernel/machine/virtio_common.c kernel/machine/rtc.c
 *	links: kernel/machine/pm.c kernel/cpu/calendar.c
 *	links: kernel/machine/kvmclock.c kernel/machine/uart.c
 *	links: kernel/machine/ports.c kernel/machine/acpi_tables.c
 *	links: kernel/machine/aml.c kernel/machine/pci.c
 *	links: kernel/machine/pci_irq.c kernel/machine/virtio_pci.c
 *	links: kernel/machine/virtqueue.c kernel/machine/virtio_rng.c
 *	links: kernel/machine/virtio_console.c kernel/machine/dma.c
 *	links: kernel/machine/virtio_net.c kernel/net/offload.c
 *	links: kernel/net/switch.c
 *	links: kernel/machine/load.c kernel/machine/load_flat.c
 *	links: kernel/machine/load_multiboot.c kernel/machine/load_elf.c
 *	links: kernel/machine/load_linux.c kernel/machine/load_pvh.c
 *	links: kernel/machine/load_parts.c kernel/machine/lapic.c
 *	links: kernel/machine/lapic_registers.c
 *	links: kernel/machine/lapic_msr.c kernel/machine/lapic_ipi.c
 *	links: kernel/machine/lapic_timer.c kernel/machine/lapic_eoi.c
 *	links: kernel/vm/fields.c
 *	links: kernel/vm/memory.c kernel/vm/state.c kernel/vm/bus.c
 *	links: kernel/files.c kernel/lib/string.c tests/unit/fake_vm.c
 *	links: tests/unit/fake_driver.c tests/fuzz/machine.c
 */
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/fuzz/machine.h"
#include "tests/unit/fake_vm.h"

#define RUNS	6000
#define LONGEST 600
#define CORPUS	"tests/fuzz/corpus/machine"

TEST(random_guests)
{
	static u8 data[LONGEST];
	u64 seed = 2026;

	for (unsigned run = 0; run < RUNS; run++) {
		size_t size = fake_random(&seed) % sizeof(data);

		for (size_t i = 0; i < size; i++)
			data[i] = fake_random(&seed) >> 40;
		alarm(20); /* no guest takes for ever */
		fuzz_machine(data, size);
	}
}

TEST(the_corpus)
{
	static u8 data[65536];
	DIR *folder = opendir(CORPUS);
	struct dirent *entry;
	unsigned files = 0;

	CHECK(folder);
	while ((entry = readdir(folder))) {
		char path[400];
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", entry->d_name);
		file = fopen(path, "rb");
		CHECK(file);
		alarm(20);
		fuzz_machine(data, fread(data, 1, sizeof(data), file));
		fclose(file);
		files++;
	}
	closedir(folder);
	CHECK(files > 0);
}
