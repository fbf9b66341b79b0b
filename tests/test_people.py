"""What people answered: read strictly, merged in any order; who did not look and what is foreign is counted apart."""

import json
import random
import re
from collections import Counter
from dataclasses import replace

import pytest
import torch
from asked import LABELS, Asked, asked, real_images, save

import trompe
from trompe.cli.main import main
from trompe.core.errors import BadInput, RunError
from trompe.measure.statistics import wilson
from trompe.run.results import results
from trompe.verbs.answers import COLUMNS, NONE, read_answers
from trompe.verbs.people import People, Seen, people
from trompe.verbs.stimuli import KEY, image_id, stimuli


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Asked:
    return asked(tmp_path_factory.mktemp("study"))


def merged(study: Asked, tmp_path, *files: list[dict[str, str]]) -> People:
    paths = [save(tmp_path / f"{number}.csv", rows) for number, rows in enumerate(files)]
    return people(study.run, read_answers(paths))


def other(label: str) -> str:
    return LABELS[(LABELS.index(label) + 1) % len(LABELS)]


def test_the_pictures_are_balanced_and_all_different(study):
    kinds = Counter(item.kind for item in study.chosen)
    kept = [item for item in study.chosen if item.kind == "kept"]
    assert kinds["real"] == kinds["noise"] == 5
    assert len({item.id for item in study.chosen}) == len(study.chosen)
    assert max(Counter(item.label for item in kept).values()) - min(Counter(item.label for item in kept).values()) <= 1
    assert {item.label for item in kept} == set(LABELS)
    own = {image_id(kept.levels): kept for record in study.run.classes for kept in record.kept()}
    for item in kept:
        assert own[item.id].label == item.label
        assert own[item.id].confidence >= 0.99
    assert not {item.id for item in study.chosen if item.kind != "kept"} & set(own)
    in_order = [item.kind for item in study.chosen]
    assert sorted(in_order) != in_order


def test_the_same_seed_chooses_the_same_and_another_others(study):
    def chosen(seed):
        return [item.id for item in stimuli(study.run, real_images(study.real), 20, seed)]

    assert chosen(0) == [item.id for item in study.chosen]
    assert set(chosen(1)) != set(chosen(0))


def test_scrambled_noise_has_the_ink_of_a_real_picture(study):
    inks = [sorted(item.levels.flatten().tolist()) for item in study.chosen if item.kind == "real"]
    noise = [item for item in study.chosen if item.kind == "noise"]
    assert sum(sorted(item.levels.flatten().tolist()) in inks for item in noise) == 2
    assert not {item.id for item in noise} & {item.id for item in study.chosen if item.kind == "real"}


def test_rates_are_shares_of_images_by_majority(study, tmp_path):
    kept = [item for item in study.chosen if item.kind == "kept"]
    own, another = {kept[0].id}, {kept[1].id, kept[2].id}

    def see(item):
        return item.label if item.id in own else other(item.label) if item.id in another else NONE

    found = merged(study, tmp_path, study.rows(see, "r1"), study.rows(see, "r2"), study.rows(lambda _: NONE, "r3"))
    n = len(kept)
    assert found.rates.own == wilson(1, n)
    assert found.rates.other == wilson(2, n)
    assert found.rates.none == wilson(n - 3, n)
    assert found.name == "people (3 raters)"
    assert {image.id for image in found.images} == {item.id for item in kept}
    assert found.by_method() == {"pixels-ascend": found.rates}
    assert 0 < found.agreement.kappa < found.agreement_all.kappa < 1


def test_full_agreement_has_kappa_1(study, tmp_path):
    found = merged(study, tmp_path, *(study.rows(lambda item: item.label, name) for name in ("r1", "r2")))
    assert found.agreement.kappa == found.agreement_all.kappa == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("votes", "majority"),
    [
        ((("cat", 2), ("none", 1)), "cat"),
        ((("dog", 1), ("cat", 1)), "cat"),  # half is enough, and the class it was made for comes first
        ((("cat", 1), ("none", 1)), "cat"),
        ((("dog", 2), ("cat", 1)), "dog"),
        ((("dog", 1), ("none", 1)), "dog"),
        ((("dog", 1), ("=cow", 1), ("none", 1)), "none"),  # no class has half
        ((("none", 3), ("cat", 2)), "none"),
    ],
)
def test_a_picture_is_read_as_what_at_least_half_saw(votes, majority):
    assert Seen("x", torch.zeros(1, 2, 2), "cat", "m", ((0, 0, 0.0),), votes).majority == majority


