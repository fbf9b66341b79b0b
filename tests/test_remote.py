"""Targets behind a URL: what is sent is what would be saved, what comes back is judged, and little is enough."""

import base64
import json
import math
import re
import tomllib
from dataclasses import replace
from email.parser import BytesParser
from pathlib import Path

import pytest
import torch
from PIL import Image
from servers import Faulty, Inference, Scores, fewer, html, nan, serve
from tiny import TINY_LABELS, TINY_SPEC, make_tiny_target

from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import log_odds, to_levels
from trompe.core.specs import ImageSpec
from trompe.targets import Declaration, Preprocessing, Request, load_target
from trompe.targets.declaration import parse_declaration
from trompe.targets.json_endpoint import encode
from trompe.testing import examine_target

PREDICTIONS = {"scores": "$.predictions[*].score", "names": "$.predictions[*].label"}
FORM = Request(send="multipart", name="file", **PREDICTIONS)
BASE64 = Request(send="base64", name="image", scores="$.all")
NUMBERS = Request(send="json", name="instances[]", scores="$.all")


def images(n=5, shape=(1, 6, 6)):
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(1)).float() / 255.0


def declared(request, **values):
    return Declaration(shape=TINY_SPEC.shape, labels=TINY_LABELS, request=request, **values)


def served(server, **values):
    return load_target(f"{server.url}/v2/models/tiny", Declaration(**values))


def same(target, batch, tolerance=1e-5):
    wanted = log_odds(torch.cat([make_tiny_target().judge(image.unsqueeze(0)).logits for image in batch]))
    assert torch.allclose(log_odds(target.judge(batch).logits), wanted, atol=tolerance)


@pytest.mark.parametrize(
    "app",
    [Inference(), Inference(shape=(-1, 6, 6, 1)), Inference(shape=(-1, 36)), Inference(shape=(1, 1, 6, 6)),
     Inference(shape=(-1, 6, 6)), Inference(datatype="UINT8"), Inference(datatype="FP64"), Inference(output="probs")],
)  # fmt: skip
def test_an_inference_server_says_itself_what_it_takes(app):
    for binary in (True, False):
        with serve(replace(app, binary=binary)) as server:
            target = served(server)
            assert (target.name, target.labels, target.spec) == ("tiny", TINY_LABELS, TINY_SPEC)
            same(target, images())
            told = [headers.get("inference-header-content-length") for _, _, headers, _ in server.asked]
            assert [length is not None for length in told] == [False, True, *[binary] * (len(told) - 2)]
            assert target.line.meter.sent == server.posts == (6 if binary else 7)


@pytest.mark.parametrize("refusal", [400, 415, 422, 500])
def test_json_is_the_fallback_whatever_the_server_calls_bytes(refusal):
    with serve(Inference(binary=False, refusal=refusal)) as server:
        same(served(server), images())
        assert server.posts == 7


def test_bytes_and_json_are_the_same_answer():
    with serve(Inference()) as one, serve(Inference(binary=False)) as other:
        assert torch.equal(served(one).judge(images()).logits, served(other).judge(images()).logits)


def test_a_shape_that_varies_must_be_declared():
    with serve(Inference(shape=(-1, 1, -1, -1))) as server:
        with pytest.raises(TargetError, match="expected the shape of its images"):
            served(server)
        same(served(server, shape=(1, 6, 6)), images())
        with pytest.raises(TargetError, match=r"got 400: .*is invalid for input of size 42"):
            served(server, shape=(1, 6, 7))


def test_requests_hold_as_many_images_as_declared_and_the_last_is_filled_up():
    with serve(Inference()) as server:
        target = served(server, request=Request(batch=3))
        assert target.line.batch == 3
        sent = target.line.meter.sent
        same(target, images(7))
        assert target.line.meter.sent - sent == 9
        shapes = [json.loads(body[: body.index(b"}}]") + 3] + b"}")["inputs"][0]["shape"] for body in server.bodies]
        assert {tuple(shape) for shape in shapes} == {(3, 1, 6, 6)}


