#include "vm/fields.h"

#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"

u64 device_field_get(const struct device_field *field, const void *device,
		     unsigned index)
{
	const u8 *at = (const u8 *)device + field->offset + index * field->size;
	u64 value = 0;

	memcpy(&value, at, field->size);
	return value;
}

void device_field_set(const struct device_field *field, void *device,
		      unsigned index, u64 value)
{
	memcpy((u8 *)device + field->offset + index * field->size, &value,
	       field->size);
}

void device_dump(const struct device_description *description, unsigned id,
		 const void *device)
{
	char line[160];

	for (unsigned i = 0; i < description->count; i++) {
		const struct device_field *field = &description->fields[i];
		size_t used = 0;

		/* The highest element first, as one would write a number. */
		for (unsigned n = field->count; n-- && used < sizeof(line);)
			used += snprintf(line + used, sizeof(line) - used,
					 " %0*lx", 2 * field->size,
					 device_field_get(field, device, n));
		log_info("%s %u: %s%s", description->name, id, field->name,
			 line);
	}
}
