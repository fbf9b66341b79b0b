"""Tests of tests: bugs planted in a copy of the source must turn a named part of the suite red."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from planted import BUGS, Bug

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "trompe"
GREEN, RED = 0, 1


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of the package; weights and readers are only linked to."""
    package = tmp_path / "trompe"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__", "weights", "shipped"))
    for part in ("targets/weights", "measure/readers/shipped"):
        (package / part).symlink_to(SOURCE / part)
    return package


def run(package: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run these tests against a copy of the package."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "TROMPE_DEBUG"))}
    environment |= {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests.split()]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def plant(bug: Bug, package: Path) -> None:
    path = package / bug.file
    text = path.read_text(encoding="utf-8")
    assert text.count(bug.old) == 1, f"not there once in {bug.file}: {bug.old}"
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_bug_has_its_one_place(bug):
    """The list cannot rot: what is to be replaced is there, once, and the tests named are there too."""
    assert (SOURCE / bug.file).read_text(encoding="utf-8").count(bug.old) == 1
    assert bug.new != bug.old
    assert all((ROOT / test.partition("::")[0]).is_file() for test in bug.tests.split())


@pytest.mark.parametrize(
    "bug", [pytest.param(bug, marks=[] if bug.fast else pytest.mark.slow, id=bug.name) for bug in BUGS]
)
def test_a_planted_bug_turns_the_suite_red(bug, copy):
    plant(bug, copy)
    done = run(copy, bug.tests)
    assert done.returncode == RED, f"the suite did not notice: {bug.name}\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
    assert "\nFAILED " in done.stdout, done.stdout[-3000:]  # a test, and not its surroundings


@pytest.mark.slow
def test_without_a_bug_the_same_tests_are_green_on_the_copy(copy):
    """The control: it is the bug that turns them red, and not the copying."""
    tests = sorted({test for bug in BUGS for test in bug.tests.split()})
    probe = "import trompe; print(trompe.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(copy.parent)}
    found = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).parent == copy
    done = run(copy, " ".join(tests))
    assert done.returncode == GREEN, done.stdout[-3000:]
