"""Servers on this machine to fool: honest ones in several languages, and ones that fail in every way we know of."""

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy
import torch
from PIL import Image
from tiny import TINY_LABELS, make_tiny_target

Reply = tuple[int, Mapping[str, str], bytes]
App = Callable[[str, str, Mapping[str, str], bytes], Reply]
MODEL = make_tiny_target().module  # made once: making it draws from the randomness that tests watch
LENGTH = "inference-header-content-length"


@dataclass
class Server:
    """A server under way: where it is and what it was asked."""

    url: str
    asked: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)
    most_at_once: int = 0

    @property
    def posts(self) -> int:
        return sum(method == "POST" for method, *_ in self.asked)

    @property
    def bodies(self) -> list[bytes]:
        return [body for method, _, _, body in self.asked if method == "POST"]


@contextmanager
def serve(app: App) -> Iterator[Server]:
    """A server on a free port of this machine, for as long as the block lasts."""
    state, lock, now = Server(""), threading.Lock(), [0]
    lines: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # two small writes would wait 40 ms for an acknowledgement

        def setup(self) -> None:
            super().setup()
            lines.append(self.connection)

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                state.asked.append((self.command, self.path, headers, body))
                now[0] += 1
                state.most_at_once = max(state.most_at_once, now[0])
            try:
                status, said, content = app(self.command, self.path, headers, body)
            except ConnectionAbortedError:
                self.close_connection = True
                return
            except Exception as fault:  # noqa: BLE001  what a server does
                status, said, content = say({"error": f"{type(fault).__name__}: {fault}"}, 400)
            finally:
                with lock:
                    now[0] -= 1
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **said}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # whoever asked did not wait
                self.close_connection = True

        do_GET = do_POST = answer  # noqa: N815  the names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        for line in lines:  # as when the process dies: nobody is served any more
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def say(document: Any, status: int = 200) -> Reply:
    return status, {}, json.dumps(document).encode()


def logits(pixels: Any) -> torch.Tensor:
    """What the tiny model says of images as (n, 1, 6, 6) numbers in [0, 1]."""
    with torch.inference_mode():
        images = torch.from_numpy(numpy.array(pixels, dtype=numpy.float32)).reshape(-1, 1, 6, 6)
        return torch.cat([MODEL(image.unsqueeze(0)) for image in images])


@dataclass
class Inference:
    """The tiny model as an inference server: one that takes tensors in bytes, or one that does not."""

    binary: bool = True
    datatype: str = "FP32"
    shape: tuple[int, ...] = (-1, 1, 6, 6)
    labels: tuple[str, ...] = TINY_LABELS
    version: str = "1"
    output: str = "logits"
    refusal: int = 400
    change: Callable[[dict[str, Any]], Any] = lambda document: document

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if method == "GET" and path == "/v2/models/tiny":
            return say(self.metadata())
        if method != "POST" or path != "/v2/models/tiny/infer":
            return say({"error": f"no such thing: {path}"}, 404)
        length = int(headers.get(LENGTH, len(body)))
        if not self.binary and LENGTH in headers:
            return say({"error": "invalid JSON"}, self.refusal)
        asked = json.loads(body[:length])
        rows = logits(self.pixels(asked["inputs"][0], body[length:]))
        if self.output.startswith("prob"):
            rows = rows.softmax(1)
        tensor: dict[str, Any] = {"name": self.output, "datatype": "FP32", "shape": list(rows.shape)}
        if LENGTH in headers:
            content = rows.numpy().astype("<f4").tobytes()
            tensor["parameters"] = {"binary_data_size": len(content)}
            head = json.dumps(self.change({"model_name": "tiny", "outputs": [tensor]})).encode()
            return 200, {"Inference-Header-Content-Length": str(len(head))}, head + content
        return say(self.change({"model_name": "tiny", "outputs": [{**tensor, "data": rows.flatten().tolist()}]}))

    def metadata(self) -> dict[str, Any]:
        classes = {"name": self.output, "datatype": "FP32", "shape": [-1, 4], "parameters": {"labels": self.labels}}
        tensor = {"name": "pixels", "datatype": self.datatype, "shape": self.shape}
        return {
            "name": "tiny",
            "versions": [self.version],
            "platform": "test",
            "inputs": [tensor],
            "outputs": [classes],
        }

    def pixels(self, tensor: dict[str, Any], content: bytes) -> numpy.ndarray[Any, Any]:
        assert tensor["name"] == "pixels"
        assert tensor["datatype"] == self.datatype
        assert all(b in (-1, a) for a, b in zip(tensor["shape"], self.shape, strict=True))
        kind = {"FP32": "<f4", "UINT8": "u1", "FP64": "<f8"}[self.datatype]
        if "data" in tensor:
            found = numpy.array(tensor["data"], kind)
        else:
            assert len(content) == tensor["parameters"]["binary_data_size"]
            found = numpy.frombuffer(content, kind)
        values = found.reshape(tensor["shape"])
        if values.shape[-1] == 1:
            values = numpy.moveaxis(values, -1, 1)
        return values / numpy.float32(255.0) if self.datatype == "UINT8" else values


