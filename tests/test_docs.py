"""What the documentation shows works as shown, and each number has one definition."""

import re
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from trompe import settings
from trompe.cli.parse import COMMANDS, parse
from trompe.measure.gate import METRICS, parse_condition
from trompe.measure.statistics import wilson
from trompe.targets import Declaration, Preprocessing, Request, read_declaration
from trompe.targets.load import check_model
from trompe.verbs.answers import COLUMNS
from trompe.verbs.gate import MODESTY

DOCS = Path(__file__).parent.parent / "docs"
TARGETS, GATE, NUMBERS, READ, HARDEN, GUARDS, BREAK, CLUSTER, PORTFOLIO, READERS, DEFENCES = (
    (DOCS / f"{name}.md").read_text(encoding="utf-8")
    for name in (
        "targets", "gate", "metrics", "read", "harden", "guards", "break-it", "cluster", "portfolio", "readers",
        "defences",
    )
)  # fmt: skip
CALLED = {"judge": "TrialSettings"}
"""Settings that are not called as their command is."""
FILES = re.findall(r"```toml\n(.*?)```", TARGETS, re.DOTALL)


@pytest.mark.parametrize("content", FILES)
def test_each_target_file_of_the_documentation_is_read(content: str, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("yes\nno\n")
    (tmp_path / "model.toml").write_text(content, encoding="utf-8")
    found = read_declaration(tmp_path / "model.toml")
    check_model(found, "docs")
    assert Declaration(**{item.name: getattr(found, item.name) for item in fields(found)}) == found


def test_every_key_of_a_target_file_is_explained() -> None:
    for kind in (Declaration, Preprocessing):
        for item in fields(kind):
            assert re.search(rf"^\[?{item.name}\b|`{item.name}`", TARGETS, re.MULTILINE), item.name
    for item in fields(Request):
        key = rf"^\[?(request\.)?{item.name}\b|`{item.name}`|`\[request\] {item.name}"
        assert re.search(key, TARGETS, re.MULTILINE), item.name


def test_the_python_of_the_documentation_makes_a_target() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", TARGETS, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(program, "targets.md", "exec"), names)  # noqa: S102  our own text
    assert names["target"].labels == ("cat", "dog", "cow")  # type: ignore[attr-defined]


COMMANDED = (TARGETS, GATE, READ, HARDEN, GUARDS, BREAK, CLUSTER, PORTFOLIO, READERS, DEFENCES)


@pytest.mark.parametrize("text", COMMANDED)
def test_every_command_of_the_documentation_is_taken(text: str) -> None:
    lines = re.findall(r"^(?: +- run: | *)(trompe .*)$", text, re.MULTILINE)
    assert lines
    for line in lines:
        _, command, *words = shlex.split(line, comments=True)
        assert command in COMMANDS
        found, _ = parse(command, getattr(settings, CALLED.get(command, f"{command.capitalize()}Settings")), words)
        for condition in getattr(found, "fail_on", ()):
            assert parse_condition(condition).metric in METRICS


def test_every_metric_of_a_gate_is_explained_and_the_text_ends_modestly() -> None:
    for metric in METRICS:
        assert f"`{metric}" in GATE
        assert re.search(rf"^\*\*{metric}(@t)?\*\*", NUMBERS, re.MULTILINE)
    assert GATE.rstrip().endswith(MODESTY)
    for code in (0, 2, 3, 4):
        assert f"| {code} |" in GATE


def test_each_number_is_defined_once_and_those_of_the_page_come_last() -> None:
    defined = re.findall(r"^\*\*(.+?)\*\* —", NUMBERS, re.MULTILINE)
    assert len(defined) >= 20
    assert [name for name, count in Counter(defined).items() if count > 1] == []
    assert re.findall(r"^## (.*)", NUMBERS, re.MULTILINE) == ["On the page only"]
    assert NUMBERS.index("**worse-than-baseline**") < NUMBERS.index("## On the page only")


def test_the_columns_of_answers_and_the_sample_sizes_are_as_told() -> None:
    assert re.findall(r"^\| `(\w+)` \|", READ, re.MULTILINE) == list(COLUMNS)
    sizes = re.findall(r"^\| (\d+) \| ([\d.]+) % \|$", READ, re.MULTILINE)
    assert len(sizes) >= 5
    for of, upper in sizes:
        assert upper == f"{100 * wilson(0, int(of)).high:.1f}"


def test_the_performance_page_is_what_the_stored_results_say() -> None:
    done = subprocess.run([sys.executable, DOCS.parent / "scripts" / "performance.py", "--check"], check=False)
    assert done.returncode == 0, "run `python scripts/performance.py`"
