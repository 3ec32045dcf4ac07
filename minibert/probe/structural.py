"""The structural probe: trees in the distances between words.

Hewitt & Manning (2019), "A Structural Probe for Finding Syntax in Word Representations", NAACL: a
linear map B after which the squared distance of two words is the length of the path between them.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from minibert.models.word2vec.scores import spearman as correlation
from minibert.probe.mlp import seeded

Rows = Float[Tensor, "length dim"]
Heads = Sequence[int]  # of each word the position of its head, -1 for the root
Distances = Shaped[np.ndarray, "length length"]
Edges = set[tuple[int, int]]  # (smaller, larger) position
BATCH, EPOCHS, PATIENCE = 16, 60, 4  # sentences; the most epochs; epochs in a row without a gain
SHORTEST, LONGEST = 5, 50  # sentences that the rank correlation counts, as in the paper


class StructuralProbe:
    """d(i, j) = ||B (h_i - h_j)||^2, with B of ``rank`` rows; ``b`` is B transposed, (dim, rank).

    rate: of Adam, halved after each epoch that is no better on ``valid``.
    """

    b: Float[Tensor, "dim rank"]

    def __init__(self, rank: int = 64, rate: float = 1e-3, seed: int = 0) -> None:
        self.rank, self.rate, self.seed = rank, rate, seed

    def fit(
        self,
        states: Sequence[Rows],
        heads: Iterable[Heads],
        valid: tuple[Sequence[Rows], Iterable[Heads]] | None = None,
    ) -> Self:
        """Learn from one layer's states of each sentence (`States.split`) and its tree.

        Without ``valid`` a tenth of the sentences, drawn by ``seed``, says when to end. Gives
        itself. Raises ValueError for trees that are none, or that do not fit their sentence.
        """
        rows = pairs_with_trees(states, heads)
        held = pairs_with_trees(*valid) if valid else []
        if not held:
            order = np.random.default_rng(self.seed).permutation(len(rows))
            few = max(1, len(rows) // 10)
            held, rows = [rows[i] for i in order[:few]], [rows[i] for i in order[few:]]
        if not rows:
            raise ValueError("expected at least two sentences of two words or more")
        width, device = rows[0][0].shape[1], rows[0][0].device
        self.b = seeded(lambda: (torch.rand(width, self.rank) - 0.5) * 0.1, self.seed).to(device)
        self.b.requires_grad_()
        self._train(_batches(rows), _batches(held))
        self.b = self.b.detach()
        return self

    def _train(self, batches, held):
        """Adam until ``held`` gets no better; ends with the best B."""
        optimizer = torch.optim.Adam([self.b], lr=self.rate)
        random, best, worse = np.random.default_rng(self.seed), math.inf, 0
        kept = self.b.detach().clone()
        for _ in range(EPOCHS):
            for i in random.permutation(len(batches)):
                with torch.enable_grad():
                    (self.loss(*batches[i]) / len(batches[i][0])).backward()
                optimizer.step()
                optimizer.zero_grad()
            with torch.no_grad():
                loss = sum(float(self.loss(*batch)) for batch in held)
            worse = 0 if loss < best else worse + 1
            if not worse:
                best, kept = loss, self.b.detach().clone()
                continue
            if worse == PATIENCE:
                break
            for group in optimizer.param_groups:
                group["lr"] /= 2
        if math.isinf(best):
            raise ValueError("the probe found no finite loss: are all states finite?")
        self.b = kept

    def loss(
        self, x: Float[Tensor, "batch length dim"], gold: Float[Tensor, "batch length length"]
    ) -> Float[Tensor, ""]:
        """The sum over sentences of |d - gold|, summed over pairs, / length^2 (equation 2).

        ``gold`` is -1 where there is padding.
        """
        real = gold >= 0
        lengths = real.sum((1, 2))  # (batch,), squared lengths
        errors = (self.squared(x) - gold).abs() * real
        return (errors.sum((1, 2)) / lengths).sum()

    def squared(self, x: Float[Tensor, "*batch length dim"]) -> Float[Tensor, "*batch n n"]:
        """The squared distances after B, (..., length, length)."""
        z = x @ self.b  # (..., length, rank)
        norms = z.square().sum(-1)
        return (norms[..., :, None] + norms[..., None, :] - 2 * z @ z.mT).clamp(min=0)

    def distances(self, x: Rows) -> Distances:
        """Of one sentence, as the paper's trees are made of them."""
        with torch.no_grad():
            return self.squared(x).cpu().numpy()

    def uuas(
        self,
        states: Sequence[Rows],
        heads: Iterable[Heads],
        ignored: Iterable[Sequence[bool]] | None = None,
    ) -> float:
        """`uuas` of the trees that the distances span. ignored: as there."""
        heads = list(heads)
        _fit(states, heads)
        left = [[False] * len(one) for one in heads] if ignored is None else list(ignored)
        pairs = zip(states, left, strict=True)
        return uuas([spanning_tree(self.distances(x), out) for x, out in pairs], heads, left)

    def spearman(self, states: Sequence[Rows], heads: Iterable[Heads]) -> float:
        """The rank correlation of predicted and true distances (section 4.1).

        Of each word with all words, averaged over the sentences of each length from 5 to 50, then
        over the lengths; nan where there are none.
        """
        heads, by_length = list(heads), dict[int, list[float]]()
        _fit(states, heads)
        for i, (x, one) in enumerate(zip(states, heads, strict=True)):
            if SHORTEST <= len(one) <= LONGEST:
                pair = self.distances(x), tree_distances(one, i)
                rows = [correlation(*row) for row in zip(*pair, strict=True)]
                by_length.setdefault(len(one), []).append(float(np.mean(rows)))
        means = [float(np.mean(values)) for values in by_length.values()]
        return float(np.mean(means)) if means else math.nan


