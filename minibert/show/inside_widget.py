"""One picture from a text to what a model says of it, to be cut and changed by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import ipywidgets
import torch
from torch import Tensor

from minibert.show.figures import Picture
from minibert.show.inside_figure import BEFORE, OFF, SET, picture, told_at
from minibert.show.outlook import SHARES, Likeness
from minibert.show.passes import FFN, HEAD, HEADS, LAYER, POSITION, Change, Passes
from minibert.show.widget import Frame, Interactive, menu, text_box

ACTIONS = (BEFORE, OFF, SET)
LISTED = 6  # candidates in the table


def inside(
    model: Any,
    text: str,
    *,
    tokenizer: Any = None,
    head: Any = None,
    other: str = "",
) -> Inside:
    """From a text to what a model says, in one picture whose parts can be switched off or set.

    model: a BERT, GPT, AWDLSTM or ELMo, or a head on one. tokenizer: for a model without its own.
    head: says something at the end, such as a `SequenceClassifier`; a BERT predicts masked words
    with `MaskedLM` or `Pretraining`, and without a head the text's vector is compared. other: the
    text whose values can be put in place of this one's.

    Layers are counted from 1, with 0 for the embeddings, heads and positions from 0, as in
    `minibert.probe.changed`. Raises ValueError for a Word2Vec, which has no layers, for a text that
    is empty or longer than 24 tokens, and for a head that gives no single label.
    """
    return Inside(model, text, tokenizer=tokenizer, head=head, other=other)


class Inside(Interactive):
    """What `inside` shows. ``changes``: what is switched off or set, in the order it was done.

    Choose a layer and a part of it, then "off" or "from the other text": the bars show what is said
    before and after. Several changes hold at once until they are undone. A part that is off adds
    at most a bias; a layer of a Transformer without its heads and its feed-forward part hands its
    input on, while an LSTM's gives zeros, and so does a position.
    """

    def __init__(
        self,
        model: Any,
        text: str,
        *,
        tokenizer: Any = None,
        head: Any = None,
        other: str = "",
    ) -> None:
        self.passes = Passes(model, head, tokenizer)
        self.changes: dict[tuple[int, str, int], Change] = {}
        self._newest: tuple[int, str, int] | None = None  # what the buttons changed last
        self._following = self._held = False
        controls = self._controls(text, other)
        for name in ("layer", "part"):
            controls[name].observe(self._follow, names="value")
        controls["action"].observe(self._act, names="value")
        controls["source"].observe(self._act, names="value")
        controls["undo"].observe(self._undo, names="value")
        controls["text"].observe(self._forget, names="value")
        choices: dict[str, tuple[str, Callable[[str], Sequence[str]]]] = {
            "part": ("text", self._part_names),
            "source": ("other", self._source_names),
        }
        rows: list[list] = [["text"], ["other text: ", "other"], ["layer", "part"]]
        rows += [["action", "source", "undo"], []]
        if self.passes.places(text):
            choices["place"] = ("text", self._place_names)
            rows[-1].append("place")
        if not isinstance(self.passes.outlook, Likeness):
            rows[-1].append("temperature")
        super().__init__(self._frame, controls, rows, choices)

    def _controls(self, text, other):
        layers = ["embeddings", *(f"layer {n}" for n in range(1, self.passes.layers + 1))]
        controls: dict[str, Any] = {
            "text": text_box(text),
            "other": text_box(other, 600),
            "layer": menu(layers, "layer"),
            "part": menu(self._part_names(text), "part"),
            "action": ipywidgets.ToggleButtons(options=ACTIONS, style={"button_width": "auto"}),
            "source": menu(self._source_names(other), "its position there"),
            "undo": ipywidgets.ToggleButton(description="undo all changes"),
        }
        controls["layer"].value = 1
        if self.passes.places(text):
            controls["place"] = menu(self._place_names(text), "look at")
        if not isinstance(self.passes.outlook, Likeness):
            controls["temperature"] = ipywidgets.FloatLogSlider(
                1.0, base=10, min=-1, max=1, step=0.05, description="temperature"
            )
        return controls

    def _part_names(self, text):
        """The names of a layer's parts; `_part` says what each is."""
        fixed = []
        if self.passes.transformer:
            fixed = [*(f"head {h}" for h in range(self.passes.heads)), HEADS, FFN]
        tokens = self.passes.tokens(text)
        return [*fixed, LAYER, *(f"position {i}: {token}" for i, token in enumerate(tokens))]

    def _part(self, number):
        """(part, number of the head or position) of a choice."""
        fixed = [(LAYER, 0)]
        if self.passes.transformer:
            heads = [(HEAD, h) for h in range(self.passes.heads)]
            fixed = [*heads, (HEADS, 0), (FFN, 0), (LAYER, 0)]
        return fixed[number] if number < len(fixed) else (POSITION, number - len(fixed))

    def _source_names(self, text):
        tokens = self.passes.tokens(text) if text.strip() else []
        return ["the same", *(f"{i}: {token}" for i, token in enumerate(tokens))]

    def _place_names(self, text):
        tokens = self.passes.tokens(text)
        return [f"{i}: {tokens[i]}" for i in self.passes.places(text)]

    def _chosen(self):
        """(layer, part, number) that the controls name."""
        part = self.controls["part"].value
        return self.controls["layer"].value, *self._part(part or 0)

    def _follow(self, _):
        """The buttons say what is done to the part that was chosen."""
        change = self.changes.get(self._chosen())
        action = ACTIONS[0 if change is None else 1 if change.source is None else 2]
        values: dict[str, Any] = {"action": action}
        if change is not None and change.part == POSITION and change.source is not None:
            wanted = int(change.source) + 1  # after "the same"
            values |= {"source": wanted} if wanted < len(self.controls["source"].options) else {}
        self._quietly(values)

    def _quietly(self, values):
        """Set controls, as a part of what already changes others."""
        held = self._held
        self._following = True
        self._fill(values)
        self._held, self._following = held, False

    def _act(self, _):
        """Switch the chosen part off, set it, or leave it as it is."""
        if self._following:
            return
        place, action = self._chosen(), self.controls["action"].value
        if action == ACTIONS[0]:
            self.changes.pop(place, None)
            return
        self._newest = place
        at: int | bool | None = None
        if action == SET:
            chosen = self.controls["source"].value or 0
            at = True if place[1] != POSITION else chosen - 1 if chosen else place[2]
        self.changes[place] = Change(*place, at)

    def _undo(self, _):
        if self.controls["undo"].value:
            self.changes.clear()
            self._quietly({"action": ACTIONS[0], "undo": False})

    def _forget(self, _):
        """Of another text the positions are others."""
        self.changes = {key: one for key, one in self.changes.items() if key[1] != POSITION}
        self._follow(None)

    def _frame(self, text, other, layer, part, place=0, temperature=1.0, **_):
        changes = tuple(self.changes.values())
        base = self.passes.of(text, (), other or None)
        try:
            after = self.passes.of(text, changes, other or None)
        except ValueError:
            self.changes.pop(self._newest, None)
            self._follow(None)
            raise
        finally:
            self._newest = None
        row = min(place or 0, len(base.scores) - 1)
        at = base.places[row] if base.places else None
        shares = tuple(self._shares(one.scores[row], temperature) for one in (base, after))
        kind, number = self._part(part or 0)
        head = number if kind == HEAD else None
        options: dict[str, Any] = {"place": at, "layer": layer, "head": head, "changes": changes}
        self._now = figure = picture(self.passes, (base, after), shares, **options)
        said = told_at(self.passes, base, at)
        sentence = told(self.passes.outlook.names, shares, said, changes)
        return Frame(figure, f"{figure.alt} {sentence}", sentence, self._table(shares, changes))

    def _shares(self, scores, temperature):
        if self.passes.outlook.unit != SHARES:
            return scores
        return (scores.double() / temperature).softmax(-1)

    def _table(self, shares, changes):
        form = "{:.1%}" if self.passes.outlook.unit == SHARES else "{:.3f}"
        best = shares[-1].topk(min(LISTED, len(shares[-1]))).indices.tolist()
        table = [["candidate", *(["as it is"] if changes else []), self.passes.outlook.unit]]
        for i in best:
            numbers = shares if changes else shares[-1:]
            table.append(
                [self.passes.outlook.names[i], *(form.format(float(s[i])) for s in numbers)]
            )
        return table

    def cut(
        self, layer: int, *, head: int | None = None, position: int | None = None, part: str = LAYER
    ) -> Self:
        """Switch off a head, a position, or another part of a layer (by default the whole).

        part: "all heads", "feed-forward" or "whole layer". Gives the widget back, so that the cut
        is seen; raises ValueError for what is not there.
        """
        place = (HEAD, head) if head is not None else (part, 0)
        place = (POSITION, position) if position is not None else place
        return self._change(Change(layer, *place))

    def set(  # type: ignore[override]  # it gives the widget back
        self,
        layer: int | None = None,
        position: int | None = None,
        *,
        from_text: str | None = None,
        head: int | None = None,
        from_position: int | None = None,
        **values: Any,
    ) -> Self:
        """Set a layer's state at a position, a head, or all of the layer to that of another text.

        from_position: in the other text, by default the same. Without ``from_text``, the text that
        was given last. Further names set controls, as in `Interactive.set`.
        """
        values |= {} if from_text is None else {"other": from_text}
        if layer is not None and position is None and head is None and from_text is None:
            values["layer"] = layer
            layer = None
        if layer is None:
            super().set(**values)
            return self
        self._fill(values)
        if position is None:
            return self._change(Change(layer, LAYER if head is None else HEAD, head or 0, True))
        at = position if from_position is None else from_position
        return self._change(Change(layer, POSITION, position, at))

    def _change(self, change):
        known = self._part_names(self.controls["text"].value)
        places = [self._part(n) for n in range(len(known))]
        place = change.part, change.number
        if place not in places or not 0 <= change.layer <= self.passes.layers:
            told = f"no {change.part} {change.number} in layer {change.layer}"
            raise ValueError(f"There is {told} of {self.passes.layers} layers with: {known}.")
        before = dict(self.changes)
        self.changes[change.layer, *place] = change
        self._fill({"layer": change.layer, "part": places.index(place)})
        self._follow(None)
        self.redraw()
        if self.message:
            self.changes = before
            self._follow(None)
            raise ValueError(self.message)
        self._still = self._bundle()
        return self

    def undo(self) -> Self:
        """Take all changes back."""
        self._fill({"undo": True})
        self.redraw()
        return self

    def figure(self) -> Picture:
        """The picture as it is now, for `minibert.show.figure`."""
        return self._now

    def save(self, path: str | Path) -> Path:
        """Write one HTML file that needs no network and no kernel; gives its path back.

        It holds the text as it is and every single change of it, see `minibert.show.inside_page`:
        for a large model that takes minutes. The changes of this widget are undone first.
        """
        from minibert.show import inside_page

        return inside_page.save(self, Path(path))


def told(
    names: Sequence[str], shares: Sequence[Tensor], what: str, changes: Sequence[Change]
) -> str:
    """What is said, and what becomes of it, in a sentence."""
    first, last = (int(torch.argmax(row)) for row in shares)
    one = f"{what}: “{names[first]}” ({float(shares[0][first]):.2f})"
    if not changes:
        return f"{one}."
    done = "; ".join(map(in_words, changes))
    fate = f"“{names[first]}” has {float(shares[1][first]):.2f} after it"
    lead = "still leads" if first == last else f"“{names[last]}” leads"
    return f"{one}. Changed: {done}. {fate}, and {lead}."


def in_words(change: Change) -> str:
    """A change as a person says it."""
    layer = f"layer {change.layer}" if change.layer else "the embeddings"
    numbered = f" {change.number}" if change.part in (HEAD, POSITION) else ""
    done = "off" if change.source is None else "from the other text"
    return f"{change.part}{numbered} of {layer} {done}"
