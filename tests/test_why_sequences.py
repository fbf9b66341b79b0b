"""Taggers of sentences against every row of tags there is, and a grammar against its own words."""

import math
import re
from itertools import pairwise, product

import pytest
import torch

from trompe.core.numerics import to_levels
from trompe.core.seeds import Stream
from trompe.core.tokens import token_spec
from trompe.core.types import Outputs
from trompe.experiments import chains, gibberish, grammar, sequences
from trompe.experiments.nouns import Effort
from trompe.testing import examine_target

PHRASE = "(?:DA{0,2}[NM]|R)"
AFTER = f"(?:P{PHRASE})?"
CLAUSE = f"(?:(?:DA{{0,2}}N{AFTER}|R)B?V|(?:DA{{0,2}}M{AFTER}|R)B?W){PHRASE}?{AFTER}B?"
PATHS = torch.tensor(list(product(range(3), repeat=4)))


def small(*, local=False):
    """Three tags, five words, four to a row, two classes; every score of its own."""
    numbers = [4.0 * Stream(i, "test/chain", 0).uniform(*shape) - 2.0
               for i, shape in enumerate([(3,), (3, 3), (6, 3), (6, 3)])]  # fmt: skip
    spec = token_spec(4, tuple("abcde"))
    return chains.Chain(spec, numbers, PATHS[[5, 70]], local=local).eval()


def enumerated(module, row, tags):
    """The score of a row of tags by hand."""
    score, row = 0.0, [*row, 0]
    for place, tag in enumerate(tags):
        scores = [
            float(module.word[row[place], k] + module.ahead[row[place + 1], k])
            + float(module.step[tags[place - 1], k] if place else module.begin[k])
            for k in range(3)
        ]
        score += scores[tag] - (math.log(sum(map(math.exp, scores))) if module.local else 0.0)
    return score


@pytest.mark.parametrize("local", [False, True])
def test_a_chain_is_the_sum_over_every_row_of_tags(local):
    module = small(local=local)
    for row in ([1, 2, 3, 4], [5, 5, 0, 1]):
        links = module.links(torch.tensor([row, row]))
        scores = [enumerated(module, row, tags) for tags in PATHS.tolist()]
        whole = math.log(sum(map(math.exp, scores)))
        assert chains.total(links).tolist() == pytest.approx([whole, whole])
        assert chains.along(links, PATHS)[1].tolist() == pytest.approx(scores)
        assert chains.own(links, PATHS[[7, 80]]).tolist() == pytest.approx([scores[7], scores[80]])
        highest, tags = chains.best(links)
        assert float(highest[0]) == pytest.approx(max(scores))
        assert tags[0].tolist() == PATHS[scores.index(max(scores))].tolist()
        logits = module(module.spec.inputs(torch.tensor([row])))
        shares = [math.exp(scores[i] - whole) for i in (5, 70)]
        assert logits.softmax(1)[0].tolist() == pytest.approx([*shares, 1.0 - sum(shares)])
        assert float(logits.logsumexp(1)) == pytest.approx(whole)
        if local:
            assert whole == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("local", [False, True])
def test_the_best_row_of_tags_is_the_best_of_all(local):
    module = small(local=local)
    ids = torch.randint(1, 6, (30, 4), generator=torch.Generator().manual_seed(0))
    highest, tags = chains.best(module.links(ids))
    scores = chains.along(module.links(ids), PATHS)
    assert highest.tolist() == pytest.approx(scores.amax(1).tolist())
    assert torch.equal(tags, PATHS[scores.argmax(1)])
    assert len({tuple(row) for row in tags.tolist()}) > 3, "of different rows, so that none comes out by chance"


@pytest.fixture(scope="module")
def taught():
    return grammar.sentences(60, 0, "taught")


PARTS = ("DNCDNVPD", "AAAAAAAA")


