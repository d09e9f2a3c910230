/* What may stand in each section of godwit.conf, and how it is read. */
#include "lib/printf.h"
#include "lib/string.h"
#include "shell/config_parser.h"

/* --- values: each kind writes its field, or says what it expected */

static err_t set_text(struct parser *p, const struct key *key, struct slice s,
		      void *field)
{
	if (!slice_copy(field, key->size, s))
		return config_fail(
			p, "%s: %zu characters are too many (at most %u)",
			key->name, s.n, key->size - 1);
	return E_OK;
}

static err_t set_name(struct parser *p, const struct key *key, struct slice s,
		      void *field)
{
	if (!is_name(s))
		return config_fail(
			p,
			"%s: \"%.*s\" is not a name (expected letters, "
			"digits and - _ .)",
			key->name, SHOWN(s));
	return set_text(p, key, s, field);
}

static err_t set_file(struct parser *p, const struct key *key, struct slice s,
		      void *field)
{
	if (!s.n)
		return config_fail(
			p, "%s: no file (expected like guests/hello.elf)",
			key->name);
	return set_text(p, key, s, field);
}

static err_t set_size(struct parser *p, const struct key *key, struct slice s,
		      void *field)
{
	u64 value;

	if (!slice_number(s, &value) || value < key->low)
		return config_fail(
			p,
			"%s: \"%.*s\" is not a size (expected like 64M, at "
			"least %luM)",
			key->name, SHOWN(s), (key->low >> 20));
	if (value > key->high || (value & PAGE_MASK))
		return config_fail(
			p,
			"%s: %.*s is not possible (expected a multiple of "
			"4K, at most %luG)",
			key->name, SHOWN(s), (key->high >> 30));
	memcpy(field, &value, sizeof(value));
	return E_OK;
}

static err_t set_number(struct parser *p, const struct key *key, struct slice s,
			void *field)
{
	unsigned value;
	u64 n;

	if (!slice_number(s, &n) || n < key->low || n > key->high)
		return config_fail(p,
				   "%s: \"%.*s\" is not a number from %u to %u",
				   key->name, SHOWN(s), (unsigned)key->low,
				   (unsigned)key->high);
	value = n;
	memcpy(field, &value, sizeof(value));
	return E_OK;
}

/* A ring's size. */
static err_t set_power(struct parser *p, const struct key *key, struct slice s,
		       void *field)
{
	u64 n;

	if (slice_number(s, &n) && (n & (n - 1)))
		return config_fail(
			p, "%s: %.*s is not a power of two (expected 256)",
			key->name, SHOWN(s));
	return set_number(p, key, s, field);
}

/* 00:02.0, 52:54:00:12:34:56: hexadecimal pairs, as PCI and MACs are shown. */
static bool is_like(struct slice s, const char *form)
{
	size_t n = strlen(form);

	if (s.n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s.at[i];
		bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

		if (form[i] == 'x' ? !digit : c != form[i])
			return false;
	}
	return true;
}

static err_t set_device(struct parser *p, const struct key *key, struct slice s,
			void *field)
{
	if (!equals(s, "first") && !is_like(s, "xx:xx.x") &&
	    !is_like(s, "xx:xx:xx:xx:xx:xx"))
		return config_fail(
			p,
			"%s: \"%.*s\" is no device (expected first, a place "
			"like 00:02.0, or a MAC address like "
			"52:54:00:12:34:56, in small letters)",
			key->name, SHOWN(s));
	return set_text(p, key, s, field);
}

/* The words, for an error: "auto, multiboot or flat". */
static void list_words(const char *const *words, char *text, size_t size)
{
	size_t used = 0;

	for (unsigned i = 0; words[i] && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s",
				 !i		? ""
				 : words[i + 1] ? ", "
						: " or ",
				 words[i]);
}

static err_t set_word(struct parser *p, const struct key *key, struct slice s,
		      void *field)
{
	char list[80];
	unsigned value;

	for (value = 0; key->words[value]; value++)
		if (equals(s, key->words[value]))
			break;
	if (!key->words[value]) {
		list_words(key->words, list, sizeof(list));
		return config_fail(p, "%s: \"%.*s\" is unknown (expected %s)",
				   key->name, SHOWN(s), list);
	}
	memcpy(field, &value, sizeof(value));
	return E_OK;
}

