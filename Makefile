# Godwit's build. `make help` lists the targets.
#
# Needs gcc, make, binutils, gnu-efi, BearSSL and LZ4; what a target needs beyond
# that it installs through tools/need. Everything built lies in out/.

OUT	:= out
CC	:= gcc
LD	:= ld
HOSTCC	:= gcc
V	?= 0
Q	:= $(if $(filter 0,$(V)),@,)
say	= $(if $(filter 0,$(V)),@printf '  %-6s %s\n' '$(1)' '$(2)')

WARN	:= -Wall -Wextra -Werror -Wshadow -Wundef -Wstrict-prototypes \
	   -Wmissing-prototypes -Wpointer-arith -Wvla -Wno-unused-parameter
# The build's folder must not show in the image.
REPRO	:= -ffile-prefix-map=$(CURDIR)=. -Wdate-time
COMMON	:= -std=gnu11 -ffreestanding -fno-stack-protector -fcf-protection=none \
	   -fno-asynchronous-unwind-tables -mno-red-zone -mno-sse -mno-mmx \
	   -mno-80387 -fno-tree-vectorize $(WARN) $(REPRO)

all: $(OUT)/godwit.img ## build everything: out/godwit.img boots

include migrate/migrate.mk

# --- the kernel --------------------------------------------------------------

KERNEL_DIRS := kernel kernel/cpu kernel/mm kernel/lib kernel/vm kernel/vmx \
	       kernel/svm kernel/machine kernel/net kernel/shell \
	       kernel/migration kernel/trace drivers
KERNEL_SRC  := $(sort $(foreach d,$(KERNEL_DIRS),$(wildcard $(d)/*.c $(d)/*.S)))
KERNEL_OBJ  := $(patsubst %,$(OUT)/obj/%.o,$(KERNEL_SRC))
# Large fills and copies are calls: `rep stos` inline is slow where the processor
# is emulated.
string_calls = -m$(1)-strategy=unrolled_loop:128:noalign,libcall:-1:noalign
# Small everywhere, fast on the way from exit to entry, of a frame, and in the
# copy loops.
# What is small keeps its frame pointers and its functions, for backtraces.
KERNEL_FAST  += $(addprefix kernel/,lib/string.c vm/run.c vm/exits.c \
		vm/exits_asked.c vm/fetch.c vm/inject.c vm/slpt.c \
		vm/slpt_watch.c vm/dirty.c vm/dirty_harvest.c svm/enter.c \
		svm/quick.c svm/exit.c vmx/enter.c vmx/exit.c net/switch.c net/offload.c machine/virtqueue.c \
		machine/virtio_net.c) \
		$(addprefix drivers/,netdev.c virtq.c virtio_net.c)
FAST_FLAGS   := -O2 -fomit-frame-pointer
SMALL_FLAGS  := -Oz -fno-omit-frame-pointer -fno-inline-functions-called-once \
		-fno-tree-loop-im -fno-move-loop-invariants
# Without SSE nothing needs the stack aligned to more than its own words; migrate/
# and its libraries do, and are called from kernel/migration/, which aligns it.
STACK_FLAGS   = -mpreferred-stack-boundary=$(if $(filter migrate/% \
		kernel/migration/%,$<),4,3) $(if $(filter \
		kernel/migration/%,$<),-mincoming-stack-boundary=3)
KERNEL_FLAGS = $(COMMON) -g -mcmodel=kernel -fno-pic -fno-pie \
	       $(if $(filter $<,$(KERNEL_FAST)),$(FAST_FLAGS),$(SMALL_FLAGS)) \
	       -ffunction-sections $(STACK_FLAGS) \
	       -fno-align-functions -fno-align-jumps -fno-align-loops \
	       -fno-common -fno-strict-aliasing \
	       $(call string_calls,memset) $(call string_calls,memcpy) \
	       $(if $(filter $(KERNEL_SSE),$<),-msse2) -Ikernel -I.

$(OUT)/obj/%.c.o: %.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_FLAGS) -MMD -MP -c $< -o $@

$(OUT)/obj/%.S.o: %.S Makefile
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_FLAGS) -D__ASSEMBLY__ -MMD -MP -c $< -o $@

# link_kernel MAP
link_kernel = $(LD) -nostdlib -static -z max-page-size=4096 --build-id=none \
	      --fatal-warnings --no-warn-rwx-segments --gc-sections -Map=$(1) \
	      -T linker.ld -o $@ $(filter %.o,$^) \
	      -L/usr/lib/x86_64-linux-gnu -Bstatic $(MIGRATE_LIBS)

$(OUT)/kernel.elf: $(KERNEL_OBJ) $(MIGRATE_OBJ) linker.ld
	$(call say,LD,$@)
	$(Q)$(call link_kernel,$(OUT)/kernel.map)

# The kernel as it is shipped: symbols (for backtraces), no debug information.
$(OUT)/kernel.bin: $(OUT)/kernel.elf
	$(Q)objcopy --strip-debug $< $@

# --- the other parts ---------------------------------------------------------

include boot/boot.mk
-include tests/guests/guests.mk
-include tests/tests.mk
-include tests/fuzz/fuzz.mk
-include tools/tools.mk
-include tools/run.mk
-include docs/labs/labs.mk

clean: ## remove what was built
	rm -rf $(OUT)

.PHONY: all clean
.DELETE_ON_ERROR:

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
