"""Rows of tokens are judged, kept, verified and evolved as images are; texts are read from their words alone."""

import math

import pytest
import torch

import trompe
from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, to_levels
from trompe.core.seeds import Stream
from trompe.core.tokens import TokenSpec, spec_from, token_spec
from trompe.encodings import Tokens, TokenSettings
from trompe.experiments import texts, tokens
from trompe.experiments.nouns import Effort
from trompe.settings import FoolSettings
from trompe.testing import examine_encoding, examine_target
from trompe.verbs.audit import audit_with
from trompe.verbs.fool import fool_with
from trompe.verbs.verify import verify_with

WORDS = tuple(f"w{i}" for i in range(299))
TEXTS = texts.Texts(
    ("left", "middle", "right"),
    tuple((f"w{i % 7}", f"w{20 * (1 + i % 3) + i % 7}") for i in range(120)),
    tuple(i % 3 for i in range(120)),
)


def test_numbers_come_back_from_bytes_and_those_beyond_begin_again():
    spec = token_spec(4, WORDS)
    ids = torch.tensor([[0, 1, 255, 256], [299, 298, 257, 2]])
    inputs = spec.inputs(ids)
    assert torch.equal(from_levels(to_levels(inputs)), inputs)
    assert torch.equal(spec.ids(inputs), ids)
    assert spec.ids(spec.inputs(torch.tensor([[300, 65535, 299, 0]]))).tolist() == [[0, 65535 % 300, 299, 0]]
    assert spec.text(ids[1]) == "w298 w297 w256 w1"
    assert spec_from(spec.describe()) == spec


@pytest.mark.parametrize("words", [("a", "a"), (), ("",)])
def test_a_vocabulary_is_checked(words):
    with pytest.raises(BadInput, match="vocabulary"):
        token_spec(3, words)
    with pytest.raises(BadInput, match="vocabulary"):
        TokenSpec(1, 1, 3, ("", "a"))


def test_a_row_is_written_as_bytes_and_as_words(tmp_path):
    spec = token_spec(3, WORDS)
    levels = to_levels(spec.inputs(torch.tensor([[299, 0, 7]])))[0]
    spec.write(tmp_path / "row.png", levels, "made here")
    assert torch.equal(spec.read(tmp_path / "row.png"), levels)
    assert (tmp_path / "row.txt").read_text() == "w298 w6\n"


def test_the_encoding_conforms(unchecked):
    assert examine_encoding(Tokens(token_spec(12, WORDS)), token_spec(12, WORDS)).findings == ()


def test_tokens_mutate_at_their_rate_and_cross_from_a_place_on():
    spec = token_spec(50, WORDS)
    still, moved = Tokens(spec, TokenSettings(0.0, 1.0)), Tokens(spec, TokenSettings(0.2, 0.0))
    parents = still.random(400, Stream(0, "test", 0))
    children = moved.vary(parents, Stream(0, "test", 1)).ids
    changed = float((children != parents.ids).double().mean())
    rate = 0.2 * (1.0 - 1.0 / len(spec.vocabulary))
    assert abs(changed - rate) < 3.0 * math.sqrt(rate * (1.0 - rate) / parents.ids.numel())
    crossed = still.vary(parents, Stream(0, "test", 2)).ids
    mate = parents.ids.view(-1, 2, 50).flip(1).reshape(-1, 50)
    other = (crossed == mate) & (parents.ids != mate)
    own = (crossed == parents.ids) & (parents.ids != mate)
    assert bool(((crossed == mate) | (crossed == parents.ids)).all())
    place = other.int().argmax(1)
    last_own = torch.where(own.any(1), 49 - own.flip(1).int().argmax(1), -1)
    assert bool((place > last_own)[other.any(1)].all())
    assert bool(other.any(1).double().mean() > 0.9)


@pytest.mark.parametrize("kind", list(texts.MAKERS))
def test_classifiers_of_texts_conform_and_learn(unchecked, kind):
    pytest.importorskip("sklearn")
    target = texts.MAKERS[kind](TEXTS, 6, 0)
    assert texts.error(target, TEXTS) == 0.0
    assert examine_target(target).findings == ()
    module = target.module
    ids = texts.encoded(TEXTS, target.spec, 6)
    ids[::2, 2:5] = ids[::2, :1]  # a word that is said again
    with torch.no_grad():
        assert torch.allclose(module(target.spec.inputs(ids)), module.last(module.rows(ids)), atol=1e-5)
        assert torch.allclose(module(target.spec.inputs(ids.flip(1))), module(target.spec.inputs(ids)), atol=1e-5)


