"""Three taggers of rows of words that differ in what adds up to one: a hidden Markov model, a MEMM and a CRF.

All score a row of tags step by step, so one forward recursion serves them. They are written here, as libraries give
tags and not the probability of a row of tags, and as a target is a module that takes many rows at once.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from trompe.core.tokens import TokenSpec, token_spec
from trompe.core.types import Images
from trompe.experiments.grammar import LENGTH, TAGS, WORDS, Sentences, numbers
from trompe.targets import TorchTarget

OTHER = "any other"
"""The label of all rows of tags that have none of their own."""
_SMOOTHING, _PENALTY, _ITERATIONS = 0.01, 0.01, 200
_LEAST = 1e-13
"""Below this share, what is left for all other rows of tags is rounding."""

Links = tuple[Float64[Tensor, "n tags"], Float64[Tensor, "n links tags tags"]]
"""What the first tag adds to the score of a row of tags, and what each later one does after the one before it."""


class Chain(nn.Module):
    """Scores of rows of tags, and the logarithm of the share of each of some rows of tags among all there are.

    A hidden Markov model's scores are log p(words, tags), and the logarithm of their sum is log p(words). A CRF's are
    any numbers, and are divided by their sum over all rows of tags; a MEMM's are divided tag by tag, by the sum over
    tags after the tag before.

    Args:
        spec: What it reads.
        scores: `begin`, `step`, `word` and `ahead`.
        paths: Rows of tags that are classes; the last class is all others.
        local: Whether each tag's scores are divided by their sum (MEMM).

    Attributes:
        begin: Score of each tag as the first; shape (tags,).
        step: Of each tag (column) after another (row); shape (tags, tags).
        word: Of each tag (column) for its word (row); shape (words, tags).
        ahead: Of each tag (column) for the word after it (row), of the last tag for nothing; shape (words, tags). An
            HMM has none: the words would no longer be given their tags one by one.

    Reference: Rabiner 1989; McCallum 2000; Lafferty 2001.
    """

    begin: Tensor
    step: Tensor
    word: Tensor
    ahead: Tensor
    paths: Tensor

    def __init__(self, spec: TokenSpec, scores: Sequence[Tensor], paths: Tensor, *, local: bool = False) -> None:
        super().__init__()
        self.spec, self.local = spec, local
        for name, values in zip(("begin", "step", "word", "ahead"), scores, strict=True):
            self.register_buffer(name, values)
        self.register_buffer("paths", paths)

    def forward(self, inputs: Images) -> Float64[Tensor, "n classes"]:
        """Log score of each path, and of all others; their log-sum-exp is `total`, so of an HMM log p(words)."""
        found = self.links(self.spec.ids(inputs))
        named, whole = along(found, self.paths), total(found)
        gap = (whole - named.logsumexp(1)).clamp(min=_LEAST)
        rest = whole + (-torch.expm1(-gap)).log()
        return torch.cat([named, rest.unsqueeze(1)], 1)

    def links(self, ids: Int64[Tensor, "n tokens"]) -> Links:
        """Scores of every tag at the beginning, and of every tag after every other at each later place."""
        here = self.word[ids] + self.ahead[nn.functional.pad(ids[:, 1:], (0, 1))]
        first, rest = self.begin + here[:, 0], self.step + here[:, 1:].unsqueeze(2)
        return (first.log_softmax(1), rest.log_softmax(3)) if self.local else (first, rest)

    def extra_repr(self) -> str:
        """What is divided by what."""
        return f"local={self.local}"


def total(links: Links) -> Float64[Tensor, " n"]:
    """Log of the sum of all scores: the forward recursion."""
    sums, rest = links
    for place in range(rest.shape[1]):
        sums = (sums.unsqueeze(2) + rest[:, place]).logsumexp(1)
    return sums.logsumexp(1)


def along(links: Links, paths: Int64[Tensor, "paths tokens"]) -> Float64[Tensor, "n paths"]:
    """Log score of each of these rows of tags, for every row of words."""
    first, rest = links
    scores = first[:, paths[:, 0]]
    for place in range(rest.shape[1]):
        scores = scores + rest[:, place, paths[:, place], paths[:, place + 1]]
    return scores


def own(links: Links, tags: Int64[Tensor, "n tokens"]) -> Float64[Tensor, " n"]:
    """Log score of row i of tags for row i of words."""
    first, rest = links
    scores = first.gather(1, tags[:, :1]).squeeze(1)
    rows, places = torch.arange(len(tags)).unsqueeze(1), torch.arange(rest.shape[1])
    found: Tensor = scores + rest[rows, places, tags[:, :-1], tags[:, 1:]].sum(1)
    return found


def best(links: Links) -> tuple[Float64[Tensor, " n"], Int64[Tensor, "n tokens"]]:
    """The highest log score, and the row of tags that has it.

    Reference: Viterbi 1967.
    """
    scores, rest = links
    before = []
    for place in range(rest.shape[1]):
        scores, came = (scores.unsqueeze(2) + rest[:, place]).max(1)
        before.append(came)
    highest, last = scores.max(1)
    tags = [last]
    for came in reversed(before):
        tags.insert(0, came.gather(1, tags[0].unsqueeze(1)).squeeze(1))
    return highest, torch.stack(tags, 1)


def hmm(taught: Sentences, paths: Sequence[str]) -> TorchTarget:
    """Shares of tags at the beginning, of tags after tags and of words of tags: a model of p(words, tags).

    A hundredth is added to each count; nothing (number 0) is a word that was never seen.
    """
    tags, kinds = taught.tags, len(TAGS)
    begin, step = torch.zeros(kinds), torch.zeros(kinds, kinds)
    word = torch.zeros(len(WORDS) + 1, kinds)
    for where, places in (
        (begin, (tags[:, 0],)), (step, (tags[:, :-1].flatten(), tags[:, 1:].flatten())),
        (word, (taught.words.flatten(), tags.flatten())),
    ):  # fmt: skip
        where.index_put_(places, torch.ones(len(places[0])), accumulate=True)
    shares = [_log_shares(counts, over) for counts, over in ((begin, 0), (step, 1), (word, 0))]
    return _as_target("HMM", [*shares, torch.zeros_like(shares[2])], paths)


def memm(taught: Sentences, paths: Sequence[str]) -> TorchTarget:
    """Each tag by the tag before it, its word, the word's ending, and the next word: p(tag | tag before, words)."""
    return _as_target("MEMM", fitted(taught, local=True), paths, local=True)


