"""Words and pairs of words for probes: constituents, supertags, roles, who is meant.

After Liu et al. (2019), "Linguistic Knowledge and Transferability of Contextual Representations",
and Tenney et al. (2019), "What do you learn from context?". ``parents``, ``grandparents`` and
``supertags`` have a label for each token; ``roles`` and ``coreference_pairs`` one for each pair in
``info["pairs"]``, positions of two tokens, as `minibert.probe.pairs_of` takes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from minibert.world.base import World
from minibert.world.coreference import mentions_of
from minibert.world.document import Document, Sentence
from minibert.world.roles import ROLES
from minibert.world.tasksets.base import Example, Source, maker
from minibert.world.trees import TOP

OTHER = "other"  # all rare labels together
PHRASES = tuple("ADJP ADVP FRAG INTJ NP PP S SBAR SBARQ SINV SQ VP WHADVP WHNP".split())
SAMPLE, OFTEN = 2000, 20  # sentences that say which supertags are rare, and what is not rare
SHORTEST = 5  # tokens
WINDOW = 3  # sentences of a passage
WITH_PEOPLE = ("dialogue", "story", "questions")  # often two in a passage


def labelled(
    source: Source, size: int, labels_of: Callable[[Sentence], Sequence[str]], known: Sequence[str]
) -> list[Example]:
    """Sentences, none twice, with a label for each token; those not ``known`` become OTHER."""
    examples: list[Example] = []
    for document in source.documents():
        for sentence in document.sentences:
            if len(sentence.tokens) < SHORTEST or not source.new(sentence.text):
                continue
            labels = tuple(label if label in known else OTHER for label in labels_of(sentence))
            examples.append(
                Example(text=sentence.text, tokens=tuple(sentence.tokens), labels=labels)
            )
            if len(examples) == size:
                return examples
    return examples


@maker("parents", "the constituent that a word stands in", "accuracy a token", (*PHRASES, OTHER))
def parents(source: Source, split: str, size: int) -> list[Example]:
    return labelled(source, size, lambda s: [one for one, _ in s.tree.parents()], PHRASES)


@maker(
    "grandparents",
    "the constituent above the one that a word stands in",
    "accuracy a token",
    (*PHRASES, TOP, OTHER),
)
def grandparents(source: Source, split: str, size: int) -> list[Example]:
    known = (*PHRASES, TOP)
    return labelled(source, size, lambda s: [above for _, above in s.tree.parents()], known)


@cache
def frequent(world: World) -> tuple[str, ...]:
    """The supertags that a sample of the world's sentences has often, in alphabetical order."""
    source, counts, seen = Source("supertags", "labels", 0, world.seed), Counter[str](), 0
    for document in source.documents():
        for sentence in document.sentences:
            counts.update(sentence.supertags)
            seen += 1
        if seen >= SAMPLE:
            break
    return tuple(sorted(tag for tag, count in counts.items() if count >= OFTEN))


@maker(
    "supertags",
    "a word's relation, side and arguments",
    "accuracy a token",
    lambda world: (*frequent(world), OTHER),
)
def supertags(source: Source, split: str, size: int) -> list[Example]:
    return labelled(source, size, lambda s: s.supertags, frequent(source.world))


@maker("roles", "what a phrase is to its verb: agent, patient, place ...", "accuracy a pair", ROLES)
def roles(source: Source, split: str, size: int) -> list[Example]:
    """``info["pairs"]``: the verb and the head of its argument; ``info["spans"]``: the argument."""
    examples: list[Example] = []
    for document in source.documents():
        for sentence in document.sentences:
            told = sentence.roles
            if not told or not source.new(sentence.text):
                continue
            pairs = tuple((verb, top(sentence, a, b)) for verb, a, b, _ in told)
            spans = tuple((a, b) for _, a, b, _ in told)
            found = Example(
                text=sentence.text,
                tokens=tuple(sentence.tokens),
                labels=tuple(role for *_, role in told),
                info={"pairs": pairs, "spans": spans},
            )
            examples.append(found)
            if len(examples) == size:
                return examples
    return examples


def top(sentence: Sentence, start: int, end: int) -> int:
    """The head of a phrase: the word in it that hangs on one outside."""
    return next(i for i in range(start, end) if not start <= sentence.head[i] < end)


@maker(
    "coreference_pairs",
    "are a pronoun and a name before it the same one?",
    "accuracy a pair",
    ("different", "same"),
    sizes=(600, 150, 300),
)
def coreference_pairs(source: Source, split: str, size: int) -> list[Example]:
    """Passages of up to three sentences in which a pronoun may be one of two or more people.

    Of each pronoun ``info["pairs"]`` has two: with the last mention of who is meant, and with one
    of somebody else, in random order, so that half of the labels are "same".
    """
    examples: list[Example] = []
    for document in source.documents(WITH_PEOPLE):
        for tokens, text, people in passages(source, document):
            pairs = list(candidates(source, people))
            if not pairs or not source.new(text):
                continue
            found = Example(
                text=text,
                tokens=tokens,
                labels=tuple(label for *_, label in pairs),
                info={"pairs": tuple((a, b) for a, b, _ in pairs)},
            )
            examples.append(found)
            if len(examples) == size:
                return examples
    return examples


def passages(source: Source, document: Document) -> Iterator[tuple[tuple[str, ...], str, list]]:
    """(tokens, text, people): of each mention of somebody its head, whether a pronoun, and who."""
    lines, sentences = document.lines(), document.sentences
    texts = {n: " ".join(lines[n : n + WINDOW]) for n in range(0, len(lines), WINDOW)}
    own = [n for n, text in texts.items() if source.owns(text)]
    told = mentions_of(document) if own else []
    for first in own:
        part = sentences[first : first + WINDOW]
        starts = [sum(len(s.tokens) for s in part[:n]) for n in range(len(part))]
        people = []
        for (n, a, b), who in told:
            if first <= n < first + len(part):
                sentence, at = sentences[n], top(sentences[n], a, b)
                if sentence.pos[at] in ("PRON", "NOUN") or sentence.entity[at].endswith("PER"):
                    people.append((starts[n - first] + at, sentence.pos[at] == "PRON", who))
        tokens = tuple(token for sentence in part for token in sentence.tokens)
        yield tokens, texts[first], people


def candidates(source: Source, people: list) -> Iterator[tuple[int, int, str]]:
    """(pronoun, earlier mention, label), two of each pronoun that has a choice."""
    for n, (at, is_pronoun, who) in enumerate(people):
        before = [one for one in people[:n] if not one[1]]
        same = [place for place, _, other in before if other == who]
        different = [place for place, _, other in before if other != who]
        if is_pronoun and same and different:
            pairs = [(at, same[-1], "same"), (at, source.one(different), "different")]
            yield from source.shuffled(pairs)
