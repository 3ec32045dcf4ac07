"""Chapter 09: how a structural probe is trained, rightly and with known mistakes."""

import math
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.exercises.ch04_tried import normal
from minibert.course.learn.exercises.ch09_trees import TreeLoss

Sentence = tuple[Tensor, Tensor]
Case = tuple[int, float, int, int]  # seed, rate, epochs, patience
TOLERANCE = 1e-3
DIM, RANK = 5, 3
BATCHES, VALID = ((5, 3), (6, 4, 7), (2,), (4, 8)), (4, 7, 3)  # lengths of the sentences
MISTAKES: dict[str, dict[str, Any]] = {
    "3. the gradients add up from batch to batch: call `optimizer.zero_grad()`.": {"keep": True},
    "3. nothing is learned: `zero_grad()`, `backward()`, `step()`, in this order, and on the "
    "tensor that the optimiser was given.": {"step": False},
    "3. a new optimiser for every batch forgets its averages: make it once.": {"anew": "batch"},
    "3. a new optimiser for every epoch forgets its averages: make it once.": {"anew": "epoch"},
    "3. this is plain gradient descent: take `torch.optim.Adam`.": {"kind": "SGD"},
    "3. the rate is not yours: `Adam([B], lr=self.rate)`.": {"lr": 1e-3},
    "3. the loss is turned upside down: the distances get worse.": {"sign": -1.0},
    "3. one update for each sentence: the mean of the batch makes one update.": {"cut": "one"},
    "3. one update for each epoch: each batch makes one.": {"cut": "all"},
    "3. each batch is learned twice: go over the list once in an epoch.": {"twice": True},
    "3. only the first batch is learned: go over all of them.": {"only": 1},
    "3. the last batch is left out: go over all of them.": {"only": -1},
    "3. the mean is over all pairs of words of a batch, so that long sentences count more: the "
    "mean of the sentences' losses.": {"pooled": True},
    "3. the validation sentences teach, too: they only say when to end.": {"teach": True},
    "3. the list holds sums over the validation sentences: their mean.": {"noted": "sum"},
    "3. the list holds losses of the training sentences: measure `valid`.": {"noted": "train"},
    "3. the validation loss is measured before the updates of its epoch: after them.":
        {"noted": "before"},
    "4. the rate stays the same: halve it after each epoch that is no better.": {"halve": "never"},
    "4. the rate is halved after every epoch: only where the loss is no better.":
        {"halve": "always"},
    "4. the rate is divided by ten: halve it.": {"factor": 0.1},
    "4. the rate is doubled: halve it.": {"factor": 2.0},
    "4. it never ends early: after `self.patience` epochs in a row that are no better.":
        {"late": math.inf},
    "4. it ends one epoch too late: `self.patience` epochs in a row are enough.": {"late": 1},
    "4. it ends one epoch too early.": {"late": -1},
    "4. `self.patience` counts epochs *in a row*: an epoch that is better sets the count back to "
    "0.": {"reset": False},
    "4. each epoch is compared with the one before: compare it with the best so far.":
        {"against": "before"},
    "4. training goes back to the best B after an epoch that is no better: it goes on from where "
    "it is; only what is kept is the best.": {"back": True},
    "4. `self.B` is that of the last epoch. Keep the best one, as a copy: `B.detach()` alone "
    "shares its numbers with B, which Adam goes on changing.": {"kept": "last"},
    "4. `self.B` is that of the first epoch.": {"kept": "first"},
    "4. `self.B` is that of the largest loss.": {"kept": "worst"},
}  # fmt: skip


def arcs_between(heads: list[int]) -> Tensor:
    """How many arcs lie between two words, (n, n); each word comes after its head."""
    found = torch.zeros(len(heads), len(heads))
    for word in range(1, len(heads)):
        found[word, :word] = found[heads[word], :word] + 1
        found[:word, word] = found[word, :word]
    return found


