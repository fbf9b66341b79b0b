"""Every kind of guard by name: what it needs, and how it is fitted to trusted images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch

from trompe.core.check import check_name
from trompe.core.errors import BadInput
from trompe.core.numerics import Link, from_levels
from trompe.core.types import Classwise, Guard, Levels, Outputs
from trompe.data import Split
from trompe.guards.certified import CertifiedGuard, fit_certified
from trompe.guards.combined import combine
from trompe.guards.density import DENSITIES, fit_density
from trompe.guards.doubt import doubting
from trompe.guards.features import fit_feature_neighbours, fit_mahalanobis
from trompe.guards.neighbours import neighbours_of
from trompe.guards.scores import SCORES, fit_score
from trompe.guards.types import Stored

Need = Literal["outputs", "inner layer", "training images"]
LEAST = 8
"""Images of each class that a guard is fitted to, at least, where it needs training images."""
_HUNDREDTHS = 100


@dataclass(frozen=True)
class Trusted:
    """Natural images with what the classifier says of them.

    Attributes:
        known: What a guard may hold on to.
        held: What its threshold is taken from.
        known_outputs: Of the classifier; with features where a layer is named.
        held_outputs: The same of the others.
        labels: How many classes there are, without one for none of these.
        link: Of the classifier.
        layer: Name of the inner layer; "" for none.
        data: Name of the images.
        false_alarms: Share of natural images that may be refused.
        doubts: Share of natural images that the classifier may not be certain of; 0 for a guard that does not doubt.
        seed: Of what is trained.
        iterations: Of what is trained.
        fresh: Whether the known images may be as new to the classifier as the others. Where it was trained on them it
            is surer of them than of any other, and a threshold of its outputs must not come from them.
    """

    known: Split
    held: Split
    known_outputs: Outputs
    held_outputs: Outputs
    labels: int
    link: Link = "softmax"
    layer: str = ""
    data: str = "unnamed"
    false_alarms: float = 0.01
    doubts: float = 0.0
    seed: int = 0
    iterations: int = 2000
    fresh: bool = True

    @property
    def everything(self) -> tuple[Split, Outputs]:
        """All of them, for a guard that holds none."""
        images = torch.cat([self.known.images, self.held.images])
        classes = torch.cat([self.known.classes, self.held.classes])
        return Split(images, classes), Outputs.join([self.known_outputs, self.held_outputs])


@dataclass(frozen=True)
class Kind:
    """A kind of guard.

    Attributes:
        needs: What of yours it must have, beside images to take a threshold from.
        fit: Makes one.
    """

    needs: frozenset[Need]
    fit: Callable[[Trusted], Guard]


def _score(name: str) -> Callable[[Trusted], Guard]:
    def fit(trusted: Trusted) -> Guard:
        images, outputs = trusted.everything if trusted.fresh else (trusted.held, trusted.held_outputs)
        return fit_score(
            name, outputs, images.classes, link=trusted.link, false_alarms=trusted.false_alarms, data=trusted.data
        )

    return fit


def _density(name: str) -> Callable[[Trusted], Guard]:
    def fit(trusted: Trusted) -> Guard:
        return fit_density(
            name, trusted.known, trusted.held, labels=trusted.labels, false_alarms=trusted.false_alarms,
            seed=trusted.seed, iterations=trusted.iterations, data=trusted.data,
        )  # fmt: skip

    return fit


def _features(make: Callable[..., Guard]) -> Callable[[Trusted], Guard]:
    def fit(trusted: Trusted) -> Guard:
        return make(
            trusted.layer, trusted.known_outputs, trusted.known.classes, trusted.held_outputs, trusted.held.classes,
            labels=trusted.labels, false_alarms=trusted.false_alarms, data=trusted.data,
        )  # fmt: skip

    return fit


def _neighbours(trusted: Trusted) -> Guard:
    return neighbours_of(
        by_class(trusted.known, trusted.labels), by_class(trusted.held, trusted.labels), trusted.false_alarms,
        trusted.data,
    )  # fmt: skip


def _certified(trusted: Trusted) -> Guard:
    """The highest bound, in hundredths, at which no more than the share asked for is refused."""
    known = trusted.known
    bare = fit_certified(known.images, known.classes, trusted.labels, bound=0.5, data=trusted.data)
    parts = [_certain(bare, *part) for part in zip(trusted.held.images.split(256), trusted.held.classes.split(256),
                                                   strict=True)]  # fmt: skip
    bound = int(_HUNDREDTHS * float(torch.cat(parts).quantile(trusted.false_alarms))) / _HUNDREDTHS
    return fit_certified(known.images, known.classes, trusted.labels, bound=bound, data=trusted.data)


def _certain(guard: CertifiedGuard, images: Levels, classes: torch.Tensor) -> Classwise:
    cosine, ratio = guard.certify(from_levels(images))
    bright = (ratio > 1.0 / guard.reach) & (ratio < guard.reach)
    return torch.where(bright, cosine, -1.0).gather(1, classes.unsqueeze(1)).squeeze(1)


_OUTPUTS: frozenset[Need] = frozenset({"outputs"})
_LAYER: frozenset[Need] = frozenset({"inner layer", "training images"})
_IMAGES: frozenset[Need] = frozenset({"training images"})
KINDS: Mapping[str, Kind] = {
    **{name: Kind(_OUTPUTS, _score(name)) for name in SCORES},
    "mahalanobis": Kind(_LAYER, _features(fit_mahalanobis)),
    "knn": Kind(_LAYER, _features(fit_feature_neighbours)),
    **{name: Kind(_IMAGES, _density(name)) for name in DENSITIES},
    "neighbours": Kind(_IMAGES, _neighbours),
    "certified": Kind(_IMAGES, _certified),
}
"""Every kind by name. None needs gradients of the classifier: those are for attacks."""


def fit_guard(kind: str, trusted: Trusted, also: Sequence[str] = ()) -> Guard:
    """A guard of that kind, or of several kinds that must all accept.

    Of several, each has an even share of the false alarms first; then the least of their slacks has a threshold of its
    own, so that the share refused by all together is the one asked for.

    Raises:
        BadInput: There is no such kind, or it is named twice; something that it needs is lacking (the message says
            what, and which kinds need no more than there is); or the images cannot be fitted to.
    """
    kinds = (kind, *also)
    for name in kinds:
        check_name(name, KINDS, "--kind" if name == kind else "--also")
    if len(set(kinds)) < len(kinds):
        raise BadInput(
            expected="kinds that are all different", got=", ".join(kinds), where="--also", do="Leave one of them out."
        )
    check_trusted(trusted.everything[0], trusted.labels)
    if len(kinds) > 1 or trusted.doubts:  # what is asked of the slack that comes out needs images of its own
        check_trusted(trusted.held, trusted.labels)
    for name in kinds:
        _check_given(name, trusted)
    made = _accepting(kinds, trusted)
    if not trusted.doubts:
        return made
    return doubting(cast("Stored", made), trusted.held, trusted.held_outputs, trusted.labels, trusted.doubts)


def _accepting(kinds: Sequence[str], trusted: Trusted) -> Guard:
    if len(kinds) == 1:
        return KINDS[kinds[0]].fit(trusted)
    share = replace(trusted, false_alarms=trusted.false_alarms / len(kinds))
    guards = [cast("Stored", KINDS[name].fit(share)) for name in kinds]
    return combine(guards, trusted.held, trusted.held_outputs, trusted.labels, trusted.false_alarms)


def _check_given(kind: str, trusted: Trusted) -> None:
    """Refuse a kind that needs what is not there, and say what would do."""
    given: set[Need] = {"outputs"}
    given |= {"inner layer"} if trusted.known_outputs.features is not None else set()
    few = [c for c, part in enumerate(by_class(trusted.known, trusted.labels)) if len(part) < LEAST]
    given |= set() if few else {"training images"}
    lacking = sorted(KINDS[kind].needs - given)
    if not lacking:
        return
    able = [name for name, other in KINDS.items() if other.needs <= given]
    told = f"{', '.join(sorted(given))}; no {' and no '.join(lacking)}"
    held = f" ({LEAST} of each class to hold on to; class {few[0]} has fewer)" if "training images" in lacking else ""
    steps = {"inner layer": "name a layer of a torch module with --layer", "training images": "give more images"}
    mend = ", ".join([*(steps[need] for need in lacking), f"or choose one of {', '.join(able)}"])
    raise BadInput(
        expected=f"{' and '.join(sorted(KINDS[kind].needs))} for a guard of kind {kind}{held}",
        got=told,
        where="guard",
        do=f"{mend[0].upper()}{mend[1:]}.",
    )


def check_trusted(images: Split, labels: int) -> None:
    """Refuse images that no guard could be fitted to.

    Raises:
        BadInput: None, fewer than two classes, a class that does not exist, or all alike.
    """
    classes = images.classes
    if not len(images) or len(classes.unique()) < 2:
        raise _refusal("trusted images of two classes or more", f"{len(images)} of {len(classes.unique())}")
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or high >= labels:
        raise _refusal(f"classes from 0 to {labels - 1}", f"{low} to {high}")
    if bool((images.images == images.images[:1]).all()):
        raise _refusal("trusted images that differ", f"{len(images)} times the same one")


def by_class(images: Split, labels: int) -> list[Levels]:
    """The images of each class."""
    return [images.images[images.classes == c] for c in range(labels)]


def _refusal(expected: str, got: str) -> BadInput:
    return BadInput(
        expected=expected, got=got, where="guard", do="Give a folder with a folder of images for every class."
    )
