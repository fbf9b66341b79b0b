"""Every command's settings: one frozen record each. A field is a keyword argument, a flag and a stored key.

Only the standard library and the command-line library are imported here, so that `--help` is instant.
"""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

Preset = Literal[
    "paper", "released-code", "thrifty", "innovation", "stitched",
    "sign-momentum", "adam", "hide", "nguyen-unregularised", "nguyen-l2", "nguyen-blur", "nguyen-sparse",
    "random-squares", "several-squares",
]  # fmt: skip
"""Every preset of some method; which are of which, `trompe fool --help` says."""

Start = Literal[
    "uniform", "mean", "black", "grey", "low-frequency", "near-black", "salt", "blocks",
    "class-mean", "other-class", "transferred",
]  # fmt: skip
"""Every start; the last is for `trompe judge`, which makes the images it begins with."""


@dataclass(frozen=True)
class FoolSettings:
    """Make inputs that mean nothing and that a classifier is certain about, and keep the best for every class."""

    target: Annotated[Positional[str], arg(metavar="TARGET")]
    """The classifier: a bundled name (see `trompe targets`), a file, a folder, a server; see docs/targets.md."""
    _: KW_ONLY
    by: Literal["evolve", "ascend", "squares", "scatter"] = "evolve"
    """The search: MAP-Elites over classes, gradient ascent, random squares (asks least), or the best of as many random
    inputs (the baseline)."""
    encoding: Literal["pixels", "cppn", "tokens"] = "pixels"
    """What evolves: one gene a pixel value, or (not with squares) a small network that paints regular images. Of a
    target that takes rows of tokens: tokens, with evolve and scatter."""
    preset: Preset | None = None
    """How the method works. evolve and scatter: paper (the default) or released-code, where the paper (Nguyen 2015) and
    the code released with it disagree; for pixels thrifty, which needs fewer evaluations; for cppn innovation, without
    sine nodes, or stitched, which needs fewer evaluations for hundreds of classes. ascend: sign-momentum (the default),
    adam (for cppn the only one), hide (keeps away from samples of the class), or one of the paper's four rules
    nguyen-*. squares: random-squares, or several-squares, which gives the last classes more looks a step and so needs
    fewer steps."""
    start: Start | None = None
    """Where ascend and squares begin: uniform or low-frequency noise, the mean training image, black, grey, near-black,
    salt (5 % white pixels), blocks, and of a target that comes with samples class-mean (at 0.3) and other-class. By
    default uniform, which for cppn means random networks and is all there is; mean with the presets nguyen-*."""
    generations: int | None = None
    """Generations after the random beginning, at most. By default 200; of ascend (gradient steps of each class) 30, 300
    with adam, or as many as its nguyen-* preset takes; of squares 1000."""
    population: int | None = None
    """Candidates a generation, and in the random beginning, of evolve and scatter; by default 200."""
    batch: int | None = None
    """Candidates judged together before the archive changes; divides the population. By default 50 where that divides
    it, otherwise all of it; with the preset released-code always all of it. Of ascend and squares: how many classes are
    attempted at a time, by default up to 50; with 1 no batch is padded, so the fewest rows are sent."""
    budget: int | None = None
    """Evaluations (candidates judged) at most; by default as many as the generations take."""
    confidence: float | None = 0.9999
    """Stop once every class has an image of this confidence; None to go on to the end. ascend and squares also leave
    each class alone from there on."""
    time: str | None = None
    """Stop after this long, for example 90s, 10m or 2h. Where a run stops by time is not repeatable."""
    classes: tuple[str, ...] = ()
    """Labels to attempt; by default all."""
    max_queries: int | None = None
    """Rows sent to a remote target at most, all in all: retries, inspection and verification too. Never exceeded."""
    header: tuple[str, ...] = ()
    """For a remote target: NAME=VARIABLE sends the value of that environment variable as the header NAME."""
    seed: int = 0
    """The same seed on the same type of machine gives the same bytes."""
    repeats: int = 1
    """Do it so often, with seeds from --seed on, in one run: in how many of them was each class reached?"""
    threads: int = 1
    """That compute the network. More than one is slower on small images and other bytes."""
    engine: Literal["auto", "torch", "onnxruntime", "openvino", "openvino-bf16", "ray"] | None = None
    """What computes the network while searching; by default torch, of an ONNX file ONNX Runtime. auto measures engines,
    batch sizes and threads, and takes the fastest; ray spreads candidates over a cluster, see docs/cluster.md. Results
    are told by torch (of an ONNX file, ONNX Runtime) in float32 in any case; ascend climbs there, too."""
    address: str | None = None
    """With --engine ray: HOST:PORT of a cluster's head, or auto; by default a cluster is started on this machine."""
    workers: int | None = None
    """With --engine ray: how many judge; by default one a GPU of the cluster, or where it has none, a processor."""
    asynchronous: bool = False
    """With --engine ray: evolve waits for no slow worker. Not repeatable; without it, results do not depend on the
    number of workers."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where the network is asked: cuda, a GPU, where genomes, images and archive of evolve and scatter stay, too; auto,
    one where there is one. The same seed gives other bytes there; results are told by the CPU in any case."""
    renderer: Literal["torch", "numba", "dense"] | None = None
    """What paints the networks of cppn: torch, the reference, or numba, much faster and another level at few pixels, or
    dense, which can paint on a GPU. By default dense with --device cuda, numba where it is installed and another
    --engine than torch is given. Chosen once for a run."""
    survive: tuple[str, ...] = ()
    """Search for what survives: a candidate bids the lowest log-odds over itself and its versions after each of these
    transforms, for example jpeg75,crop90. See docs/metrics.md for their names; + joins several into one."""
    readers: str = ""
    """Who says whether the kept images can be read: by default the readers that come with trompe, where there are some
    for these classes and this size; or a folder of your own, fitted by `trompe train readers`; or none."""
    out: Path
    """The run folder: empty, or not there yet, or with --resume a run."""
    resume: bool = False
    """Go on with the run in the folder; it must have been begun with the same settings. A finished run stays as is."""
    guard: Path | None = None
    """A guard in front of the classifier: a folder that `trompe guard` wrote. Every search is against both."""
    trust: tuple[str, ...] = ()
    """Types that a stored scikit-learn estimator may hold beyond the plain ones."""


