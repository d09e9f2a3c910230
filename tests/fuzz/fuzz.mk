# Fuzzing with libFuzzer (clang): tests/fuzz/X_fuzz.c becomes out/fuzz/X. Its
# head comment names the unit test whose sources it is linked with (like:).

FUZZ ?= machine
RUNS ?= 1000000
FUZZ_CC    := clang
FUZZ_FLAGS := -std=gnu11 -g -O2 -fsanitize=fuzzer,address,undefined \
	      -fno-sanitize-recover=all -fno-omit-frame-pointer \
	      -fno-strict-aliasing -DHOST_TEST -Ikernel -I.
fuzz_like   = $(call unit_field,tests/fuzz/$(FUZZ)_fuzz.c,like)
fuzz_source = tests/fuzz/$(FUZZ)_fuzz.c tests/unit/test.c \
	      $(call unit_field,$(fuzz_like),links)

$(OUT)/fuzz/%.c.o: %.c Makefile tests/fuzz/fuzz.mk
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) $(UNIT_EXTRA) -MMD -MP -c $< -o $@

$(UNIT_OWN:%=$(OUT)/fuzz/%.o): UNIT_EXTRA := \
	-include tests/unit/own_names.h -fno-builtin
# Its main() would be in the way of libFuzzer's.
$(OUT)/fuzz/tests/unit/test.c.o: UNIT_EXTRA := -Dmain=unit_main

# What is found lands in out/fuzz/; a corpus that grew is kept there as well.
fuzz: ## fuzz the device models: FUZZ=machine RUNS=1000000
	@tools/need fuzz
	@$(MAKE) --no-print-directory -s out/fuzz/$(FUZZ)-fuzz
	@mkdir -p $(OUT)/fuzz/corpus-$(FUZZ)
	$(OUT)/fuzz/$(FUZZ)-fuzz -runs=$(RUNS) -max_len=1200 -timeout=20 \
		-print_final_stats=1 -artifact_prefix=$(OUT)/fuzz/ \
		$(OUT)/fuzz/corpus-$(FUZZ) tests/fuzz/corpus/$(FUZZ)

$(OUT)/fuzz/$(FUZZ)-fuzz: $(fuzz_source:%=$(OUT)/fuzz/%.o)
	$(call say,FUZZLD,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -o $@ $^

.PHONY: fuzz