def test_a_model_of_a_fixed_or_a_greatest_number_of_images_gets_no_more():
    with serve(Inference(shape=(4, 1, 6, 6))) as server:
        target = served(server)
        assert target.line.batch == 4
        same(target, images(6))

    def triton(method, path, headers, body):
        if path.endswith("/config"):
            return 200, {}, b'{"max_batch_size": 2}'
        return Inference()(method, path, headers, body)

    with serve(triton) as server:
        assert served(server, request=Request(batch=8)).line.batch == 2


def test_declared_labels_go_before_those_of_the_server():
    with serve(Inference(labels=())) as server:
        assert served(server).labels == ("0", "1", "2", "3")
        assert served(server, labels=("a", "b", "c", "d")).labels == ("a", "b", "c", "d")
        with pytest.raises(TargetError, match="4 labels, one an output; got 2"):
            served(server, labels=("a", "b"))


def test_the_fingerprint_is_of_url_metadata_and_declaration():
    with serve(Inference()) as one, serve(Inference(version="2")) as other, serve(Inference()) as third:
        prints = [served(server).fingerprint() for server in (one, other, third)]
        prints.append(served(one, abstain="west").fingerprint())
        prints.append(served(one, request=Request(batch=2)).fingerprint())
        assert len(set(prints)) == 5
        assert served(one).fingerprint() == prints[0]
        assert served(one, request=Request(timeout=9.0, headers={"X-Note": "hello"})).fingerprint() == prints[0]


def test_a_version_in_the_url_and_the_whole_path_of_inference_are_understood():
    def app(method, path, headers, body):
        return Inference()(method, path.replace("/versions/3", ""), headers, body)

    with serve(app) as server:
        for path in ("/v2/models/tiny/versions/3", "/v2/models/tiny/infer", "/v2/models/tiny/"):
            same(load_target(server.url + path), images(2))
    assert {path for _, path, _, _ in server.asked} == {
        "/v2/models/tiny/versions/3", "/v2/models/tiny/versions/3/infer", "/v2/models/tiny", "/v2/models/tiny/infer",
    }  # fmt: skip


def test_a_model_that_gives_classes_only_is_refused_in_one_sentence():
    with serve(LabelTensor()) as server, pytest.raises(TargetError, match=r"says nothing of certainty.*predict_proba"):
        served(server)

    def change(document):
        return {"outputs": [{**document["outputs"][0], "datatype": "INT64"}]}

    with serve(Inference(binary=False, change=change)) as server, pytest.raises(TargetError, match="nothing of certai"):
        served(server)


