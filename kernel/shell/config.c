#include "shell/config.h"

#include "lib/printf.h"
#include "lib/string.h"
#include "migrate/wire.h"
#include "shell/config_parser.h"

/* --- sections */

static err_t end_section(struct parser *p)
{
	if (p->vm && !p->vm->kernel[0])
		return config_fail_section(
			p,
			"[vm %s]: no kernel (expected a line like "
			"kernel = guests/hello.elf)",
			p->vm->name);
	return E_OK;
}

static void begin_section(struct parser *p, struct vm_config *vm,
			  struct netdev_options *nic)
{
	p->vm = vm;
	p->nic = nic;
	p->in_migrate = false;
	p->in_section = true;
	p->keys_seen = 0;
	p->section_line = p->line;
}

static err_t begin_host(struct parser *p)
{
	if (p->host_seen)
		return config_fail(p, "[host]: given twice");
	p->host_seen = true;
	begin_section(p, NULL, NULL);
	return E_OK;
}

static err_t begin_migrate(struct parser *p)
{
	if (p->migrate_seen)
		return config_fail(p, "[migrate]: given twice");
	begin_section(p, NULL, NULL);
	p->migrate_seen = p->in_migrate = true;
	return E_OK;
}

static err_t begin_vm(struct parser *p, struct slice name)
{
	struct config *out = p->out;
	struct vm_config *vm = &out->vm[out->vms];

	if (!is_name(name))
		return config_fail(
			p,
			"[vm %.*s]: not a name (expected letters, digits "
			"and - _ .)",
			SHOWN(name));
	if (name.n >= VM_NAME_MAX)
		return config_fail(
			p,
			"[vm %.*s]: %zu characters are too many (at most "
			"%u)",
			SHOWN(name), name.n, VM_NAME_MAX - 1);
	for (unsigned i = 0; i < out->vms; i++)
		if (equals(name, out->vm[i].name))
			return config_fail(p, "[vm %.*s]: given twice",
					   SHOWN(name));
	if (out->vms == VMS_MAX)
		return config_fail(p, "[vm %.*s]: too many VMs (at most %u)",
				   SHOWN(name), VMS_MAX);
	out->vms++;
	slice_copy(vm->name, sizeof(vm->name), name);
	vm->memory = MIB(64);
	vm->cpus = 1;
	vm->autostart = true;
	vm->host_cpu = -1;
	vm->mtu = 1500;
	begin_section(p, vm, NULL);
	return E_OK;
}

static err_t begin_nic(struct parser *p, struct slice name)
{
	struct config *out = p->out;
	struct netdev_options *nic = &out->nic[out->nics];

	if (!is_name(name) || name.n >= sizeof(nic->name))
		return config_fail(p,
				   "[nic %.*s]: not a name (expected up to %zu "
				   "letters, digits and - _ .)",
				   SHOWN(name), sizeof(nic->name) - 1);
	for (unsigned i = 0; i < out->nics; i++)
		if (equals(name, out->nic[i].name))
			return config_fail(p, "[nic %.*s]: given twice",
					   SHOWN(name));
	if (out->nics == NETDEVS_MAX)
		return config_fail(p, "[nic %.*s]: too many NICs (at most %u)",
				   SHOWN(name), NETDEVS_MAX);
	out->nics++;
	slice_copy(nic->name, sizeof(nic->name), name);
	copy_string(nic->device, sizeof(nic->device), "first");
	begin_section(p, NULL, nic);
	return E_OK;
}

/* What follows a section's word, if it is this one. */
static bool section_name(struct slice inner, const char *word,
			 struct slice *name)
{
	size_t n = strlen(word);

	if (inner.n <= n || memcmp(inner.at, word, n) || !is_blank(inner.at[n]))
		return false;
	*name = trim((struct slice){inner.at + n, inner.n - n});
	return true;
}

