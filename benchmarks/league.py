"""The league of defences: recipe x guard, each attacked anew by `trompe judge`; docs/defences.md is made of it.

    python benchmarks/league.py                                   # rows not measured yet, most telling first
    python benchmarks/league.py --rows mnist/plain/class-vae --again
    python benchmarks/league.py --portfolio full --models 3 --rows mnist/plain/class-vae
    python benchmarks/league.py --write                           # only docs/defences.md

Everything that is made on the way stays in --work and is taken up again; what is measured is kept after each row.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import protocols
import torch
from common import machine, say
from league_page import DATA, FILE, ROOT, write
from PIL import Image

import trompe
from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, level_odds
from trompe.core.types import Target
from trompe.data import load
from trompe.guards.types import AND
from trompe.measure.metrics import auroc
from trompe.measure.trials import Attacked
from trompe.portfolio import PORTFOLIOS
from trompe.run import Run, open_run
from trompe.settings import TrialSettings
from trompe.targets import Declaration, load_target, write_declaration
from trompe.targets.guarded import Guarded, undefended
from trompe.verbs.guard import measure, said
from trompe.verbs.judge import Judged, case_of, run_case
from trompe.verbs.trials import rows_of

LEVEL = 0.99
PICTURES = ROOT / "docs" / "images"
LAYER = "net.6"
RECIPES = ("plain", "outlier-exposure", "low-confidence", "low-confidence-all*3", "negative-class")
GUARDS = (
    "none", "class-neighbours", "neighbours", "certified", "vae", "class-vae", "class-kde", "margin", "energy", "kde",
    "mahalanobis", "knn", "pca-residual", "entropy", "maximum-probability",
)  # fmt: skip
BUNDLED = {("mnist", 0): "lenet-mnist", ("mnist", 1): "lenet-mnist-b", ("fashion-mnist", 0): "lenet-fashion"}
FALSE_ALARMS, ITERATIONS = 0.01, 3000
TIMES = "*"
"""Between a recipe and how many times as long it is trained: ``low-confidence*4``."""
SHARES = "~"
"""Between a guard, its share of false alarms and what it doubts: ``vae~0.004~0.3``. Each network has its own then."""


def every_row() -> list[str]:
    """Every row, most telling first: the plain network behind every guard, then recipes, then the other data."""
    rows = [f"mnist/plain/{guard}" for guard in GUARDS]
    for data in DATA:
        hardened = [f"{data}/{recipe}/{guard}" for recipe in RECIPES[1:] for guard in ("none", *GUARDS[1:5])]
        rows += hardened if data == "mnist" else [f"{data}/plain/{guard}" for guard in GUARDS] + hardened
    return rows


def network(data: str, recipe: str, seed: int, work: Path, iterations: int) -> tuple[str, str]:
    """A trained network: the text that names it, and the command that makes it; "" of one that comes with trompe."""
    if recipe == "plain" and (data, seed) in BUNDLED:
        return BUNDLED[data, seed], ""
    other = f"-{iterations}-iterations" * (iterations != ITERATIONS)
    folder = work / "networks" / f"{data}-{recipe.replace(TIMES, '-x')}-{seed}{other}"
    recipe, _, times = recipe.partition(TIMES)
    iterations *= int(times or 1)
    if recipe == "plain":
        command = f"trompe train lenet --data {data} --seed {seed} --iterations {iterations}"
        if not (folder / "card.json").exists():
            trompe.train("lenet", data=data, seed=seed, iterations=iterations, out=folder)
    else:
        more = {"rounds": 2, "negatives": 1500} if recipe == "negative-class" else {}
        told = "".join(f" --{key} {value}" for key, value in more.items())
        command = f"trompe harden --recipe {recipe} --data {data} --seed {seed} --iterations {iterations}{told}"
        if not (folder / "card.json").exists():
            trompe.harden(recipe=recipe, data=data, seed=seed, iterations=iterations, out=folder, resume=True, **more)
    return str(folder), f"{command} --out {folder.name}"


def guard_of(target: str, data: str, kind: str, work: Path) -> tuple[Path | None, str]:
    """A fitted guard: its folder, and the command that makes it."""
    if kind == "none":
        return None, ""
    folder = work / "guards" / f"{Path(target).name}-{kind}"
    kinds, *shares = kind.split(SHARES)
    false_alarms, doubts = map(float, shares or (FALSE_ALARMS, 0))
    layer = {"layer": LAYER} if {"mahalanobis", "knn"} & set(kinds.split(AND)) else {}
    first, *also = kinds.split(AND)
    if not (folder / "guard.json").exists():
        trompe.guard(
            target, images=data, kind=first, also=tuple(also), false_alarms=false_alarms, doubts=doubts, out=folder,
            **layer,
        )  # fmt: skip
    told = "".join([*(f" --also {other}" for other in also), *(f" --{key} {value}" for key, value in layer.items())])
    told += f" --false-alarms {false_alarms:g} --doubts {doubts:g}" if shares else ""
    return folder, f"trompe guard {Path(target).name} --images {data} --kind {first}{told} --out {folder.name}"


@dataclass(frozen=True)
class Defence:
    """What a row is about.

    Attributes:
        texts: What names each network that is attacked.
        guard: In front of all of them; None where there is none, or where each names its own.
        made: The commands that make networks and guards.
        targets: Each network behind its guard.
    """

    texts: list[str]
    guard: Path | None
    made: list[str]
    targets: list[Target]


def defence(name: str, models: int, options: argparse.Namespace) -> Defence:
    """Train or take, and guard."""
    data, recipe, kind = name.split("/")
    networks = [network(data, recipe, seed, options.work, options.iterations) for seed in range(models)]
    made, texts = [command for _, command in networks], [text for text, _ in networks]
    if SHARES in kind:
        files = [behind(text, data, kind, options.work) for text in texts]
        steps = [step for at, (_, own) in enumerate(files) for step in (made[at], *own)]
        return Defence([file for file, _ in files], None, steps, [load_target(file) for file, _ in files])
    folder, fitted = guard_of(texts[0], data, kind, options.work)
    declared = Declaration(guard=str(folder.resolve()) if folder else "")
    return Defence(texts, folder, [*made, fitted], [load_target(text, declared) for text in texts])


def behind(text: str, data: str, kind: str, work: Path) -> tuple[str, tuple[str, str]]:
    """A network behind a guard of its own: a target file, and the commands that make both."""
    folder, fitted = guard_of(text, data, kind, work)
    path = work / "guards" / f"{Path(text).name}-{kind}.toml"
    write_declaration(path, Declaration(model=text, guard=str(folder)))
    return str(path), (fitted, f"trompe inspect {Path(text).name} --guard {path.stem} --save {path.name}")


def attacked(name: str, given: Defence, portfolio: str, work: Path, trials: int | None) -> Judged:
    """The portfolio against a row; what is finished is taken up."""
    out = place(name, portfolio, len(given.texts), work, trials)
    text, *others = given.texts
    settings = TrialSettings(
        text, model=tuple(others), portfolio=portfolio, level=LEVEL, guard=given.guard, undefended=plain_of(name),
        trials_per_class=trials, out=out, resume=out.exists(),
    )  # fmt: skip
    return run_case(case_of(settings))


def plain_of(name: str) -> str | None:
    """The network that images are transferred from to a hardened one, which alone is certain of too little."""
    data, recipe, _ = name.split("/")
    return None if recipe == "plain" else BUNDLED[data, 0]


def place(name: str, portfolio: str, models: int, work: Path, trials: int | None) -> Path:
    """Where the runs against a row lie."""
    return work / "judged" / f"{portfolio}-{models}-{name.replace('/', '-')}{f'-{trials}-a-class' if trials else ''}"


def key_of(name: str, options: argparse.Namespace) -> str:
    """What a row is called in the results."""
    trials = f" {options.trials_per_class} a class" if options.trials_per_class else ""
    return f"{name} {options.portfolio} x{options.models}{trials}"


def row(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train or take, guard, count, attack, and try the published protocols."""
    data, recipe, kind = name.split("/")
    before = time.process_time()
    given = defence(name, options.models, options)
    target, text, others = given.targets[0], given.texts[0], given.texts[1:]
    judged = attacked(name, given, options.portfolio, options.work, options.trials_per_class)
    natural = protocols.scores(target, from_levels(load(data).test.images[:: options.every]))
    guard_text = f" --guard {given.guard.name}" if given.guard else ""
    models = "".join(f" --model {Path(other).name}" for other in others)
    plain = plain_of(name)
    told = f"{models}{guard_text}{f' --undefended {plain}' if plain else ''}"
    told += f" --trials-per-class {options.trials_per_class}" if options.trials_per_class else ""
    judge_text = f"trompe judge {Path(text).name}{told} --portfolio {options.portfolio} --out judged"
    return {
        "data": data, "recipe": recipe, "guard": kind,
        "command": command_of(name, options),
        "commands": [step for step in (*given.made, judge_text) if step],
        "natural": counted(target, data),
        "natural_of_others": [counted(other, data) for other in given.targets[1:]],
        "judged": judged.describe(),
        "steps": steps_of(judged.runs, options.portfolio),
        "auroc": static(target, natural, data, options),
        "seconds_per_image": seconds(target, data),
        "protocols": dict(protocols.protocols(target, data, natural)) if options.protocols else {},
        "cpu_seconds": round(time.process_time() - before),
        **machine(),
    }  # fmt: skip