static err_t set_flag(struct parser *p, const struct key *key, struct slice s,
		      void *field)
{
	unsigned value = 0;
	err_t err = set_word(p, key, s, &value);

	if (!err)
		*(bool *)field = value;
	return err;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* What only one VM may have: `other` has it already. */
static err_t taken(struct parser *p, const struct key *key, struct slice s,
		   const struct vm_config *other)
{
	return config_fail(p, "%s: %.*s is [vm %s]'s", key->name, SHOWN(s),
			   other->name);
}

static err_t take_nics_mac(struct parser *p, const struct key *key,
			   struct slice s)
{
	for (const struct vm_config *vm = p->out->vm; vm < p->vm; vm++) {
		if (vm->mac_of_nic)
			return taken(p, key, s, vm);
	}
	p->vm->mac_of_nic = true;
	return E_OK;
}

/* A device's own address: of no group, and not zero. */
static err_t set_mac(struct parser *p, const struct key *key, struct slice s,
		     void *field)
{
	u8 mac[6], any = 0;
	bool good = s.n == 17;

	if (equals(s, "nic"))
		return take_nics_mac(p, key, s);
	for (unsigned i = 0; good && i < sizeof(mac); i++) {
		int high = hex_digit(s.at[3 * i]);
		int low = hex_digit(s.at[3 * i + 1]);

		good = high >= 0 && low >= 0 &&
		       (i == 5 || s.at[3 * i + 2] == ':');
		mac[i] = (u32)high << 4 | (u32)low;
		any |= mac[i];
	}
	if (!good || !any || (mac[0] & 1))
		return config_fail(
			p,
			"%s: \"%.*s\" is not the address of a device "
			"(expected like 02:67:64:01:02:03, or nic)",
			key->name, SHOWN(s));
	memcpy(field, mac, sizeof(mac));
	return E_OK;
}

static err_t set_line(struct parser *p, const struct key *key, struct slice s,
		      void *field)
{
	err_t err = set_word(p, key, s, field);

	for (const struct vm_config *vm = p->out->vm; !err && vm < p->vm; vm++)
		if (vm->console_line && vm->console_line == p->vm->console_line)
			err = taken(p, key, s, vm);
	return err;
}

static err_t set_module(struct parser *p, const struct key *key, struct slice s,
			void *field)
{
	struct vm_config *vm = p->vm;

	if (vm->modules == VM_MODULES)
		return config_fail(p, "%s: too many modules (at most %u)",
				   key->name, VM_MODULES);
	return set_file(p, key, s, vm->module[vm->modules++]);
}

/* An initrd is the first module, wherever its line is. */
static err_t set_initrd(struct parser *p, const struct key *key, struct slice s,
			void *field)
{
	struct vm_config *vm = p->vm;

	if (vm->modules == VM_MODULES)
		return config_fail(p, "%s: too many modules (at most %u)",
				   key->name, VM_MODULES);
	memmove(vm->module[1], vm->module[0],
		vm->modules++ * sizeof(vm->module[0]));
	return set_file(p, key, s, vm->module[0]);
}

/* --- the keys */

static const char *const log_words[] = {"debug", "info", "warn", "error", NULL};
static const char *const idle_words[] = {"wait", "exit", NULL};
static const char *const json_words[] = {"auto", "no",	 "com1", "com2",
					 "com3", "com4", NULL};
static const char *const line_words[] = {"none", "com1", "com2",
					 "com3", "com4", NULL};
static const char *const loader_words[] = {"auto",  "multiboot", "flat",
					   "linux", "pvh",	 NULL};
static const char *const reset_words[] = {"restart", "end", NULL};
static const char *const console_words[] = {"uart", "virtio", NULL};
static const char *const model_words[] = {"host", "baseline", NULL};
static const char *const role_words[] = {"lan", "migration", NULL};
static const char *const flag_words[] = {"no", "yes", NULL};

_Static_assert(LOG_DEBUG == 0 && LOG_ERROR == 3, "log_words' order");
_Static_assert(ON_IDLE_WAIT == 0 && ON_IDLE_EXIT == 1, "idle_words' order");
_Static_assert(ON_RESET_END == 1, "reset_words' order");
_Static_assert(JSON_COM1 == 2 && JSON_COM4 == 5, "json_words' order");
_Static_assert(MODEL_HOST == 0 && MODEL_BASELINE == 1, "model_words' order");
_Static_assert(LOADER_AUTO == 0 && LOADER_PVH == 4, "loader_words' order");
_Static_assert(CONSOLE_UART == 0 && CONSOLE_VIRTIO == 1,
	       "console_words' order");
_Static_assert(NETDEV_LAN == 0 && NETDEV_MIGRATION == 1, "role_words' order");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned) &&
		       sizeof(enum loader_kind) == sizeof(unsigned) &&
		       sizeof(enum cpu_model) == sizeof(unsigned) &&
		       sizeof(enum on_idle) == sizeof(unsigned) &&
		       sizeof(enum on_reset) == sizeof(unsigned) &&
		       sizeof(enum console_kind) == sizeof(unsigned) &&
		       sizeof(enum json_line) == sizeof(unsigned) &&
		       sizeof(enum netdev_role) == sizeof(unsigned) &&
		       sizeof(int) == sizeof(unsigned),
	       "set_word and set_number write an unsigned");

