"""A gate's verdict in the files that build servers read: JUnit XML and GitHub-flavoured Markdown."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

from trompe.core.errors import BadInput
from trompe.core.numerics import say_confidence
from trompe.run import Run
from trompe.run.results import results
from trompe.run.trust import DOUBTED, first_line, reservations
from trompe.verbs.gate import MODESTY, Gate, best_odds

Write = Callable[[Path, Run, Gate | None], None]


def write_output(path: Path, run: Run, gate: Gate | None) -> None:
    """Write a run in the form that a file's ending asks for.

    Args:
        path: Ends in .json (results), .html (the page), .xml (JUnit) or .md (a summary).
        run: Finished, its page written.
        gate: Its verdict, where there were conditions.

    Raises:
        BadInput: Another ending, or the file cannot be written.
    """
    check_output(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[path.suffix.lower()](path, run, gate)
    except OSError as cause:
        raise BadInput(
            expected="a file that can be written", got=str(cause), where=f"-o {path}", do="Choose another place."
        ) from cause


def check_output(path: Path) -> None:
    """Refuse a file whose ending asks for nothing that can be written.

    Raises:
        BadInput: It does.
    """
    if path.suffix.lower() not in _WRITERS:
        raise BadInput(
            expected=f"a file that ends in {', '.join(_WRITERS)}", got=path.name, where="-o", do="Choose one of these."
        )


def gate_items(gate: Gate) -> dict[str, object]:
    """A verdict, JSON-ready."""
    conditions = [vars(one) for one in gate.judged]
    return {"outcome": gate.outcome, "conditions": conditions, "hiding": list(gate.hidden), "note": MODESTY}


def _json(path: Path, run: Run, gate: Gate | None) -> None:
    content = results(run)
    if gate is not None:
        content["gate"] = gate_items(gate)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _html(path: Path, run: Run, gate: Gate | None) -> None:
    del gate
    shutil.copyfile(run.folder / "report.html", path)


def _junit(path: Path, run: Run, gate: Gate | None) -> None:
    judged = gate.judged if gate else ()
    forced = gate is not None and gate.outcome == "undecided" and gate.preprocessing in DOUBTED
    counts = {
        "tests": len(judged),
        "failures": 0 if forced else sum(one.outcome == "failed" for one in judged),
        "errors": len(judged) if forced else sum(one.outcome == "undecided" for one in judged),
    }
    suite = Xml.Element(
        "testsuite", {"name": _plain(first_line(run.about.target)), **{k: str(v) for k, v in counts.items()}}
    )
    for one in judged:
        case = Xml.SubElement(suite, "testcase", {"classname": "trompe", "name": one.condition})
        if forced or one.outcome == "undecided":
            Xml.SubElement(case, "error", {"message": _plain(f"undecided: {one.words}")})
        elif one.outcome == "failed":
            Xml.SubElement(case, "failure", {"message": _plain(one.words)})
        else:
            Xml.SubElement(case, "system-out").text = _plain(f"{one.words}. {MODESTY}")
    Xml.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _markdown(path: Path, run: Run, gate: Gate | None) -> None:
    lines = [f"**{_escape(first_line(run.about.target))}**", ""]
    if gate is not None:
        lines += [f"## Gate: {gate.outcome}", "", "| condition | outcome | measured |", "|---|---|---|"]
        lines += [f"| `{one.condition}` | {one.outcome} | {_escape(one.words)} |" for one in gate.judged]
        lines += ["", MODESTY, ""]
    lines += [f"- {_escape(said)}" for said in reservations(run)]
    lines += ["", "| class | strongest image, verified |", "|---|---|"]
    lines += [
        f"| {_escape(label)} | {'none' if odds == float('-inf') else say_confidence(odds)} |"
        for label, odds in best_odds(run).items()
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _escape(text: str) -> str:
    plain = _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("|", "\\|").replace("`", "\\`").replace("[", "\\[").replace("*", "\\*").replace("_", "\\_")


_WRITERS: dict[str, Write] = {".json": _json, ".html": _html, ".xml": _junit, ".md": _markdown}
