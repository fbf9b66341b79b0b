"""What a certificate costs, and the least readable image that satisfies it: for docs/harden.md.

The bound is taken on natural images that choose (10,000, none of them trusted); coverage at that bound is then measured
on the 10,000 test images. The least readable image of each digit is looked for by descending the log-odds of
`lenet-mnist-b`, which stands for a reader here and is none.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from common import keep, say
from PIL import Image

from trompe.core.numerics import class_log_odds, from_levels, probability, to_levels
from trompe.data import Split, load
from trompe.guards import CertifiedGuard, coverage, fit_certified, least_readable
from trompe.targets import load_target

DOCS = Path(__file__).parent.parent / "docs" / "harden.md"
PICTURE = DOCS.parent / "images" / "least-readable.png"
BEGIN, END = "<!-- table: benchmarks/certified.py -->", "<!-- end of certificates -->"
COVERAGE = 0.985
TRUSTED = {"half": slice(None, None, 2), "all": slice(None)}


def own_cosines(guard: CertifiedGuard, data: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Of natural images: the cosine with the witness of their own class, and for how many classes each is accepted."""
    found, accepted = [], []
    for chunk, own in zip(data.images.split(250), data.classes.split(250), strict=True):
        cosine, ratio = guard.certify(from_levels(chunk))
        fits = (ratio > 1.0 / guard.reach) & (ratio < guard.reach)
        found.append(torch.where(fits, cosine, -1.0).gather(1, own.unsqueeze(1)).squeeze(1))
        accepted.append(torch.where(fits, cosine, -1.0))
    return torch.cat(found), torch.cat(accepted)


def row(name: str, trusted: str) -> dict[str, Any]:
    """The highest bound, in hundredths, of the wanted coverage where one may choose; its price on the others."""
    data, part = load(name), TRUSTED[trusted]
    guard = fit_certified(data.train.images[part], data.train.classes[part], 10, bound=0.5)
    own, _ = own_cosines(guard, data.choose)
    bound = int(100 * float(own.quantile(1.0 - COVERAGE))) / 100
    final = fit_certified(data.train.images[part], data.train.classes[part], 10, bound=bound)
    tested, every = own_cosines(final, data.test)
    return {
        "trusted": len(guard.trusted),
        "bound": bound,
        "coverage": coverage(final, data.test.images, data.test.classes),
        "coverage_at_0.85": float((tested >= 0.85).to(torch.float64).mean()),
        "classes_that_accept_a_real_image": float((every >= bound).sum(1).to(torch.float64).mean()),
    }


def unreadable(bound: float, steps: int) -> dict[str, Any]:
    """Of each digit the least readable accepted image, beside where it began; written as a picture."""
    data, reader = load("mnist"), load_target("lenet-mnist-b")
    guard = fit_certified(data.train.images, data.train.classes, 10, bound=bound)
    columns, odds = [], {}
    for digit in range(10):
        column = torch.tensor([digit])

        def score(images: torch.Tensor, column: torch.Tensor = column) -> torch.Tensor:
            return class_log_odds(reader.judge(images).logits, column)

        start = from_levels(data.choose.images[data.choose.classes == digit][:1])
        found = least_readable(guard, start, digit, score, steps)
        odds[str(digit)] = [float(score(start)), float(score(found))]
        columns.append(torch.cat([to_levels(start)[0, 0], to_levels(found)[0, 0]]))
        say(f"{digit}: {probability(odds[str(digit)][0]):.4f} to {probability(odds[str(digit)][1]):.2g}")
    sheet = Image.fromarray(torch.cat(columns, 1).numpy())
    sheet.resize((sheet.width * 3, sheet.height * 3), Image.Resampling.NEAREST).save(PICTURE)
    return {"steps": steps, "bound": bound, "log_odds": odds}


def main() -> None:
    """Measure, keep, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    rows = {f"{name}, {trusted}": row(name, trusted) for name in ("mnist", "fashion-mnist") for trusted in TRUSTED}
    for key, numbers in rows.items():
        say(f"{key}: {numbers}")
    keep("certified", {"rows": rows, "least_readable": unreadable(rows["mnist, all"]["bound"], options.steps)})
    write(rows)


def write(rows: dict[str, dict[str, Any]]) -> None:
    """Put the table between its marks in the documentation."""
    lines = ["| data | trusted | t | coverage | coverage at t = 0.85 | classes that accept a real image, mean |"]
    lines.append("|---|---|---|---|---|---|")
    for key, found in rows.items():
        shares = [f"{100 * found[name]:.2f} %" for name in ("coverage", "coverage_at_0.85")]
        classes = f"{found['classes_that_accept_a_real_image']:.1f} of 10"
        lines.append(
            f"| {key.split(',')[0]} | {found['trusted']:,} | {found['bound']} | {' | '.join(shares)} | {classes} |"
        )
    text = DOCS.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCS.write_text("\n".join([before + BEGIN, *lines, END + after]), encoding="utf-8")


if __name__ == "__main__":
    main()
