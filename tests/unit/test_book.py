"""The book is true of the tree: what docs/ and the README name is there."""

import re
import shutil
import subprocess
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs" / "README.md"
SOURCES = {".c", ".h", ".S", ".py", ".lua", ".mk", ""}
# What a name in backticks must end with to be taken for a file's.
FILE = re.compile(r"[\w.*\[\]-]*(/[\w.*\[\]-]+)*"
                  r"\.(c|h|\[ch\]|S|py|md|mk|ld|conf|txt|lua)")
FOLDER = re.compile(r"(boot|kernel|drivers|migrate|tests|tools|docs)/[\w./-]*")
# Built, in the image, a reader's, an experiment's.
ELSEWHERE = ("out/", "godwit/", "my.", ".", "work/", "commands.txt")
FOREIGN = {"PV_EOI"}  # names of other programs'
FENCE = re.compile(r"^ *```.*?^ *```", re.M | re.S)


def tracked() -> list[str]:
    """The files of the tree, those that are not committed yet too."""
    if shutil.which("git"):
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True)
        if listed.returncode == 0:
            names = listed.stdout.split("\n")
            return [n for n in names if n and (ROOT / n).is_file()]
    return [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file()
            and p.relative_to(ROOT).parts[0] not in ("out", ".git")
            and "__pycache__" not in p.parts]


TREE = tracked()
PAGES = [ROOT / n for n in TREE if n.endswith(".md")
         and (n.startswith("docs/") or n == "README.md")]


