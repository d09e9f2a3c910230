#!/bin/busybox sh
# What Linux thinks of the machine it runs on: `ok NAME` or `FAIL NAME: why`.

ok() {
	echo "ok linux.$1"
}

fail() {
	name=$1
	shift
	echo "FAIL linux.$name: $*"
}

# Warnings and worse in the kernel's log, but for those in expected.txt.
messages() {
	dmesg -r | grep '^<[0-4]>' | sed 's/^<.> *\[[^]]*\] //' |
		grep -v -E -f /sbin/expected.txt >/tmp/messages
	if [ -s /tmp/messages ]; then
		fail messages "$(wc -l </tmp/messages) unexpected ones"
		sed 's/^/messages: /' /tmp/messages
	else
		ok messages
	fi
	rm /tmp/messages
}

clocksource() {
	now=$(cat /sys/devices/system/clocksource/clocksource0/current_*)
	case $now in
	kvm-clock | tsc) ok clocksource ;;
	*) fail clocksource "$now" ;;
	esac
}

# The interrupts of a row of /proc/interrupts, all CPUs together.
count() {
	awk -v row="$1:" '$1 == row {
		for (i = 2; $i ~ /^[0-9]+$/; i++)
			sum += $i
	} END { print sum + 0 }' /proc/interrupts
}

# The timer comes when it is wanted, and not much more; nothing else at all.
interrupts() {
	for row in NMI SPU MCE ERR MIS; do
		if [ "$(count $row)" != 0 ]; then
			fail interrupts "$row $(count $row)"
			return
		fi
	done
	before=$(count LOC)
	sleep 1
	idle=$(($(count LOC) - before))
	if [ "$idle" -ge 1 ] && [ "$idle" -le 300 ]; then
		ok interrupts
	else
		fail interrupts "$idle timer interrupts in an idle second"
	fi
}

cpus() {
	want=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^godwit.cpus=//p')
	if [ "$(nproc)" = "${want:-1}" ]; then
		ok cpus
	else
		fail cpus "$(nproc), expected ${want:-1}"
	fi
}

# Two clocks of the machine over some seconds: kvmclock, and the real-time clock
# from edge to edge.
drift() {
	rtc=/sys/class/rtc/rtc0/since_epoch
	if [ ! -e $rtc ]; then
		fail drift "no real-time clock"
		return
	fi
	edge
	start_rtc=$rtc_now
	start=$uptime_now
	sleep 10
	edge
	ppm=$(awk -v a="$start" -v b="$uptime_now" \
		-v r=$((rtc_now - start_rtc)) 'BEGIN {
			d = ((b - a) / r - 1) * 1e6
			printf "%d", d < 0 ? -d : d }')
	if [ "$ppm" -lt 1000 ]; then
		ok drift
	else
		fail drift "$ppm ppm"
	fi
	echo "drift: $ppm ppm in $((rtc_now - start_rtc)) s"
}

edge() {
	last=$(cat $rtc)
	while rtc_now=$(cat $rtc) && [ "$rtc_now" = "$last" ]; do :; done
	uptime_now=$(cut -d ' ' -f 1 /proc/uptime)
}

messages
clocksource
interrupts
cpus
drift
for file in /proc/interrupts /proc/cpuinfo; do
	sed "s|^|$file: |" $file
done
lspci -k | sed 's/^/lspci: /'
