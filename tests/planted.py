"""Bugs to plant: each is one small change of the source that a named part of the suite must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """One change of one file.

    Attributes:
        name: What goes wrong.
        file: Below src/trompe.
        old: Found in it exactly once.
        new: What takes its place.
        tests: What must turn red, as pytest is given it.
        fast: Whether it is planted in every run of the suite.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    fast: bool = False


NUMERICS, SEEDS, ARCHIVE, JUDGE = "core/numerics.py", "core/seeds.py", "search/archive.py", "search/judge.py"
PIXELS, CONTEST, EVOLVE = "encodings/pixels.py", "search/contest.py", "search/evolve.py"
VERBS = "tests/test_verbs.py"
ENGINES = "tests/test_engines.py"

BUGS = (
    Bug(
        "log-odds with the wrong sign",
        NUMERICS,
        "return z - (peak + others.log()).scatter(1, top, against_top)",
        "return (peak + others.log()).scatter(1, top, against_top) - z",
        "tests/test_numerics.py",
        fast=True,
    ),
    Bug(
        "the last class is left out of the sum",
        NUMERICS,
        "weight = (z - peak).exp()",
        "weight = (z - peak).exp().index_fill(1, torch.tensor([z.shape[1] - 1]), 0.0)",
        "tests/test_numerics.py",
    ),
    Bug(
        "others as total minus own",
        NUMERICS,
        "others = _sum_before(weight) + _sum_before(weight.flip(1)).flip(1)",
        "others = weight.sum(1, keepdim=True) - weight",
        "tests/test_numerics.py",
    ),
    Bug(
        "the top class against itself",
        NUMERICS,
        "against_top = z.scatter(1, top, -math.inf).logsumexp(1, keepdim=True)",
        "against_top = z.logsumexp(1, keepdim=True)",
        "tests/test_numerics.py",
    ),
    Bug(
        "log-odds in single precision",
        NUMERICS,
        "z = logits.to(torch.float64)\n    if",
        "z = logits.to(torch.float32).to(torch.float64)\n    if",
        "tests/test_numerics.py",
    ),
    Bug(
        "truncation to the grid",
        NUMERICS,
        "(images * 255.0).round()",
        "(images * 255.0).floor()",
        "tests/test_numerics.py tests/test_pixels.py",
        fast=True,
    ),
    Bug(
        "a grid of k/256",
        NUMERICS,
        "levels.to(torch.float32) / 255.0",
        "levels.to(torch.float32) / 256.0",
        "tests/test_numerics.py",
    ),
    Bug("the rejected above the accepted", NUMERICS, "REJECTED = -2e3", "REJECTED = 2e3", "tests/test_numerics.py"),
    Bug(
        "rejected at the threshold itself",
        NUMERICS,
        "torch.where(slack >= 0,",
        "torch.where(slack > 0,",
        "tests/test_numerics.py",
    ),
    Bug(
        "a gate without a slope",
        NUMERICS,
        "SLACK_WEIGHT * slack.clamp(max=0.0)",
        "0.0 * slack.clamp(max=0.0)",
        "tests/test_numerics.py",
    ),
    Bug(
        "a level as the log of a probability",
        NUMERICS,
        "math.log(level) - math.log1p(-level)",
        "math.log(level)",
        "tests/test_numerics.py",
    ),
    Bug(
        "confidence in single precision",
        NUMERICS,
        "torch.sigmoid(odds.to(torch.float64))",
        "torch.sigmoid(odds.to(torch.float32)).to(torch.float64)",
        "tests/test_numerics.py",
    ),
    Bug(
        "rare positions one gap too far",
        SEEDS,
        "math.log1p(-min(rate, 1.0 - 1e-16))).floor()",
        "math.log1p(-min(rate, 1.0 - 1e-16))).ceil()",
        "tests/test_seeds.py",
    ),
    Bug(
        "rare positions that repeat their gaps",
        SEEDS,
        'self.branch(f"gaps-{part}")',
        'self.branch("gaps-0")',
        "tests/test_seeds.py",
    ),
    Bug(
        "a stream that does not know its step",
        SEEDS,
        'f"{self.seed}/{self.purpose}/{self.step}"',
        'f"{self.seed}/{self.purpose}/0"',
        "tests/test_seeds.py",
    ),
    Bug(
        "integers rounded instead of floored",
        SEEDS,
        "(self.uniform(count) * below).long()",
        "(self.uniform(count) * below).round().long()",
        "tests/test_seeds.py",
    ),
    Bug(
        "rows and columns exchanged on reading", "core/specs.py", "(2, 0, 1) if", "(2, 1, 0) if", "tests/test_specs.py"
    ),
    Bug(
        "infinite logits admitted",
        "core/check.py",
        "torch.isnan(logits) | torch.isposinf(logits) |",
        "torch.isnan(logits) |",
        "tests/test_check.py",
    ),
    Bug(
        "values above 1 admitted",
        "core/check.py",
        "bool(low >= 0.0) and bool(high <= 1.0)",
        "bool(low >= 0.0)",
        "tests/test_check.py",
    ),
    Bug(
        "genes mutate twice as often",
        PIXELS,
        "rate = self.settings.mutation_rate * 0.5**periods",
        "rate = 2.0 * self.settings.mutation_rate * 0.5**periods",
        "tests/test_pixels.py",
        fast=True,
    ),
    Bug(
        "the rate falls linearly",
        PIXELS,
        "rate = self.settings.mutation_rate * 0.5**periods",
        "rate = self.settings.mutation_rate / (1 + periods)",
        "tests/test_pixels.py",
    ),
    Bug("variation changes the parents", PIXELS, "children = genes.clone()", "children = genes", "tests/test_kits.py"),
    Bug(
        "a wrong mutation index",
        PIXELS,
        "(2.0 * nearer_edge) ** (1.0 / (index + 1.0))",
        "(2.0 * nearer_edge) ** (1.0 / (index + 2.0))",
        "tests/test_pixels.py",
    ),
    Bug(
        "mutation only upwards",
        PIXELS,
        "return torch.sign(uniform - 0.5) * (",
        "return (",
        "tests/test_pixels.py",
    ),
    Bug(
        "mutation leaves the range",
        PIXELS,
        "+ delta.to(torch.float32)).clamp_(0.0, 1.0)",
        "+ delta.to(torch.float32))",
        "tests/test_pixels.py",
    ),
    Bug(
        "shared genes always turn grey",
        PIXELS,
        "torch.full_like(first, 0.5) if self.settings.equal_becomes_grey else first",
        "torch.full_like(first, 0.5)",
        "tests/test_pixels.py",
    ),
    Bug(
        "both children of a crossed pair are the same",
        PIXELS,
        "torch.where(swap, low, high)",
        "torch.where(swap, high, low)",
        "tests/test_pixels.py",
    ),
    Bug(
        "crossing forgets the bounds",
        PIXELS,
        "alpha = 2.0 - (1.0 + 2.0 * room / gap) ** -(index + 1.0)",
        "alpha = 2.0 + 0.0 * room",
        "tests/test_pixels.py",
    ),
    Bug(
        "equals take over",
        ARCHIVE,
        "won = (value > old.value)",
        "won = (value >= old.value)",
        "tests/test_archive.py",
        fast=True,
    ),
    Bug(
        "the last of equals wins",
        ARCHIVE,
        "best = bids.value.argmax(0)",
        "best = len(bids.value) - 1 - bids.value.flip(0).argmax(0)",
        "tests/test_archive.py",
    ),
    Bug(
        "parents lean towards the first niches",
        ARCHIVE,
        "stream.integers(n, len(filled))",
        "(stream.uniform(n) ** 1.1 * len(filled)).long()",
        "tests/test_archive.py",
    ),
    Bug(
        "the last to reach a level counts as first",
        ARCHIVE,
        "reached.to(torch.uint8).argmax(0)",
        "len(reached) - 1 - reached.flip(0).to(torch.uint8).argmax(0)",
        "tests/test_archive.py",
    ),
    Bug(
        "crossings are not noted",
        ARCHIVE,
        "old.crossed[first_niche, first_level] = candidates.ids[first_candidate]",
        "old.crossed[first_niche[:0], first_level[:0]] = -1",
        "tests/test_archive.py",
    ),
    Bug(
        "genomes sit in each other's niches",
        ARCHIVE,
        "source[won] = niches + row",
        "source[won] = niches + row.flip(0)",
        "tests/test_archive.py",
    ),
    Bug("padding is not cut off", JUDGE, "if n == size:", "if n <= size:", "tests/test_judge.py", fast=True),
    Bug(
        "padding with black",
        JUDGE,
        "batch[-1:].expand(size - n, *batch.shape[1:])",
        "torch.zeros_like(batch[-1:]).expand(size - n, *batch.shape[1:])",
        "tests/test_judge.py",
    ),
    Bug(
        "padding is not counted",
        JUDGE,
        "return -(-n // self.settings.batch) * self.settings.batch",
        "return n",
        "tests/test_judge.py",
    ),
    Bug("the thread count stays changed", JUDGE, "torch.set_num_threads(before)", "del before", "tests/test_judge.py"),
    Bug(
        "the last batch is not judged",
        JUDGE,
        "for batch in inputs.split(self.settings.batch)]",
        "for batch in inputs.split(self.settings.batch)][: max(1, len(inputs) // self.settings.batch)]",
        "tests/test_judge.py",
    ),
    Bug(
        "nobody competes for the last class",
        "search/niches.py",
        "Bids(value[:, torch.tensor(self.columns)])",
        "Bids(value[:, torch.tensor(self.columns)].index_fill(1, torch.tensor([len(self.columns) - 1]), -torch.inf))",
        "tests/test_kits.py",
    ),
    Bug(
        "bids for the first classes, whichever were chosen",
        "search/niches.py",
        "value[:, torch.tensor(self.columns)]",
        "value[:, : len(self.columns)]",
        "tests/test_search.py",
    ),
    Bug("a parent recorded as its own mate", EVOLVE, "ids[rows ^ 1]", "ids[rows]", "tests/test_search.py"),
    Bug(
        "every step draws the same numbers",
        EVOLVE,
        'f"evolve/{contest.encoding.name}", tally.number + 1)',
        'f"evolve/{contest.encoding.name}", min(1, tally.number + 1))',
        "tests/test_search.py",
    ),
    Bug(
        "a budget rounded up to the batch",
        CONTEST,
        "max(0, min(wanted, self.budget - evaluations))",
        "(wanted if evaluations < self.budget else 0)",
        "tests/test_search.py",
    ),
    Bug(
        "a generation begins one step late",
        CONTEST,
        "return -(-step * self.batch // self.population)",
        "return step * self.batch // self.population",
        "tests/test_search.py",
    ),
    Bug("one generation too few", CONTEST, "if tally.number >= self.last:", "if tally.number >= self.last - 1:", VERBS),
    Bug(
        "the upper of the two middle values as median",
        CONTEST,
        '"median": median(filled)',
        '"median": filled[len(filled) // 2]',
        "tests/test_search.py",
    ),
    Bug(
        "a fingerprint without weights",
        "targets/torch.py",
        "digest.update(_bytes(value))",
        "_bytes(value)",
        "tests/test_targets.py",
    ),
    Bug("training mode admitted", "targets/torch.py", "if training:", "if len(training) < 0:", "tests/test_targets.py"),
    Bug(
        "the mean is not subtracted",
        "targets/architectures.py",
        "(images * 255.0 - self.mean) / 256.0",
        "(images * 255.0) / 256.0",
        "tests/test_targets.py::test_the_recorded_errors_are_those_of_the_whole_test_set[softmax-mnist]",
    ),
    Bug(
        "a look too few until a level",
        "run/read.py",
        "search.niches[niche], mark, candidate, candidate + 1,",
        "search.niches[niche], mark, candidate, candidate,",
        "tests/test_run.py",
    ),
    Bug(
        "earlier occupants of a transaction are lost",
        "run/record.py",
        "self._occupants = {**self._occupants, **{",
        "self._occupants = {**{",
        VERBS,
    ),
    Bug(
        "first crossings are forgotten on resuming",
        "run/record.py",
        "elites.crossed[niche, self.about.levels.index(level)] = candidate",
        "elites.crossed[niche, self.about.levels.index(level)] = -1",
        VERBS,
    ),
    Bug(
        "values are forgotten on resuming",
        "run/record.py",
        "elites.ids[niche], elites.value[niche] = candidate, value",
        "elites.ids[niche], elites.value[niche] = candidate, value - 1.0",
        VERBS,
    ),
    Bug(
        "the first images are those of the strongest",
        "run/rows.py",
        "inputs = [pack_levels(image) for image in to_levels(wins.firsts.inputs)]",
        "inputs = [pack_levels(to_levels(wins.winners.inputs)[0]) for _ in wins.firsts.inputs]",
        VERBS,
    ),
    Bug(
        "a resumed search begins again",
        "verbs/fool.py",
        "archive, attempt.plan, tally)",
        "archive, attempt.plan)",
        VERBS,
    ),
    Bug(
        "one sure class is enough to stop",
        "verbs/fool.py",
        "bool((value >= odds).all())",
        "bool((value >= odds).any())",
        VERBS,
    ),
    Bug(
        "other settings admitted on resuming",
        "verbs/fool.py",
        "if stored.get(key) != given.get(key):",
        "if stored.get(key) == given:",
        VERBS,
    ),
    Bug(
        "another target admitted on resuming",
        "verbs/fool.py",
        "check_same_target(recorder.about.target, attempt.target, self.folder)",
        "attempt.target.fingerprint()",
        VERBS,
    ),
    Bug(
        "verification tolerates differences on the same machine",
        "verbs/verify.py",
        "if gap > (0.0 if exact else TOLERANCE):",
        "if gap > TOLERANCE:",
        VERBS,
    ),
    Bug(
        "verification looks at another class",
        "verbs/verify.py",
        "columns = [target.labels.index(item.label) for",
        "columns = [0 * target.labels.index(item.label) for",
        VERBS,
    ),
    Bug(
        "verification does not read the published results",
        "verbs/verify.py",
        "if published.get(part) != expected.get(part)",
        "if part is None",
        VERBS,
    ),
    Bug(
        "verification takes a missing image for a good one",
        "verbs/verify.py",
        "failures.append(str(failure))",
        "str(failure)",
        VERBS,
    ),
    Bug(
        "an engine's own values are told as the reference's",
        "run/rows.py",
        "value, value, value if counts else None, packed.genomes[row]",
        "value, value, value, packed.genomes[row]",
        ENGINES,
    ),
    Bug(
        "an engine decides when a run is sure enough",
        "verbs/fool.py",
        "if self._judges[search].settings.counts:",
        "if self._judges[search].settings.batch:",
        ENGINES,
    ),
    Bug(
        "an engine's first images are claimed",
        "run/read.py",
        "elif log_odds >= level_odds(mark):",
        "else:",
        ENGINES,
    ),
    Bug(
        "an exported network is not compared with the network",
        "targets/engines.py",
        "    _check_answers(made, _TOLERANCES[asked.precision])\n",
        "",
        ENGINES,
    ),
    Bug(
        "OpenVINO sends its statistics",
        "targets/openvino.py",
        "with _without(_TELEMETRY):",
        'with _without("nothing"):',
        ENGINES,
    ),
    Bug(
        "measured anew where a run is taken up again",
        "verbs/judges.py",
        "if stored is not None:",
        "if stored is None and rows < 0:",
        ENGINES,
    ),
    Bug(
        "padding of a fixed batch is taken for answers",
        "targets/onnx.py",
        "for part in padded.split(rows)])[:n]",
        "for part in padded.split(rows)])",
        "tests/test_onnx.py",
    ),
    Bug(
        "channels last are not seen",
        "targets/onnx.py",
        'return "nhwc" if last in few and first not in few else "nchw"',
        'return "nchw"',
        "tests/test_onnx.py",
    ),
)
