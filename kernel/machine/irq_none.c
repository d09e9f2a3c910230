/* Until there are interrupt controllers: nobody hears a device. */
#include "machine/irq.h"

__attribute__((weak)) void irq_line(struct vm *vm, unsigned gsi, bool high)
{
}

__attribute__((weak)) void irq_message(struct vm *vm, u64 address, u32 data)
{
}