@pytest.mark.parametrize(
    ("votes", "seen", "decided"),
    [
        ((("cat", 6), ("none", 4)), ("cat",), True),
        ((("none", 6), ("cat", 5)), ("none",), True),
        ((("cat", 9),), ("cat",), False),  # too few, however sure
        ((("cat", 5), ("none", 5)), ("cat", "none"), False),
        ((("none", 4), ("cat", 3), ("dog", 3)), ("none",), False),
        ((("dog", 4), ("cat", 4), ("=cow", 4)), ("none",), False),
    ],
)
def test_more_than_half_of_at_least_ten_decide(votes, seen, decided):
    image = Seen("x", torch.zeros(1, 2, 2), "cat", "m", ((1, 2, 0.0), (0, 2, 0.9)), votes)
    assert (image.seen, image.decided) == (seen, decided)
    found = People((), (), (image,), (), None, None)
    rows = [(*place, answer) for place in ((0, 2, 0.9), (1, 2, 0.0)) for answer in seen]
    assert (found.decided(), found.beside()) == ((rows, []) if decided else ([], rows))


def test_what_was_read_is_told_wherever_the_run_keeps_those_bytes(study, tmp_path):
    found = merged(study, tmp_path, study.rows(lambda item: item.label))
    places = {
        (record.search, record.niche, kept.level or 0.0): image_id(kept.levels)
        for record in study.run.classes
        for kept in record.kept()
    }
    shown = {item.id: item.label for item in study.chosen if item.kind == "kept"}
    assert found.reads() == sorted((*place, shown[name]) for place, name in places.items() if name in shown)
    assert found.describe()["reads"] == [[*row[:3], [row[3]]] for row in found.reads()]


def test_the_order_of_files_and_rows_does_not_matter(study, tmp_path):
    draw = random.Random(0)
    files = [study.rows(lambda _: draw.choice([*LABELS, NONE]), name) for name in ("r1", "r2", "r3")]
    plain = merged(study, tmp_path, *files).describe()
    for _ in range(3):
        mixed = [draw.sample(rows, len(rows)) for rows in draw.sample(files, 3)]
        assert merged(study, tmp_path, *mixed).describe() == plain
        together = [row for rows in mixed for row in rows]
        assert merged(study, tmp_path, draw.sample(together, len(together))).describe() == plain


def test_a_repeat_counts_for_consistency_and_nothing_else(study, tmp_path):
    rows = study.rows(lambda item: item.label)
    kept = [item for item in study.chosen if item.kind == "kept"][:2]
    again = [study.row(kept[0], kept[0].label, repeat=1), study.row(kept[1], NONE, repeat=1)]
    plain, found = merged(study, tmp_path, rows), merged(study, tmp_path, rows + again)
    assert str(found.raters[0].alike) == "1 of 2"
    assert found.rates == plain.rates
    assert [image.votes for image in found.images] == [image.votes for image in plain.images]


@pytest.mark.parametrize(
    ("kind", "spoilt", "failure"),
    [
        ("real", {"answer": NONE}, "real pictures named rightly: 0 of 5, less than 90 %"),
        ("noise", {"answer": "cat"}, "noise called none: 0 of 5, less than 90 %"),
        ("", {"milliseconds": "399"}, "median time to an answer 399 ms, less than 400"),
    ],
)
def test_who_did_not_look_is_shown_and_counted_apart(study, tmp_path, kind, spoilt, failure):
    good = study.rows(lambda _: NONE, "good")
    whole = zip(study.chosen, study.rows(lambda item: item.label, "bad"), strict=True)
    bad = [{**row, **spoilt} if kind in ("", item.kind) else row for item, row in whole]
    found = merged(study, tmp_path, good, bad)
    assert [one.id for one in found.raters] == ["good"]
    assert [(one.id, one.failures) for one in found.apart] == [("bad", (failure,))]
    assert found.rates.own.count == 0
    assert found.apart[0].own == sum(item.kind == "kept" for item in study.chosen)
    alone = merged(study, tmp_path, bad)
    assert alone.rates is None
    assert alone.describe()["rates"] == "not measured: nobody who passed the attention checks answered"


