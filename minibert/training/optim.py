"""Optimisers and schedules.

A schedule is a function from the step (0 for the first update) to a factor; `minibert.fit`
multiplies each parameter group's own rate by it.
"""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from minibert.training.run import Run

Group = dict[str, Any]  # of an optimiser: "params", and options such as "lr"
Schedule = Callable[[float], float]


def parameter_groups(model: nn.Module, weight_decay: float = 0.01) -> list[Group]:
    """Two groups: matrices, which decay, and biases and norms (fewer than two dimensions), not.

    Decaying a norm's gain or a bias pulls it away from its neutral value for no benefit, so BERT
    and GPT leave them out (Devlin et al. 2019, appendix A.2; Radford et al. 2018, section 4.1).
    """
    return decay_groups(model.parameters(), weight_decay)


def decay_groups(
    parameters: Iterable[nn.Parameter], weight_decay: float, **options: Any
) -> list[Group]:
    """The parameters that learn as two groups, as in `parameter_groups`, both with ``options``."""
    parameters = [p for p in parameters if p.requires_grad]
    matrices, others = ([p for p in parameters if (p.ndim >= 2) is many] for many in (True, False))
    return [
        {"params": matrices, "weight_decay": weight_decay, **options},
        {"params": others, "weight_decay": 0.0, **options},
    ]


def adamw(
    model: nn.Module | list[Group],
    rate: float = 1e-3,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.999),
    *,
    eps: float = 1e-8,
) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) over a model, or over a list of parameter groups.

    A group may carry its own ``lr`` and ``weight_decay``. One fused kernel makes the update on a
    CPU and on CUDA.
    """
    groups = parameter_groups(model, weight_decay) if isinstance(model, nn.Module) else model
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("expected parameters to train, got none: are they all frozen?")
    fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    return torch.optim.AdamW(
        groups, lr=rate, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused
    )


def linear(steps: int, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """A rise in ``warmup`` steps, then a straight fall to ``floor``; as word2vec's with 1e-4."""
    _check(steps, warmup)
    return lambda t: min(_rise(t, warmup), max(floor, 1 - _progress(t, steps, warmup)))


