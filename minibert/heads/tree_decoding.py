"""The dependency tree with the highest score, as Chu & Liu (1965) and Edmonds (1967) find it.

Each word takes the head with its highest score. Where these arcs form a cycle, the cycle becomes
one node, and the search starts again; in the end each cycle is opened where that costs least.
McDonald et al. (2005), "Non-projective Dependency Parsing using Spanning Tree Algorithms".
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor


def highest_tree(scores: Float[Tensor, "words words+1"]) -> list[int]:
    """The head of each word, -1 for the root, in the tree whose scores have the highest sum.

    scores: row i for word i, column 0 for the root as its head, column 1 + j for word j. All are
    finite, but that of a word as its own head, which does not matter. Exactly one word depends on
    the root (Zmigrod et al. 2020, "Please Mind the Root"): the root's scores are lowered so far
    that a second one never pays.
    """
    words = len(scores)
    if not words:
        return []
    now = np.full((words + 1, words + 1), -np.inf)
    now[1:] = scores.detach().cpu().double().numpy()
    np.fill_diagonal(now, -np.inf)
    now[1:, 0] -= (words + 1) * (np.ptp(now[np.isfinite(now)]) or 1.0)
    contracted = []
    while cycle := _cycle(heads := now.argmax(1)):
        contracted.append((now, heads, cycle))
        now = _contract(now, heads, cycle)
    for before in reversed(contracted):
        heads = _expand(heads, *before)
    return [int(head) - 1 for head in heads[1:]]


def check_tree(heads: Sequence[int], name: str) -> None:
    """Refuse heads that form no tree with one root; ``name``: of the sentence, for the message.

    heads: of each word the position of its head, counted from 0, -1 for the root. ValueError.
    """
    count, told = len(heads), f"{name} is no tree: expected"
    for word, head in enumerate(heads):
        if not hasattr(head, "__index__") or not -1 <= head < count:
            wanted = f"heads from 0 to {count - 1}, or -1 for the root"
            raise ValueError(f"{told} {wanted}, got {head!r:.60} at word {word}")
    roots = [word for word, head in enumerate(heads) if head == -1]
    if len(roots) != 1:
        raise ValueError(f"{told} one word whose head is -1, the root, got {len(roots)}")
    if cycle := _cycle([0, *(head + 1 for head in heads)]):
        words = ", ".join(str(node - 1) for node in sorted(cycle))
        raise ValueError(f"{told} a way from each word to the root, got the cycle {words:.60}")


def _cycle(heads):
    """The nodes of a cycle in the order of its arcs; [] where all nodes lead to node 0."""
    done = {0}
    for node in range(1, len(heads)):
        path = dict[int, None]()  # in order, and quick to ask
        while node not in done and node not in path:
            path[node] = None
            node = int(heads[node])
        if node in path:
            nodes = list(path)
            return nodes[nodes.index(node) :]
        done.update(path)
    return []


def _contract(scores, heads, cycle):
    """The scores with the cycle as one node, the last: what an arc into it adds as it opens it."""
    rest = _others(scores, cycle)
    opened = scores[cycle] - scores[cycle, heads[cycle]][:, None]  # (cycle, nodes)
    small = np.full((len(rest) + 1, len(rest) + 1), -np.inf)
    small[:-1, :-1] = scores[np.ix_(rest, rest)]
    small[:-1, -1] = scores[np.ix_(rest, cycle)].max(1)
    small[-1, :-1] = opened[:, rest].max(0)
    return small


def _expand(found, scores, heads, cycle):
    """The heads before a cycle was contracted, from those ``found`` after it."""
    rest, whole = _others(scores, cycle), heads.copy()  # in the cycle all but one stay
    for node, head in zip(rest, found[:-1], strict=True):
        inside = head == len(rest)
        whole[node] = cycle[scores[node, cycle].argmax()] if inside else rest[head]
    enters = rest[found[-1]]
    opened = scores[cycle, enters] - scores[cycle, heads[cycle]]
    whole[cycle[opened.argmax()]] = enters
    return whole


def _others(scores, cycle):
    """The nodes outside a cycle, in order."""
    return np.setdiff1d(np.arange(len(scores)), cycle)
