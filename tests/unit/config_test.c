/*
 * The configuration file: what is read from good ones, and the exact words for
 * bad ones.
 *
 *	links: kernel/shell/config.c kernel/shell/config_keys.c
 *	links: kernel/shell/config_words.c kernel/lib/string.c
 *	links: kernel/migration/options.c
 */
#include "tests/unit/parse_config.h"

#include <stdio.h>

TEST(empty_has_the_defaults)
{
	good("");
	CHECK_STR(config.name, "godwit");
	CHECK_EQ(config.log, LOG_INFO);
	CHECK_STR(config.run, "");
	CHECK_EQ(config.on_idle, ON_IDLE_WAIT);
	CHECK_EQ(config.vms, 0);
	good("\n\n# nothing\n   \n\t# at all");
	CHECK_EQ(config.vms, 0);
}

TEST(every_key)
{
	const struct vm_config *vm = &config.vm[0];

	good("[host]\n"
	     "name = alpha\n"
	     "log = debug\n"
	     "run = vm list; exits\n"
	     "on-idle = exit\n"
	     "[vm hello-1.x_Y]\n"
	     "memory = 0x30M\n"
	     "cpus = 8\n"
	     "kernel = guests/hello.elf\n"
	     "module = b.bin one two\n"
	     "initrd = a.img quiet\n"
	     "module = c\n"
	     "cmdline = a = b  \"c\"#d\n"
	     "loader = flat\n"
	     "autostart = no\n"
	     "on-reset = end\n"
	     "populate = yes\n"
	     "counters = yes\n"
	     "cpu = 3\n");
	CHECK_STR(config.name, "alpha");
	CHECK_EQ(config.log, LOG_DEBUG);
	CHECK_STR(config.run, "vm list; exits");
	CHECK_EQ(config.on_idle, ON_IDLE_EXIT);
	CHECK_EQ(config.vms, 1);
	CHECK_STR(vm->name, "hello-1.x_Y");
	CHECK_EQ(vm->memory, MIB(48));
	CHECK_EQ(vm->cpus, 8);
	CHECK_STR(vm->kernel, "guests/hello.elf");
	CHECK_EQ(vm->modules, 3);
	CHECK_STR(vm->module[0], "a.img quiet");
	CHECK_STR(vm->module[1], "b.bin one two");
	CHECK_STR(vm->module[2], "c");
	CHECK_STR(vm->cmdline, "a = b  \"c\"#d");
	CHECK_EQ(vm->loader, LOADER_FLAT);
	CHECK_EQ(vm->autostart, false);
	CHECK_EQ(vm->on_reset, ON_RESET_END);
	CHECK_EQ(vm->populate, true);
	CHECK_EQ(vm->counters, true);
	CHECK_EQ(vm->host_cpu, 3);
}

TEST(vm_defaults)
{
	good(VM_LINES);
	CHECK_EQ(config.vm[0].memory, MIB(64));
	CHECK_EQ(config.vm[0].cpus, 1);
	CHECK_EQ(config.vm[0].modules, 0);
	CHECK_STR(config.vm[0].cmdline, "");
	CHECK_EQ(config.vm[0].loader, LOADER_AUTO);
	CHECK_EQ(config.vm[0].autostart, true);
	CHECK_EQ(config.vm[0].counters, false);
	CHECK_EQ(config.vm[0].on_reset, ON_RESET_RESTART);
	CHECK_EQ(config.vm[0].host_cpu, -1);
}

TEST(each_word)
{
	static const char *const logs[] = {"debug", "info", "warn", "error"};
	char text[80];

	for (unsigned i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "[host]\nlog=%s", logs[i]);
		good(text);
		CHECK_EQ(config.log, i);
	}
	good(VM_LINES "cpu-model = baseline");
	CHECK_EQ(config.vm[0].cpu_model, MODEL_BASELINE);
	good(VM_LINES "loader=multiboot\nautostart=yes");
	CHECK_EQ(config.vm[0].loader, LOADER_MULTIBOOT);
	CHECK_EQ(config.vm[0].autostart, true);
	good("[host]\non-idle=wait\n" VM_LINES "loader=auto");
	CHECK_EQ(config.on_idle, ON_IDLE_WAIT);
	CHECK_EQ(config.vm[0].loader, LOADER_AUTO);
	CHECK_EQ(config.vm[0].console, CONSOLE_UART);
	good(VM_LINES "console = virtio");
	CHECK_EQ(config.vm[0].console, CONSOLE_VIRTIO);
}

