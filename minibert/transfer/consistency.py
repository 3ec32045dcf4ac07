"""Texts without labels: what is predicted for a text should hold for a changed one, too.

Xie et al. (2019), "Unsupervised Data Augmentation for Consistency Training" (UDA),
arXiv:1904.12848.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.heads.head import Head, base_of
from minibert.heads.labels import CLASSES
from minibert.heads.reading import Reader, listed, reader_of
from minibert.models.outputs import Loss
from minibert.text.batches import Batch, RowBatches
from minibert.text.framing import Example
from minibert.text.inputs import of_batch
from minibert.text.masking import mask_tokens
from minibert.transfer.mixing import BESIDE

Change = Callable[[str, np.random.Generator], str]
Near = Mapping[str, Sequence[str]] | Callable[[str], Sequence[str]]
WORD = re.compile(r"\w+(?:['’-]\w+)*")


class Consistency(nn.Module):
    """A head that learns from labels, and to say the same of a text and of a changed one.

    Trained on `SideBySide` of labelled batches and `Unlabelled`; the head predicts alone. To the
    mean loss of the labelled examples it adds ``weight`` times the mean of KL(p || q) in nats: q is
    what the head says of the changed text, and p, what it says of the text itself, is a target
    without gradient.

    head: one with classes for each text. confidence: p counts only if its largest probability is
    above this; the mean is over all texts, with 0 for the others. temperature: of p, below 1 to
    sharpen it.

    Raises ValueError for another head and for numbers out of range.
    """

    def __init__(
        self, head: Head, weight: float = 1.0, *, confidence: float = 0.0, temperature: float = 1.0
    ) -> None:
        super().__init__()
        outcome = getattr(head, "outcome", None)
        if outcome is None or outcome.problem != CLASSES or head.per_token:
            kind = type(head).__name__
            raise ValueError(f"expected a head that chooses one class for each text, got a {kind}")
        if not (weight >= 0 and 0 <= confidence < 1 and temperature > 0):
            wanted = "a weight of at least 0, a confidence from 0 to below 1, a temperature above 0"
            raise ValueError(f"expected {wanted}, got {weight}, {confidence}, {temperature}")
        self.encoder = base_of(head)  # its layers are groups, see `minibert.transfer.groups`
        self.head, self.weight = head, weight
        self.confidence, self.temperature = confidence, temperature

    def loss(self, batch: Batch) -> Loss:
        """(sum of the losses, number of labelled examples); in eval mode the head's own."""
        if not self.training:
            return self.head.loss(batch)
        loss, count = self.head.loss(batch)
        if self.weight:
            pair: Any = of_batch(batch, BESIDE)
            loss = loss + self.weight * count * self.disagreement(pair)
        return loss, count

    def disagreement(self, pair: Batch) -> Float[Tensor, ""]:
        """The mean of KL(p || q), with q from ``pair["changed"]`` and p from ``pair["text"]``."""
        with torch.no_grad():
            logits = self.head.output_of(pair["text"])  # (n, classes)
            counts = logits.softmax(-1).amax(-1) > self.confidence
            target = (logits / self.temperature).softmax(-1)
        said = self.head.output_of(pair["changed"]).log_softmax(-1)
        gaps = F.kl_div(said, target, reduction="none").sum(-1)  # (n,)
        return (gaps * counts).mean()


