#include "vm/maps.h"

#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/pages.h"
#include "vm/model.h"

static u64 make(u64 size, u64 msrs_at, void (*open_msr)(u8 *map, u32 msr))
{
	u64 phys = page_alloc(order_for(size));
	u8 *map = phys_to_virt(phys);

	if (!phys)
		return 0;
	memset(map, 0xff, size);
	for (const u16 *port = model_open_ports; *port; port++)
		map[*port / 8] &= ~BIT(*port % 8);
	for (const u32 *msr = model_open_msrs; *msr; msr++)
		open_msr(map + msrs_at, *msr);
	return phys;
}

u64 exit_maps(u64 size, u64 msrs_at, void (*open_msr)(u8 *map, u32 msr))
{
	static struct spinlock lock = SPINLOCK_INIT;
	static u64 maps;
	u64 phys;

	spin_lock(&lock);
	if (!maps)
		maps = make(size, msrs_at, open_msr);
	phys = maps;
	spin_unlock(&lock);
	return phys;
}
