#include "machine/dma.h"

#include "vm/vm.h"

err_t dma_write(struct vm *vm, u64 gpa, const void *src, u64 n)
{
	return guest_write(&vm->memory, gpa, src, n);
}

err_t dma_write16(struct vm *vm, u64 gpa, u16 value)
{
	u64 left = 0;
	u8 *at = guest_ram(&vm->memory, gpa, &left);

	if (!at || (gpa & 1))
		return E_RANGE;
	__atomic_store_n((u16 *)at, value, __ATOMIC_RELEASE);
	guest_mark(&vm->memory, gpa, sizeof(value));
	return E_OK;
}
