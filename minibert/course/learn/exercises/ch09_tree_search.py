"""Chapter 09: spanning trees, slowly and obviously, and what known mistakes find in their place."""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

Arcs = set[tuple[Any, ...]]
Far = Sequence[Sequence[float]]


def ordered(a: int, b: int) -> tuple[int, int]:
    """(smaller, larger)."""
    return min(a, b), max(a, b)


def spanning(far: Far, ignored: Sequence[bool]) -> Arcs:
    """The minimum spanning tree: the closest pairs first, if no path joins them yet (Kruskal)."""
    group, found = {i: i for i, out in enumerate(ignored) if not out}, Arcs()
    for a, b in sorted(combinations(group, 2), key=lambda arc: far[arc[0]][arc[1]]):
        if group[a] != group[b]:
            found.add((a, b))
            old, new = group[b], group[a]
            group = {i: new if one == old else one for i, one in group.items()}
    return found


def grown(far: Far, words: Sequence[int], rule: str = "") -> Arcs:
    """A tree that grows from its first word, by a wrong rule."""
    inside, outside, found = [*words[:1]], [*words[1:]], Arcs()
    root = {inside[0]: 0.0} if inside else {}
    while outside:
        some = {"last": inside[-1:], "root": inside[:1]}.get(rule, inside)
        outer = outside[:1] if rule == "order" else outside
        cost = {(i, j): far[i][j] + (root[i] if rule == "paths" else 0.0)
                for i in some for j in outer}  # fmt: skip
        i, j = (max if rule == "largest" else min)(cost, key=lambda arc: cost[arc])
        root[j] = root[i] + far[i][j]
        found.add(ordered(i, j))
        inside.append(j)
        outside.remove(j)
    return found


def named(got: Arcs, far: Far, ignored: Sequence[bool]) -> str:
    """The mistake that finds these arcs, or nothing."""
    words = [i for i, out in enumerate(ignored) if not out]
    every = spanning(far, [False] * len(ignored))
    pairs = sorted(combinations(words, 2), key=lambda arc: far[arc[0]][arc[1]])
    closest = {ordered(i, min((j for j in words if j != i), key=lambda j: far[i][j]))
               for i in words if len(words) > 1}  # fmt: skip
    number = {word: k for k, word in enumerate(words)}
    right = spanning(far, ignored)
    known: list[tuple[Arcs, str]] = [
        (every, "ignored words are in the tree, too: leave out those where `ignored` is true."),
        ({(a, b) for a, b in every if a in words and b in words},
         "the tree of all words, without the arcs of those ignored: then it falls into pieces. "
         "Leave these words out before the search."),
        (spanning(far, [not out for out in ignored]),
         "the tree of the words that are ignored: take those where `ignored` is false."),
        ({(number[a], number[b]) for a, b in right},
         "the positions count only the words that are not ignored: give positions in the "
         "sentence."),
        (grown(far, words, "largest"), "the *largest* distances: the closest pair is asked for."),
        (grown(far, words, "root"), "all words are joined with the first one: the closest pair of "
         "*any* word inside and any outside."),
        (grown(far, words, "last"), "a new word is joined only with the word added last: any word "
         "inside may be the closer one."),
        (grown(far, words, "order"), "the words come in their order, each joined with the closest "
         "before it: choose the new word, too, by its distance."),
        (grown(far, words, "paths"), "the sums of distances from the first word decide (shortest "
         "paths): only the distance of the pair counts."),
        (set(pairwise(words)), "each word is joined with the next one, whatever the distances."),
        (closest, "each word is joined with its closest one, and what arises is not joined "
         "any further: a tree has one arc less than words."),
        ({(a, b) for a, b in pairs[: len(words) - 1]},
         "the shortest arcs of all, circles among them: join only what is not joined yet."),
        (set(pairs), "all pairs: only one arc for each new word."),
    ]  # fmt: skip
    return next((message for arcs, message in known if arcs == got), "") or short(got, right)


def short(got: Arcs, right: Arcs) -> str:
    """Mistakes that are seen from the arcs alone."""
    if any(a == b for a, b in got):
        return "an arc from a word to itself: a word inside is not outside any more."
    if got < right and len(right) - len(got) == 1:
        return "the last arc is missing: go on until no word is outside."
    if got < right:
        return "the search ends too early: go on until no word is outside."
    if got > right:
        return "the right arcs are there, and others, too."
    return ""
