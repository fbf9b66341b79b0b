"""The seam between searching and judging: one engine, one batch size, one thread count, chosen once and stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from trompe.core.check import check_outputs
from trompe.core.types import Images, Outputs, Target


@dataclass(frozen=True)
class JudgeSettings:
    """How a target is asked. Logits differ in their last bits between batch sizes, so this is part of a run.

    Attributes:
        batch: Rows a call; the last batch is padded with copies of its last row.
        threads: Of torch, on the CPU.
        engine: What computes the network.
        precision: Of its weights and arithmetic.
    """

    batch: int
    threads: int = 1
    engine: str = "torch"
    precision: str = "float32"


@dataclass(frozen=True, eq=False)
class Judge:
    """A target behind a fixed way of asking it: the same image gets the same bits, wherever in a batch it stands.

    Attributes:
        target: The classifier.
        settings: How it is asked.
    """

    target: Target
    settings: JudgeSettings

    def judge(self, inputs: Images) -> Outputs:
        """What the target says of each input, checked at the door.

        Raises:
            TargetError: The answers have the wrong shape or are not numbers.
        """
        with torch.inference_mode(), _threads(self.settings.threads):
            parts = [self._ask(batch) for batch in inputs.split(self.settings.batch)]
        if len(parts) == 1:
            return parts[0]
        slack = [part.slack for part in parts if part.slack is not None]
        return Outputs(torch.cat([part.logits for part in parts]), torch.cat(slack) if slack else None)

    def forwards(self, n: int) -> int:
        """Rows that judging n inputs sends to the target, padding included."""
        return -(-n // self.settings.batch) * self.settings.batch

    def _ask(self, batch: Images) -> Outputs:
        n, size = len(batch), self.settings.batch
        if n < size:
            batch = torch.cat([batch, batch[-1:].expand(size - n, *batch.shape[1:])])
        outputs = self.target.judge(batch)
        check_outputs(outputs, size, self.target.labels, f"target {self.target.name}")
        if n == size:
            return outputs
        return Outputs(outputs.logits[:n], None if outputs.slack is None else outputs.slack[:n])


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
