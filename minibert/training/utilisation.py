"""How well a training run uses the machine: its model FLOPs utilisation.

Chowdhery et al. (2022), "PaLM", arXiv:2204.02311, appendix B, count what a model must multiply by a
formula. Here PyTorch counts what one update did multiply, so that what is left out, such as padding
or a softmax at positions without a target, makes nothing look busy.
"""

import math
from time import perf_counter

import torch
from torch.utils.flop_counter import FlopCounterMode

from minibert.training.loop import tokens_of
from minibert.training.run import Run

COUNTED = 2  # the update that is counted: the first ones set things up
REPEATS = 3


def peak_flops(device: torch.device | str = "cpu", size: int = 2048) -> float:
    """FLOP a second of one large product of matrices in single precision; the best of three."""
    a, b = (torch.ones(size, size, device=device) for _ in range(2))
    seconds = []
    for _ in range(REPEATS):
        start = perf_counter()
        (a @ b)[0, 0].item()  # waits for a GPU
        seconds.append(perf_counter() - start)
    return 2 * size**3 / min(seconds)


class Utilisation:
    """Puts ``run.utilisation`` into a run: its FLOP a second over those of `peak_flops`.

    What an update multiplies is counted once, in its third update, forward and backward; from
    then on the run's tokens per second tell the rest. Matrix products and attention count, what a
    fused LSTM does is not seen.
    """

    def on_start(self, run: Run) -> None:
        self.counted = run.step + COUNTED
        self.peak = math.nan
        self.counter: FlopCounterMode | None = None
        self.a_token: float | None = None

    def before_step(self, run: Run) -> None:
        if run.step == self.counted:
            self.peak = peak_flops(run.device)
            self.counter = FlopCounterMode(display=False)
            self.counter.__enter__()

    def on_step(self, run: Run) -> None:
        if self.counter is not None:
            self.counter.__exit__(None, None, None)
            tokens = sum(map(tokens_of, run.batch))
            self.a_token, self.counter = self.counter.get_total_flops() / tokens, None
        elif self.a_token is not None:
            run.utilisation = self.a_token * run.history.speed[-1] / self.peak

    def on_end(self, run: Run) -> None:
        if self.counter is not None:  # interrupted within the update
            self.counter.__exit__(None, None, None)
            self.counter = None
