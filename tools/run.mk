# What a person types; `make help` lists it. Each target installs what it needs.

K ?=

check: ## run all tests, or those whose name has K=NAME in it
	@tools/check '$(K)'

check-unit: ## only the tests that run on the build host
	@CHECK_IN="tests/unit tests/sim tests/fuzz" tools/check '$(K)'

check-svm: ## only the tests on AMD machines
	@CHECK_IN=tests/e2e tools/check '$(K)' --engine svm

check-vmx: ## only the tests on Intel machines
	@CHECK_IN=tests/e2e tools/check '$(K)' --engine vmx

demo: ## show guests running on an AMD and an Intel machine
	@tools/demo

# What a target needs is there before anything is built.
prepare = @tools/need $(1) && $(MAKE) --no-print-directory -s all guests

run: ## start Godwit on an AMD machine, at its console
	$(call prepare,demo)
	@tools/launch --platform svm

run-vmx: ## the same on an Intel machine
	$(call prepare,demo)
	@tools/launch --platform vmx

debug: ## the same in gdb, stopped at the kernel's entry
	$(call prepare,debug)
	@tools/launch --platform svm --accel emulate --gdb

bench: ## measure exits: instructions and cycles
	$(call prepare,demo)
	@/usr/bin/python3 tools/bench.py

lint: ## formatting and static analysis
	@tools/need lint
	@tools/lint

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile tools/run.mk \
		migrate/migrate.mk | \
		while IFS='	' read -r name text; do \
			printf '  make %-12s %s\n' "$$name" "$$text"; done

.PHONY: check check-unit check-svm check-vmx demo run run-vmx debug bench lint \
	help
