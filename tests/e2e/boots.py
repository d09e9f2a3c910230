"""The machines that the end-to-end tests start, and what runs on them.

A boot costs 3 s in QEMU and 10 s in Bochs, so one boot serves many tests: it
runs the guests of every suite (suites.py) and the kernel's self tests, and the
tests read its log. Only boots that the selected tests need are started.
"""

from dataclasses import dataclass
from typing import Optional

from rig.platforms import PLATFORMS, Platform
from suites import HOSTILE, SUITES, absent_reason


@dataclass(frozen=True)
class Boot:
    """One run of one machine. Its name begins with its platform's."""

    name: str
    platform: str
    config: str
    cpus: int = 1
    machine: str = "q35"
    source: str = "fw-cfg"  # where QEMU has the files: fw-cfg, virtio, ide
    interactive: bool = False
    control: bool = False  # with the line for programs
    guest_line: bool = False  # with one for a guest's console, COM3
    memory: int = 1024
    icount: Optional[int] = None  # QEMU: 2**N ns per instruction
    timeout: int = 240  # of a busy machine
    long: bool = False  # only `make check-long` starts it

    @property
    def hardware(self) -> Platform:
        return PLATFORMS[self.platform]

    def __str__(self) -> str:
        return self.name


def config(run: str, vms: str = "", host: str = "") -> str:
    """`off` ends a run as passed; how its VMs fared is the tests' business."""
    return f"[host]\nname = godwit\nrun = {run}\n{host}\n{vms}"


def everything(platform: str, cpus: int, long: bool = False) -> Boot:
    """Every suite on one machine: the guests run beside each other."""
    vms = [suite.vm(name, platform) for name, suite in SUITES.items()
           if suite.kernel and not absent_reason(platform, name)]
    return Boot(f"{platform}-{cpus}", platform,
                config("info; wait; selftest; vm list; exits; off",
                       "\n".join(vms)), cpus, long=long)


# The slow ones first: they are what the end of the run waits for.
MATRIX = [
    everything("vmx", 2),
    everything("svm-ryzen", 2),
    everything("vmx", 1),
    everything("vmx-haswell", 1, long=True),
    everything("vmx-ivybridge", 2, long=True),
    everything("vmx-ivybridge", 1, long=True),
    everything("vmx-arrandale", 1),
    everything("svm-ryzen", 1, long=True),
    everything("svm-toliman", 1),
    everything("svm", 2),
    everything("svm", 1),
    everything("svm-max", 1),
]

# Where time is counted in instructions, QEMU looks up from the guest at each of
# its timers, wherever the guest is: in every interrupt handler that takes long.
COUNTED = Boot("svm-counted", "svm",
               config("wait; vm list; off",
                      SUITES["interrupts"].vm("interrupts", "svm")), icount=3)

# A CPU for each vCPU, beside the first: what they do at the same time.
APART = Boot("svm-3-apart", "svm",
             config("wait; vm list; off", SUITES["smp"].vm("smp", "svm")), 3)

# CPUs that cannot run guests: Godwit starts, says what is missing, serves.
HELLO = SUITES["hello"].vm("hello")
REFUSED = [Boot(platform, platform, config("info; vm list; off", HELLO))
           for platform in ("vmx-penryn", "vmx-lynnfield")]

# Every way in: from fw_cfg or the EFI partition, on either chipset.
WAYS_IN = [Boot(f"svm-{machine}-{source}", "svm",
                config("wait; vm list; off", HELLO), machine=machine,
                source=source)
           for machine in ("q35", "pc") for source in ("virtio", "fw-cfg")]
WAYS_IN.append(Boot("svm-pc-ide", "svm", config("wait; vm list; off", HELLO),
                    machine="pc", source="ide"))

# The host's own end, and what it says of a configuration that is wrong.
PANICS = [Boot(f"{platform}-panic", platform, config("panic", HELLO), cpus=2)
          for platform in ("svm", "vmx")]
MISTAKEN = Boot("svm-mistaken", "svm",
                config("", "[vm x]\nmemory = 64Q\nkernel = guests/hello.elf"),
                interactive=True)

