"""The answer explorer: ask about a paragraph of your own, and see which span answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import ipywidgets
import numpy as np
import torch

from minibert.show.figures import GREY, PALETTE, Picture, described, new, shortened
from minibert.show.widget import Frame, Interactive, menu, text_box

if TYPE_CHECKING:
    from minibert.heads.spans import Answer, Reading, SpanExtractor

    Asker = Callable[[str, str, int, bool], Reading]

SHOWN = 56  # tokens on the axis
LISTED = 5  # answers in the table
MOST = 4000  # characters of a paragraph
OWN = "your own"


class Asking(Interactive):
    """A text, a question about it, and what may stand beside them; the base of two explorers.

    The first two controls are the boxes of text and question. ``examples``: (text, question) pairs
    to choose from. ``no_answer``: whether a slider moves the ``threshold`` of "no answer".
    """

    def __init__(
        self,
        draw: Callable[..., Frame],
        controls: dict[str, Any],
        rows: list[list[str]],
        *,
        no_answer: bool,
        threshold: float,
        examples: Sequence[tuple[str, str]],
    ) -> None:
        self.may_be_none, self.examples = no_answer, examples
        if no_answer:
            controls["threshold"] = ipywidgets.FloatSlider(
                threshold, min=-10, max=10, step=0.25, description="threshold"
            )
            rows[-1].append("threshold")
        if examples:
            controls["example"] = menu([OWN, *(asked for _, asked in examples)], "examples")
            controls["example"].observe(self._take, names="value")
            rows.insert(0, ["example"])
        super().__init__(draw, controls, rows)

    def _take(self, change):
        """Put an example into both boxes; the change of the example itself triggers the redraw."""
        if change["new"]:
            told = self.examples[change["new"] - 1]
            self._fill(dict(zip(list(self.controls)[:2], told, strict=True)))

    def _told_none(self, reading, none, threshold):
        """A line on how "no answer" compares with the best span; ``none``: whether it is said."""
        if not self.may_be_none:
            return ""
        sign = "above" if none else "not above"
        told = f"“No answer” scores {reading.no_answer:+.2f} against the best span"
        return f"\n{told}, which is {sign} the threshold {threshold:.2f}."


class AnswerExplorer(Asking):
    """Ask about a paragraph: the span, and how likely each token is to start and to end it.

    ``model``: a `minibert.heads.SpanExtractor` whose encoder has a tokenizer, or a function:
    (question, paragraph, longest, no_answer) -> a `minibert.heads.spans.Reading`.
    ``no_answer``: whether the model may say that there is no answer (it must have learned this); a
    slider then moves the threshold. ``examples``: (paragraph, question) pairs to choose from.

    A curve is the softmax of the scores over the tokens of the paragraph. The best start and the
    best end, each taken alone, may not form a span. The best pair that forms one is marked.

    Raises ``ValueError`` when the first paragraph or question is empty.
    """

    def __init__(
        self,
        model: SpanExtractor | Asker,
        paragraph: str,
        question: str,
        *,
        no_answer: bool = False,
        threshold: float = 0.0,
        examples: Sequence[tuple[str, str]] = (),
    ) -> None:
        own = hasattr(model, "parameters")
        ask = asker(cast("SpanExtractor", model)) if own else cast("Asker", model)
        self.ask = lru_cache(50)(ask)
        box = {"rows": 5, "layout": {"width": "720px", "height": "110px"}}
        controls = {
            "paragraph": ipywidgets.Textarea(paragraph, continuous_update=False, **box),
            "question": text_box(question, 720),
            "longest": ipywidgets.IntSlider(  # each value asks the model again
                12, min=1, max=30, description="longest answer (tokens)", continuous_update=False
            ),
        }
        rows = [["paragraph"], ["question"], ["longest"]]
        more: dict[str, Any] = {"threshold": threshold, "examples": examples}
        super().__init__(self._frame, controls, rows, no_answer=no_answer, **more)

    def _frame(self, paragraph, question, longest, threshold=0.0, example=0):
        if not paragraph.strip() or not question.strip():
            raise ValueError("Type a paragraph and a question about it.")
        if len(paragraph) > MOST:
            told = f"The paragraph has {len(paragraph):,} characters"
            raise ValueError(f"{told}; this explorer reads {MOST:,}.")
        reading = self.ask(question, paragraph, longest, self.may_be_none)
        spans = [one for one in reading.answers if one.start is not None]
        said = None if self.may_be_none and reading.no_answer > threshold else spans[0]
        words = [paragraph[start:end] for start, end in reading.offsets]
        figure = curves(reading, words, said)
        table = [["answer", "score", "probability"]]
        table += [[one.text or "(no answer)", f"{one.score:.2f}", f"{one.probability:.2f}"]
                  for one in reading.answers[:LISTED]]  # fmt: skip
        text = sentence(paragraph, reading, words, said)
        text += self._told_none(reading, said is None, threshold)
        return Frame(figure, f"{figure.alt} {text}", text, table)


def asker(model: SpanExtractor) -> Asker:
    """A function (question, paragraph, longest, no_answer) -> `Reading` of a `SpanExtractor`."""
    from minibert.heads import answer

    tokenizer, most = tokenizer_of(model)

    def ask(question, paragraph, longest, no_answer):
        options = {"max_length": most, "stride": max(1, most // 2), "max_question": most // 2}
        options |= {"longest": longest, "no_answer": no_answer, "empty": False}
        return answer(model, [(question, paragraph)], tokenizer, **options)[0]

    return ask


def tokenizer_of(model: Any) -> tuple[Any, int]:
    """(tokenizer, tokens that are read at most) of a reader; ValueError without a tokenizer."""
    tokenizer = getattr(model.encoder, "tokenizer", None)
    if tokenizer is None:
        raise ValueError("The explorer needs a model whose encoder has a tokenizer.")
    return tokenizer, model.encoder.config.max_length


def sentence(paragraph: str, reading: Reading, words: Sequence[str], said: Answer | None) -> str:
    """The answer, where it stands, and what the best start and the best end say alone."""
    first, last = int(np.argmax(reading.starts)), int(np.argmax(reading.ends))
    alone = f"The best start alone is “{words[first]}”, the best end alone “{words[last]}”"
    if last < first:
        alone += ", which comes before it: no span"
    return f"Answer: {in_place(paragraph, said)}\n{alone}."


def in_place(paragraph: str, said: Answer | None) -> str:
    """An answer, and on a second line where it stands; "none." for none."""
    if said is None or said.start is None or said.end is None:
        return "none."
    before = paragraph[max(0, said.start - 60) : said.start]
    after = paragraph[said.end : said.end + 60]
    dots = "… " if said.start > 60 else "", " …" if said.end + 60 < len(paragraph) else ""
    return f"{said.text}\n{dots[0]}{before}[{said.text}]{after}{dots[1]}"


def curves(reading: Reading, words: Sequence[str], said: Answer | None) -> Picture:
    """The probabilities of start and end over the tokens; of many, those around the answer."""
    scores = torch.tensor([reading.starts, reading.ends], dtype=torch.float64)
    starts, ends = scores.softmax(-1).numpy()  # (tokens,) each
    centre = int(np.argmax(starts)) if said is None else place_of(reading, said)[0]
    first = max(0, min(centre - SHOWN // 2, len(words) - SHOWN))
    shown = slice(first, first + SHOWN)
    names = shortened(words[shown], 11)
    grid = {"left": 0.08, "right": 0.99, "top": 0.92, "bottom": 0.26, "hspace": 0.14}
    fixed: Any = {"layout": None, "gridspec_kw": grid, "sharex": True}  # twice as fast
    fig, axes = new("Where the answer starts, and where it ends", rows=2, size=(7.6, 4.4), **fixed)
    looks = (("start", starts, PALETTE["blue"]), ("end", ends, PALETTE["vermillion"]))
    for ax, (name, values, colour) in zip(axes, looks, strict=True):
        ax.bar(range(len(names)), values[shown], color=colour, width=0.75)
        ax.set(ylabel=f"p({name})", ylim=(0, 1.05), xlim=(-0.7, len(names) - 0.3))
        ax.grid(False, axis="x")
        if said is not None:
            i, j = place_of(reading, said)
            ax.axvspan(i - first - 0.5, j - first + 0.5, color=GREY, alpha=0.16, lw=0)
    size = 9 if len(names) <= 40 else 7.5
    axes[1].set_xticks(range(len(names)), names, rotation=90, parse_math=False, fontsize=size)
    part = "" if len(words) <= SHOWN else f", tokens {first + 1} to {first + len(names)}"
    fig.supxlabel(f"tokens of the paragraph{part}", size=10.5, y=0.02)
    return described(
        fig,
        f"Two rows of bars over the {len(words)} tokens of the paragraph{part}: the probability of "
        "each to start and to end the answer; the answer is shaded.",
    )


def place_of(reading: Reading, said: Answer) -> tuple[int, int]:
    """The numbers of the first and the last token of an answer."""
    assert said.start is not None and said.end is not None  # it is in the paragraph
    i = next(i for i, (start, end) in enumerate(reading.offsets) if end > said.start)
    last = [j for j, (start, end) in enumerate(reading.offsets) if start < said.end]
    return i, last[-1]
