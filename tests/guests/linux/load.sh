#!/bin/busybox sh
# A mixed load whose every part checks its own result: `ok NAME` or `FAIL NAME`.
# godwit.scale=N on the command line makes it N times as long.
scale=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^godwit.scale=//p')
scale=${scale:-1}

check() {
	if [ "$2" = "$3" ]; then
		echo "ok load.$1"
	else
		echo "FAIL load.$1: $2, expected $3"
	fi
}

# Processes: many short ones, their statuses summed up.
processes() {
	sum=0
	i=0
	while [ $i -lt $((50 * scale)) ]; do
		/bin/busybox sh -c "exit $((i % 7))"
		sum=$((sum + $?))
		i=$((i + 1))
	done
	want=0
	i=0
	while [ $i -lt $((50 * scale)) ]; do
		want=$((want + i % 7))
		i=$((i + 1))
	done
	check processes $sum $want
}

# Pipes: numbers through four programs.
pipes() {
	n=$((4000 * scale))
	sum=$(seq 1 $n | cat | tr a-z A-Z | awk '{ s += $1 } END { print s }')
	check pipes "$sum" $((n * (n + 1) / 2))
}

# Memory and files: what is written to tmpfs is what is read, copied too.
tmpfs() {
	dd if=/dev/urandom of=/tmp/a bs=64k count=$((16 * scale)) 2>/dev/null
	cp /tmp/a /tmp/b
	cat /tmp/b >/tmp/c
	check tmpfs "$(md5sum </tmp/c)" "$(md5sum </tmp/a)"
	rm -f /tmp/a /tmp/b /tmp/c
}

# Timers: forty sleepers at once, none of which may wake early.
timers() {
	before=$(cut -d ' ' -f 1 /proc/uptime | tr -d .)
	i=0
	while [ $i -lt 40 ]; do
		usleep 200000 &
		i=$((i + 1))
	done
	wait
	after=$(cut -d ' ' -f 1 /proc/uptime | tr -d .)
	late=$((after - before))
	check timers "$([ $late -ge 20 ] && echo fine || echo "$late/100 s")" \
		fine
}

# Floating point in three programs that take turns: sqrt(6 * sum(1 / i^2)).
float() {
	for i in 1 2 3; do
		awk 'BEGIN {
			for (i = 1; i <= 20000; i++)
				s += 1 / (i * i)
			printf "%.15f\n", sqrt(6 * s)
		}' >/tmp/pi$i &
	done
	wait
	pi=3.141544907937694
	check float "$(cat /tmp/pi1 /tmp/pi2 /tmp/pi3 | tr '\n' ' ')" \
		"$pi $pi $pi "
}

processes
pipes
tmpfs
timers
float