def problem(seed: int) -> tuple[Tensor, list[list[Sentence]], list[Sentence]]:
    """(B before training, batches, validation sentences), of odd sizes."""
    draw = torch.Generator().manual_seed(7_000 + seed)
    secret, start = normal(DIM, RANK, seed=seed), 0.5 * normal(DIM, RANK, seed=seed + 500)

    def sentence(length: int) -> Sentence:
        heads = [-1, *(int(torch.randint(0, i, (), generator=draw)) for i in range(1, length))]
        x = torch.randn(length, DIM, generator=draw)
        for word in range(1, length):  # near to its head, so that there is something to learn
            x[word] = x[heads[word]] + x[word] / secret.norm()
        return x, arcs_between(heads)

    batches = [[sentence(length) for length in batch] for batch in BATCHES]
    return start, batches, [sentence(length) for length in VALID]


def mean_loss(B: Tensor, some: list[Sentence], pooled: bool = False) -> Tensor:
    """The mean loss of some sentences; pooled: the mean over all their pairs of words."""
    losses = [TreeLoss.solve(h, B, gold) for h, gold in some]
    shares = [float(len(h) ** 2) if pooled else 1.0 for h, _ in some]
    weighed = [share * loss for share, loss in zip(shares, losses, strict=True)]
    return torch.stack(weighed).sum() / sum(shares)


def batches_of(seed: int, how: dict[str, Any]) -> list[list[Sentence]]:
    """What makes an update each in an epoch."""
    _, batches, valid = problem(seed)
    every = [one for batch in batches for one in batch]
    cut = {"one": [[one] for one in every], "all": [every]}.get(how.get("cut", ""), batches)
    cut = [batch for batch in cut for _ in range(2 if how.get("twice") else 1)]
    return [*cut[: how.get("only")], *([valid] if how.get("teach") else [])]


def optimiser(B: Tensor, rate: float, how: dict[str, Any]) -> torch.optim.Optimizer:
    """Adam, or the wrong one."""
    return getattr(torch.optim, how.get("kind", "Adam"))([B], lr=how.get("lr", rate))


def epoch(B: Tensor, optimizer: Any, batches: list, how: dict[str, Any]) -> Any:
    """One pass; gives the optimiser."""
    rate = optimizer.param_groups[0]["lr"]
    if how.get("anew") == "epoch":
        optimizer = optimiser(B, rate, how)
    for batch in batches:
        if how.get("anew") == "batch":
            optimizer = optimiser(B, rate, how)
        if not how.get("keep"):
            optimizer.zero_grad()
        (how.get("sign", 1.0) * mean_loss(B, batch, how.get("pooled", False))).backward()
        if how.get("step", True):
            optimizer.step()
    return optimizer


def noted(B: Tensor, seed: int, how: dict[str, Any]) -> float:
    """The loss that is noted after an epoch."""
    _, batches, valid = problem(seed)
    with torch.no_grad():
        if how.get("noted") == "train":
            return float(torch.stack([mean_loss(B, batch) for batch in batches]).mean())
        return float(mean_loss(B, valid)) * (len(valid) if how.get("noted") == "sum" else 1)


def variant(case: Case, **how: Any) -> tuple[list[float], Tensor]:
    """(validation loss of each epoch, B that is kept) after `fit`, or after one with a mistake."""
    seed, rate, epochs, patience = case
    with torch.enable_grad():
        B = problem(seed)[0].clone().requires_grad_()
        optimizer, batches = optimiser(B, rate, how), batches_of(seed, how)
        losses, copies, worse = list[float](), list[Tensor](), 0
        for _ in range(epochs):
            before = noted(B, seed, how)
            optimizer = epoch(B, optimizer, batches, how)
            after = before if how.get("noted") == "before" else noted(B, seed, how)
            best = losses[-1:] if how.get("against") == "before" else losses
            better = after < min(best, default=math.inf)
            losses.append(after)
            copies.append(B.detach().clone())
            if not better:
                worse += 1
            elif how.get("reset", True):
                worse = 0
            if {"never": False, "always": True}.get(how.get("halve", ""), not better):
                optimizer.param_groups[0]["lr"] *= how.get("factor", 0.5)
            if not better and how.get("back"):
                B.data.copy_(copies[losses.index(min(losses))])
            if worse >= patience + how.get("late", 0):
                break
    place = {"last": -1, "first": 0, "worst": losses.index(max(losses))}
    if how.get("against") == "before":  # the last one that was better than the one before
        rising = [i for i, one in enumerate(losses) if not i or one < losses[i - 1]]
        return losses, copies[rising[-1]]
    return losses, copies[place.get(how.get("kept", ""), losses.index(min(losses)))]
