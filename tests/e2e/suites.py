"""What is expected of every boot that runs guests: the checks, by suite.

A suite is a test guest (its VM has the suite's name), or the kernel's own self
tests. Each check prints `ok CHECK`, `FAIL CHECK: why` or `skip CHECK: why`. A
check that is listed here and not printed has failed, so has one that is printed
and not listed; a skip is right only where SKIPS says so.
"""

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Optional


@dataclass(frozen=True)
class Suite:
    checks: str  # names, separated by white space
    prefix: str = ""  # what each name begins with
    kernel: str = ""  # the guest's file, "" for the self tests
    keys: str = "memory = 16M"  # further lines of its configuration
    status: int = 0  # how the VM must end

    def names(self) -> list:
        return [self.prefix + name for name in self.checks.split()]

    def vm(self, name: str) -> str:
        return f"[vm {name}]\nkernel = {self.kernel}\n{self.keys}\n"


SUITES = {
    "selftest": Suite(
        "roundtrip entry refusal rights delivery dirty-bits leaf-sizes ledger "
        "shootdown",
        "selftest."),
    "hello": Suite("", kernel="guests/hello.elf"),
    "hello32": Suite("", kernel="guests/hello32.elf"),
}

# (platform pattern, check pattern) -> what that hardware does not have.
SKIPS: dict = {
}


def skip_reason(platform: str, check: str) -> Optional[str]:
    for (platforms, checks), reason in SKIPS.items():
        if fnmatch(platform, platforms) and fnmatch(check, checks):
            return reason
    return None
