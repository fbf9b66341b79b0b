"""`trompe verify RUN`."""

import json

from trompe.cli.parse import parse, plain
from trompe.settings import VerifySettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code, 3 where an image does not say what was recorded."""
    settings, show = parse("verify", VerifySettings, words)
    from trompe.verbs.verify import verify

    found = verify(settings.run)
    if show.json:
        fields = ("images", "exact", "largest", "failures", "passed")
        print(json.dumps({name: getattr(found, name) for name in fields}))
    else:
        for line in (str(found), *found.failures[1:]):
            print(plain(line))
    return 0 if found.passed else 3
