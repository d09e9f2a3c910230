#include "vm/bus.h"

err_t bus_add(struct bus *bus, const char *name, u64 base, u64 size,
	      const struct bus_ops *ops, void *device)
{
	unsigned at = bus->count;

	if (!size || base + size - 1 < base)
		return E_INVALID;
	if (bus->count == BUS_RANGES)
		return E_NOMEM;
	for (unsigned i = 0; i < bus->count; i++) {
		const struct bus_range *r = &bus->range[i];

		if (base <= r->base + r->size - 1 && r->base <= base + size - 1)
			return E_EXISTS;
	}
	while (at > 0 && bus->range[at - 1].base > base) {
		bus->range[at] = bus->range[at - 1];
		at--;
	}
	bus->range[at] = (struct bus_range){base, size, ops, device, name};
	bus->count++;
	return E_OK;
}

const struct bus_range *bus_find(const struct bus *bus, u64 address,
				 unsigned size)
{
	unsigned low = 0, high = bus->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		const struct bus_range *r = &bus->range[mid];

		if (address < r->base)
			high = mid;
		else if (address - r->base >= r->size)
			low = mid + 1;
		else
			return r->size - (address - r->base) >= size ? r : NULL;
	}
	return NULL;
}

u64 bus_read(const struct bus *bus, struct vcpu *vcpu, u64 address,
	     unsigned size)
{
	const struct bus_range *r = bus_find(bus, address, size);
	u64 mask = size == 8 ? ~0ULL : BIT(8 * size) - 1;

	if (!r || !r->ops->read)
		return mask;
	return r->ops->read(r->device, vcpu, address - r->base, size) & mask;
}

void bus_write(const struct bus *bus, struct vcpu *vcpu, u64 address,
	       unsigned size, u64 value)
{
	const struct bus_range *r = bus_find(bus, address, size);
	u64 mask = size == 8 ? ~0ULL : BIT(8 * size) - 1;

	if (r && r->ops->write)
		r->ops->write(r->device, vcpu, address - r->base, size,
			      value & mask);
}
