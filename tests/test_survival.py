"""Survival: what each transform does to bytes, what is counted of it, and a search that bids what survives."""

import io
import json

import numpy
import pytest
import torch
from arena import contest_on, curved, finish, group_plan
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny import make_tiny_target

import trompe
from trompe.cli.main import main
from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, level_odds, log_odds
from trompe.core.seeds import Stream
from trompe.core.types import Outputs
from trompe.measure.survival import TRANSFORMS, crop, jpeg, parse_transform, parse_transforms, resize, shift
from trompe.measure.surviving import Surviving, as_recorded, itself, surviving
from trompe.run.survived import counted
from trompe.search import Judge, JudgeSettings, ascend
from trompe.settings import AuditSettings, FoolSettings
from trompe.testing import examine_target
from trompe.verbs.audit import audit_session
from trompe.verbs.fool import fool_with


def noise(n, channels, height, width, seed=0):
    values = Stream(seed, "survival", 0).uniform(n, channels, height, width)
    return (values * 256).to(torch.uint8)


def as_picture(levels):
    return Image.fromarray(levels.permute(1, 2, 0).numpy() if len(levels) == 3 else levels[0].numpy())


def as_levels(picture):
    array = torch.from_numpy(numpy.array(picture))
    return array.permute(2, 0, 1) if array.ndim == 3 else array.unsqueeze(0)


@pytest.mark.parametrize("name", [*TRANSFORMS, "jpeg1", "resize8x", "crop10", "shift9999", "crop90+jpeg75"])
@pytest.mark.parametrize("shape", [(2, 1, 6, 6), (2, 3, 9, 7), (2, 5, 4, 4), (0, 1, 4, 4), (1, 1, 1, 1)])
def test_every_transform_keeps_shape_and_type_and_what_it_was_given(name, shape):
    given_levels = noise(*shape)
    before = given_levels.clone()
    changed = parse_transform(name).apply(given_levels)
    assert (changed.shape, changed.dtype) == (given_levels.shape, torch.uint8)
    assert torch.equal(given_levels, before)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_an_even_image_survives_everything(name, channels):
    even = torch.full((1, channels, 12, 12), 77, dtype=torch.uint8)
    assert (parse_transform(name).apply(even).int() - even.int()).abs().max() <= 1


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_image_is_changed_by_itself(name):
    transform, images = parse_transform(name), noise(3, 3, 10, 10)
    alone = torch.cat([transform.apply(images[i : i + 1]) for i in range(3)])
    assert torch.equal(transform.apply(images), alone)
    assert torch.equal(transform.apply(images.flip(0)).flip(0), alone)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_what_a_file_of_that_quality_decodes_to(channels):
    image = noise(1, channels, 16, 16)
    file = io.BytesIO()
    as_picture(image[0]).save(file, format="JPEG", quality=75)
    assert torch.equal(jpeg(image, 75)[0], as_levels(Image.open(file)))
    errors = [float((jpeg(image, quality).int() - image.int()).abs().sum()) for quality in (95, 75, 20)]
    assert 0 < errors[0] < errors[2]
    assert errors[1] < errors[2]


def test_other_numbers_of_channels_are_encoded_each_as_grey():
    image = noise(2, 4, 16, 16)
    for channel in range(4):
        assert torch.equal(jpeg(image, 75)[:, channel], jpeg(image[:, channel : channel + 1], 75)[:, 0])


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 12))
def test_shift_agrees_with_a_loop(height, width, pixels):
    image = noise(1, 2, height, width)
    moved = shift(image, pixels)
    for y in range(height):
        for x in range(width):
            assert torch.equal(moved[0, :, y, x], image[0, :, max(0, y - pixels), max(0, x - pixels)])


def test_crop_enlarges_and_cuts_the_centre_out():
    image = noise(1, 1, 28, 28)
    large = as_picture(image[0]).resize((31, 31), Image.Resampling.BILINEAR)  # 28 of 31 pixels are 90 per cent
    assert torch.equal(crop(image, 90)[0], as_levels(large.crop((1, 1, 29, 29))))
    assert torch.equal(crop(image, 100), image)


def test_resizing_there_and_back_smooths():
    image = noise(1, 1, 20, 20)
    there = as_picture(image[0]).resize((40, 40), Image.Resampling.BILINEAR)
    assert torch.equal(resize(image, 2)[0], as_levels(there.resize((20, 20), Image.Resampling.BILINEAR)))
    assert resize(image, 2).float().std() < image.float().std()


