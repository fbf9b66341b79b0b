"""A model of another framework, or behind a network, as a target: arrays in, arrays out."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from trompe.core.check import check_images, check_name
from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import say_confidence
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Logits, Outputs
from trompe.targets.declaration import Declaration, read_labels, read_superclasses
from trompe.targets.preprocessing import PLAIN, Preprocessing


class Model(Protocol):
    """A network as it came: its own input in, its own numbers out."""

    def __call__(self, batch: Tensor) -> Tensor:
        """Numbers of shape (rows, outputs) for each row of its input; what it cannot answer raises a TargetError."""
        ...

    def fingerprint(self) -> str:
        """A hash of the model itself, without preprocessing and labels."""
        ...


@dataclass(frozen=True, eq=False)
class ForeignTarget:
    """A model that is asked in arrays, behind its declared preprocessing. It has no gradient.

    Attributes:
        name: What it is called in commands, files and pages.
        model: Asked with what the preprocessing makes of images.
        spec: The images that are searched.
        labels: One name a class.
        declared: Preprocessing, what the outputs are, and everything else that was declared or found out.
        needed: What the model's input needs (order of axes, type of numbers) where no preprocessing is declared. That
            it takes such numbers is known of it; what they mean is not.
    """

    name: str
    model: Model
    spec: ImageSpec
    labels: tuple[str, ...]
    declared: Declaration
    needed: Preprocessing = PLAIN

    @property
    def prepared(self) -> Preprocessing:
        """The preprocessing to be done: the declared one, otherwise the least that the model's input needs."""
        return self.declared.preprocessing or self.needed

    @property
    def link(self) -> Literal["softmax", "independent"]:
        """How its outputs become probabilities."""
        return self.declared.reading.link

    @property
    def rows(self) -> int:
        """Rows of the model's input for each image."""
        return self.prepared.rows

    @property
    def line(self) -> Any:
        """The line to the server behind which the model is; None where it is on this machine."""
        return getattr(self.model, "line", None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of its answers, one sentence each."""
        said: tuple[str, ...] = getattr(self.model, "notes", ())
        ceiling = self.declared.reading.ceiling(len(self.labels))
        if ceiling is None or not self.declared.floor:
            return said
        why = f"the target's scores tell no probability below {self.declared.floor:g} from 0"
        return (*said, f"no confidence above {say_confidence(ceiling)} can be seen: {why}")

    def judge(self, inputs: Images) -> Outputs:
        """What it says of each image.

        Raises:
            BadInput: Not float32 in [0, 1] of the target's shape.
            TargetError: The model does not answer, or with something else than one row an image.
        """
        check_images(inputs, self.spec.shape, f"target {self.name}")
        numbers = self.model(self.prepared.apply(inputs.detach()))
        wanted = len(inputs) * self.rows
        if numbers.ndim != 2 or len(numbers) != wanted:
            raise TargetError(
                expected=f"answers of shape ({wanted}, classes)",
                got=f"shape {tuple(numbers.shape)}",
                where=f"target {self.name}",
                do=WRAP,
            )
        logits = self.prepared.merge(self.declared.reading.logits(numbers), self.declared.reading.link)
        return Outputs(logits, abstention(logits, self.labels, self.declared.abstain))

    def fingerprint(self) -> str:
        """sha256 over the model's own fingerprint and all that is declared of its answers, labels and shape."""
        keys = ("preprocessing", "outputs", "link", "floor", "abstain")
        told = {key: value for key, value in self.declared.describe().items() if key in keys}
        told |= {"needed": self.needed.describe()} if self.prepared is self.needed and self.needed != PLAIN else {}
        head = {"model": self.model.fingerprint(), "declared": told, "labels": self.labels, "shape": self.spec.shape}
        return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()


WRAP = (
    "trompe asks for one score a class. Wrap other models in a function: of a regression, score its ranges; of an "
    "embedding, likeness to each known thing; of a detector, each class's best score; of a segmentation, its mean."
)
"""What to do where a model is no classifier."""


def foreign(
    name: str, model: Model, declared: Declaration, known: Declaration, needed: Preprocessing = PLAIN
) -> ForeignTarget:
    """A target from a model, from what was declared, and from what the model itself says where nothing was.

    Labels that neither declares are numbered; how many there are is found by asking about one black image.

    Raises:
        TargetError: The shape is not known, an inner layer is declared, the model does not answer, or not with as many
            numbers as there are labels.
    """
    check_no_layer(declared, name)
    full = declared.completed(known)
    spec = ImageSpec(*declared_shape(full, name))
    first = ForeignTarget(name, model, spec, (), replace(full, abstain=""), needed)
    classes = first.judge(torch.zeros(1, *spec.shape)).logits.shape[1]
    labels = name_classes(read_labels(full.labels), classes, name)
    check_declared_labels(full, labels)
    return replace(first, labels=labels, declared=full)


def check_no_layer(declared: Declaration, name: str) -> None:
    """Refuse a declared inner layer of what has none that trompe could look at.

    Raises:
        TargetError: There is one.
    """
    if declared.layer:
        raise TargetError(
            expected="no layer: only of a torch module can an inner layer be looked at",
            got=repr(declared.layer),
            where=f"layer of target {name}",
            do="Leave it out, or name the torch module itself as the model: package.module:factory.",
        )


def declared_shape(declared: Declaration, name: str) -> tuple[int, int, int]:
    """Channels, height, width, as declared.

    Raises:
        TargetError: They are not.
    """
    if declared.shape is None:
        raise TargetError(
            expected="the shape of its images",
            got="a model that does not say it",
            where=f"target {name}",
            do='Write a target file with model = "..." and shape = [channels, height, width], and name that as TARGET.',
        )
    channels, height, width = declared.shape
    return channels, height, width


def name_classes(labels: tuple[str, ...], classes: int, name: str) -> tuple[str, ...]:
    """The labels, or numbers where there are none; a label that repeats is numbered.

    Raises:
        TargetError: There are not as many labels as classes, or fewer than two classes.
    """
    if classes < 2:
        raise TargetError(
            expected="a classifier: two classes or more",
            got=f"{classes} output",
            where=f"target {name}",
            do=f'A single sigmoid is declared by link = "softmax" with outputs = "logits" or "probabilities". {WRAP}',
        )
    if labels and len(labels) != classes:
        raise TargetError(
            expected=f"{classes} labels, one an output",
            got=f"{len(labels)} labels",
            where=f"target {name}",
            do="Give the labels the model was trained with, in its order of outputs.",
        )
    named = labels or tuple(map(str, range(classes)))
    repeated = {label for label in named if named.count(label) > 1} if len(set(named)) < len(named) else set()
    return tuple(f"{label} ({i})" if label in repeated else label for i, label in enumerate(named))


def check_declared_labels(declared: Declaration, labels: tuple[str, ...]) -> None:
    """Refuse a harmless class, one for "none of these" or a member of a superclass that the target does not have.

    Raises:
        BadInput: It has no such label, and the nearest one is suggested; or a superclass holds no label, one twice, or
            all of them.
        TargetError: The file of superclasses cannot be read.
    """
    for label in declared.harmless:
        check_name(label, labels, "harmless")
    if declared.abstain:
        check_name(declared.abstain, labels, "abstain")
    for name, members in read_superclasses(declared.superclasses).items():
        where = f"superclasses.{name}"
        for label in members:
            check_name(label, labels, where)
        if not 0 < len(set(members)) == len(members) < len(labels):
            raise BadInput(
                expected="some of the labels, but not all, each once",
                got=f"{len(members)} labels, {len(set(members))} different, of {len(labels)}",
                where=where,
                do="Correct the list in the target file.",
            )


def abstention(logits: Logits, labels: tuple[str, ...], abstain: str) -> Float[Tensor, "n classes"] | None:
    """Slack of a model with a class for "none of these": by how many logits each class is ahead of it.

    None where there is no such class. Its own column says 0: that it wins is always accepted.
    """
    if not abstain or abstain not in labels:
        return None
    column = labels.index(abstain)
    return logits - logits[:, column : column + 1]