class LabelTensor(Inference):
    def metadata(self):
        return {**super().metadata(), "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1]}]}


def test_one_of_several_outputs_is_named():
    class Two(Inference):
        def metadata(self):
            found = super().metadata()
            return {
                **found,
                "outputs": [{"name": "embedding", "datatype": "FP32", "shape": [-1, 9]}, *found["outputs"]],
            }

    with serve(Two()) as server:
        with pytest.raises(TargetError, match="one output; got 2: embedding, logits"):
            served(server)
        same(served(server, request=Request(scores="logits")), images())


def test_a_server_that_says_nothing_of_its_model_is_told_everything():
    class Silent(Inference):
        def metadata(self):
            return {"name": "tiny"}

    with serve(Silent()) as server:
        same(served(server, shape=(1, 6, 6), labels=TINY_LABELS, request=Request(name="pixels")), images())


@pytest.mark.parametrize(
    ("url", "said"), [("/v2/models/other", r"got 404: .*no such thing"), ("/elsewhere", "where the scores are")]
)
def test_a_wrong_url_is_said(url, said):
    with serve(Inference()) as server, pytest.raises(TargetError, match=said):
        load_target(server.url + url)


def test_a_model_of_two_inputs_or_of_text_is_refused():
    class Two(Inference):
        def metadata(self):
            found = super().metadata()
            return {**found, "inputs": found["inputs"] * 2}

    with serve(Two()) as server, pytest.raises(TargetError, match="one input; got 2"):
        served(server)
    with serve(Inference(datatype="BYTES")) as server, pytest.raises(TargetError, match="an input of FP32"):
        served(server)


def test_numbers_of_another_kind_than_the_model_takes_are_refused():
    with serve(Inference(datatype="UINT8")) as server, pytest.raises(TargetError, match='dtype = "uint8"'):
        served(server, preprocessing=Preprocessing(mean=(0.5,)))


@pytest.mark.parametrize("request_", [FORM, BASE64, NUMBERS, replace(BASE64, name="image", scores="$['all']")])
def test_any_json_endpoint_is_asked_by_template(request_):
    with serve(Scores()) as server:
        target = load_target(f"{server.url}/score", declared(request_))
        same(target, images())
        assert target.line.meter.sent == server.posts == 6


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_sent_is_the_file_that_would_be_saved(tmp_path, channels):
    spec = ImageSpec(channels, 7, 5)
    image = images(1, spec.shape)[0]
    levels = to_levels(image.unsqueeze(0))[0]
    spec.write(tmp_path / "with.png", levels, "made to be labelled 8")
    spec.write(tmp_path / "without.png", levels, "")
    assert encode(image, "png") == (tmp_path / "without.png").read_bytes()
    saved = _chunks((tmp_path / "with.png").read_bytes())
    assert _chunks(encode(image, "png")) == [chunk for chunk in saved if not chunk.startswith(b"iTXt")]
    assert len(saved) == len(_chunks(encode(image, "png"))) + 1


def _chunks(content):
    found, place = [], 8
    while place < len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        found.append(content[place + 4 : place + 12 + size])
        place += 12 + size
    return found


def test_the_very_bytes_arrive():
    image = images(1)
    with serve(Scores()) as server:
        load_target(f"{server.url}/x", declared(FORM)).judge(image)
        load_target(f"{server.url}/x", declared(BASE64)).judge(image)
        kind = next(headers["content-type"] for _, _, headers, _ in server.asked[1:])
        form = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + server.bodies[1]).get_payload()[0]
        assert form.get_filename() == "image.png"
        assert form.get_content_type() == "image/png"
        assert form.get_payload(decode=True) == encode(image[0], "png")
        assert base64.b64decode(json.loads(server.bodies[3])["image"]) == encode(image[0], "png")


