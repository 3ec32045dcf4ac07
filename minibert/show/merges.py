"""The merges of byte-pair encoding on a slider, over a sentence of your own."""

from collections.abc import Sequence

import ipywidgets
import numpy as np

from minibert.show.figures import PALETTE, Picture, described, new
from minibert.show.widget import Frame, Interactive, text_box
from minibert.text.bpe import BPE, END, byte_letters, words

MOST = 300  # characters of a text
POINTS = 25  # of the curve
RECENT = 6  # merges that are listed


class MergeExplorer(Interactive):
    """Move the slider to see a sentence after that many merges, and how many pieces it has.

    ``tokenizer``: a `minibert.text.BPE`; ``text`` and ``merges`` are those of the first frame.
    Raises ValueError for a text without words.
    """

    def __init__(self, tokenizer: BPE, text: str, merges: int | None = None) -> None:
        self.tokenizer, most = tokenizer, len(tokenizer.merges)
        shown = most if merges is None else merges
        controls = {
            "text": text_box(text),
            "merges": ipywidgets.IntSlider(
                shown, min=0, max=most, continuous_update=False, layout={"width": "600px"}
            ),
        }
        super().__init__(self._frame, controls, [["text"], ["merges: ", "merges"]])

    def _frame(self, text, merges):
        found = words(text[:MOST], self.tokenizer.kind, self.tokenizer.digits)
        if not found:
            raise ValueError("There is nothing to cut: type a text.")
        pieces = [self.tokenizer.pieces(word, merges) for word in found]
        counts = sorted({*np.geomspace(1, len(self.tokenizer.merges) + 1, POINTS).astype(int) - 1})
        totals = [sum(len(self.tokenizer.pieces(w, n)) for w in found) for n in counts]
        now = sum(map(len, pieces))
        figure = curve(counts, totals, merges, now)
        cut = "  ".join("·".join(map(self.shown, word)) for word in pieces)
        last = self.tokenizer.merges[max(0, merges - RECENT) : merges]
        listed = ", ".join(f"{self.shown(a)} + {self.shown(b)}" for a, b in last) or "none yet"
        told = f"{now} pieces: {cut}"
        return Frame(figure, f"{figure.alt} {told}", f"{told}\nThe last merges: {listed}")

    def shown(self, piece: str) -> str:
        """A piece as a person reads it: ␣ for a space, ⟨c3⟩ for part of a character."""
        if self.tokenizer.kind == "words":
            return piece.replace(END, "∎")
        value = {letter: byte for byte, letter in enumerate(byte_letters())}
        data = bytes(value[letter] for letter in piece)
        try:
            return data.decode("utf-8").replace(" ", "␣").replace("\n", "⏎")
        except UnicodeDecodeError:
            return "".join(f"⟨{byte:02x}⟩" for byte in data)


def curve(counts: Sequence[int], totals: Sequence[int], merges: int, now: int) -> Picture:
    """The number of pieces after each number of merges, and where the slider stands."""
    fig, ax = new("The sentence gets shorter", "merges", "pieces", size=(7.6, 2.8))
    ax.plot([n + 1 for n in counts], totals, "-", color=PALETTE["blue"])
    ax.plot([merges + 1], [now], "o", color=PALETTE["vermillion"], markersize=9)
    ax.set(xscale="log", ylim=(0, None))
    ticks = [n for n in (0, 10, 100, 1_000, 10_000, 40_000) if n <= counts[-1]]
    ax.set_xticks([n + 1 for n in ticks], [f"{n:,}" for n in ticks])
    ax.minorticks_off()
    about = f"A curve: {totals[0]} pieces without merges, {totals[-1]} with all {counts[-1]:,}."
    return described(fig, about)