# A person at the console.
OPERATOR_VMS = """
[vm hello]
kernel = guests/hello.elf
memory = 16M
autostart = no
[vm typed]
kernel = guests/typed.elf
memory = 16M
autostart = no
[vm reboot]
kernel = guests/reboot.elf
memory = 16M
autostart = no
[vm reboot-once]
kernel = guests/reboot.elf
memory = 16M
autostart = no
on-reset = end
[vm crash]
kernel = guests/hostile/triple-fault.elf
memory = 16M
autostart = no
[vm echo]
kernel = guests/echo.elf
memory = 16M
autostart = no
cmdline = panic
[vm clock]
kernel = guests/clock.elf
cmdline = ticks=100000 ms=20
memory = 16M
"""
OPERATOR = [Boot(f"{platform}-operator", platform, config("", OPERATOR_VMS),
                 interactive=True, control=True)
            for platform in ("svm", "vmx")]

# Guests that write much, each in its own way: name -> words, lines, and lines
# in Bochs.
WRITERS = {"asks": ("", 2048, 256), "rude": ("rude", 2048, 256),
           "debug": ("debug", 32768, 1024)}


def flooded(name: str, platform: str, cpus: int) -> Boot:
    vms = "".join(f"[vm {vm}]\nkernel = guests/echo.elf\nmemory = 16M\n"
                  "autostart = no\n"
                  f"cmdline = lines={few if platform == 'vmx' else many} "
                  f"{words}\n"
                  for vm, (words, many, few) in WRITERS.items())
    return Boot(name, platform, config("", vms), cpus, interactive=True,
                control=True, timeout=400)


FLOODED = [flooded("svm-flooded", "svm", 1),
           flooded("svm-2-flooded", "svm", 2),
           flooded("vmx-flooded", "vmx", 1)]

OWN_LINE = Boot("svm-own-line", "svm", config("", """
[vm echo]
kernel = guests/echo.elf
memory = 16M
console-line = com3
[vm flood]
kernel = guests/echo.elf
memory = 16M
cmdline = lines=256 rude
autostart = no
[vm clock]
kernel = guests/clock.elf
cmdline = ticks=100000 ms=200
memory = 16M
"""), interactive=True, control=True, guest_line=True)


# (attack, how it may end).
ATTACKS = [(name, ends) for ends, names in HOSTILE.items()
           for name in names.split()]
ENDLESS = [(name, ends) for name, ends in ATTACKS if "running" in ends]
ENDING = [attack for attack in ATTACKS if attack not in ENDLESS]


def attacked(name: str, platform: str, cpus: int, attacks: list) -> Boot:
    """At the console, one attack after the other beside `spin`, a neighbour
    that must not notice."""
    vms = "".join(f"[vm {attack}]\nkernel = guests/hostile/{attack}.elf\n"
                  "memory = 16M\nconsole = virtio\nnet = yes\nautostart = no\n"
                  for attack, _ in attacks)
    return Boot(name, platform,
                config("", vms + "[vm spin]\nkernel = guests/spin.elf\n"
                       "cmdline = if=1\nmemory = 16M\n"),
                cpus, interactive=True)


def stormed(name: str, platform: str, cpus: int, attacks: list,
            long: bool = False) -> Boot:
    """All attacks at once, `paging` and `registers` among them."""
    vms = [f"[vm {attack}]\nkernel = guests/hostile/{attack}.elf\n"
           "memory = 16M\nconsole = virtio\nnet = yes\n"
           for attack, _ in attacks]
    vms += [SUITES[suite].vm(suite, platform)
            for suite in ("paging", "registers")]
    return Boot(name, platform,
                config("wait; vm list; off", "".join(vms)), cpus, long=long)


