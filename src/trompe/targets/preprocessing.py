"""What happens to an image before a model sees it, declared by name and done in one place."""

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from trompe.core.constants import constant
from trompe.core.errors import BadInput
from trompe.core.numerics import Link
from trompe.core.types import Images, Logits

Layout = Literal["nchw", "nhwc", "flat"]
Colour = Literal["rgb", "bgr"]
Type = Literal["float32", "float16", "float64", "uint8"]
Crop = Literal["none", "centre", "ten"]
Fit = Literal["stretch", "centre"]

_TYPES = {"float32": torch.float32, "float16": torch.float16, "float64": torch.float64, "uint8": torch.uint8}
_CHOICES = {"layout": Layout, "colour": Colour, "dtype": Type, "crop": Crop, "fit": Fit}
_TEN = 10


@dataclass(frozen=True)
class Preprocessing:
    """The way from an image in [0, 1] to a model's input.

    In this order: colours are swapped, the image is resized to `resize`, crops of `size` are taken, values are spread
    over `range`, `mean` is subtracted and `std` divided by, axes are brought into `layout`, numbers into `dtype`.

    Attributes:
        range: What 0 and 1 become, for example (0, 255) or (-1, 1).
        mean: Subtracted after that: one number a channel in the model's order of colours, or one for all; in the units
            of `range`.
        std: Divided by after that, likewise.
        layout: Order of the model's axes; ``flat`` is one row of numbers an image, channels first.
        colour: Order of the model's channels.
        dtype: Of the model's numbers; to bytes, values are rounded.
        resize: Height and width to resize to (bilinear, antialiased) before cropping; None not to.
        size: Height and width of a crop; None for the whole image.
        crop: ``centre``, or ``ten`` (four corners and the centre, and their mirror images: probabilities are averaged).
        fit: How an image of another size than the target's is brought to it: stretched, or scaled and cropped at the
            centre. Only for images from files; what is searched has the right size.

    Raises:
        BadInput: A value is out of range.

    Example:
        >>> caffe = Preprocessing(range=(0, 255), mean=(104, 117, 123), colour="bgr")
        >>> caffe.apply(torch.ones(1, 3, 1, 1)).flatten().tolist()
        [151.0, 138.0, 132.0]
    """

    range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: Layout = "nchw"
    colour: Colour = "rgb"
    dtype: Type = "float32"
    resize: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    crop: Crop = "none"
    fit: Fit = "stretch"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                raise _unusable(name, f"one of {', '.join(get_args(choices))}", getattr(self, name))
        if self.range[0] == self.range[1]:
            raise _unusable("range", "two different numbers", self.range)
        if 0.0 in self.std or not self.std:
            raise _unusable("std", "numbers other than 0", self.std)
        if (self.crop == "none") != (self.size is None):
            raise _unusable("size", "a size where there is a crop, and none otherwise", self.size)
        if self.dtype == "uint8" and (self.range != (0.0, 255.0) or any(self.mean) or set(self.std) != {1.0}):
            raise _unusable("dtype", "range 0 to 255 without mean and std where numbers are bytes", self)

    @property
    def rows(self) -> int:
        """Rows of the model's input for each image."""
        return _TEN if self.crop == "ten" else 1

    def model_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one row of the model's input, for images of a given shape (channels, height, width)."""
        row = self.apply(torch.zeros(1, *shape))
        return tuple(row.shape[1:])

    def apply(self, images: Images) -> Tensor:
        """The model's input for a batch of images in [0, 1], one row an image; with ten crops ten, image by image.

        Gradients pass through, except to bytes.
        """
        batch = images.flip(1) if self.colour == "bgr" else images
        if self.resize is not None:
            batch = torch.nn.functional.interpolate(
                batch, size=self.resize, mode="bilinear", antialias=True, align_corners=False
            )
        batch = self._cropped(batch)
        low, high = self.range
        batch = batch * (high - low) + low if (low, high) != (0.0, 1.0) else batch
        batch = (batch - _per_channel(self.mean, batch)) / _per_channel(self.std, batch)
        batch = batch.round() if self.dtype == "uint8" else batch
        if self.layout != "nchw":
            batch = batch.permute(0, 2, 3, 1) if self.layout == "nhwc" else batch.flatten(1)
        return batch.to(_TYPES[self.dtype]).contiguous()

    def merge(self, logits: Float[Tensor, "rows classes"], link: Link = "softmax") -> Logits:
        """One row an image: of ten crops, the logits of their mean probability, whatever the link."""
        if self.rows == 1:
            return logits
        if link == "independent":
            crops = logits.reshape(-1, self.rows, logits.shape[1])
            return logsigmoid(crops).logsumexp(1) - logsigmoid(-crops).logsumexp(1)
        each = logits.log_softmax(1).reshape(-1, self.rows, logits.shape[1])
        return each.logsumexp(1) - torch.log(torch.tensor(float(self.rows), dtype=each.dtype))

    def describe(self) -> dict[str, Any]:
        """Every field that is not at its default, JSON-ready."""
        plain = Preprocessing()
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value != getattr(plain, name)
        }

    def _cropped(self, batch: Float[Tensor, "n c h w"]) -> Float[Tensor, "m c y x"]:
        if self.size is None:
            return batch
        (height, width), (y, x) = batch.shape[2:], self.size
        if y > height or x > width:
            raise _unusable("size", f"a crop that fits into {height} x {width} pixels", self.size)
        top, left = (height - y) // 2, (width - x) // 2
        if self.crop == "centre":
            return batch[:, :, top : top + y, left : left + x]
        corners = [(0, 0), (0, width - x), (height - y, 0), (height - y, width - x), (top, left)]
        crops = torch.stack([batch[:, :, a : a + y, b : b + x] for a, b in corners], 1)
        both = torch.cat([crops, crops.flip(-1)], 1)
        return both.flatten(0, 1)


PLAIN = Preprocessing()
"""Images in [0, 1], as they are."""

IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), fit="centre")
"""Of torchvision's and most other networks for ImageNet."""

EFFICIENTNET_LITE = Preprocessing(range=(0.0, 255.0), mean=(127.0,), std=(128.0,), fit="centre")
"""(x * 255 - 127) / 128, of the EfficientNet-Lite family."""

CAFFE = Preprocessing(range=(0.0, 255.0), mean=(104.0, 117.0, 123.0), colour="bgr", fit="centre")
"""Blue first, 0 to 255, mean colour subtracted: of Caffe's networks for ImageNet."""


def _per_channel(values: tuple[float, ...], batch: Tensor) -> Tensor:
    if len(values) not in (1, batch.shape[1]):
        raise _unusable("mean and std", f"one number, or one for each of {batch.shape[1]} channels", values)
    if batch.device.type == "cpu":  # in a way that exporters can follow
        return torch.tensor(values, dtype=batch.dtype).reshape(1, -1, 1, 1)
    return constant(values, batch.dtype, batch.device).reshape(1, -1, 1, 1)


def _unusable(name: str, expected: str, got: object) -> BadInput:
    return BadInput(
        expected=expected, got=str(got), where=f"preprocessing.{name}", do="Correct the preprocessing that is declared."
    )
