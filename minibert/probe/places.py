"""Where a model can be read and changed while it runs: one table of places for all models.

A place is a part of a layer: its "state", row ``layer`` of ``hidden_states`` (0: the embeddings),
or, in the Transformers' block that makes that state, its "heads" (what each head has found, before
the output projection mixes them) or its "neurons" (the feed-forward layer after the activation).
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from minibert.heads.head import base_of
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.bert.model import BERT
from minibert.models.elmo.model import ELMo
from minibert.models.elmo.parts import LSTMP, turned
from minibert.models.gpt.model import GPT
from minibert.models.word2vec.model import Word2Vec
from minibert.text.inputs import reading_order, whole_mask

H = Float[Tensor, "batch length width"]  # in the order of input_ids
Act = Callable[[H], H]
PARTS = ("state", "heads", "neurons")


def model_of(model: Any) -> Any:
    """The model that reads tokens: what a head or a `LayerMix` stands on, or itself.

    Raises ValueError for what is no model of the family.
    """
    model = base_of(model)
    if not isinstance(model, BERT | GPT | AWDLSTM | ELMo | Word2Vec):
        kind = type(model).__name__
        raise ValueError(f"expected a BERT, GPT, AWDLSTM, ELMo or Word2Vec, got a {kind}")
    return model


def layers_of(model: Any) -> int:
    """The number of the last layer; 0 is the embeddings."""
    model = model_of(model)
    return 0 if isinstance(model, Word2Vec) else model.config.layers


def width_of(model: Any, part: str, layer: int) -> int:
    """How many numbers a place holds for each token; ValueError for a place that is not there."""
    model = model_of(model)
    if part not in PARTS:
        raise ValueError(f"part must be {' or '.join(map(repr, PARTS))}, got {part!r}")
    transformer = isinstance(model, BERT | GPT)
    if part != "state" and not transformer:
        kind = type(model).__name__
        raise ValueError(f"{part} are parts of a BERT or a GPT, and this is a model of kind {kind}")
    first, last = int(part != "state"), layers_of(model)
    if not first <= layer <= last:
        raise ValueError(f"expected a layer from {first} to {last} with {part}, got {layer}")
    config = model.config
    if part == "neurons":
        return config.hidden
    if isinstance(model, ELMo):
        return 2 * config.projection
    if isinstance(model, AWDLSTM):
        return config.dim if layer == 0 else config.widths()[layer - 1][1]
    return config.dim


@contextmanager
def hooked(model: Any, part: str, layer: int, act: Act) -> Iterator[None]:
    """Within it, ``act`` is given what the place holds in each pass, and says what it holds then.

    ``act``: (batch, length, width) -> the same shape, in the order of ``input_ids``, padding and
    all. The hooks come off at the end, whatever happens inside.
    """
    width_of(model, part, layer)
    model = model_of(model)
    with ExitStack() as stack:

        def hook(module: nn.Module, function: Callable, before: bool = False) -> None:
            put = module.register_forward_pre_hook if before else module.register_forward_hook
            stack.callback(put(function).remove)

        if isinstance(model, BERT | GPT):
            _transformer(model, part, layer, act, hook)
        elif isinstance(model, Word2Vec):
            hook(model.input, lambda _, given, out: act(out) if out.ndim == 3 else None)
        else:
            order = _Order(model)
            handle = model.register_forward_pre_hook(order.keep, with_kwargs=True)
            stack.callback(handle.remove)
            stack.callback(model.register_forward_hook(order.drop, always_call=True).remove)
            if isinstance(model, AWDLSTM):
                _awd_lstm(model, layer, act, hook, order)
            else:
                stack.callback(setattr, model, "quick", model.quick)
                model.quick = False  # the quick way calls no layer
                _elmo(model, layer, act, hook, order)
        yield


class _Order:
    """The order in which an LSTM reads the columns of ``input_ids``, during a pass."""

    def __init__(self, model: Any) -> None:
        self.backward = getattr(model, "backward_reader", False)
        self.elmo = isinstance(model, ELMo)
        self.order: Tensor | None = None

    def keep(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        ids: Any = kwargs.get("input_ids", args[0] if args else None)
        mask: Any = kwargs.get("attention_mask", args[1] if len(args) > 1 else None)
        if mask is None and self.elmo:
            mask = ((ids if ids.ndim == 2 else ids.sum(-1)) > 0).long()
        mask = whole_mask(ids, mask)
        self.order, self.real = reading_order(mask, self.backward), mask.bool()[..., None]

    def drop(self, *_: Any) -> None:
        self.order = None

    def act(self, act: Act, h: Tensor) -> Tensor:
        """``act`` on states in the order of reading."""
        if self.order is None:
            if self.backward:
                told = "expected a pass through the model itself, `model(input_ids)`"
                raise ValueError(f"{told}: what reads backward tells no positions otherwise")
            return act(h)
        h = h.take_along_dim(self.order.argsort(1)[..., None], 1)
        new = torch.where(self.real, act(h), h)  # an ELMo's end of sentence is in the padding
        return new.take_along_dim(self.order[..., None], 1)


def state_of(output: Any) -> Tensor:
    """The state (batch, length, width) in what a layer gives: itself, or the first of a tuple."""
    return output[0] if isinstance(output, tuple) else output


def with_state(output: Any, state: Tensor) -> Any:
    """What a layer gave, with another state in it."""
    return (state, *output[1:]) if isinstance(output, tuple) else state


def _transformer(model, part, layer, act, hook):
    stack = model.stack
    if part == "state" and layer in (0, len(stack.blocks)):
        hook(stack.norm if layer else model.embeddings, lambda _, given, out: act(out))
        return
    block = stack.blocks[layer - 1]
    if part == "state":
        hook(block, lambda _, given, out: with_state(out, act(state_of(out))))
    else:  # what the last linear layer of a sublayer reads
        last = block.attention.output if part == "heads" else block.ffn.outer
        hook(last, lambda _, given: (act(given[0]), *given[1:]), True)


def _awd_lstm(model, layer, act, hook, order):
    if layer:
        one = model.layers[layer - 1]
        hook(one, lambda _, given, out: (order.act(act, out[0]), *out[1:]))
        return
    hook(model.layers[0], lambda _, given: (order.act(act, given[0]), *given[1:]), True)

    def told(_: nn.Module, given: tuple, out: Any) -> None:
        """The embeddings are no module's: what the first layer read is put in their place."""
        first = act(out.hidden_states[0])
        out.hidden_states = (first, *out.hidden_states[1:])

    hook(model, told)