def command_of(name: str, options: argparse.Namespace) -> str:
    """The command that measures a row again, from nothing."""
    words = [f"python benchmarks/league.py --rows {name} --portfolio {options.portfolio}"]
    usual = {"models": 1, "trials_per_class": None, "iterations": ITERATIONS, "every": 5}
    for key, value in usual.items():
        if getattr(options, key) != value:
            words.append(f"--{key.replace('_', '-')} {getattr(options, key)}")
    return " ".join([*words, *([] if options.protocols else ["--no-protocols"]), "--again"])


def counted(target: Target, data: str) -> dict[str, Any]:
    """What the defence says of the natural test images, opened for this."""
    test = load(data).test
    if isinstance(target, Guarded):
        found = measure(target.guard, target.target, test)
    else:
        outputs = said(target, test)
        slack = torch.zeros_like(outputs.logits) if outputs.slack is None else outputs.slack
        found = measure(_Fixed(slack), target, test)
    return {key: [share.count, share.of] for key, share in vars(found).items()}


class _Fixed:
    """The slack that a classifier has by itself, for `measure`."""

    def __init__(self, slack: torch.Tensor) -> None:
        self.slack_of, self.at = slack.to(torch.float64), 0

    def slack(self, outputs: Any, inputs: torch.Tensor) -> torch.Tensor:
        """The next rows."""
        del outputs
        self.at += len(inputs)
        return self.slack_of[self.at - len(inputs) : self.at]