def pages(check):
    """Runs the check for each page, as a test of its own."""
    return pytest.mark.parametrize(
        "page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])(check)


@lru_cache(None)
def text_of(page: Path) -> str:
    return page.read_text()


def prose(page: Path) -> str:
    """Without what stands between fences."""
    return FENCE.sub("", text_of(page))


def spans(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(page))


def fences(page: Path) -> str:
    return "\n".join(FENCE.findall(text_of(page)))


@lru_cache(None)
def anchors(page: Path) -> frozenset[str]:
    """Of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.M):
        heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number, base = 0, slug
        while slug in found:
            number += 1
            slug = f"{base}-{number}"
        found.add(slug)
    return frozenset(found)


@lru_cache(None)
def source() -> str:
    """All code, to look names up in."""
    texts = []
    for name in TREE:
        path = ROOT / name
        if path.suffix in SOURCES and "corpus" not in name:
            texts.append(path.read_text(errors="ignore"))
    return "\n".join(texts)


@lru_cache(None)
def functions() -> frozenset[str]:
    called = re.findall(r"\b(\w+)\(", source())
    return frozenset(called + re.findall(r"^(\w+):", source(), re.M))


@lru_cache(None)
def targets() -> frozenset[str]:
    makefiles = "\n".join((ROOT / n).read_text() for n in TREE
                          if n == "Makefile" or n.endswith(".mk"))
    found = set(re.findall(r"^([a-z][\w-]*):", makefiles, re.M))
    # docs/labs/labs.mk makes these for each.
    for n in "12345N":
        found |= {f"lab{n}", f"grade-lab{n}", f"lab{n}-work"}
    return frozenset(found)


def exists(name: str) -> bool:
    """A file or folder by its path, or by the end of it, or by a pattern."""
    name = name.rstrip("/").replace("labN", "lab[1-5]")
    ends = [name, "*/" + name]
    if name.endswith(".[ch]"):
        return exists(name[:-4] + "c") or exists(name[:-4] + "h")
    return any(fnmatchcase(path, end) or fnmatchcase(path, end + "/*")
               for path in TREE for end in ends)


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [link for link in found if "://" not in link]


@pages
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists():
            wrong.append(link)
        elif anchor and anchor not in anchors(target):
            wrong.append(f"{link}: no such heading")
    assert not wrong


@pages
def test_files_exist(page: Path) -> None:
    wrong = [name for name in spans(page)
             if (FILE.fullmatch(name) or FOLDER.fullmatch(name))
             and not name.startswith(ELSEWHERE) and not exists(name)]
    assert not wrong


@pages
def test_functions_exist(page: Path) -> None:
    named = [n for span in spans(page) for n in re.findall(r"(\w+)\(\)", span)]
    assert [n for n in named if n not in functions()] == []


@pages
def test_names_exist(page: Path) -> None:
    """Structures, tables, constants: names with an underscore, or `name[]`."""
    words = set(re.findall(r"\w+", source()))
    wrong = []
    for span in spans(page):
        found = re.fullmatch(r"(?:struct |enum )?([A-Za-z]\w*)(\[\])?", span)
        if found and ("_" in found[1] or " " in span or found[2]) \
                and found[1] not in words | FOREIGN:
            wrong.append(span)
    assert not wrong


@pages
def test_make_targets_exist(page: Path) -> None:
    code = "\n".join(spans(page)) + "\n" + fences(page)
    named = re.findall(r"(?:^ *|&& |; )make ((?:[a-z][\w-]*)(?: [a-z][\w-]*)*)"
                       r"(?=$|[\n ;&#])", code, re.M)
    wrong = {t for line in named for t in line.split()} - targets()
    assert not wrong


@pages
def test_commands_exist(page: Path) -> None:
    """Programs under tools/, configurations, and what --run says."""
    code = fences(page)
    programs = re.findall(r"(?:^|[ |;&])((?:tools|tests)/[\w./-]+)(?![\w.*/-])",
                          code, re.M)
    assert [p for p in programs if not (ROOT / p).exists()] == []
    shell = "\n".join((ROOT / n).read_text() for n in TREE
                      if fnmatchcase(n, "kernel/shell/*.c"))
    table = re.findall(r'^\t\{"([a-z][a-z -]*)", ', shell, re.M)
    wrong = []
    for script in re.findall(r"--run '([^']*)'", code):
        for command in (c.strip() for c in script.split(";")):
            if command and not any(command == known or command.startswith(
                    known + " ") for known in table):
                wrong.append(command)
    assert not wrong


@pages
def test_what_is_built_has_sources(page: Path) -> None:
    code = fences(page)
    guests = re.findall(r"guests/([\w/-]+?)(?:32)?\.(?:elf|bin)", code)
    built = [f"tests/unit/{n}" for n in re.findall(r"out/unit/(\w+)", code)]
    wrong = [n for n in built + [f"tests/guests/{g}" for g in guests]
             if not exists(n + ".c") and not exists(n + ".S")]
    assert not wrong


@pages
def test_self_tests_exist(page: Path) -> None:
    named = re.findall(r"selftest ([a-z][a-z0-9-]+)", fences(page))
    assert [n for n in named if f'{{"{n}"' not in source()] == []


# Figures: `figure NAME VALUE UNIT`. Capitals stand for what varies.

def listed_figures() -> list[re.Pattern[str]]:
    text = text_of(INDEX.parent / "figures.md")
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.M)
    names = re.findall(r"`(\w[\w.-]+)`", " ".join(cells))
    names += re.findall(r"`(boots[\w.-]+)`", text)
    return [re.compile(re.sub(r"\b[A-Z]+\b", r"[\\w-]+", re.escape(name))
                       + r"(\.[\w-]+)*") for name in names]


@pages
def test_figures_are_listed(page: Path) -> None:
    known = listed_figures()
    families = {p.pattern.split("\\.")[0] for p in known}
    wrong = []
    for name in spans(page):
        family = name.split(".")[0]
        if (re.fullmatch(r"\w+(\.[\w-]+)+", name) and family in families
                and not FILE.fullmatch(name)
                and not any(p.fullmatch(name) for p in known)):
            wrong.append(name)
    assert known and not wrong


# The order of the chapters, and what each must have.

def chapters() -> list[Path]:
    order = text_of(INDEX).partition("\n## All of it\n")[2]
    order = order.partition("\n## ")[0]
    found = re.findall(r"^\d+\. \[[^]]+\]\(([\w./-]+\.md)\)", order, re.M)
    return [INDEX.parent / name for name in found]


def test_there_are_chapters() -> None:
    assert len(chapters()) >= 14 and len(set(chapters())) == len(chapters())


@pytest.mark.parametrize("chapter", chapters(), ids=lambda p: p.stem)
def test_chapter(chapter: Path) -> None:
    text = text_of(chapter)
    told = [n for n in FENCE.sub("", text).split("\n") if n[:1] != "|"]
    assert len(told) <= 400, "too long to be read at once, tables apart"
    assert re.search(r"^Files: ", text, re.M), "names its files"
    tries = re.search(r"^## Try this\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert tries, "has something to try"
    assert len(re.findall(r"^\d\. |^\*\*", tries[1], re.M)) >= 2
    assert "```" in tries[1]


def test_every_page_is_reached() -> None:
    """From the README, over any number of pages."""
    seen, todo = {ROOT / "README.md"}, [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target not in seen \
                    and target.exists():
                seen.add(target)
                todo.append(target)
    assert [p for p in PAGES if p not in seen and p.parts[-2] != "solutions"] == []


def test_every_folder_has_its_chapter() -> None:
    rows = re.findall(r"^\| `([\w/]+)/` \| .*\]\([\w.-]+\.md", text_of(INDEX),
                      re.M)
    folders = {str(Path(n).parent) for n in TREE
               if n.startswith(("boot/", "kernel/", "drivers/", "migrate/",
                                "tests/", "tools/"))}
    missing = {f for f in folders if not any(
        f == row or f.startswith(row + "/") for row in rows if row != "kernel")}
    assert missing <= {"kernel"} and not [r for r in rows if not exists(r)]


@pages
def test_diagrams_fit_a_terminal(page: Path) -> None:
    diagrams = [f for f in FENCE.findall(text_of(page))
                if re.search(r"-->|<--|\+--|`--", f)]
    wide = [line for f in diagrams for line in f.split("\n") if len(line) > 80]
    assert not wide
