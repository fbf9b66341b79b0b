"""Rows of tokens as inputs: words, letters or anything else that a vocabulary numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.specs import ImageSpec
from trompe.core.types import Images

NOTHING = ""
"""The first of every vocabulary: no token."""
_BYTE = 256


@dataclass(frozen=True)
class TokenSpec(ImageSpec):
    """Rows of so many tokens. To whatever only carries bytes, an image of two channels, one pixel high.

    The first channel is the higher byte of a token's number, the second the lower. So what is judged is what is kept,
    to the bit, as with images; that neighbouring numbers have nothing in common is known to `Tokens`, which makes them.

    Attributes:
        vocabulary: What each number stands for; `NOTHING` first, all different, at most 65,536.

    Example:
        >>> spec = token_spec(3, ("yes", "no"))
        >>> inputs = spec.inputs(torch.tensor([[2, 1, 0]]))
        >>> tuple(inputs.shape), spec.ids(inputs).tolist(), spec.text(spec.ids(inputs)[0])
        ((1, 2, 1, 3), [[2, 1, 0]], 'no yes')
    """

    vocabulary: tuple[str, ...] = (NOTHING,)

    def __post_init__(self) -> None:
        super().__post_init__()
        words = self.vocabulary
        fits = self.channels == 2 and self.height == 1 and 1 < len(words) <= _BYTE**2
        if not fits or words[0] != NOTHING or len(set(words)) < len(words):
            raise BadInput(
                expected=f"a vocabulary that begins with the empty text, 2 to {_BYTE**2} tokens, all different",
                got=f"{len(words)} tokens, {len(set(words))} different, in {self.channels} x {self.height} rows",
                where="TokenSpec",
                do="Make it with token_spec(length, words).",
            )

    def ids(self, inputs: Images) -> Int64[Tensor, "n tokens"]:
        """The number of every token; beyond the vocabulary they begin again at 0, so all bytes mean something."""
        pair = (inputs * 255.0).round().to(torch.int64)
        return (pair[:, 0, 0] * _BYTE + pair[:, 1, 0]) % len(self.vocabulary)

    def inputs(self, ids: Int64[Tensor, "n tokens"]) -> Images:
        """What carries these numbers, on the 8-bit grid."""
        pair = torch.stack([ids // _BYTE, ids % _BYTE], 1).unsqueeze(2)
        return pair.to(torch.float32) / 255.0

    def text(self, ids: Int64[Tensor, " tokens"]) -> str:
        """The tokens with spaces between; nothing is left out."""
        return " ".join(word for word in (self.vocabulary[i] for i in ids.tolist()) if word)

    def write(self, path: Path, levels: Tensor, note: str) -> None:
        """Store one row twice: its bytes as PNG, which is what is read back, and beside it its words as text."""
        super().write(path, levels, note)
        words = self.text(self.ids(levels.unsqueeze(0).to(torch.float32) / 255.0)[0])
        part = path.with_name(f".{path.name}.part")
        part.write_text(f"{words}\n", encoding="utf-8")
        part.replace(path.with_suffix(".txt"))

    def describe(self) -> dict[str, Any]:
        """Kind, size and vocabulary, JSON-ready."""
        return {**asdict(self), "vocabulary": list(self.vocabulary), "kind": "tokens"}


def token_spec(length: int, words: Sequence[str]) -> TokenSpec:
    """Rows of so many of these words, numbered from 1.

    Raises:
        BadInput: No length, no word, or one twice.
    """
    return TokenSpec(2, 1, length, (NOTHING, *words))


def spec_from(told: dict[str, Any]) -> ImageSpec:
    """The kind of input that `describe` told of."""
    shape = told["channels"], told["height"], told["width"]
    if told.get("kind") == "tokens":
        return TokenSpec(*shape, tuple(told["vocabulary"]))
    return ImageSpec(*shape)
