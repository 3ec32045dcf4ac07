"""Four kinds of task for one model: how examples are read, which layer is new, what is scored.

Devlin et al. (2019), figure 4. Examples are those of `minibert.world.tasksets`; a task is made of
the world's `Task` or of `minibert.data.corpora.Examples` by `task_for`. Scores are shares from 0 to
1, by name; the first one is what the task is judged by.
"""

from collections import Counter, defaultdict

from minibert.heads.classify import SequenceClassifier, TokenClassifier, word_examples
from minibert.heads.features import LayerMix
from minibert.heads.head import run
from minibert.heads.spans import SpanExtractor, answer, best_threshold, span_examples
from minibert.heads.squad import squad_scores
from minibert.heads.tagger import share_right, span_f1
from minibert.text.sentences import split_sentences
from minibert.text.tokens import tokenise

LSTM = 128  # width of each direction on frozen features; the paper has 768


def task_for(data, tokenizer, max_length=128):
    """The `TextTask`, `WordTask` or `QuestionTask` for a world's `Task`, or for `Examples`."""
    examples = getattr(data, "train", data)
    kind = getattr(data, "kind", None)
    if kind == "words" or examples[0].labels is not None:
        return WordTask(tokenizer, data.labels, max_length)
    if kind == "questions" or "exact match" in getattr(data, "metric", ""):
        return QuestionTask(tokenizer, max_length, any(one.span is None for one in examples))
    return TextTask(tokenizer, data.labels, max_length)


def last_layers(encoder, most=4):
    """The numbers of the last layers: four as in the paper's table 7, or as many as there are."""
    return tuple(range(-min(most, encoder.config.layers), 0))


class TextTask:
    """A label for a text, or for a pair of texts: read from `[CLS]`."""

    def __init__(self, tokenizer, labels, max_length=128):
        self.tokenizer, self.labels, self.max_length = tokenizer, tuple(labels), max_length

    def examples(self, examples):
        """What `SequenceClassifier` learns from: a list of dicts."""
        pair, most = self.tokenizer.pair, self.max_length
        return [
            {**pair(e.text, e.text_b, most), "labels": self.labels.index(e.label)} for e in examples
        ]

    def head(self, encoder):
        """The model and one new layer, to be trained together."""
        return SequenceClassifier(encoder, len(self.labels))

    def features(self, encoder):
        """The model frozen: its last layers side by side, their mean over the text, one layer."""
        mixed = LayerMix(encoder, last_layers(encoder))
        return SequenceClassifier(mixed, len(self.labels), pooling="mean")

    def said(self, head, examples):
        """The likeliest label of each example."""
        return [self.labels[int(logits.argmax())] for logits in run(head, self.examples(examples))]

    def scores(self, head, examples):
        said = self.said(head, examples)
        return {
            "accuracy": sum(a == e.label for a, e in zip(said, examples, strict=True)) / len(said)
        }

    def baseline(self, train, test):
        """Always the most frequent label."""
        most = Counter(example.label for example in train).most_common(1)[0][0]
        return {"accuracy": sum(example.label == most for example in test) / len(test)}


