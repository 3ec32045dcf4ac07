"""One labelled example: of the world's tasks, and of the real data sets of `minibert.data`."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Example:
    """One example; what a task or a data set does not have stays None.

    ``text`` (and ``text_b`` where there are pairs), ``tokens`` where words are tagged or pointed
    at, ``label`` (one for the example, or a tuple of any number) or ``labels`` (one per token, or
    one per pair of words in ``info["pairs"]``),
    ``choices`` (texts to choose from; ``label`` is the index of the right one), ``span`` (first and
    last character, end exclusive, of an answer in ``text``; None where there is no answer),
    ``info`` (anything else, by name).
    """

    text: str | None = None
    text_b: str | None = None
    tokens: tuple | None = None
    label: str | int | float | tuple | None = None
    labels: tuple | None = None
    choices: tuple | None = None
    span: tuple | None = None
    info: dict = field(default_factory=dict, compare=False)