Method = Literal[
    "pixels-evolve",
    "cppn-evolve",
    "pixels-ascend",
    "cppn-ascend",
    "pixels-squares",
    "pixels-scatter",
    "cppn-scatter",
    "tokens-evolve",
    "tokens-scatter",
]
"""Encoding and search together, as results name them."""


@dataclass(frozen=True)
class AuditSettings:
    """How sure is a classifier about nonsense? Every method against it, in one run."""

    target: Annotated[Positional[str], arg(metavar="TARGET")]
    """The classifier: a bundled name (see `trompe targets`), a file, a folder, a server; see docs/targets.md."""
    _: KW_ONLY
    methods: tuple[Method, ...] = ("pixels-evolve", "cppn-evolve", "pixels-ascend", "pixels-squares")
    """What to try, in this order."""
    generations: int | None = None
    """Generations of each method, at most; by default as many as each takes by itself. See `trompe fool --help`."""
    budget: int | None = None
    """Evaluations (candidates judged) of each method, at most; by default as many as its generations take."""
    time: str | None = None
    """Be done after about this long, for example 10m: each method gets its part, and the run is valid whenever it ends.
    Where a run stops by time is not repeatable."""
    images: Path | None = None
    """Natural images, a folder for each class where labelled: the confidence of real ones beside that of nonsense."""
    confidence: float | None = 0.9999
    """Each method stops once every class has an image of this confidence; None to go on to the end."""
    classes: tuple[str, ...] = ()
    """Labels to attempt; by default all."""
    max_queries: int | None = None
    """Rows sent to a remote target at most, all in all: retries, inspection and verification too. Never exceeded."""
    header: tuple[str, ...] = ()
    """For a remote target: NAME=VARIABLE sends the value of that environment variable as the header NAME."""
    seed: int = 0
    """The same seed on the same type of machine gives the same bytes."""
    repeats: int = 1
    """Run each method so often, with seeds from --seed on: in how many of the runs was each class reached?"""
    threads: int = 1
    """That compute the network. More than one is slower on small images and other bytes."""
    engine: Literal["auto", "torch", "onnxruntime", "openvino", "openvino-bf16", "ray"] | None = None
    """What computes the network while searching; by default torch, of an ONNX file ONNX Runtime. auto measures engines,
    batch sizes and threads, and takes the fastest; ray spreads candidates over a cluster, see docs/cluster.md. Results
    are told by torch (of an ONNX file, ONNX Runtime) in float32 in any case; ascend climbs there, too."""
    address: str | None = None
    """With --engine ray: HOST:PORT of a cluster's head, or auto; by default a cluster is started on this machine."""
    workers: int | None = None
    """With --engine ray: how many judge; by default one a GPU of the cluster, or where it has none, a processor."""
    asynchronous: bool = False
    """With --engine ray: evolve waits for no slow worker. Not repeatable; without it, results do not depend on the
    number of workers."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where the network is asked: cuda, a GPU, where genomes, images and archive of evolve and scatter stay, too; auto,
    one where there is one. The same seed gives other bytes there; results are told by the CPU in any case."""
    renderer: Literal["torch", "numba", "dense"] | None = None
    """What paints the networks of cppn: torch, the reference, or numba, much faster and another level at few pixels, or
    dense, which can paint on a GPU. By default dense with --device cuda, numba where it is installed and another
    --engine than torch is given. Chosen once for a run."""
    survive: tuple[str, ...] = ()
    """Search for what survives: a candidate bids the lowest log-odds over itself and its versions after each of these
    transforms, for example jpeg75,crop90. See docs/metrics.md for their names; + joins several into one."""
    survival: bool = True
    """In the end, judge every kept image again after JPEG, resizing, a crop and shifts; not where each would be a
    query to a server."""
    pipeline: str = ""
    """One more such measurement: what your own service does to images, in order, for example resize2x+jpeg75."""
    readers: str = ""
    """Who says whether the kept images can be read: by default the readers that come with trompe, where there are some
    for these classes and this size; or a folder of your own, fitted by `trompe train readers`; or none."""
    out: Path
    """The run folder: empty, or not there yet, or with --resume a run."""
    resume: bool = False
    """Go on with the audit in the folder; it must have been begun with the same settings."""
    guard: Path | None = None
    """A guard in front of the classifier: a folder that `trompe guard` wrote. Every search is against both."""
    trust: tuple[str, ...] = ()
    """Types that a stored scikit-learn estimator may hold beyond the plain ones."""
    plan: bool = False
    """Say what would be done, and stop there."""
    fail_on: tuple[str, ...] = ()
    """Conditions that must not hold, like 'confident@0.99 > 0.2'. Exit code 3 where one does, 4 where it is undecided.
    Metrics: confident@L, fooled@L, open-trials@L, looks@L, above-natural, worse-than-baseline; L is a confidence,
    operating, or tpr95."""
    baseline: Path | None = None
    """A run to compare with, for worse-than-baseline."""
    output: Annotated[tuple[Path, ...], arg(aliases=["-o"])] = ()
    """Files to write beside the run, by their endings: results.json, report.html, junit.xml, summary.md."""


