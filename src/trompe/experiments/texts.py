"""Classifiers of texts: which of ten collections of sayings one is from, told from its words alone."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from trompe.core.errors import TargetError
from trompe.core.seeds import Stream
from trompe.core.tokens import TokenSpec, token_spec
from trompe.core.types import Images
from trompe.search.judge import with_threads
from trompe.targets import TorchTarget

FORTUNES = Path("/usr/share/games/fortunes")
TOPICS = (
    "art", "computers", "definitions", "food", "law", "politics", "songs-poems", "sports", "startrek", "zippy",
)  # fmt: skip
"""Collections with a subject or a voice of their own, and 140 sayings or more."""
_EACH = 300
_TESTED = 0.25
_RARE = 3
_LETTERS = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True)
class Texts:
    """Sayings and where they are from.

    Attributes:
        topics: Names of the collections.
        words: Of each saying, in order.
        classes: Of each saying, a number of a topic.
    """

    topics: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    classes: tuple[int, ...]

    def take(self, rows: Sequence[int]) -> "Texts":
        """The sayings at the given rows."""
        return Texts(self.topics, tuple(self.words[i] for i in rows), tuple(self.classes[i] for i in rows))


def absent() -> str:
    """Why there are no sayings here; empty where there are."""
    return "" if all((FORTUNES / name).is_file() for name in TOPICS) else "package fortunes missing"


@cache
def sayings(folder: Path = FORTUNES) -> Texts:
    """Up to 300 sayings of each topic, evenly spread over its collection."""
    rows = [(words, column) for column, name in enumerate(TOPICS) for words in _some(_read(folder / name))]
    return Texts(TOPICS, tuple(words for words, _ in rows), tuple(column for _, column in rows))


def _read(path: Path) -> list[tuple[str, ...]]:
    texts = path.read_text(encoding="utf-8", errors="replace").lower().split("\n%\n")
    found = [tuple(_LETTERS.findall(text)) for text in texts]
    return [words for words in found if len(words) >= _RARE]


def _some(texts: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    count = min(_EACH, len(texts))
    return [texts[i * len(texts) // count] for i in range(count)]


def halves(texts: Texts, seed: int) -> tuple[Texts, Texts]:
    """Three quarters to be taught, and a quarter to be tested on, drawn by the seed."""
    order = Stream(seed, "why/texts", 0).uniform(len(texts.words)).argsort().tolist()
    cut = int(len(order) * _TESTED)
    return texts.take(order[cut:]), texts.take(order[:cut])


def vocabulary(texts: Texts) -> tuple[str, ...]:
    """The words that three sayings or more have, in alphabetical order."""
    seen = Counter(word for words in texts.words for word in set(words))
    return tuple(sorted(word for word, count in seen.items() if count >= _RARE))


class Words(nn.Module):
    """How often each word occurs, weighed, and a linear classifier. The order of words makes no difference.

    Args:
        spec: What it reads.
        worth: Of each word, by which its count is multiplied; that of nothing is 0.
        classes: How many.
        even: Whether counts are divided by their root mean square, so that long texts say no more than short ones.
    """

    worth: Tensor

    def __init__(self, spec: TokenSpec, worth: Float32[Tensor, " words"], classes: int, *, even: bool) -> None:
        super().__init__()
        self.spec, self.even = spec, even
        self.register_buffer("worth", worth)
        self.last = nn.utils.skip_init(nn.Linear, len(worth), classes)

    def forward(self, inputs: Images) -> Tensor:
        """Logits; as `rows` before the linear classifier, but word by word, so that no text depends on another."""
        ids = self.spec.ids(inputs)
        worth = self.worth[ids]
        said: Tensor = (self.last.weight.T[ids] * worth.unsqueeze(2)).sum(1)
        if self.even:
            same = ids.unsqueeze(1) == ids.unsqueeze(2)
            length = (same * worth.unsqueeze(1) * worth.unsqueeze(2)).sum((1, 2)).sqrt()
            said = said / length.clamp(min=1e-12).unsqueeze(1)
        logits: Tensor = said + self.last.bias
        return logits

    def rows(self, ids: Int64[Tensor, "n tokens"]) -> Float32[Tensor, "n words"]:
        """What is counted of each text."""
        counts = torch.zeros(len(ids), len(self.worth)).scatter_add_(1, ids, torch.ones(ids.shape))
        weighed = counts * self.worth
        return nn.functional.normalize(weighed) if self.even else weighed

    def extra_repr(self) -> str:
        """Whether long texts say no more."""
        return f"even={self.even}"


def bag(texts: Texts, length: int, seed: int = 0) -> TorchTarget:
    """Counts of words, and a logistic regression."""
    return _taught(texts, length, seed, _flat, even=False)


def tf_idf(texts: Texts, length: int, seed: int = 0) -> TorchTarget:
    """Counts of words, each worth the more the fewer texts have it (Spärck Jones 1972), and a logistic regression."""
    return _taught(texts, length, seed, _rare_is_dear, even=True)


def naive_bayes(texts: Texts, length: int, seed: int = 0) -> TorchTarget:
    """How often each topic has each word, and Bayes' rule: a model of p(x, y)."""
    del seed
    spec = token_spec(length, vocabulary(texts))
    module = Words(spec, _flat(texts, spec), len(texts.topics), even=False)
    rows, classes = module.rows(encoded(texts, spec)), torch.tensor(texts.classes)
    counts = torch.zeros(len(texts.topics), rows.shape[1]).index_add_(0, classes, rows) + 1.0
    counts[:, 0] = 0.0
    with torch.no_grad():
        module.last.weight.copy_((counts / counts.sum(1, keepdim=True)).clamp(min=1e-30).log())
        module.last.weight[:, 0] = 0.0
        module.last.bias.copy_(torch.bincount(classes).double().div(len(classes)).log())
    return _as_target("naive Bayes", module, texts)


