"""A torch module as a target."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from trompe.core.check import check_images, check_name
from trompe.core.errors import TargetError, TrompeError
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Outputs
from trompe.targets.declaration import Declaration, read_labels
from trompe.targets.foreign import WRAP, abstention, check_declared_labels, declared_shape, name_classes
from trompe.targets.preprocessing import PLAIN, Preprocessing
from trompe.targets.reading import Reading


class Prepared(nn.Module):
    """A network between its declared preprocessing and the reading of its outputs: images in [0, 1] in, logits out.

    Args:
        net: The network proper.
        preprocessing: Done before it.
        reading: Done after it.
    """

    def __init__(self, net: nn.Module, preprocessing: Preprocessing, reading: Reading) -> None:
        super().__init__()
        self.net, self.preprocessing, self.reading = net, preprocessing, reading

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images in [0, 1]; of ten crops, merged."""
        numbers = self.net(self.preprocessing.apply(images))
        if not isinstance(numbers, Tensor):
            numbers = getattr(numbers, "logits", numbers)  # as models of transformers wrap them
        if not isinstance(numbers, Tensor) or numbers.ndim != 2:
            told = f"shape {tuple(numbers.shape)}" if isinstance(numbers, Tensor) else type(numbers).__name__
            raise TargetError(
                expected="a module that gives numbers of shape (n, classes)",
                got=told,
                where="the target's outputs",
                do=WRAP,
            )
        return self.preprocessing.merge(self.reading.logits(numbers), self.reading.link)

    def extra_repr(self) -> str:
        """What is declared, so that it is part of the fingerprint."""
        return f"{self.preprocessing!r}, {self.reading!r}"