def test_jpeg_is_lossy_and_said_to_be(tmp_path):
    with serve(Scores()) as server:
        target = load_target(f"{server.url}/x", declared(replace(BASE64, encode="jpeg")))
        assert any("JPEG" in note and "lost" in note for note in target.notes)
        target.judge(images(1))
        (tmp_path / "image.jpg").write_bytes(base64.b64decode(json.loads(server.bodies[-1])["image"]))
    with Image.open(tmp_path / "image.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "L", (6, 6))


def test_of_the_top_three_rounded_to_three_decimals_the_rest_is_bounded():
    with serve(Scores(top=3, decimals=3)) as server:
        target = load_target(f"{server.url}/x", declared(FORM, floor=0.0005))
        got, exact = target.judge(images(50)).logits.exp(), make_tiny_target().judge(images(50)).logits.softmax(1)
    least = exact.argmin(1, keepdim=True)
    assert torch.allclose(got.scatter(1, least, 0.0), exact.double().scatter(1, least, 0.0), atol=6e-4)
    assert bool((got.gather(1, least) <= got.sort(1).values[:, 1:2] + 1e-12).all())
    assert bool((got.gather(1, least) >= 0.0005 - 1e-12).all())


def test_the_ceiling_of_rounded_scores_is_seen_and_said():
    def sure(*_):
        return 200, {}, b'{"predictions": [{"label": "north", "score": 1.0}, {"label": "east", "score": 0.0}]}'

    with serve(sure) as server:
        target = load_target(f"{server.url}/x", declared(FORM, floor=0.0005))
        odds = log_odds(target.judge(images(1)).logits)[0]
    ceiling = target.declared.reading.ceiling(4)
    assert odds[0].item() == pytest.approx(ceiling) == pytest.approx(-math.log(0.0015))
    assert target.notes == (
        "no confidence above 99.8 % can be seen: the target's scores tell no probability below 0.0005 from 0",
    )


@pytest.mark.parametrize("request_", [replace(FORM, scores="$.label", names=""), FORM])
def test_a_server_that_gives_labels_only_is_refused_in_one_sentence(request_):
    with serve(Scores(alone=True)) as server, pytest.raises(TargetError) as found:
        load_target(f"{server.url}/x", declared(request_))
    assert "A label without a score says nothing of certainty" in str(found.value)
    assert "\n" not in str(found.value)


def test_scores_by_label_need_no_names():
    def by_label(*_):
        return 200, {}, b'{"scores": {"west": 0.5, "north": 0.25, "east": 0.25, "south": 0.0}}'

    with serve(by_label) as server:
        target = load_target(f"{server.url}/x", declared(replace(BASE64, scores="$.scores")))
        assert target.judge(images(1)).logits.exp()[0].tolist() == pytest.approx([0.25, 0.25, 0.0, 0.5])


@pytest.mark.parametrize(
    ("change", "said"),
    [({"shape": None}, "the shape of its images"), ({"labels": ()}, "all labels"),
     ({"preprocessing": Preprocessing(mean=(0.5,))}, "no preprocessing where an image file is sent"),
     ({"shape": (4, 6, 6)}, "1 or 3 channels"), ({"request": replace(FORM, scores="")}, "where the scores are"),
     ({"request": replace(FORM, scores="scores")}, "a path like"),
     ({"request": replace(FORM, names="$.predictions[0].label")}, "a label of its own for every score"),
     ({"labels": ("a", "b", "c", "d")}, "labels among the declared ones")],
)  # fmt: skip
def test_a_template_that_cannot_work_is_refused(change, said):
    with serve(Scores()) as server, pytest.raises((TargetError, BadInput), match=said):
        load_target(f"{server.url}/x", replace(declared(FORM), **change))


@pytest.mark.parametrize("fault", [html, nan, fewer])
@pytest.mark.parametrize("path", ["/v2/models/tiny", "/score"])
def test_answers_that_are_none_are_refused_in_one_line(fault, path):
    app = Inference(binary=False) if path.startswith("/v2") else Scores()
    with serve(Faulty(app, fault, after=2)) as server:
        target = load_target(server.url + path, declared(replace(FORM, name="file") if path == "/score" else Request()))
        from trompe.search import Judge, JudgeSettings

        with pytest.raises(TargetError) as found:
            Judge(target, JudgeSettings(1, engine="remote")).judge(images(3))
    assert "\n" not in str(found.value)


def test_a_target_file_is_all_it_takes(tmp_path):
    with serve(Scores(top=3, decimals=3)) as server:
        (tmp_path / "shop.toml").write_text(
            f'model = "{server.url}/classify"\nshape = [1, 6, 6]\nfloor = 0.0005\n'
            'labels = ["north", "east", "south", "west"]\n[request]\nsend = "multipart"\nname = "file"\n'
            'scores = "$.predictions[*].score"\nnames = "$.predictions[*].label"\n'
        )
        target = load_target(tmp_path / "shop.toml")
        assert (target.name, target.labels) == ("shop", TINY_LABELS)


def test_the_target_files_in_the_documentation_are_ones():
    text = (Path(__file__).parent.parent / "docs" / "targets.md").read_text(encoding="utf-8")
    files = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(files) >= 3
    for content in files:
        assert parse_declaration(tomllib.loads(content), "docs/targets.md").model


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("app", "path", "request_"),
    [(Inference(), "/v2/models/tiny", Request()), (Inference(binary=False), "/v2/models/tiny", Request()),
     (Inference(), "/v2/models/tiny", Request(batch=4)),
     (Scores(), "/score", FORM), (Scores(), "/score", BASE64), (Scores(), "/score", NUMBERS),
     (Scores(3, 3), "/score", FORM), (Scores(), "/score", replace(BASE64, encode="jpeg"))],
)  # fmt: skip
def test_remote_targets_conform(app, path, request_):
    with serve(app) as server:
        report = examine_target(load_target(server.url + path, declared(request_)))
    assert report.conforms, str(report)
    assert [line.split(":")[0] for line in report.skipped] == ["mode", "calls", "weights", "gradient"]