def test_attention_is_90_per_cent_and_not_more(tmp_path):
    study = asked(tmp_path, count=40)
    rows = study.rows(lambda _: NONE)
    places = [number for number, item in enumerate(study.chosen) if item.kind == "real"]
    for wrong, passed in ((1, True), (2, False)):
        spoilt = [{**row, "answer": NONE} if place in places[:wrong] else row for place, row in enumerate(rows)]
        (rater,) = (*(found := merged(study, tmp_path, spoilt)).raters, *found.apart)
        assert str(rater.real) == f"{10 - wrong} of 10"
        assert rater.passed is passed


def test_without_real_pictures_attention_is_not_known(study, tmp_path):
    kept = [study.row(item, item.label) for item in study.chosen if item.kind == "kept"]
    found = merged(study, tmp_path, kept)
    assert found.apart[0].failures[0] == "real pictures named rightly: not measured, fewer than 5 answered"
    assert found.images == ()


def test_answers_about_another_runs_pictures_are_shown_and_counted_nowhere(study, tmp_path):
    rows = study.rows(lambda item: item.label)
    foreign = [{**row, "image": f"x{number:016x}", "answer": "unheard of"} for number, row in enumerate(rows)]
    both = merged(study, tmp_path, rows, [{**row, "page": "p2", "rater": "r9"} for row in foreign])
    assert [(each.page, each.answers, each.raters) for each in both.foreign] == [("p2", len(rows), 1)]
    assert replace(both, foreign=()).describe() == merged(study, tmp_path, rows).describe()
    only = merged(study, tmp_path, foreign)
    assert only.describe()["rates"] == "not measured: no answer is about a picture of this run"
    assert only.raters == only.apart == ()


def test_answering_that_there_is_nothing_is_answering_none(study, tmp_path):
    about = replace(study.run.about, target={**study.run.about.target, "abstain": "=cow", "harmless": ["dog"]})
    run = replace(study.run, about=about)
    found = people(run, read_answers([save(tmp_path / "a.csv", study.rows(lambda _: "dog"))]))
    assert all(image.votes == ((NONE, 1),) for image in found.images)


HEAD = ",".join(COLUMNS)
LINE = "r1,,p1,x1,0,cat,900"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", r"answers.csv, line 1: expected the columns rater,.*; got an empty file"),
        (b"a,b\n1,2\n", r"line 1: expected the columns .*; got 'a, b'"),
        (f"{HEAD.replace(',', ';')}\n".encode(), r"line 1: expected the columns"),
        (f"{HEAD}\n".encode(), r"expected at least one answer; got a heading and nothing below it"),
        (f"{HEAD}\n{LINE},\n".encode(), r"line 2: expected 7 cells; got 8"),
        (f"{HEAD}\n{LINE}\nr1\n".encode(), r"line 3: expected 7 cells; got 1"),
        (f"{HEAD}\n{LINE.replace('900', 'nan')}\n".encode(), r"line 2: .*whole number of milliseconds; got 'nan'"),
        (f"{HEAD}\n{LINE.replace('900', '-9')}\n".encode(), r"line 2: .*milliseconds; got '-9'"),
        (f"{HEAD}\n{LINE.replace(',0,', ',2,')}\n".encode(), r"line 2: expected 0 or 1 in the column repeat; got '2'"),
        (f"{HEAD}\n{LINE.replace('x1', '')}\n".encode(), r"line 2: expected something in the column image"),
        (f'{HEAD}\n"r1,,p1,x1,0,cat,900\n'.encode(), r"expected comma-separated values; got unexpected end of data"),
        (b"\xff\xfe\x00r", r"expected a file of answers; got bytes that are no UTF-8"),
        (f"{HEAD}\n{LINE}\n{LINE}\n".encode(), r"line 3: expected one answer .*; got a second one of r1 to x1"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(content, expected, tmp_path):
    path = tmp_path / "answers.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=expected):
        read_answers([path])


def test_a_file_that_is_named_twice_or_not_there(study, tmp_path):
    path = save(tmp_path / "a.csv", study.rows(lambda _: NONE))
    with pytest.raises(BadInput, match=r"line 2: expected one answer of a rater .* after .*a.csv, line 2.*named twice"):
        read_answers([path, path])
    with pytest.raises(BadInput, match=r"expected a file of answers; got No such file"):
        read_answers([tmp_path / "nowhere.csv"])


def test_an_answer_that_is_no_label_is_refused(study, tmp_path):
    path = save(tmp_path / "a.csv", [study.row(study.chosen[0], "unicorn")])
    with pytest.raises(BadInput, match=r"a.csv, line 2: expected a label of made, or none; got 'unicorn'"):
        people(study.run, read_answers([path]))


def test_quotes_commas_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(f'\ufeff{HEAD}\r\n"r1","Ann, ""the"" one","p1","x1","1","a\nb","900"\r\n'.encode())
    (reading,) = read_answers([path])
    assert (reading.name, reading.answer, reading.repeat) == ('Ann, "the" one', "a\nb", True)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"images": {"x1": {"kind": "kept", "label": "cat"}}}', '{"images": [1]}']
)
def test_a_damaged_key_is_said(content, study, tmp_path):
    (tmp_path / KEY).write_text(content)
    with pytest.raises(RunError, match=r"read-key.json: expected the key that `trompe read` wrote"):
        people(
            replace(study.run, folder=tmp_path), read_answers([save(tmp_path / "a.csv", study.rows(lambda _: NONE))])
        )


