# What a person types; `make help` lists it. Each target installs what it needs.

K ?=
N ?= 10

check: ## run all tests, or those whose name has K=NAME in it
	@tools/check '$(K)'

check-unit: ## only the tests that run on the build host
	@CHECK_IN="tests/unit tests/sim tests/fuzz" tools/check '$(K)'

check-svm: ## only the tests on AMD machines
	@CHECK_IN=tests/e2e tools/check '$(K)' --engine svm

check-vmx: ## only the tests on Intel machines
	@CHECK_IN=tests/e2e tools/check '$(K)' --engine vmx

check-long: ## only the tests that take minutes each
	@CHECK_IN="tests/sim tests/e2e" tools/check '$(K)' --long

demo: ## move a running Debian to another host and back, and report on it
	@tools/demo

demo-cross: ## the same from an Intel host in Bochs to an AMD host in QEMU
	@tools/demo cross

demo-boot: ## no move: start Debian on an AMD and on an Intel machine
	@tools/demo boot

# What a target needs is there before anything is built.
prepare = @tools/need $(1) && $(MAKE) --no-print-directory -s all guests rig

run: ## start Godwit on an AMD machine, at its console
	$(call prepare,demo)
	@tools/launch --platform svm

run-vmx: ## the same on an Intel machine
	$(call prepare,demo)
	@tools/launch --platform vmx

shell: ## start a host and drop into its Linux guest's console
	$(call prepare,demo)
	@/usr/bin/python3 tools/guest_linux.py cloud
	@tools/launch --platform svm --memory 1024 --config tools/linux.conf \
		--control $(OUT)/control

debug: ## the same in gdb, stopped at the kernel's entry
	$(call prepare,debug)
	@tools/launch --platform svm --accel emulate --gdb

bench: ## measure exits: instructions and cycles
	$(call prepare,demo)
	@/usr/bin/python3 tools/bench.py

bench-guest-net: ## measure a Linux guest's network against plain QEMU
	$(call prepare,test)
	@/usr/bin/python3 tools/guest_linux.py cloud
	@/usr/bin/python3 tools/bench_guest_net.py

soak: ## boot Debian's kernels N=10 times each on each engine
	$(call prepare,demo)
	@/usr/bin/python3 tools/soak.py $(N)

size: $(OUT)/kernel.elf ## how much code the kernel has, by part
	@tools/need demo
	@/usr/bin/python3 tools/size.py

bench-linux: ## measure how long Linux takes to start, against plain QEMU
	$(call prepare,demo)
	@/usr/bin/python3 tools/bench_linux.py

bench-net: ## measure the network between two hosts
	$(call prepare,demo)
	@/usr/bin/python3 tools/bench_net.py

bench-migrate: ## measure migrations: time, downtime, bytes
	$(call prepare,demo)
	@/usr/bin/python3 tools/guest_linux.py cloud
	@/usr/bin/python3 tools/bench_migrate.py
	@/usr/bin/python3 tools/bench_ways.py

lint: ## formatting and static analysis
	@tools/need lint
	@tools/lint

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile tools/run.mk \
		tests/fuzz/fuzz.mk migrate/migrate.mk docs/labs/labs.mk | \
		while IFS='	' read -r name text; do \
			printf '  make %-12s %s\n' "$$name" "$$text"; done

.PHONY: check check-unit check-svm check-vmx check-long demo demo-cross \
	demo-boot run run-vmx shell debug bench \
	bench-net bench-migrate bench-linux bench-guest-net soak size lint help