@dataclass
class Scores:
    """The tiny model as a server of its own kind: an image file or numbers in, JSON out.

    ``top`` of the classes are named, their scores rounded to ``decimals``; ``alone`` gives the label only.
    """

    top: int = 4
    decimals: int = 9
    alone: bool = False

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        del path
        if method != "POST":
            return say({"error": "POST an image"}, 405)
        rows = logits(_pixels(headers["content-type"], body)).softmax(1)[0].tolist()
        ranked = sorted(zip(rows, TINY_LABELS, strict=True), reverse=True)[: self.top]
        if self.alone:
            return say({"label": ranked[0][1]})
        found = [{"label": label, "score": round(score, self.decimals)} for score, label in ranked]
        return say({"predictions": found, "all": [round(score, self.decimals) for score in rows]})


def _pixels(kind: str, body: bytes) -> Any:
    if kind.startswith("multipart/form-data"):
        part = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body).get_payload()[0]
        assert part.get_param("name", header="content-disposition") == "file"
        return _decode(part.get_payload(decode=True))
    document = json.loads(body)
    if "image" in document:
        return _decode(base64.b64decode(document["image"]))
    return document["instances"][0]


def _decode(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (6, 6)
        return numpy.array(image, dtype=numpy.float32) / numpy.float32(255.0)


@dataclass
class Faulty:
    """Another server, whose answers to POSTs fail from a given number of them on, for so many of them."""

    app: App
    fault: Callable[[], Reply]
    after: int = 0
    count: int = 10**9
    posts: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if method == "POST":
            with self._lock:
                self.posts += 1
                number = self.posts
            if self.after < number <= self.after + self.count:
                return self.fault()
        return self.app(method, path, headers, body)


def error() -> Reply:
    return say({"error": "out of memory"}, 500)


def html() -> Reply:
    return 200, {"Content-Type": "text/html"}, b"<html><body>Please log in</body></html>"


def late() -> Reply:
    time.sleep(1.0)
    return say({})


def hang_up() -> Reply:
    raise ConnectionAbortedError


def nan() -> Reply:
    tensor = {"name": "logits", "datatype": "FP32", "shape": [1, 4], "data": [1.0, float("nan"), 0.0, 0.0]}
    return say({"outputs": [tensor], "predictions": [{"label": "north", "score": float("nan")}]})


def fewer() -> Reply:
    return say({"outputs": [{"name": "logits", "datatype": "FP32", "shape": [0, 4], "data": []}], "predictions": []})


def busy(wait: str = "0") -> Reply:
    return 429, {"Retry-After": wait}, b'{"error": "slow down"}'
