/*
 * Start-up as a story, top to bottom: from the jump out of the firmware to a
 * machine that is ours, then the work of each CPU.
 */
#include "boot/boot_info.h"
#include "cpu/acpi.h"
#include "cpu/calendar.h"
#include "cpu/cpu.h"
#include "cpu/features.h"
#include "cpu/lapic.h"
#include "cpu/pic.h"
#include "cpu/power.h"
#include "cpu/time.h"
#include "drivers/netdev.h"
#include "drivers/pci.h"
#include "drivers/serial.h"
#include "lib/console.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "lib/symbols.h"
#include "mm/pages.h"
#include "mm/paging.h"
#include "mm/spare.h"
#include "files.h"
#include "machine/pc.h"
#include "migration/migration.h"
#include "net/away.h"
#include "net/switch.h"
#include "net/uplink.h"
#include "shell/config.h"
#include "shell/control.h"
#include "shell/guest_lines.h"
#include "shell/shell.h"
#include "vm/machine.h"
#include "vm/model.h"
#include "vm/sched.h"
#include "vm/vm.h"

#define POLL_NS	 (10 * NS_PER_MS) /* of a console without an interrupt */
#define CLEAR_NS (100 * NS_PER_US)

struct config config;

static struct serial console;
static char console_queue[16384];

/* Called by entry.S. */
void kernel_main(const struct boot_info *info) NORETURN;

static const struct boot_file *find_file(const struct boot_info *info,
					 const char *name)
{
	const struct boot_file *files = phys_to_virt(info->files);

	for (unsigned i = 0; i < info->file_count; i++) {
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	}
	return NULL;
}

static void check_boot_info(const struct boot_info *info)
{
	if (info->magic != BOOT_INFO_MAGIC ||
	    info->version != BOOT_INFO_VERSION || info->size != sizeof(*info))
		panic("the boot program speaks version %u, not %u",
		      info->version, BOOT_INFO_VERSION);
}

static void load_symbols(const struct boot_info *info)
{
	const struct boot_file *file = find_file(info, "kernel.elf");
	err_t err = E_NOTFOUND;

	if (file != NULL)
		err = symbols_init(phys_to_virt(file->phys), file->size);
	if (err != E_OK)
		log_warn("symbols: kernel.elf: %s", err_text(err));
}

static void introduce_machine(const struct boot_info *info)
{
	char text[256];

	log_info("Godwit, started by %s", info->firmware);
	log_info("cpu: %s", features.brand);
	log_info("cpu: %s %x, %u physical bits%s%s", features.vendor_id,
		 features.signature, features.phys_bits,
		 features.hypervisor ? ", under " : "", features.hypervisor_id);
	log_debug("cpu: has %s", features_text(text, sizeof(text)));
}

static void introduce_time(void)
{
	log_info("time: TSC at %lu.%03lu MHz by %s", tsc_khz / 1000,
		 tsc_khz % 1000, time_source_text());
	log_info("apic: %s, timer %s", lapic_is_x2apic() ? "x2APIC" : "xAPIC",
		 lapic_timer_text());
}

static void start_memory(const struct boot_info *info)
{
	struct page_stats stats;

	pages_init(info);
	stats = page_stats();
	paging_init(info);
	cpu_alloc_stacks(this_cpu());
	log_info("memory: %lu MiB, the largest block %lu MiB",
		 stats.total >> 20, stats.largest >> 20);
}

/* The firmware's timer is off once the PIC is ours. */
static void start_interrupts(void)
{
	pic_init();
	lapic_init();
	if (serial_irq(&console) >= 0)
		pic_unmask((unsigned)serial_irq(&console));
}

static void selftest(const struct boot_info *info)
{
	err_t err = paging_selftest(info);

	if (err != E_OK)
		panic("page tables: %s", err_text(err));
}

/* The first engine that this CPU has. None: the shell says why, no VM runs. */
static void choose_engine(void)
{
	static const struct engine *const engines[] = {&vmx_engine,
						       &svm_engine};
	err_t err = E_NOTFOUND;

	for (unsigned i = 0; i < ARRAY_LEN(engines); i++) {
		err = engines[i]->probe(&engine_caps);
		if (err == E_OK)
			engine = engines[i];
		if (err != E_NOTFOUND)
			break;
	}
	if (err == E_NOTFOUND)
		log_error("engine: this CPU has neither VMX nor SVM");
	else if (err != E_OK)
		log_error("engine: no guest can run here: missing %s",
			  engine_caps.missing);
	else
		log_info("engine: %s: %s", engine->name, engine_caps.features);
}

static void start_engine(void)
{
	err_t err = engine ? engine->cpu_on(this_cpu()) : E_OK;

	if (err != E_OK)
		panic("%s does not start on CPU %u: %s", engine->name,
		      this_cpu()->id, err_text(err));
}

static void NORETURN ap_main(void)
{
	start_engine();
	sched_loop(NULL);
}

static void read_config(void)
{
	struct file file;
	char why[256];
	err_t err;

	(void)config_parse("", 0, &config, why, sizeof(why));
	if (!file_find("godwit.conf", &file)) {
		log_warn("godwit.conf: not found beside the kernel: no VMs");
		return;
	}
	err = config_parse((const char *)file.data, file.size, &config, why,
			   sizeof(why));
	if (err != E_OK) {
		log_error("%s", why);
		(void)config_parse("", 0, &config, why, sizeof(why));
		return;
	}
	log_set_level(config.log);
}

/* For cables that pass nothing but the NIC's own address. */
static void take_nics_mac(struct vm_config *vm)
{
	for (unsigned i = 0; i < netdev_count; i++) {
		if (netdevs[i]->role != NETDEV_LAN)
			continue;
		memcpy(vm->mac, netdevs[i]->mac, sizeof(vm->mac));
		return;
	}
	log_warn("%s: mac: there is no NIC to take it from", vm->name);
}

