"""`trompe rerun RUN --out NEW`."""

import sys

from trompe.cli.fool import drive
from trompe.cli.parse import parse
from trompe.settings import RerunSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code, 3 where the same machine type gave other bytes."""
    settings, show = parse("rerun", RerunSettings, words)
    from trompe.run import describe_machine, describe_versions, open_run
    from trompe.search import REMOTE
    from trompe.verbs.rerun import repeat

    with repeat(settings) as session:
        code = drive(session, show)
    original, repetition = open_run(settings.run), open_run(settings.out)
    same = original.digest() == repetition.digest()
    here = (describe_machine(), describe_versions(original.about.judge))
    promised = (original.about.machine, original.about.versions) == here and original.about.judge["engine"] != REMOTE
    whole = all(search.reason != "time" for search in (*original.searches, *repetition.searches))
    promised = promised and original.state == "done" and whole
    promised = promised and not original.about.settings.get("asynchronous")
    verdict = "the same bytes" if same else "other bytes"
    reason = (
        ""
        if promised
        else " (not promised: another type of machine or version, a server, --asynchronous, or a run cut short by time)"
    )
    print(f"repeated   {settings.run}: {verdict}{reason if not same else ''}", file=sys.stderr)
    return code or (3 if promised and not same else 0)