TEST(network_cards)
{
	u8 mac[6];

	good(VM_LINES);
	CHECK(!config.vm[0].net);
	CHECK_EQ(config.vm[0].mtu, 1500);
	good(VM_LINES "net = yes\nmac = 52:54:00:aB:Cd:ef\nmtu = 9000");
	CHECK(config.vm[0].net);
	CHECK_MEM(config.vm[0].mac, "\x52\x54\x00\xab\xcd\xef", 6);
	CHECK_EQ(config.vm[0].mtu, 9000);
	CHECK(!config.vm[0].mac_of_nic);
	good(VM_LINES "mac = nic");
	CHECK(config.vm[0].mac_of_nic);
	CHECK_EQ(config.vm[0].mac[0], 0x02); /* for want of a NIC */
	/* Chosen by both names, wherever the host's stands. */
	good("[vm a]\nkernel = k\n[vm b]\nkernel = k\n[host]\nname = h");
	CHECK_EQ(config.vm[0].mac[0], 0x02);
	CHECK(memcmp(config.vm[0].mac, config.vm[1].mac, 6));
	memcpy(mac, config.vm[1].mac, 6);
	good("[host]\nname = h\n[vm b]\nkernel = k");
	CHECK_MEM(config.vm[0].mac, mac, 6);
	good("[host]\nname = other\n[vm b]\nkernel = k");
	CHECK(memcmp(config.vm[0].mac, mac, 6));
}

TEST(bad_network_cards)
{
	static const char *const bad_macs[] = {
		"",
		"1",
		"52:54:00:12:34",
		"52:54:00:12:34:5g",
		"52-54-00-12-34-56",
		"52:54:00:12:34:567",
		"01:00:5e:00:00:01",
		"ff:ff:ff:ff:ff:ff",
		"00:00:00:00:00:00",
	};
	char text[100], want[160];

	for (unsigned i = 0; i < ARRAY_LEN(bad_macs); i++) {
		snprintf(text, sizeof(text), "[vm a]\nmac = %s", bad_macs[i]);
		snprintf(want, sizeof(want),
			 "godwit.conf:2: mac: \"%s\" is not the address of a "
			 "device (expected like 02:67:64:01:02:03, or nic)",
			 bad_macs[i]);
		bad(text, want);
	}
	bad(VM_LINES "mac = nic\n[vm b]\nmac = nic",
	    "godwit.conf:5: mac: nic is [vm a]'s");
	bad("[vm a]\nmtu = 67",
	    "godwit.conf:2: mtu: \"67\" is not a number from 68 to 65517");
}

TEST(console_lines)
{
	good(VM_LINES);
	CHECK_EQ(config.vm[0].console_line, 0);
	good(VM_LINES "console-line = com1\n[vm b]\nkernel = k\n"
		      "console-line = com4");
	CHECK_EQ(config.vm[0].console_line, 1);
	CHECK_EQ(config.vm[1].console_line, 4);
	good(VM_LINES "console-line = none\n[vm b]\nkernel = k\n"
		      "console-line = none");
	bad(VM_LINES "console-line = com5",
	    "godwit.conf:3: console-line: \"com5\" is unknown (expected none, "
	    "com1, com2, com3 or com4)");
	bad(VM_LINES "console-line = com3\n[vm b]\nconsole-line = com3",
	    "godwit.conf:5: console-line: com3 is [vm a]'s");
}

TEST(blanks_ends_of_line_and_comments)
{
	good("\t[ vm\t a ]  # first\r\n"
	     "  kernel\t=\t k  # second\r\n"
	     "cmdline =   spaced   out \r\n"
	     "# third \x01\xff\r\n"
	     "[vm b] #c]\n"
	     "kernel=k#1");
	CHECK_EQ(config.vms, 2);
	CHECK_STR(config.vm[0].kernel, "k");
	CHECK_STR(config.vm[0].cmdline, "spaced   out");
	CHECK_STR(config.vm[1].kernel, "k#1");
}

