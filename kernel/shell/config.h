/*
 * The configuration file, godwit.conf:
 *
 *	# A comment begins a line or follows a blank.
 *	[host]
 *	name = alpha		# letters, digits, - _ .
 *	log = info		# or debug, warn, error
 *	run = vm list; info	# shell commands at start
 *	on-idle = wait		# or exit: when every autostarted VM has ended
 *	json = auto		# or no, com1 to com4: the line for programs
 *
 *	[vm hello]
 *	kernel = guests/hello.elf	# the only key a VM must have
 *	memory = 64M
 *	cpus = 1
 *	initrd = FILE words		# a module, the first; once
 *	module = FILE words		# may repeat
 *	cmdline = words
 *	cpu-model = host		# or baseline
 *	loader = auto			# or multiboot, flat, linux, pvh
 *	console = uart			# or virtio: where typing goes
 *	console-line = none		# or com1 to com4: its own
 *	net = no			# or yes: at the host's switch
 *	mac = 02:67:64:01:02:03		# left out: from host's and VM's name
 *					# nic: the first NIC's
 *	mtu = 1500
 *	autostart = yes			# or no
 *	populate = no			# or yes: all memory at the start
 *	on-reset = restart		# or end
 *	cpu = 1				# host CPU; left out: spread
 *	counters = no			# or yes: it sees what exits cost
 *
 *	[nic lan]			# a network device of the host
 *	device = first			# or 00:02.0, or its MAC address
 *	role = lan			# or migration: not at the switch
 *	frame-max = 1514		# left out: what the device is made for
 *	rx-ring = 256
 *	tx-ring = 256
 *	rx-buffers = 256		# left out: the ring's size, 8 MiB
 *	loopback = no			# or yes: gets what it sends
 *
 *	[migrate]			# how VMs move to other hosts
 *	key = words			# the same on all hosts
 *	listen = auto			# or no, yes: VMs may come
 *	security = encrypt		# or authenticate, none
 *	policy = downtime		# or classic, fixed, stop-and-copy
 *	downtime = 50			# ms that the policy aims at
 *	rounds = 30
 *	dirty = best			# or wp, dbit, pml
 *	codecs = all			# or none, or like word,lz4
 *	cache = 0			# bytes, of the delta codec
 *	limit = 0			# bytes per second; 0: none
 *	buffers = 0			# frames to be sent; 0: 4 MiB of them
 *	both-ends = no			# or yes: VMs move to this same host
 *
 * What is not given is as shown, text is empty, the host is called godwit. The
 * parser touches nothing but its arguments.
 */
#ifndef SHELL_CONFIG_H
#define SHELL_CONFIG_H

#include "drivers/netdev.h"
#include "lib/error.h"
#include "lib/log.h"
#include "lib/types.h"
#include "migration/migration.h"
#include "vm/vm.h"

#define CONFIG_RUN_MAX	  512
#define CONFIG_MEMORY_MAX GIB(512)
#define CONFIG_CPU_MAX	  255
#define CONFIG_MTU_MIN	  68	/* RFC 791 */
#define CONFIG_MTU_MAX	  65517 /* a frame of 64 KiB with its headers */

enum on_idle { ON_IDLE_WAIT, ON_IDLE_EXIT };

/* auto: COM2, if there is one. */
enum json_line { JSON_AUTO, JSON_NO, JSON_COM1, JSON_COM4 = JSON_COM1 + 3 };

struct config {
	char name[VM_NAME_MAX];
	enum log_level log;
	char run[CONFIG_RUN_MAX];
	enum on_idle on_idle;
	enum json_line json;
	struct vm_config vm[VMS_MAX];
	unsigned vms;
	struct netdev_options nic[NETDEVS_MAX];
	unsigned nics;
	struct migration_config migration;
};

/*
 * E_FORMAT: *out is void, and error says which line and key are wrong and what
 * was expected ("godwit.conf:12: memory: ..."). An empty text is well-formed.
 */
err_t config_parse(const char *text, size_t size, struct config *out,
		   char *error, size_t error_size);

#endif
