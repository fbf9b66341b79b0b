"""The examination of an encoding."""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic

import torch

from trompe.core.numerics import from_levels, to_levels
from trompe.core.seeds import Stream
from trompe.core.types import Climbable, Encoding, G, InputSpec
from trompe.testing.report import Examination, NotApplicable, Report, randomness_moved, same_arrays, same_bits

_N = 8
_GENERATIONS = 10
_REACHES = [0.1 * 0.5**halvings for halvings in range(8)]
_SLOPE_TOLERANCE = 0.25
_WAYS = 4


@dataclass(frozen=True)
class _Probe(Generic[G]):
    encoding: Encoding[G]
    spec: InputSpec

    def stream(self, name: str, step: int = 0) -> Stream:
        return Stream(0, f"examine/{name}", step)

    def genomes(self, n: int = _N) -> G:
        return self.encoding.random(n, self.stream("random"))


def examine_encoding(encoding: Encoding[G], spec: InputSpec) -> Report:
    """Whether an encoding keeps the promises that a search and its record build on.

    Asked for: inputs of the right shape on the 8-bit grid, the same from the same genome wherever it stands and after
    it was stored; children that depend on parents and stream alone; parents and global randomness left alone; genomes
    that can be picked and joined; a description that JSON can hold. Of one that is `Climbable` also: numbers that come
    back as they were set, and a slope in them that agrees with finite differences.

    Whether it rounds or truncates to the grid cannot be seen from outside: test that where you know the exact values.

    Args:
        encoding: The encoding.
        spec: The inputs it is meant to make.

    Returns:
        The findings; none where the encoding conforms.

    Example:
        >>> from trompe.core.specs import ImageSpec
        >>> from trompe.encodings import Pixels
        >>> spec = ImageSpec(3, 8, 8)
        >>> examine_encoding(Pixels(spec), spec).findings
        ()
    """
    then = (
        _check_describe, _check_random, _check_express, _check_one_by_one, _check_vary, _check_streams, _check_parents,
        _check_storing, _check_take, _check_join, _check_put, _check_file, _check_randomness, _check_numbers_moved,
        _check_slope,
    )  # fmt: skip
    probe = _Probe(encoding, spec)
    return Examination(f"encoding {encoding.name}", probe).run((_check_numbers,), then)


def _check_describe(probe: _Probe[G]) -> Iterator[str]:
    described = probe.encoding.describe()
    try:
        same = json.loads(json.dumps(described, allow_nan=False)) == described
    except (TypeError, ValueError) as cause:
        yield f"The description cannot be stored as JSON: {cause}."
        return
    if not same:
        yield "The description comes back from JSON as another one."
    if not probe.encoding.name or described.get("name") != probe.encoding.name:
        yield "The description must hold the encoding's name, which must not be empty."


def _check_numbers(probe: _Probe[G]) -> Iterator[str]:
    for n in (1, 3, _N):
        genomes = probe.genomes(n)
        if len(genomes) != n:
            yield f"{n} random genomes were wanted; {len(genomes)} came."
            continue
        children = probe.encoding.vary(genomes, probe.stream("vary"))
        if len(children) != n:
            yield f"{n} parents must have {n} children; they have {len(children)}."
        yield from _faults(probe.encoding.express(genomes), (n, *probe.spec.shape), f"{n} random genomes")


def _check_random(probe: _Probe[G]) -> Iterator[str]:
    genomes = probe.genomes()
    if not isinstance(genomes, probe.encoding.genome_type):
        yield f"Genomes must be of the type `genome_type`; they are {type(genomes).__name__}."
    if len({_key(row) for row in probe.encoding.express(genomes)}) < 2:
        yield f"{_N} random genomes all express the same input."


def _check_express(probe: _Probe[G]) -> Iterator[str]:
    genomes = probe.genomes()
    for generation in range(_GENERATIONS):
        inputs = probe.encoding.express(genomes)
        yield from _faults(inputs, (_N, *probe.spec.shape), f"generation {generation}")
        if not same_bits(inputs, probe.encoding.express(genomes)):
            yield f"Expressing the genomes of generation {generation} twice gave other inputs."
        genomes = probe.encoding.vary(genomes, probe.stream("vary", generation))


