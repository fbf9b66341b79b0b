"""The line to a server: who allowed it, how fast, how often, how long, and never elsewhere. No network is needed."""

import builtins
import os
import sys
from datetime import UTC, datetime

import httpx
import pytest
from servers import Inference, busy, serve
from tiny import TINY_LABELS

from trompe.core.errors import BadInput, TargetError
from trompe.targets import Declaration, Request
from trompe.targets.access import Access, Meter
from trompe.targets.address import read_address
from trompe.targets.endpoint import open_endpoint
from trompe.targets.jsonpath import find, read_path
from trompe.targets.pacing import Clock, asked_wait, back_off
from trompe.targets.transport import MOST_ERRORS, Body, Line

FAR = "https://far.example/v2/models/tiny"
IMAGE = Body(b"image", {}, 1)


class Told(Clock):
    """A clock that jumps."""

    def __init__(self):
        super().__init__()
        self.time, self.slept = 0.0, []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds


def line(handler, url="https://far.example/score", limit=None, **request):
    return Line(
        read_address(url), Request(**request), Meter(limit), {"X-Api-Key": "abracadabra"}, "run-7",
        httpx.MockTransport(handler), Told(),
    )  # fmt: skip


def replies(*answers):
    """A server that gives these answers in turn, the last one for ever."""
    seen = []

    def handler(request):
        seen.append(request)
        status, headers = answers[min(len(seen), len(answers)) - 1]
        return httpx.Response(status, headers=headers, json={})

    handler.seen = seen
    return handler


OK = (200, {})


def test_a_remote_target_needs_somebody_who_allowed_it_and_a_limit():
    allowed = Declaration(request=Request(authorized="Ada, owner"))
    with pytest.raises(TargetError, match=r'expected the word of whoever may allow it.*authorized = "WHO, WHY"'):
        open_endpoint(FAR, Declaration(), Access(limit=9), wire=httpx.MockTransport(_never))
    with pytest.raises(TargetError, match=r"expected a limit to what is sent.*--max-queries"):
        open_endpoint(FAR, allowed, Access(), wire=httpx.MockTransport(_never))
    wire = httpx.MockTransport(_as_server(Inference()))
    assert open_endpoint(FAR, allowed, Access(limit=9), wire=wire).labels == TINY_LABELS
    assert open_endpoint(FAR, allowed, Access(budget=True), wire=wire).labels == TINY_LABELS


def _never(request):
    raise AssertionError("asked")


