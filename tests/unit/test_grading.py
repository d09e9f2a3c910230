"""The labs: what there is compiles, and the graders' own parts are right."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LABS = ROOT / "docs" / "labs"
sys.path.insert(0, str(LABS))

import grading  # noqa: E402
from grading import Check, Lab, Outcome, Run  # noqa: E402

NUMBERS = range(1, 6)


def checks_module(number: int):
    spec = importlib.util.spec_from_file_location(
        f"lab{number}_checks", LABS / f"lab{number}" / "checks.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_skeletons_and_solutions_compile() -> None:
    done = subprocess.run(
        ["make", "-s", "-C", str(ROOT), *(f"lab{n}-{who}" for n in NUMBERS
                                          for who in ("skeleton", "solution"))],
        capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("number", NUMBERS)
def test_points_add_up(number: int) -> None:
    checks = checks_module(number).CHECKS
    assert sum(c.points for c in checks if c.engine in ("", "svm")) == 100
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.hint for check in checks)


@pytest.mark.parametrize("number", [1, 3, 4])
def test_unit_checks_tell_skeleton_from_solution(number: int) -> None:
    """The quick half of what `make check-long` does with machines."""
    names = subprocess.run([Lab(number, "solution").out / "checks", "--list"],
                           capture_output=True, text=True,
                           check=True).stdout.split()
    checks = [c for c in checks_module(number).CHECKS if c.name in names]
    assert checks
    for check in checks:
        assert check.run(Lab(number, "solution")) is None, check.name
        assert check.run(Lab(number, "skeleton")), check.name


def test_policies() -> None:
    module = checks_module(5)
    solution, skeleton = Lab(5, "solution"), Lab(5, "skeleton")
    assert module.mean(module.play(solution)) < 0.7
    assert abs(module.mean(module.play(skeleton)) - 1) < 1e-9
    assert module.fuzz(solution) is None and module.fuzz(skeleton) is None


def test_cost() -> None:
    module = checks_module(5)
    lines = [{"trace": "t", "network": "n", "policy": policy, "rounds": 2,
              "first": 1000, "total": 1000 + rest + down, "downtime": down,
              "stolen": 0, "bytes": 0, "gave_up": gave_up}
             for policy, rest, down, gave_up in [
                 ("classic", 4000, 100, False), ("lab", 1500, 100, False)]]
    pair = module.parse("\n".join(map(module.json.dumps, lines)))["t", "n"]
    assert module.cost(pair["classic"]) == 5
    assert module.ratio(pair) == 0.5
    assert module.cost(dict(pair["lab"], gave_up=True)) == module.GAVE_UP


def test_grade_counts_and_survives() -> None:
    def breaks(lab: Lab):
        raise RuntimeError("a checker's own bug")

    said: list = []
    checks = [Check("good", 30, "-", lambda lab: None),
              Check("bad", 20, "think", lambda lab: "it is wrong"),
              Check("broken", 10, "-", breaks),
              Check("elsewhere", 40, "-", lambda lab: None, engine="vmx")]
    assert grading.grade(Lab(1, "work"), checks, said.append) == (30, 60)
    text = "".join(said)
    assert "ok    30/30  good" in text and "FAIL   0/20  bad" in text
    assert "hint: think" in text and "a checker's own bug" in text
    assert "elsewhere" not in text


@pytest.mark.parametrize("word, wanted", [
    ("timeout", "hung"), ("panic", "panicked"), ("crash", "broke down")])
def test_says_how_a_machine_ended(word: str, wanted: str) -> None:
    text = "".join(f"line {n}\n\n" for n in range(20))
    run = Run(Outcome(word, "why", 1.0), text)
    said = run.ended()
    assert said and wanted in said and "why" in said
    assert "| line 19" in said and "| line 11\n" not in said
    assert "silent" in grading.console_end("")


def test_says_what_a_guest_did_not_say() -> None:
    run = Run(Outcome("pass", "", 1.0), "asks| ok one\nasks| FAIL two: no\n")
    assert run.ended() is None
    assert run.wants("asks", "ok one") is None
    said = run.wants("asks", "ok one", "ok two")
    assert said and "FAIL two: no" in said
    assert run.host_says("nothing")


def test_endless_and_crashing_units(tmp_path: Path) -> None:
    lab = Lab(1, "work")
    lab.out = tmp_path
    program = tmp_path / "checks"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    said = lab.unit("x", seconds=0.3)
    assert said and "endless" in said
    program.write_text("#!/bin/sh\necho 'a.c:3: runtime error: shift' >&2\n"
                       "echo 'FAIL x: stopped by a sanitizer'\nexit 1\n")
    said = lab.unit("x")
    assert said and "sanitizer" in said and "shift" in said
