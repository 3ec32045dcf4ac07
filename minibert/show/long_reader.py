"""The reader of a long document: what each window says of a question, and which one wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import ipywidgets

from minibert.show.answer import Asking, in_place, tokenizer_of
from minibert.show.figures import GREY, PALETTE, Picture, described, new, shortened
from minibert.show.widget import Frame, text_box

if TYPE_CHECKING:
    from minibert.heads.spans import Answer, Part, Reading, SpanExtractor

    Asker = Callable[[str, str, int, int], Reading]

MOST = 20_000  # characters of a document
ROWS = 40  # windows that the picture has room for
LEAST = 12  # tokens of a window
NARROWEST = 0.006  # of the axis, so that a short span can be seen
LETTERS = 22  # of a span beside its window


class LongReader(Asking):
    """Ask about a document that is longer than the model's window: every window's best span.

    model: a `minibert.heads.SpanExtractor` whose encoder has a tokenizer, or a function: (question,
    document, window, stride) -> a `minibert.heads.spans.Reading` with its ``parts``. window: tokens
    that are read at once, the question and three special tokens included; stride: tokens from the
    start of a window to that of the next. longest: tokens of an answer. no_answer: whether the
    model may say that there is none (it must have learned this); a slider then moves the threshold.
    examples: (document, question) pairs to choose from.

    Raises ValueError for an empty document or question, and a question that leaves no room.
    """

    def __init__(
        self,
        model: SpanExtractor | Asker,
        document: str,
        question: str,
        *,
        window: int = 64,
        stride: int = 24,
        longest: int = 12,
        no_answer: bool = False,
        threshold: float = 0.0,
        examples: Sequence[tuple[str, str]] = (),
    ) -> None:
        own = hasattr(model, "parameters")
        self.tokenizer: Any = None
        most = max(window, 512)
        if own:
            self.tokenizer, most = tokenizer_of(model)
            model = asker(cast("SpanExtractor", model), longest, no_answer)
        self.ask = lru_cache(50)(cast("Asker", model))
        controls = self._controls(document, question, (window, min(most, 512)), stride)
        rows = [["document"], ["question"], ["window", "stride"]]
        more: dict[str, Any] = {"threshold": threshold, "examples": examples}
        super().__init__(self._frame, controls, rows, no_answer=no_answer, **more)

    def _controls(self, document, question, window, stride):
        """The boxes and sliders; window: (value, largest)."""
        box = {"rows": 6, "layout": {"width": "720px", "height": "130px"}}
        slow: dict[str, Any] = {"continuous_update": False}  # each value asks the model again
        value, most = min(window), window[1]
        return {
            "document": ipywidgets.Textarea(document, **slow, **box),
            "question": text_box(question, 720),
            "window": ipywidgets.IntSlider(
                value, min=min(LEAST, value), max=most, description="window (tokens)", **slow
            ),
            "stride": ipywidgets.IntSlider(
                min(stride, most), min=1, max=most, description="stride (tokens)", **slow
            ),
        }

    def _frame(self, document, question, window, stride, threshold=0.0, example=0):
        if not document.strip():
            raise ValueError("The document is empty: type or paste a text to read.")
        if not question.strip():
            raise ValueError("The question is empty: ask something about the document.")
        if len(document) > MOST:
            told = f"The document has {len(document):,} characters"
            raise ValueError(f"{told}; this reader takes {MOST:,}.")
        notes = self._notes(document, question, window, stride)
        reading = self.ask(question, document, window, stride)
        none = self.may_be_none and reading.no_answer > threshold
        figure = window_bars(document, reading, none)
        best = best_span(reading)
        text = "\n".join([f"Answer: {in_place(document, None if none else best)}", *notes])
        text += self._told_none(reading, none, threshold)
        table = self._table(document, reading.parts, winner_of(reading))
        return Frame(figure, f"{figure.alt} {text}", text, table)

    def _notes(self, document, question, window, stride):
        """What is said about sizes; ValueError for a question that leaves no room."""
        if self.tokenizer is None:
            return []
        asked, words = (len(self.tokenizer.encode(text)) for text in (question, document))
        if not words:
            raise ValueError("The document has no token: type or paste a text to read.")
        read = min(asked, window // 2)
        room = window - read - 3
        notes = []
        if asked > read:
            notes.append(f"Only the first {read} of the question's {asked} tokens are read: "
                         f"it may fill half a window of {window}.")  # fmt: skip
        if words <= room:
            notes.append(f"One window holds the whole document: {words} tokens of {room}.")
        else:
            overlap = max(0, room - stride)
            notes.append(f"Beside the question a window has room for {room} of the document's "
                         f"{words} tokens; neighbours share {overlap}.")  # fmt: skip
        if words < asked:
            notes.append(f"The document ({words} tokens) is shorter than the question ({asked}).")
        return notes

    def _table(self, document, parts, winner):
        head = ["window", "it reads", "its best span", "score"]
        table = [head + ["“no answer”"] * self.may_be_none]
        for number, part in enumerate(parts):
            text = " ".join(document[part.start : part.end].split())
            read = text if len(text) <= 34 else f"{text[:15]} … {text[-15:]}"
            name = f"{number + 1}{' (wins)' if number == winner else ''}"
            row = [name, read, span_text(document, part), f"{part.score:.2f}"]
            table.append(row + [f"{part.nowhere:.2f}"] * self.may_be_none)
        return table


def asker(model: SpanExtractor, longest: int = 12, no_answer: bool = False) -> Asker:
    """A function (question, document, window, stride) -> `Reading` of a `SpanExtractor`.

    The question may fill half a window.
    """
    from minibert.heads import answer

    def ask(question, document, window, stride):
        options = {"max_length": window, "stride": stride, "max_question": window // 2}
        options |= {"longest": longest, "no_answer": no_answer}
        return answer(model, [(question, document)], model.encoder.tokenizer, **options)[0]

    return ask


def best_span(reading: Reading) -> Answer | None:
    """The best answer that is a span, whether "no answer" is given or not; None for none."""
    return next((one for one in reading.answers if one.start is not None), None)


def winner_of(reading: Reading) -> int | None:
    """The number of the window that the best span is from; None where no window has a span."""
    best = best_span(reading)
    if best is None:
        return None
    place = best.start, best.end
    found = [n for n, part in enumerate(reading.parts) if part.best == place]
    return max(found, key=lambda n: reading.parts[n].score, default=None)


def span_text(document: str, part: Part) -> str:
    """What a window's best span says, or that it has none."""
    return "(none)" if part.best is None else document[slice(*part.best)]