def cosine(steps: int, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """A rise, then half a cosine wave to ``floor`` (Loshchilov & Hutter 2017, equation 5)."""
    _check(steps, warmup)

    def factor(step: float) -> float:
        wave = (1 + math.cos(math.pi * _progress(step, steps, warmup))) / 2
        return min(_rise(step, warmup), floor + (1 - floor) * wave)

    return factor


def slanted_triangular(steps: int, cut: float = 0.1, ratio: float = 32) -> Schedule:
    """A short straight rise and a long straight fall (Howard & Ruder 2018, section 3.2).

    It starts at 1 / ``ratio``, is 1 after a share ``cut`` of the ``steps``, and comes back to
    1 / ``ratio`` at the end. Raises ValueError unless 0 < cut < 1 and ratio >= 1.
    """
    if not (0 < cut < 1 and ratio >= 1 and steps >= 1):
        raise ValueError(
            f"expected steps >= 1, 0 < cut < 1 and ratio >= 1, got {steps}, {cut} and {ratio}"
        )
    top = max(1, math.floor(steps * cut))

    def factor(step: float) -> float:
        # the paper's 1 - (t - top) / (top (1 / cut - 1)), with an end that is exact
        fall = max(0.0, 1 - (step - top) / max(1, steps - top))
        p = step / top if step < top else fall
        return (1 + p * (ratio - 1)) / ratio

    return factor


class NTASGD(torch.optim.Optimizer):
    """SGD that keeps running averages of its weights, once it is told to.

    Merity et al. 2018, algorithm 1; `NonMonotone` is the callback that tells it when. The averages
    are not what training goes on with: `show_averages` puts them into the model, to be looked at.
    Averages and validation losses are part of ``state_dict()``.

    ``raw``: while the model holds averages, the weights that training goes on with.
    """

    def __init__(
        self, model: nn.Module | Iterable[Any], rate: float = 30.0, weight_decay: float = 1.2e-6
    ) -> None:
        groups = model.parameters() if hasattr(model, "parameters") else model
        super().__init__(groups, {"lr": rate, "weight_decay": weight_decay})
        self.raw: dict[Tensor, Tensor] = {}
        self.param_groups[0]["valid_losses"], self.param_groups[0]["averaging"] = [], False

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.raw = {}

    @property
    def averaging(self) -> bool:
        """Whether averaging has begun."""
        return self.param_groups[0]["averaging"]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of weights and averages; RuntimeError while the model holds the averages."""
        if self.raw:
            raise RuntimeError("the model holds averaged weights: call show_weights() to train on")
        with torch.enable_grad():
            loss = closure() if closure else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(p.grad, alpha=-group["lr"])
                if self.averaging:
                    state = self.state[p]
                    state["count"] = state.get("count", 0) + 1
                    average = state.setdefault("average", p.clone())
                    average.lerp_(p, 1 / state["count"])
        return loss

    def record(self, valid_loss: float, patience: int = 5) -> None:
        """Note a validation loss; averaging begins if it is worse than it was some time ago.

        Worse than the best of all but the last ``patience`` (the paper's n, 0 or more).
        """
        if patience < 0:
            raise ValueError(f"patience must be at least 0 validations, got {patience}")
        losses = self.param_groups[0]["valid_losses"]
        earlier = losses[: max(0, len(losses) - patience)]
        if earlier and valid_loss > min(earlier):
            self.param_groups[0]["averaging"] = True
        losses.append(valid_loss)

    @torch.no_grad()
    def show_averages(self) -> None:
        """Put the averages, where there are any, into the model; `show_weights` undoes it."""
        for p, state in self.state.items():
            if "average" in state and p not in self.raw:
                self.raw[p] = p.clone()
                p.copy_(state["average"])

    @torch.no_grad()
    def show_weights(self) -> None:
        """Give the model back the weights that training goes on with."""
        for p in list(self.raw):
            p.copy_(self.raw[p])
            del self.raw[p]


class NonMonotone:
    """The callback of `NTASGD`: validates on the averages, and leaves them in the model at the end.

    ``fit(model, batches, optimizer=optimizer, callbacks=[NonMonotone()], valid=...)``. The next
    call with the same optimiser goes on from the raw weights. Raises ValueError for a run with
    another optimiser or without ``valid``.
    """

    def __init__(self, patience: int = 5) -> None:
        if patience < 0:
            raise ValueError(f"patience must be at least 0 validations, got {patience}")
        self.patience = patience

    def on_start(self, run: "Run") -> None:
        if not isinstance(run.optimizer, NTASGD):
            raise ValueError(f"NonMonotone needs NTASGD, got {type(run.optimizer).__name__}")
        run.needs_valid("NonMonotone")
        self.optimizer = run.optimizer
        self.optimizer.show_weights()

    def before_valid(self, run: "Run") -> None:
        self.optimizer.show_averages()

    def on_valid(self, run: "Run") -> None:
        self.optimizer.record(run.history.valid_loss[-1], self.patience)

    def after_valid(self, run: "Run") -> None:
        self.optimizer.show_weights()

    def on_end(self, run: "Run") -> None:
        self.optimizer.show_averages()


def _rise(step: float, warmup: int) -> float:
    return min(1.0, (step + 1) / (warmup + 1))


def _progress(step: float, steps: float, warmup: int) -> float:
    """0 at the end of the warm-up, 1 from ``steps`` on."""
    return min(1.0, max(0.0, (step - warmup) / (steps - warmup)))


def _check(steps: float, warmup: int) -> None:
    if not 0 <= warmup < steps:
        raise ValueError(f"expected 0 <= warmup < steps, got warmup={warmup} and steps={steps}")
