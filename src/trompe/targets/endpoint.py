"""A URL as a target: who allowed it is looked at first, then which language the server speaks."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trompe.core.errors import TargetError
from trompe.targets.access import Access, Meter
from trompe.targets.address import Address, read_address
from trompe.targets.declaration import Declaration
from trompe.targets.foreign import ForeignTarget
from trompe.targets.transport import Line

_PROTOCOL = re.compile(r"/v2/models/[^/?]+(/versions/[^/?]+)?(?P<verb>/infer)?/?$")
"""The end of a URL of the Open Inference Protocol."""


def open_endpoint(text: str, declared: Declaration, access: Access | None = None, wire: Any = None) -> ForeignTarget:
    """The target behind a URL.

    ``.../v2/models/NAME`` speaks the Open Inference Protocol and says itself what it takes; anything else is asked as
    ``declared.request`` says.

    Args:
        text: The URL.
        declared: What is declared of it.
        access: What the run grants; by default nothing but a server on this machine, without a limit.
        wire: What carries requests instead of the network; for tests.

    Raises:
        TargetError: The URL holds a secret, nobody allowed asking, no limit is set, a header's variable is not set,
            the server does not answer, or with something else than scores.
    """
    address, access = read_address(text), access or Access()
    speaks = _PROTOCOL.search(address.url)
    if speaks:
        address = replace(
            address, url=address.url[: speaks.start("verb")] if speaks["verb"] else address.url.rstrip("/")
        )
    _check_allowed(address, declared, access)
    hidden = {name: value for name, value in declared.request.headers.items() if value.startswith("env:")}
    secrets = read_headers({**hidden, **access.headers})
    line = Line(address, declared.request, Meter(access.limit, access.spent), secrets, access.run, wire)
    if speaks:
        from trompe.targets.inference_protocol import open_served

        return open_served(line, declared)
    from trompe.targets.json_endpoint import open_template

    return open_template(line, declared)


def read_headers(named: Mapping[str, str]) -> dict[str, str]:
    """Headers as they are sent: ``env:NAME`` is the value of that environment variable.

    Raises:
        TargetError: It is not set, or cannot stand in a header; neither is repeated.
    """
    return {name: _read(name, value) for name, value in named.items()}


def _read(name: str, value: str) -> str:
    variable = value.removeprefix("env:")
    found = os.environ.get(variable, "")
    if found and found.isascii() and found.isprintable() and found == found.strip():
        return found
    raise TargetError(
        expected="an environment variable that is set, to letters that a header can hold",
        got="one that is not set" if not found else "one that holds other characters, perhaps the end of a line",
        where=f"header {name}",
        do=f"Set it, for example by: read -rs VARIABLE; export VARIABLE; then --header {name}=VARIABLE.",
    )


def _check_allowed(address: Address, declared: Declaration, access: Access) -> None:
    if address.loopback:
        return
    if not declared.request.authorized.strip():
        raise TargetError(
            expected="the word of whoever may allow it: a search sends thousands of images",
            got="none",
            where=address.url,
            do=f'Write a target file: model = "{address.url}", and below it [request] authorized = "WHO, WHY".',
        )
    if access.limit is None and not access.budget:
        raise TargetError(
            expected="a limit to what is sent",
            got="none",
            where=address.url,
            do="Give --max-queries (rows sent, all in all), or for a search --budget.",
        )
