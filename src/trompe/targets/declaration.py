"""What is declared about a target: the content of a target file, written and read as TOML, every key checked."""

import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

import tomli_w

from trompe.core.check import check_level, check_name
from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import Link
from trompe.targets.preprocessing import PLAIN, Preprocessing
from trompe.targets.reading import FLOOR, Kind, Reading

ENDING = ".toml"
_SECRET = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9_-]+")
_TELLING = re.compile(r"auth|cookie|key|token|secret|pass|credential|signature", re.IGNORECASE)
"""Of headers that hold a secret."""


@dataclass(frozen=True)
class Request:
    """How a target behind a URL is asked.

    Attributes:
        send: ``multipart`` (a form with one file), ``base64`` (a JSON object with the image as text) or ``json`` (the
            numbers); ignored where the server speaks the Open Inference Protocol.
        encode: How an image becomes bytes; ``jpeg`` loses what the 8-bit image holds.
        name: Of the form field or JSON key that carries the image; ``instances[].image`` stands for a list of one
            object with that key. Of the Open Inference Protocol, the input where the server does not name it.
        scores: Where the scores are in the answer, for example ``$.predictions[*].score``. Of the Open Inference
            Protocol, the name of the output that holds them; needed only where there are several.
        names: Where their labels are, in the same order; empty where scores come in the order of `labels`.
        headers: Sent along; a value must be ``env:NAME`` where it is a secret, and always for ``Authorization``.
        authorized: Who allowed this, and why; without it only a server on this machine is asked.
        rate: Requests a second at most; None where not declared: 5, and without limit for a server on this machine.
        concurrency: Requests under way at a time, at most.
        batch: Images a request; a template endpoint takes one.
        timeout: Seconds to wait for an answer.
        retries: How often a request is sent again after 429 or a broken connection. A server error (5xx) is tried
            again until there were 20 in a row.
    """

    send: Literal["multipart", "base64", "json"] = "base64"
    encode: Literal["png", "jpeg"] = "png"
    name: str = "image"
    scores: str = ""
    names: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    authorized: str = ""
    rate: float | None = None
    concurrency: int = 2
    batch: int = 1
    timeout: float = 30.0
    retries: int = 5

    def __post_init__(self) -> None:
        for header, value in self.headers.items():
            if not _HEADER.fullmatch(header) or not value.isascii() or not value.isprintable():
                raise BadInput(
                    expected="headers of plain letters on one line",
                    got="other characters in a name or value",
                    where="request.headers",
                    do="Correct the table in the target file.",
                )
            if _TELLING.search(header) and not _SECRET.fullmatch(value):
                raise BadInput(
                    expected="env:NAME, the name of an environment variable that holds it",
                    got="the secret itself",
                    where=f"request.headers.{header}",
                    do="Put the secret into the environment; it must be in no file.",
                )
        rate = 1.0 if self.rate is None else self.rate
        if not (rate > 0 and self.concurrency >= 1 and self.batch >= 1 and self.timeout > 0 and self.retries >= 0):
            raise BadInput(
                expected="rate and timeout above 0, concurrency and batch of at least 1, retries of at least 0",
                got=f"{rate}, {self.timeout}, {self.concurrency}, {self.batch}, {self.retries}",
                where="request",
                do="Correct the numbers.",
            )