/* The guest is heard at the host's console if its line cannot be had. */
static void open_guest_line(struct vm *vm)
{
	unsigned com = vm->config.console_line;

	if (!com)
		return;
	if (serial_port(com) == console.port)
		log_error("%s: console-line: COM%u is the host's console",
			  vm->config.name, com);
	else if (guest_line_open(vm) != E_OK)
		log_error("%s: console-line: no UART at COM%u", vm->config.name,
			  com);
	else
		log_info("%s: console on COM%u", vm->config.name, com);
}

static void start_vms(void)
{
	for (unsigned i = 0; i < config.vms; i++) {
		struct vm_config *vm = &config.vm[i];
		err_t err;

		if (vm->mac_of_nic)
			take_nics_mac(vm);
		err = vm_add(vm);
		if (err != E_OK) {
			log_error("%s: %s", vm->name, err_text(err));
			continue;
		}
		open_guest_line(vm_find(vm->name));
		if (vm->autostart)
			(void)vm_start(vm_find(vm->name));
	}
}

/* `on-idle = exit`: the run ends, and passes, as its VMs did. */
static void end_when_idle(void)
{
	bool pass = true;

	for (unsigned i = 0; i < vm_count; i++) {
		const struct vm *vm = vms[i];

		if (vm_is_alive(vm))
			return;
		if (vm->life == VM_MOVED)
			continue; /* its end is another host's to tell */
		if (vm->config.autostart &&
		    (vm->life != VM_ENDED || vm->status != 0))
			pass = false;
	}
	vm_console_drain();
	log_info("all VMs have ended: the run %s", pass ? "passes" : "fails");
	machine_end(pass);
}

/* From the jump out of the firmware to the first guest instruction. */
static void report_first_entry(void)
{
	static bool reported;

	if (reported || !vm_count || !vms[0]->first_entry_ns)
		return;
	reported = true;
	log_info("%s: first instruction %lu us after the jump",
		 vms[0]->config.name, vms[0]->first_entry_ns / NS_PER_US);
}

/* When to look again at what cannot wake us; 0: something is here already. */
static u64 next_look(void)
{
	u64 wake =
		MIN(MIN(shell_wake(), control_wake()),
		    MIN(MIN(guest_lines_wake(), vm_wake()), migration_wake()));
	u64 wait;

	if (!netdev_rest_all(&wait))
		return 0;
	wait = MIN(wait, away_wait_ns());
	if (serial_irq(&console) < 0)
		wake = MIN(wake, rdtsc() + ns_to_tsc(POLL_NS));
	if (wait != ~0ULL)
		wake = MIN(wake, rdtsc() + ns_to_tsc(wait));
	return wake;
}

/* For a moment, when there is nothing else to do. True: there is more. */
static bool clear_spare(void)
{
	u64 start = now_ns();
	bool more = !migration_busy();

	while (more && now_ns() - start < CLEAR_NS)
		more = spare_clear();
	return more;
}

/* The first CPU's work between the guests' turns. */
static u64 serve(void)
{
	bool busy = netdev_poll_all();

	report_first_entry();
	shell_poll();
	control_poll();
	busy |= guest_lines_poll();
	busy |= vm_serve();
	busy |= migration_poll();
	busy |= away_poll();
	switch_flush();
	if (busy)
		return 0;
	if (config.on_idle == ON_IDLE_EXIT && !shell_busy())
		end_when_idle();
	return clear_spare() ? 0 : next_look();
}

static void open_console(const struct boot_info *info)
{
	u16 port = info->console.port;

	if (serial_open(&console, port ? port : serial_port(1), console_queue,
			sizeof(console_queue)))
		console_init(&serial_console, &console);
}

static bool is_guest_line(unsigned com)
{
	for (unsigned i = 0; i < config.vms; i++) {
		if (config.vm[i].console_line == com)
			return true;
	}
	return false;
}

/* `json`: a line that is asked for must be there, COM2 may. */
static void open_control(void)
{
	bool asked = config.json >= JSON_COM1;
	unsigned com = asked ? config.json - JSON_COM1 + 1 : 2;
	u16 port = serial_port(com);

	if (config.json == JSON_NO ||
	    (!asked && (port == console.port || is_guest_line(com))))
		return;
	if (port == console.port)
		log_error("json: COM%u is the console", com);
	else if (is_guest_line(com))
		log_error("json: COM%u is a guest's console", com);
	else if (control_init(port, config.name))
		log_info("json: on COM%u", com);
	else if (asked)
		log_error("json: no UART at COM%u", com);
}

void kernel_main(const struct boot_info *info)
{
	cpu_init_bootstrap();
	open_console(info);
	check_boot_info(info);
	load_symbols(info);
	features_read();
	features_enable();
	introduce_machine(info);

	start_memory(info);
	acpi_init(info->rsdp);
	start_interrupts();

	/* The 10 ms that the other CPUs need after INIT calibrate our clock. */
	smp_init(info);
	time_init(info);
	wall_clock_init();
	introduce_time();
	choose_engine();
	start_engine();
	smp_start(ap_main);
	log_info("cpu: %u running", cpu_count());
	selftest(info);

	files_init(info);
	read_config();
	model_init();
	machine = &pc_machine;
	pci_init();
	netdev_probe(config.nic, config.nics);
	uplinks_attach();
	migration_init(&config.migration, config.name);
	log_info("%s: up in %lu us", config.name, now_ns() / NS_PER_US);
	open_control();
	start_vms();
	shell_init(&console, config.name, config.run);
	sched_loop(serve);
}
