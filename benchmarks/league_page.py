"""docs/defences.md, made of what `league.py` measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import RESULTS
from protocols import DIFFERS

FILE, ROOT = RESULTS / "league.json", Path(__file__).parent.parent
DOCS, BEGIN, END = ROOT / "docs" / "defences.md", "<!-- league: benchmarks/league.py -->", "<!-- end of league -->"
DATA = ("mnist", "fashion-mnist")
NOT_MEASURED = "not measured"
BOUNDED = (
    "Lenient: no independent reader reads the image; strict: not every one does. Upper ends of 95 % intervals,\n"
    "Wilson's: over trials as if they were independent, and over pairs of network and class, one of which\n"
    "is open where one of its seeds is. They speak of other seeds of this portfolio, not of other attacks."
)


def page(rows: dict[str, dict[str, Any]]) -> str:
    """The tables of docs/defences.md."""
    refused = {name: found for name, found in rows.items() if "refused" in found}
    rows, parts = {name: found for name, found in rows.items() if name not in refused}, []
    for data in DATA:
        own = {name: found for name, found in rows.items() if found["data"] == data}
        if own:
            parts += [f"### {'MNIST' if data == 'mnist' else 'Fashion-MNIST'}", "", league(own), ""]
    parts += ["### Open trials and what they bound", "", bounds(rows), "", BOUNDED, ""]
    if refused:
        parts += ["### Not to be had", ""]
        parts += [
            f"- {found['data']}, {found['recipe']}, {found['guard']}: {found['refused']}" for found in refused.values()
        ]
        parts += [""]
    if any(found["protocols"] for found in rows.values()):
        parts += ["### Published protocols", "", published(rows), ""]
        parts += [*(f"- *{name}*: {words}" for name, words in DIFFERS.items()), ""]
    parts += ["### The commands", "", "Each row by one command, which does the others on the way:", "", "```"]
    parts += [found["command"] for found in rows.values()] + ["```", ""]
    parts += ["The same by hand, for example the last of them:", "", "```"]
    parts += [*(list(rows.values())[-1]["commands"]), "```"]
    return "\n".join(parts)


def league(rows: dict[str, dict[str, Any]]) -> str:
    """One row a defence, fewest open trials first."""
    head = ["recipe", "guard", "portfolio", "accuracy", "accepted and correct", "real at 99 %", "open trials",
            "reached", "worst cell", "looks to the first success", "static AUROC", "ms an image"]  # fmt: skip
    plain = rows.get(next(iter(rows)).split("/")[0] + "/plain/none screen x1")
    usual = plain["steps"]["median"] if plain else None
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cells(found, usual)) + " |" for found in sorted(rows.values(), key=_order)]
    return "\n".join(lines)


def _order(found: dict[str, Any]) -> tuple[float, float]:
    told = found["judged"]["open_trials"]
    share = told["open"]["high"]["count"] / told["trials"] if "open" in told else 2.0
    correct, of = found["natural"]["accepted_and_correct"]
    return share, -correct / of


def _cells(found: dict[str, Any], usual: Any) -> list[str]:
    judged, steps = found["judged"], found["steps"]
    every = [found["natural"], *found.get("natural_of_others", ())]
    told, confident = judged["open_trials"], judged["confident"]
    if "open" in told:
        low, high = told["open"]["low"]["count"], told["open"]["high"]["count"]
        opened = f"{low}" if low == high else f"{low} to {high}"
        opened += f" of {told['trials']}"
        cell = told["cells"][0]
        worst = f"{cell['attack'].removeprefix('pixels-')} from {cell['start']}: {cell['open']['high']['count']}"
        worst = worst if high else "–"
    else:
        opened, worst = f"{NOT_MEASURED}: {told['not_measured']}", NOT_MEASURED
    looks = steps["median"]
    if isinstance(looks, int | float):
        looks = f"{looks:g}" + (f" (x {looks / usual:.1f})" if isinstance(usual, int | float) and usual else "")
    sure = _range([each["certain"] for each in every], 1)
    area, time_ = found["auroc"], found["seconds_per_image"]
    return [
        found["recipe"], found["guard"], _portfolio(judged), _range([each["accuracy"] for each in every]),
        _range([each["accepted_and_correct"] for each in every]), sure, opened,
        f"{confident['count']} of {confident['of']}", worst, str(looks),
        f"{area:.4f}" if isinstance(area, float) else area,
        f"{1e3 * time_['guarded']:.2f} ({1e3 * time_['network']:.2f} without)",
    ]  # fmt: skip


def _range(counts: Sequence[Sequence[int]], digits: int = 2) -> str:
    """Shares of natural images, by one network or from the least to the largest of several."""
    found = sorted({f"{100 * count[0] / count[1]:.{digits}f}" for count in counts}, key=float)
    return " to ".join(dict.fromkeys((found[0], found[-1]))) + " %"


def _portfolio(judged: dict[str, Any]) -> str:
    """Its title, how many networks, and how many searches could not be had against any of them."""
    lacking = max((len(methods) for methods in judged["left_out"].values()), default=0)
    models = len(judged["runs"])
    said = [f"{models} networks"] * (models > 1) + [f"less {lacking} searches"] * (lacking > 0)
    return ", ".join([judged["portfolio"]["title"], *said])


def bounds(rows: dict[str, dict[str, Any]]) -> str:
    """Of each row of the full portfolio how often the truth may be at most, counted in two ways, by either rule."""
    head = ["data", "recipe", "guard", "trials, lenient", "pairs, lenient", "trials, strict", "pairs, strict"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for found in rows.values():
        told = found["judged"]["open_trials"]
        if found["judged"]["portfolio"]["title"].startswith("full") and "open" in told:
            cells = [_at_most(told[what][end]) for end in ("low", "high") for what in ("open", "pairs")]
            lines.append("| " + " | ".join([found["data"], found["recipe"], found["guard"], *cells]) + " |")
    return "\n".join(lines)


def _at_most(share: dict[str, Any]) -> str:
    return f"{share['count']} of {share['of']}, at most {100 * share['high']:.1f} %"


def published(rows: dict[str, dict[str, Any]]) -> str:
    """One row a defence, by whatever portfolio it was judged, in the terms of four papers."""
    head = ["data", "recipe", "guard", "rubbish: error, mean confidence", "adversarial noise: MMC, AUROC, FPR95",
            "distal: AUROC, FPR at 99 % TPR", "other data: AUC, attacked AUC"]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for found in {key.split()[0]: found for key, found in rows.items() if found["protocols"]}.values():
        told = found["protocols"]
        rubbish, noise, distal, other = (told[name] for name in DIFFERS)
        sure = rubbish["mean_confidence_of_errors"]
        lines.append(
            f"| {found['data']} | {found['recipe']} | {found['guard']} | {100 * rubbish['error']:.1f} %, "
            f"{sure if isinstance(sure, str) else f'{100 * sure:.1f} %'} | {noise['mean_confidence']:.3f}, "
            f"{noise['auroc']:.3f}, {noise['fpr_at_95']:.3f} | {distal['auroc']:.3f}, "
            f"{100 * distal['fpr_at_99']:.1f} % | "
            f"{100 * other['auc']:.1f}, {100 * other['attacked_auc']:.1f} |"
        )
    return "\n".join(lines)


def write(rows: dict[str, dict[str, Any]]) -> None:
    """Put the tables between their marks in the documentation."""
    text = DOCS.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCS.write_text(f"{before}{BEGIN}\n{page(rows)}\n{END}{after}", encoding="utf-8")