TEST(byte_order_mark)
{
	good("\xef\xbb\xbf" VM_LINES);
	CHECK_EQ(config.vms, 1);
	bad("\xef\xbb" VM_LINES,
	    "godwit.conf:1: byte 0xef in column 1 (expected plain text)");
}

TEST(limits_are_reached)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "[vm %023d]\nkernel=%0255d\ncmdline=%0255d", 1, 2, 3);
	good(text);
	CHECK_EQ(strlen(config.vm[0].name), VM_NAME_MAX - 1);
	CHECK_EQ(strlen(config.vm[0].kernel), VM_TEXT_MAX - 1);
	good(VM_LINES "memory=1M\ncpus=1\ncpu=0");
	good(VM_LINES "memory=512G\ncpu=255");
	CHECK_EQ(config.vm[0].memory, GIB(512));
	good(VM_LINES "memory=1048576");
	CHECK_EQ(config.vm[0].memory, MIB(1));
	good(VM_LINES "initrd=a\nmodule=b\nmodule=c\nmodule=d");
	CHECK_EQ(config.vm[0].modules, 4);
	CHECK_STR(config.vm[0].module[3], "d");
}

TEST(many_vms)
{
	char text[4096], expected[80];
	size_t used = 0;

	for (unsigned i = 0; i < VMS_MAX; i++)
		used += snprintf(text + used, sizeof(text) - used,
				 "[vm v%u]\nkernel=k%u\n", i, i);
	good(text);
	CHECK_EQ(config.vms, VMS_MAX);
	snprintf(expected, sizeof(expected), "k%u", VMS_MAX - 1);
	CHECK_STR(config.vm[VMS_MAX - 1].kernel, expected);
	snprintf(text + used, sizeof(text) - used, "[vm more]\nkernel=k\n");
	snprintf(expected, sizeof(expected),
		 "godwit.conf:%u: [vm more]: too many VMs (at most %u)",
		 2 * VMS_MAX + 1, VMS_MAX);
	bad(text, expected);
}

TEST(bad_sizes)
{
	static const char *const values[] = {"64Q",
					     "",
					     "M",
					     "64 M",
					     "-1",
					     "1K",
					     "0",
					     "1048575",
					     "0x",
					     "64MB",
					     "99999999999999999999"};
	char text[100], expected[200];

	for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
		snprintf(text, sizeof(text), "%smemory = %s\n", VM_LINES,
			 values[i]);
		snprintf(
			expected, sizeof(expected),
			"godwit.conf:3: memory: \"%s\" is not a size (expected "
			"like 64M, at least 1M)",
			values[i]);
		bad(text, expected);
	}
	bad(VM_LINES "memory = 513G",
	    "godwit.conf:3: memory: 513G is not possible (expected a multiple "
	    "of 4K, at most 512G)");
	bad(VM_LINES "memory = 2098K",
	    "godwit.conf:3: memory: 2098K is not possible (expected a multiple "
	    "of 4K, at most 512G)");
}

TEST(bad_numbers)
{
	bad(VM_LINES "cpus = 9",
	    "godwit.conf:3: cpus: \"9\" is not a number from 1 to 8");
	bad(VM_LINES "cpus = 0",
	    "godwit.conf:3: cpus: \"0\" is not a number from 1 to 8");
	bad(VM_LINES "cpus = two",
	    "godwit.conf:3: cpus: \"two\" is not a number from 1 to 8");
	bad(VM_LINES "cpus =",
	    "godwit.conf:3: cpus: \"\" is not a number from 1 to 8");
	bad(VM_LINES "cpu = 256",
	    "godwit.conf:3: cpu: \"256\" is not a number from 0 to 255");
	bad(VM_LINES "cpu = 4294967297",
	    "godwit.conf:3: cpu: \"4294967297\" is not a number from 0 to 255");
}