@dataclass(frozen=True)
class Declaration:
    """Everything that is declared about a target. What is left out is asked of the model, or not known.

    Attributes:
        model: What a TARGET can be: a file, a URL, ``package.module:factory``, ``torchvision:name``, ...
        shape: Channels, height and width of the images that are searched.
        labels: One name a class, in output order; or the path of a text file with one a line.
        outputs: What the model's numbers are; "" where not declared: logits, unless the model itself says otherwise.
        link: Whether classes exclude each other; "" where not declared: softmax, unless the model says otherwise.
        floor: Least probability that the model's numbers tell from 0; 0.0 where not declared.
        preprocessing: What is done to an image in [0, 1]; None where not declared.
        threshold: Confidence from which on the product acts; 0.0 where there is none.
        harmless: Labels of which certainty about nonsense is the right answer ("background", "OK").
        abstain: The label that stands for "none of these": an image that it wins is not accepted; "" for none.
        layer: Name of an inner layer of a torch module, as its ``named_modules`` say it: what it gives becomes
            `Outputs.features`; "" for none.
        superclasses: By name, labels that together are one thing (every breed is a dog); or the path of a TOML file
            that says so. A label may be in several, or in none.
        guard: Folder of a guard that `trompe guard` wrote, which stands in front of the model; "" for none.
        trust: Types that a stored scikit-learn estimator may hold beyond the plain ones, and architectures
            ``package.module:factory`` that a trained folder may run.
        request: How a URL is asked.

    Raises:
        BadInput: A value is out of range.
    """

    model: str = ""
    shape: tuple[int, ...] | None = None
    labels: tuple[str, ...] | str = ()
    outputs: Kind | Literal[""] = ""
    link: Link | Literal[""] = ""
    floor: float = 0.0
    preprocessing: Preprocessing | None = None
    threshold: float = 0.0
    harmless: tuple[str, ...] = ()
    abstain: str = ""
    layer: str = ""
    superclasses: Mapping[str, tuple[str, ...]] | str = field(default_factory=dict)
    guard: str = ""
    trust: tuple[str, ...] = ()
    request: Request = field(default_factory=Request)

    def __post_init__(self) -> None:
        if self.threshold:
            check_level(self.threshold, "threshold")
        if self.shape is not None and (len(self.shape) != 3 or min(self.shape) < 1):
            raise BadInput(
                expected="shape = [channels, height, width]",
                got=str(list(self.shape)),
                where="shape",
                do="Give the shape of one image, channels first.",
            )

    @property
    def prepared(self) -> Preprocessing:
        """The preprocessing to be done: the declared one, or none at all."""
        return self.preprocessing or PLAIN

    @property
    def reading(self) -> Reading:
        """How the model's numbers are read."""
        return Reading(self.outputs or "logits", self.link or "softmax", self.floor or FLOOR)

    def completed(self, known: Self) -> Self:
        """This declaration with what is left out taken from what the model itself says."""
        empty = type(self)()
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        told = {name: getattr(known, name) for name, value in own.items() if value == getattr(empty, name)}
        return replace(self, **told)

    def describe(self) -> dict[str, Any]:
        """Every field that is not at its default, JSON-ready; holds no secret, only names of variables."""
        return _described(self)


