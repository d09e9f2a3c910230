#include "machine/ports.h"

#include "lib/log.h"
#include "vm/vm.h"

static u64 debug_read(void *device, struct vcpu *vcpu, u64 offset,
		      unsigned size)
{
	return PORT_DEBUG;
}

static void debug_write_bytes(void *device, struct vcpu *vcpu, const u8 *bytes,
			      size_t n)
{
	vm_console_write(device, (const char *)bytes, n);
}

static void debug_write(void *device, struct vcpu *vcpu, u64 offset,
			unsigned size, u64 value)
{
	char byte = value;

	vm_console_write(device, &byte, 1);
}

static void end_write(void *device, struct vcpu *vcpu, u64 offset,
		      unsigned size, u64 value)
{
	vm_end(device, (u8)value);
}

static void reset(struct vm *vm, u16 port)
{
	log_info("%s: asks for a reset by port 0x%x: ends with status 0x%x",
		 vm->config.name, port, STATUS_RESET);
	vm_end(vm, STATUS_RESET);
}

/* The controller is always ready for a command and has nothing to say. */
static u64 keyboard_read(void *device, struct vcpu *vcpu, u64 offset,
			 unsigned size)
{
	return 0;
}

static void keyboard_write(void *device, struct vcpu *vcpu, u64 offset,
			   unsigned size, u64 value)
{
	if (value == 0xfe)
		reset(device, PORT_KEYBOARD);
}

void ports_reset(struct vm *vm, u8 value)
{
	if (value & 4)
		reset(vm, PORT_RESET);
}

static const struct {
	const char *name;
	u16 port;
	struct bus_ops ops;
} ports[] = {
	{"debug console",
	 PORT_DEBUG,
	 {debug_read, debug_write, debug_write_bytes}},
	{"end", PORT_END, {.write = end_write}},
	{"keyboard", PORT_KEYBOARD, {keyboard_read, keyboard_write, NULL}},
};

err_t ports_create(struct vm *vm)
{
	for (unsigned i = 0; i < ARRAY_LEN(ports); i++) {
		err_t err = bus_add(&vm->ports, ports[i].name, ports[i].port, 1,
				    &ports[i].ops, vm);

		if (err)
			return err;
	}
	return E_OK;
}
