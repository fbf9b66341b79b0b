"""A gate's verdict in the files that build servers read: JUnit XML and GitHub-flavoured Markdown."""

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from trompe.core.errors import BadInput
from trompe.core.numerics import say_confidence
from trompe.run import Run
from trompe.run.results import results
from trompe.run.trust import DOUBTED, first_line, reservations
from trompe.showing.evidence import gather
from trompe.showing.page import render
from trompe.showing.report import PAGE
from trompe.verbs.gate import MODESTY, Gate, best_odds

Write = Callable[[Run | None, Gate | None], bytes]

NOT_BEGUN = "Nothing was measured: the target did not answer"
"""First line where there is no run."""


def write_output(path: Path, run: Run | None, gate: Gate | None) -> None:
    """Write a run in the form that a file's ending asks for.

    Args:
        path: Ends in .json (results), .html (the page), .xml (JUnit) or .md (a summary).
        run: Finished, its page written; or cut short by a target that stopped answering; or None where it never began.
        gate: Its verdict, where there were conditions; always where there is no finished run.

    Raises:
        BadInput: Another ending, or the file cannot be written.
    """
    check_output(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_WRITERS[path.suffix.lower()](run, gate))
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


def document(run: Run | None, gate: Gate | None) -> dict[str, Any]:
    """The content of ``results.json`` with the verdict; where no run began, the verdict alone."""
    content = {"first_line": NOT_BEGUN, "state": "not begun"} if run is None else results(run)
    return content if gate is None else {**content, "gate": gate_items(gate)}


def _json(run: Run | None, gate: Gate | None) -> bytes:
    return (json.dumps(document(run, gate), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _html(run: Run | None, gate: Gate | None) -> bytes:
    if run is None:
        said = "".join(f"<p>Gate undecided: {escape(why)}</p>" for why in (gate.hidden if gate else ()))
        head = '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>undecided</title>\n'
        return f"{head}<h1>{NOT_BEGUN}</h1>\n{said}\n</html>\n".encode()
    if run.state == "done" and (run.folder / PAGE).exists():
        return (run.folder / PAGE).read_bytes()
    return render(gather(run, said=tuple(f"Gate undecided: {why}" for why in (gate.hidden if gate else ())))).encode()


def _first_line(run: Run | None) -> str:
    return NOT_BEGUN if run is None else first_line(run.about.target)


def _junit(run: Run | None, gate: Gate | None) -> bytes:
    judged = gate.judged if gate else ()
    forced = gate is not None and gate.outcome == "undecided" and gate.preprocessing in DOUBTED
    counts = {
        "tests": len(judged),
        "failures": 0 if forced else sum(one.outcome == "failed" for one in judged),
        "errors": len(judged) if forced else sum(one.outcome == "undecided" for one in judged),
    }
    suite = Xml.Element("testsuite", {"name": _plain(_first_line(run)), **{k: str(v) for k, v in counts.items()}})
    for one in judged:
        case = Xml.SubElement(suite, "testcase", {"classname": "trompe", "name": one.condition})
        if forced or one.outcome == "undecided":
            Xml.SubElement(case, "error", {"message": _plain(f"undecided: {one.words}")})
        elif one.outcome == "failed":
            Xml.SubElement(case, "failure", {"message": _plain(one.words)})
        else:
            Xml.SubElement(case, "system-out").text = _plain(f"{one.words}. {MODESTY}")
    written: bytes = Xml.tostring(suite, encoding="utf-8", xml_declaration=True)
    return written


def _markdown(run: Run | None, gate: Gate | None) -> bytes:
    lines = [f"**{_escape(_first_line(run))}**", ""]
    if gate is not None:
        lines += [f"## Gate: {gate.outcome}", "", "| condition | outcome | measured |", "|---|---|---|"]
        lines += [f"| `{one.condition}` | {one.outcome} | {_escape(one.words)} |" for one in gate.judged]
        lines += ["", MODESTY, ""]
    return "\n".join([*lines, *([] if run is None else _found(run)), ""]).encode()


def _found(run: Run) -> list[str]:
    """What there is to know of a run, and the strongest image of each class."""
    lines = [f"- {_escape(said)}" for said in reservations(run)]
    lines += ["", "| class | strongest image, verified |", "|---|---|"]
    return lines + [
        f"| {_escape(label)} | {'none' if odds == float('-inf') else say_confidence(odds)} |"
        for label, odds in best_odds(run).items()
    ]


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _escape(text: str) -> str:
    plain = _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("|", "\\|").replace("`", "\\`").replace("[", "\\[").replace("*", "\\*").replace("_", "\\_")


_WRITERS: dict[str, Write] = {".json": _json, ".html": _html, ".xml": _junit, ".md": _markdown}