def window_bars(document: str, reading: Reading, no_answer: bool = False) -> Picture:
    """Every window as a bar over the document, with its best span; the winner is marked.

    reading: of `minibert.heads.answer`. no_answer: that it says there is none. Raises ValueError
    for a reading without windows, and for more of them than the picture has room for.
    """
    parts, winner = reading.parts, winner_of(reading)
    if not 1 <= len(parts) <= ROWS:
        raise ValueError(
            f"The picture has room for 1 to {ROWS} windows, and there are {len(parts)}: take a "
            "larger stride or a larger window."
        )
    high = 1.35 + 0.27 * len(parts)
    title = "“No answer” beats every window" if no_answer else "What each window answers"
    fig, ax = new(title, "character of the document", size=(7.6, high), layout=None)
    ax.set_position((0.15, 0.62 / high, 0.525, 1 - 1.1 / high))
    for row, part in enumerate(parts):
        _draw(ax, row, part, len(document), row == winner and not no_answer)
        told = shortened([" ".join(span_text(document, part).split())], LETTERS)[0]
        style: Any = {"va": "center", "fontsize": 9.5, "parse_math": False}
        style["weight"] = "bold" if row == winner else "normal"
        place = ax.get_yaxis_transform()
        ax.text(1.12, row, f"{part.score:.1f}", ha="right", transform=place, **style)
        ax.text(1.15, row, told, transform=place, **style)
    over = {"transform": ax.transAxes, "fontsize": 9.5, "color": GREY, "va": "bottom"}
    ax.text(1.12, 1.01, "score", ha="right", **over)
    ax.text(1.15, 1.01, "best span in it", **over)
    mark = ", best" if no_answer else " wins"
    names = [f"{row + 1}{mark if row == winner else ''}" for row in range(len(parts))]
    ax.set_yticks(range(len(parts)), [f"window {name}" for name in names], fontsize=9.5)
    ax.set(xlim=(0, max(1, len(document))), ylim=(len(parts) - 0.4, -0.6))
    ax.grid(False, axis="y")
    return described(fig, told_windows(document, reading, no_answer))


def _draw(ax, row, part, length, wins):
    """A window's bar, and its best span in it."""
    colour = PALETTE["sky"] if wins else "#d9d9d9"
    ax.barh(row, part.end - part.start, 0.72, left=part.start, color=colour)
    if part.best is not None:
        start, end = part.best
        wide = max(end - start, NARROWEST * length)
        colour = PALETTE["vermillion"] if wins else GREY
        ax.barh(row, wide, 0.72, left=(start + end - wide) / 2, color=colour)
    if wins and part.best is not None:
        ax.axvspan(*part.best, color=PALETTE["vermillion"], alpha=0.18, lw=0)


def told_windows(document: str, reading: Reading, no_answer: bool) -> str:
    """The picture of the windows in words."""
    count, winner = len(reading.parts), winner_of(reading)
    said = f"{count} window{'s' * (count != 1)} as bars over {len(document):,} characters"
    if winner is None:
        return f"{said}; none of them has a span."
    part = reading.parts[winner]
    best = (
        f"window {winner + 1} has the best span, “{span_text(document, part)}” ({part.score:.2f})"
    )
    return f"{said}; {best}{', but “no answer” is said' if no_answer else ''}."