def _faults(inputs: torch.Tensor, shape: tuple[int, ...], where: str) -> Iterator[str]:
    if inputs.dtype != torch.float32 or tuple(inputs.shape) != shape:
        yield f"Inputs must be float32 of shape {shape}; in {where} {inputs.dtype} of shape {tuple(inputs.shape)} came."
        return
    if not bool(((inputs >= 0) & (inputs <= 1)).all()):
        yield f"Inputs must lie in [0, 1]; in {where} some do not."
    elif not same_bits(inputs + 0.0, from_levels(to_levels(inputs))):
        yield f"Inputs must lie on the 8-bit grid k/255, to the last bit; in {where} some do not."


def _check_one_by_one(probe: _Probe[G]) -> Iterator[str]:
    genomes = probe.genomes()
    together = probe.encoding.express(genomes)
    alone = [probe.encoding.express(genomes.take(torch.tensor([row]))) for row in range(_N)]
    if not same_bits(together, torch.cat(alone)):
        yield "A genome expressed alone gave another input than among others."


def _check_vary(probe: _Probe[G]) -> Iterator[str]:
    parents = probe.genomes()
    children = probe.encoding.vary(parents, probe.stream("vary"))
    if not isinstance(children, probe.encoding.genome_type):
        yield f"Children must be of the type `genome_type`; they are {type(children).__name__}."
    generations = [probe.encoding.vary(parents, probe.stream("vary", step)) for step in range(_GENERATIONS)]
    if all(same_arrays(parents.to_arrays(), children.to_arrays()) for children in generations):
        yield f"In {_GENERATIONS} variations no child differed from its parent."


def _check_streams(probe: _Probe[G]) -> Iterator[str]:
    parents = probe.genomes()
    yield from _check_source("genomes", lambda stream: probe.encoding.random(_N, stream))
    yield from _check_source("children", lambda stream: probe.encoding.vary(parents, stream))


def _check_source(name: str, make: Callable[[Stream], G]) -> Iterator[str]:
    stream = Stream(0, "examine/source", 0)
    made = make(stream).to_arrays()
    if not same_arrays(made, make(stream).to_arrays()):
        yield f"The same stream gave other {name} the second time."
    for what, other in {
        "seed": replace(stream, seed=1),
        "purpose": replace(stream, purpose="examine/other"),
        "step": replace(stream, step=1),
    }.items():
        if same_arrays(made, make(other).to_arrays()):
            yield f"A stream with another {what} gave the same {name}."


def _check_parents(probe: _Probe[G]) -> Iterator[str]:
    parents = probe.genomes()
    before = {name: value.clone() for name, value in parents.to_arrays().items()}
    probe.encoding.vary(parents, probe.stream("vary"))
    if not same_arrays(before, parents.to_arrays()):
        yield "Variation changed the parents themselves."
    probe.encoding.express(parents)
    if not same_arrays(before, parents.to_arrays()):
        yield "Expression changed the genomes themselves."


def _check_storing(probe: _Probe[G]) -> Iterator[str]:
    genomes = probe.encoding.vary(probe.genomes(), probe.stream("vary"))
    arrays = genomes.to_arrays()
    if any(not value.is_contiguous() or value.device.type != "cpu" for value in arrays.values()):
        yield "`to_arrays` must give contiguous tensors on the CPU."
    again = probe.encoding.genome_type.from_arrays({name: value.clone() for name, value in arrays.items()})
    if len(again) != len(genomes) or not same_arrays(arrays, again.to_arrays()):
        yield "Genomes came back from `to_arrays` and `from_arrays` as others."
    elif not same_bits(probe.encoding.express(genomes), probe.encoding.express(again)):
        yield "Genomes that were stored and read back express other inputs."


def _check_take(probe: _Probe[G]) -> Iterator[str]:
    genomes, rows = probe.genomes(), torch.tensor([_N - 1, 0, 2, 2])
    taken = genomes.take(rows)
    if len(taken) != len(rows):
        yield f"`take` of {len(rows)} rows gave {len(taken)} genomes."
    elif not same_bits(probe.encoding.express(taken), probe.encoding.express(genomes)[rows]):
        yield "`take` gave other genomes than those at the given rows, in that order."
    if len(genomes.take(rows[:0])) != 0:
        yield "`take` of no rows must give no genomes."


def _check_join(probe: _Probe[G]) -> Iterator[str]:
    first, second = probe.genomes(3), probe.encoding.vary(probe.genomes(5), probe.stream("vary"))
    third = probe.encoding.random(2, probe.stream("third"))
    joined = first.join([second, third])
    parts = torch.cat([probe.encoding.express(part) for part in (first, second, third)])
    if len(joined) != len(parts):
        yield f"`join` of 3, 5 and 2 genomes gave {len(joined)}."
    elif not same_bits(probe.encoding.express(joined), parts):
        yield "`join` must keep every genome, in order."
    if not same_bits(probe.encoding.express(first.join([])), parts[:3]):
        yield "`join` with nothing must give the same genomes."