@dataclass(frozen=True)
class TrialSettings:
    """A fixed portfolio of attacks against a classifier: in how many trials does an unreadable image get through?"""

    target: Annotated[Positional[str], arg(metavar="TARGET")]
    """The classifier; see docs/targets.md for all that can stand here."""
    _: KW_ONLY
    model: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TARGET")] = ()
    """One more trained model of the same kind; several by several --model."""
    portfolio: Literal["full", "screen"] = "full"
    """full: nine starts, white box, black box, transfer; screen: a fast part of it, to try things out."""
    budget_scale: Literal[1, 3, 10] = 1
    """Times the portfolio's own budget. Only from 3 on can it be seen whether success still rises with it."""
    trials_per_class: int | None = None
    """Trials of each class, shared out evenly among the models as seeds; by default the portfolio's seeds a model."""
    level: float = 0.99
    """The confidence asked for: 0.5, 0.9, 0.99 or 0.9999."""
    guard: Path | None = None
    """A guard in front of every model: a folder that `trompe guard` wrote. Every attack is against both."""
    images: Path | None = None
    """Natural images, a folder for each class, for the starts made of them; by default a trained network's samples."""
    undefended: str | None = None
    """A classifier without defence that images are transferred from; by default the one behind the guard."""
    readers: str = ""
    """Who says whether the kept images can be read: by default the readers that come with trompe, where there are some
    for these classes and this size; or a folder of your own, fitted by `trompe train readers`; or none."""
    classes: tuple[str, ...] = ()
    """Labels to attempt; by default all."""
    seed: int = 0
    """Of the first trial of each class."""
    threads: int = 1
    """That compute the network."""
    out: Path
    """The folder: judgement.json, and a run for each model. Empty, or not there yet, or with --resume such a folder."""
    resume: bool = False
    """Go on with what is in the folder; it must have been begun with the same settings."""