def steps_of(runs: Sequence[Run], portfolio: str) -> dict[str, Any]:
    """Looks of a trial's quickest search to its first confident, accepted image: readable or not; censored: none."""
    first: dict[tuple[str, str, int], float] = {}
    for number, run in enumerate(runs):
        for attacked in rows_of(run, number, PORTFOLIOS[portfolio]):
            found = _looks(attacked, run)
            first[attacked.trial] = min(first.get(attacked.trial, math.inf), found)
    middle = median(first.values())
    return {
        "median": middle if middle < math.inf else "not within the budget",
        "reached": sum(value < math.inf for value in first.values()),
        "trials": len(first),
    }


def _looks(attacked: Attacked, run: Run) -> float:
    """Of one search and class: looks at it until its first confident, accepted image; classes take turns evenly."""
    classes = len(run.searches[0].niches)
    return min((math.ceil(i.evaluations / classes) for i in attacked.images if i.confident(LEVEL)), default=math.inf)


def static(target: Target, natural: torch.Tensor, data: str, options: argparse.Namespace) -> float:
    """AUROC of natural test images against images made without this defence: those that fooled the plain network."""
    plain = f"{data}/plain/none"
    runs = place(plain, "screen", 1, options.work, None) / "models"
    if not runs.exists():
        attacked(plain, defence(plain, 1, options), "screen", options.work, None)
    (first, *_) = sorted(runs.iterdir())
    kept = [item.levels for record in open_run(first).classes for item in record.kept() if item.level == LEVEL]
    return auroc(natural, protocols.scores(target, from_levels(torch.stack(kept))))


def seconds(target: Target, data: str) -> dict[str, float]:
    """Processor time of one image in batches of 100, and of the network alone; the best of five."""
    images = from_levels(load(data).test.images[:100])

    def best(asked: Target) -> float:
        found = []
        for _ in range(5):
            before = time.process_time()
            with torch.inference_mode():
                asked.judge(images)
            found.append((time.process_time() - before) / len(images))
        return min(found)

    return {"guarded": best(target), "network": best(undefended(target))}


