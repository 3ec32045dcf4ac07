"""Answers as spans of a text: SQuAD 1.1, and 2.0 with questions that have no answer in it.

Devlin et al. (2019), sections 4.2 and 4.3, and ``run_squad.py`` of google-research/bert. A document
that is longer than the model's window is read in windows that overlap.
"""

from dataclasses import dataclass

import torch

from minibert.heads.head import Head, new_linear, run, width_of
from minibert.heads.predictions import Predictions
from minibert.heads.reading import innermost, two
from minibert.heads.scores import class_loss
from minibert.heads.squad import answer_f1, normalise_answer
from minibert.models.softmax import check_scores
from minibert.text.inputs import check_wanted, of_batch, whole_mask

NOWHERE = (0, 0)  # the span of "no answer": `[CLS]`


class SpanExtractor(Head):
    """Where an answer starts and ends: two scores for every token.

    "No answer" is the span that starts and ends at `[CLS]`.
    """

    per_token = True

    def __init__(self, encoder):
        super().__init__(encoder)
        self.output = new_linear(width_of(encoder), 2, encoder)

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> scores of starts and of ends, each (batch, length).

        Padding has the score -inf.
        """
        hidden = self.last_states(input_ids, attention_mask, token_type_ids)
        scores = self.output(hidden)  # (batch, length, 2)
        if attention_mask is not None:
            mask = whole_mask(input_ids, attention_mask)
            scores = scores.masked_fill(mask[..., None] == 0, -torch.inf)
        return scores[..., 0], scores[..., 1]

    def loss(self, batch):
        """(sum of the means of both cross-entropies, number of examples).

        ``start_positions`` and ``end_positions`` (batch,): the first and the last token of the
        answer, 0 and 0 for none.
        """
        given = (batch.get(name) for name in ("input_ids", "attention_mask", "token_type_ids"))
        total = 0.0
        for name, scores in zip(("start_positions", "end_positions"), self(*given), strict=True):
            loss, _ = class_loss(scores, of_batch(batch, name), name)
            place = torch.arange(scores.shape[1], device=scores.device) == batch[name][:, None]
            check_wanted(place, batch.get("attention_mask"))
            total = total + loss
        return total / 2, len(scores)

    def examples(self, texts, labels=None, max_length=None):
        """Windows of (question, context) pairs; labels: spans (start, end) in characters, or None.

        See `span_examples`: long contexts give several examples. Nothing is cut off.
        """
        labels = [None] * len(texts) if labels is None else labels
        asked = [(*two(text), span) for text, span in zip(texts, labels, strict=True)]
        return span_examples(self._tokenizer(), asked, **self._windows(max_length))

    def predict(self, texts, batch_size=32):
        """The answers to (question, context) pairs, spans of the contexts; see `answer` for more.

        The probability is the best answer's among those that `answer` keeps.
        """
        texts = [two(text) for text in texts]
        options = self._windows(None)
        found = answer(self, texts, self._tokenizer(), batch_size=batch_size, **options)
        shares = torch.tensor([one.best.probability for one in found])
        return Predictions(texts, [one.best.text for one in found], shares)

    def _tokenizer(self):
        tokenizer = getattr(innermost(self.encoder), "tokenizer", None)
        if getattr(tokenizer, "cls_id", None) is None:
            raise ValueError("answers are found by a model whose tokenizer has [CLS] and [SEP]")
        return tokenizer

    def _windows(self, max_length):
        """`windows`' settings: as much as the encoder can read, up to 384, with a third new."""
        most = getattr(getattr(innermost(self.encoder), "config", None), "max_length", 384)
        length = min(max_length or 384, most)
        return {"max_length": length, "stride": max(1, length // 3)}


@dataclass(frozen=True)
class Window:
    """A part of a context as the model reads it, after the question.

    ``input_ids``, ``token_type_ids``; ``first``: the place of the context's first token in them;
    ``offsets``: (start, end) in the context, of each of its tokens here; ``central``: of each,
    whether no other window has it with more context on both sides.
    """

    input_ids: list
    token_type_ids: list
    first: int
    offsets: list
    central: list

    def span(self, start, end):
        """The tokens (first, last) of the characters from ``start`` to ``end``; `NOWHERE` if they
        are not all here."""
        over = [i for i, (s, e) in enumerate(self.offsets) if s < end and e > start]
        if not over or self.offsets[over[0]][0] > start or self.offsets[over[-1]][1] < end:
            return NOWHERE
        return self.first + over[0], self.first + over[-1]


def windows(tokenizer, question, context, max_length=384, stride=128, max_question=64):
    """A question on a context as a list of `Window`: ``[CLS] question [SEP] part [SEP]``.

    stride: tokens from the start of a window to that of the next. Raises ValueError where the
    question leaves no room, where a stride would pass over text, and for an empty context.
    """
    asked = tokenizer.encode(question)[:max_question]
    ids, offsets = tokenizer.encode(context, offsets=True)
    room = max_length - len(asked) - 3
    if not ids:
        raise ValueError("expected a context with at least one token, got none")
    if room < 1 or not 1 <= stride:
        raise ValueError(
            f"expected room for the context beside the question's {len(asked)} tokens and a "
            f"stride of at least 1, got max_length={max_length} and stride={stride}"
        )
    starts = [0]
    while starts[-1] + room < len(ids):
        starts.append(starts[-1] + min(stride, room))
    parts = [(start, min(start + room, len(ids))) for start in starts]
    best = [_most_central(place, parts) for place in range(len(ids))]
    found, first = [], len(asked) + 2
    for number, (start, stop) in enumerate(parts):
        row = [tokenizer.cls_id, *asked, tokenizer.sep_id, *ids[start:stop], tokenizer.sep_id]
        types = [0] * first + [1] * (stop - start + 1)
        central = [best[place] == number for place in range(start, stop)]
        found.append(Window(row, types, first, list(offsets[start:stop]), central))
    return found


def span_examples(tokenizer, examples, max_length=384, stride=128, max_question=64):
    """Examples to train a `SpanExtractor` on: a list of dicts, one per window.

    examples: (question, context, span) each; span is (start, end) in characters, or None. A window
    that does not contain the whole answer is an example without an answer, as in the paper's
    program. Raises ValueError for a span without a token.
    """
    found = []
    for question, context, span in examples:
        parts = windows(tokenizer, question, context, max_length, stride, max_question)
        span = None if span is None else on_tokens(span, context, parts)
        for window in parts:
            start, end = NOWHERE if span is None else window.span(*span)
            found.append(
                {
                    "input_ids": window.input_ids,
                    "token_type_ids": window.token_type_ids,
                    "start_positions": start,
                    "end_positions": end,
                }
            )
    return found


def on_tokens(span, context, parts):
    """A span without the characters at its ends that belong to no token: spaces, removed accents.

    Raises ValueError for a span without a token.
    """
    start, end = span
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
class Reading:
    """A model's answers: ``best``, an `Answer`; ``answers``, the best ones, best first.

    ``starts``, ``ends``: the scores of each token of the context, from the window where it is most
    central; ``offsets``: (start, end) of these tokens. ``no_answer``: the score of "no answer"
    minus that of the best answer.
    """

    best: Answer
    answers: list
    starts: list
    ends: list
    offsets: list
    no_answer: float

    def said(self, threshold):
        """The text of the answer at a threshold for "no answer", "" for none."""
        spans = (one.text for one in self.answers if one.start is not None)
        return "" if self.no_answer > threshold else next(spans)


def best_threshold(readings, true):
    """The threshold of `answer` that gives the highest F1: ``find_best_thresh`` of SQuAD 2.0.

    readings: of `answer` with ``no_answer=True``, on questions not used in training; true: the
    right answers of each, as for `squad_scores`.
    """
    gains = []  # the gain of saying the span, not "no answer", for each question, by confidence
    for reading, right in zip(readings, true, strict=True):
        right = [text for text in right if normalise_answer(text)] or [""]
        span, none = (max(answer_f1(s, t) for t in right) for s in (reading.said(torch.inf), ""))
        gains.append((reading.no_answer, span - none))
    gains.sort()
    best, total, threshold = 0.0, 0.0, gains[0][0] - 1.0
    for place, (difference, gain) in enumerate(gains):
        total += gain
        last = place + 1 == len(gains)
        if total > best and (last or gains[place + 1][0] > difference):
            best = total
            threshold = difference + 1.0 if last else (difference + gains[place + 1][0]) / 2
    return threshold


def answer(
    model,
    questions,
    tokenizer=None,
    n_best=20,
    longest=30,
    no_answer=False,
    threshold=0.0,
    batch_size=32,
    **options,
):
    """Answer questions: a list of `Reading`, one for each (question, context).

    longest: tokens of an answer. no_answer: whether there may be none (SQuAD 2.0). "No answer" is
    given where its score, the lowest of all windows, exceeds that of the best span by more than
    ``threshold`` (tune it on held-out questions). options: those of `windows`. Raises
    FloatingPointError where the model's scores are not finite.
    """
    if n_best < 1 or longest < 1:
        raise ValueError(f"expected n_best and longest >= 1, got {n_best} and {longest}")
    questions = [two(one) for one in questions]
    tokenizer = tokenizer or model.encoder.tokenizer
    cut = [windows(tokenizer, question, context, **options) for question, context in questions]
    flat = [
        {"input_ids": window.input_ids, "token_type_ids": window.token_type_ids}
        for parts in cut
        for window in parts
    ]
    scores = run(model, flat, batch_size)
    for starts, ends in scores:
        check_scores(torch.stack((starts, ends)))
    scores = iter(scores)
    found = []
    for (_, context), parts in zip(questions, cut, strict=True):
        scored = [(window, *next(scores)) for window in parts]
        found.append(_reading(context, scored, n_best, longest, no_answer, threshold))
    return found


def _reading(context, scored, n_best, longest, no_answer, threshold):
    """The answers of all windows of one context together."""
    spans, starts_of, ends_of, offsets = {}, [], [], []
    for window, starts, ends in scored:
        stop = window.first + len(window.offsets)
        inner, outer = starts[window.first : stop], ends[window.first : stop]
        for score, i, j in _best_pairs(inner, outer, window.central, n_best, longest):
            place = window.offsets[i][0], window.offsets[j][1]
            spans[place] = max(score, spans.get(place, -torch.inf))
        own = [i for i, central in enumerate(window.central) if central]
        starts_of += inner[own].tolist()
        ends_of += outer[own].tolist()
        offsets += [window.offsets[i] for i in own]
    nowhere = min(float(starts[0] + ends[0]) for _, starts, ends in scored)
    best = sorted(spans.items(), key=lambda item: (-item[1], item[0]))[:n_best]
    kept = [(context[s:e], s, e, score) for (s, e), score in best]
    difference = nowhere - kept[0][3]
    if no_answer:
        kept.append(("", None, None, nowhere))
    shares = torch.tensor([score for *_, score in kept], dtype=torch.float64).softmax(0).tolist()
    answers = [Answer(*found, share) for found, share in zip(kept, shares, strict=True)]
    chosen = answers[-1] if no_answer and difference > threshold else answers[0]
    answers.sort(key=lambda one: -one.score)
    return Reading(chosen, answers, starts_of, ends_of, offsets, difference)


def _best_pairs(starts, ends, central, n_best, longest):
    """The best (score, first token, last token) with first <= last < first + longest.

    The first token must be one that this window sees best.
    """
    sums = starts[:, None] + ends[None, :]  # (tokens, tokens)
    allowed = torch.ones_like(sums, dtype=torch.bool).triu().tril(longest - 1)
    allowed &= torch.tensor(central)[:, None]
    sums = sums.masked_fill(~allowed, -torch.inf).flatten()
    values, places = sums.topk(min(n_best, len(sums)))
    pairs = zip(values.tolist(), places.tolist(), strict=True)
    return [(v, p // len(ends), p % len(ends)) for v, p in pairs if v > -torch.inf]


def _most_central(place, parts):
    """The number of the window with the most context on the shorter side of a token."""

    def context(number):
        start, stop = parts[number]
        if not start <= place < stop:
            return -1.0
        return min(place - start, stop - 1 - place) + 0.01 * (stop - start)

    return max(range(len(parts)), key=context)
