"""A language model as a second task beside the one that counts, less and less important.

Radford et al. (2018), section 3.2, with a constant weight (`minibert.heads.LastToken` and
`DoubleHeads` have theirs); Chronopoulou et al. (2019), "An Embarrassingly Simple Approach for
Transfer Learning from Pretrained Language Models" (SiATL), arXiv:1902.10547, section 3, with a
weight that falls exponentially.
"""

from typing import Any

from torch import nn

from minibert.heads.head import TEXT, base_of
from minibert.heads.last_token import LAMBDA
from minibert.models.outputs import Loss
from minibert.text.batches import Batch
from minibert.training.optim import Schedule
from minibert.training.run import Run
from minibert.transfer.mixing import BESIDE


class WithLanguageModel(nn.Module):
    """A head and a language model on one encoder, trained together; the head predicts alone.

    The loss is the task's + ``auxiliary`` * the language model's, both means. language_model: any
    model with a loss. It reads the text of the task, which suits a `CausalLM`; or, of
    `SideBySide`, the batch ``beside``, which may be of other texts, and has masked words for a
    `MaskedLM`. auxiliary: at least 0; `Annealed` changes it while training goes on.

    Raises ValueError for another encoder and for a negative weight.
    """

    def __init__(
        self, head: nn.Module, language_model: nn.Module, auxiliary: float = LAMBDA
    ) -> None:
        super().__init__()
        if base_of(head) is not base_of(language_model):
            raise ValueError("expected a head and a language model on one encoder, got two")
        if not auxiliary >= 0:
            raise ValueError(f"expected an auxiliary weight of at least 0, got {auxiliary}")
        self.encoder = base_of(head)  # its layers are groups, see `minibert.transfer.groups`
        self.head: Any = head
        self.language_model: Any = language_model
        self.auxiliary = auxiliary

    def loss(self, batch: Batch) -> Loss:
        """(sum of the losses, number of the task's); in eval mode the task's alone."""
        loss, count = self.head.loss(batch)
        if not (self.training and self.auxiliary > 0):
            return loss, count
        text = batch.get(BESIDE) or {name: batch[name] for name in TEXT if name in batch}
        words, number = self.language_model.loss(text)
        return loss + self.auxiliary * count * words / max(number, 1), count


class Annealed:
    """A callback that sets a number of the model to ``schedule(step)`` before each update.

    name: of the number, such as "auxiliary" of a `WithLanguageModel`, a `minibert.heads.LastToken`
    or a `minibert.heads.DoubleHeads`, or "weight" of a `Consistency`. schedule: from the step, 0
    for the first update, to its value. At the end the number is what it was.

    Raises ValueError for a model without such a number.
    """

    def __init__(self, name: str, schedule: Schedule) -> None:
        self.name, self.schedule = name, schedule

    def on_start(self, run: Run) -> None:
        self.before = getattr(run.model, self.name, None)
        if not isinstance(self.before, int | float):
            kind = type(run.model).__name__
            raise ValueError(f"expected a model with a number {self.name!r}, got a {kind}")

    def before_step(self, run: Run) -> None:
        setattr(run.model, self.name, self.schedule(run.step))

    def on_end(self, run: Run) -> None:
        setattr(run.model, self.name, self.before)


def exponential(steps: int, first: float = 0.2, last: float = 0.1) -> Schedule:
    """A schedule for `Annealed`: from ``first`` to ``last`` by the same factor at each step.

    SiATL's authors go from 0.2 to 0.1. Raises ValueError for fewer than two steps and for a weight
    that is not above 0.
    """
    if steps < 2 or not (first > 0 and last > 0):
        told = f"got steps={steps}, first={first} and last={last}"
        raise ValueError(f"expected two steps or more and weights above 0, {told}")
    return lambda step: first * (last / first) ** min(1.0, step / (steps - 1))
