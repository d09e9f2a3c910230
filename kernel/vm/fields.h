/*
 * The state of a device or a vCPU, described once: a table of its fields, from
 * which dumps and the wire (stream.h) are made. A field that is not in the
 * table can be computed from those that are, or belongs to this host.
 */
#ifndef VM_FIELDS_H
#define VM_FIELDS_H

#include "lib/types.h"

struct vm;

struct device_field {
	const char *name;
	u16 offset;
	u16 count;  /* 1, or elements of an array */
	u8 size;    /* of one element: 1, 2, 4, 8 */
	u8 version; /* of the description that brought the field */
	u64 max;    /* of each element; 0: all that fits */
};

struct device_description {
	const char *name;
	u8 version; /* the newest of its fields' */
	unsigned count;
	const struct device_field *fields;
	/*
	 * Optional: what `max` cannot say of a state that came from elsewhere.
	 * False, and why, for one that this device would never be in; nothing
	 * that has been accepted may harm the host, whatever it does.
	 */
	bool (*check)(const void *device, const struct vm *vm, char *why,
		      size_t size);
};

#define DEVICE_FIELD_MAX(type, member, n, since, most)                 \
	{                                                              \
		.name = #member, .offset = offsetof(type, member),     \
		.size = sizeof(((type *)0)->member) / (n), .count = n, \
		.version = since, .max = most                          \
	}
#define DEVICE_FIELD(type, member, n, since) \
	DEVICE_FIELD_MAX(type, member, n, since, 0)

/* Of the first version, by another name than its own. */
#define DEVICE_FIELD_AS(title, type, member, n, most)                  \
	{                                                              \
		.name = title, .offset = offsetof(type, member),       \
		.size = sizeof(((type *)0)->member) / (n), .count = n, \
		.version = 1, .max = most                              \
	}

/* Element `index` of the field, zero-extended. */
u64 device_field_get(const struct device_field *field, const void *device,
		     unsigned index);

void device_field_set(const struct device_field *field, void *device,
		      unsigned index, u64 value);

/* A line of the log per field: "lapic 0: tpr 20". */
void device_dump(const struct device_description *description, unsigned id,
		 const void *device);

#endif
