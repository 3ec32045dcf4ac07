"""One text through a model, taken apart: what each part adds, and what is said at the end.

A part is switched off, or set to what it held for another text, by `minibert.probe.changed`; what
parts hold is read by `minibert.probe.recorded`. That the residual stream is a sum to which every
part adds: Elhage et al. (2021), "A Mathematical Framework for Transformer Circuits".
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from minibert.heads.reading import Spelled
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.bert.model import BERT
from minibert.models.elmo.model import ELMo
from minibert.models.gpt.model import GPT
from minibert.probe.changes import changed, recorded
from minibert.probe.places import layers_of, model_of
from minibert.show.outlook import Likeness, outlook_of, shown
from minibert.text.framing import SPECIALS
from minibert.text.tokens import tokenise
from minibert.training.modes import evaluating

MOST_TOKENS = 24
KEPT = 24  # passes that are remembered
HEAD, HEADS, FFN, LAYER, POSITION = "head", "all heads", "feed-forward", "whole layer", "position"


class Change(NamedTuple):
    """A place of a model, and what is put there.

    layer: 0 for the embeddings. part: `HEAD`, `HEADS`, `FFN`, `LAYER` or `POSITION`; number: which
    head or position, from 0. source: None switches it off; True is what the part held for the other
    text; of a position, the number of the other text's position that its state comes from.
    """

    layer: int
    part: str
    number: int = 0
    source: int | bool | None = None


@dataclass(frozen=True, repr=False)
class Pass:
    """What a model made of a text.

    ``states``: (length, width) a layer, the embeddings first. ``held``: what "heads" and "neurons"
    hold, (length, width), by part and layer; of an LSTM its "cells". ``added`` (layers, parts,
    length): how long the vector is that each part adds, in lengths of the stream that it is added
    to; in an LSTM the root mean square of outputs and cells. ``moved`` (layers, length): how far a
    layer moves the state, in lengths of that state; in an LSTM the root mean square of its output.
    ``looks`` (layers, heads, length, length): attention, None without. ``scores``: see
    `minibert.show.outlook`.
    """

    tokens: list[str]
    places: list[int]
    states: list[Float[Tensor, "length _"]]
    held: dict[tuple[str, int], Tensor]
    added: Float[Tensor, "layers parts length"]
    moved: Float[Tensor, "layers length"]
    looks: Float[Tensor, "layers heads length length"] | None
    scores: Float[Tensor, "rows candidates"]


@dataclass
class Passes:
    """A model, or a head on one, to be looked into text by text.

    ``parts``: the names of what `Pass.added` measures. Raises ValueError for a model that is none,
    and for texts that are empty or longer than a picture has room for.
    """

    model: Any
    head: Any = None
    tokenizer: Any = None
    kept: dict[tuple, Pass] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outlook = outlook_of(self.model, self.head, self.tokenizer)
        self.inner = model_of(self.model)
        self.layers = layers_of(self.inner)
        self.transformer = isinstance(self.inner, BERT | GPT)
        if self.transformer:
            self.heads = self.inner.config.heads
            self.parts = [*(f"head {h}" for h in range(self.heads)), FFN]
        else:
            self.heads, self.parts = 0, ["output", "cell"]
            if isinstance(self.inner, ELMo):
                self.parts = [f"{way} {part}" for way in ("→", "←") for part in self.parts]

    def tokens(self, text: str) -> list[str]:
        """The tokens of a text, as a person reads them; ValueError for a text that does not fit."""
        if not text.strip():
            raise ValueError("There is nothing to look at: type a text.")
        reader = self.outlook.reader
        count = len(reader.ids(text)) + sum(map(len, reader.ends))
        most = min(MOST_TOKENS, reader.max_length or MOST_TOKENS)
        if count > most:
            told = f"The text has {count} tokens, and there is room for {most}"
            raise ValueError(f"{told}: shorten it.")
        if isinstance(reader, Spelled):
            return tokenise(text)
        ids, words = self.outlook.example(text)["input_ids"], reader.tokenizer
        if not ids:
            raise ValueError("The model knows no word of this text: type another.")
        if isinstance(self.inner, GPT):
            first = self.inner.config.vocab_size - len(SPECIALS)  # of a frame, if there is one
            frame = dict(enumerate(SPECIALS, first)) if first >= len(words) else {}
            return [frame.get(i) or shown(words.decode([i])) for i in ids]
        return [words.tokens[i] for i in ids]

    def places(self, text: str) -> list[int]:
        """The tokens at which something is said, the usual one first; see `Outlook.places`."""
        return self.outlook.places(self.outlook.example(text))

    def of(self, text: str, changes: Sequence[Change] = (), other: str | None = None) -> Pass:
        """What the model makes of ``text`` with these changes; ``other``: text of their sources."""
        other = other if any(c.source is not None for c in changes) or self.compares else None
        key = text, tuple(changes), other
        found = self.kept.pop(key, None) or self._pass(*key)
        while len(self.kept) >= KEPT:
            del self.kept[next(iter(self.kept))]  # that which was not asked for the longest
        self.kept[key] = found
        return found

    @property
    def compares(self) -> bool:
        """Whether there is no head, so that texts are compared."""
        return isinstance(self.outlook, Likeness)

    def _pass(self, text, changes, other):
        tokens = self.tokens(text)
        source = self.of(other) if other else None
        base = self.of(text).states if changes and self.compares else None
        example = self.outlook.example(text)
        ids = torch.as_tensor(example["input_ids"])[None]
        ids = ids.to(next(self.inner.parameters()).device)
        looking = {"output_attentions": True} if self.transformer else {}
        with evaluating(self.inner):
            with ExitStack() as stack:
                for change in changes:
                    stack.enter_context(self.changed(change, len(tokens), source))
                with self._recorded() as rows:
                    out = self.inner(ids, **looking)
                states = [h[0].float() for h in out.hidden_states]
                if isinstance(self.outlook, Likeness):
                    both = [base or states, *([] if source is None else [source.states])]
                    self.outlook.others = [one[-1].mean(0) for one in both]
                scores = self.outlook.scores(states, example)
            held = {place: row[0][0].float() for place, row in rows.items()}
            added, moved = self._measured(states, held)
        looks = out.attentions and torch.stack([one[0].float().cpu() for one in out.attentions])
        places = self.outlook.places(example)
        return Pass(tokens, places, states, held, added.cpu(), moved.cpu(), looks, scores)

    @contextmanager
    def _recorded(self) -> Iterator[dict]:
        """By (part, layer) what the parts of a Transformer hold in the pass within it."""
        with ExitStack() as stack:
            places = [(p, n + 1) for p in ("heads", "neurons") for n in range(self.layers)]
            places = places if self.transformer else []
            yield {p: stack.enter_context(recorded(self.inner, p[1], p[0])) for p in places}

    @contextmanager
    def changed(self, change: Change, length: int, source: Pass | None) -> Iterator[None]:
        """Within it, the change holds; ValueError for what the model or the other text has not."""
        layer, part, number, at = change
        if at is not None and source is None:
            raise ValueError("Type another text for the values to come from.")
        if source is not None and at is not None:
            self._check_source(change, length, len(source.tokens))
        with ExitStack() as stack:
            for options in self._options(layer, part, number, None if at is None else source, at):
                stack.enter_context(changed(self.inner, layer, **options))
            yield

    def _check_source(self, change, length, theirs):
        if change.part != POSITION and theirs != length:
            raise ValueError(
                f"The other text has {theirs} tokens and this one {length}: a {change.part} can be "
                "set to it only where they are as many. Set a single position, or change a text."
            )
        if change.part == POSITION and change.source >= theirs:
            raise ValueError(f"The other text has {theirs} tokens, no position {change.source}.")

    def _options(self, layer, part, number, source, at):
        """What `changed` is told; several where a layer loses all that it adds."""
        if part == POSITION:
            value = 0.0 if source is None else source.states[layer][at]
            return [{"tokens": [number], "value": value}]
        if part == LAYER and (source is not None or layer == 0 or not self.transformer):
            return [{"value": 0.0 if source is None else source.states[layer]}]
        if not self.transformer:
            kind = type(self.inner).__name__
            raise ValueError(f"A model of kind {kind} has no {part}: its layers have cells.")
        heads, neurons = range(self.heads), range(self.inner.config.hidden)
        if part == LAYER:
            return [{"heads": heads}, {"neurons": neurons}]
        if part == FFN:
            value = 0.0 if source is None else source.held.get(("neurons", layer), 0.0)
            return [{"neurons": neurons, "value": value}]
        value = 0.0 if source is None else source.held.get(("heads", layer), 0.0)
        if part == HEADS or source is None or layer == 0:
            return [{"heads": heads if part == HEADS else [number], "value": value}]
        size = value.shape[-1] // self.heads
        return [{"heads": [number], "value": value[:, number * size : (number + 1) * size]}]

    def _measured(self, states, held):
        """(added, moved) of a `Pass`; the cells of an LSTM are put into ``held``."""
        if self.transformer:
            return _transformer(self.inner, states, held)
        cells = _cells_awd if isinstance(self.inner, AWDLSTM) else _cells_elmo
        added = []
        for layer, found in enumerate(cells(self.inner, states), 1):
            held["cells", layer] = torch.cat(found, -1)
            outputs = states[layer].chunk(len(found), -1)
            added.append([part for pair in zip(outputs, found, strict=True) for part in pair])
        rows = [torch.stack([_size(part) for part in row]) for row in added]
        return torch.stack(rows), torch.stack([_size(h) for h in states[1:]])


def _size(h):
    """Root mean square over the last dimension."""
    return h.square().mean(-1).sqrt()


def _share(part, whole):
    """The length of one vector as a share of another's; 0 where that one is zero."""
    most = whole.norm(dim=-1)
    return torch.where(most > 0, part.norm(dim=-1) / most.clamp(min=1e-20), 0.0)