# What is said and drawn


def line(found: dict[str, Any]) -> str:
    """What is said of a row while others follow."""
    if "refused" in found:
        return str(found["refused"])
    told = found["judged"]["open_trials"]
    return f"open {told.get('words', told)}, {found['natural']}, {found['steps']}, {found['cpu_seconds']} s"


def picture(name: str, options: argparse.Namespace) -> Path | None:
    """The images of a row that got through, large: confident, accepted, and not read by every reader; None if none.

    One column a trial: above, those that no reader reads first.
    """
    found: dict[str, list[tuple[int, torch.Tensor]]] = {}
    runs = place(name, options.portfolio, options.models, options.work, options.trials_per_class) / "models"
    for folder in sorted(runs.iterdir()):
        run = open_run(folder)
        reads = {(int(s), int(n), float(level)): said for s, n, level, said in run.measured["readers"].get("reads", ())}
        odds = run.judgements()
        for record in run.classes:
            for item in record.kept():
                key = (record.search, record.niche, item.level or 0.0)
                says = reads.get(key, ())
                agreed = sum(one == item.label for one in says)
                if item.level == LEVEL and odds[key] >= level_odds(LEVEL) and agreed < len(says):
                    found.setdefault(item.label, []).append((agreed, item.levels[0]))
    if not found:
        return None
    labels, tall = sorted(found), min(4, max(map(len, found.values())))
    side = next(iter(found.values()))[0][1].shape[0]
    sheet = torch.full((tall * (side + 2), len(labels) * (side + 2)), 90, dtype=torch.uint8)
    for x, label in enumerate(labels):
        for y, (_, image) in enumerate(sorted(found[label], key=lambda one: one[0])[:tall]):
            sheet[y * (side + 2) : y * (side + 2) + side, x * (side + 2) : x * (side + 2) + side] = image
    drawn = Image.fromarray(sheet.numpy())
    plain = "".join(c if c.isalnum() or c in ".-" else "-" for c in name.replace(TIMES, "-x"))
    path = PICTURES / f"got-through-{plain}.png"
    drawn.resize((drawn.width * 4, drawn.height * 4), Image.Resampling.NEAREST).save(path)
    return path


def main() -> None:
    """Measure the rows that are lacking, keep the numbers after each, write the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows",
        nargs="*",
        default=every_row(),
        help="DATA/RECIPE/GUARD, also RECIPE*4 (trained 4 times as long), GUARD+GUARD or GUARD~FALSE ALARMS~DOUBTS",
    )
    parser.add_argument("--again", action="store_true", help="also those that are measured")
    parser.add_argument("--portfolio", choices=sorted(PORTFOLIOS), default="screen")
    parser.add_argument("--models", type=int, default=1, help="trained models, behind one guard")
    parser.add_argument("--trials-per-class", type=int, default=None)
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="of networks that do not come with trompe")
    parser.add_argument("--every", type=int, default=5, help="so many test images stand for one in AUROC")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no row after so many of processor time")
    parser.add_argument("--no-protocols", dest="protocols", action="store_false")
    parser.add_argument("--work", type=Path, default=Path("league"))
    parser.add_argument("--picture", action="store_true", help="only draw what got through the rows named")
    parser.add_argument("--write", action="store_true", help="only write the documentation")
    options = parser.parse_args()
    options.work = options.work.resolve()
    rows = json.loads(FILE.read_text(encoding="utf-8"))["rows"] if FILE.exists() else {}
    if options.picture:
        for name in options.rows:
            say(f"{name}: {picture(name, options)}")
        return
    for name in [] if options.write else options.rows:
        key = key_of(name, options)
        if time.process_time() > 60.0 * options.minutes:
            break
        if key in rows and not options.again:
            continue
        try:
            rows[key] = row(name, options)
        except BadInput as refusal:  # a guard that cannot be fitted to this network: an answer, and the others go on
            data, recipe, guard = name.split("/")
            rows[key] = {"data": data, "recipe": recipe, "guard": guard, "refused": str(refusal)}
        FILE.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")
        say(f"{key}: {line(rows[key])}")
    write(rows)


if __name__ == "__main__":
    main()
