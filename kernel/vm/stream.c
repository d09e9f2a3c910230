#include "vm/stream.h"

#include <stdarg.h>

#include "lib/printf.h"
#include "lib/string.h"

struct stream_head {
	char magic[8];
	u32 version, zero;
};
ASSERT_SIZE(struct stream_head, 16);

struct record_head {
	char name[STREAM_NAME_SIZE];
	u16 instance, version, fields, zero;
	u32 size, zero2;
};
ASSERT_SIZE(struct record_head, 32);

struct field_head {
	u16 number, size, count, sent;
};
ASSERT_SIZE(struct field_head, 8);

static const char magic[8] = {'g', 'o', 'd', 'w', 'i', 't', 'V', 'M'};

/* --- writing */

static void put(struct stream_writer *w, const void *from, size_t n)
{
	if (w->used <= w->room && n <= w->room - w->used)
		memcpy(w->at + w->used, from, n);
	w->used += n;
}

void stream_begin(struct stream_writer *w)
{
	struct stream_head head = {.version = STREAM_VERSION};

	memcpy(head.magic, magic, sizeof(magic));
	put(w, &head, sizeof(head));
}

/* Elements up to the last that is not zero. */
static unsigned used_elements(const struct device_field *f, const void *device)
{
	const u8 *at = (const u8 *)device + f->offset;
	unsigned n = f->count * f->size;

	while (n >= 64 && is_zero(at + n - 64, 64))
		n -= 64;
	while (n && !at[n - 1])
		n--;
	return (n + f->size - 1) / f->size;
}

static void save_field(struct stream_writer *w, const struct device_field *f,
		       unsigned number, const void *device)
{
	struct field_head head = {
		.number = number,
		.size = f->size,
		.count = f->count,
		.sent = w->whole ? f->count : used_elements(f, device),
	};

	put(w, &head, sizeof(head));
	put(w, (const u8 *)device + f->offset, (size_t)head.sent * f->size);
}

void stream_save(struct stream_writer *w, const struct device_description *d,
		 unsigned id, const void *device)
{
	struct record_head head = {
		.instance = id, .version = d->version, .fields = d->count};
	size_t at = w->used;

	copy_string(head.name, sizeof(head.name), d->name);
	put(w, &head, sizeof(head));
	for (unsigned i = 0; i < d->count; i++)
		save_field(w, &d->fields[i], i, device);
	/* The head again, now that the size is known. */
	head.size = w->used - at - sizeof(head);
	if (w->used <= w->room)
		memcpy(w->at + at, &head, sizeof(head));
}

/* --- reading */

err_t stream_wrong(struct stream_reader *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->why, r->why_size, fmt, args);
	va_end(args);
	return E_FORMAT;
}

static bool get(struct stream_reader *r, void *to, size_t n)
{
	if (n > r->size - r->used)
		return false;
	memcpy(to, r->at + r->used, n);
	r->used += n;
	return true;
}

err_t stream_open(struct stream_reader *r)
{
	struct stream_head head;

	if (!get(r, &head, sizeof(head)) ||
	    memcmp(head.magic, magic, sizeof(magic)))
		return stream_wrong(r, "this is no state of a VM");
	if (head.version != STREAM_VERSION || head.zero)
		return stream_wrong(r, "format %u: this host knows only %u",
				    head.version, STREAM_VERSION);
	return E_OK;
}

err_t stream_close(struct stream_reader *r)
{
	if (r->used == r->size)
		return E_OK;
	return stream_wrong(r, "%u bytes after the last record",
			    (unsigned)(r->size - r->used));
}

/* Where in the stream an error is: record, and field. */
struct place {
	const struct device_description *d;
	unsigned id;
	const struct device_field *f;
};

static err_t wrong(struct stream_reader *r, const struct place *p,
		   const char *what)
{
	return stream_wrong(r, "%s %u: %s: %s", p->d->name, p->id, p->f->name,
			    what);
}

static err_t check_values(struct stream_reader *r, const struct place *p,
			  const void *device)
{
	for (unsigned i = 0; p->f->max && i < p->f->count; i++) {
		u64 value = device_field_get(p->f, device, i);

		if (value > p->f->max)
			return stream_wrong(r,
					    "%s %u: %s: %lu is more than "
					    "%lu",
					    p->d->name, p->id, p->f->name,
					    value, p->f->max);
	}
	return E_OK;
}

static err_t load_field(struct stream_reader *r, const struct place *p,
			void *device)
{
	const struct device_field *f = p->f;
	u8 *to = (u8 *)device + f->offset;
	struct field_head head;
	size_t n;

	if (!get(r, &head, sizeof(head)))
		return wrong(r, p, "is missing");
	if (head.number != f - p->d->fields)
		return stream_wrong(r, "%s %u: %s: field %u in its place",
				    p->d->name, p->id, f->name, head.number);
	if (head.size != f->size || head.count != f->count)
		return stream_wrong(r,
				    "%s %u: %s: %u elements of %u bytes, "
				    "not %u of %u",
				    p->d->name, p->id, f->name, head.count,
				    head.size, f->count, f->size);
	if (head.sent > f->count)
		return stream_wrong(r, "%s %u: %s: %u elements of %u",
				    p->d->name, p->id, f->name, head.sent,
				    f->count);
	n = (size_t)head.sent * f->size;
	memset(to + n, 0, (size_t)f->count * f->size - n);
	if (!get(r, to, n))
		return wrong(r, p, "is cut off");
	if (n && is_zero(to + n - f->size, f->size))
		return wrong(r, p, "zeroes at its end");
	return check_values(r, p, device);
}

/* The head of the record that has to come. */
static err_t load_head(struct stream_reader *r,
		       const struct device_description *d, unsigned id,
		       struct record_head *head)
{
	if (!get(r, head, sizeof(*head)))
		return stream_wrong(r, "%s %u: is missing", d->name, id);
	head->name[sizeof(head->name) - 1] = '\0';
	if (strcmp(head->name, d->name) || head->instance != id) {
		for (char *c = head->name; *c; c++)
			*c = *c < ' ' || *c > '~' ? '?' : *c;
		return stream_wrong(r, "%s %u: %s %u in its place", d->name, id,
				    head->name, head->instance);
	}
	if (!head->version || head->version > d->version)
		return stream_wrong(r, "%s %u: version %u: this host knows %u",
				    d->name, id, head->version, d->version);
	if (head->size > r->size - r->used)
		return stream_wrong(r, "%s %u: is cut off", d->name, id);
	if (head->zero || head->zero2)
		return stream_wrong(r, "%s %u: reserved bytes", d->name, id);
	return E_OK;
}

err_t stream_load(struct stream_reader *r, const struct device_description *d,
		  unsigned id, void *device, const struct vm *vm)
{
	struct record_head head = {0};
	unsigned fields = 0;
	char why[96];
	size_t end;
	err_t err = load_head(r, d, id, &head);

	if (err)
		return err;
	end = r->used + head.size;
	for (unsigned i = 0; i < d->count; i++) {
		const struct place place = {d, id, &d->fields[i]};

		if (d->fields[i].version > head.version)
			continue;
		err = load_field(r, &place, device);
		if (err)
			return err;
		fields++;
	}
	if (fields != head.fields || r->used != end)
		return stream_wrong(r,
				    "%s %u: %u fields in %u bytes: this "
				    "host knows %u",
				    d->name, id, head.fields, head.size,
				    fields);
	if (d->check && !d->check(device, vm, why, sizeof(why)))
		return stream_wrong(r, "%s %u: %s", d->name, id, why);
	return E_OK;
}