@dataclass(frozen=True)
class DemoSettings:
    """Watch a bundled network become certain about nonsense: `trompe audit lenet-mnist`, seed 0, offline."""

    out: Path = Path("trompe-demo")
    """The run folder: empty, or not there yet, or with --resume a run."""
    resume: bool = False
    """Go on with an interrupted demo; a finished one is only shown again."""


@dataclass(frozen=True)
class CompareSettings:
    """Two runs, class by class: was the second target harder to make certain about nonsense?"""

    before: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run to compare with."""
    after: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run that is compared."""


@dataclass(frozen=True)
class InspectSettings:
    """Distrust first: what a classifier is, what is strange about it, and which preprocessing suits it."""

    target: Annotated[Positional[str], arg(metavar="TARGET")]
    """The classifier; see docs/targets.md for all that can stand here."""
    _: KW_ONLY
    images: Path | None = None
    """Labelled photographs, a folder for each class: every plausible preprocessing is tried on them."""
    limit: int = 200
    """Photographs at most."""
    guard: Path | None = None
    """A guard in front of the classifier: a folder that `trompe guard` wrote. Every search is against both."""
    trust: tuple[str, ...] = ()
    """Types that a stored scikit-learn estimator may hold beyond the plain ones."""
    save: Path | None = None
    """Write what is known as a target file, model.toml, which stands wherever a TARGET does."""


@dataclass(frozen=True)
class VerifySettings:
    """Read the images of a run back from disk, score them again, and compare with what was recorded."""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run folder; it may be read-only."""


@dataclass(frozen=True)
class ReportSettings:
    """Write a run as one page that opens from disk, and its contact sheet."""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run folder; the run need not be finished."""
    _: KW_ONLY
    out: Path | None = None
    """Folder for report.html and contact-sheet.png; by default the run folder itself."""
    public: bool = False
    """Leave out natural images, paths, machine, user and commit."""
    second: str | None = None
    """A second network to ask about the same images; by default the one bundled as a pair, if there is one."""
    answers: tuple[Path, ...] = ()
    """What people answered on pages of `trompe read`: any number of files, merged into the page and people.json."""


@dataclass(frozen=True)
class ReadSettings:
    """Write a page on which people say what they see in a run's images, real ones and noise among them."""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run folder; which pictures of the page are real and which noise is noted in it."""
    _: KW_ONLY
    out: Path | None = None
    """File to write, .html; by default read.html in the run folder."""
    images: Path | None = None
    """Real images, a folder for each class; by default the samples that came with the run's target."""
    count: int = 40
    """Different pictures, a multiple of 4: half from the run, a quarter real, a quarter noise."""
    seed: int = 0
    """Another seed chooses other pictures; raters are to be shown the same ones."""


@dataclass(frozen=True)
class FilmSettings:
    """Show how the strongest image of a class grew, as an animated picture of at most three frames a second."""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run folder."""
    label: Annotated[str, arg(name="class", metavar="LABEL")]
    """The class whose strongest image is shown."""
    _: KW_ONLY
    pictures: int = 24
    """Recorded pictures at most, evenly spread over the lineage; each two are faded into each other."""
    out: Path | None = None
    """File to write, .png (animated, exact) or .gif; by default film-CLASS.png in the run folder."""


@dataclass(frozen=True)
class DrawSettings:
    """Draw the strongest image of a class that a network painted again, at any size, and say what the network is."""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run folder."""
    label: Annotated[str, arg(name="class", metavar="LABEL")]
    """The class; of several searches with networks, the one whose image is strongest."""
    _: KW_ONLY
    size: str = "512"
    """Pixels: one number for the longer side, or height and width like 300x400."""
    formula: bool = False
    """Write the network's formula too, one line a node, into a .txt beside the picture."""
    graph: bool = False
    """Write its graph too, as an .svg beside the picture."""
    out: Path | None = None
    """File to write, .png; by default draw-CLASS.png in the run folder."""


