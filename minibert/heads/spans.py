"""Answers as spans of a text: SQuAD 1.1, and 2.0 with questions that have no answer in it.

Devlin et al. (2019), sections 4.2 and 4.3, and ``run_squad.py`` of google-research/bert. A document
that is longer than the model's window is read in windows that overlap.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minibert.heads.head import Head, Ids, Kind, Real, new_linear, width_of
from minibert.heads.labels import class_loss
from minibert.heads.predictions import Predictions, run
from minibert.heads.reading import innermost, listed, texts_of
from minibert.heads.squad import answer_f1, counting, normalise_answer  # noqa: F401 - ch06 has it
from minibert.models.outputs import Loss
from minibert.models.softmax import check_scores
from minibert.text.batches import Batch
from minibert.text.framing import Example
from minibert.text.inputs import check_wanted, of_batch, whole_mask

Span = tuple[int, int]
Scores = Float[Tensor, "batch length"]
NOWHERE = (0, 0)  # the span of "no answer": `[CLS]`


class SpanExtractor(Head):
    """Where an answer starts and ends, two scores for every token: both at `[CLS]` for none."""

    per_token = True

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__(encoder)
        self.output = new_linear(width_of(encoder), 2, encoder)

    def forward(
        self, input_ids: Ids, attention_mask: Real = None, token_type_ids: Kind = None
    ) -> tuple[Scores, Scores]:
        """The scores of starts and of ends, -inf at padding."""
        hidden = self.last_states(input_ids, attention_mask, token_type_ids)
        padding = whole_mask(input_ids, attention_mask)[..., None] == 0
        scores = self.output(hidden).masked_fill(padding, -torch.inf)  # (batch, length, 2)
        return scores[..., 0], scores[..., 1]

    def loss(self, batch: Batch) -> Loss:
        """(sum of the means of both cross-entropies, number of examples).

        ``start_positions``, ``end_positions`` (batch,): the answer's first and last token, or 0.
        """
        outputs, found = self.output_of(batch), []
        for name, scores in zip(("start_positions", "end_positions"), outputs, strict=True):
            loss, count = class_loss(scores, of_batch(batch, name), name)
            place = torch.arange(scores.shape[1], device=scores.device) == batch[name][:, None]
            check_wanted(place, batch.get("attention_mask"))
            found.append(loss)
        return torch.stack(found).mean(), count

    def examples(
        self, texts: Iterable, labels: Collection | None = None, max_length: int | None = None
    ) -> list[Example]:
        """`span_examples` of (question, context) pairs; labels: (start, end) of each, or None."""
        texts = listed(texts)
        given: Any = getattr(labels, "tolist", lambda: labels)()  # of numpy
        spans = [None] * len(texts) if given is None else [one and tuple(one) for one in given]
        if len(spans) != len(texts):
            raise ValueError(f"expected a span for each text, got {len(spans)} of {len(texts)}")
        asked: Any = [(*texts_of(one, 2), two) for one, two in zip(texts, spans, strict=True)]
        return span_examples(examples=asked, **self.windows(max_length))

    def predict(self, texts: Iterable, batch_size: int = 32) -> Predictions:
        """The answers to (question, context) pairs, with the probabilities that `answer` says."""
        texts = [texts_of(one, 2) for one in listed(texts)]
        found = [one.best for one in answer(self, texts, batch_size=batch_size, **self.windows())]
        shares = torch.tensor([one.probability for one in found])
        return Predictions(texts, [one.text for one in found], shares)

    def windows(self, max_length: int | None = None) -> dict[str, Any]:
        """The tokenizer, and windows of up to 384 tokens, a third of each new: see `windows`."""
        model = innermost(self.encoder)
        if getattr(getattr(model, "tokenizer", None), "cls_id", None) is None:
            raise ValueError("answers are found by a model whose tokenizer has [CLS] and [SEP]")
        length = min(max_length or 384, model.config.max_length)
        return {"tokenizer": model.tokenizer, "max_length": length, "stride": max(1, length // 3)}


@dataclass(frozen=True)
class Window:
    """A part of a context as the model reads it, after the question.

    ``input_ids``, ``token_type_ids``; ``first``: the place of the context's first token in them;
    ``offsets``: (start, end) in the context, of each of its tokens here; ``central``: of each,
    whether no other window has it with more context on both sides.
    """

    input_ids: list[int]
    token_type_ids: list[int]
    first: int
    offsets: list[Span]
    central: list[bool]

    @property
    def example(self) -> Example:
        """What a model takes of it."""
        return {"input_ids": self.input_ids, "token_type_ids": self.token_type_ids}

    def span(self, start: int, end: int) -> Span:
        """The tokens (first, last) of these characters of the context, or `NOWHERE`."""
        over = [i for i, (s, e) in enumerate(self.offsets) if s < end and e > start]
        if not over or self.offsets[over[0]][0] > start or self.offsets[over[-1]][1] < end:
            return NOWHERE
        return self.first + over[0], self.first + over[-1]


def windows(
    tokenizer: Any,
    question: str,
    context: str,
    max_length: int = 384,
    *,
    stride: int = 128,
    max_question: int = 64,
    empty: bool = False,
) -> list[Window]:
    """A question on a context as a list of `Window`: ``[CLS] question [SEP] part [SEP]``.

    stride: tokens from the start of a window to that of the next. empty: whether the context may
    have no token. Raises ValueError where the question leaves no room, where a stride would pass
    over text, and for an empty context.
    """
    asked = tokenizer.encode(question)[:max_question]
    ids, offsets = tokenizer.encode(context, offsets=True)
    room = max_length - len(asked) - 3
    if not ids and not empty:
        raise ValueError("expected a context with at least one token, got none")
    if room < 1 or not 1 <= stride:
        raise ValueError(
            f"expected room for the context beside the question's {len(asked)} tokens and a "
            f"stride of at least 1, got max_length={max_length} and stride={stride}"
        )
    parts = [(0, min(room, len(ids)))]
    while parts[-1][1] < len(ids):
        start = parts[-1][0] + min(stride, room)
        parts.append((start, min(start + room, len(ids))))
    best = [_most_central(place, parts) for place in range(len(ids))]
    found, first = [], len(asked) + 2
    for number, (start, stop) in enumerate(parts):
        row = [tokenizer.cls_id, *asked, tokenizer.sep_id, *ids[start:stop], tokenizer.sep_id]
        types = [0] * first + [1] * (stop - start + 1)
        central = [best[place] == number for place in range(start, stop)]
        found.append(Window(row, types, first, list(offsets[start:stop]), central))
    return found


def span_examples(
    tokenizer: Any, examples: Iterable[tuple[str, str, Span | None]], **options: Any
) -> list[Example]:
    """Examples to train a `SpanExtractor` on, one per window.

    examples: (question, context, span) each; span is (start, end) in characters, or None. options:
    those of `windows`. A window that does not contain the whole answer is an example without an
    answer, as in the paper's program. Raises ValueError for a span without a token.
    """
    found = []
    for question, context, span in examples:
        parts = windows(tokenizer, question, context, **options)
        span = None if span is None else on_tokens(span, context, parts)
        for window in parts:
            start, end = NOWHERE if span is None else window.span(*span)
            found.append({**window.example, "start_positions": start, "end_positions": end})
    return found


def on_tokens(span: Span, context: str, parts: list[Window]) -> Span:
    """A span without the characters at its ends that belong to no token, spaces for example."""
    start, end = span
    if not 0 <= start < end <= len(context):
        raise ValueError(
            f"expected an answer from 0 to at most {len(context)} characters, got {start} to {end}"
        )
    over = [(s, e) for window in parts for s, e in window.offsets if s < end and e > start]
    if not over:
        raise ValueError(f"the answer {context[start:end]!r:.60} at {start} contains no token")
    return max(start, min(s for s, _ in over)), min(end, max(e for _, e in over))


@dataclass(frozen=True)
class Answer:
    """``text`` is ``context[start:end]``; no answer has ``text == ""`` and no start or end.

    ``score``: the sum of both scores; ``probability``: among the answers that were kept.
    """

    text: str
    start: int | None
    end: int | None
    score: float
    probability: float


@dataclass(frozen=True)
class Part:
    """What one window says: ``start`` and ``end``, the characters of the context that it shows.

    ``best``: (start, end) of its best span, the first token of which is most central here, with its
    ``score``; None and -inf where it has none. ``nowhere``: the score of "no answer".
    """

    start: int
    end: int
    best: Span | None
    score: float
    nowhere: float


@dataclass(frozen=True)
class Reading:
    """A model's answers: ``best``, an `Answer`, and ``answers``, the best ones first.

    ``starts``, ``ends``, ``offsets``: of each token of the context its scores, from the window
    where it is most central, and its place. ``no_answer``: the lowest score of "no answer" of all
    windows minus that of the best span, inf where there is no span. ``parts``: of each window.
    """

    best: Answer
    answers: list[Answer]
    starts: list[float]
    ends: list[float]
    offsets: list[Span]
    no_answer: float
    parts: Sequence[Part] = ()

    def said(self, threshold: float) -> str:
        """The text of the answer at a threshold for "no answer", "" for none."""
        spans = (one.text for one in self.answers if one.start is not None)
        return "" if self.no_answer > threshold else next(spans, "")


def best_threshold(readings: Iterable[Reading], true: Iterable[Iterable[str]]) -> float:
    """The threshold of `answer` that gives the highest F1: ``find_best_thresh`` of SQuAD 2.0.

    readings: of `answer` with ``no_answer=True``, on questions not used in training; true: the
    right answers of each, as for `squad_scores`.
    """
    gains = []  # the gain of saying the span, not "no answer", for each question, by confidence
    for reading, right in zip(readings, map(counting, true), strict=True):
        if reading.no_answer == torch.inf:  # without a span no threshold changes anything
            continue
        span, none = (max(answer_f1(s, t) for t in right) for s in (reading.said(torch.inf), ""))
        gains.append((reading.no_answer, span - none))
    if not gains:
        raise ValueError("expected at least one reading, got none with a span")
    gains.sort()  # losses first, so no cut between equal differences is the best one
    at = [gains[0][0] - 2, *(difference for difference, _ in gains), gains[-1][0] + 2]
    totals = [*accumulate((gain for _, gain in gains), initial=0.0)]
    best = max(range(len(totals)), key=totals.__getitem__)
    return (at[best] + at[best + 1]) / 2


def answer(
    model: SpanExtractor,
    questions: Iterable[Sequence[str]],
    tokenizer: Any = None,
    n_best: int = 20,
    *,
    longest: int = 30,
    no_answer: bool = False,
    threshold: float = 0.0,
    batch_size: int = 32,
    **options: Any,
) -> list[Reading]:
    """Answer questions: a list of `Reading`, one for each (question, context).

    longest: tokens of an answer. no_answer: whether there may be none (SQuAD 2.0). "No answer" is
    given where its score, the lowest of all windows, exceeds that of the best span by more than
    ``threshold`` (tune it on held-out questions), and where the context has no span with a score
    above -inf; an empty context is then allowed. The question is never searched. options: those of
    `windows`. Raises FloatingPointError where the model's scores are not finite.
    """
    if n_best < 1 or longest < 1:
        raise ValueError(f"expected n_best and longest >= 1, got {n_best} and {longest}")
    questions = [texts_of(one, 2) for one in listed(questions)]
    tokenizer = tokenizer or model.encoder.tokenizer
    options = {"empty": no_answer, **options}
    cut = [windows(tokenizer, question, context, **options) for question, context in questions]
    scores = run(model, [window.example for parts in cut for window in parts], batch_size)
    for starts, ends in scores:
        check_scores(torch.stack((starts, ends)))
    scores = iter(scores)
    scored = ([(window, *next(scores)) for window in parts] for parts in cut)
    return [
        _reading(context, parts, n_best, longest, no_answer, threshold)
        for (_, context), parts in zip(questions, scored, strict=True)
    ]


def _reading(context, scored, n_best, longest, no_answer, threshold):
    """The answers of all windows of one context together."""
    spans, tokens, parts = {}, [], []
    for window, starts, ends in scored:
        nowhere, offsets = float(starts[0] + ends[0]), window.offsets
        inner = slice(window.first, window.first + len(offsets))
        starts, ends = starts[inner], ends[inner]
        found = _best_pairs(starts, ends, window.central, n_best, longest)
        found = [((offsets[i][0], offsets[j][1]), score) for score, i, j in found]
        for place, score in found:
            spans[place] = max(score, spans.get(place, -torch.inf))
        rows = zip(starts.tolist(), ends.tolist(), offsets, strict=True)
        tokens += [row for row, central in zip(rows, window.central, strict=True) if central]
        shown = (offsets[0][0], offsets[-1][1]) if offsets else NOWHERE
        parts.append(Part(*shown, *(found or [(None, -torch.inf)])[0], nowhere))
    nowhere = min(part.nowhere for part in parts)
    best = sorted(spans.items(), key=lambda item: (-item[1], item[0]))[:n_best]
    kept = [(context[s:e], s, e, score) for (s, e), score in best]
    difference = nowhere - kept[0][3] if kept else torch.inf
    if no_answer or not kept:
        kept.append(("", None, None, nowhere))
    shares = torch.tensor([score for *_, score in kept], dtype=torch.float64).softmax(0)
    shares = shares.nan_to_num(1.0).tolist()  # the only answer, even where its score is -inf
    answers = [Answer(*found, share) for found, share in zip(kept, shares, strict=True)]
    chosen = answers[-1] if no_answer and difference > threshold else answers[0]
    answers.sort(key=lambda one: -one.score)
    columns = map(list, zip(*tokens, strict=True)) if tokens else ([], [], [])
    return Reading(chosen, answers, *columns, difference, parts)


def _best_pairs(starts, ends, central, n_best, longest):
    """The best (score, first, last), first <= last < first + longest, where first is central."""
    sums = starts[:, None] + ends[None, :]  # (tokens, tokens)
    allowed = torch.ones_like(sums, dtype=torch.bool).triu().tril(longest - 1)
    allowed &= torch.tensor(central, dtype=torch.bool)[:, None]
    sums = sums.masked_fill(~allowed, -torch.inf).flatten()
    values, places = sums.topk(min(n_best, len(sums)))
    pairs = zip(values.tolist(), places.tolist(), strict=True)
    return [(v, p // len(ends), p % len(ends)) for v, p in pairs if v > -torch.inf]


def _most_central(place, parts):
    """The number of the window with the most context on the shorter side of a token."""

    def context(number):
        start, stop = parts[number]
        return min(place - start, stop - 1 - place) + 0.01 * (stop - start)

    return max((n for n, (start, stop) in enumerate(parts) if start <= place < stop), key=context)