def _elmo(model, layer, act, hook, order):
    """Two streams with a mark at either end; the second one is turned round in the LSTMs."""
    size = model.config.projection
    if layer:
        for start, layers in ((0, model.forward_layers), (size, model.backward_layers)):
            half = slice(start, start + size)
            hook(layers[layer - 1], _Direction(model, layer, act, order, half))
        return

    def both(h: Tensor) -> Tensor:
        first, second = act(torch.cat((h, h), -1)).split(size, -1)
        if bool(((first != h) & (second != h) & (first != second)).any()):
            raise ValueError("both halves of ELMo's layer 0 are one vector: change them alike")
        return torch.where(first != h, first, second)

    def embedded(_: nn.Module, given: tuple, h: Tensor) -> Tensor:
        return torch.cat((h[:, :1], order.act(both, h[:, 1:-1]), h[:, -1:]), 1)

    hook(model.encoder, embedded)


class _Direction:
    """The hook of one direction: ``act`` sees zeros in the place of the other one's half."""

    def __init__(self, model: ELMo, layer: int, act: Act, order: _Order, half: slice) -> None:
        self.model, self.act, self.order, self.half = model, act, order, half
        self.skip = model.config.skip and layer > 1

    def __call__(self, _: LSTMP, given: tuple, out: tuple) -> tuple:
        (x, _, mask), (y, state) = given, out
        if self.model.training and self.skip and self.model.config.dropout:
            raise ValueError("expected an ELMo in eval mode: dropout hides what a layer adds to")
        whole = y + x if self.skip else y  # (batch, length + 2, projection)
        read = turned(whole, mask) if self.half.start else whole
        words = self.order.act(self._half, read[:, 1:-1])
        new = torch.cat((read[:, :1], words, read[:, -1:]), 1)
        new = turned(new, mask) if self.half.start else new
        return torch.where(new == whole, y, new - x if self.skip else new), state

    def _half(self, h: Tensor) -> Tensor:
        both = h.new_zeros(*h.shape[:-1], 2 * h.shape[-1])
        both[..., self.half] = h
        return self.act(both)[..., self.half]
