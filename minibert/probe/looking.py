"""Attention heads against dependencies: does a word look at its head, better than by its place?

Clark et al. (2019), arXiv:1906.04341, section 4: a head of attention is a parser for one relation,
scored beside the best fixed offset, such as "the word before".
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from minibert.heads.reading import as_words, listed
from minibert.models.bert.model import BERT
from minibert.models.gpt.model import GPT
from minibert.probe.changes import tokens_of
from minibert.probe.places import model_of
from minibert.training.modes import evaluating

Attention = Float[Tensor, "layers heads words words"]
ALL = "all"  # relations together


@dataclass(frozen=True)
class ArcScores:
    """One relation: ``scores`` (layers, heads), the share of its words that look at the right one.

    ``forward``: from the dependent to its head; else from the head to the dependent, as which
    direction fits a head is not known before. ``offset``, ``baseline``: the best fixed distance,
    and its share. ``count``: arcs.
    """

    scores: Float[Tensor, "layers heads"]
    forward: bool
    offset: int
    baseline: float
    count: int

    @property
    def best(self) -> tuple[int, int, float]:
        """(layer, head, share) of the best head; layers from 1, as `changed` counts them."""
        place = int(self.scores.argmax())
        layer, head = divmod(place, self.scores.shape[1])
        return layer + 1, head, float(self.scores[layer, head])


def word_attention(
    model: Any, sentences: Iterable[str | Sequence[str]]
) -> list[Float[Tensor, "layers heads words words"]]:
    """Attention between words, for each sentence: row i is where word i looks.

    To a word of several pieces it is summed, from one it is averaged (Clark et al., section 4.1).
    What goes to ``[CLS]``, ``[SEP]`` and their kind is left out, so rows add up to less than 1.
    Raises ValueError for a model without attention, and for sentences that it cannot read.
    """
    inner, found = model_of(model), []
    if not isinstance(inner, BERT | GPT):
        kind = type(inner).__name__
        raise ValueError(f"attention is a part of a BERT or a GPT, and this is of kind {kind}")
    with evaluating(inner):
        for words in map(as_words, listed(sentences)):
            ids, places = tokens_of(inner, words)
            out = inner(ids, output_attentions=True)
            weights = torch.stack([one[0] for one in out.attentions])  # (layers, heads, n, n)
            to = torch.stack([weights[..., place].sum(-1) for place in places], -1)
            rows = [to[..., place, :].mean(-2) for place in places]
            found.append(torch.stack(rows, -2).float().cpu())
    return found


def head_arcs(
    attentions: Sequence[Attention],
    heads: Iterable[Sequence[int]],
    relations: Iterable[Sequence[str]] | None = None,
    *,
    forward: bool = True,
) -> dict[str, ArcScores]:
    """Each attention head as a parser, by relation: "all", then the most frequent first.

    heads: of each word the position of its head, -1 for the root; relations: of each word. A word
    chooses the one that it looks at most, itself apart. forward: ask dependents for their heads;
    with False, heads for their dependents. Raises ValueError for what does not fit the sentences.
    """
    trees = [list(one) for one in heads]
    names = [[ALL] * len(one) for one in trees] if relations is None else [*map(list, relations)]
    arcs = _arcs(attentions, trees, names, forward)
    counts = Counter(name for *_, name in arcs)
    if not arcs:
        raise ValueError("expected at least one arc between two words, got none")
    chosen = [_choices(one) for one in attentions]  # (layers, heads, words) each
    right = torch.stack([chosen[i][..., asked] == wanted for i, asked, wanted, _ in arcs], -1)
    kinds = [ALL, *(name for name, _ in counts.most_common() if name != ALL)]
    found = {}
    for kind in kinds:
        some = torch.tensor([kind in (ALL, name) for *_, name in arcs])
        distances = [w - a for (_, a, w, _), one in zip(arcs, some.tolist(), strict=True) if one]
        offset, hits = Counter(distances).most_common(1)[0]
        scores = right[..., some].float().mean(-1)
        found[kind] = ArcScores(scores, forward, offset, hits / len(distances), len(distances))
    return found


def _choices(attention):
    """The word that each word looks at most, not itself; -1 where it looks at none."""
    alone = torch.eye(attention.shape[-1], dtype=torch.bool)
    most, place = attention.masked_fill(alone, 0.0).max(-1)
    return place.masked_fill(most <= 0, -1)


def _arcs(attentions, trees, names, forward):
    """(sentence, word that is asked, right answer, relation) of every arc."""
    if not len(attentions) == len(trees) == len(names):
        got = f"{len(attentions)}, {len(trees)} and {len(names)}"
        raise ValueError(
            f"expected attention, heads and relations of the same sentences, got {got}"
        )
    arcs = []
    for i, (attention, tree, told) in enumerate(zip(attentions, trees, names, strict=True)):
        count = attention.shape[-1]
        if not count == len(tree) == len(told):
            raise ValueError(f"sentence {i} has {count} words, but {len(tree)} heads")
        for word, (head, name) in enumerate(zip(tree, told, strict=True)):
            if not -1 <= head < count or head == word:
                raise ValueError(f"word {word} of sentence {i} has the head {head}")
            if head >= 0:
                arcs.append((i, word, head, name) if forward else (i, head, word, name))
    return arcs
