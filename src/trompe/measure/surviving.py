"""A target that is asked about an image and what becomes of it on the way: the least sure answer counts."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from trompe.core.check import check_images
from trompe.core.errors import BadInput
from trompe.core.numerics import VALUE_LIMIT, from_levels, log_odds, to_levels
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Outputs, Target
from trompe.measure.survival import Transform, parse_transforms
from trompe.targets import Declaration, ready


class _StraightThrough(torch.autograd.Function):
    """The changed bytes forwards, and backwards the slope of what is nearly the same."""

    @staticmethod
    def forward(context: Any, nearly: Tensor, exact: Tensor) -> Tensor:
        del context, nearly
        return exact

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        del context
        return slopes[0], None


@dataclass(frozen=True, eq=False)
class Surviving:
    """Another target, asked about every image and its transformed versions; each class gets its lowest log-odds.

    So the bid of a candidate is what survives. The image itself is among its versions, each of which is asked about in
    a call of its own: an image that no transform changes gets the log-odds it gets from the other target, bit for bit.
    Where the target refuses, the smallest slack counts.

    A gradient is that of the lowest version; JPEG, resizing there and back, and rounding are taken for the identity
    (straight through), a crop and a shift are not.

    Attributes:
        target: The classifier.
        transforms: At least one.
    """

    target: Target
    transforms: tuple[Transform, ...]

    @property
    def name(self) -> str:
        """The target's own: what is claimed of an image holds for the image itself, too."""
        return self.target.name

    @property
    def spec(self) -> Any:
        """The target's own."""
        return self.target.spec

    @property
    def labels(self) -> tuple[str, ...]:
        """The target's own."""
        return self.target.labels

    @property
    def link(self) -> Literal["softmax", "independent"]:
        """Independent: the numbers it gives are log-odds already."""
        return "independent"

    @property
    def mean_image(self) -> Tensor | None:
        """The target's own, where it is known."""
        mean: Tensor | None = getattr(self.target, "mean_image", None)
        return mean

    @property
    def declared(self) -> Declaration:
        """The target's own."""
        return ready.declared_of(self.target)

    @property
    def line(self) -> Any:
        """The target's own, where it is behind one to a server."""
        return getattr(self.target, "line", None)

    @property
    def notes(self) -> tuple[str, ...]:
        """The target's own."""
        return tuple(getattr(self.target, "notes", ()))

    @property
    def rows(self) -> int:
        """Rows of the network's input for each image: one version's, times the versions."""
        own: int = getattr(self.target, "rows", 1)
        return own * (1 + len(self.transforms))

    def judge(self, inputs: Images) -> Outputs:
        """The lowest log-odds of each class over the image and its versions, with the smallest slack.

        Features are those of the image itself.

        Raises:
            BadInput: Not float32 in [0, 1] of the target's shape.
        """
        check_images(inputs, self.spec.shape, f"target {self.name}")
        levels = to_levels(inputs.detach())
        versions = [inputs, *(self._version(transform, inputs, levels) for transform in self.transforms)]
        outputs = [self.target.judge(version) for version in versions]
        odds = torch.stack([log_odds(each.logits, self.target.link) for each in outputs])
        slack = [each.slack for each in outputs if each.slack is not None]
        lowest = odds.clamp(-VALUE_LIMIT, VALUE_LIMIT).amin(0)
        return Outputs(lowest, torch.stack(slack).amin(0) if slack else None, outputs[0].features)

    def around(self, target: Target) -> "Surviving":
        """The same transforms of another target."""
        return Surviving(target, self.transforms)

    def fingerprint(self) -> str:
        """sha256 over the target's fingerprint, the transforms, and what they make of one image here.

        A library that encodes another way gives other answers, and so another fingerprint.
        """
        digest = hashlib.sha256(self.target.fingerprint().encode())
        channels, height, width = self.spec.shape
        pattern = (torch.arange(channels * height * width) * 97 % 251).to(torch.uint8)
        for transform in self.transforms:
            digest.update(transform.name.encode())
            digest.update(transform.apply(pattern.reshape(1, channels, height, width)).numpy().tobytes())
        return digest.hexdigest()

    @staticmethod
    def _version(transform: Transform, inputs: Images, levels: Tensor) -> Images:
        exact = from_levels(transform.apply(levels.cpu())).to(inputs.device)
        if not torch.is_grad_enabled() or not inputs.requires_grad:
            return exact
        version: Images = _StraightThrough.apply(transform.smooth(inputs), exact)  # type: ignore[no-untyped-call]
        return version


def surviving(target: Target, names: tuple[str, ...]) -> Target:
    """The target, asked about transformed versions as well; as it is where there are none, or they already are.

    Raises:
        BadInput: A name is none, or the target takes no images.
    """
    if not names or isinstance(target, Surviving):
        return target
    transforms = parse_transforms(names)
    if not isinstance(target.spec, ImageSpec):
        raise BadInput(
            expected="a target that takes images", got=repr(target.spec), where="--survive", do="Leave --survive out."
        )
    return Surviving(target, transforms)


def as_recorded(target: Target, recorded: Mapping[str, Any]) -> Target:
    """The target of a run, loaded again, corrected and asked about transforms as it was in the run."""
    return surviving(ready.as_recorded(itself(target), recorded), tuple(recorded.get("survive", ())))


def itself(target: Target) -> Target:
    """The target without its transforms, if it has any."""
    return target.target if isinstance(target, Surviving) else target
