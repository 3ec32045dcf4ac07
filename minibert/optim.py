"""Optimisers and schedules.

A schedule is a function from the step (0 for the first update) to a factor; `minibert.fit`
multiplies each parameter group's own rate by it.
"""

import math

import torch


def parameter_groups(model, weight_decay=0.01):
    """Two groups: matrices, which decay, and biases and norms (fewer than two dimensions), not.

    Decaying a norm's gain or a bias pulls it away from its neutral value for no benefit, so BERT
    and GPT leave them out (Devlin et al. 2019, appendix A.2; Radford et al. 2018, section 4.1).
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def adamw(model, rate=1e-3, weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8):
    """AdamW (Loshchilov & Hutter 2019) over a model, or over a list of parameter groups.

    A group may carry its own ``lr`` and ``weight_decay``. One fused kernel makes the update on a
    CPU and on CUDA.
    """
    groups = parameter_groups(model, weight_decay) if hasattr(model, "parameters") else model
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("expected parameters to train, got none: are they all frozen?")
    fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    return torch.optim.AdamW(
        groups, lr=rate, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused
    )


def constant(warmup=0):
    """1 at every step, after rising in ``warmup`` even steps."""
    return lambda step: _rise(step, warmup)


def linear(steps, warmup=0, floor=0.0):
    """A rise in ``warmup`` steps, then a straight fall to ``floor`` at ``steps``.

    With ``floor=1e-4`` and no warm-up this is word2vec's schedule.
    """
    _check(steps, warmup)

    def factor(step):
        return min(_rise(step, warmup), max(floor, 1 - _progress(step, steps, warmup)))

    return factor


def cosine(steps, warmup=0, floor=0.0):
    """A rise in ``warmup`` steps, then half a cosine wave down to ``floor`` at ``steps``.

    Loshchilov & Hutter 2017, equation 5, without restarts.
    """
    _check(steps, warmup)

    def factor(step):
        wave = (1 + math.cos(math.pi * _progress(step, steps, warmup))) / 2
        return min(_rise(step, warmup), floor + (1 - floor) * wave)

    return factor


def inverse_square_root(warmup):
    """A rise in ``warmup`` steps, then a fall with 1 / sqrt(step).

    Vaswani et al. 2017, section 5.3, scaled so that the peak is 1.
    """
    _check(math.inf, warmup)
    return lambda step: min(_rise(step, warmup), math.sqrt((warmup + 1) / (step + 1)))


def _rise(step, warmup):
    return min(1.0, (step + 1) / (warmup + 1))


def _progress(step, steps, warmup):
    """0 at the end of the warm-up, 1 from ``steps`` on."""
    return min(1.0, max(0.0, (step - warmup) / (steps - warmup)))


def _check(steps, warmup):
    if not 0 <= warmup < steps:
        raise ValueError(f"expected 0 <= warmup < steps, got warmup={warmup} and steps={steps}")
