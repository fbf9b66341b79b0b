"""`read`: one page on which people say what they see in a run's images, real ones and noise among them."""

import base64
import hashlib
import json
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from markupsafe import Markup

from trompe.core.errors import BadInput, TrompeError
from trompe.data.folders import Photographs, read_photographs
from trompe.run import Run, open_run
from trompe.run.folder import write_whole
from trompe.run.sheet import to_picture
from trompe.settings import ReadSettings
from trompe.showing.networks import target_folder
from trompe.showing.page import part, policy, template
from trompe.showing.pictures import address
from trompe.showing.words import say_level
from trompe.targets.trained import read_samples
from trompe.verbs.answers import COLUMNS, NONE
from trompe.verbs.keywords import keywords
from trompe.verbs.raters import ATTENTION, FASTEST
from trompe.verbs.stimuli import Stimulus, confident_level, spared, stimuli, write_key

PAGE = "read.html"
FEW = 12
"""Labels that have a key and a button each; more of them are searched by typing."""
_REPEATED = 8
"""One picture in so many is shown a second time."""
_SIDE = 320
_LIGHT = 127.5


@keywords(ReadSettings)
def read(settings: ReadSettings) -> Path:
    """Write a page that shows pictures of a run, real ones and noise to a person and keeps the answers.

    Takes the fields of `ReadSettings`. The page is one file that needs nothing else and opens from disk. Which of its
    pictures are real and which noise is noted in the run folder, for `report`.

    Returns:
        The page.

    Raises:
        BadInput: ``count`` does not fit, or there are too few real images of known classes.
        DataError: The folder of images cannot be read.
        RunError: No run, damaged, nothing in it to be read, or a folder cannot be written.
    """
    return read_page(settings)[0]


def read_page(settings: ReadSettings) -> tuple[Path, tuple[Stimulus, ...]]:
    """What `read` does, and the pictures that are on the page."""
    run = open_run(settings.run)
    chosen = stimuli(run, _real_images(run, settings.images), settings.count, settings.seed)
    page = render(run, chosen)
    write_key(run, chosen)  # before the page: one that exists can always be scored
    path = Path(settings.out or run.folder / PAGE)
    write_whole(path, page.encode())
    return path, chosen


def render(run: Run, chosen: Sequence[Stimulus]) -> str:
    """The page as text. The same pictures in the same order give the same text."""
    script, answers = part("read.js"), _answers(list(run.about.target["labels"]))
    content = {
        "page": page_id(chosen), "columns": COLUMNS, "none": NONE, "repeats": len(chosen) // _REPEATED,
        "pictures": [{"id": item.id, "source": address(to_picture(item.levels))} for item in chosen],
        "sealed": seal([_told(item) for item in chosen], page_id(chosen)), "attention": ATTENTION, "fastest": FASTEST,
        "nothing": sorted(spared(run)),
    }  # fmt: skip
    size = to_picture(chosen[0].levels).size
    return template("read.html").render(
        script=Markup(script), policy=policy(script), content=content,  # noqa: S704  our own file
        style=Markup(part("style.css") + "\n" + part("read.css")),  # noqa: S704
        answers=answers, few=bool(answers[0][1]), shown=len(chosen) + len(chosen) // _REPEATED,
        target=run.about.target["name"], level=say_level(confident_level(run)), polarity=_polarity(chosen),
        width=_width(*size), shape="{} / {}".format(*size),
    )  # fmt: skip


def page_id(chosen: Sequence[Stimulus]) -> str:
    """``p`` and 16 hexadecimal digits of sha256 over the pictures in their order."""
    return f"p{hashlib.sha256(' '.join(item.id for item in chosen).encode()).hexdigest()[:16]}"


def seal(content: Any, name: str) -> str:
    """What the page tells at its end, made illegible for who glances at the source; no secret to who takes the trouble.

    A page that works alone must hold the solution. What counts is scored by `report`, from the run and not from this.

    Example:
        >>> unseal(seal(["a"], "p1"), "p1"), "a" in seal(["a"], "p1")
        (['a'], False)
    """
    mixed = bytes(a ^ b for a, b in zip(json.dumps(content).encode(), cycle(name.encode()), strict=False))
    return base64.b64encode(mixed).decode()


def unseal(sealed: str, name: str) -> Any:
    """What `seal` was given."""
    mixed = base64.b64decode(sealed)
    return json.loads(bytes(a ^ b for a, b in zip(mixed, cycle(name.encode()), strict=False)))


def keys(labels: Sequence[str]) -> list[str]:
    """One key a label and one for none, all different: single letters and digits are their own keys.

    Example:
        >>> keys(("0", "1")), keys(("cat", "dog"))
        (['0', '1', 'n'], ['a', 'b', 'n'])
    """
    own = [label.lower() for label in labels]
    if all(len(key) == 1 and key.isascii() and key.isalnum() and key != "n" for key in own) and len(set(own)) == len(
        own
    ):
        return [*own, "n"]
    return [*"abcdefghijkl"[: len(labels)], "n"]


def _answers(labels: list[str]) -> list[tuple[str, str]]:
    """Label and key of every answer, none last; a class that is called none is the answer none."""
    named = [label for label in labels if label != NONE]
    return list(zip([*named, NONE], keys(named) if len(named) <= FEW else [""] * (len(named) + 1), strict=True))


def _told(item: Stimulus) -> list[str]:
    return [item.kind, item.label, item.method]


def _polarity(chosen: Sequence[Stimulus]) -> str:
    """Whether marks are light or dark, which is no hint where it is so of all real pictures of one channel."""
    if chosen[0].levels.shape[0] != 1:
        return ""
    dark = [float(item.levels.float().mean()) < _LIGHT for item in chosen if item.kind == "real"]
    return "light on dark" if all(dark) else "dark on light" if not any(dark) else ""


def _width(width: int, height: int) -> int:
    """Of the shown picture in pixels: small ones by whole multiples, so that no longer side is below half `_SIDE`."""
    return width * max(1, _SIDE // max(width, height))


def _real_images(run: Run, folder: Path | None) -> Photographs:
    target = run.about.target
    if folder is not None:
        fit = target.get("declared", {}).get("preprocessing", {}).get("fit", "stretch")
        return read_photographs(folder, target["labels"], run.shape, fit=fit)
    own = target_folder(run)
    try:
        samples = read_samples(own) if own else None
    except TrompeError:
        samples = None
    if own is None or samples is None or tuple(samples.images.shape[1:]) != run.shape:
        raise BadInput(
            expected="real images, to see whether people look at all", got=f"none that came with {target['name']}",
            where="--images", do="Name a folder with a folder of photographs for each label.",
        )  # fmt: skip
    return Photographs(samples.images, samples.classes, tuple(own / f"sample-{i}" for i in range(len(samples))))
