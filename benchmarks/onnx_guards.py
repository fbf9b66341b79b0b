"""What a guard that needs only outputs is worth in front of an ONNX file of 224 x 224: looks before and after.

`efficientnet-lite0`, written as an ONNX file by trompe's own exporter and opened as any other, black box: networks that
paint (`cppn-evolve`, paper) bid for all 1,000 classes. Told is how many looks it takes until the first image is
accepted and named with 50 % and with 90 %, whatever the class, and how many classes have one of 50 % in the end. The
network was trained with smoothed labels, so 99 % is rare. No reader reads such images: they are confident and accepted.

Trusted are crops, half of them turned round, of the few photographs that come with scikit-image. They have no ImageNet
labels: each is asked about the class that the network names. Thresholds are of every second photograph, false alarms
are counted on the others: crops of one photograph are no independent images, so the share on others says little.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy
import torch
from common import RESULTS, keep, say
from PIL import Image

import trompe
from trompe.core.seeds import Stream
from trompe.core.types import Target
from trompe.data import Split
from trompe.guards import card_of, fit_score, save_guard
from trompe.run import Run
from trompe.targets import Declaration, load_target, write_declaration
from trompe.targets.engines import export
from trompe.verbs.guard import measure, said

DOCS = Path(__file__).parent.parent / "docs" / "guards.md"
BEGIN, END = "<!-- table: benchmarks/onnx_guards.py -->", "<!-- end of table -->"
GUARDS = ("none", "maximum-probability", "margin", "energy", "entropy")
PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
    "immunohistochemistry", "moon", "page", "retina", "rocket", "stereo_motorcycle",
)  # fmt: skip
FALSE_ALARMS, LEVELS, SIDE = 0.01, (0.5, 0.9), 224


def network(work: Path) -> str:
    """The target file of the exported network, made where it is lacking."""
    text = work / "lite0.toml"
    if not text.exists():
        plain = load_target("efficientnet-lite0")
        source = export(plain).source  # type: ignore[arg-type]  # it is a torch network
        (work / "lite0.onnx").write_bytes(source)  # type: ignore[arg-type]  # bytes, where it was exported
        write_declaration(text, Declaration(model="lite0.onnx", labels=plain.labels))
    return str(text)


def crops(name: str, number: int) -> Iterator[torch.Tensor]:
    """Square crops of a photograph, from half its shorter side on, half of them turned round, as bytes."""
    from skimage import data

    found = getattr(data, name)()
    photograph = Image.fromarray(found[0] if isinstance(found, tuple) else found).convert("RGB")
    shorter = min(photograph.size)
    for draw in Stream(0, f"onnx-guards/{name}", 0).uniform(number, 4).tolist():
        side = round(shorter * (0.5 + 0.5 * draw[0]))
        left, top = (int(part * (size - side + 1)) for part, size in zip(draw[1:3], photograph.size, strict=True))
        crop = photograph.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(numpy.array(crop)).permute(2, 0, 1)
        yield pixels.flip(2) if draw[3] < 0.5 else pixels


def trusted(target: Target, names: tuple[str, ...], each: int) -> Split:
    """Crops with the classes that the network names."""
    images = torch.stack([crop for name in names for crop in crops(name, each)])
    return Split(images, said(target, Split(images, torch.zeros(len(images), dtype=torch.int64))).logits.argmax(1))


def fitted(kind: str, target: Target, work: Path, each: int) -> tuple[Path, dict[str, Any]]:
    """A guard on disk, and how often it refuses the crops it was fitted to and those of the other photographs."""
    own, other = (trusted(target, PHOTOGRAPHS[part::2], each) for part in (0, 1))
    guard = fit_score(
        kind, said(target, own), own.classes, link=target.link, false_alarms=FALSE_ALARMS, data="photographs"
    )
    alarms = {name: measure(guard, target, images).false_alarms for name, images in (("own", own), ("other", other))}
    folder = work / kind
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save_guard(folder, guard, card_of(guard, target, {}, "python benchmarks/onnx_guards.py", {}))
    return folder, {name: [share.count, share.of] for name, share in alarms.items()}


def looks(run: Run) -> dict[str, Any]:
    """Looks to the first accepted image of each level, whatever the class, and how many classes have one in the end."""
    kept = [item for record in run.classes for item in record.kept()]
    found: dict[str, Any] = {}
    for level in LEVELS:
        firsts = [item.evaluations for item in kept if item.level == level]
        found[f"{level:g}"] = {"first": min(firsts, default=None), "classes": len(firsts)}
    return found


def row(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """One guard, or none: false alarms, and every seed's search."""
    text = network(options.work)
    guard, alarms = (None, {}) if kind == "none" else fitted(kind, load_target(text), options.work, options.each)
    seeds = []
    for seed in range(options.seeds):
        out = options.work / f"{kind}-{seed}"
        if options.again:
            shutil.rmtree(out, ignore_errors=True)
        run = trompe.fool(
            text, by="evolve", encoding="cppn", budget=options.budget, confidence=None, seed=seed, guard=guard,
            renderer="numba", engine="onnxruntime", readers="none", out=out, resume=out.exists(),
        )  # fmt: skip
        seeds.append(looks(run))
    first = {level: [one[level]["first"] for one in seeds] for level in seeds[0]}
    return {
        "false_alarms": alarms,
        "seeds": seeds,
        "median_first": {level: _median(values, options.budget) for level, values in first.items()},
    }