def crf(taught: Sentences, paths: Sequence[str]) -> TorchTarget:
    """The same of all tags at once: a model of p(tags | words)."""
    return _as_target("CRF", fitted(taught, local=False), paths)


MAKERS: Mapping[str, Callable[[Sentences, Sequence[str]], TorchTarget]] = {"HMM": hmm, "MEMM": memm, "CRF": crf}


def fitted(taught: Sentences, *, local: bool) -> list[Tensor]:
    """Weights that make the tags of sentences likeliest, with a price on their squares; as `Chain` takes them.

    Args:
        taught: Sentences and their tags.
        local: Of a MEMM; otherwise of a CRF.
    """
    kinds, ends = len(TAGS), _endings()
    shapes = ((kinds,), (kinds, kinds), (len(ends), kinds), (len(ends), kinds), (int(ends.max()) + 1, kinds))
    weights = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    solver = torch.optim.LBFGS(weights, max_iter=_ITERATIONS, line_search_fn="strong_wolfe")
    spec, none = token_spec(LENGTH, WORDS), torch.zeros(0, LENGTH, dtype=torch.int64)

    def scores(weights: Sequence[Tensor]) -> list[Tensor]:
        begin, step, word, ahead, ending = weights
        return [begin, step, word + ending[ends], ahead]

    def loss() -> float:
        solver.zero_grad()
        links = Chain(spec, scores(weights), none, local=local).links(taught.words)
        price = sum((values.square().sum() for values in weights), torch.zeros(()).double())
        cost = (total(links) - own(links, taught.tags)).sum() + 0.5 * _PENALTY * price
        cost.backward()
        return float(cost.detach())

    solver.step(loss)
    return scores([values.detach() for values in weights])


def _endings() -> Int64[Tensor, " words"]:
    """A number for the last two letters of each word of the vocabulary; 0 of nothing."""
    names = ["", *sorted({word[-2:] for word in WORDS})]
    return torch.tensor([names.index(word[-2:]) for word in ("", *WORDS)])


def _log_shares(counts: Tensor, over: int) -> Float64[Tensor, "..."]:
    more = counts.double() + _SMOOTHING
    return (more / more.sum(over, keepdim=True)).log()


def _as_target(name: str, scores: Sequence[Tensor], paths: Sequence[str], *, local: bool = False) -> TorchTarget:
    spec = token_spec(LENGTH, WORDS)
    module = Chain(spec, scores, numbers(paths), local=local)
    return TorchTarget(name, module.eval(), spec, (*paths, OTHER))


def error(target: TorchTarget, tested: Sentences) -> float:
    """Share of words whose tag is not that of the best row of tags."""
    module: Chain = target.module  # type: ignore[assignment]
    return float((best(module.links(tested.words))[1] != tested.tags).double().mean())


def certain(target: TorchTarget, words: Int64[Tensor, "n tokens"], level: float) -> float:
    """Share of rows of words for which the best row of tags has at least this probability."""
    module: Chain = target.module  # type: ignore[assignment]
    links = module.links(words)
    return float((best(links)[0] - total(links) >= math.log(level)).double().mean())
