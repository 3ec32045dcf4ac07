"""Which word depends on which: a biaffine dependency parser.

Dozat & Manning (2017), "Deep Biaffine Attention for Neural Dependency Parsing", ICLR,
arXiv:1611.01734; `minibert.heads.tree_decoding` makes a tree of its scores.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.heads.classify import WordLabels, marked
from minibert.heads.head import Ids, Kind, Real, width_of
from minibert.heads.labels import Given, class_loss, likeliest
from minibert.heads.predictions import Predictions
from minibert.heads.reading import Reader, as_words
from minibert.heads.tree_decoding import check_tree, highest_tree
from minibert.heads.vector_classifiers import recurrent
from minibert.models.dropout import Dropout
from minibert.models.outputs import Loss
from minibert.models.softmax import check_scores
from minibert.text.batches import Batch
from minibert.text.framing import Example
from minibert.text.inputs import IGNORE, check_tensor, labelled, of_batch, whole_mask

Arcs = Float[Tensor, "batch length length+1"]
Relations = Float[Tensor, "batch length length+1 relations"]
Views = tuple[Float[Tensor, "batch _ _"], ...]
DEPTH = 3  # layers of the LSTM (table 1)


class Biaffine(nn.Module):
    """s(i, j) = [x_i; 1] U [y_j; 1] for all i and j, with a matrix U for each output.

    Because of the 1s, U holds what y and x add each by itself, and the bias (the paper's s^label).
    ``both=False``: only x has a 1, so x adds nothing by itself (s^arc). U starts at 0.
    """

    def __init__(self, width: int, outputs: int, both: bool = True) -> None:
        super().__init__()
        self.both = both
        self.weight = nn.Parameter(torch.zeros(outputs, width + 1, width + both))

    def forward(
        self, x: Float[Tensor, "batch n view"], y: Float[Tensor, "batch m view"]
    ) -> Float[Tensor, "batch n m outputs"]:
        x, y = F.pad(x, (0, 1), value=1.0), F.pad(y, (0, int(self.both)), value=1.0)
        return torch.einsum("bni,oij,bmj->bnmo", x, self.weight, y)


class Parser(WordLabels):
    """The head of each word, and the relation to it; a word is read from its first piece.

    labels: the relations. arc, relation: widths of the two views of a word, as a dependent and as a
    head, from which arcs and relations are scored. dropout: of states and views. lstm: width of
    each direction of the paper's three-layer LSTM below the views, for an encoder without context
    such as word vectors; 0 for none.

    A text's label is a list of (head, relation), one per word, with heads counted from 0 and -1 for
    the root: ``list(zip(info["heads"], info["relations"]))`` of an example that `minibert.data`
    reads. `examples` raises ValueError for what is no tree.
    """

    def __init__(
        self,
        encoder: nn.Module,
        labels: Given,
        arc: int = 500,
        relation: int = 100,
        *,
        dropout: float = 0.33,
        lstm: int = 0,
    ) -> None:
        sizes = {"arc": arc, "relation": relation, "dropout": dropout, "lstm": lstm}
        super().__init__(encoder, labels=labels, **sizes)
        self.dropout, self.lstm, width = Dropout(dropout), None, width_of(encoder)
        if lstm:
            self.lstm = nn.LSTM(
                width, lstm, DEPTH, batch_first=True, dropout=dropout, bidirectional=True
            )
            width = 2 * lstm
        self.root = nn.Parameter(torch.randn(width))  # stands where a word's state would
        sizes = {"arc_dependent": arc, "arc_head": arc}
        sizes |= {"relation_dependent": relation, "relation_head": relation}
        self.views = nn.ModuleDict({name: self._view(width, n) for name, n in sizes.items()})
        self.arcs = Biaffine(arc, 1, both=False)
        self.relations = Biaffine(relation, self.labels)

    def _view(self, width, size):
        """A word from one side: an MLP with one hidden layer."""
        layer = nn.Linear(width, size)
        nn.init.orthogonal_(layer.weight)
        nn.init.zeros_(layer.bias)
        return nn.Sequential(layer, nn.LeakyReLU(0.1), self.dropout)

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> tuple[Arcs, Relations]:
        """The scores of each token's head, column 0 for the root and 1 + j for token j, and those
        of the relations to it. Arcs to padding and from a token to itself have -inf."""
        views = self.viewed(input_ids, attention_mask, token_type_ids)
        return self._arcs(views, input_ids, attention_mask), self.relations(*views[2:])

    def viewed(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> Views:
        """All tokens as dependents and, after the root, as heads: for arcs, then for relations."""
        states = self.last_states(input_ids, attention_mask, token_type_ids)
        if self.lstm is not None:
            states, _ = recurrent(self.lstm, states, whole_mask(input_ids, attention_mask))
        states = self.dropout(states)  # (batch, length, width)
        rooted = torch.cat((self.root.expand(len(states), 1, -1), states), 1)
        both = (states, rooted) * 2
        return tuple(view(x) for view, x in zip(self.views.values(), both, strict=True))

    def _arcs(self, views, input_ids, attention_mask):
        """The scores of heads, -inf where there can be none."""
        never = whole_mask(input_ids, attention_mask)[:, None] == 0  # (batch, 1, length)
        never = never | torch.eye(never.shape[-1], dtype=torch.bool, device=never.device)
        return self.arcs(*views[:2])[..., 0].masked_fill(F.pad(never, (1, 0)), -torch.inf)

    def loss(self, batch: Batch) -> Loss:
        """(sum over words of the cross-entropies of head and relation, number of words).

        ``labels`` (batch, length): the relation at each word's first token, -100 elsewhere.
        ``heads`` (batch, length): there the column of its head, see `forward`, or -100 for a head
        that was cut off, where both cost nothing.
        """
        words, heads = labelled(batch), of_batch(batch, "heads")
        check_tensor(heads, "heads")
        if heads.shape != words.shape:
            raise ValueError(f"expected heads {tuple(words.shape)}, got {tuple(heads.shape)}")
        text = batch["input_ids"], batch.get("attention_mask")
        views = self.viewed(*text, batch.get("token_type_ids"))
        counted = words & (heads != IGNORE)
        rows, right = counted.nonzero()[:, 0], heads[counted]
        no_word = F.pad(~words, (1, 0))[:, None]  # (batch, 1, 1 + length): heads are words
        arcs = self._arcs(views, *text).masked_fill(no_word, -torch.inf)[counted]
        of_arcs, count = class_loss(arcs, right, "heads")
        pairs = views[2][counted][:, None], views[3][rows, right][:, None]  # each (n, 1, view)
        named = self.relations(*pairs)[:, 0, 0]  # (n, relations), of the right arcs alone
        return of_arcs + class_loss(named, batch["labels"][counted])[0], count

    def example(self, reader: Reader, text: Any) -> Example:
        example = super().example(reader, text)
        if not example["words"]:
            raise ValueError(f"expected a sentence of at least one word, got {text!r:.80}")
        return example

    def labelled(self, example: Example, label: Iterable, text: Any) -> Example:
        """``labels`` and ``heads`` of `loss`; the tokens are fewer where a sentence was cut."""
        words, arcs = as_words(text), list(label)
        name = f"{' '.join(words)!r:.60}"
        pairs = all(isinstance(arc, list | tuple) and len(arc) == 2 for arc in arcs)
        if len(arcs) != len(words) or not pairs:
            wanted = f"(head, relation) for each of the {len(words)} words of {name}"
            raise ValueError(f"expected {wanted}, got {len(arcs)}: {arcs!r:.80}")
        heads = [head for head, _ in arcs]
        check_tree(heads, name)
        columns = [0, *(1 + place for place in example["words"])]
        columns += [IGNORE] * (len(words) + 1 - len(columns))
        found = marked(example, [columns[1 + head] for head in heads], words)["labels"]
        relations = [self.outcome.number(relation) for _, relation in arcs]
        return {**marked(example, relations, words), "heads": found}

    def predict(self, texts: Iterable, batch_size: int = 32) -> Predictions:
        """A list of (head, relation) for each text, one per word, which form a tree with one root.

        ``probabilities``: of the heads alone, (words, 1 + words): each word's own softmax, before a
        tree is made of them. ``names``: the heads, -1 for the root.
        """
        found = super().predict(texts, batch_size)
        return replace(found, names=range(-1, max(map(len, found.labels), default=0)))

    def decided(self, example: Example, output: Any) -> tuple[list, Tensor]:
        arcs, relations = output  # (length, columns), (length, columns, relations)
        rows = example["words"]
        columns = [0, *(1 + place for place in rows)]
        scores = arcs[rows][:, columns]  # (words, 1 + words)
        check_scores(scores)
        heads = highest_tree(scores)
        best = likeliest(relations[rows, [columns[1 + head] for head in heads]])
        names = [self.columns[i] for i in best.tolist()]
        return list(zip(heads, names, strict=True)), scores.softmax(-1)
