"""What the README shows works as shown."""

import re
import shlex
from pathlib import Path

from trompe.cli.parse import COMMANDS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102  our own text
    out = capsys.readouterr().out
    assert out.startswith("at least 2 of 2 attempted")
    assert "as recorded, bit for bit" in out


def test_every_command_of_the_readme_exists_and_takes_these_options():
    """Each line goes through the command's own parser; nothing is run."""
    from trompe import settings
    from trompe.cli.parse import parse

    shown = [line for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL) for line in block.splitlines()]
    lines = [part for line in shown for part in line.split("#")[0].split("&&") if part.strip().startswith("trompe ")]
    assert len(lines) >= 10
    for line in lines:
        _, command, *words = shlex.split(line)
        assert command in COMMANDS
        kind = "TrialSettings" if command == "judge" else f"{command.capitalize()}Settings"
        parse(command, getattr(settings, kind), words)
