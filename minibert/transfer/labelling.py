"""Labels from rules of thumb: labelling functions vote, and a label model weighs the votes.

Ratner et al. (2016), "Data Programming: Creating Large Training Sets, Quickly", arXiv:1605.07723:
how often each function is right is learned from where the functions agree and differ, without a
label. The algorithm is that of Dawid & Skene (1979), "Maximum Likelihood Estimation of Observer
Error-Rates Using the EM Algorithm", with one accuracy for each function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from minibert.heads.labels import Given, Labels
from minibert.heads.reading import listed

ABSTAIN = -1  # the vote of a function that says nothing
START = 0.7  # the accuracy that each function is first believed to have
SURE = 1e-6  # no accuracy comes nearer to 0 or 1
Votes = Int64[np.ndarray, "texts functions"]
Shares = Float64[np.ndarray, "texts classes"]


class VoteRates(NamedTuple):
    """Of one function, shares of all texts: where it votes, where others do too, and differ."""

    coverage: float
    overlap: float
    conflict: float


def votes(functions: Sequence[Callable[[Any], Any]], texts: Sequence, labels: Given) -> Votes:
    """What each labelling function says of each text: a class's number, or `ABSTAIN`.

    functions: each takes a text and gives a label, or None where it says nothing. labels: how many
    there are, or their names, as for a head. Raises ValueError for a label that is none of them,
    and for what is no list of functions.
    """
    if callable(functions) or not all(map(callable, functions)):
        raise ValueError(f"expected a list of functions of a text, got {functions!r:.80}")
    texts, outcome = listed(texts), Labels(labels)
    found = np.full((len(texts), len(functions)), ABSTAIN, np.int64)
    for column, function in enumerate(functions):
        for row, text in enumerate(texts):
            said = function(text)
            try:
                found[row, column] = ABSTAIN if said is None else outcome.number(said)
            except ValueError as error:
                name = getattr(function, "__name__", f"number {column}")
                raise ValueError(f"the labelling function {name}: {error}, or None") from None
    return found


def vote_rates(votes: Votes) -> list[VoteRates]:
    """How much each function covers, overlaps with others and contradicts one of them."""
    votes = _checked(votes)
    voted = votes != ABSTAIN  # (texts, functions)
    both = voted[:, :, None] & voted[:, None, :]  # (texts, functions, functions)
    differ = both & (votes[:, :, None] != votes[:, None, :])
    overlap = voted & (both.sum(2) > 1)  # each is there with itself
    found = zip(voted.mean(0), overlap.mean(0), differ.any(2).mean(0), strict=True)
    return [VoteRates(*map(float, row)) for row in found]


def majority(votes: Votes, classes: int) -> Shares:
    """The class with the most votes, equal shares for equals; where none is cast, for all."""
    votes = _checked(votes, classes)
    counts = (votes[:, :, None] == np.arange(classes)).sum(1)  # (texts, classes)
    most = counts == counts.max(1, keepdims=True)
    return most / most.sum(1, keepdims=True)


@dataclass(frozen=True)
class LabelModel:
    """What is believed of the functions, which err independently of each other, given the class.

    A function votes on a share of the texts whatever their class (``coverage``), is right with its
    ``accuracy``, and else names any other class alike (section 3). ``balance``: how likely each
    class is. ``likelihood``: of the votes given who votes, the mean log-likelihood of a text
    (nats) before each round of `fit`.
    """

    accuracy: Float64[np.ndarray, " functions"]
    coverage: Float64[np.ndarray, " functions"]
    balance: Float64[np.ndarray, " classes"]
    likelihood: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls,
        votes: Votes,
        classes: int,
        balance: Sequence[float] | None = None,
        rounds: int = 1000,
        *,
        tolerance: float = 1e-9,
    ) -> "LabelModel":
        """Estimate all from votes alone, by EM, until a round gains less than ``tolerance`` nats.

        balance: of the classes, if it is known; else it is estimated too. That most functions are
        right more often than by chance is taken for granted: it is where EM starts. Raises
        ValueError for fewer than three functions, whose agreement determines no accuracy; for one
        that never votes, and votes that are no classes; for a balance that is no distribution.
        """
        votes = _checked(votes, classes)
        count, coverage = votes.shape[1], (votes != ABSTAIN).mean(0)
        if count < 3:
            raise ValueError(f"expected at least 3 functions to compare, got {count}: see majority")
        if not coverage.all():
            raise ValueError(f"function {int(coverage.argmin())} never votes: leave it out")
        given = _distribution([1 / classes] * classes if balance is None else balance, classes)
        model = cls(np.full(count, START), coverage, given)
        cast = votes[(votes != ABSTAIN).any(1)]  # the other texts say nothing of the functions
        found: list[float] = []
        for _ in range(rounds):
            log_joint = model._log_joint(cast)
            found.append(float(np.logaddexp.reduce(log_joint, 1).mean()))
            if len(found) > 1 and found[-1] - found[-2] < tolerance:
                break
            shares = _normalised(log_joint)
            right = np.take_along_axis(shares, cast.clip(0), 1) * (cast != ABSTAIN)
            accuracy = right.sum(0) / (cast != ABSTAIN).sum(0)
            given = shares.mean(0) if balance is None else given
            model = cls(accuracy.clip(SURE, 1 - SURE), coverage, given)
        return cls(model.accuracy, coverage, model.balance, tuple(found))

    def posterior(self, votes: Votes) -> Shares:
        """How likely each class is, given a text's votes: soft labels, rows adding up to 1.

        ``soft_examples`` of `minibert.transfer.distillation` makes them what a head learns from;
        leave out the texts without a vote, for which it is the balance. Raises ValueError.
        """
        votes = _checked(votes, len(self.balance))
        if votes.shape[1] != len(self.accuracy):
            expected = f"expected the votes of {len(self.accuracy)} functions"
            raise ValueError(f"{expected}, got {votes.shape[1]}")
        return _normalised(self._log_joint(votes))

    def _log_joint(self, votes):
        """log p(class) + log p(votes | class, who votes), (texts, classes)."""
        right, classes = np.log(self.accuracy), len(self.balance)
        wrong = np.log((1 - self.accuracy) / (classes - 1))
        said = (votes[:, :, None] == np.arange(classes)) * 1.0  # (texts, functions, classes)
        with np.errstate(divide="ignore"):  # a class may be known never to be
            prior = np.log(self.balance)
        cast = (votes != ABSTAIN) @ wrong  # (texts,)
        return prior + cast[:, None] + np.einsum("tfc,f->tc", said, right - wrong)


def _normalised(log_joint):
    return np.exp(log_joint - np.logaddexp.reduce(log_joint, 1)[:, None])


def _distribution(balance, classes):
    given = np.asarray(balance, np.float64)
    if given.shape != (classes,) or (given < 0).any() or abs(given.sum() - 1) > 1e-6:
        raise ValueError(f"expected a balance of {classes} shares that add up to 1, got {balance}")
    return given


def _checked(votes, classes=None):
    """The votes as an array; ValueError for what is none, for strange classes, and no vote."""
    found = np.asarray(votes)
    if found.ndim != 2 or found.dtype.kind != "i":
        raise ValueError(f"expected votes (texts, functions), whole numbers, got {found.shape}")
    if classes is not None and classes < 2:
        raise ValueError(f"expected at least 2 classes, got {classes}")
    most = np.inf if classes is None else classes
    if ((found < ABSTAIN) | (found >= most)).any():
        expected = f"expected votes from 0 to below {most}, or {ABSTAIN} for none"
        raise ValueError(f"{expected}, got {found.min()} to {found.max()}")
    if not (found != ABSTAIN).any():
        raise ValueError("no function votes on any of the texts: there is nothing to learn from")
    return found