@dataclass(frozen=True)
class TransferSettings:
    """How many of a run's images convince other classifiers, beside as many random and natural images?"""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run folder; or any folder of images, one folder for each class in it, or all in one."""
    _: KW_ONLY
    to: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TARGET")]
    """A classifier to ask; several by several --to."""
    guard: Path | None = None
    """A guard in front of every classifier that is asked: a folder that `trompe guard` wrote."""
    images: Path | None = None
    """Natural images to compare with, those its own target is as sure of; by default the samples of a bundled one."""
    out: Path | None = None
    """Folder for transfer.json; by default the run folder, and for a folder of images nothing is written."""


@dataclass(frozen=True)
class ExportSettings:
    """Write a run's images as plain files for other programs: folders by class, and one array file."""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run folder."""
    _: KW_ONLY
    out: Path
    """The folder to write: empty, or not there yet."""


@dataclass(frozen=True)
class RerunSettings:
    """Repeat a run with its stored settings and judge, and say whether the same bytes came out."""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """The run folder to repeat."""
    _: KW_ONLY
    out: Path
    """The new run folder."""
    resume: bool = False
    """Go on with a repetition that was interrupted."""


@dataclass(frozen=True)
class TrainSettings:
    """Train one of trompe's own small networks and write it as a target folder; or fit readers to labelled images."""

    architecture: Positional[
        Literal[
            "lenet", "mlp", "softmax", "naive-bayes", "lda", "qda", "kernel-bayes", "vae", "flow", "energy", "readers"
        ]
    ]
    """The network: the paper's LeNet, a fully connected one, or a linear classifier. A generative classifier, by Bayes'
    rule from p(x, y): naive Bayes, linear or quadratic discriminants, kernel densities, a variational autoencoder, a
    flow, a joint energy-based model. readers: machine readers that say what can be seen in an image, with what they are
    worth measured beside."""
    _: KW_ONLY
    data: Literal["mnist", "fashion-mnist"] = "mnist"
    """What to train on: 50,000 images; 10,000 more to choose on; the 10,000 test images are opened once, at the end."""
    images: Path | None = None
    """For readers: a folder with a folder of images for every class, instead of --data. Every fifth image is kept for
    measuring; of the others the odd positions are fitted to, and the even ones are left to guards."""
    seed: int = 0
    """Of the initial weights and the order of the data."""
    iterations: int = 10_000
    """Batches of 64 images; of readers, of the autoencoder of each class."""
    out: Path
    """Folder to write: weights, card, a hundred test images; or a folder for every reader, and calibration.json."""


GuardKind = Literal[
    "maximum-probability", "margin", "energy", "entropy", "logit",
    "mahalanobis", "knn",
    "pca-residual", "kde", "vae", "class-kde", "class-vae", "class-neighbours", "neighbours", "certified",
]  # fmt: skip
"""Every kind of guard; docs/guards.md says what each looks at."""


@dataclass(frozen=True)
class GuardSettings:
    """Fit a guard that says of each image whether to believe a classifier, and measure its false alarms."""

    target: Annotated[Positional[str], arg(metavar="TARGET")]
    """The classifier; see docs/targets.md for all that can stand here."""
    _: KW_ONLY
    images: str
    """Trusted images: mnist, fashion-mnist, or a folder with a folder of images for every class, best of such that the
    classifier was not trained on. Half of what may be trained on is left to readers; the threshold comes from images
    that the guard does not know, and its false alarms are counted on others again."""
    kind: GuardKind = "class-vae"
    """What it looks at. The classifier's outputs: maximum-probability, margin, logit, energy, entropy. An inner
    layer: mahalanobis, knn. How likely the image is: pca-residual, kde, vae. How likely it is of its class, and whether
    contrast, ink and detail are usual: class-kde, class-vae, class-neighbours. Trusted images of the class alone:
    neighbours, certified."""
    also: UseAppendAction[tuple[GuardKind, ...]] = ()
    """One more kind: an image is accepted only as what all of them accept; several by several --also."""
    false_alarms: float = 0.01
    """Share of natural images that may be refused, above 0 and below 0.5."""
    doubts: float = 0.0
    """Share of natural images that the classifier may not be certain of, above that of the refused and below 1: of
    what the guard accepts with less slack than the rest, no class is named with 99 %. 0 for none."""
    layer: str = ""
    """Of mahalanobis and knn: name of the inner layer, as the torch module's named_modules say it."""
    iterations: int = 2000
    """Of vae and class-vae: batches of 64 images of each class in the training."""
    seed: int = 0
    """Of vae and class-vae: of the initial weights and the order of the images."""
    trust: tuple[str, ...] = ()
    """Types that a stored scikit-learn estimator may hold beyond the plain ones."""
    out: Path
    """Folder to write: guard.json, and what the guard is made of. It loads without the images."""


