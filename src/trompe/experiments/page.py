"""The page of a series: of the paper, its numbers beside ours; of questions, the answers. Verdicts, and why."""

from collections import Counter
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from trompe.experiments.answers import Said, predictions, say
from trompe.experiments.nouns import Outcome, Question
from trompe.experiments.report import Account, Section

ORDER: tuple[Outcome, ...] = (
    "does not reproduce", "does not hold", "does not hold on a stand-in", "reproduces", "holds", "holds on a stand-in",
    "undecided", "cannot be run here",
)  # fmt: skip
"""Outcomes as they are counted on the page: failures first."""


def render(account: Account) -> str:
    """The page as text; it needs nothing but itself, and runs nothing."""
    style = files("trompe.experiments").joinpath("templates/paper.css").read_text(encoding="utf-8")
    figures = {section.experiment.name: [(one, Markup(one.markup)) for one in section.figures]  # noqa: S704  our own
               for section in account.sections}  # fmt: skip
    return _template(f"{account.series}.html").render(
        account=account,
        style=Markup(style),  # noqa: S704  our own file
        counts=counts(account.sections),
        figures=figures,
        answers={section.experiment.name: _answers(section) for section in account.sections},
        predictions=predictions(account.sections),
    )


def counts(sections: tuple[Section, ...]) -> list[tuple[str, int]]:
    """Outcomes and how many claims came out so, failures first; none that did not occur."""
    found = Counter(verdict.outcome for section in sections for verdict in section.verdicts)
    return [(outcome, found[outcome]) for outcome in ORDER if found[outcome]]


def _answers(section: Section) -> list[tuple[Question, tuple[Said, ...]]]:
    verdicts = {verdict.claim.name: verdict for verdict in section.verdicts}
    return [(question, say(question, verdicts)) for question in section.experiment.questions]


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("trompe.experiments"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(name)
