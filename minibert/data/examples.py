"""One labelled example of a data set, and what a head makes of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Example:
    """One example; what a data set does not have stays None.

    ``text`` (and ``text_b`` where there are pairs), ``tokens`` where words are tagged, ``label``
    (one for the example, or a tuple of any number) or ``labels`` (one per token), ``choices``
    (texts to choose from; ``label`` is the index of the right one), ``span`` (first and last
    character, end exclusive, of an answer in ``text``; None where there is no answer), ``info``
    (anything else, by name). The examples of the world's tasks have the same fields.
    """

    text: str | None = None
    text_b: str | None = None
    tokens: tuple | None = None
    label: str | int | float | tuple | None = None
    labels: tuple | None = None
    choices: tuple | None = None
    span: tuple | None = None
    info: dict = field(default_factory=dict, compare=False)


def given(example: Example) -> str | tuple | list:
    """What a head reads: a text, a pair of texts, a list of words, or (question, text)."""
    if example.labels is not None:
        return list(example.tokens or ())
    if example.text_b is None:
        return example.text or ""
    asked = example.label is None
    return (example.text_b, example.text) if asked else (example.text, example.text_b)


def wanted(example: Example) -> object:
    """What a head is to say of it: a label or several, a label per word, a span or None."""
    if example.labels is not None:
        return list(example.labels)
    return example.span if example.label is None else example.label
