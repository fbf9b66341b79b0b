"""What survival comes to: counts of images that still reach a level after a transform."""

from dataclasses import dataclass

from trompe.core.numerics import level_odds
from trompe.run.read import Run


@dataclass(frozen=True)
class Survived:
    """Of the kept images of one method that reach a level, at least so many still do after a transform.

    An image that was kept twice, as the first of several levels or as the strongest too, is one image.

    Attributes:
        method: For example ``"pixels-evolve"``.
        transform: For example ``"jpeg75"``.
        level: A confidence level of the run.
        still: How many reach it after the transform.
        of: How many reach it before.

    Example:
        >>> str(Survived("cppn-evolve", "jpeg75", 0.99, 9, 10))
        'at least 9 of 10'
    """

    method: str
    transform: str
    level: float
    still: int
    of: int

    def __str__(self) -> str:
        return f"at least {self.still} of {self.of}"


def counted(run: Run) -> list[Survived]:
    """The counts by method, transform and level, in the order of the run; empty where survival was not measured."""
    odds, count = run.survival(), set(run.labels_that_count)
    found: dict[tuple[str, str], dict[tuple[int, int, int], tuple[float, float]]] = {}
    for record in run.classes:
        if record.label not in count:
            continue
        for kept in record.kept():
            for transform in dict.fromkeys(key[3] for key in odds):
                key = (record.search, record.niche, kept.level or 0.0, transform)
                if key in odds:
                    images = found.setdefault((record.method, transform), {})
                    images[record.search, record.niche, kept.candidate] = (kept.log_odds, odds[key])
    return [
        Survived(method, transform, level, *_count(list(images.values()), level_odds(level)))
        for (method, transform), images in found.items()
        for level in run.about.levels
    ]


def _count(pairs: list[tuple[float, float]], threshold: float) -> tuple[int, int]:
    """How many reach the threshold before and after, of how many that do before."""
    before = [after for own, after in pairs if own >= threshold]
    return sum(after >= threshold for after in before), len(before)
