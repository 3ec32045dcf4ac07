"""The cloze playground: hide a word of a sentence, and see what a model would put there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from minibert.show.figures import GREY, PALETTE, Picture, described, new
from minibert.show.widget import Frame, Interactive, choice_of, text_box
from minibert.text.tokens import detokenise, tokenise
from minibert.text.wordpiece import MASK, WordPiece

if TYPE_CHECKING:
    from minibert.heads.language import MaskedLM, Pretraining

MOST_WORDS = 40  # of a text
LISTED = 10  # candidates
TRUE = "true in the world"
KINDS = {"the hidden word": PALETTE["blue"], TRUE: PALETTE["green"], "another word": GREY}
SHOWN = "[\N{HORIZONTAL ELLIPSIS}]"  # what stands for the hidden word in the heading


class ClozePlayground(Interactive):
    """Type a text, click the word to hide: the model's best candidates with their probabilities.

    ``model``: a head that predicts masked words, such as ``mb.heads.MaskedLM`` or
    ``mb.heads.Pretraining``; its encoder needs a tokenizer. ``text`` and ``word`` (one of its
    words, or its number) are those of the first frame. ``truths`` says what is correct in a gap: it
    maps a text with ``[MASK]`` in it to a dict of the right words and their probabilities (see
    `world_truths`). ``fits`` maps such a text to all words that would make sense there.

    A word that the model cuts into pieces is hidden as a whole, behind one ``[MASK]``. Raises
    ``ValueError`` when the first text is empty or does not contain the word.
    """

    def __init__(
        self,
        model: MaskedLM | Pretraining,
        text: str,
        word: int | str = 0,
        truths: Mapping[str, Mapping[str, float]] | None = None,
        *,
        fits: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        if model.encoder.tokenizer is None:
            raise ValueError("The model has no tokenizer: it cannot read a text.")
        self.guess = partial(guesses, model.eval())
        self.truths, self.fits = truths or {}, fits or {}
        words = first_words(text)
        if isinstance(word, str):
            if word not in words:
                raise ValueError(f"The word {word!r} is not in the text {text!r}.")
            word = words.index(word)
        if not words:
            raise ValueError("There is nothing to hide: type a text.")
        controls = {"text": text_box(text), "word": choice_of(words, word)}
        rows = [["text"], ["hide: ", "word"]]
        super().__init__(self._frame, controls, rows, {"word": ("text", first_words)})

    def _frame(self, text, word):
        words = first_words(text)
        if not words or word is None:
            raise ValueError("There is nothing to hide: type a text.")
        word = min(word, len(words) - 1)
        gap = gapped(words, word)
        found, original = self.guess(gap), words[word]
        truth = self.truths.get(gap, {})
        figure = candidates(found.best(LISTED), gap, original, truth)
        told = [found.about(original)]
        if truth:
            told.append(self._told(gap, truth, found))
        return Frame(figure, f"{figure.alt} {' '.join(told)}", " ".join(told))

    def _told(self, gap, truth, found):
        """A sentence on the right answer, and on the probability of all words that would fit."""
        right = ", ".join(n if share > 0.995 else f"{n} {share:.0%}" for n, share in truth.items())
        given = sum(map(found.share, truth))
        said = f"In the world the answer is {right}; the model gives that {given:.1%}"
        if gap in self.fits:
            fits = self.fits[gap]
            said += f", and {sum(map(found.share, fits)):.1%} to the {len(fits)} words of this kind"
        return f"{said}."


def first_words(text: str) -> list[str]:
    """The words of a text that can be hidden."""
    return tokenise(text)[:MOST_WORDS]


@torch.no_grad()
def guesses(model: MaskedLM | Pretraining, gap: str) -> Guesses:
    """A model's predictions for the first ``[MASK]`` of a text."""
    encoder, tokenizer = model.encoder, model.encoder.tokenizer
    ids = tokenizer.encode(gap, specials=True)
    ids = tokenizer.pair(ids, max_length=encoder.config.max_length)["input_ids"]
    ids = torch.tensor([ids], device=next(model.parameters()).device)
    places = (ids[0] == tokenizer.mask_id).nonzero()
    if not len(places):
        raise ValueError("The hidden word lies beyond what the model reads: shorten the text.")
    hidden = encoder(ids).last_hidden_state[0, places[0, 0]]  # (dim,)
    scores = model.output(hidden)[..., : len(tokenizer)]
    return Guesses(scores.softmax(-1).cpu(), tokenizer)


