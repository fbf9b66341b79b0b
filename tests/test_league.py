"""The league of defences: judged by readers that come with trompe, by those only that may judge; the page says it."""

import importlib
import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from trompe.core.specs import ImageSpec
from trompe.measure.readers import load_readers
from trompe.targets import Declaration, TorchTarget, load_target
from trompe.targets.preprocessing import PLAIN

ROOT = Path(__file__).parent.parent
EVERY = json.loads((ROOT / "benchmarks" / "results" / "league.json").read_text(encoding="utf-8"))["rows"]
ROWS = {name: row for name, row in EVERY.items() if "refused" not in row}
TABLE = dict(re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|$", (ROOT / "docs" / "readers.md").read_text(), re.MULTILINE))
LABELS = {"mnist": "lenet-mnist", "fashion-mnist": "lenet-fashion"}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_names_the_readers_that_may_judge_its_guard(name: str) -> None:
    row = ROWS[name]
    judged = {told["name"]: told for told in row["judged"]["readers"]}
    counted = [reader for reader, told in judged.items() if told["counts"]]
    if len(counted) > 1:
        assert counted == row["judged"]["open_trials"]["readers"]
    if row["data"] == "mnist" and row["guard"] in TABLE:
        assert counted == TABLE[row["guard"]].split(", ")
    for reader in load_readers(load_target(LABELS[row["data"]]).labels, (1, 28, 28)):
        assert judged[reader.name]["fingerprint"] == reader.fingerprint(), f"{reader.name} was fitted anew since"


def test_the_table_of_independent_readers_was_found() -> None:
    assert TABLE["neighbours"] == "vae, parts"


def test_the_page_says_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    made = importlib.import_module("league_page")
    assert f"{made.BEGIN}\n{made.page(EVERY)}\n{made.END}" in made.DOCS.read_text(encoding="utf-8")


def test_a_class_for_none_of_these_scores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slack is 0 whatever wins, so its bid would be the best of a refused image, which has the lowest."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    protocols = importlib.import_module("protocols")
    labels = ("a", "b", "none")
    declared = Declaration(labels=labels, abstain="none", preprocessing=PLAIN)
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([[1.0] * 4, [-1.0] * 4, [0.0] * 4]))
        module[1].bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
    target = TorchTarget("toy", module.eval(), ImageSpec(1, 2, 2), labels, declared=declared)
    images = torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)])
    refused, accepted = protocols.scores(target, images).tolist()
    assert refused < -1e3 < 0.0 < accepted
    assert protocols.confidences(protocols.scores(target, images), 2).tolist()[0] == 0.5
    climbed = protocols.attacked(target, images[:1], steps=10, radius=0.6)
    assert protocols.scores(target, climbed).item() > 0.0
