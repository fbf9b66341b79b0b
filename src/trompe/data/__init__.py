"""Real data: MNIST and Fashion-MNIST, fetched once, checked by content, split once and for all."""

from trompe.data.dataset import NAMES, Dataset, Split, load

__all__ = ["NAMES", "Dataset", "Split", "load"]
