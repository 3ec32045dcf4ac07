"""Whole documents: what a review thinks, what a text is about."""

from minibert.world.document import Document
from minibert.world.kinds import KINDS
from minibert.world.tasksets.base import Example, Source, maker


def without(document: Document, places: tuple[int, ...]) -> str:
    """The document's text without the sentences at these places."""
    return " ".join(line for i, line in enumerate(document.lines()) if i not in places)


@maker(
    "sentiment",
    "does the reviewer like it? The sentences that say the verdict are left out",
    "accuracy",
    ("negative", "positive"),
)
def sentiment(source: Source, split: str, size: int) -> list[Example]:
    examples = []
    for review in source.documents("review"):
        label = review.notes["label"]
        if label == "mixed":
            continue
        text = without(review, review.notes["verdict"])
        if not source.new(text):
            continue
        info = {"stars": review.notes["stars"], "topic": review.topic}
        examples.append(Example(text=text, label=label, info=info))
        if len(examples) == size:
            break
    return examples


@maker(
    "topic",
    "which kind of text do these three sentences come from?",
    "accuracy",
    lambda world: sorted(KINDS),
)
def topic(source: Source, split: str, size: int) -> list[Example]:
    examples = []
    for document in source.documents():
        lines = document.lines()
        if len(lines) < 4:
            continue
        start = 1 + int(source.random() * (len(lines) - 3))
        text = " ".join(lines[start : start + 3])
        if source.new(text):
            examples.append(Example(text=text, label=document.kind))
        if len(examples) == size:
            break
    return examples