class WordTask:
    """A label for every word: read from its first piece (section 5.3)."""

    def __init__(self, tokenizer, labels, max_length=128):
        self.tokenizer, self.labels, self.max_length = tokenizer, tuple(labels), max_length
        self.names = all(label == "O" or label[:2] in ("B-", "I-") for label in labels)

    def examples(self, examples):
        """What `TokenClassifier` learns from: a list of dicts."""
        numbers = [[self.labels.index(label) for label in e.labels] for e in examples]
        sentences = [e.tokens for e in examples]
        return word_examples(self.tokenizer, sentences, numbers, self.max_length)

    def head(self, encoder):
        return TokenClassifier(encoder, len(self.labels))

    def features(self, encoder, layers=None, how="concat"):
        """Frozen layers, a bidirectional LSTM of two layers on them, one layer (section 5.3)."""
        mixed = LayerMix(encoder, layers or last_layers(encoder), how)
        return TokenClassifier(mixed, len(self.labels), lstm=LSTM)

    def said(self, head, examples):
        """Labels of each sentence's words; what is past ``max_length`` is "O", or the first one."""
        read, found = self.examples(examples), []
        rest = "O" if self.names else self.labels[0]
        for one, logits, example in zip(read, run(head, read), examples, strict=True):
            best = logits[one["words"]].argmax(-1).tolist()  # (words,)
            found.append([self.labels[i] for i in best])
            found[-1] += [rest] * (len(example.tokens) - len(best))
        return found

    def scores(self, head, examples):
        return self._scores(self.said(head, examples), examples)

    def _scores(self, said, examples):
        true = [list(example.labels) for example in examples]
        found = {"accuracy": share_right(said, true)}
        return {"entity f1": span_f1(said, true), **found} if self.names else found

    def baseline(self, train, test):
        """Every word as it was labelled most often; unknown ones as the most frequent label."""
        counts, seen = defaultdict(Counter), Counter()
        for example in train:
            seen.update(example.labels)
            for word, label in zip(example.tokens, example.labels, strict=True):
                counts[word][label] += 1
        most = {word: count.most_common(1)[0][0] for word, count in counts.items()}
        rest = seen.most_common(1)[0][0]
        return self._scores([[most.get(word, rest) for word in e.tokens] for e in test], test)


class QuestionTask:
    """The span of a text that answers a question (sections 4.2 and 4.3).

    ``no_answer``: whether there may be none; then ``threshold`` is tuned by `tune`.
    """

    def __init__(self, tokenizer, max_length=128, no_answer=False, longest=30):
        self.tokenizer, self.max_length, self.no_answer = tokenizer, max_length, no_answer
        self.longest, self.threshold = longest, 0.0
        self.windows = {"max_length": max_length, "stride": max(1, max_length // 2)}

    def examples(self, examples):
        """What `SpanExtractor` learns from, a dict a window."""
        asked = [(e.text_b, e.text, e.span) for e in examples]
        return span_examples(self.tokenizer, asked, **self.windows)

    def head(self, encoder):
        return SpanExtractor(encoder)

    def features(self, encoder):
        """The model frozen: its last layers side by side, one layer on them."""
        return SpanExtractor(LayerMix(encoder, last_layers(encoder)))

    def readings(self, head, examples):
        """`minibert.heads.answer` for every example."""
        asked = [(e.text_b, e.text) for e in examples]
        options = {"no_answer": self.no_answer, "threshold": self.threshold, **self.windows}
        return answer(head, asked, self.tokenizer, longest=self.longest, **options)

    def tune(self, head, examples):
        """Choose the threshold of "no answer" on examples that are neither learned nor tested."""
        if self.no_answer:
            self.threshold = best_threshold(self.readings(head, examples), _answers(examples))

    def scores(self, head, examples):
        return self._scores([one.best.text for one in self.readings(head, examples)], examples)

    def _scores(self, said, examples):
        found = squad_scores(said, _answers(examples))
        found = {"f1": found["f1"] / 100, "exact match": found["exact match"] / 100}
        if self.no_answer:
            right = [(not a) == (e.span is None) for a, e in zip(said, examples, strict=True)]
            found["told apart"] = sum(right) / len(right)
        return found

    def baseline(self, train, test):
        """No learning: the sentence with most words of the question; or nothing, if better."""
        found = self._scores([closest(e.text, e.text_b) for e in test], test)
        if self.no_answer:
            nothing = self._scores([""] * len(test), test)
            found = max(found, nothing, key=lambda scores: scores["f1"])
        return found


def closest(text, question):
    """The sentence of a text that shares most words with a question, the first of several."""
    asked = {token.lower() for token in tokenise(question)}
    sentences = split_sentences(text) or [text]
    return max(sentences, key=lambda s: len(asked & {token.lower() for token in tokenise(s)}))


def _answers(examples):
    """All answers that count as right: lists of texts, [] where there is none."""
    return [
        list(e.info.get("answers", ())) or ([] if e.span is None else [e.text[slice(*e.span)]])
        for e in examples
    ]
