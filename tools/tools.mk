# --- the image ---------------------------------------------------------------

HOST_FLAGS := -std=gnu11 -O2 -g $(WARN) -Ikernel -I.
MKIMAGE_SRC := $(addprefix tools/,mkimage.c fat.c fat_tree.c gpt.c)

$(OUT)/mkimage: $(MKIMAGE_SRC) $(wildcard tools/*.h) Makefile
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_FLAGS) $(MKIMAGE_SRC) -o $@

# --- the rig -----------------------------------------------------------------

WIREBOX_SRC := $(wildcard tools/wirebox/*.c)

$(OUT)/wirebox: $(WIREBOX_SRC) tools/wirebox/wirebox.h Makefile
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -g $(WARN) $(WIREBOX_SRC) -o $@

# Bochs looks for its modules by such names.
$(OUT)/bochs/libbx_eth_loop.so: tools/bochs_loop.c Makefile
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -g $(WARN) -Wno-cast-function-type -fPIC \
		-shared -o $@ $<

rig: $(OUT)/wirebox $(OUT)/bochs/libbx_eth_loop.so
.PHONY: rig

# What lies on the image: NAME=FILE each. Guests come to stand in guests/.
GUEST_FILES ?=
GODWIT_CONF ?= tools/godwit.conf
IMAGE_FILES := EFI/BOOT/BOOTX64.EFI=$(OUT)/BOOTX64.EFI \
	       godwit/kernel.elf=$(OUT)/kernel.bin \
	       godwit/godwit.conf=$(GODWIT_CONF) \
	       $(foreach f,$(GUEST_FILES),godwit/guests/$(notdir $(f))=$(f))

$(OUT)/godwit.img: $(OUT)/mkimage $(OUT)/BOOTX64.EFI $(OUT)/kernel.bin \
		   $(GODWIT_CONF) $(GUEST_FILES)
	$(call say,IMAGE,$@)
	$(Q)$(OUT)/mkimage $@ $(IMAGE_FILES)

# The same as a partitioned disk: `dd` it to a USB stick.
$(OUT)/godwit-usb.img: $(OUT)/godwit.img
	$(call say,IMAGE,$@)
	$(Q)$(OUT)/mkimage $@ --gpt $(IMAGE_FILES)