def read_declaration(path: Path) -> Declaration:
    """The declaration in a target file; relative paths in it are taken from where the file is.

    Raises:
        TargetError: The file cannot be read or is no TOML.
        BadInput: A key is unknown, or a value has the wrong type or is out of range.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise TargetError(
            expected="a target file in TOML",
            got=str(cause),
            where=str(path),
            do="Write one with `trompe inspect TARGET --save FILE`.",
        ) from cause
    found = parse_declaration(content, str(path))
    beside = {
        "model": found.model, "labels": found.labels, "superclasses": found.superclasses, "guard": found.guard,
    }  # fmt: skip
    moved = {
        key: str(path.parent / value)
        for key, value in beside.items()
        if isinstance(value, str) and value and (path.parent / value).exists()
    }
    labels = read_labels(moved.get("labels", found.labels))
    superclasses = read_superclasses(moved.get("superclasses", found.superclasses))
    model, guard = moved.get("model", found.model), moved.get("guard", found.guard)
    return replace(found, model=model, guard=guard, labels=labels, superclasses=superclasses)


def write_declaration(path: Path, declaration: Declaration, heading: str = "") -> None:
    """Write a target file that `read_declaration` reads back as it was, with comments above it."""
    comment = "".join(f"# {line}\n" for line in heading.splitlines())
    path.write_text(comment + tomli_w.dumps(declaration.describe()), encoding="utf-8")


def parse_declaration(content: Mapping[str, Any], where: str) -> Declaration:
    """The declaration that a dictionary stands for.

    Raises:
        BadInput: A key is unknown (the nearest one is suggested), or a value has the wrong type or is out of range.
    """
    found: Declaration = _parse(Declaration, content, where)
    return found


def read_labels(labels: tuple[str, ...] | str) -> tuple[str, ...]:
    """Labels as they are, or one a line from the file they name.

    Raises:
        TargetError: The file cannot be read.
    """
    if not isinstance(labels, str):
        return labels
    if not labels:
        return ()
    try:
        lines = Path(labels).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as cause:
        raise TargetError(
            expected="a text file with one label a line", got=str(cause), where=f"labels {labels}", do="Give its path."
        ) from cause
    return tuple(line.strip() for line in lines if line.strip())


def read_superclasses(superclasses: Mapping[str, tuple[str, ...]] | str) -> Mapping[str, tuple[str, ...]]:
    """Superclasses as they are, or from the TOML file they name: one ``name = [labels]`` each.

    Raises:
        TargetError: The file cannot be read or is no TOML.
        BadInput: A superclass is no list of labels.
    """
    if not isinstance(superclasses, str):
        return superclasses
    try:
        content = tomllib.loads(Path(superclasses).read_text(encoding="utf-8")) if superclasses else {}
    except (OSError, ValueError) as cause:
        raise TargetError(
            expected="a TOML file of superclasses, each a list of labels",
            got=str(cause),
            where=f"superclasses {superclasses}",
            do="Give its path.",
        ) from cause
    found: Mapping[str, tuple[str, ...]] = _value(
        Mapping[str, tuple[str, ...]], content, f"superclasses {superclasses}"
    )
    return found


def _described(record: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in fields(record):
        value = getattr(record, item.name)
        default = item.default_factory() if item.default_factory is not MISSING else item.default
        if item.name == "preprocessing" and value is not None:
            found[item.name] = value.describe()
        elif value != default:
            nested = hasattr(value, "__dataclass_fields__")
            found[item.name] = _described(value) if nested else _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _parse(kind: type[Any], content: Mapping[str, Any], where: str) -> Any:
    hints, known = get_type_hints(kind), {item.name for item in fields(kind)}
    values = {}
    for key, value in content.items():
        check_name(key, sorted(known), f"{where}: key")
        values[key] = _value(hints[key], value, f"{where}: {key}")
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    """A TOML value as the field's type, or a refusal that names the key."""
    for option in _options(hint):
        origin, arguments = get_origin(option), get_args(option)
        if isinstance(value, Mapping) and hasattr(option, "__dataclass_fields__"):
            return _parse(option, value, where)
        if origin is Literal and value in arguments and isinstance(value, str):
            return value
        if origin is tuple and isinstance(value, list):
            inner = arguments[0]
            if all(_fits(inner, part) for part in value) and (Ellipsis in arguments or len(value) == len(arguments)):
                return tuple(float(part) if inner is float else part for part in value)
        if origin is Mapping and isinstance(value, Mapping):
            return {key: _value(arguments[1], part, f"{where}.{key}") for key, part in value.items()}
        if origin is None and isinstance(option, type) and _fits(option, value):
            return float(value) if option is float else value
    raise BadInput(expected=_say(hint), got=repr(value), where=where, do="Correct the value in the target file.")


def _options(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(option for part in get_args(hint) for option in _options(part))
    return (hint,)


def _fits(kind: Any, value: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _say(hint: Any) -> str:
    options = [option for option in _options(hint) if option is not type(None)]
    words = []
    for option in options:
        if get_origin(option) is Literal:
            words += [repr(value) for value in get_args(option) if value]
        elif get_origin(option) is tuple:
            words.append("a list")
        elif hasattr(option, "__dataclass_fields__") or get_origin(option) is not None:
            words.append("a table")
        else:
            words.append({str: "text", float: "a number", int: "a whole number"}.get(option, str(option)))
    return " or ".join(dict.fromkeys(words))
