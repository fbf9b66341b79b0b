"""The line to a server: paced, counted, patient where that helps, and never to another host than was named."""

import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from threading import Lock
from typing import Any
from urllib.parse import urljoin

from trompe.core.errors import NoAnswer, TargetError
from trompe.targets.access import Meter
from trompe.targets.address import Address, read_address
from trompe.targets.declaration import Request
from trompe.targets.pacing import LONGEST, RATE, Clock, Pace, asked_wait, back_off

MOST_ERRORS = 20
"""Server errors in a row after which a server is left alone."""
_LARGEST = 64 * 2**20
_HOPS = 3
_MOVED = (301, 302, 303, 307, 308)
_SHOWN = 160
GO_ON = "What was recorded is kept: go on with --resume"


@dataclass(frozen=True)
class Body:
    """What is sent.

    Attributes:
        content: Bytes.
        headers: That say what they are.
        rows: Rows of the model's input in them.
    """

    content: bytes
    headers: Mapping[str, str]
    rows: int


NOTHING = Body(b"", {}, 0)


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: Of HTTP; 0 where the connection broke.
        headers: Names in small letters.
        content: Bytes, unpacked.
        broken: Why there is none.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    broken: str = ""

    @property
    def good(self) -> bool:
        """Whether the server says that all is well."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The beginning of the content, on one line."""
        return " ".join(self.content[: 4 * _SHOWN].decode("utf-8", "replace").split())[:_SHOWN]


