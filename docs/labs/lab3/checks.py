"""Lab 3's checks: the tree by itself, then under a guest."""

from typing import Optional

from grading import Boot, Check, Lab, unit

HELLO = "[vm hello]\nkernel = guests/hello.elf\nmemory = 32M\n"
MEMORY = "[vm memory]\nkernel = guests/memory.elf\nmemory = 32M\n"


def machine(lab: Lab) -> Boot:
    return Boot("guests", lab.engine, "wait; selftest; vm list; off",
                HELLO + MEMORY)


def boots(lab: Lab) -> Optional[str]:
    run = lab.boot(machine(lab))
    return run.wants("hello", "hello") or run.ended()


def memory_is_right(lab: Lab) -> Optional[str]:
    return lab.boot(machine(lab)).wants(
        "memory", "ok memory.zero", "ok memory.ram", "ok memory.outside")


def selftests(lab: Lab) -> Optional[str]:
    return lab.boot(machine(lab)).host_says(
        "ok selftest.rights", "ok selftest.leaf-sizes", "ok selftest.ledger",
        "ok selftest.dirty-bits")


CHECKS = [
    unit("entries_are_as_the_manuals_say", 8,
         "TODO 1 and 4. Look at the value in hexadecimal, bit by bit, beside "
         "the table in docs/memory.md. NPT forbids execution, EPT allows it."),
    unit("what_is_mapped_is_found", 8,
         "TODO 2. gpa may lie anywhere in a leaf; hpa is that of its start."),
    unit("leaves_are_as_large_as_they_may", 8,
         "TODO 4. A leaf fits if gpa AND hpa are multiples of its size, and "
         "no limit (what is left, max_leaf, the format) is in the way."),
    unit("nonsense_is_refused", 4,
         "valid_range() knows about ranges, ADDRESS about hpa. Refuse before "
         "anything is changed."),
    unit("splitting_keeps_everything", 8,
         "TODO 3. The small leaves differ from the large one in their address "
         "and in the large bit, in nothing else."),
    unit("a_gigabyte_splits_twice", 4,
         "TODO 3. Leaves of 2 MiB still carry the large bit, of 4 KiB none."),
    unit("narrowings_and_only_they_are_counted", 8,
         "Who has gained cannot be hurt by an old translation. Who has lost "
         "anything at all, if only one right for another, can."),
    unit("what_has_its_rights_is_not_split", 4,
         "TODO 5. Look at the rights before you split."),
    unit("protecting_keeps_the_dirty_bit", 4,
         "TODO 5. Take the rights' bits out of the old entry, put the new ones "
         "in, and leave the rest."),
    unit("a_split_loses_no_dirty_bit", 4,
         "TODO 3. Put the table in place by a compare-and-exchange with the "
         "entry as you copied it."),
    unit("a_dirty_bit_set_meanwhile_survives", 8,
         "Between your load and your store another processor set D. "
         "__atomic_compare_exchange_n tells, and gives you the new value."),
    unit("mapping_over_a_table_frees_it", 4,
         "TODO 4. What the exchange gave back may be a table."),
    unit("nothing_is_left_behind", 4,
         "Every page_alloc() needs its count in slpt->pages and a way back."),
    unit("no_memory_is_an_answer", 4,
         "page_alloc() may say 0; then E_NOMEM, and nothing is half done."),
    unit("a_thousand_random_steps", 8,
         "Reduce it: shorten one_step() in docs/labs/lab3/grade.c until it is "
         "small, then walk through it in gdb."),
    Check("a guest says hello", 4,
          "A guest that cannot fetch its first instruction exits for memory "
          "again and again: `exits` at the console counts them. What does "
          "slpt_map() answer, and is the leaf executable?", boots),
    Check("a guest's memory is its own", 4,
          "The memory guest says what it found where.", memory_is_right),
    Check("the hypervisor's self tests", 4,
          "selftest.ledger looks for a narrowing that nobody noted; "
          "selftest.rights runs code that touches what it may not.", selftests),
]
