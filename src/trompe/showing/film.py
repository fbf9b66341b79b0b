"""`film`: how the strongest image of a class grew, as an animated picture."""

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from trompe.core.errors import BadInput, RunError
from trompe.run import Kept, Run, open_run
from trompe.run.folder import write_whole
from trompe.run.history import Ancestor, spread
from trompe.run.sheet import drawable, fit, to_picture, write
from trompe.settings import FilmSettings
from trompe.showing.words import say, say_count
from trompe.verbs.keywords import keywords

FRAME_MILLISECONDS = 340
"""Just under three frames a second: faster changes can harm people who are sensitive to flashes."""
_HOLD_MILLISECONDS = 2040
_SIDE, _STRIP = 448, 44
_FORMATS = {".png": "PNG", ".apng": "PNG", ".gif": "GIF"}


@dataclass(frozen=True)
class Frame:
    """One picture of a film, how long it stands, and whether it was recorded or is a cross-fade between two."""

    picture: Image.Image
    milliseconds: int
    recorded: bool


@keywords(FilmSettings)
def film(settings: FilmSettings) -> Path:
    """Write the film of one class: from the random beginning to its strongest image.

    Takes the fields of `FilmSettings`. The last frame is that image, pixel for pixel, enlarged by a whole number
    where it is small; frames in between are the recorded ancestors, faded into each other.

    Returns:
        The file: animated PNG, or GIF where the name ends so (which keeps 256 colours).

    Raises:
        RunError: No run, nothing recorded for the class, or the file cannot be written.
        BadInput: The class was not attempted, or a setting is unusable.
    """
    run = open_run(settings.run)
    record = run[settings.label]
    number = run.about.target["labels"].index(settings.label)
    path = Path(settings.out or run.folder / f"film-{number:04d}.png")
    kind = _format(path)
    if settings.pictures < 2:
        raise BadInput(
            expected="at least 2 pictures", got=str(settings.pictures), where="--pictures", do="Give a larger number."
        )
    if record.strongest is None:
        raise RunError(
            expected="a class with an image", got="nothing recorded yet", where=str(run.folder), do="Let it run on."
        )
    write_whole(path, _encode(frames(run, record.strongest, settings.pictures), kind))
    return path


def frames(run: Run, strongest: Kept, pictures: int) -> list[Frame]:
    """The frames of a film: recorded pictures, a cross-fade between each two, the strongest image held in the end."""
    chain = run.lineage(strongest.label)
    kept = [chain[i] for i in spread(list(range(len(chain))), pictures)]
    last = fit(to_picture(strongest.levels), max(_SIDE, *strongest.levels.shape[1:]))
    name = drawable(strongest.label, "this class")
    looks = say_count(strongest.evaluations)
    words = [f"{name}, look {say_count(link.candidate + 1)} of {looks}" for link in kept[:-1]]
    words.append(f"{name}, {say(strongest.log_odds)} after {looks} looks")
    return _faded([*(_enlarged(link, last.size) for link in kept[:-1]), last], words)


def _faded(whole: list[Image.Image], words: list[str]) -> list[Frame]:
    """Each picture under its words, and before each but the first a fade that bears the words of what comes."""
    shown = []
    for i, (picture, says) in enumerate(zip(whole, words, strict=True)):
        if i:
            between = Image.blend(whole[i - 1], picture, 0.5)
            shown.append(Frame(_captioned(between, says), FRAME_MILLISECONDS, recorded=False))
        stands = _HOLD_MILLISECONDS if i == len(whole) - 1 else FRAME_MILLISECONDS
        shown.append(Frame(_captioned(picture, says), stands, recorded=True))
    return shown


def _enlarged(link: Ancestor, size: tuple[int, int]) -> Image.Image:
    return to_picture(link.picture).resize(size, Image.Resampling.NEAREST)


def _captioned(picture: Image.Image, words: str) -> Image.Image:
    """The picture with a line of words under it, on white."""
    whole = Image.new("RGB", (picture.width, picture.height + _STRIP), (255, 255, 255))
    whole.paste(picture, (0, 0))
    write(ImageDraw.Draw(whole), (8, picture.height + 12, picture.width - 16), words, 17)
    return whole


def _format(path: Path) -> str:
    if path.suffix.lower() not in _FORMATS:
        raise BadInput(
            expected=f"a file name that ends in {', '.join(_FORMATS)}",
            got=path.name,
            where="--out",
            do="Use .png for an exact film, .gif for programs that know nothing else.",
        )
    return _FORMATS[path.suffix.lower()]


def _encode(shown: list[Frame], kind: str) -> bytes:
    file = io.BytesIO()
    pictures, times = [frame.picture for frame in shown], [frame.milliseconds for frame in shown]
    pictures[0].save(
        file, format=kind, save_all=True, append_images=pictures[1:], duration=times, loop=0, disposal=1, optimize=False
    )
    return file.getvalue()