class Unlabelled(RowBatches):
    """Texts, each beside a changed version of it, which is drawn anew in every epoch.

    A batch has ``text`` and ``changed``, two batches of the same examples in the same order. head:
    the one that reads them. texts: as for ``head.predict``, no labels needed. change: a function of
    a text and a NumPy generator that gives another text, such as `word_dropout` and `synonyms`.
    masked: the share of tokens that ``[MASK]`` stands for in the changed text.

    Raises ValueError for no text, and where nothing would be changed.
    """

    SETTINGS = (*RowBatches.SETTINGS, "masked", "max_length")

    def __init__(
        self,
        head: Head,
        texts: Iterable,
        change: Change | None = None,
        batch_size: int = 32,
        *,
        masked: float = 0.0,
        max_length: int | None = None,
        seed: int = 0,
    ) -> None:
        self.texts = listed(texts)
        if not self.texts:
            raise ValueError("expected at least one text without a label, got none")
        super().__init__(len(self.texts), batch_size, seed=seed)
        self.tokenizer: Any = getattr(base_of(head), "tokenizer", None)
        if not 0 <= masked < 1 or (change is None and not masked):
            told = "change, or masked from 0 to below 1"
            raise ValueError(f"expected {told}, to change texts by, got {change} and {masked}")
        if masked and getattr(self.tokenizer, "mask_id", None) is None:
            raise ValueError("masked needs a model whose tokenizer has [MASK]: drop words instead")
        self.head, self.change, self.masked, self.max_length = head, change, masked, max_length
        self.examples = head.examples(self.texts, max_length=max_length)

    def collate(self, entry: np.ndarray, rng: np.random.Generator) -> Batch:
        reader = reader_of(self.head.encoder, self.max_length)
        examples = [self._example(i, reader, rng) for i in entry]
        reader.warn(len(examples))
        changed = self._batch(examples)
        if self.masked:
            ids, real = changed["input_ids"].numpy(), changed["attention_mask"].numpy() == 1
            maskable = real & ~np.isin(ids, list(self.tokenizer.special_ids))
            only, share = (1.0, 0.0, 0.0), self.masked
            seen, _ = mask_tokens(ids, maskable, self.tokenizer, rng, masked=share, split=only)
            changed["input_ids"] = torch.from_numpy(seen)
        return {"text": self._batch([self.examples[i] for i in entry]), "changed": changed}

    def _example(self, i: int, reader: Reader, rng: np.random.Generator) -> Example:
        """A text changed, or as it was if nothing is left of it that the model knows."""
        text = self._changed(self.texts[i], rng)
        example = self.head.example(reader, text)
        return example if len(example["input_ids"]) or not text else self.examples[i]

    def _changed(self, text: Any, rng: np.random.Generator) -> Any:
        """A text changed, or each of the texts that a head reads together."""
        if self.change is None:
            return text
        if isinstance(text, str):
            return self.change(text, rng)
        return [self._changed(one, rng) for one in text]

    def _batch(self, examples: list) -> Batch:
        how = {"shuffle": False, "by_length": False}
        return next(iter(self.head.batches(examples, len(examples), **how)))


def word_dropout(share: float = 0.1) -> Change:
    """A change for `Unlabelled`: each word is left out with a chance of ``share``; one is kept."""
    _check_share(share)

    def change(text: str, rng: np.random.Generator) -> str:
        kept = rng.random(len(WORD.findall(text))) >= share
        if len(kept) and not kept.any():
            kept[rng.integers(len(kept))] = True
        each = iter(kept)
        return " ".join(WORD.sub(lambda word: word[0] if next(each) else "", text).split())

    return change


def synonyms(near: Near, share: float = 0.1) -> Change:
    """A change for `Unlabelled`: words are swapped for others that mean nearly the same.

    near: a table from a word in lower case to words that may stand for it, or a function that gives
    them; each word that has some is swapped with a chance of ``share``.
    """
    _check_share(share)
    find = near if callable(near) else lambda word: near.get(word, ())

    def change(text: str, rng: np.random.Generator) -> str:
        def other(found: re.Match) -> str:
            word, chosen = found[0], rng.random() < share
            known = find(word.lower()) if chosen else ()
            new = known[int(rng.integers(len(known)))] if len(known) else word
            return new[:1].upper() + new[1:] if word[0].isupper() else new

        return WORD.sub(other, text)

    return change


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"expected a share of words above 0 and at most 1, got {share}")
