"""What people saw in the images, in words: one sentence, one figure, tables and the pictures themselves."""

from dataclasses import dataclass

from trompe.measure.agreement import Agreement
from trompe.run.sheet import to_picture
from trompe.showing.evidence import Evidence
from trompe.showing.pictures import address
from trompe.showing.tables import Table, say_share
from trompe.showing.words import not_measured, say_count
from trompe.verbs.answers import NONE
from trompe.verbs.people import ENOUGH, Foreign, People, Rates, Seen
from trompe.verbs.raters import ATTENTION, FASTEST, Rater
from trompe.verbs.stimuli import confident_level

CHECKS = (
    f"Counted are people who named at least {100 * ATTENTION:.0f} % of the real pictures rightly, called at least as "
    f"much of the noise none, and took at least {FASTEST / 1000:g} s for an answer (median). The others stand apart."
)
"""Which answers count."""


@dataclass(frozen=True)
class Looked:
    """One picture, what it was made for, and what was answered."""

    source: str
    made: str
    votes: str
    read: str


@dataclass(frozen=True)
class Section:
    """What stands on the page about people."""

    outcome: str
    caution: str
    checks: str
    agreement: list[str]
    methods: Table | None
    raters: Table | None
    apart: Table | None
    failures: list[str]
    foreign: list[str]
    pictures: list[Looked]


def people_sentence(evidence: Evidence) -> str:
    """What people read, or that it was not measured."""
    rates = evidence.people.rates if evidence.people else None
    if evidence.people is None or rates is None:
        return "Whether a person can read them was not measured."
    return _outcome(evidence.people, rates)


def people_figure(evidence: Evidence) -> tuple[str, str]:
    """The readable share, and who read."""
    rates = evidence.people.rates if evidence.people else None
    if evidence.people is None or rates is None:
        reason = evidence.people.reason if evidence.people else "no reader, human or machine, judged these images"
        return not_measured(), f"readable share: {reason}"
    value, words = f"{rates.own.count} of {rates.own.of}", "pictures read as the class they were made for, by"
    return value, f"{words} {evidence.people.name}; {rates.other.count} as another class"


def people_trust(evidence: Evidence) -> str:
    """Who was asked, and who was counted."""
    asked = evidence.people
    if asked is None:
        return not_measured("no person and no reading network was asked what the images show; trompe read asks people")
    apart = f"; {len(asked.apart)} more failed the attention checks and are counted apart" if asked.apart else ""
    return f"{asked.name}{apart}" if asked.raters else not_measured(f"{asked.reason}{apart}")


def people_section(evidence: Evidence) -> Section | None:
    """None where nobody was asked."""
    asked = evidence.people
    if asked is None:
        return None
    rates = asked.rates
    return Section(
        outcome=_outcome(asked, rates) if rates else f"What people can read was {not_measured(asked.reason)}.",
        caution=_caution(evidence, asked), checks=CHECKS, agreement=_agreements(asked),
        methods=_methods(asked), raters=_raters(asked.raters, evidence), apart=_raters(asked.apart, evidence),
        failures=_failures(asked, evidence), foreign=[_foreign(each) for each in asked.foreign],
        pictures=[_looked(image) for image in asked.images],
    )  # fmt: skip


def _foreign(each: Foreign) -> str:
    answers = f"{say_count(each.answers)} {'answer' if each.answers == 1 else 'answers'}"
    people = f"{say_count(each.raters)} {'person' if each.raters == 1 else 'people'}"
    where = f"pictures that this run does not keep (page {each.page})"
    return f"{answers} of {people} about {where}: counted nowhere."


def _outcome(asked: People, rates: Rates) -> str:
    count = len(asked.raters)
    who = "one person" if count == 1 else f"at least half of {say_count(count)} people"
    own, other, none = (say_count(share.count) for share in (rates.own, rates.other, rates.none))
    return (
        f"Of {say_count(rates.own.of)} pictures, {who} read {own} as the class they were made for, {other} as another "
        f"class and {none} as none."
    )


def _caution(evidence: Evidence, asked: People) -> str:
    few = (
        "" if len(asked.raters) >= ENOUGH else
        f" With fewer than {ENOUGH} people this is a first look and no decision about a picture."
    )  # fmt: skip
    return (
        f"Pictures of at least {100 * confident_level(evidence.run):g} % confidence, one by one, in an order of each "
        "person's own, real ones and noise among them. A picture is read as a class where at least half of the people "
        f"chose it.{few} In brackets: 95 % Wilson intervals over pictures."
    )


def _agreements(asked: People) -> list[str]:
    pairs = ((asked.agreement, "on these pictures"), (asked.agreement_all, "with the real ones and the noise"))
    return [_agreement(agreement, where) for agreement, where in pairs]


def _agreement(agreement: Agreement | None, where: str) -> str:
    if agreement is None:
        return f"{where}: {not_measured('no two people answered the same picture')}"
    same = f"two people gave the same answer in {100 * agreement.observed:.0f} % of cases"
    if agreement.kappa is None:
        return f"{where}: {not_measured('everybody gave one and the same answer')}"
    return f"{where}: {agreement.kappa:.2f} ({same}; {say_count(agreement.images)} pictures)"


def _methods(asked: People) -> Table | None:
    found = asked.by_method()
    rows = [["all", *_shares(asked.rates)]] if asked.rates and len(found) > 1 else []
    rows = [*([method, *_shares(rates)] for method, rates in found.items()), *rows]
    return Table(["method", "read as the class it was made for", "as another", "as none"], rows, 0) if rows else None


def _shares(rates: Rates) -> list[str]:
    return [say_share(share) for share in (rates.own, rates.other, rates.none)]


def _raters(raters: tuple[Rater, ...], evidence: Evidence) -> Table | None:
    head = [
        "person",
        "real named rightly",
        "noise called none",
        "twice alike",
        "its class",
        "another",
        "none",
        "median",
    ]
    rows = [
        [
            _name(number, one, evidence), str(one.real), str(one.noise), str(one.alike),
            *(say_count(count) for count in (one.own, one.other, one.none)), f"{one.milliseconds / 1000:.1f} s",
        ]
        for number, one in enumerate(raters, 1)
    ]  # fmt: skip
    return Table(head, rows, 0) if rows else None


def _failures(asked: People, evidence: Evidence) -> list[str]:
    return [f"{_name(number, one, evidence)}: {'; '.join(one.failures)}." for number, one in enumerate(asked.apart, 1)]


def _name(number: int, one: Rater, evidence: Evidence) -> str:
    """What somebody wished to be called; on a public page nobody has a name."""
    return f"{'person' if one.passed else 'apart'} {number}" if evidence.public else one.name or one.id


def _looked(image: Seen) -> Looked:
    votes = ", ".join(f"{count}× {answer if answer == NONE else f'“{answer}”'}" for answer, count in image.votes)
    read = "own" if image.majority == image.label else "none" if image.majority == NONE else "other"
    words = {"own": f"read as {image.label}", "other": f"read as {image.majority}", "none": "not read"}[read]
    return Looked(address(to_picture(image.levels)), f"made to be {image.label}", votes, words)
