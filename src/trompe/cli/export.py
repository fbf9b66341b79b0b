"""`trompe export RUN --out DIR`."""

import json

from trompe.cli.parse import parse
from trompe.settings import ExportSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("export", ExportSettings, words)
    from trompe.verbs.export import export

    done = export(**vars(settings))
    if show.json:
        print(json.dumps({**vars(done), "folder": str(done.folder)}))
    else:
        print(f"exported   {done.images} images of {done.classes} classes")
        print(f"folder     {done.folder}")
    return 0
