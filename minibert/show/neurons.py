"""The neuron explorer: a text coloured by one unit, and what is written when it is set by hand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import ipywidgets
import torch

from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.gpt.model import GPT
from minibert.probe.changes import changed
from minibert.probe.places import layers_of, model_of, width_of
from minibert.show.coloured import coloured_text
from minibert.show.outlook import shown
from minibert.show.widget import Frame, Interactive, menu, text_box
from minibert.text.tokens import detokenise
from minibert.training.modes import evaluating

MOST_TOKENS = 200
STEPS = 20  # tokens that are written
LISTED = 5
SPREAD = 3.0  # how many times the largest value of the first text the slider reaches


class NeuronExplorer(Interactive):
    """A text coloured by one unit of a layer; a slider sets the unit, and the continuation changes.

    model: a GPT, or an AWDLSTM that reads forward. layer: a row of ``hidden_states``, 0 for the
    embeddings; unit: a column of it. steps: tokens that are written after the text, the likeliest
    each time. The unit is set at every token that is read and written, as `minibert.probe.changed`
    does it, and in an LSTM's layer also in the state that the layer goes on from. A table lists the
    units that differ most between the words of the text.

    Raises ValueError for another model, a layer or a unit that it has not, and an empty first text.
    """

    def __init__(
        self, model: Any, text: str, layer: int = 1, unit: int = 0, *, steps: int = STEPS
    ) -> None:
        self.inner, self.steps = model_of(model), steps
        one = isinstance(self.inner, AWDLSTM) and not self.inner.backward_reader
        if not isinstance(self.inner, GPT) and not one:
            kind = type(self.inner).__name__
            raise ValueError(f"Expected a GPT or an AWDLSTM that reads forward, got a {kind}.")
        width = width_of(model, "state", layer)
        if not 0 <= unit < width:
            raise ValueError(f"Expected a unit from 0 to {width - 1} in layer {layer}, got {unit}.")
        _, states = self.read(text)
        most = round(SPREAD * max(float(states[layer][:, unit].abs().max()), 0.1), 1)
        slider = {"min": -most, "max": most, "step": most / 30, "continuous_update": False}
        layers = [f"layer {n}" if n else "embeddings" for n in range(layers_of(model) + 1)]
        controls = {
            "text": text_box(text),
            "layer": menu(layers, "layer"),
            "unit": ipywidgets.BoundedIntText(unit, min=0, max=10**6, description="unit"),
            "set_it": ipywidgets.ToggleButton(description="set the unit to"),
            "value": ipywidgets.FloatSlider(most * 2 / 3, readout_format=".2f", **slider),
        }
        controls["layer"].value = layer
        controls["value"].observe(self._wanted, names="value")
        rows = [["text"], ["layer", "unit"], ["set_it", "value"]]
        super().__init__(self._frame, controls, rows)

    def _wanted(self, _):
        """Moving the slider sets the unit."""
        held, self._held = self._held, True
        self.controls["set_it"].value = True
        self._held = held

    def read(self, text: str) -> tuple[list[str], list[torch.Tensor]]:
        """(tokens, states (length, width) of each layer) of a text; ValueError for none."""
        ids = self.ids(text)
        with evaluating(self.inner):
            out = self.inner(torch.tensor([ids], device=self.device))
        return self.names(ids), [h[0].float().cpu() for h in out.hidden_states]

    @property
    def device(self) -> torch.device:
        return next(self.inner.parameters()).device

    def ids(self, text: str) -> list[int]:
        """What the model reads of a text."""
        from minibert.heads.reading import reader_of

        reader = reader_of(self.inner)
        (before, _), ids = reader.ends, reader.ids(text)
        if not ids:
            raise ValueError("There is nothing to colour: type a text.")
        room = (reader.max_length or 10**9) - self.steps
        if len(ids) > min(MOST_TOKENS, room):
            most = min(MOST_TOKENS, room)
            raise ValueError(f"The text has {len(ids)} tokens; the explorer reads {most}.")
        return [*before, *ids]

    def names(self, ids: Sequence[int]) -> list[str]:
        """Tokens as a person reads them."""
        if isinstance(self.inner, GPT):
            words: Any = self.inner.tokenizer
            return [shown(words.decode([i])) for i in ids]
        return [self.inner.vocab.tokens[i] for i in ids]

    def _frame(self, text, layer, unit, set_it, value):
        tokens, states = self.read(text)
        if unit >= states[layer].shape[1]:
            raise ValueError(f"Layer {layer} has the units 0 to {states[layer].shape[1] - 1}.")
        values = states[layer][:, unit]
        title = f"Unit {unit} of layer {layer}"
        figure = coloured_text(tokens, values, title, unit=f"value of unit {unit}")
        plain = continued(self.inner, self.ids(text), self.steps)
        told = [f"As it is, the text goes on: {plain}"]
        if set_it:
            held = (layer, unit, float(value))
            turned = continued(self.inner, self.ids(text), self.steps, held)
            told.append(f"With the unit at {value:.2f}: {turned}")
            told.append("The two are the same." if turned == plain else "The two differ.")
        words = "\n".join(told)
        spread = states[layer].std(0, correction=0)
        table = [["the units with the widest spread here", "deviation"]]
        best = spread.argsort(descending=True, stable=True)[:LISTED].tolist()
        table += [[str(i), f"{float(spread[i]):.2f}"] for i in best]
        return Frame(figure, f"{figure.alt} {words}", words, table)


def continued(
    model: GPT | AWDLSTM,
    ids: Sequence[int],
    steps: int,
    held: tuple[int, int, float] | None = None,
) -> str:
    """The likeliest token after ``ids``, and so on, ``steps`` times: what is new, as text.

    held: (layer, unit, value) of a unit that is set at each token.
    """
    layer, unit, value = held or (0, 0, 0.0)
    setting = changed(model, layer, units=[unit], value=value) if held else nullcontext()
    with setting:
        if isinstance(model, AWDLSTM):
            return _continued(model, ids, steps, held)
        written: Any = model.generate(list(ids), steps, temperature=0)
    assert model.tokenizer is not None  # its ids come from it
    return model.tokenizer.decode(written[len(ids) :])


def _continued(model, ids, steps, held):
    """The same of an LSTM, which goes on from its own state: the unit has to be set there, too."""
    unknown, new = model.vocab.unk_id, list[int]()
    with evaluating(model):
        text = torch.tensor([list(ids)], device=model.embedding.weight.device)
        waiting, state = list(text.split(1, 1)), None  # to be read, each (1, 1)
        while len(new) < steps:
            hidden, state = model.read(waiting.pop(0), state)
            if held and held[0]:
                state[held[0] - 1][0][..., held[1]] = held[2]  # h of that layer
            if waiting:
                continue
            logits = model.decoder(hidden[-1][0, -1])  # (V,)
            if unknown is not None:
                logits[unknown] = -torch.inf
            waiting.append(logits.argmax().view(1, 1))
            new.append(int(waiting[0]))
    return detokenise([model.vocab.tokens[i] for i in new])
