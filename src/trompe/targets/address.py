"""A URL as the address of a target: looked at before anything is sent or written, for it must hold no secret."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from trompe.core.errors import TargetError

_TELLING = re.compile(r"auth|key|token|secret|pass|pwd|cred|sig|session|jwt|code", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """Where a target is asked.

    Attributes:
        url: Without a secret, so that it may be shown and stored.
        origin: Scheme, host and port.
        loopback: Whether it is this machine.
    """

    url: str
    origin: tuple[str, str, int]
    loopback: bool

    @property
    def host(self) -> str:
        """Name of the server."""
        return self.origin[1]


def read_address(text: str) -> Address:
    """The address that a URL stands for.

    Raises:
        TargetError: It is no http or https URL, or holds what looks like a secret; which is not repeated.
    """
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS[parts.scheme.lower()]
        asked = parse_qsl(parts.query, keep_blank_values=True)
    except (ValueError, KeyError) as cause:
        raise _refusal("an http or https URL", type(cause).__name__, "Write it as http://HOST:PORT/PATH.") from cause
    if not parts.hostname or not text.isprintable() or " " in text:
        raise _refusal("an http or https URL", "one without a host, or with blanks", "Write it as http://HOST/PATH.")
    if "@" in parts.netloc:
        raise _refusal("a URL without user and password", "one with them", _INSTEAD)
    telling = [name for name, _ in asked if _TELLING.search(name)]
    if telling or parts.fragment:
        got = f"one with {telling[0]!r} in its query" if telling else "one with a part after #"
        raise _refusal("a URL without secrets", got, _INSTEAD)
    host = parts.hostname.lower()
    return Address(parts.geturl(), (parts.scheme.lower(), host, port), _is_loopback(host))


_INSTEAD = (
    "Put the secret into an environment variable and send it as a header: --header NAME=VARIABLE, or in the target "
    'file [request.headers] NAME = "env:VARIABLE".'
)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refusal(expected: str, got: str, do: str) -> TargetError:
    return TargetError(expected=expected, got=got, where="TARGET", do=do)