class Guesses:
    """Probabilities of all pieces, (V,), in a gap."""

    def __init__(self, shares: Tensor, tokenizer: WordPiece) -> None:
        self.shares, self.tokenizer = shares, tokenizer

    def best(self, count: int) -> list[tuple[str, float]]:
        """(piece, probability) of the most probable ones."""
        shares, ids = self.shares.topk(min(count, len(self.shares)))
        names = [self.tokenizer.tokens[i] for i in ids.tolist()]
        return list(zip(names, shares.tolist(), strict=True))

    def share(self, word: str) -> float:
        """The probability of a word; 0 for one that the vocabulary cuts into pieces."""
        ids = self.tokenizer.encode(word)
        return float(self.shares[ids[0]]) if len(ids) == 1 else 0.0

    def about(self, word: str) -> str:
        """A sentence on the probability and the rank of the word that was hidden."""
        ids = self.tokenizer.encode(word)
        if len(ids) != 1:
            pieces = " ".join(self.tokenizer.tokens[i] for i in ids)
            return f"The hidden word “{word}” is cut into {pieces}: no single piece is right."
        if ids[0] == self.tokenizer.unk_id:
            return f"The hidden word “{word}” has characters that the vocabulary does not know."
        rank = int((self.shares > self.shares[ids[0]]).sum()) + 1
        return f"The hidden word “{word}” has {self.share(word):.1%} and is number {rank:,}."


def gapped(words: Sequence[str], place: int) -> str:
    """The words as a text, ``[MASK]`` in place of one of them.

    >>> gapped(["Anna", "'s", "dog", "."], 2)
    "Anna's [MASK]."
    """
    stand_in = "Xxxxx"  # `detokenise` must see a word there
    return detokenise([*words[:place], stand_in, *words[place + 1 :]]).replace(stand_in, MASK, 1)


def candidates(
    best: Sequence[tuple[str, float]], gap: str, original: str, truth: Mapping[str, float]
) -> Picture:
    """Bars: the most probable pieces; the hidden word and the true ones are marked."""
    title = gap.replace(MASK, SHOWN) if len(gap) < 90 else "What stands in the gap?"
    fig, ax = new(title, "probability", "candidate", size=(7.6, 4.0))
    names, shares = [name for name, _ in best][::-1], [share for _, share in best][::-1]
    for kind, colour in KINDS.items():
        rows = [row for row, name in enumerate(names) if kind_of(name, original, truth) == kind]
        if rows:
            look = {"color": colour, "hatch": "//" if kind == TRUE else None, "edgecolor": "white"}
            ax.barh(rows, [shares[row] for row in rows], **look, label=kind)
    for row, share in enumerate(shares):
        ax.annotate(f"{share:.1%}", (share, row), xytext=(4, -4), textcoords="offset points")
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_xlim(0, max(1e-3, 1.15 * max(shares)))
    ax.legend(frameon=False, loc="lower right")
    listed = ", ".join(f"{name} {share:.1%}" for name, share in best[:5])
    return described(fig, f"Bars: the most probable words in “{gap}” are {listed}.")


def kind_of(name: str, original: str, truth: Mapping[str, float]) -> str:
    """Which of the three kinds of bar a candidate gets."""
    hidden, _, other = KINDS
    return TRUE if name in truth else hidden if name == original else other


def world_truths(
    world_seed: int = 0,
) -> tuple[dict[str, dict[str, float]], dict[str, set[str]]]:
    """(truths, fits) for `ClozePlayground`: every fact of the world as a sentence with a gap.

    truths: gapped text -> {word: probability}, with all answers of the knowledge base equally
    likely. fits: gapped text -> all words that answer the same question about any other entity.
    """
    from minibert.world.base import world
    from minibert.world.tasksets.reading import gapped_facts

    truths = defaultdict[str, set[str]](set)
    fits: dict[str, set[str]] = {}
    of_relation = defaultdict[str, set[str]](set)
    for gap, word, (_, relation, _) in gapped_facts(world(world_seed)):
        truths[gap].add(word)
        of_relation[relation].add(word)
        fits[gap] = of_relation[relation]
    return {gap: dict.fromkeys(words, 1 / len(words)) for gap, words in truths.items()}, fits
