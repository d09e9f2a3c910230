"""Lab 4's checks: made-up processors, the kernel's own tests, real moves."""

from typing import Optional

from grading import Boot, Check, Lab, move, unit

HOT = "pages=512 hot=64 every=100"
WIDE = "pages=1024 rate=2000 every=100"


def selftest(way: str) -> Check:
    def run(lab: Lab) -> Optional[str]:
        run = lab.boot(Boot("selftest", lab.engine,
                            "selftest dirty-wp; selftest dirty-dbit; "
                            "selftest dirty-pml; off", cpus=2))
        return run.host_says(f"ok selftest.dirty-{way}") or run.ended()

    return Check(f"selftest dirty-{way}, on two CPUs", 8,
                 "A guest writes without an end while harvests go on; a copy "
                 "kept up by them is compared with its memory at last.", run,
                 engine="" if way != "pml" else "vmx")


def moves(name: str, words: str, **options: str) -> Check:
    """The walker finds by itself what is lost of its memory."""
    def run(lab: Lab) -> Optional[str]:
        return move(lab, words, **options)

    return Check(name, 13, "The walker says which page it found as it should "
                 "no longer be: a write to it was not found by a harvest.",
                 run, engine="svm")


STALE = "A processor keeps a translation until it is told to flush, and " \
    "writes through it meanwhile, unseen. Which order of taking bits, " \
    "rearming, flushing and reading is safe?"

CHECKS = [
    unit("nothing_written_nothing_found", 12,
         "The host's own stores are in the bitmap by dirty_mark(); each is "
         "found once, and the last page of an odd number is one too."),
    unit("write_protection_loses_nothing", 16, "TODO 1 to 4. " + STALE),
    unit("dirty_bits_lose_nothing", 12, "TODO 1 and 3. " + STALE),
    unit("logs_lose_nothing", 12, "TODO 2. " + STALE),
    unit("a_missing_flush_would_show", 6,
         "The same without flushes must lose something: if it does not, what "
         "do you do that makes flushes needless, and what does it cost?"),
    selftest("wp"),
    selftest("dbit"),
    selftest("pml"),
    moves("a walker with a hot set moves, write protection", HOT, dirty="wp"),
    moves("a walker over much memory moves, D bits", WIDE, dirty="dbit"),
]
