"""What a head makes of one labelled example."""

from minibert.world.example import Example


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
