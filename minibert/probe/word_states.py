"""What a model makes of words: the hidden states of every layer, one row a word.

One interface for all models (Liu et al. 2019, arXiv:1903.08855, read them all alike): a word that
is cut into pieces gets one of their states or the mean, and words stay where their labels are.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from minibert.heads.reading import Reader, as_words, innermost, listed, reader_of
from minibert.models.bert.model import BERT
from minibert.models.gpt.model import GPT
from minibert.models.transformer import fast
from minibert.models.word2vec.model import Word2Vec
from minibert.probe.remembered import MEMORY
from minibert.text.framing import Example
from minibert.training.modes import evaluating

POOLS = ("first", "mean", "last")
POOLED = (*POOLS, "max")
Rows = Float[Tensor, "rows dim"]
Places = Int[Tensor, " words"]
Ids = Int[Tensor, "length *symbols"]


@dataclass(frozen=True, repr=False)
class States:
    """Rows of numbers for the words of some sentences, once for each layer.

    ``layers``: float32 on the CPU, (rows, dim) each, embeddings first; the rows of all sentences
    follow each other. ``words``: what the rows of each sentence stand for, lists: its words, or
    pairs of them (`pairs_of`), or its text (`pooled`).
    """

    layers: list[Rows]
    words: list[list[Any]]

    @property
    def lengths(self) -> list[int]:
        """The rows of each sentence."""
        return list(map(len, self.words))

    def layer(self, number: int) -> Rows:
        """One layer, (rows, dim); 0 is the embeddings, -1 the last. ValueError if there is none."""
        if not -len(self.layers) <= number < len(self.layers):
            raise ValueError(f"expected a layer from 0 to {len(self.layers) - 1}, got {number}")
        return self.layers[number]

    def split(self, layer: int) -> list[Rows]:
        """One layer, a tensor (length, dim) for each sentence."""
        return list(self.layer(layer).split(self.lengths))

    def sentence(self, i: int) -> list[Rows]:
        """All layers of sentence ``i``, (length, dim) each."""
        i = range(len(self))[i]
        start = sum(self.lengths[:i])
        return [layer[start : start + self.lengths[i]] for layer in self.layers]

    def part(self, sentences: Iterable[int]) -> "States":
        """The states of these sentences, in this order."""
        chosen = list(sentences)
        rows = torch.arange(sum(self.lengths)).split(self.lengths)
        places = torch.cat([rows[i] for i in chosen]) if chosen else rows[0][:0]
        return States([layer[places] for layer in self.layers], [self.words[i] for i in chosen])

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        widths = sorted({layer.shape[1] for layer in self.layers})
        layers = f"{len(self.layers)} layers of {' or '.join(map(str, widths))}"
        return f"States({sum(self.lengths):,} rows of {len(self):,} sentences, {layers})"


def states(
    model: nn.Module,
    sentences: Iterable[Sequence[str] | str],
    pool: str = "first",
    batch_tokens: int = 1024,
    *,
    cache: bool = True,
) -> States:
    """The hidden states of the words of ``sentences``: lists of words, or texts to be cut.

    pool: which piece stands for a word, or "mean" for all of its pieces. The "last" one is the
    only one to have seen the whole word in a model that reads to the right, the "first" in one that
    reads to the left. A word of which the tokenizer leaves nothing gets the state of its unknown
    piece; a table of vectors gives an unknown word its ``<unk>``, or zeros and a warning.

    Sentences of like length are read together, ``batch_tokens`` tokens at most, on the model's
    device. The model is left as it was, whatever happens. cache: the same sentences and the same
    weights are not computed twice in a session, see `minibert.probe.remembered`. Raises ValueError
    for a sentence or a word that is empty, and for a sentence longer than the model can read.
    """
    if pool not in POOLS:
        raise ValueError(f"pool must be {' or '.join(map(repr, POOLS))}, got {pool!r}")
    rows = [_checked(i, one) for i, one in enumerate(listed(sentences))]
    if not rows:
        raise ValueError("expected at least one sentence, got none")
    reader = reader_of(model)
    key = MEMORY.key(model, rows, pool) if cache else None
    if (kept := MEMORY.get(model, key)) is not None:
        return States(kept, rows)
    read, unknown = _known(model, rows)
    examples = [_example(reader, i, words) for i, words in enumerate(read)]
    after = len(reader.ends[1])
    words_of = torch.arange(sum(map(len, rows))).split([len(words) for words in rows])
    layers: list[Tensor] = []
    with evaluating(model):
        for batch in batches([len(one["input_ids"]) for one in examples], batch_tokens):
            chosen = [examples[i] for i in batch]
            first, count = pieces(chosen, after)
            places = torch.cat([words_of[i] for i in batch])
            found = tokens(model, [torch.as_tensor(one["input_ids"]) for one in chosen])
            layers = layers or [h.new_empty(len(unknown), h.shape[1]) for h in found]
            for layer, h in zip(layers, found, strict=True):
                layer[places] = of_words(h, first, count, pool)
    for layer in layers:
        layer[unknown] = 0.0
    MEMORY.put(model, key, layers)
    return States(layers, rows)


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Numbers of sentences of like length, ``most`` tokens with padding at most (or one)."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[i] > most:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def tokens(model: Any, ids: list[Ids]) -> list[Rows]:
    """Each layer's states of all tokens, sentence by sentence, without padding: (tokens, dim)."""
    device = next(model.parameters()).device
    padded = nn.utils.rnn.pad_sequence(ids, batch_first=True).to(device)
    lengths = torch.tensor([len(one) for one in ids])
    mask = (torch.arange(padded.shape[1]) < lengths[:, None]).to(device)  # (batch, length)
    if isinstance(model, BERT | GPT) and fast.suits(model, padded):
        return [h.float() for h in fast.layers(model, padded, mask.long())]
    out = model(padded, attention_mask=mask.long())
    return [h[mask].float().cpu() for h in out.hidden_states]