def _as_server(app):
    def handler(request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, said, content = app(request.method, request.url.path, headers, request.content)
        return httpx.Response(status, headers=said, content=content)

    return handler


@pytest.mark.parametrize(
    ("url", "loopback"),
    [("http://localhost:1/x", True), ("http://127.8.0.1/x", True), ("http://[::1]:80/x", True),
     ("http://0.0.0.0/x", False), ("http://127.0.0.1.example/x", False), ("http://localhost.example/x", False)],
)  # fmt: skip
def test_this_machine_is_told_from_others(url, loopback):
    assert read_address(url).loopback is loopback


@pytest.mark.parametrize(
    "url",
    ["https://ada:hunter2@far.example/x", "https://hunter2@far.example/x", "https://far.example/x?token=hunter2",
     "https://far.example/x?a=1&API_KEY=hunter2", "https://far.example/x?sig=hunter2", "http://far.example/x#hunter2"],
)  # fmt: skip
def test_a_url_with_a_secret_is_refused_without_repeating_it(url):
    with pytest.raises(TargetError, match="--header NAME=VARIABLE") as found:
        open_endpoint(url, Declaration())
    assert "hunter2" not in str(found.value)


def test_a_harmless_query_is_kept():
    assert read_address("http://h/x?version=2").url == "http://h/x?version=2"


@pytest.mark.parametrize("url", ["ftp://h/x", "http:///x", "http://h:99999/x", "http://h/a b"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(TargetError, match="expected an http or https URL"):
        read_address(url)


def test_the_server_sees_who_asks():
    handler = replies(OK)
    line(handler).post(IMAGE)
    from importlib.metadata import version

    assert handler.seen[0].headers["user-agent"] == f"trompe/{version('trompe')} run/run-7"
    assert handler.seen[0].headers["x-api-key"] == "abracadabra"


def test_five_requests_a_second_and_more_only_where_declared():
    for declared, gap in ((None, 0.2), (50.0, 0.02)):
        far = line(replies(OK), rate=declared)
        for _ in range(11):
            far.post(IMAGE)
        assert far.clock.now() == pytest.approx(10 * gap)
    near = line(replies(OK), url="http://localhost/score")
    near.post(IMAGE)
    near.post(IMAGE)
    assert near.clock.now() == 0.0
    slow = line(replies(OK), url="http://localhost/score", rate=2.0)
    slow.post(IMAGE)
    slow.post(IMAGE)
    assert slow.clock.now() == 0.5


def test_no_more_requests_are_under_way_than_declared():
    import time

    def app(method, path, headers, body):
        time.sleep(0.03)
        return 200, {}, body

    for most in (1, 2, 3):
        with serve(app) as server:
            near = Line(read_address(server.url), Request(concurrency=most), Meter())
            answers = near.post_all([Body(bytes([65 + i]), {}, 1) for i in range(9)])
            assert [answer.content for answer in answers] == [bytes([65 + i]) for i in range(9)]
            assert server.most_at_once == most


def test_retry_after_is_obeyed_and_every_attempt_is_counted():
    far = line(replies((429, {"Retry-After": "7"}), (503, {"Retry-After": "11"}), OK), rate=1000.0)
    assert far.post(IMAGE).good
    assert [seconds for seconds in far.clock.slept if seconds > 1] == [7.0, 11.0]
    assert far.meter.sent == 3


def test_a_date_in_retry_after_is_obeyed():
    today = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert asked_wait("Fri, 02 Jan 2026 03:05:00 GMT", today) == 55.0
    assert asked_wait("Fri, 02 Jan 2026 03:00:00 GMT", today) == 0.0
    assert asked_wait("", today) is None


def test_without_retry_after_waiting_doubles():
    far = line(replies((429, {}), (429, {}), (429, {}), OK), rate=1000.0)
    far.post(IMAGE)
    assert [seconds for seconds in far.clock.slept if seconds > 0.1] == [0.5, 1.0, 2.0]
    assert back_off(3, near=True) < 0.2 < back_off(3, near=False)


def test_a_server_that_wants_to_be_left_alone_for_long_is():
    with pytest.raises(TargetError, match=r"left alone for 3,600 s.*--resume"):
        line(replies((429, {"Retry-After": "3600"}))).post(IMAGE)


def test_a_busy_server_is_asked_again_only_so_often():
    handler = replies((429, {}))
    far = line(handler, retries=2)
    with pytest.raises(TargetError, match="got 429"):
        far.post(IMAGE)
    assert len(handler.seen) == far.meter.sent == 3


def test_it_stops_after_20_server_errors_in_a_row():
    assert MOST_ERRORS == 20
    handler = replies(*[(500, {})] * 19, OK)
    far = line(handler)
    assert far.post(IMAGE).good
    assert far.meter.sent == 20
    handler = replies(*[(503, {})] * 19, OK, *[(502, {})] * 30)
    far = line(handler)
    far.post(IMAGE)  # a good answer begins the count anew
    with pytest.raises(TargetError, match="20 server errors in a row"):
        far.post(IMAGE)
    assert len(handler.seen) == far.meter.sent == 40


def test_other_refusals_are_not_repeated_and_show_no_secret():
    far = line(lambda _: httpx.Response(403, json={"error": "abracadabra is no key"}))
    with pytest.raises(TargetError, match=r"got 403.*\[secret\] is no key") as found:
        far.post(IMAGE)
    assert "abracadabra" not in str(found.value) + repr(far)
    assert far.meter.sent == 1


@pytest.mark.parametrize("place", ["https://other.example/x", "http://far.example/x", "//other.example/x"])
def test_a_redirect_to_another_host_is_not_followed(place):
    handler = replies((307, {"Location": place}), OK)
    with pytest.raises(TargetError, match="got a redirect to"):
        line(handler).post(IMAGE)
    assert len(handler.seen) == 1


def test_a_redirect_on_the_same_host_is_followed_and_counted():
    handler = replies((308, {"Location": "/score/"}), OK)
    far = line(handler)
    assert far.post(IMAGE).good
    assert [request.url.path for request in handler.seen] == ["/score", "/score/"]
    assert handler.seen[1].content == b"image"
    assert far.meter.sent == 2
    with pytest.raises(TargetError, match="does not take the image along"):
        line(replies((302, {"Location": "/score/"}))).post(IMAGE)
    with pytest.raises(TargetError, match="redirects"):
        line(replies((307, {"Location": "/score"}))).post(IMAGE)


def test_the_limit_is_never_passed_by_one():
    handler = replies(OK)
    far = line(handler, limit=3)
    for _ in range(3):
        far.post(IMAGE)
    with pytest.raises(TargetError, match=r"expected at most 3 rows.*got 3 sent and 1 more"):
        far.post(IMAGE)
    with pytest.raises(TargetError, match="--max-queries"):
        line(handler, limit=3).post_all([IMAGE] * 4)  # none of these is sent
    assert len(handler.seen) == 3
    retried = replies((503, {}))
    with pytest.raises(TargetError, match="--max-queries"):
        line(retried, limit=3).post(IMAGE)
    assert len(retried.seen) == 3


def test_every_row_is_written_down_before_it_is_sent():
    noted = []
    meter = Meter(None, 4)
    meter.keep(noted.append)
    far = line(lambda _: httpx.Response(200, json={"noted": list(noted)}))
    far.meter = meter
    assert b"7" in far.post(Body(b"", {}, 3)).content
    assert noted == [4, 7]


def test_what_could_not_be_sent_is_not_counted():
    def refused(request):
        raise httpx.ConnectError("refused")

    far = line(refused, retries=1)
    with pytest.raises(TargetError, match="no connection"):
        far.post(IMAGE)
    assert far.meter.sent == 0


def test_a_broken_connection_is_tried_again_and_counted():
    seen = []

    def broken(request):
        seen.append(1)
        if len(seen) < 3:
            raise httpx.ReadError("reset by peer")
        return httpx.Response(200)

    far = line(broken)
    assert far.post(IMAGE).good
    assert far.meter.sent == 3


def test_an_answer_without_end_is_refused():
    def endless():
        while True:
            yield bytes(2**20)

    with pytest.raises(TargetError, match="more than 67,108,864 bytes"):
        line(lambda _: httpx.Response(200, content=endless())).post(IMAGE)


def test_one_that_dribbles_is_late():
    far = line(lambda _: httpx.Response(200, content=slowly()), retries=0, timeout=3.0)

    def slowly():
        while True:
            far.clock.time += 1.0
            yield b"."

    with pytest.raises(TargetError, match="none within 3 s"):
        far.post(IMAGE)


def test_a_header_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("MY_KEY", "abracadabra")
    seen, noted = [], []
    app = Inference()

    def handler(request):
        seen.append(request.headers["x-key"])
        noted.append(request.headers.get("x-note"))
        return _as_server(app)(request)

    declared = Declaration(request=Request(headers={"X-Key": "env:MY_KEY", "X-Note": "hello"}))
    url = "http://localhost/v2/models/tiny"
    open_endpoint(url, declared, wire=httpx.MockTransport(handler))
    open_endpoint(url, Declaration(), Access(headers={"X-Key": "env:MY_KEY"}), wire=httpx.MockTransport(handler))
    assert set(seen) == {"abracadabra"}
    assert noted == ["hello", "hello", None, None]
    monkeypatch.setenv("MY_KEY", "abracadabra\n")
    with pytest.raises(TargetError, match="header X-Key: expected an environment variable") as found:
        open_endpoint(url, declared)
    assert "abracadabra" not in str(found.value)
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(TargetError, match="got one that is not set"):
        open_endpoint(url, declared)


@pytest.mark.parametrize("headers", [{"X-Note": "two\nlines"}, {"X Note": "a"}, {"X-Note": "π"}])
def test_headers_that_cannot_be_sent_are_refused(headers):
    with pytest.raises(BadInput, match="headers of plain letters"):
        Request(headers=headers)


def test_a_host_that_cannot_be_is_refused():
    with pytest.raises(TargetError, match="expected"):
        Line(read_address("http://a..b/x"), Request(retries=0), Meter()).post(IMAGE)


@pytest.mark.parametrize("header", ["Authorization", "X-Access-Token", "Ocp-Apim-Subscription-Key", "X-Secret"])
def test_a_secret_in_a_file_is_refused(header):
    with pytest.raises(BadInput, match="env:NAME") as found:
        Request(headers={header: "abracadabra"})
    assert "abracadabra" not in str(found.value)


def test_without_httpx_the_extra_is_named(monkeypatch):
    imported = builtins.__import__

    def without(name, *rest):
        if name == "httpx":
            raise ImportError("No module named 'httpx'")
        return imported(name, *rest)

    monkeypatch.delitem(sys.modules, "httpx")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TargetError, match=r"pip install 'trompe\[http\]'"):
        open_endpoint("http://localhost/v2/models/tiny", Declaration())


def test_no_proxy_is_asked_for_this_machine(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serve(Inference()) as server:
        assert open_endpoint(f"{server.url}/v2/models/tiny", Declaration()).labels == TINY_LABELS
    assert os.environ["HTTP_PROXY"]


@pytest.mark.parametrize(
    ("path", "found"),
    [("$.a", [[{"b": 1}, {"b": 2}]]), ("$.a[*].b", [1, 2]), ("$.a[-1].b", [2]), ("$['x.y']", [3]), ("$", None),
     ("$.a[7]", []), ("$.none.b", []), ("$.z.*", [4, 5])],
)  # fmt: skip
def test_a_path_finds_what_it_says(path, found):
    document = {"a": [{"b": 1}, {"b": 2}], "x.y": 3, "z": {"p": 4, "q": 5}}
    assert find(read_path(path, "scores"), document) == ([document] if found is None else found)


@pytest.mark.parametrize("path", ["", "a", "$a", "$.", "$..a", "$[", "$[a]", "$.a[0", "$.a b]", "$[?(@.x)]"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(BadInput, match="expected a path like"):
        read_path(path, "scores")


def test_a_busy_server_on_this_machine_is_waited_for():
    waits = iter([busy(), busy(), (200, {}, b"{}")])
    with serve(lambda *_: next(waits)) as server:
        near = Line(read_address(server.url), Request(), Meter())
        assert near.post(IMAGE).good
        assert near.meter.sent == server.posts == 3
