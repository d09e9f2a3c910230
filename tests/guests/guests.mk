# The test guests: freestanding programs for the machines that Godwit offers.
# Each is one file here (or in hostile/), linked with lib/; few are two.
#
# A 64-bit guest is wrapped as a 32-bit ELF file, which is what Multiboot wants;
# GUEST.sym is the same program with its symbols, for gdb and tools/xray.

GUEST_DIR  := tests/guests
GUEST_64   := hello echo clock exits registers interrupts timer portio mmio \
		exceptions delivery fpu paging memory spin bench smp pci \
		virtio net chipset poweroff reboot typed walker counters \
		eoi
GUEST_32   := prot32
GUEST_FLAT := real mb-aout
GUEST_HOSTILE_32 := ac-loop task-switch vm86-all
GUEST_HOSTILE := $(filter-out $(GUEST_HOSTILE_32),$(basename $(notdir \
		 $(wildcard $(GUEST_DIR)/hostile/*.c))))

GUEST_LIB    := main print traps code apic
GUEST_LIB_64 := $(GUEST_LIB) pages pci virtio chipset fpu kvmclock
GUEST_FLAGS  := $(COMMON) -O2 -fno-pic -fno-pie -fno-common \
		-fno-strict-aliasing -fno-builtin -I$(GUEST_DIR)/lib -Ikernel
GUEST_LD     := $(LD) -nostdlib -static -z max-page-size=4096 --build-id=none \
		--fatal-warnings --no-warn-rwx-segments \
		-z noexecstack -T $(GUEST_DIR)/lib/guest.ld
GUEST_OUT    := $(OUT)/guests
GUEST_OBJ    := $(OUT)/obj/guests

GUEST_ELF_64 := $(GUEST_64:%=$(GUEST_OUT)/%.elf) \
		$(GUEST_HOSTILE:%=$(GUEST_OUT)/hostile/%.elf)
GUEST_ELF_32 := $(GUEST_32:%=$(GUEST_OUT)/%.elf) $(GUEST_OUT)/hello32.elf \
		$(GUEST_HOSTILE_32:%=$(GUEST_OUT)/hostile/%.elf)
GUEST_FILES  := $(GUEST_ELF_64) $(GUEST_ELF_32) \
		$(GUEST_FLAT:%=$(GUEST_OUT)/%.bin)

GUEST_OBJ_64 := $(patsubst %,$(GUEST_OBJ)/64/lib/%.o,start64 traps64 \
		$(GUEST_LIB_64)) $(GUEST_OBJ)/64/string.o
GUEST_OBJ_32 := $(patsubst %,$(GUEST_OBJ)/32/lib/%.o,start32 traps32 \
		$(GUEST_LIB)) $(GUEST_OBJ)/32/string.o

guests: $(GUEST_FILES)

$(GUEST_OBJ)/64/string.o: kernel/lib/string.c $(GUEST_DIR)/guests.mk
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_FLAGS) -c $< -o $@

$(GUEST_OBJ)/32/string.o: kernel/lib/string.c $(GUEST_DIR)/guests.mk
	@mkdir -p $(@D)
	$(Q)$(CC) -m32 $(GUEST_FLAGS) -c $< -o $@

define guest_rules
$(GUEST_OBJ)/$(1)/%.o: $(GUEST_DIR)/%.c $(GUEST_DIR)/guests.mk Makefile
	$$(call say,GUEST,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -m$(1) $$(GUEST_FLAGS) -MMD -MP -c $$< -o $$@

$(GUEST_OBJ)/$(1)/%.o: $(GUEST_DIR)/%.S $(GUEST_DIR)/guests.mk Makefile
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -m$(1) $$(GUEST_FLAGS) -D__ASSEMBLY__ -MMD -MP -c $$< -o $$@
endef
$(eval $(call guest_rules,64))
$(eval $(call guest_rules,32))

$(GUEST_OUT)/smp.elf: $(GUEST_OBJ)/64/smp_start.o
$(GUEST_OUT)/virtio.elf: $(GUEST_OBJ)/64/virtio_interrupts.o

# Flat images: one source each, linked to where they are loaded.
$(GUEST_OUT)/real.bin: GUEST_BASE := 0x7c00
$(GUEST_OUT)/mb-aout.bin: GUEST_BASE := 0x180000
$(GUEST_FLAT:%=$(GUEST_OUT)/%.bin): $(GUEST_OUT)/%.bin: $(GUEST_OBJ)/32/%.o
	@mkdir -p $(@D)
	$(Q)$(LD) -m elf_i386 -nostdlib --fatal-warnings -z noexecstack \
		--no-warn-rwx-segments -N -e $(GUEST_BASE) \
		-Ttext $(GUEST_BASE) --oformat binary -o $@ $<

$(GUEST_ELF_64): $(GUEST_OUT)/%.elf: $(GUEST_OBJ)/64/%.o $(GUEST_OBJ_64) \
		$(GUEST_DIR)/lib/guest.ld
	@mkdir -p $(@D)
	$(Q)$(GUEST_LD) -o $(@:.elf=.sym) $(filter %.o,$^)
	$(Q)objcopy -O elf32-i386 --strip-all $(@:.elf=.sym) $@

$(GUEST_ELF_32): $(GUEST_OUT)/%.elf: $(GUEST_OBJ)/32/%.o $(GUEST_OBJ_32) \
		$(GUEST_DIR)/lib/guest.ld
	@mkdir -p $(@D)
	$(Q)$(GUEST_LD) -m elf_i386 --strip-all -o $@ $(filter %.o,$^)

$(GUEST_OBJ)/32/hello32.o: $(GUEST_OBJ)/32/hello.o
	$(Q)cp $< $@

.PHONY: guests
# Several guests share these.
.PRECIOUS: $(GUEST_OBJ)/64/%.o $(GUEST_OBJ)/32/%.o