def test_a_pipeline_is_its_parts_in_their_order():
    image = noise(2, 3, 12, 12)
    both = parse_transform("crop80+jpeg50").apply(image)
    assert torch.equal(both, jpeg(crop(image, 80), 50))
    assert not torch.equal(both, crop(jpeg(image, 50), 80))


def test_names_are_those_that_are_parsed():
    assert [each.name for each in parse_transforms(["jpeg75,crop90", "shift1"])] == ["jpeg75", "crop90", "shift1"]


@pytest.mark.parametrize(
    "name", ["", "jpeg", "jpeg0", "jpeg101", "resize2", "resize1x", "crop9", "shift0", "shift-1", "blur3", "jpeg75+",
             "jpeg75x", "JPEG75"],
)  # fmt: skip
def test_other_names_are_refused(name):
    with pytest.raises(BadInput, match=r"transforms: expected names such as jpeg75.*; got .*\. jpeg takes a quality"):
        parse_transform(name)


def test_the_same_transform_twice_is_refused():
    with pytest.raises(BadInput, match="expected each transform once"):
        parse_transforms(["jpeg75", "jpeg75"])


# The target that asks about versions too.


@pytest.fixture
def both(tiny):
    return tiny, surviving(tiny, ("jpeg75", "shift1"))


def test_each_class_gets_its_lowest_log_odds_over_all_versions(both):
    plain, target = both
    levels = noise(7, 1, 6, 6)
    versions = [levels, jpeg(levels, 75), shift(levels, 1)]
    odds = [log_odds(plain.judge(from_levels(version)).logits) for version in versions]
    said = target.judge(from_levels(levels))
    assert torch.equal(said.logits, torch.stack(odds).amin(0))
    assert any(not torch.equal(odds[0], each) for each in odds[1:])
    assert (target.name, target.labels, target.spec, target.rows) == (plain.name, plain.labels, plain.spec, 3)


def test_what_nothing_changes_keeps_its_bits(tiny):
    levels = noise(5, 1, 6, 6)
    target = surviving(tiny, ("crop100",))
    assert torch.equal(target.judge(from_levels(levels)).logits, log_odds(tiny.judge(from_levels(levels)).logits))


def test_one_refused_version_is_refused(tiny):
    class Shy:
        """Refuses what is bright in the first pixel; a shift takes that pixel's value elsewhere, too."""

        name, spec, labels, link = tiny.name, tiny.spec, tiny.labels, tiny.link

        def judge(self, inputs):
            logits = tiny.judge(inputs).logits
            return Outputs(logits, (0.5 - inputs[:, :, 1, 1]).expand_as(logits))

        def fingerprint(self):
            return "shy"

    levels = torch.zeros(1, 1, 6, 6, dtype=torch.uint8)
    levels[0, 0, 0, 0] = 255
    assert float(Shy().judge(from_levels(levels)).slack.min()) > 0
    assert float(surviving(Shy(), ("shift1",)).judge(from_levels(levels)).slack.min()) < 0


@pytest.mark.usefixtures("unchecked")
def test_a_wrapped_target_conforms_but_for_its_gradient(tiny):
    """The gradient is straight through by design, which finite differences of rounded versions do not show."""
    report = examine_target(surviving(tiny, ("jpeg75", "crop90")))
    assert [finding for finding in report.findings if "gradient" not in finding] == []


