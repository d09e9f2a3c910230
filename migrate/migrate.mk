# migrate/ is built twice: with the kernel's flags, to be linked into it, and for
# the build host, where it is simulated, fuzzed and measured.

MIGRATE_SRC  := $(sort $(wildcard migrate/*.c migrate/policy/*.c))
MIGRATE_OBJ  := $(patsubst %,$(OUT)/obj/%.o,$(MIGRATE_SRC))
MIGRATE_LIBS := -lbearssl -llz4
# Where pages go through it counts speed.
KERNEL_FAST  += $(addprefix migrate/,hash.c sender.c receiver.c codec.c \
		codec_delta.c chacha.c chacha_wide.c poly1305.c)
# As the libraries do: whoever calls them has taken the registers.
KERNEL_SSE   := migrate/chacha.c migrate/chacha_wide.c

# All of it and its libraries in one object: what the kernel has to offer it is
# what this leaves undefined (tests/sim/test_build.py).
$(OUT)/migrate.o: $(MIGRATE_OBJ)
	$(call say,LD,$@)
	$(Q)$(LD) -r --gc-sections -u source_input -u target_input \
		-u source_output -u target_output -u source_init -u target_init \
		-o $@ $(MIGRATE_OBJ) -L/usr/lib/x86_64-linux-gnu \
		-Bstatic $(MIGRATE_LIBS)

# --- on the build host ---

SIM_SRC   := $(sort $(wildcard tests/sim/*.c))
SIM_FLAGS := -std=gnu11 -g -fno-strict-aliasing -I. $(WARN)
SIM_MAIN  := main explore experiments predict
SIM_WORLD := $(filter-out $(SIM_MAIN:%=tests/sim/%.c),$(SIM_SRC))
SEEDS     ?= 1:10000

$(OUT)/sim/obj/%.c.o: %.c Makefile migrate/migrate.mk
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(SIM_FLAGS) -O2 -MMD -MP -c $< -o $@

$(OUT)/sim/asan/%.c.o: %.c Makefile migrate/migrate.mk
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(SIM_FLAGS) -O1 -fsanitize=address,undefined \
		-fno-sanitize-recover=all -MMD -MP -c $< -o $@

sim_obj = $(patsubst %,$(OUT)/sim/$(1)/%.o,$(MIGRATE_SRC) $(SIM_WORLD) \
	  tests/sim/$(2).c)

define sim_program
$(OUT)/sim/$(1): $(call sim_obj,obj,$(2))
	$$(call say,HOSTLD,$$@)
	$$(Q)$$(HOSTCC) -o $$@ $$^ $$(MIGRATE_LIBS)
$(OUT)/sim/$(1)-asan: $(call sim_obj,asan,$(2))
	$$(call say,HOSTLD,$$@)
	$$(Q)$$(HOSTCC) -fsanitize=address,undefined -o $$@ $$^ $$(MIGRATE_LIBS)
endef
$(eval $(call sim_program,sim,main))
$(eval $(call sim_program,explore,explore))
$(eval $(call sim_program,experiments,experiments))
$(eval $(call sim_program,predict,predict))

# libFuzzer is clang's.
WIRE_FUZZ := $(SIM_FLAGS) -O1 -fsanitize=fuzzer,address,undefined \
	      -fno-sanitize-recover=all

$(OUT)/fuzz/wire-%: tests/fuzz/wire_%.c $(MIGRATE_SRC) $(SIM_WORLD) Makefile \
	       $(wildcard migrate/*.h tests/sim/*.h)
	$(call say,CLANG,$@)
	@mkdir -p $(@D)
	$(Q)clang $(WIRE_FUZZ) -o $@ $< $(MIGRATE_SRC) $(SIM_WORLD) \
		$(MIGRATE_LIBS)

WIRE_FUZZERS := $(OUT)/fuzz/wire-parsers $(OUT)/fuzz/wire-ends

SIM_PROGRAMS := $(addprefix $(OUT)/sim/,sim sim-asan explore experiments \
		  predict)

sim-programs: $(SIM_PROGRAMS) $(WIRE_FUZZERS) $(OUT)/migrate.o

sim: $(OUT)/sim/sim ## play migrations: make sim SEEDS=FIRST:COUNT
	$(Q)tools/sim $(SEEDS)

fuzz-wire: $(WIRE_FUZZERS) ## fuzz what wire data reaches: RUNS=1000000
	$(Q)for name in parsers ends; do \
		mkdir -p $(OUT)/fuzz/corpus-wire-$$name && \
		$(OUT)/fuzz/wire-$$name -runs=$(RUNS) -max_len=4096 \
			-print_final_stats=1 -artifact_prefix=$(OUT)/fuzz/ \
			$(OUT)/fuzz/corpus-wire-$$name \
			tests/fuzz/corpus/wire-$$name || exit 1; \
	done

bench-wire: $(OUT)/sim/experiments ## figures of the protocol
	$(Q)tools/bench-wire

.PHONY: sim sim-programs fuzz-wire bench-wire