def test_an_hmm_is_counts_and_adds_up_to_one_over_all_words(taught):
    module = chains.hmm(taught, PARTS).module
    kinds = list(grammar.TAGS)
    dog, noun = 1 + grammar.WORDS.index("dog"), kinds.index("N")
    nouns = taught.tags == noun
    count = int((taught.words[nouns] == dog).sum())
    share = (count + 0.01) / (int(nouns.sum()) + 0.01 * 125)
    assert float(module.word[dog, noun]) == pytest.approx(math.log(share))
    after = int(((taught.tags[:, :-1] == noun) & (taught.tags[:, 1:] == kinds.index("V"))).sum())
    share = (after + 0.01) / (int(nouns[:, :-1].sum()) + 0.1)
    assert float(module.step[noun, kinds.index("V")]) == pytest.approx(math.log(share))
    pairs = torch.tensor(list(product(range(125), repeat=2)))  # all rows of two words
    assert float(chains.total(module.links(pairs)).logsumexp(0)) == pytest.approx(0.0, abs=1e-9)


def test_a_memm_is_the_logistic_regression_of_its_steps(taught):
    linear = pytest.importorskip("sklearn.linear_model")
    module = chains.memm(taught, PARTS).module
    endings = chains._endings()
    one_hot = torch.nn.functional.one_hot
    before = torch.nn.functional.pad(taught.tags[:, :-1] + 1, (1, 0)).flatten()
    ahead = torch.nn.functional.pad(taught.words[:, 1:], (0, 1)).flatten()
    words = taught.words.flatten()
    rows = torch.cat([one_hot(before, 11), one_hot(words, 125), one_hot(ahead, 125),
                      one_hot(endings[words], int(endings.max()) + 1)], 1)  # fmt: skip
    machine = linear.LogisticRegression(C=100.0, fit_intercept=False, max_iter=2000, tol=1e-8)
    machine.fit(rows.numpy(), taught.tags.flatten().numpy())
    theirs = machine.predict_proba(rows.numpy())[torch.arange(len(rows)), taught.tags.flatten()]
    ours = chains.own(module.links(taught.words), taught.tags)
    wanted = torch.from_numpy(theirs).log().reshape(-1, 8).sum(1)
    assert torch.allclose(ours, wanted, atol=0.03)


def test_a_crf_is_where_nothing_is_to_be_gained(taught):
    weights = chains.fitted(taught, local=False)
    target = chains.crf(taught, PARTS)
    links = target.module.links(taught.words)
    assert chains.error(target, taught) == 0.0
    gained = float((chains.own(links, taught.tags) - chains.total(links)).sum())
    for which in (0, 1, 3):  # of an ending's and a word's share only the sum is known
        for sign in (-1.0, 1.0):
            moved = [values + sign * 0.05 * (i == which) * Stream(i, "test/moved", 0).uniform(*values.shape)
                     for i, values in enumerate(weights)]  # fmt: skip
            module = chains.Chain(target.spec, moved, target.module.paths)
            links = module.links(taught.words)
            price = 0.005 * float((moved[which].square() - weights[which].square()).sum())
            assert float((chains.own(links, taught.tags) - chains.total(links)).sum()) - price <= gained + 0.01


@pytest.mark.parametrize("kind", list(chains.MAKERS))
def test_taggers_are_targets_like_any_other(unchecked, taught, kind):
    target = chains.MAKERS[kind](taught, PARTS)
    assert examine_target(target).findings == ()
    assert target.labels == (*PARTS, "any other")


def test_the_grammar_is_a_regular_expression():
    known = re.compile(f"{CLAUSE}(?:C{CLAUSE})?")
    assert all(known.fullmatch(path) for path in grammar.grammar())
    drawn = ["".join(path) for path in product("DNMVWRP", repeat=8) if path[0] == "D" and path[7] == "N"]
    assert {path for path in drawn if known.fullmatch(path)} == {
        path for path in grammar.grammar() if path[0] == "D" and path[7] == "N" and not set(path) & set("ABC")
    }  # fmt: skip


def test_sentences_are_of_the_grammar_and_of_their_seed():
    drawn = grammar.sentences(200, 1, "taught")
    rows = [[grammar.WORDS[i - 1] for i in row] for row in drawn.words.tolist()]
    letters = "".join(grammar.TAGS)
    for row, tags in zip(rows, drawn.tags.tolist(), strict=True):
        assert grammar.is_sentence(row)
        assert all(word in grammar.LEXICON[letters[tag]] for word, tag in zip(row, tags, strict=True))
    assert not torch.equal(drawn.words, grammar.sentences(200, 1, "tested").words)
    assert torch.equal(drawn.words, grammar.sentences(200, 1, "taught").words)
    first = sum(row.count("the") for row in rows) / sum(row.count("some") for row in rows)
    assert 1.4 < first < 2.8  # twice as likely as the second