def _transformer(model, states, held):
    """(added (layers, heads + 1, length), moved (layers, length))."""
    added, moved, heads = [], [], model.config.heads
    for layer, block in enumerate(model.stack.blocks, 1):
        output, dtype = block.attention.output, next(block.parameters()).dtype
        z, before = held["heads", layer], states[layer - 1]  # (length, dim)
        alone = torch.eye(heads, device=z.device).repeat_interleave(z.shape[1] // heads, 1)
        each = output((alone[:, None] * z).to(dtype)).float()  # (heads, length, dim)
        each = each - (0.0 if output.bias is None else output.bias.float())
        attended = before + output(z.to(dtype)).float()
        between = attended if block.pre else block.attention_norm(attended)
        ffn = block.ffn.outer(held["neurons", layer].to(dtype)).float()
        after = between + ffn if block.pre else block.ffn_norm(between + ffn)
        added.append(torch.cat((_share(each, before), _share(ffn, between)[None])))
        moved.append(_share(after - before, before))
    return torch.stack(added), torch.stack(moved)


def _cells_awd(model, states):
    """The cells (length, width) of each layer, step by step, from what the layers read."""
    turn = -1 if model.backward_reader else 1
    for layer, x in zip(model.layers, states, strict=False):
        state, found = None, []
        for one in x.flip(0)[None].split(1, 1) if turn < 0 else x[None].split(1, 1):
            _, state = layer(one, state)
            found.append(state[1][0, 0])
        yield [torch.stack(found[::turn])]


def _cells_elmo(model, states):
    """The cells (length, dim) of each layer, forward and backward."""
    size, skip = model.config.projection, model.config.skip
    device = states[0].device
    shape = (1, 0, model.config.max_characters) if model.config.input == "characters" else (1, 0)
    empty = torch.zeros(*shape, dtype=torch.long, device=device)
    ends, _ = model.with_boundaries(empty, torch.zeros(1, 0, dtype=torch.bool, device=device))
    starts = list(model.encoder(ends)[0])  # what is read before the words, each way
    for number in range(model.config.layers):
        pair = []
        for way, layers in enumerate((model.forward_layers, model.backward_layers)):
            layer, x = layers[number], states[number][:, way * size : (way + 1) * size]
            h, c = x.new_zeros(1, size), x.new_zeros(1, model.config.dim)
            h, c = layer.step(starts[way][None], h, c)
            starts[way] = h[0] + starts[way] if skip and number else h[0]
            found = []
            for one in x.flip(0) if way else x:
                h, c = layer.step(one[None], h, c)
                found.append(c[0])
            pair.append(torch.stack(found[::-1] if way else found))
        yield pair
