# Unit tests: programs for the build host, with sanitizers. See tests/unit/test.h
# for how a test names the sources it links.

UNIT_SRC   := $(sort $(wildcard tests/unit/*_test.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(UNIT_SRC))
UNIT_FLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined \
	      -fno-sanitize-recover=all -fno-omit-frame-pointer \
	      -fno-strict-aliasing -DHOST_TEST -Ikernel -I. $(WARN)

# These define names of the C library: see tests/unit/own_names.h.
UNIT_OWN := kernel/lib/string.c kernel/lib/printf.c
$(UNIT_OWN:%=$(OUT)/unit/obj/%.o): UNIT_EXTRA := \
	-include tests/unit/own_names.h -fno-builtin

# unit_field FILE,KEY: the words after "KEY:" in the file's head comment.
unit_field = $(shell sed -n '/\*\//q; s/.*[ *	]$(2): *//p' $(1) | head -n 40)
unit_obj   = $(patsubst %,$(OUT)/unit/obj/%.o,$(1) tests/unit/test.c \
	     $(call unit_field,$(1),links))

define unit_program
$(OUT)/unit/$(basename $(notdir $(1))): $(call unit_obj,$(1)) $(1)
	$$(call say,HOSTLD,$$@)
	$$(Q)$$(HOSTCC) $$(UNIT_FLAGS) -o $$@ $(call unit_obj,$(1)) \
		$(call unit_field,$(1),libs)
endef
$(foreach t,$(UNIT_SRC),$(eval $(call unit_program,$(t))))

$(OUT)/unit/obj/%.c.o: %.c Makefile tests/tests.mk
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(UNIT_FLAGS) $(UNIT_EXTRA) -MMD -MP -c $< -o $@

unit: $(UNIT_TESTS)

.PHONY: unit
