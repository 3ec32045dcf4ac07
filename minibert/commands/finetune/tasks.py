"""Three kinds of task for one model: how examples are read, which layer is new, what is scored.

Devlin et al. (2019), figure 4. Examples are those of `minibert.world.tasksets`; a task is made of
the world's `Task` or of `minibert.data.corpora.Examples` by `task_for`. Scores are shares from 0 to
1, by name; the first one is what the task is judged by.
"""

from collections.abc import Sequence
from typing import Any

from minibert.data.corpora import Examples
from minibert.data.examples import given, wanted
from minibert.heads.classify import SequenceClassifier, TokenClassifier
from minibert.heads.features import LayerMix
from minibert.heads.head import Head
from minibert.heads.labels import CLASSES, MULTI_LABEL
from minibert.heads.last_token import LastToken, framed
from minibert.heads.predictions import run
from minibert.heads.spans import Reading, SpanExtractor, answer, best_threshold, span_examples
from minibert.heads.squad import squad_scores
from minibert.heads.tagger import set_f1, share_right, span_f1
from minibert.models.bert.model import BERT
from minibert.models.cheap import Majority, MostFrequentTag
from minibert.models.gpt.model import GPT
from minibert.text.sentences import split_sentences
from minibert.text.tokens import tokenise
from minibert.world.tasksets.base import Task

Encoder = BERT | GPT
Given = Sequence[Any]  # examples of the world's or of real data, which have the same attributes
Scores = dict[str, float]
LSTM = 128  # width of each direction on frozen features; the paper has 768


def task_for(data: Task | Examples, max_length: int = 128) -> "TextTask":
    """The kind of task that the examples are of."""
    if isinstance(data, Task):
        examples: Given = data.train
        asks = "exact match" in data.metric
    else:
        examples, asks = data.examples, data.kind == "questions"
    if examples[0].labels is not None:
        return WordTask(data.labels, max_length)
    if asks:
        return QuestionTask(max_length, any(one.span is None for one in examples))
    return TextTask(data.labels, max_length, isinstance(examples[0].label, tuple))


def last_layers(encoder: Encoder, most: int = 4) -> tuple[int, ...]:
    """The numbers of the last layers: four as in the paper's table 7, or as many as there are."""
    return tuple(range(-min(most, encoder.config.layers), 0))


class TextTask:
    """A label for a text, or for a pair of texts; with ``several``, any number of labels.

    It is read from `[CLS]`, or by a GPT from its extract token.
    """

    def __init__(self, labels: Sequence, max_length: int = 128, several: bool = False) -> None:
        self.labels = [str(label) for label in labels]
        self.max_length, self.several = max_length, several
        self.problem = MULTI_LABEL if several else CLASSES

    def examples(self, head: Head, examples: Given) -> list[dict]:
        """What a head learns from."""
        labels = [str(y) if isinstance(y, int) else y for y in map(wanted, examples)]
        return head.examples([*map(given, examples)], labels, self.max_length)

    def head(self, encoder: Encoder) -> Head:
        """The model and one new layer, to be trained together."""
        if isinstance(encoder, GPT):
            return LastToken(framed(encoder)[0], self.labels, problem=self.problem)
        return self.unframed(encoder)

    def unframed(self, encoder: Encoder) -> Head:
        """One new layer and no new token, so that the model itself can rest."""
        pooling = "last" if isinstance(encoder, GPT) else "first"
        return SequenceClassifier(encoder, self.labels, self.problem, pooling=pooling)

    def features(self, encoder: Encoder) -> Head:
        """The model frozen: its last layers side by side, their mean over the text, one layer."""
        mixed = LayerMix(encoder, last_layers(encoder))
        return SequenceClassifier(mixed, self.labels, self.problem, pooling="mean")

    def said(self, head: Head, examples: Given) -> list:
        """What the head says of each example: its likeliest label, or all that are likely."""
        read = head.examples([*map(given, examples)], max_length=self.max_length)
        return [label for label, _ in run(head, read, keep=head.decided)]

    def scores(self, head: Head, examples: Given) -> Scores:
        return self._scores(self.said(head, examples), examples)

    def _scores(self, said: Sequence, examples: Given) -> Scores:
        if not self.several:
            right = sum(a == str(e.label) for a, e in zip(said, examples, strict=True))
            return {"accuracy": right / len(said)}
        said, true = [set(a) for a in said], [set(e.label) for e in examples]
        all_right = sum(map(set.__eq__, said, true)) / len(true)
        return {"f1": set_f1(said, true), "all right": all_right}

    def baseline(self, train: Given, test: Given) -> Scores:
        """Always the most frequent label."""
        most = Majority().fit(train).label
        return self._scores([most if self.several else str(most)] * len(test), test)