TEST(bad_words)
{
	bad(VM_LINES "loader = elf",
	    "godwit.conf:3: loader: \"elf\" is unknown (expected auto, "
	    "multiboot, flat, linux or pvh)");
	bad(VM_LINES "on-reset = again", "godwit.conf:3: on-reset: \"again\" "
					 "is unknown (expected restart or "
					 "end)");
	bad(VM_LINES "autostart = Yes",
	    "godwit.conf:3: autostart: \"Yes\" is unknown (expected no or "
	    "yes)");
	bad("[host]\nlog = all",
	    "godwit.conf:2: log: \"all\" is unknown (expected debug, info, "
	    "warn or error)");
	bad("[host]\non-idle =",
	    "godwit.conf:2: on-idle: \"\" is unknown (expected wait or exit)");
}

TEST(bad_names_and_files)
{
	bad("[host]\nname = two words",
	    "godwit.conf:2: name: \"two words\" is not a name (expected "
	    "letters, digits and - _ .)");
	bad("[host]\nname =",
	    "godwit.conf:2: name: \"\" is not a name (expected letters, digits "
	    "and - _ .)");
	bad("[host]\nname = a-name-that-is-too-long-x",
	    "godwit.conf:2: name: 25 characters are too many (at most 23)");
	bad(VM_LINES "module =",
	    "godwit.conf:3: module: no file (expected like guests/hello.elf)");
	bad("[vm a]\nkernel =",
	    "godwit.conf:2: kernel: no file (expected like guests/hello.elf)");
	bad(VM_LINES "initrd=1\nmodule=2\nmodule=3\nmodule=4\nmodule=5",
	    "godwit.conf:7: module: too many modules (at most 4)");
	bad(VM_LINES "module=1\nmodule=2\nmodule=3\nmodule=4\ninitrd=5",
	    "godwit.conf:7: initrd: too many modules (at most 4)");
}

TEST(too_long_texts)
{
	char text[1000];

	snprintf(text, sizeof(text), "%scmdline=%0256d", VM_LINES, 0);
	bad(text,
	    "godwit.conf:3: cmdline: 256 characters are too many (at most "
	    "255)");
	snprintf(text, sizeof(text), "[host]\nrun = %0512d", 0);
	bad(text,
	    "godwit.conf:2: run: 512 characters are too many (at most 511)");
	/* What an error shows of a value is short. */
	snprintf(text, sizeof(text), "%smemory=%0300d", VM_LINES, 0);
	bad(text, "godwit.conf:3: memory: "
		  "\"0000000000000000000000000000000000000000\" is not a size "
		  "(expected like 64M, at least 1M)");
}

TEST(bad_keys)
{
	bad("[host]\nmemory = 64M",
	    "godwit.conf:2: memory: no such key in [host] (expected name, log, "
	    "run, on-idle or json)");
	bad("[vm a]\nram = 64M",
	    "godwit.conf:2: ram: no such key in a VM (expected memory, cpus, "
	    "kernel, initrd, module, cmdline, loader, cpu-model, console, "
	    "console-line, net, mac, mtu, autostart, populate, on-reset, "
	    "cpu or counters)");
	bad("[vm a]\n = 64M",
	    "godwit.conf:2: : no such key in a VM (expected memory, cpus, "
	    "kernel, initrd, module, cmdline, loader, cpu-model, console, "
	    "console-line, net, mac, mtu, autostart, populate, on-reset, "
	    "cpu or counters)");
	bad("[vm a]\nkernel", "godwit.conf:2: \"kernel\" is no setting "
			      "(expected key = value)");
	bad("memory = 64M", "godwit.conf:1: memory: before any section "
			    "(expected [host] or [vm NAME] first)");
}

TEST(twice)
{
	bad(VM_LINES "cpus=1\n\ncpus=2", "godwit.conf:5: cpus: given twice");
	bad(VM_LINES "initrd=1\ninitrd=2",
	    "godwit.conf:4: initrd: given twice");
	bad("[host]\n[host]", "godwit.conf:2: [host]: given twice");
	bad(VM_LINES "[vm b]\nkernel=k\n" VM_LINES,
	    "godwit.conf:5: [vm a]: given twice");
	/* The same key in another section is another key. */
	good(VM_LINES "cpus=1\n[vm b]\nkernel=k\ncpus=1");
}

