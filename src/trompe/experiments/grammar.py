"""A small language with a known grammar: its sentences of eight words, and whether a row of words is one of them.

A tag is a letter, so a row of tags is a text. Verbs agree with their noun across whatever stands between, and a clause
has one verb: so there are rows of tags whose every step sentences have, and that no sentence has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product

import torch
from jaxtyping import Int64
from torch import Tensor

from trompe.core.seeds import Stream

LENGTH = 8
"""Words in a row."""
TAGS = {
    "D": "determiner", "A": "adjective", "N": "noun", "M": "nouns", "R": "pronoun", "V": "verb of one",
    "W": "verb of many", "P": "preposition", "B": "adverb", "C": "conjunction",
}  # fmt: skip
"""Letter and meaning of each tag."""
_NOUNS = (
    "dog", "house", "river", "letter", "king", "road", "window", "bird", "ship", "song", "teacher", "stone", "cat",
    "garden",
)  # fmt: skip
_EITHER = (
    "walk", "talk", "dream", "turn", "light", "guard", "cook", "watch", "dance", "answer", "name",
)  # fmt: skip
_VERBS = (
    "see", "find", "keep", "take", "want", "hear", "follow", "bring", "leave", "like", "need", "open", "clean",
    "warm",
)  # fmt: skip


def _with_s(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{word}es" if word.endswith("ch") else f"{word}s" for word in words)


_ADJECTIVES = (
    "old", "new", "small", "big", "red", "green", "cold", "warm", "quiet", "strange", "round", "light", "open", "clean",
    "early", "still",
)  # fmt: skip
LEXICON: dict[str, tuple[str, ...]] = {
    "D": ("the", "some", "any", "my", "your", "her", "our", "no", "that"), "A": _ADJECTIVES,
    "N": (*_NOUNS, *_EITHER), "M": _with_s([*_NOUNS, *_EITHER]),
    "R": ("it", "they", "we", "you", "she", "he", "her", "that"),
    "V": _with_s([*_VERBS, *_EITHER]), "W": (*_VERBS, *_EITHER),
    "P": ("of", "in", "on", "near", "with", "under", "behind", "like", "by"),
    "B": ("often", "never", "soon", "here", "well", "still", "today", "early", "near"),
    "C": ("and", "but", "or", "so", "while"),
}  # fmt: skip
"""Words of each tag, the commonest first; a quarter of all words have two tags or three."""
WORDS = tuple(sorted({word for words in LEXICON.values() for word in words}))
"""All words, in alphabetical order."""


def numbers(paths: Sequence[str]) -> Int64[Tensor, "n tokens"]:
    """Rows of tags as numbers, in the order of `TAGS`."""
    return torch.tensor([["".join(TAGS).index(tag) for tag in path] for path in paths])


@cache
def grammar() -> tuple[str, ...]:
    """Every row of eight tags that is a sentence, in alphabetical order."""
    phrase = [*_joined(["D"], ["", "A", "AA"], ["N", "M"]), "R"]
    more = ["", *_joined(["P"], phrase)]
    clause = _joined([*_subject("N", "V", more), *_subject("M", "W", more)], ["", *phrase], more, ["", "B"])
    found = clause + _joined(clause, ["C"], clause)
    return tuple(sorted({path for path in found if len(path) == LENGTH}))


def _subject(noun: str, verb: str, more: Sequence[str]) -> list[str]:
    """Somebody, perhaps somewhere, and a verb that agrees."""
    return _joined([*_joined(["D"], ["", "A", "AA"], [noun], more), "R"], ["", "B"], [verb])


def _joined(*parts: Sequence[str]) -> list[str]:
    """One of each part after the other, in every way that is short enough."""
    found = [""]
    for part in parts:
        found = [a + b for a in found for b in part if len(a) + len(b) <= LENGTH]
    return found


@cache
def steps() -> frozenset[str]:
    """Pairs of tags that stand one after the other in some sentence."""
    return frozenset(a + b for path in grammar() for a, b in pairwise(path))


@cache
def may_be(word: str) -> str:
    """The tags that the lexicon gives a word; none to what is no word."""
    return "".join(tag for tag, words in LEXICON.items() if word in words)


def is_sentence(words: Sequence[str]) -> bool:
    """Whether the grammar has any of the rows of tags that these words may have.

    Example:
        >>> is_sentence("the dog near my cats sees that road".split())
        True
        >>> is_sentence("the dogs near my cat sees that road".split())
        False
    """
    found = frozenset(grammar())
    return any("".join(tags) in found for tags in product(*map(may_be, words)))


@dataclass(frozen=True)
class Sentences:
    """Sentences of eight words, as numbers.

    Attributes:
        words: In a vocabulary that begins with nothing: 1 is the first of `WORDS`.
        tags: In the order of `TAGS`.
    """

    words: Int64[Tensor, "n tokens"]
    tags: Int64[Tensor, "n tokens"]

    def __len__(self) -> int:
        return len(self.words)


def sentences(count: int, seed: int, purpose: str) -> Sentences:
    """So many sentences, drawn for this seed and purpose alone.

    All rows of tags that the grammar has are as likely; of a tag's words each is as likely as one over its rank.

    Reference: Zipf 1949 (for words).
    """
    stream = Stream(seed, f"why/sentences/{purpose}", 0)
    drawn = stream.branch("tags").integers(count, len(grammar())).tolist()
    paths = [grammar()[i] for i in drawn]
    chances = stream.branch("words").uniform(count, LENGTH).tolist()
    rows = [[_word(tag, chance) for tag, chance in zip(path, row, strict=True)]
            for path, row in zip(paths, chances, strict=True)]  # fmt: skip
    return Sentences(torch.tensor(rows), numbers(paths))


def _word(tag: str, chance: float) -> int:
    """The number of one of a tag's words, by a uniform number."""
    ends = (1.0 / torch.arange(1, len(LEXICON[tag]) + 1, dtype=torch.float64)).cumsum(0)
    rank = int((ends <= chance * ends[-1]).sum())
    return 1 + WORDS.index(LEXICON[tag][rank])


def impossible(count: int, seed: int, *, stepwise: bool) -> tuple[str, ...]:
    """Rows of tags that no sentence has, all different.

    Args:
        count: How many.
        seed: Draws them.
        stepwise: Whether every step and the beginning are those of some sentence; otherwise tags are drawn one by one,
            and some step is of none.
    """
    first = "".join(sorted({path[0] for path in grammar()}))
    found: list[str] = []
    for attempt in range(1000 * count):
        chances = Stream(seed, f"why/paths/{stepwise}", attempt).uniform(LENGTH).tolist()
        path = _walk(first, chances) if stepwise else "".join([*TAGS][int(chance * len(TAGS))] for chance in chances)
        possible = path[0] in first and all(a + b in steps() for a, b in pairwise(path))
        if path not in grammar() and path not in found and possible is stepwise:
            found.append(path)
        if len(found) == count:
            break
    return tuple(found)


def _walk(first: str, chances: Sequence[float]) -> str:
    """A tag that begins a sentence, and after each one that follows it in some sentence."""
    path = first[int(chances[0] * len(first))]
    for chance in chances[1:]:
        after = [tag for tag in TAGS if path[-1] + tag in steps()]
        path += after[int(chance * len(after))]
    return path