# A host has room for 32 VMs: the attacks come in two groups.
HALF = len(ATTACKS) // 2 + 1
ATTACKED = {
    attacked("svm-attacks-a", "svm", 1, ATTACKS[:HALF]): ATTACKS[:HALF],
    attacked("svm-attacks-b", "svm", 1, ATTACKS[HALF:]): ATTACKS[HALF:],
    attacked("vmx-attacks", "vmx", 1, ENDLESS): ENDLESS,
}
HALF = len(ENDING) // 2 + 1
STORMED = {
    stormed(f"{platform}-{cpus}-storm-{letter}", platform, cpus, group,
            (platform, cpus) == ("vmx", 1)): group
    for platform, cpus in (("vmx", 1), ("vmx", 2), ("svm", 2))
    for letter, group in (("a", ENDING[:HALF]), ("b", ENDING[HALF:]))
}


# Linux from Debian's packages. What it does stands in tests/linux/init.
def linux(name: str, flavour: str, words: str, keys: str = "",
          kernel: str = "vmlinuz") -> str:
    """A VM that runs its own tests, then ends."""
    return (f"[vm {name}]\nkernel = linux/{flavour}-{kernel}\n"
            f"initrd = linux/{flavour}-initrd\nmemory = 256M\n{keys}\n"
            f"cmdline = console=ttyS0 quiet godwit.name={name} {words}\n")


def linux_boot(name: str, platform: str, cpus: int, *vms: str,
               long: bool = False) -> Boot:
    return Boot(name, platform, config("wait; vm list; exits; off",
                                       "".join(vms)), cpus,
                timeout=900 if long else 600, long=long)


ALL_TESTS = "godwit.run=check,load godwit.then=poweroff"


# The CPU that is the same everywhere.
def baseline(words: str = "") -> str:
    return linux("baseline", "cloud", "godwit.run=cpu,check,load "
                 f"godwit.then=poweroff{words}", "cpu-model = baseline")


# Bochs takes minutes for what QEMU does in seconds: a quarter of the load there.
LESS = " godwit.less=4"
# Entered as PVH says, without unpacking itself first.
PVH = linux("pvh", "general", ALL_TESTS + LESS, kernel="vmlinux")
LINUX = [
    linux_boot("vmx-linux", "vmx", 1, linux("cloud", "cloud", ALL_TESTS + LESS),
               baseline(LESS)),
    linux_boot("vmx-linux-general", "vmx", 1,
               linux("general", "general", ALL_TESTS + LESS), long=True),
    linux_boot("svm-linux-1", "svm", 1, linux("cloud", "cloud", ALL_TESTS)),
    linux_boot("svm-linux-2", "svm", 2,
               linux("cloud", "cloud", ALL_TESTS + " godwit.cpus=2",
                     "cpus = 2"),
               linux("again", "cloud", "godwit.then=reboot",
                     "on-reset = end")),
    linux_boot("svm-linux-general", "svm", 1,
               linux("general", "general", ALL_TESTS), baseline(),
               PVH),
]

# VMs that are rebuilt from their own state while they run: test guests at the
# console, and Linux.
REBUILT_SUITES = ("timer", "interrupts", "fpu", "smp", "chipset", "virtio")
REBUILT_LINUX = "".join(
    linux(name, "cloud", f"godwit.then=shell godwit.ip={ip}",
          f"net = yes\nautostart = no\ncpu-model = {model}")
    for name, ip, model in (("linux", "10.0.0.2", "baseline"),
                            ("peer", "10.0.0.3", "host")))


def rebuilt(name: str, platform: str, cpus: int, vms: str = "") -> Boot:
    suites = "".join(SUITES[suite].vm(suite, platform) + "autostart = no\n"
                     for suite in REBUILT_SUITES
                     if not absent_reason(platform, suite))
    clock = "[vm clock]\nkernel = guests/clock.elf\nmemory = 16M\n" \
        "cmdline = ticks=1000000 ms=5\nautostart = no\n" \
        "[vm typed]\nkernel = guests/typed.elf\nmemory = 16M\n" \
        "autostart = no\n"
    return Boot(name, platform, config("", suites + clock + vms), cpus,
                interactive=True, timeout=400)


REBUILT = [rebuilt("svm-rebuilt", "svm", 1, REBUILT_LINUX),
           rebuilt("svm-2-rebuilt", "svm", 2, REBUILT_LINUX),
           rebuilt("vmx-rebuilt", "vmx", 1)]