def tree_distances(heads: Heads, number: int = 0) -> Distances:
    """How many arcs lie between two words, float32; ValueError for what is no tree.

    ``number``: of the sentence, for the message.
    """
    count, below = len(heads), [list[int]() for _ in heads]
    roots = [word for word, head in enumerate(heads) if head == -1]
    for word, head in enumerate(heads):
        if not -1 <= head < count:
            raise ValueError(f"sentence {number} is no tree: word {word} has the head {head}")
        if head >= 0:
            below[head].append(word)
    if len(roots) != 1:
        raise ValueError(f"sentence {number} is no tree: expected one root (-1), got {len(roots)}")
    found, order = np.zeros((count, count), np.float32), roots
    for place, word in enumerate(order):  # it grows: each word comes after its head
        seen = order[:place]
        if place:
            found[word, seen] = found[seen, word] = found[heads[word], seen] + 1
        order += below[word]
    if len(order) != count:
        raise ValueError(f"sentence {number} is no tree: some of its words go in a circle")
    return found


def spanning_tree(distances: Distances, ignored: Sequence[bool] | None = None) -> Edges:
    """The tree with the smallest sum of distances, by Prim's algorithm, among words not ignored."""
    left = [i for i in range(len(distances)) if ignored is None or not ignored[i]]
    found: Edges = set()
    if not left:
        return found
    first, *rest = left
    nearest = {word: (float(distances[first, word]), first) for word in rest}
    while nearest:
        word = min(nearest, key=lambda one: nearest[one][0])
        _, at = nearest.pop(word)
        found.add((min(word, at), max(word, at)))
        for other, (before, _) in nearest.items():
            if distances[word, other] < before:
                nearest[other] = float(distances[word, other]), word
    return found


def chain(length: int, ignored: Sequence[bool] | None = None) -> Edges:
    """Each word with the next one that is not ignored: the baseline of trees."""
    left = [i for i in range(length) if ignored is None or not ignored[i]]
    return set(zip(left, left[1:], strict=False))


def uuas(
    found: Iterable[Edges],
    heads: Iterable[Heads],
    ignored: Iterable[Sequence[bool]] | None = None,
) -> float:
    """The share of true edges that were found, whatever their direction, over all sentences.

    ignored: True for words that count nothing, such as punctuation; the true tree is then the one
    that true distances span among the others, as in the authors' program. ValueError without edges.
    """
    heads = list(heads)
    left = [[False] * len(one) for one in heads] if ignored is None else list(ignored)
    right = edges = 0
    for i, (one, tree, out) in enumerate(zip(found, heads, left, strict=True)):
        if len(out) != len(tree):
            raise ValueError(f"sentence {i} has {len(tree)} words, got {len(out)} to ignore")
        gold = spanning_tree(tree_distances(tree, i), out)
        right, edges = right + len(gold & one), edges + len(gold)
    if not edges:
        raise ValueError("expected at least one sentence with two words that count, got none")
    return right / edges


def pairs_with_trees(
    states: Sequence[Rows], heads: Iterable[Heads]
) -> list[tuple[Rows, Distances]]:
    """(states, distances in the tree) of each sentence of two words or more."""
    heads = list(heads)
    _fit(states, heads)
    trees = [tree_distances(one, i) for i, one in enumerate(heads)]
    return [pair for pair in zip(states, trees, strict=True) if len(pair[0]) > 1]


def _fit(states, heads):
    """Refuse trees that do not fit the sentences."""
    if len(states) != len(heads):
        raise ValueError(f"expected a tree for each of {len(states)} sentences, got {len(heads)}")
    for i, (x, one) in enumerate(zip(states, heads, strict=True)):
        if len(x) != len(one):
            raise ValueError(f"sentence {i} has {len(x)} words, but {len(one)} heads")


def _batches(rows):
    """Sentences of like length, padded: (states, distances, -1 at padding)."""
    rows, found = sorted(rows, key=lambda row: len(row[0])), []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        longest, device = len(some[-1][0]), some[0][0].device
        x = torch.nn.utils.rnn.pad_sequence([row for row, _ in some], batch_first=True)
        gold = torch.full((len(some), longest, longest), -1.0)
        for place, (_, distances) in enumerate(some):
            n = len(distances)
            gold[place, :n, :n] = torch.from_numpy(distances)
        found.append((x, gold.to(device)))
    return found
