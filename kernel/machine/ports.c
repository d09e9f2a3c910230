#include "machine/ports.h"

#include "lib/log.h"
#include "lib/string.h"
#include "vm/vm.h"

static u64 debug_read(void *device, struct vcpu *vcpu, u64 offset,
		      unsigned size)
{
	return PORT_DEBUG;
}

/*
 * Text, not a terminal's line: a line ends with "\n" alone, and becomes one for
 * a terminal here. Nothing tells the guest to wait, so its write is held.
 */
static void debug_write_bytes(void *device, struct vcpu *vcpu, const u8 *bytes,
			      size_t n)
{
	struct vm *vm = device;
	size_t start = 0;

	if (vm_console_room(vm) < 2 * n) {
		vcpu_hold(vcpu);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n')
			continue;
		vm_console_write(vm, (const char *)bytes + start, i - start);
		vm_console_write(vm, "\r\n", 2);
		start = i + 1;
	}
	vm_console_write(vm, (const char *)bytes + start, n - start);
}

static void debug_write(void *device, struct vcpu *vcpu, u64 offset,
			unsigned size, u64 value)
{
	u8 byte = value;

	debug_write_bytes(device, vcpu, &byte, 1);
}

static void end_write(void *device, struct vcpu *vcpu, u64 offset,
		      unsigned size, u64 value)
{
	vm_end(device, (u8)value);
}

static void reset(struct vm *vm, u16 port)
{
	log_info("%s: asks for a reset by port 0x%x", vm->config.name, port);
	vm_notice(vm, "reset");
	vm_reset(vm);
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

/* What pvpanic knows (QEMU's docs/specs/pvpanic): of two events, the first. */
#define PANICKED 0x01

static u64 panic_read(void *device, struct vcpu *vcpu, u64 offset,
		      unsigned size)
{
	return PANICKED;
}

/* It goes on as it likes: it may want to dump, or to reset itself. */
static void panic_write(void *device, struct vcpu *vcpu, u64 offset,
			unsigned size, u64 value)
{
	struct vm *vm = device;

	if (!(value & PANICKED))
		return;
	copy_string(vm->reason, sizeof(vm->reason), "its kernel panicked");
	log_warn("%s: its kernel panicked", vm->config.name);
	vm_notice(vm, "panicked");
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
	{"panic", PORT_PANIC, {panic_read, panic_write, NULL}},
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
