"""Documents, sentences and the corpus: text first, annotation when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from math import fsum
from typing import Any

from minibert.world.constituents import tree_of
from minibert.world.template import Template
from minibert.world.trees import Tree
from minibert.world.writer import Writer

EOS, EOD = "<eos>", "<eod>"  # end of sentence, end of document: tokens of the floor


class Sentence:
    """One sentence with its gold annotation.

    ``text`` is spaced and cased as people write. ``tokens pos lemma head relation sense entity``
    are lists as long as ``tokens``: universal part of speech, dictionary form, position of the
    syntactic head (-1 for the root), relation to it (Universal Dependencies), sense of a word that
    has several ("" elsewhere), and entity in IOB2. ``slots`` are the words and entities that the
    writer filled in, by name.
    """

    __slots__ = ("_template", "_forms", "slots", "_gold", "_more")

    def __init__(self, template: Template, forms: list, slots: dict[str, Any]) -> None:
        self._template, self._forms, self.slots = template, forms, slots
        self._gold: dict[str, list] | None = None
        self._more: dict[str, Any] = {}

    @property
    def text(self) -> str:
        return self._template.text(self._forms)

    @property
    def template(self) -> str:
        """The template's own line, as its author wrote it."""
        return self._template.source

    @property
    def tree(self) -> Tree:
        """The constituent tree; see ``minibert.world.constituents`` for the rules."""
        return self._made("tree", tree_of)

    def _made(self, name: str, make: Callable[[Sentence], Any]) -> Any:
        """What is made from the columns, once."""
        if name not in self._more:
            self._more[name] = make(self)
        return self._more[name]

    def __getattr__(self, column: str) -> list:
        if column not in ("tokens", "pos", "lemma", "head", "relation", "sense", "entity"):
            raise AttributeError(f"a sentence has no {column!r}")
        if self._gold is None:
            if column == "tokens":
                return self._template.tokens(self._forms)
            self._gold = self._template.gold(self._forms)
        return self._gold[column]

    def __repr__(self) -> str:
        return f"Sentence({self.text!r})"


class Document:
    """One text: ``.kind .topic .facts .notes .log_prob .sentences``.

    ``facts`` are (subject, relation, value) triples that the text states; ``notes`` is what its
    kind leaves for tasks, such as a label (see the kind's module); ``log_prob`` is the exact
    natural logarithm of the probability of this text in its world; ``n`` counts tokens, one
    end-of-sentence for each sentence and the end of the document included.
    """

    __slots__ = ("kind", "topic", "facts", "notes", "log_prob", "n", "_written", "__dict__")

    def __init__(self, writer: Writer, kind: str = "") -> None:
        self.kind, self.topic = kind, writer.topic
        self.facts, self.log_prob = tuple(writer.facts), writer.log_prob
        self.notes, self.n = writer.notes, writer.tokens + 1
        self._written = writer.sentences

    @cached_property
    def sentences(self) -> list[Sentence]:
        return [Sentence(*written) for written in self._written]

    def lines(self) -> list[str]:
        """The text of each sentence."""
        return [template.text(forms) for template, forms, _ in self._written]

    @property
    def text(self) -> str:
        return " ".join(self.lines())

    def __repr__(self) -> str:
        return f"Document({self.kind}, {self.n} tokens, {self.text[:60]!r}...)"


class Corpus:
    """Documents of one world, and the limit of what can be predicted about them."""

    def __init__(self, documents: Iterable[Document], seed: int = 0, world_seed: int = 0) -> None:
        self.documents = list(documents)
        self.seed, self.world_seed = seed, world_seed

    def __len__(self) -> int:
        """Number of tokens, ends of sentences and of documents included."""
        return sum(document.n for document in self.documents)

    @property
    def floor(self) -> float:
        """The exact entropy of this text in nats a token: what no causal model can beat.

        Every random choice that wrote a document shows in its text, so the probability of the text
        is the product of the probabilities of its choices. The floor is minus the sum of their
        logarithms over all documents, divided by the number of tokens, where every end of sentence
        and end of document counts as one token. A language model that reads left to right gives
        the same text some other probability; its loss in nats a token, taken over the same tokens
        of a large enough corpus that it has not been trained on, lies above the floor by exactly
        its Kullback-Leibler divergence from the world. The floor is that of someone who knows the
        world (its facts and lexicon) but not what will be drawn.
        """
        return -fsum(document.log_prob for document in self.documents) / len(self)

    def text(self) -> str:
        """The whole corpus: a document a paragraph, an empty line between two."""
        return "\n\n".join(document.text for document in self.documents)

    def sentences(self) -> Iterator[list[str]]:
        """Every sentence as a list of tokens, in order."""
        for document in self.documents:
            for sentence in document.sentences:
                yield sentence.tokens

    def tokens(self) -> Iterator[str]:
        """The stream that the floor counts: tokens, with ``<eos>`` and ``<eod>``."""
        for document in self.documents:
            for sentence in document.sentences:
                yield from sentence.tokens
                yield EOS
            yield EOD

    def __repr__(self) -> str:
        return f"Corpus({len(self.documents):,} documents, {len(self):,} tokens)"