#define HOST(member) .offset = offsetof(struct config, member)
#define VM(member)   .offset = offsetof(struct vm_config, member)
#define NIC(member)  .offset = offsetof(struct netdev_options, member)

static const struct key host_keys[] = {
	{"name", set_name, HOST(name), .size = VM_NAME_MAX},
	{"log", set_word, HOST(log), .words = log_words},
	{"run", set_text, HOST(run), .size = CONFIG_RUN_MAX},
	{"on-idle", set_word, HOST(on_idle), .words = idle_words},
	{"json", set_word, HOST(json), .words = json_words},
	{NULL},
};

static const struct key vm_keys[] = {
	{"memory", set_size, VM(memory), .low = VM_MEMORY_MIN,
	 .high = CONFIG_MEMORY_MAX},
	{"cpus", set_number, VM(cpus), .low = 1, .high = VM_VCPUS},
	{"kernel", set_file, VM(kernel), .size = VM_TEXT_MAX},
	{"initrd", set_initrd, .size = VM_TEXT_MAX},
	{"module", set_module, .size = VM_TEXT_MAX, .repeats = true},
	{"cmdline", set_text, VM(cmdline), .size = VM_TEXT_MAX},
	{"loader", set_word, VM(loader), .words = loader_words},
	{"cpu-model", set_word, VM(cpu_model), .words = model_words},
	{"console", set_word, VM(console), .words = console_words},
	{"console-line", set_line, VM(console_line), .words = line_words},
	{"net", set_flag, VM(net), .words = flag_words},
	{"mac", set_mac, VM(mac)},
	{"mtu", set_number, VM(mtu), .low = CONFIG_MTU_MIN,
	 .high = CONFIG_MTU_MAX},
	{"autostart", set_flag, VM(autostart), .words = flag_words},
	{"populate", set_flag, VM(populate), .words = flag_words},
	{"on-reset", set_word, VM(on_reset), .words = reset_words},
	{"cpu", set_number, VM(host_cpu), .high = CONFIG_CPU_MAX},
	{"counters", set_flag, VM(counters), .words = flag_words},
	{NULL},
};

static const struct key nic_keys[] = {
	{"device", set_device, NIC(device),
	 .size = sizeof(((struct netdev_options *)0)->device)},
	{"role", set_word, NIC(role), .words = role_words},
	{"rx-ring", set_power, NIC(rx_ring), .low = NETDEV_RING_MIN,
	 .high = NETDEV_RING_MAX},
	{"tx-ring", set_power, NIC(tx_ring), .low = NETDEV_RING_MIN,
	 .high = NETDEV_RING_MAX},
	{"rx-buffers", set_number, NIC(rx_buffers), .low = 4,
	 .high = NETDEV_RING_MAX},
	{"frame-max", set_number, NIC(frame_max), .low = 1514,
	 .high = NETDEV_FRAME_MAX},
	{"loopback", set_flag, NIC(loopback), .words = flag_words},
	{NULL},
};

