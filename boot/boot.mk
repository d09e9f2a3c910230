# The UEFI program: position-independent ELF, turned into PE by objcopy. The
# host's gnu-efi gives headers, start-up code and the linker script; none of its
# library is used.

EFI_SRC	  := $(sort $(wildcard boot/*.c))
EFI_OBJ	  := $(patsubst %,$(OUT)/efi/%.o,$(EFI_SRC))
EFI_FLAGS := $(COMMON) -Os -fpic -fshort-wchar -fvisibility=hidden \
	     -DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi -Ikernel -I.
EFI_LIB	  := /usr/lib
# The sections that a PE loader needs, by gnu-efi's linker script.
EFI_SECTIONS := .text .sdata .data .rodata .dynamic .dynsym .rel .rela .rel.* \
		.rela.* .reloc

$(OUT)/efi/%.c.o: %.c Makefile boot/boot.mk
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EFI_FLAGS) -MMD -MP -c $< -o $@

# ld -shared lets undefined symbols pass, and they would be called at address 0.
$(OUT)/bootx64.so: $(EFI_OBJ)
	$(call say,LD,$@)
	$(Q)$(LD) -shared -Bsymbolic -nostdlib -znocombreloc --build-id=none \
		--fatal-warnings -T $(EFI_LIB)/elf_x86_64_efi.lds -o $@ \
		$(EFI_LIB)/crt0-efi-x86_64.o $^ -L$(EFI_LIB) -lgnuefi
	$(Q)! nm -u $@ | grep . || \
		{ echo '$@: undefined symbols, see above' >&2; exit 1; }

$(OUT)/BOOTX64.EFI: $(OUT)/bootx64.so
	$(Q)objcopy $(addprefix -j ,$(EFI_SECTIONS)) \
		--strip-all --target=efi-app-x86_64 --subsystem=10 $< $@