def pieces(examples: Sequence[Example], after: int) -> tuple[Places, Places]:
    """Of each word, where its first piece is among all tokens, and how many pieces it has.

    after: how many tokens stand behind the last word of each sentence.
    """
    first, count, start = list[int](), list[int](), 0
    for one in examples:
        places, length = one["words"], len(one["input_ids"])
        ends = [*places[1:], length - after]
        first += [start + place for place in places]
        count += [end - place for place, end in zip(places, ends, strict=True)]
        start += length
    return torch.tensor(first), torch.tensor(count)


def of_words(h: Rows, first: Places, count: Places, pool: str) -> Float[Tensor, "words dim"]:
    """One state a word from the states of its pieces, see `pieces`."""
    if pool == "first":
        return h[first]
    if pool == "last":
        return h[first + count - 1]
    before = count.cumsum(0) - count
    inside = torch.arange(int(count.sum())) + (first - before).repeat_interleave(count)
    return torch.segment_reduce(h[inside], "mean", lengths=count)


def pooled(found: States, how: str = "mean") -> States:
    """One row a sentence from those of its words: their mean, the first, the last, or the largest.

    In the `States` that come, ``words`` are the texts, one a sentence. Raises ValueError for
    another ``how``.
    """
    if how not in POOLED:
        raise ValueError(f"how must be {' or '.join(map(repr, POOLED))}, got {how!r}")
    lengths = torch.tensor(found.lengths)
    ends = lengths.cumsum(0)

    def one(layer: Tensor) -> Tensor:
        if how in ("mean", "max"):
            return torch.segment_reduce(layer, how, lengths=lengths)
        return layer[ends - 1] if how == "last" else layer[ends - lengths]

    return States([one(layer) for layer in found.layers], [[" ".join(w)] for w in found.words])


def _checked(i: int, given: Any) -> list[str]:
    """The words of sentence ``i``, or a ValueError that names it."""
    words = as_words(given)
    if not words:
        raise ValueError(f"sentence {i} is empty: expected at least one word")
    for place, word in enumerate(words):
        if not word.strip():
            raise ValueError(f"word {place} of sentence {i} is empty, got {word!r}")
    return words


def _known(model: Any, rows: list[list[str]]) -> tuple[list[list[str]], Tensor]:
    """Sentences that the model can read, and which of all words it does not know: bool (words,)."""
    vocab = getattr(innermost(model), "vocab", None)
    flat = [word for words in rows for word in words]
    unknown = torch.zeros(len(flat), dtype=torch.bool)
    if not isinstance(innermost(model), Word2Vec) or vocab is None or vocab.unk_id is not None:
        return rows, unknown
    lower = getattr(reader_of(model), "lower", False)
    lost = {word for word in {*flat} if (word.lower() if lower else word) not in vocab}
    unknown = torch.tensor([word in lost for word in flat])
    if lost:
        some = ", ".join(map(repr, sorted(lost)[:3]))
        told = f"{int(unknown.sum()):,} of {len(flat):,} words have no vector and get zeros"
        warnings.warn(f"{told}, such as {some}", stacklevel=3)
    return [[vocab.tokens[0] if w in lost else w for w in words] for words in rows], unknown


def _example(reader: Reader, i: int, words: list[str]) -> Example:
    """What the model reads of sentence ``i``; ValueError where it cannot read the whole."""
    try:
        example = reader.words(words)
    except ValueError as error:
        raise ValueError(f"sentence {i}: {error}") from error
    if len(example["words"]) < len(words):
        place = len(example["words"])
        raise ValueError(
            f"sentence {i} is longer than the {reader.max_length} tokens that the model reads: "
            f"word {place}, {words[place]!r:.40}, is the first beyond; cut the sentence"
        )
    return example