static err_t set_codecs(struct parser *p, const struct key *key, struct slice s,
			void *field)
{
	unsigned bits;

	if (!migration_codecs(s.at, s.n, &bits))
		return config_fail(
			p,
			"%s: \"%.*s\" is unknown (expected all, none "
			"or some of word,delta,lz4)",
			key->name, SHOWN(s));
	memcpy(field, &bits, sizeof(bits));
	return E_OK;
}

/* Bytes: 25M. */
static err_t set_bytes(struct parser *p, const struct key *key, struct slice s,
		       void *field)
{
	u64 value;

	if (!slice_number(s, &value) || value > key->high)
		return config_fail(p,
				   "%s: \"%.*s\" is no number of bytes "
				   "(expected like 25M, at most %luM)",
				   key->name, SHOWN(s), key->high >> 20);
	memcpy(field, &value, sizeof(value));
	return E_OK;
}

static const char *const listen_words[] = {"auto", "no", "yes", NULL};

#define MIGRATE(member) .offset = offsetof(struct migration_config, member)

static const struct key migrate_keys[] = {
	{"key", set_text, MIGRATE(key), .size = MIGRATION_KEY_MAX},
	{"listen", set_word, MIGRATE(listen), .words = listen_words},
	{"security", set_word, MIGRATE(options.security),
	 .words = migration_securities},
	{"policy", set_word, MIGRATE(options.policy),
	 .words = migration_policies},
	{"downtime", set_number, MIGRATE(options.downtime), .low = 1,
	 .high = MIGRATION_DOWNTIME_MAX},
	{"rounds", set_number, MIGRATE(options.rounds), .low = 1,
	 .high = MIGRATION_ROUNDS_MAX},
	{"dirty", set_word, MIGRATE(options.dirty), .words = migration_ways},
	{"codecs", set_codecs, MIGRATE(options.codecs)},
	{"cache", set_bytes, MIGRATE(options.cache),
	 .high = MIGRATION_CACHE_MAX},
	{"limit", set_bytes, MIGRATE(options.limit), .high = GIB(1000)},
	{"buffers", set_number, MIGRATE(buffers), .high = 256},
	{"show-keys", set_flag, MIGRATE(show_keys), .words = flag_words},
	{"both-ends", set_flag, MIGRATE(both_ends), .words = flag_words},
	{NULL},
};

static err_t unknown_key(struct parser *p, const struct key *keys,
			 struct slice name)
{
	const char *words[ARRAY_LEN(vm_keys) + 1];
	char list[200];
	unsigned n = 0;

	for (; keys[n].name; n++)
		words[n] = keys[n].name;
	words[n] = NULL;
	list_words(words, list, sizeof(list));
	return config_fail(p, "%.*s: no such key in %s (expected %s)",
			   SHOWN(name),
			   p->vm	   ? "a VM"
			   : p->nic	   ? "a NIC"
			   : p->in_migrate ? "[migrate]"
					   : "[host]",
			   list);
}

err_t config_set(struct parser *p, struct slice name, struct slice value)
{
	const struct key *keys = p->vm		 ? vm_keys
				 : p->nic	 ? nic_keys
				 : p->in_migrate ? migrate_keys
						 : host_keys;
	u8 *base = p->vm	   ? (u8 *)p->vm
		   : p->nic	   ? (u8 *)p->nic
		   : p->in_migrate ? (u8 *)&p->out->migration
				   : (u8 *)p->out;
	unsigned i = 0;

	while (keys[i].name && !equals(name, keys[i].name))
		i++;
	if (!keys[i].name)
		return unknown_key(p, keys, name);
	if ((p->keys_seen & BIT(i)) && !keys[i].repeats)
		return config_fail(p, "%s: given twice", keys[i].name);
	p->keys_seen |= BIT(i);
	return keys[i].set(p, &keys[i], value, base + keys[i].offset);
}
