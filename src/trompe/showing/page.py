"""The page itself: evidence into one self-contained HTML file."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from trompe.run.trust import doubted, first_line
from trompe.showing import curves, maps
from trompe.showing import spread as spreads
from trompe.showing.account import account
from trompe.showing.evidence import Evidence
from trompe.showing.headline import figures, sentence, warnings
from trompe.showing.natural import gallery
from trompe.showing.people import people_section
from trompe.showing.pictures import MANY
from trompe.showing.readable import readable
from trompe.showing.tables import control_table, reached_table, repeats_table, survival_table, transfer
from trompe.showing.tiles import tiles
from trompe.showing.words import say, say_count, say_level, say_some

_IN_A_ROW = 5


def render(evidence: Evidence) -> str:
    """The page as text. The same evidence gives the same text."""
    script, run = part("page.js"), evidence.run
    methods = list(dict.fromkeys(search.method for search in run.searches))
    return template("page.html").render(
        evidence=evidence, run=run, target=run.about.target["name"], public=evidence.public,
        script=Markup(script), policy=policy(script), style=Markup(part("style.css")),  # noqa: S704  our own files
        first_line=first_line(run.about.target), unverified=doubted(run.about.target),
        spared=say_some(evidence.spared), control=control_table(evidence), warnings=warnings(evidence),
        sentence=sentence(evidence), figures=figures(evidence), tiles=tiles(evidence),
        many=len(run.classes) > MANY * run.repeats, methods=methods,
        levels=[say_level(level) for level in run.about.levels], level=say_level(evidence.level),
        gallery=gallery(evidence), charts=curves.charts(evidence), plot=curves, has_paper=curves.has_paper(evidence),
        maps=maps.maps(evidence), legend=maps.legend(), table=reached_table(evidence), repeats=repeats_table(evidence),
        spread=spreads.spread(evidence), paper=spreads, calibration=spreads.calibration(evidence),
        readable=readable(evidence),
        transfer=transfer(evidence), survival=survival_table(evidence), account=account(evidence), say=say,
        people=people_section(evidence),
        count=say_count, columns=columns(len(methods)), shape=_shape(run.shape),
    )  # fmt: skip


def columns(methods: int) -> int:
    """Tiles in a row: about five, and whole classes, so that those of one class stand side by side.

    Example:
        >>> [columns(methods) for methods in (1, 2, 3, 4, 7)]
        [5, 4, 6, 4, 7]
    """
    return max(methods, 1) * max(1, round(_IN_A_ROW / max(methods, 1)))


def policy(script: str) -> str:
    """The content-security policy: nothing from the network, and no script but this one."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


@cache
def template(name: str) -> Template:
    """One of our own, which escapes whatever it is given and refuses what it is not given."""
    environment = Environment(
        loader=PackageLoader("trompe.showing"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_unbroken,
    )  # fmt: skip
    return environment.get_template(name)


def _shape(shape: tuple[int, int, int]) -> str:
    """Width over height of a picture, so that the page keeps its room before it is decoded."""
    channels, height, width = shape
    return f"{width} / {height if channels == 3 else channels * height}"


def _unbroken(value: object) -> object:
    """A number and its per cent sign stay on one line; our own files go in as they are."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


def part(name: str) -> str:
    """The text of a style sheet or script of ours."""
    return files("trompe.showing").joinpath("templates", name).read_text(encoding="utf-8").strip()