def test_naive_bayes_is_a_count():
    target = texts.naive_bayes(TEXTS, 2)
    place = target.spec.vocabulary.index("w41")
    given = [words for words, column in zip(TEXTS.words, TEXTS.classes, strict=True) if column == 1]
    count, of = sum(words.count("w41") for words in given), sum(map(len, given))
    weight = float(target.module.last.weight[1, place])
    assert weight == pytest.approx(math.log((count + 1) / (of + len(target.spec.vocabulary) - 1)), rel=1e-5)


def test_a_run_of_tokens_is_a_run(tmp_path):
    target = texts.naive_bayes(TEXTS, 3)
    settings = FoolSettings("texts", encoding="tokens", budget=400, confidence=None, out=tmp_path / "run")
    run = fool_with(settings, target)
    assert verify_with(tmp_path / "run", target).failures == ()
    best = run["right"].strongest
    weight = target.module.last.weight[:, 1:]
    each = 3.0 * weight[:, weight[2].sub(weight[:2].logsumexp(0)).argmax()] + target.module.last.bias
    most = float(each[2] - each[:2].logsumexp(0))
    assert best.log_odds == pytest.approx(most, rel=1e-4)  # its best word, three times
    assert len((run.folder / best.file).with_suffix(".txt").read_text().split()) == 3
    again = fool_with(FoolSettings("texts", encoding="tokens", budget=400, confidence=None, out=tmp_path / "2"), target)
    assert again.digest() == run.digest()
    with pytest.raises(BadInput, match="encoding tokens"):
        fool_with(FoolSettings("texts", out=tmp_path / "pixels"), target)
    with pytest.raises(BadInput, match="pixels or cppn"):
        trompe.fool("softmax-mnist", encoding="tokens", out=tmp_path / "images")


@pytest.mark.slow
def test_an_audit_of_texts_tries_what_tokens_can_be_tried_with(tmp_path):
    from trompe.settings import AuditSettings

    target = texts.naive_bayes(TEXTS, 3)
    run = audit_with(AuditSettings("texts", budget=200, out=tmp_path / "audit"), target)
    assert [search.method for search in run.searches] == ["tokens-evolve", "tokens-scatter"]
    assert run.survival() == {}  # a byte that is moved a little is another word


def test_sayings_are_split_into_words(tmp_path):
    for name in texts.TOPICS:
        (tmp_path / name).write_text(f"One, two -- {name}'s three.\n%\nshort\n%\nFour five six")
    found = texts.sayings(tmp_path)
    assert found.words[0] == ("one", "two", "art's", "three")
    assert found.words[1] == ("four", "five", "six")
    assert found.classes[:4] == (0, 0, 1, 1)
    taught, tested = texts.halves(found, 0)
    assert sorted([*taught.words, *tested.words]) == sorted(found.words)
    assert len(tested.words) == 5


def test_tokens_counts_topics():
    odds = {"3": [9.0, 0.0], "8": [9.0, 0.0], "20": [9.0, 9.0]}
    low = {"3": [0.0, 0.0], "8": [0.0, 0.0], "20": [9.0, 0.0]}
    kinds = {
        "bag of words": {"odds": odds, "random": 0.25}, "TF-IDF": {"odds": low, "random": 0.0},
        "naive Bayes": {"odds": odds, "random": 1.0},
    }  # fmt: skip
    found = tokens.measure({"a": {"kinds": kinds, "budget": 3000}}, Effort())
    assert {name: one.values[0] for name, one in found.items()} == {
        "three": 0.5, "bag": 1.0, "tf-idf": 0.5, "bayes": 1.0, "random": 0.75,
    }  # fmt: skip
    assert tokens.measure({"a": {"kinds": kinds, "budget": 400}}, Effort("quick"))["bag"].short


def test_a_seed_of_tokens_is_measured_as_it_is_by_the_command(tmp_path):
    if texts.absent():
        pytest.skip(texts.absent())
    found = tokens.ask(tmp_path, 0, Effort("quick"))
    assert found["budget"] == 400
    assert all(len(odds) == 10 for one in found["kinds"].values() for odds in one["odds"].values())