static err_t parse_section(struct parser *p, struct slice s)
{
	struct slice inner, name;
	err_t err = end_section(p);

	if (err)
		return err;
	if (s.n < 2 || s.at[s.n - 1] != ']')
		return config_fail(p, "%.*s: the section has no ] at its end",
				   SHOWN(s));
	inner = trim((struct slice){s.at + 1, s.n - 2});
	if (equals(inner, "host"))
		return begin_host(p);
	if (equals(inner, "migrate"))
		return begin_migrate(p);
	if (section_name(inner, "vm", &name))
		return begin_vm(p, name);
	if (section_name(inner, "nic", &name))
		return begin_nic(p, name);
	return config_fail(
		p,
		"%.*s: no such section (expected [host], [migrate], [nic NAME] "
		"or [vm NAME])",
		SHOWN(s));
}

/* --- lines */

/* Cuts a comment off: a # at the start or after a blank. */
static struct slice strip_comment(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] == '#' && (!i || is_blank(s.at[i - 1])))
			s.n = i;
	return trim(s);
}

static err_t check_text(struct parser *p, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		u8 c = s.at[i];

		if ((c < ' ' && c != '\t') || c >= 0x7f)
			return config_fail(
				p,
				"byte 0x%02x in column %zu (expected plain "
				"text)",
				c, i + 1);
	}
	return E_OK;
}

static err_t parse_line(struct parser *p, struct slice line)
{
	struct slice s = strip_comment(line), name = s, value;
	size_t equal = 0;
	err_t err =
		check_text(p, (struct slice){line.at, s.at + s.n - line.at});

	if (err || !s.n)
		return err;
	if (s.at[0] == '[')
		return parse_section(p, s);
	while (equal < s.n && s.at[equal] != '=')
		equal++;
	if (equal == s.n)
		return config_fail(
			p, "\"%.*s\" is no setting (expected key = value)",
			SHOWN(s));
	name.n = equal;
	value = (struct slice){s.at + equal + 1, s.n - equal - 1};
	if (!p->in_section)
		return config_fail(
			p,
			"%.*s: before any section (expected [host] or [vm "
			"NAME] first)",
			SHOWN(trim(name)));
	return config_set(p, trim(name), trim(value));
}

/* Editors may have put a byte order mark in front. */
static size_t skip_mark(const char *text, size_t size)
{
	return size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

static u64 hash(u64 h, const char *text)
{
	/* FNV-1a, the terminating zero with it. */
	do
		h = (h ^ (u8)*text) * 0x100000001b3;
	while (*text++);
	return h;
}

/* Locally administered; the same at every start, and on no other host. */
static void choose_macs(struct config *out)
{
	for (unsigned i = 0; i < out->vms; i++) {
		struct vm_config *vm = &out->vm[i];
		u64 h = hash(hash(0xcbf29ce484222325, out->name), vm->name);
		bool given = false;

		for (unsigned n = 0; n < sizeof(vm->mac); n++)
			given |= vm->mac[n];
		if (given)
			continue;
		vm->mac[0] = 0x02;
		for (unsigned n = 1; n < sizeof(vm->mac); n++)
			vm->mac[n] = h >> 8 * n;
	}
}

err_t config_parse(const char *text, size_t size, struct config *out,
		   char *error, size_t error_size)
{
	struct parser p = {
		.out = out, .error = error, .error_size = error_size};

	memset(out, 0, sizeof(*out));
	copy_string(out->name, sizeof(out->name), "godwit");
	out->log = LOG_INFO;
	out->migration.options = (struct migration_options){
		.downtime = 50, .rounds = 30, .security = WIRE_ENCRYPT};
	migration_codecs("all", 3, &out->migration.options.codecs);
	for (size_t at = skip_mark(text, size); at < size; at++) {
		struct slice line = {text + at, 0};
		err_t err;

		while (at < size && text[at] != '\n')
			at++;
		line.n = text + at - line.at;
		if (line.n && line.at[line.n - 1] == '\r')
			line.n--;
		p.line++;
		err = parse_line(&p, line);
		if (err)
			return err;
	}
	choose_macs(out);
	return end_section(&p);
}
