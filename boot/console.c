/*
 * Which UART is the firmware's console? The console itself is a splitter over
 * several devices and has no device path; but each text output behind it has
 * one, and that of a serial terminal ends in .../PNP0501(uid)/Uart(baud)/...
 * (UEFI 2.10, 10.3 "Device Path Nodes").
 */
#include "boot/firmware.h"
#include "lib/string.h"
#include "lib/types.h"

#define BAUD_DEFAULT 115200

/* The firmware numbers the PC's four UARTs from 0, in the BIOS's order. */
static const u16 uart_ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

static size_t node_length(const EFI_DEVICE_PATH *node)
{
	return (size_t)DevicePathNodeLength(node);
}

/* The port of a 16550 (PNP0501), 0 for any other ACPI device. */
static u32 acpi_port(const EFI_DEVICE_PATH *node)
{
	ACPI_HID_DEVICE_PATH acpi;

	if (node_length(node) < sizeof(acpi))
		return 0;
	memcpy(&acpi, node, sizeof(acpi));
	if (acpi.HID != EISA_PNP_ID(0x0501) ||
	    acpi.UID >= ARRAY_LEN(uart_ports))
		return 0;
	return uart_ports[acpi.UID];
}

static u32 uart_baud(const EFI_DEVICE_PATH *node)
{
	UART_DEVICE_PATH uart = {0};

	/* The node is 19 bytes long, the C structure has padding behind. */
	memcpy(&uart, node, MIN(node_length(node), sizeof(uart)));
	return uart.BaudRate ? (u32)uart.BaudRate : BAUD_DEFAULT;
}

static struct boot_console console_of(const EFI_DEVICE_PATH *node)
{
	u32 port = 0;

	for (; !IsDevicePathEndType(node); node = NextDevicePathNode(node)) {
		unsigned type = DevicePathType(node);
		unsigned subtype = DevicePathSubType(node);

		if (node_length(node) < sizeof(*node))
			break;
		if (type == ACPI_DEVICE_PATH && subtype == ACPI_DP)
			port = acpi_port(node);
		if (type == MESSAGING_DEVICE_PATH && subtype == MSG_UART_DP &&
		    port)
			return (struct boot_console){.port = port,
						     .baud = uart_baud(node)};
	}
	return (struct boot_console){0};
}

void firmware_console(EFI_BOOT_SERVICES *bs, struct boot_info *info)
{
	static EFI_GUID text_output = EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL_GUID;
	static EFI_GUID device_path = EFI_DEVICE_PATH_PROTOCOL_GUID;
	EFI_HANDLE *handles;
	UINTN count;

	if (EFI_ERROR(bs->LocateHandleBuffer(ByProtocol, &text_output, NULL,
					     &count, &handles)))
		return;
	for (UINTN i = 0; i < count && !info->console.port; i++) {
		EFI_DEVICE_PATH *path;

		if (!EFI_ERROR(bs->HandleProtocol(handles[i], &device_path,
						  (void **)&path)))
			info->console = console_of(path);
	}
	bs->FreePool(handles);
}