MAKERS: Mapping[str, Callable[[Texts, int, int], TorchTarget]] = {
    "bag of words": bag, "TF-IDF": tf_idf, "naive Bayes": naive_bayes,
}  # fmt: skip


def bag_of_words() -> TorchTarget:
    """A target for any command: a bag of words, taught by Debian's package fortunes, that reads rows of eight words."""
    return _named(bag)


def tf_idf_words() -> TorchTarget:
    """A target for any command: words weighed by TF-IDF, taught and read as those of `bag_of_words`."""
    return _named(tf_idf)


def naive_bayes_words() -> TorchTarget:
    """A target for any command: naive Bayes, taught and read as `bag_of_words` is; a model of p(x, y)."""
    return _named(naive_bayes)


def _named(make: Callable[[Texts, int, int], TorchTarget]) -> TorchTarget:
    """Taught by the texts of seed 0, reading eight words.

    Raises:
        TargetError: Debian's package fortunes is missing.
    """
    if absent():
        raise TargetError(
            expected=f"collections of sayings in {FORTUNES}", got=absent(), where="classifier of texts",
            do="Install Debian's package fortunes.",
        )  # fmt: skip
    with with_threads(1):
        return make(halves(sayings(), 0)[0], 8, 0)


def encoded(texts: Texts, spec: TokenSpec, length: int = 0) -> Int64[Tensor, "n tokens"]:
    """Numbers of words, rows filled up with nothing; words that the vocabulary lacks are left out."""
    place = {word: i for i, word in enumerate(spec.vocabulary)}
    rows = [[place[word] for word in words if word in place] for words in texts.words]
    width = length or max(map(len, rows))
    return torch.tensor([(row + [0] * width)[:width] for row in rows])


def error(target: TorchTarget, texts: Texts) -> float:
    """Share of texts, each as a whole, that it ascribes to another topic."""
    module: Any = target.module
    with torch.inference_mode():
        named = module.last(module.rows(encoded(texts, module.spec))).argmax(1)
    return float((named != torch.tensor(texts.classes)).double().mean())


def resized(target: TorchTarget, length: int) -> TorchTarget:
    """The same classifier reading rows of another length."""
    old: Any = target.module
    spec = token_spec(length, old.spec.vocabulary[1:])
    module = Words(spec, old.worth, len(target.labels), even=old.even)
    module.load_state_dict(old.state_dict())
    return TorchTarget(target.name, module.eval().requires_grad_(requires_grad=False), spec, target.labels)


def _flat(texts: Texts, spec: TokenSpec) -> Tensor:
    del texts
    worth = torch.ones(len(spec.vocabulary))
    worth[0] = 0.0
    return worth


def _rare_is_dear(texts: Texts, spec: TokenSpec) -> Tensor:
    seen = Counter(word for words in texts.words for word in set(words))
    counts = torch.tensor([seen[word] for word in spec.vocabulary]).double()
    worth = ((1.0 + len(texts.words)) / (1.0 + counts)).log() + 1.0
    worth[0] = 0.0
    return worth.float()


def _taught(
    texts: Texts, length: int, seed: int, weigh: Callable[[Texts, TokenSpec], Tensor], *, even: bool
) -> TorchTarget:
    try:
        from scipy.sparse import csr_matrix
        from sklearn.linear_model import LogisticRegression
    except ImportError as cause:
        raise TargetError(
            expected="the package scikit-learn", got=str(cause), where="classifier of texts",
            do="pip install 'trompe[sklearn]'",
        ) from cause  # fmt: skip
    spec = token_spec(length, vocabulary(texts))
    module = Words(spec, weigh(texts, spec), len(texts.topics), even=even)
    rows = module.rows(encoded(texts, spec)).numpy()
    machine = LogisticRegression(C=10.0 if even else 1.0, max_iter=200, random_state=seed)
    machine.fit(csr_matrix(rows), list(texts.classes))
    with torch.no_grad():
        module.last.weight.copy_(torch.from_numpy(machine.coef_))
        module.last.bias.copy_(torch.from_numpy(machine.intercept_))
    return _as_target("TF-IDF" if even else "bag of words", module, texts)


def _as_target(name: str, module: Words, texts: Texts) -> TorchTarget:
    return TorchTarget(name, module.eval().requires_grad_(requires_grad=False), module.spec, texts.topics)