TEST(bad_sections)
{
	bad("[guest a]", "godwit.conf:1: [guest a]: no such section (expected "
			 "[host], [migrate], [nic NAME] or [vm NAME])");
	bad("[vm]", "godwit.conf:1: [vm]: no such section (expected [host], "
		    "[migrate], [nic NAME] or [vm NAME])");
	bad("[vma]", "godwit.conf:1: [vma]: no such section (expected [host], "
		     "[migrate], [nic NAME] or [vm NAME])");
	bad("[]", "godwit.conf:1: []: no such section (expected [host], "
		  "[migrate], [nic NAME] or [vm NAME])");
	bad("[vm a", "godwit.conf:1: [vm a: the section has no ] at its end");
	bad("[", "godwit.conf:1: [: the section has no ] at its end");
	bad("[vm a b]", "godwit.conf:1: [vm a b]: not a name (expected "
			"letters, digits and - _ .)");
	bad("[vm a-name-that-is-too-long-x]",
	    "godwit.conf:1: [vm a-name-that-is-too-long-x]: 25 characters are "
	    "too many (at most 23)");
}

TEST(no_kernel)
{
	static const char expected[] =
		"godwit.conf:2: [vm a]: no kernel (expected a line like "
		"kernel = guests/hello.elf)";

	bad("\n[vm a]\nmemory=1M\n", expected);
	bad("\n[vm a]\nmemory=1M\n[host]\n", expected);
	bad("\n[vm a]\nmemory=1M\n[vm b]\nkernel=k\n", expected);
}

TEST(garbage)
{
	static const char zero[] = "[host]\nna\0me = a\n";

	CHECK_EQ(parse_bytes(zero, sizeof(zero) - 1), E_FORMAT);
	CHECK_STR(error, "godwit.conf:2: byte 0x00 in column 3 (expected plain "
			 "text)");
	bad("[host]\nname = \xc3\xa4\n",
	    "godwit.conf:2: byte 0xc3 in column 8 (expected plain text)");
	bad("[host]\rname = a\n",
	    "godwit.conf:1: byte 0x0d in column 7 (expected plain text)");
	bad("\x7f"
	    "ELF",
	    "godwit.conf:1: byte 0x7f in column 1 (expected "
	    "plain text)");
}

TEST(error_space_is_kept)
{
	char small[24];

	for (size_t size = 1; size <= sizeof(small); size++) {
		memset(small, 'x', sizeof(small));
		CHECK_EQ(config_parse("nonsense", 8, &config, small, size),
			 E_FORMAT);
		CHECK_EQ(strlen(small), size - 1);
		CHECK(!strncmp("godwit.conf:1: \"nonsense\"", small, size - 1));
	}
}

/* Nothing but the sanitizers' word, and that an error always has a text. */
TEST(mutated_files)
{
	static const char seed_text[] =
		"[host]\nname = alpha\nlog = warn\n# c\n[vm a]\nmemory = 64M\n"
		"cpus = 2\nkernel = guests/a.elf\ninitrd = i x\nmodule = m y\n"
		"cmdline = c d e\nloader = auto\nautostart = yes\ncpu = 1\n"
		"console = virtio\n";
	static const char dictionary[] = "[]=# \n\r\tvm01MG.\0\xff";
	u64 seed = 1;

	for (unsigned i = 0; i < 200000; i++) {
		char text[sizeof(seed_text)];
		size_t size = sizeof(text) - 1;

		memcpy(text, seed_text, sizeof(text));
		for (unsigned n = 0; n < 1 + i % 6; n++) {
			seed = seed * 6364136223846793005ULL + 1;
			text[(seed >> 33) % size] =
				dictionary[(seed >> 20) %
					   (sizeof(dictionary) - 1)];
		}
		if (i % 3 == 0)
			size = (seed >> 40) % size;
		if (parse_bytes(text, size))
			CHECK(!strncmp(error, "godwit.conf:", 12));
		else
			CHECK_STR(error, "");
		CHECK(config.vms <= VMS_MAX);
		for (unsigned n = 0; n < config.vms; n++)
			CHECK(config.vm[n].modules <= VM_MODULES);
	}
}