@dataclass(frozen=True, eq=False)
class TorchTarget:
    """A torch module in evaluation mode that takes images in [0, 1] and gives one logit a class.

    Preprocessing (mean, scale, ...) belongs inside the module.

    Attributes:
        name: What it is called in commands, files and pages.
        module: Called with float32 images of shape (n, channels, height, width); gives (n, classes).
        spec: The images it takes.
        labels: One name a class, all different.
        link: How its outputs become probabilities.
        mean_image: Mean training image in [0, 1], of the input's shape, where it is known.
        declared: What was declared of it beyond that, and is already part of the module.
        folder: Where it was read from, with a card and sample images beside it; None of a module that was not.

    Raises:
        TargetError: The module is in training mode, or the labels are fewer than two or not all different.
        BadInput: It has no inner layer of the declared name; the nearest one is suggested.

    Example:
        >>> flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval()
        >>> target = TorchTarget("tiny", flat, ImageSpec(1, 2, 2), ("left", "right"))
        >>> tuple(target.judge(torch.zeros(3, 1, 2, 2)).logits.shape)
        (3, 2)
    """

    name: str
    module: nn.Module
    spec: ImageSpec
    labels: tuple[str, ...]
    link: Literal["softmax", "independent"] = "softmax"
    mean_image: Tensor | None = None
    declared: Declaration = field(default_factory=lambda: Declaration(preprocessing=PLAIN))
    folder: Path | None = None

    def __post_init__(self) -> None:
        training = [name or "the module" for name, part in self.module.named_modules() if part.training]
        if training:
            raise TargetError(
                expected="a module in evaluation mode",
                got=f"training mode in {training[0]} and {len(training) - 1} more",
                where=f"target {self.name}",
                do="Call .eval() on it; dropout and batch statistics make the answers depend on the batch.",
            )
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise TargetError(
                expected="at least two labels, all different",
                got=f"{len(self.labels)} labels, {len(set(self.labels))} different",
                where=f"target {self.name}",
                do="Number the labels that repeat.",
            )
        if self.declared.layer:
            check_name(self.declared.layer, [name for name, _ in self._net.named_modules() if name], "layer")

    def judge(self, inputs: Images) -> Outputs:
        """Logits for each image, and features of the declared layer; gradients flow where the caller records them.

        Features are what the layer gave last, of all crops, flattened: shape (n, d).

        Raises:
            BadInput: Not float32 in [0, 1] of the target's shape.
            TargetError: The module refuses this shape, or does not ask the declared layer.
        """
        check_images(inputs, self.spec.shape, f"target {self.name}")
        layer = self.declared.layer
        with _listening(self._net.get_submodule(layer) if layer else None) as heard:
            logits = self._logits(inputs)
        features = self._features(heard, len(inputs)) if layer else None
        return Outputs(logits, abstention(logits, self.labels, self.declared.abstain), features)

    @property
    def _net(self) -> nn.Module:
        """Where the names of inner layers begin: in the module as it was given."""
        return self.module.net if isinstance(self.module, Prepared) else self.module

    def _logits(self, inputs: Images) -> Tensor:
        try:
            logits: Tensor = self.module(inputs)
        except RuntimeError as cause:
            if "size" not in str(cause) and "shape" not in str(cause) and "channels" not in str(cause):
                raise
            raise TargetError(
                expected=f"a module that takes images of shape {('n', *self.spec.shape)}",
                got=str(cause).strip().splitlines()[0],
                where=f"target {self.name}",
                do="Check the declared shape against the model's first layer.",
            ) from cause
        except TrompeError:
            raise
        except (TypeError, ValueError, AttributeError, LookupError) as cause:
            raise TargetError(
                expected=f"an answer to images of shape {('n', *self.spec.shape)}, float32",
                got=f"{type(cause).__name__}: {cause}",
                where=f"target {self.name}",
                do="Call it with such a tensor by yourself; a target file declares its preprocessing.",
            ) from cause
        return logits

    def _features(self, heard: list[object], n: int) -> Tensor:
        """What a layer gave, one row an image."""
        last = heard[-1] if heard else None
        if not isinstance(last, Tensor) or not last.ndim or len(last) != n * self.rows:
            told = f"shape {tuple(last.shape)}" if isinstance(last, Tensor) else type(last).__name__
            raise TargetError(
                expected=f"a layer that gives numbers, {n * self.rows} rows of them",
                got=told if heard else "a layer that the network does not ask",
                where=f"layer {self.declared.layer} of target {self.name}",
                do="Name another layer.",
            )
        return last.reshape(n, -1)

    @property
    def rows(self) -> int:
        """Rows of the network's input for each image."""
        return self.declared.prepared.rows

    def fingerprint(self) -> str:
        """sha256 over every weight and buffer by name, the module's structure, the input shape, labels and link."""
        digest = hashlib.sha256()
        head = {"module": repr(self.module), "spec": self.spec.describe(), "labels": self.labels, "link": self.link}
        head |= {"abstain": self.declared.abstain} if self.declared.abstain else {}
        head |= {"layer": self.declared.layer} if self.declared.layer else {}
        digest.update(json.dumps(head, sort_keys=True).encode())
        for name, value in sorted(self.module.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(_bytes(value))
        return digest.hexdigest()


def from_module(name: str, net: nn.Module, declared: Declaration, known: Declaration | None = None) -> TorchTarget:
    """A target from a torch module, from what was declared of it, and from what is known where nothing was.

    Labels that nobody declares are numbered.

    Raises:
        TargetError: The module is in training mode or refuses the shape, no shape is declared, or there are not as
            many labels as outputs.
    """
    full = declared.completed(known or Declaration())
    spec = ImageSpec(*declared_shape(full, name))
    module = Prepared(net, full.prepared, full.reading)
    module.training = False  # of this wrapper alone: what is inside is looked at, not changed
    two = TorchTarget(name, module, spec, ("0", "1"), full.reading.link, declared=replace(full, abstain=""))
    with torch.inference_mode():
        logits = two.judge(torch.zeros(1, *spec.shape)).logits
    classes = logits.shape[1] if logits.ndim == 2 else 0
    labels = name_classes(read_labels(full.labels), classes, name)
    check_declared_labels(full, labels)
    return replace(two, labels=labels, declared=full)


@contextmanager
def _listening(layer: nn.Module | None) -> Iterator[list[object]]:
    """What a layer gives while the block lasts, call by call; the module is left without a trace of it."""
    heard: list[object] = []

    def hear(_module: nn.Module, _given: object, gave: object) -> None:
        part = gave[0] if isinstance(gave, tuple) and gave else gave
        heard.append(part.clone() if isinstance(part, Tensor) else part)  # the next layer may change it in place

    hook = layer.register_forward_hook(hear) if layer is not None else None
    try:
        yield heard
    finally:
        if hook is not None:
            hook.remove()


def _bytes(value: Tensor) -> bytes:
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
