# The labs: the kernel with a student's files in the place of its own. Only those
# are compiled anew, so a lab is built as fast as it is linked. docs/labs/README.md.
#
# WHO: work (the student's, work/labN), solution, skeleton.

LABS := 1 2 3 4 5
WHO  := $(if $(SOLUTION),solution,$(if $(SKELETON),skeleton,work))

lab_dir = $(subst @,$(1),$(lab_dir_$(2)))
lab_dir_work     := work/lab@
lab_dir_solution := docs/labs/solutions/lab@
lab_dir_skeleton := docs/labs/lab@/skeleton

# The kernel's files that a lab replaces, and those that come instead: the
# student's, and with a path those that are given. Then what its unit checks are
# made of beside the student's files.

lab_1_replaces   := kernel/svm/start.c kernel/vmx/start.c
lab_1_files      := svm_start.c vmx_start.c
lab_1_checks     := $(addprefix docs/labs/lab1/,grade.c processor.c) \
		    kernel/mm/pages.c kernel/mm/spare.c kernel/mm/heap.c
lab_1_runner     := tests/unit/test.c
lab_1_unit_flags := -iquote docs/labs/lab1/fake

lab_2_replaces := kernel/vm/exits_asked.c kernel/svm/quick.c
lab_2_files    := exits_asked.c docs/labs/lab2/given.c
lab_2_guests   := $(OUT)/guests/labs/asks.elf

lab_3_replaces := kernel/vm/slpt.c
lab_3_files    := slpt.c
lab_3_checks   := docs/labs/lab3/grade.c kernel/mm/pages.c kernel/mm/spare.c \
		  kernel/vm/slpt_watch.c
lab_3_runner   := tests/unit/test.c

lab_4_replaces := kernel/vm/dirty_harvest.c
lab_4_files    := dirty_harvest.c
lab_4_checks   := tests/unit/dirty_test.c kernel/mm/pages.c kernel/mm/spare.c kernel/mm/heap.c \
		  kernel/trace/runs.c \
		  $(addprefix kernel/vm/,memory.c slpt.c slpt_watch.c dirty.c)
lab_4_runner   := tests/unit/test.c

lab_5_replaces := migrate/policy/classic.c
lab_5_files    := policy.c docs/labs/lab5/as_classic.c
lab_5_checks   := docs/labs/lab5/replay.c migrate/predict.c \
		  $(wildcard migrate/policy/*.c)

LAB_FLAGS = $(KERNEL_FLAGS) -Wno-error -Wno-unused-function

define lab_build # N, who
$(OUT)/lab$(1)/$(2)/%.c.o: $(call lab_dir,$(1),$(2))/%.c Makefile
	$$(call say,CC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LAB_FLAGS) -MMD -MP -c $$< -o $$@

$(OUT)/lab$(1)/$(2)/unit/%.c.o: $(call lab_dir,$(1),$(2))/%.c Makefile
	$$(call say,HOSTCC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(HOSTCC) $$(UNIT_FLAGS) $$(lab_$(1)_unit_flags) -Wno-error \
		-Wno-unused-function -MMD -MP -c $$< -o $$@

$(OUT)/lab$(1)/$(2)/kernel.elf: $$(filter-out \
		$$(lab_$(1)_replaces:%=$(OUT)/obj/%.o),$$(KERNEL_OBJ) \
		$$(MIGRATE_OBJ)) $$(foreach f,$$(lab_$(1)_files),$$(if \
		$$(findstring /,$$(f)),$(OUT)/obj/$$(f).o,$(OUT)/lab$(1)/$(2)/$$(f).o)) \
		linker.ld
	$$(call say,LD,$$@)
	$$(Q)$$(call link_kernel,$(OUT)/lab$(1)/$(2)/kernel.map)

$(OUT)/lab$(1)/$(2)/kernel.bin: $(OUT)/lab$(1)/$(2)/kernel.elf
	$$(Q)objcopy --strip-debug $$< $$@

$(OUT)/unit/obj/docs/labs/lab$(1)/%.c.o: UNIT_EXTRA := $$(lab_$(1)_unit_flags)

$(OUT)/lab$(1)/$(2)/checks: $$(patsubst \
		%,$(OUT)/unit/obj/%.o,$$(lab_$(1)_checks) \
		$$(lab_$(1)_runner)) $$(foreach \
		f,$$(lab_$(1)_files),$$(if $$(findstring /,$$(f)),,\
		$(OUT)/lab$(1)/$(2)/unit/$$(f).o))
	$$(call say,HOSTLD,$$@)
	$$(Q)$$(HOSTCC) $$(UNIT_FLAGS) -o $$@ $$^

lab$(1)-$(2): $$(if $$(lab_$(1)_replaces),$(OUT)/lab$(1)/$(2)/kernel.bin) \
	      $$(if $$(lab_$(1)_checks),$(OUT)/lab$(1)/$(2)/checks) $$(lab_$(1)_guests)
.PHONY: lab$(1)-$(2)
endef
$(foreach n,$(LABS),$(foreach w,work solution skeleton,\
	$(eval $(call lab_build,$(n),$(w)))))

# Guests of the labs' own.
$(GUEST_OBJ)/64/labs/%.o: docs/labs/lab2/guest/%.c $(GUEST_DIR)/guests.mk Makefile
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -m64 $(GUEST_FLAGS) -I. -MMD -MP -c $< -o $@

$(GUEST_OUT)/labs/%.elf: $(GUEST_OBJ)/64/labs/%.o $(GUEST_OBJ_64) \
		$(GUEST_DIR)/lib/guest.ld
	@mkdir -p $(@D)
	$(Q)$(GUEST_LD) -o $@.tmp $(filter %.o,$^)
	$(Q)objcopy -O elf32-i386 --strip-all $@.tmp $@
	@rm $@.tmp
.PRECIOUS: $(GUEST_OBJ)/64/labs/%.o

labs: ## the five labs: what there is to do, and how
	@sed -n '/^## The labs/,/^## /{/^[0-9]/p}' docs/labs/README.md
	@echo 'Begin with  make lab1 , then  make grade-lab1 .'

$(LABS:%=lab%): lab%:
	@tools/lab-start $*

# ENGINE=vmx: on an Intel machine in Bochs.
$(LABS:%=grade-lab%): grade-lab%:
	@docs/labs/grade $* $(WHO) $(if $(ENGINE),--engine $(ENGINE))

.PHONY: labs $(LABS:%=lab%) $(LABS:%=grade-lab%)
