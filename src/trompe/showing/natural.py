"""Real images first: what the network says of pictures it should know."""

from dataclasses import dataclass

from trompe.showing.evidence import Evidence
from trompe.showing.words import say


@dataclass(frozen=True)
class Real:
    """One real image and what the network says of it."""

    source: str
    true: str
    named: str
    says: str
    right: bool
    alternative: str


@dataclass(frozen=True)
class Gallery:
    """The real images: one of each class, then all of them, and how many are named rightly."""

    shown: list[Real]
    rest: list[Real]
    right: int
    images: int
    data: str


def gallery(evidence: Evidence) -> Gallery | None:
    """None where the target has no real images, or the page is public."""
    real = evidence.natural
    if real is None or evidence.public:
        return None
    labels = evidence.run.about.target["labels"]
    pictures = []
    for image, true, named, odds, right in zip(
        real.images, real.classes, real.says, real.confidence, real.right, strict=True
    ):
        verdict = "rightly" if right else "wrongly"
        alternative = f"A real {labels[true]}, {verdict} named {labels[named]} with {say(odds)}"
        source = evidence.press.print(image)
        pictures.append(Real(source, labels[true], labels[named], say(odds), right, alternative))
    first = {true: i for i, true in reversed(list(enumerate(real.classes)))}
    shown = [pictures[first[true]] for true in sorted(first)]
    rest = [picture for i, picture in enumerate(pictures) if i not in first.values()]
    return Gallery(shown, rest, sum(real.right), len(pictures), real.data)