def _median(values: list[int | None], budget: int) -> float | str:
    middle = median(float("inf") if value is None else value for value in values)
    return middle if middle < float("inf") else f"not within {budget}"


def table(found: dict[str, Any]) -> str:
    """For the documentation."""
    lines = [
        "| guard | refuses of the photographs it was fitted to | of other photographs | looks to the first image of "
        "50 % | of 90 % | classes with one of 50 % |",
        "|---|---|---|---|---|---|",
    ]
    usual = found["rows"]["none"]["median_first"]
    for kind, told in found["rows"].items():
        alarms = [f"{100 * n / of:.1f} % of {of}" for n, of in told["false_alarms"].values()] or ["–", "–"]
        cells = [kind, *alarms, *(_beside(told["median_first"][level], usual[level]) for level in usual)]
        classes = [str(seed["0.5"]["classes"]) for seed in told["seeds"]]
        lines.append("| " + " | ".join([*cells, ", ".join(classes)]) + " |")
    several = f"medians of {found['seeds']} seeds, of {found['budget']:,} looks each; classes seed by seed"
    return "\n".join([*lines, "", f"Looks: {several}. In brackets: times those without a guard."])


def _beside(value: float | str, usual: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" + (f" (x {value / usual:.1f})" if isinstance(usual, int | float) else "")


def main() -> None:
    """Measure what is lacking, keep it after each row, write the table; a search that was killed goes on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", default=list(GUARDS), choices=GUARDS)
    parser.add_argument("--again", action="store_true", help="also those that are measured")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=600, help="looks of each seed")
    parser.add_argument("--each", type=int, default=40, help="crops of each photograph")
    parser.add_argument("--work", type=Path, default=Path("onnx-guards"))
    options = parser.parse_args()
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    file = RESULTS / "onnx-guards.json"
    same = {"seeds": options.seeds, "budget": options.budget, "each": options.each, "photographs": list(PHOTOGRAPHS)}
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    rows = before["rows"] if before and {key: before[key] for key in same} == same else {}
    for kind in options.rows:
        if kind not in rows or options.again:
            rows[kind] = row(kind, options)
            rows = {name: rows[name] for name in GUARDS if name in rows}
            keep("onnx-guards", {**same, "rows": rows})
            say(f"{kind}: {rows[kind]}")
    if "none" in rows:
        text = DOCS.read_text(encoding="utf-8")
        head, tail = text.split(BEGIN)[0], text.split(END)[1]
        DOCS.write_text(f"{head}{BEGIN}\n{table({**same, 'rows': rows})}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