class WordTask(TextTask):
    """A label for every word: read from its first piece (section 5.3)."""

    def __init__(self, labels: Sequence, max_length: int = 128) -> None:
        super().__init__(labels, max_length)
        self.names = all(label == "O" or label[:2] in ("B-", "I-") for label in labels)

    def head(self, encoder: Encoder) -> Head:
        return TokenClassifier(encoder, self.labels)

    unframed = head  # it needs no new token

    def features(
        self, encoder: Encoder, layers: Sequence[int] | None = None, how: str = "concat"
    ) -> Head:
        """Frozen layers, a bidirectional LSTM of two layers on them, one layer (section 5.3)."""
        mixed = LayerMix(encoder, layers or last_layers(encoder), how)
        return TokenClassifier(mixed, self.labels, lstm=LSTM)

    def said(self, head: Head, examples: Given) -> list[list[str]]:
        """Labels of each sentence's words; what is past ``max_length`` is "O", or the first one."""
        rest = "O" if self.names else self.labels[0]
        found = super().said(head, examples)
        lengths = [len(example.tokens) for example in examples]
        return [row + [rest] * (n - len(row)) for row, n in zip(found, lengths, strict=True)]

    def _scores(self, said: Sequence, examples: Given) -> Scores:
        true = [list(example.labels) for example in examples]
        found = {"accuracy": share_right(said, true)}
        return {"entity f1": span_f1(said, true), **found} if self.names else found

    def baseline(self, train: Given, test: Given) -> Scores:
        """Every word as it was labelled most often; unknown ones as the most frequent label."""
        return self._scores(MostFrequentTag().fit(train).predict(test), test)


class QuestionTask(TextTask):
    """The span of a text that answers a question (sections 4.2 and 4.3).

    ``no_answer``: whether there may be none; then ``threshold`` is tuned by `tune`.
    """

    def __init__(self, max_length: int = 128, no_answer: bool = False, longest: int = 30) -> None:
        super().__init__((), max_length)
        self.no_answer, self.longest, self.threshold = no_answer, longest, 0.0
        self.windows: dict[str, Any] = {"max_length": max_length, "stride": max(1, max_length // 2)}

    def examples(self, head: Head, examples: Given) -> list[dict]:
        """What `SpanExtractor` learns from, a dict a window."""
        asked = [(e.text_b, e.text, e.span) for e in examples]
        return span_examples(head.encoder.tokenizer, asked, **self.windows)

    def head(self, encoder: Encoder) -> Head:
        return SpanExtractor(encoder)

    unframed = head

    def features(self, encoder: Encoder) -> Head:
        """The model frozen: its last layers side by side, one layer on them."""
        return SpanExtractor(LayerMix(encoder, last_layers(encoder)))

    def readings(self, head: Head, examples: Given) -> list[Reading]:
        """`minibert.heads.answer` for every example."""
        asked = [(e.text_b, e.text) for e in examples]
        options = {"no_answer": self.no_answer, "threshold": self.threshold, **self.windows}
        assert isinstance(head, SpanExtractor)
        return answer(head, asked, longest=self.longest, **options)

    def tune(self, head: Head, examples: Given) -> None:
        """Choose the threshold of "no answer" on examples that are neither learned nor tested."""
        if self.no_answer:
            self.threshold = best_threshold(self.readings(head, examples), _answers(examples))

    def said(self, head: Head, examples: Given) -> list[str]:
        return [one.best.text for one in self.readings(head, examples)]

    def _scores(self, said: Sequence, examples: Given) -> Scores:
        percent = squad_scores(said, _answers(examples))
        found = {name: percent[name] / 100 for name in ("f1", "exact match")}
        if self.no_answer:
            right = [(not a) == (e.span is None) for a, e in zip(said, examples, strict=True)]
            found["told apart"] = sum(right) / len(right)
        return found

    def baseline(self, train: Given, test: Given) -> Scores:
        """No learning: the sentence with most words of the question; or nothing, if better."""
        found = self._scores([closest(e.text, e.text_b) for e in test], test)
        if self.no_answer:
            nothing = self._scores([""] * len(test), test)
            found = max(found, nothing, key=lambda scores: scores["f1"])
        return found


def closest(text: str, question: str) -> str:
    """The sentence of a text that shares most words with a question, the first of several."""
    asked = {token.lower() for token in tokenise(question)}
    sentences = split_sentences(text) or [text]
    return max(sentences, key=lambda s: len(asked & {token.lower() for token in tokenise(s)}))


def _answers(examples: Given) -> list[list[str]]:
    """All answers that count as right: lists of texts, [] where there is none."""
    return [
        list(e.info.get("answers", ())) or ([] if e.span is None else [e.text[slice(*e.span)]])
        for e in examples
    ]