def _check_put(probe: _Probe[G]) -> Iterator[str]:
    first, second = probe.genomes(4), probe.encoding.vary(probe.genomes(2), probe.stream("put"))
    wanted = probe.encoding.express(first)
    wanted[torch.tensor([3, 1])] = probe.encoding.express(second)
    if not same_bits(probe.encoding.express(first.put(torch.tensor([3, 1]), second)), wanted):
        yield "`put` must put each genome into the row that was named for it, and leave the others."


def _check_file(probe: _Probe[G]) -> Iterator[str]:
    inputs = probe.encoding.express(probe.genomes(2))
    with tempfile.TemporaryDirectory() as folder:
        for row, image in enumerate(inputs):
            path = Path(folder) / f"{row}.png"
            probe.spec.write(path, to_levels(image.unsqueeze(0))[0], "examined")
            if not same_bits(from_levels(probe.spec.read(path).unsqueeze(0))[0], image + 0.0):
                yield "An input written to its file and read back is another one."


def _check_randomness(probe: _Probe[G]) -> Iterator[str]:
    parents = probe.genomes()
    for name, work in {
        "Making random genomes": probe.genomes,
        "Variation": lambda: probe.encoding.vary(parents, probe.stream("vary")),
        "Expression": lambda: probe.encoding.express(parents),
    }.items():
        if randomness_moved(work):
            yield f"{name} drew from the global source of randomness."


def _check_numbers_moved(probe: _Probe[G]) -> Iterator[str]:
    encoding = _climbable(probe)
    genomes = probe.genomes()
    before = {name: value.clone() for name, value in genomes.to_arrays().items()}
    numbers = encoding.numbers(genomes)
    if numbers.dtype != torch.float32 or numbers.ndim != 2 or len(numbers) != _N:
        yield f"Numbers must be float32 of shape ({_N}, numbers); {numbers.dtype} of {tuple(numbers.shape)} came."
        return
    halfway = _halfway(numbers)
    again = encoding.numbers(encoding.with_numbers(genomes, halfway))
    if not torch.allclose(again, halfway, rtol=0.0, atol=1e-4 * float(halfway.abs().max())):
        yield "Numbers that were set with `with_numbers` came back as others."
    if not same_arrays(before, genomes.to_arrays()):
        yield "`with_numbers` changed the genomes themselves."


def _check_slope(probe: _Probe[G]) -> Iterator[str]:
    encoding, genomes = _climbable(probe), probe.genomes()
    numbers = _halfway(encoding.numbers(genomes))
    genomes = encoding.with_numbers(genomes, numbers)
    slope = probe.stream("slope").uniform32(_N, *probe.spec.shape) - 0.5
    gradient = encoding.pull_back(genomes, slope).to(torch.float64)
    if gradient.shape != numbers.shape or not bool(gradient.isfinite().all()):
        yield f"`pull_back` must give finite numbers of shape {tuple(numbers.shape)}."
        return
    ways = (probe.stream("way").uniform(_WAYS, *numbers.shape) - 0.5).sign().to(torch.float32)
    predicted = torch.stack([(gradient * way).sum(1) for way in ways])

    def height(reach: float) -> torch.Tensor:
        """How high images are a step away: a row for each way, a column for each genome."""
        there = [probe.encoding.express(encoding.with_numbers(genomes, numbers + reach * way)) for way in ways]
        return torch.stack([(images.to(torch.float64) * slope).flatten(1).sum(1) for images in there])

    # What is shown is rounded, so small steps see stairs and large ones curves: one size in between must fit.
    gaps = [((height(r) - height(-r)) / (2.0 * r) - predicted).abs().median() for r in _REACHES]
    if not min(gaps) <= _SLOPE_TOLERANCE * predicted.abs().median():
        yield "The slope in the numbers differs from finite differences of what is expressed."


def _halfway(numbers: torch.Tensor) -> torch.Tensor:
    """Each genome's numbers halfway to another's: not at the ends of their range."""
    return 0.5 * (numbers + numbers.flip(0))


def _climbable(probe: _Probe[G]) -> Climbable[G]:
    if isinstance(probe.encoding, Climbable):
        return probe.encoding
    raise NotApplicable("its genomes are no numbers that a gradient moves")


def _key(image: torch.Tensor) -> bytes:
    return image.contiguous().numpy().tobytes()
