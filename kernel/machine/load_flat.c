/*
 * Flat images: bytes that a PC's firmware would start like a boot sector, in
 * real mode at 0000:7c00 with the boot drive in DL. There is no firmware, so
 * the interrupt table is empty and INT leads nowhere.
 */
#include "cpu/regs.h"
#include "lib/log.h"
#include "machine/load.h"
#include "vm/vm.h"

#define BOOT_DRIVE 0x80

static void enter_real_mode(struct vcpu_state *state)
{
	state->cr0 = CR0_ET; /* caches on */
	state->seg[CS].selector = 0;
	state->seg[CS].base = 0;
	state->rip = FLAT_ADDRESS;
	state->gpr[RSP] = FLAT_ADDRESS;
	state->gpr[RDX] = BOOT_DRIVE;
	state->idtr.limit = 0x3ff;
}

err_t load_flat(struct load *load)
{
	const struct load_piece piece = {
		.name = "image",
		.address = FLAT_ADDRESS,
		.file_size = load->file.size,
		.memory_size = load->file.size,
	};
	err_t err;

	if (load->file.size > FLAT_MAX)
		return load_fail(load, E_FORMAT,
				 "%lu bytes are too large for a flat image "
				 "(at most %lu)",
				 load->file.size, FLAT_MAX);
	err = load_piece(load, &piece);
	if (err)
		return err;
	enter_real_mode(&load->vm->vcpu[0]->state);
	log_info("%s: %s: flat, %lu bytes at 0x%lx, real mode",
		 load->vm->config.name, load->file.name, load->file.size,
		 FLAT_ADDRESS);
	return E_OK;
}