def test_report_tells_it_and_leaves_the_run_as_it_was(study, tmp_path, capsys):
    before = {path: path.read_bytes() for path in study.run.folder.rglob("*") if path.is_file()}
    rows = study.rows(lambda item: item.label, name="<i>Ann</i>")
    files = [
        save(tmp_path / "a.csv", rows),
        save(tmp_path / "b.csv", study.rows(lambda _: NONE, "lazy", milliseconds=1)),
    ]
    words = ["report", str(study.run.folder), "--answers", *map(str, files), "--out"]
    assert main([*words, str(tmp_path / "out")]) == 0
    told = json.loads((tmp_path / "out" / "people.json").read_text())
    missing = results(study.run)["summary"]["fooled"]
    assert told == {**people(study.run, read_answers(files)).describe(), "fooled": missing}
    printed = capsys.readouterr().out
    assert f"people     {tmp_path / 'out' / 'people.json'}" in printed
    assert f"answers    {len(told['images'])} pictures of this run answered by people (1 rater)" in printed
    assert "1 more failed the attention checks" in printed
    assert "another run" not in printed
    page = (tmp_path / "out" / "report.html").read_text()
    count = told["rates"]["own"]["count"]
    assert f"one person read {count} as the class they were made for, 0 as another class and 0 as none" in page
    assert "&lt;i&gt;Ann&lt;/i&gt;" in page
    assert "<i>Ann" not in page
    assert "median time to an answer 1 ms, less than 400" in page
    assert {path: path.read_bytes() for path in study.run.folder.rglob("*") if path.is_file()} == before
    assert main([*words, str(tmp_path / "public"), "--public"]) == 0
    assert "Ann" not in (tmp_path / "public" / "report.html").read_text()
    assert "Ann" not in (tmp_path / "public" / "people.json").read_text()


def test_answers_that_are_foreign_are_told_on_the_terminal(study, tmp_path, capsys):
    rows = study.rows(lambda item: item.label)
    foreign = [{**row, "image": f"x{number:016x}", "page": "p2", "rater": "r9"} for number, row in enumerate(rows)]
    file = save(tmp_path / "a.csv", [*rows, *foreign])
    assert main(["report", str(study.run.folder), "--answers", str(file), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "pictures of this run answered by people (1 rater); " in told
    assert f"; {len(rows)} answers are about pictures of another run" in told


def test_without_answers_the_page_says_not_measured(study, tmp_path):
    page = trompe.report(study.run.folder, out=tmp_path).read_text()
    assert "Whether a person can read them was not measured." in page
    assert "What people read" not in page
    assert not (tmp_path / "people.json").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "got an empty file"),
        (f"{HEAD}\n{LINE}\n".encode(), "got 1 about pictures that it does not know, of page p1"),
    ],
)
def test_bad_answers_are_exit_code_2_and_write_nothing(content, expected, study, tmp_path, capsys):
    (tmp_path / "a.csv").write_bytes(content)
    words = ["report", str(study.run.folder), "--out", str(tmp_path / "out"), "--answers", str(tmp_path / "a.csv")]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert re.search(expected, captured.err)
    assert not (tmp_path / "out").exists()
