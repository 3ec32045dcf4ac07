"""A label for every word: part of speech, named entities."""

from collections.abc import Callable

from minibert.world.document import Sentence
from minibert.world.lexicon import POS
from minibert.world.tasksets.base import Example, Source, maker

IOB = (
    "O",
    *(f"{place}-{kind}" for kind in ("LOC", "MISC", "ORG", "PER", "WORK") for place in "BI"),
)


def tagged(
    source: Source, size: int, column: str, wanted: Callable[[Sentence], object]
) -> list[Example]:
    """Sentences with one column of their gold annotation as labels, no sentence twice."""
    examples = []
    for document in source.documents():
        for sentence in document.sentences:
            if not wanted(sentence) or not source.new(sentence.text):
                continue
            labels = tuple(getattr(sentence, column))
            examples.append(
                Example(text=sentence.text, tokens=tuple(sentence.tokens), labels=labels)
            )
            if len(examples) == size:
                return examples
    return examples


@maker("pos", "the universal part of speech of every word", "accuracy a token", tuple(POS))
def pos(source: Source, split: str, size: int) -> list[Example]:
    return tagged(source, size, "pos", lambda sentence: len(sentence.tokens) > 4)


@maker("ner", "people, places, organisations, works and other names, in IOB2", "span f1", IOB)
def ner(source: Source, split: str, size: int) -> list[Example]:
    def wanted(sentence: Sentence) -> bool:
        return any(tag != "O" for tag in sentence.entity) or source.chance(20)

    return tagged(source, size, "entity", wanted)