@dataclass(eq=False)
class Line:
    """The line to one server. It remembers what it cost, and nothing that would change an answer.

    Attributes:
        address: Of the server.
        request: How it is asked.
        meter: Counts every row before it is sent.
        secrets: Names and values of headers from the environment; in no message.
        run: What the run is called in the User-Agent.
        wire: What carries requests instead of the network; for tests.
        clock: For pacing and waiting.
        batch: Rows a request.
    """

    address: Address
    request: Request
    meter: Meter
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    run: str = "none"
    wire: Any = field(default=None, repr=False)
    clock: Clock = field(default_factory=Clock, repr=False)
    batch: int = 1

    def __post_init__(self) -> None:
        plain = {name: value for name, value in self.request.headers.items() if not value.startswith("env:")}
        rate = self.request.rate or (None if self.address.loopback else RATE)
        self._pace, self._lock, self._errors = Pace(rate, self.clock), Lock(), 0
        self._httpx = _import_httpx(self.address.url)
        self._client = self._httpx.Client(
            transport=self.wire,
            headers={**plain, **self.secrets, "User-Agent": self.agent},
            timeout=self.request.timeout,
            follow_redirects=False,
            trust_env=not self.address.loopback,  # a proxy has no way back to this machine
        )
        weakref.finalize(self, self._client.close)

    @property
    def agent(self) -> str:
        """As the server sees who asks."""
        return f"trompe/{version('trompe')} run/{self.run}"

    def get(self, path: str = "", *, patient: bool = True) -> Answer:
        """What the server says under its address; nothing is counted."""
        return self._send("GET", path, NOTHING, patient=patient)

    def post(self, body: Body, path: str = "", *, patient: bool = True) -> Answer:
        """The answer to one request.

        Args:
            body: What is sent.
            path: Beyond the address.
            patient: Whether to try again, and to refuse what is no good answer; otherwise the first answer is given
                as it is, unless the server is merely busy.

        Raises:
            TargetError: There is no good answer, or the limit of rows is reached.
        """
        return self._send("POST", path, body, patient=patient)

    def post_all(self, bodies: Sequence[Body], path: str = "") -> list[Answer]:
        """The answers to several requests, in order, several under way at once; none is sent where not all may be.

        Raises:
            TargetError: There is no good answer to one of them, or the limit of rows would be passed.
        """
        self.meter.admit(sum(body.rows for body in bodies))
        if min(self.request.concurrency, len(bodies)) < 2:
            return [self.post(body, path) for body in bodies]
        try:
            with ThreadPoolExecutor(self.request.concurrency) as pool:
                waiting = [pool.submit(self.post, body, path) for body in bodies]
                try:
                    return [one.result() for one in waiting]
                except BaseException:
                    self.clock.wake()  # nobody sleeps on, and nothing more is sent
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        finally:
            self.clock.rest()

    def clean(self, text: str) -> str:
        """A server's words without the secrets that were shown to it."""
        for value in self.secrets.values():
            for part in sorted({value, *value.split()}, key=len, reverse=True):
                text = text.replace(part, "[secret]") if len(part) > 3 else text
        return text

    def refusal(self, expected: str, got: str, do: str, kind: type[TargetError] = TargetError) -> TargetError:
        """An error about this server, of the given kind."""
        return kind(expected=expected, got=self.clean(got), where=self.address.url, do=do)

    def _send(self, method: str, path: str, body: Body, *, patient: bool) -> Answer:
        tries = 0
        while True:
            answer = self._follow(method, self.address.url.rstrip("/") + path if path else self.address.url, body)
            self._errors = self._errors if answer.status == 0 or answer.status >= 500 else 0
            if answer.good:
                return answer
            if not patient and answer.status not in (429, 503):
                return answer
            self.clock.sleep(self._patience(answer, tries))
            if self.clock.awake:
                raise self.refusal("an answer", "the end of the run", f"{GO_ON}.")
            tries += 1

    def _patience(self, answer: Answer, tries: int) -> float:
        """Seconds to wait before the same is sent again; or an error where that would not help."""
        if answer.status >= 500:
            with self._lock:
                self._errors += 1
                if self._errors >= MOST_ERRORS:
                    raise self._bad(f"{MOST_ERRORS} server errors in a row, the last {_say(answer)}", NoAnswer)
        elif (answer.status not in (0, 429)) or tries >= self.request.retries:
            raise self._bad(_say(answer), NoAnswer if answer.status in (0, 429) else TargetError)
        asked = asked_wait(answer.headers.get("retry-after", ""))
        if asked is not None and asked > LONGEST:
            raise self._bad(f"{answer.status} with the wish to be left alone for {asked:,.0f} s", NoAnswer)
        return back_off(tries, near=self.address.loopback) if asked is None else asked

    def _bad(self, got: str, kind: type[TargetError]) -> TargetError:
        return self.refusal("an answer with scores", got, f"{GO_ON} once the server answers.", kind)

    def _follow(self, method: str, url: str, body: Body) -> Answer:
        """One request, and where the same server sends it on to another path."""
        for _ in range(_HOPS):
            answer = self._exchange(method, url, body)
            if answer.status not in _MOVED:
                return answer
            url = urljoin(url, answer.headers.get("location", ""))
            if method != "GET" and answer.status not in (307, 308):
                raise self._elsewhere("a redirect that does not take the image along")
            if read_address(url).origin != self.address.origin:
                raise self._elsewhere(f"a redirect to {read_address(url).host}")
        raise self._elsewhere(f"{_HOPS} redirects")

    def _elsewhere(self, got: str) -> TargetError:
        return self.refusal("an answer from the server that was named", got, "Name the URL that answers itself.")

    def _exchange(self, method: str, url: str, body: Body) -> Answer:
        self._pace.wait()
        if self.clock.awake:
            raise self.refusal("an answer", "the end of the run", f"{GO_ON}.")
        self.meter.spend(body.rows)
        try:
            with self._client.stream(method, url, content=body.content or None, headers=body.headers) as reply:
                headers = {name.lower(): value for name, value in reply.headers.items()}
                return Answer(reply.status_code, headers, self._read(reply))
        except (self._httpx.ConnectError, self._httpx.ConnectTimeout, self._httpx.PoolTimeout) as cause:
            self.meter.give_back(body.rows)  # nothing was sent
            return Answer(0, {}, b"", f"no connection ({_first(cause)})")
        except self._httpx.TimeoutException:
            return Answer(0, {}, b"", f"none within {self.request.timeout:g} s")
        except (self._httpx.InvalidURL, UnicodeError) as cause:
            self.meter.give_back(body.rows)
            raise self.refusal("an http or https URL", _first(cause), "Correct TARGET.") from cause
        except (self._httpx.TransportError, self._httpx.DecodingError) as cause:
            return Answer(0, {}, b"", f"a connection that broke off ({_first(cause)})")

    def _read(self, reply: Any) -> bytes:
        """The content, all of it within the time and not more than a bound."""
        parts, size, until = [], 0, self.clock.now() + self.request.timeout
        for part in reply.iter_bytes():
            parts.append(part)
            size += len(part)
            if self.clock.now() > until:
                raise self._httpx.ReadTimeout("still answering")
            if size > _LARGEST:
                raise self.refusal("an answer of scores", f"more than {_LARGEST:,} bytes", "Check the URL.")
        return b"".join(parts)


def _say(answer: Answer) -> str:
    kind = answer.headers.get("content-type", "")
    said = "a page of HTML" if "html" in kind else answer.text
    return answer.broken or f"{answer.status}{f': {said}' if said else ''}"


def _first(cause: BaseException) -> str:
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]


def _import_httpx(where: str) -> Any:
    try:
        import httpx
    except ImportError as cause:
        raise TargetError(
            expected="the package httpx", got=str(cause), where=f"TARGET {where}", do="pip install 'trompe[http]'"
        ) from cause
    return httpx
