"""Pairs of words as rows: arcs, coreference, roles, whatever holds between two words.

Edge probing (Tenney et al. 2019, arXiv:1905.06316); arcs as in Liu et al. 2019, arXiv:1903.08855.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from minibert.probe.word_states import States

Pairs = Sequence[tuple[int, int]]


def pairs_of(states: States, pairs: Iterable[Pairs]) -> States:
    """[a; b; a * b] of each pair of words, in every layer: (pairs, 3 dim).

    pairs: for each sentence, positions (a, b) of its words. Gives `States` that `probe` takes; its
    ``words`` are pairs of words. Raises ValueError for positions that a sentence has not.
    """
    given = [list(one) for one in pairs]
    if len(given) != len(states):
        raise ValueError(f"expected pairs for each of {len(states)} sentences, got {len(given)}")
    rows, words, start = [], [], 0
    for i, (found, length) in enumerate(zip(given, states.lengths, strict=True)):
        for pair in found:
            if len(pair) != 2 or not all(0 <= place < length for place in pair):
                raise ValueError(f"sentence {i} has {length} words, expected a pair, got {pair}")
        rows += [(start + a, start + b) for a, b in found]
        words.append([(states.words[i][a], states.words[i][b]) for a, b in found])
        start += length
    a, b = torch.tensor(rows, dtype=torch.long).view(-1, 2).unbind(1)

    def features(layer: Float[Tensor, "words dim"]) -> Float[Tensor, "pairs 3*dim"]:
        return torch.cat((layer[a], layer[b], layer[a] * layer[b]), 1)

    return States([features(layer) for layer in states.layers], words)


def arc_pairs(
    heads: Iterable[Sequence[int]], seed: int = 0
) -> tuple[list[list[tuple[int, int]]], list[list[bool]]]:
    """Pairs (word, its head), True, and for each (word, another word), False.

    heads: the position of each word's head, -1 for the root, as the world has them. A word for
    which there is no other has its arc alone.
    """
    random, pairs, labels = np.random.default_rng(seed), [], []
    for row in heads:
        found: list[tuple[int, int]] = []
        said: list[bool] = []
        for word, head in enumerate(row):
            if head < 0:
                continue
            others = [place for place in range(len(row)) if place not in (word, head)]
            found.append((word, head))
            said.append(True)
            if others:
                found.append((word, others[random.integers(len(others))]))
                said.append(False)
        pairs.append(found)
        labels.append(said)
    return pairs, labels