@dataclass(frozen=True)
class HardenSettings:
    """Train a classifier that is harder to make certain about nonsense, and write it as a target folder."""

    _: KW_ONLY
    recipe: Literal[
        "negative-class", "outlier-exposure", "low-confidence", "low-confidence-all", "low-confidence-far", "refine"
    ]
    """negative-class: fool the network, call those images a class of their own, train anew, and again.
    outlier-exposure: noise and another data set beside each batch, to be calm about. low-confidence: noise that is
    first moved towards a class by gradient. low-confidence-all: the same, further, and with fainter noise and natural
    images of other classes. low-confidence-far: the same, but natural images keep their class while they are near.
    refine: images that given runs found."""
    data: str = "mnist"
    """What to train on: mnist, fashion-mnist, or a folder with one folder of images for each class."""
    architecture: str = "lenet"
    """The network: lenet, mlp or softmax (28x28, grey), or package.module:factory, a function of the number of classes
    that returns an untrained torch module; this runs that code."""
    iterations: int = 3000
    """Batches of 64 images in each training."""
    rounds: int | None = None
    """Of negative-class: how often a network is fooled and the next one trained; by default 4."""
    negatives: int | None = None
    """Of negative-class: images of the first attack that are trained on, a sixth of that of each later one. By default
    as many as a class has."""
    generations: int | None = None
    """Of negative-class: generations of each attack at most; by default 50."""
    methods: tuple[Literal["pixels-evolve", "cppn-evolve", "pixels-ascend"], ...] = ()
    """Of negative-class: how it is attacked, in turn; by default pixels-evolve and cppn-evolve."""
    outliers: str = ""
    """Of outlier-exposure: the other data set, a name or a folder of folders; of MNIST by default Fashion-MNIST, and
    the other way round, and of a folder none."""
    runs: tuple[Path, ...] = ()
    """Of refine: run folders whose images are trained on."""
    shape: tuple[int, int, int] | None = None
    """Channels, height, width to bring the images of a folder to; by default those of its first."""
    seed: int = 0
    """Of the initial weights, the order of the data, the noise and the attacks."""
    out: Path
    """Folder to write: weights, card, a hundred test images; of negative-class also every round."""
    resume: bool = False
    """Go on where it was interrupted: of negative-class after the last round that was finished, otherwise a few seconds
    before; the settings must be the same."""


@dataclass(frozen=True)
class PaperSettings:
    """Run the paper's experiments again: its numbers beside ours, and a verdict on each claim."""

    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME")] = ()
    """Experiments; by default all. See --list."""
    _: KW_ONLY
    list: bool = False
    """Name the experiments, their claims and costs, and stop there."""
    quick: bool = False
    """A small version of everything, in minutes: little is decided by it."""
    full: bool = False
    """The paper's own budgets where the usual ones are smaller; this takes days."""
    seeds: int | None = None
    """Runs or trained models of each experiment, where not as many as it has by default."""
    images: Path | None = None
    """Labelled photographs. Of imagenet-cppn: a folder for each class of ImageNet, to say how sure the network is of
    real ones. Of retrain-imagenet: a folder for each class, of any kind, to retrain a network on. Without them neither
    is measured."""
    workers: int | None = None
    """Processes that measure at a time; by default one a core. Data are the same for any number, but for timings."""
    out: Path = Path("trompe-paper")
    """Folder for data and page. With what an earlier call left there, the same command goes on."""


@dataclass(frozen=True)
class WhySettings:
    """Why are neural networks easily fooled? Each question of a well-known discussion, answered by experiments."""

    names: Annotated[Positional[tuple[str, ...]], arg(metavar="NAME")] = ()
    """Experiments; by default all. See --list."""
    _: KW_ONLY
    list: bool = False
    """Name the experiments, their claims and costs, and stop there."""
    quick: bool = False
    """A small version of everything, in minutes: little is decided by it."""
    seeds: int | None = None
    """Trained models of each experiment, where not as many as it has by default."""
    workers: int | None = None
    """Processes that measure at a time; by default one a core. Data are the same for any number, but for timings."""
    out: Path = Path("trompe-why")
    """Folder for data and page. With what an earlier call left there, the same command goes on."""


@dataclass(frozen=True)
class TargetsSettings:
    """List the classifiers that come with trompe."""
