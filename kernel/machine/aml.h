/*
 * ACPI's byte code, written a term at a time (ACPI 6.5, chapter 20): as much of
 * it as a table of devices needs. What does not fit is not written, and
 * aml_fits() says so.
 */
#ifndef MACHINE_AML_H
#define MACHINE_AML_H

#include "lib/types.h"

struct aml {
	u8 *at;
	unsigned size, room;
};

static inline bool aml_fits(const struct aml *aml)
{
	return aml->size <= aml->room;
}

/* Begin a term and return where its length stands; aml_end() fills that in. */
unsigned aml_scope(struct aml *aml, const char *name);
unsigned aml_device(struct aml *aml, const char *name);
unsigned aml_package(struct aml *aml, u8 elements);
void aml_end(struct aml *aml, unsigned begun);

/* What follows is the object called so: four letters, "\\_S5_" from the root.
 */
void aml_name(struct aml *aml, const char *name);
void aml_integer(struct aml *aml, u32 value);
void aml_string(struct aml *aml, const char *text);
/* "PNP0501", as the number it stands for (19.3.4). */
void aml_eisa_id(struct aml *aml, const char *id);

/* Resources (6.4), between these two: a buffer, ended by its end tag. */
unsigned aml_resources(struct aml *aml);
void aml_resources_end(struct aml *aml, unsigned begun);
void aml_ports(struct aml *aml, u16 first, u8 count);
void aml_irq(struct aml *aml, unsigned irq);
void aml_bus_range(struct aml *aml, u16 first, u16 last);
void aml_port_range(struct aml *aml, u16 first, u16 last);
void aml_memory_range(struct aml *aml, u32 first, u32 last);

#endif