def test_the_fingerprint_knows_the_target_and_the_transforms(tiny):
    prints = [
        tiny.fingerprint(),
        surviving(tiny, ("jpeg75",)).fingerprint(),
        surviving(tiny, ("jpeg90",)).fingerprint(),
        surviving(tiny, ("jpeg75", "shift1")).fingerprint(),
        surviving(make_tiny_target(1), ("jpeg75",)).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert surviving(tiny, ("jpeg75",)).fingerprint() == prints[1]


def test_wrapping_twice_is_wrapping_once_and_without_transforms_nothing_happens(both, tiny):
    assert surviving(both[1], ("jpeg75",)) is both[1]
    assert surviving(tiny, ()) is tiny
    assert itself(both[1]) is tiny
    assert itself(tiny) is tiny


def test_forwards_count_every_version(both):
    plain, target = both
    settings = JudgeSettings(batch=4)
    assert Judge(target, settings).forwards(5) == 3 * Judge(plain, settings).forwards(5) == 24


def test_the_slope_has_the_bits_of_the_judgement_and_is_that_of_the_lowest_version(tiny):
    """Of a linear network, the slope of a shifted version is the shifted weights, whatever the image."""
    target = surviving(tiny, ("shift1",))
    judge, image = Judge(target, JudgeSettings(1)), from_levels(noise(1, 1, 6, 6))
    slope = judge.slope(image, lambda outputs: outputs.logits[:, 0])
    assert torch.equal(slope.outputs.logits, judge.judge(image).logits)
    versions = [image, shift(image, 1)]
    odds = [log_odds(tiny.judge(version).logits)[0, 0] for version in versions]
    lowest = versions[int(torch.stack(odds).argmin())].clone().requires_grad_()
    (own,) = torch.autograd.grad(log_odds(tiny.judge(lowest).logits)[0, 0], lowest)
    if int(torch.stack(odds).argmin()):
        leaf = image.clone().requires_grad_()
        (own,) = torch.autograd.grad((shift(leaf, 1) * own).sum(), leaf)
    torch.testing.assert_close(slope.gradient, own)


def test_jpeg_lets_the_slope_straight_through(tiny):
    image = from_levels(noise(1, 1, 6, 6))
    only = Surviving(tiny, parse_transforms(["jpeg10"]))
    leaf = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(only.judge(leaf).logits.sum(), leaf)
    assert gradient.abs().sum() > 0


def test_a_gradient_search_reaches_what_survives():
    """Reach: ascend against JPEG and a shift gets every class to 99.99 % after each, and the images show it."""
    plain = curved(1, 12, 12, 4)
    target = surviving(plain, ("jpeg75", "shift1"))
    archive, _ = finish(ascend, contest_on(target, 4), group_plan(target, 4, generations=60))
    assert bool((archive.elites.value >= level_odds(0.9999)).all())


# In runs.

METHODS = ("pixels-evolve", "cppn-evolve")


def audited(target, out, **changes):
    fixed = {"methods": METHODS, "budget": 400, "confidence": None, "out": out}
    with audit_session(AuditSettings(target.name, **{**fixed, **changes}), target) as session:
        for _ in session:
            pass
        return session.finish()


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    return audited(tiny, tmp_path_factory.mktemp("survival") / "run", pipeline="crop90+jpeg75")


def test_every_kept_image_of_an_audit_is_judged_after_every_transform(run, tiny):
    found = run.survival()
    names = [*TRANSFORMS, "crop90+jpeg75"]
    kept = [(record, item) for record in run.classes for item in record.kept()]
    assert len(found) == len(kept) * len(names)
    for record, item in kept:
        column = tiny.labels.index(item.label)
        for name in names:
            image = parse_transform(name).apply(item.levels.unsqueeze(0))
            odds = log_odds(tiny.judge(from_levels(image)).logits)[0, column]
            stored = found[record.search, record.niche, item.level or 0.0, name]
            assert stored == pytest.approx(float(odds), abs=1e-4)


def test_counts_are_of_distinct_images_that_reach_the_level(run):
    found, rows = run.survival(), counted(run)
    assert {row.method for row in rows} == set(METHODS)
    assert {row.level for row in rows} == {0.5, 0.9, 0.99, 0.9999}
    for row in rows:
        images = {
            (record.niche, item.candidate): found[record.search, record.niche, item.level or 0.0, row.transform]
            for record in run.classes
            if record.method == row.method
            for item in record.kept()
            if item.log_odds >= level_odds(row.level)
        }
        assert row.of == len(images)
        assert row.still == sum(odds >= level_odds(row.level) for odds in images.values())
    assert any(0 < row.still < row.of for row in rows)


def test_results_say_it_and_verification_still_passes(tmp_path, capsys):
    run = trompe.audit("softmax-mnist", methods=("pixels-squares",), classes=("3",), out=tmp_path / "run")
    published = json.loads((run.folder / "results.json").read_text())["survival"]
    assert published == [vars(row) for row in counted(run)]
    assert trompe.verify(run.folder).passed
    words = ["--resume", "--methods", "pixels-squares", "--classes", "3", "--out", str(run.folder)]
    assert main(["audit", "softmax-mnist", *words]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("survive"))
    row = next(row for row in counted(run) if row.level == 0.99 and row.transform == "jpeg95")
    assert line.startswith(f"survive    pixels-squares at 99 %: jpeg95 {row.still} of {row.of}, ")


def test_survival_is_no_part_of_what_a_run_promises_to_repeat(run, tiny, tmp_path):
    without = audited(tiny, tmp_path / "run", survival=False)
    assert without.survival() == {}
    assert "survival" not in json.loads((without.folder / "results.json").read_text())
    assert [r.strongest.candidate for r in without.classes] == [r.strongest.candidate for r in run.classes]
    plain = audited(tiny, tmp_path / "plain")
    assert "survival" not in plain.about.settings  # a run of before there was such a setting repeats to its digest
    assert "survive" not in plain.about.settings


def test_fool_does_not_measure_it(tiny, tmp_path):
    run = fool_with(FoolSettings(tiny.name, generations=1, confidence=None, out=tmp_path / "run"), tiny)
    assert run.survival() == {}
    assert counted(run) == []


def test_the_page_has_the_table(tmp_path):
    run = trompe.audit("softmax-mnist", methods=("pixels-squares",), classes=("3",), out=tmp_path / "run")
    page = trompe.report(run.folder).read_text(encoding="utf-8")
    row = next(row for row in counted(run) if row.level == 0.99 and row.transform == "jpeg75")
    assert '<th scope="col">jpeg75</th>' in page
    assert f"<td>{row.still} of {row.of}</td>" in page
    assert "not tried on these images" not in page


def test_a_run_that_searches_for_what_survives(tmp_path):
    """Its log-odds are those of the worst version; it verifies, repeats, and is resumed by the same settings alone."""
    run = trompe.fool(
        "softmax-mnist", by="squares", classes=("3", "8"), survive=("jpeg75,shift1",), out=tmp_path / "run"
    )
    plain = trompe.load_target("softmax-mnist")
    for record in run.classes:
        image = record.strongest.levels.unsqueeze(0)
        column = plain.labels.index(record.label)
        versions = torch.cat([image, jpeg(image, 75), shift(image, 1)])
        odds = log_odds(plain.judge(from_levels(versions)).logits)[:, column]
        assert record.strongest.log_odds == pytest.approx(float(odds.min()), abs=1e-3)
    assert run.about.target["survive"] == ["jpeg75", "shift1"]
    assert run.searches[0].forwards == 3 * 2 * run.steps()[-1]["number"] + 6
    assert as_recorded(plain, run.about.target).fingerprint() == run.about.target["fingerprint"]
    assert trompe.verify(run.folder).passed
    assert trompe.rerun(run.folder, out=tmp_path / "again").same
    assert "--survive jpeg75,shift1" in trompe.report(run.folder).read_text(encoding="utf-8")
    with pytest.raises(trompe.TrompeError, match="--survive"):
        trompe.fool("softmax-mnist", by="squares", classes=("3", "8"), out=run.folder, resume=True)


@pytest.mark.parametrize("engine", [None, "onnxruntime", "openvino"])
def test_versions_in_any_engine(engine, tmp_path):
    pytest.importorskip(engine or "torch")
    run = trompe.fool("softmax-mnist", by="squares", classes=("3",), survive=("jpeg75",), engine=engine,
                      out=tmp_path / "run")  # fmt: skip
    plain = trompe.load_target("softmax-mnist")
    image = run["3"].strongest.levels.unsqueeze(0)
    odds = log_odds(plain.judge(from_levels(torch.cat([image, jpeg(image, 75)]))).logits)[:, 3]
    assert run["3"].strongest.log_odds == pytest.approx(float(odds.min()), abs=1e-3)
    assert trompe.verify(run.folder).passed
    assert run.about.judge["engine"] == (engine or "torch")


def test_an_audit_measures_the_survival_of_images_for_the_plain_target(tiny, tmp_path):
    run = audited(tiny, tmp_path / "run", survive=("shift1",), methods=("pixels-evolve",))
    for record in run.classes:
        odds = run.survival()[record.search, record.niche, 0.0, "shift1"]
        assert odds >= record.strongest.log_odds  # which is the lower of the image itself and this


def test_unknown_names_are_refused_before_anything_is_written(tiny, tmp_path):
    with pytest.raises(BadInput, match="got 'blur'"):
        fool_with(FoolSettings("tiny", survive=("blur",), out=tmp_path / "run"), tiny)
    with pytest.raises(BadInput, match="got 'blur'"):
        audit_session(AuditSettings("tiny", pipeline="blur", out=tmp_path / "run"), tiny)
    assert not (tmp_path / "run").exists()