def test_impossible_rows_are_of_no_sentence_and_some_step_by_step():
    for stepwise, count in ((True, 5), (False, 100)):  # of the hundred, one is drawn that every step of is possible
        found = grammar.impossible(count, 0, stepwise=stepwise)
        assert len(set(found)) == count
        for path in found:
            assert path not in grammar.grammar()
            possible = all(any(a + b in one for one in grammar.grammar()) for a, b in pairwise(path))
            assert stepwise == (possible and any(one[0] == path[0] for one in grammar.grammar()))


def test_what_is_told_of_a_row_of_words(taught):
    target = chains.hmm(taught, ("DNPDMVDN", "DNPDNVDN"))
    row = ["the", "dog", "near", "my", "cats", "sees", "the", "road"]
    words = [row, ["", *row[1:]]]
    ids = torch.tensor([[target.spec.vocabulary.index(word) for word in row] for row in words])
    found = gibberish.told(target, to_levels(target.spec.inputs(ids)))
    assert found["sentence"] == [True, False]
    assert found["fits"] == [8, 6]
    assert found["words"][1].startswith("– dog near")
    assert found["sure"] == [value >= gibberish.LEVEL for value in found["odds"]]


def test_the_strongest_of_several_searches_is_taken_row_by_row(taught):
    target = chains.hmm(taught, PARTS)
    good = target.spec.inputs(torch.tensor([[0] * 8, [1 + grammar.WORDS.index("old")] * 8]))
    bad = target.spec.inputs(torch.tensor([[0] * 8, [1 + grammar.WORDS.index("the")] * 8]))
    found = gibberish.strongest(target, [to_levels(bad), to_levels(good)])
    assert torch.equal(found, to_levels(good))


def test_passing_is_for_any_class_and_densities_are_log_sums():
    outputs = Outputs(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 0.0], [-1.0, -1.0]]).double(), None)
    assert gibberish.passed(outputs) == 0.5
    assert gibberish.densities(outputs) == pytest.approx([0.693, 1.693])


def test_sequences_compares_kinds_and_halves():
    def one(sure, looks, error, random):
        return {"sure": [True] * sure + [False] * (10 - sure), "looks": [looks] * 10, "error": error, "random": random}

    guarded = {"sure": [True] * 4 + [False] * 6, "passed": {"random words": 0.0, "made for the HMM": 0.25}}
    kinds = {
        "HMM": {**one(5, 100, 0.25, 0.5), "guarded": guarded}, "MEMM": one(2, 1000, 0.5, 0.25),
        "CRF": one(1, 10, 0.0, 0.0),
    }  # fmt: skip
    found = sequences.measure({"a": {"kinds": kinds, "budget": sequences.BUDGET}}, Effort())
    assert {name: measured.values[0] for name, measured in found.items()} == pytest.approx({
        "hmm": 0.5, "possible": 1.0, "memm": 0.2, "crf": 0.1, "random": 0.25, "guard-random": 0.0, "guard-static": 0.25,
        "adaptive": 0.8, "steps": 0.8, "looks": 1.0, "worse": 0.25,
    })  # fmt: skip
    assert sequences.measure({"a": {"kinds": kinds, "budget": 400}}, Effort("quick"))["hmm"].short


@pytest.mark.slow
def test_sequences_are_asked_and_drawn(tmp_path):
    found = sequences.ask(tmp_path, 0, Effort("quick"))
    assert len(found["kinds"]["HMM"]["guarded"]["densities"]["random words"]) == 200
    assert found["kinds"]["HMM"]["guarded"]["passed"]["sentences"] > found["kinds"]["HMM"]["guarded"]["passed"][
        "random words"]  # fmt: skip
    drawn = sequences.figures({"a": found})
    assert all(one.text for one in drawn)
    assert sum(bool(one.markup) for one in drawn) >= len(drawn) - 1  # where no row was found, its words are not either
    assert max(n for question in sequences.EXPERIMENT.questions for n in question.figures) == len(drawn) - 1
    assert not list(tmp_path.glob("*/run.db"))
