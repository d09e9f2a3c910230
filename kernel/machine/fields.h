/*
 * A device's state, described once: a table of its fields from which dumps
 * (and, when machines move, the wire) are made. A field that is not in the
 * table can be computed from those that are, or belongs to this host.
 */
#ifndef MACHINE_FIELDS_H
#define MACHINE_FIELDS_H

#include "lib/types.h"

struct device_field {
	const char *name;
	u16 offset;
	u8 size;    /* of one element: 1, 2, 4, 8 */
	u8 count;   /* 1, or elements of an array */
	u8 version; /* of the description that brought the field */
};

struct device_description {
	const char *name;
	u8 version; /* the newest of its fields' */
	unsigned count;
	const struct device_field *fields;
};

#define DEVICE_FIELD(type, member, n, since)                           \
	{                                                              \
		.name = #member, .offset = offsetof(type, member),     \
		.size = sizeof(((type *)0)->member) / (n), .count = n, \
		.version = since                                       \
	}

/* A single one, of the first version, by another name than its own. */
#define DEVICE_FIELD_AS(title, type, member)                                  \
	{                                                                     \
		.name = title, .offset = offsetof(type, member),              \
		.size = sizeof(((type *)0)->member), .count = 1, .version = 1 \
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
