"""Change a model while it runs, and see what comes of it: ablate, set a neuron, patch.

Ablation of heads: Michel et al. (2019), arXiv:1905.10650; of units: Lakretz et al. (2019),
arXiv:1903.07435. Patching states of one input into another: Vig et al. (2020), arXiv:2004.12265;
Meng et al. (2022), arXiv:2202.05262. Everything is a context manager, and nothing stays.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from minibert.heads.reading import as_words, reader_of
from minibert.probe.places import H, hooked, layers_of, model_of, width_of
from minibert.training.modes import evaluating

Numbers = Iterable[int]
Value = float | Float[Tensor, "..."]


@contextmanager
def changed(
    model: Any,
    layer: int,
    *,
    units: Numbers | None = None,
    neurons: Numbers | None = None,
    heads: Numbers | None = None,
    tokens: Numbers | Tensor | None = None,
    value: Value = 0.0,
) -> Iterator[None]:
    """Within it, numbers of one layer are ``value`` whenever ``model``, or a head on it, runs.

    layer: row of ``hidden_states``, 0 for the embeddings. At most one of: units, columns of that
    state, all by default; heads, what these attention heads of its block have found, cut before the
    output projection mixes them; neurons, of its feed-forward layer after the activation. tokens:
    columns of ``input_ids``, all by default, or bool (batch, length). value: a number, or what
    broadcasts to (batch, tokens, columns), and with bool tokens to (batch, length, columns).

    Contexts can be nested. In an LSTM the layers above read the change, while the layer itself goes
    on from the state that it had (to change that one, read step by step, as chapter 08 does); an
    ELMo takes its readable way, and in its layer 0, where one vector stands twice, both of them
    change. Raises ValueError for parts that the model has not,
    and in a pass for tokens beyond the input.

    >>> with changed(bert, 3, heads=[0, 2]):  # doctest: +SKIP
    ...     out = bert(input_ids)
    """
    part, numbers, width = _columns(model, layer, units, neurons, heads)
    columns = torch.tensor(numbers, dtype=torch.long)
    if isinstance(value, Tensor) and value.ndim and value.shape[-1] not in (1, len(columns)):
        told = f"a number or {len(columns)} of them for each token"
        raise ValueError(f"expected as value {told}, got {tuple(value.shape)}")
    mask = tokens if isinstance(tokens, Tensor) and tokens.dtype == torch.bool else None
    places = None if tokens is None or mask is not None else _whole(tokens, "tokens")

    def act(h: H) -> H:
        return _put(h, columns.to(h.device), places, mask, value=value)

    with hooked(model, part, layer, act):
        yield


@contextmanager
def recorded(model: Any, layer: int, part: str = "state") -> Iterator[list[Tensor]]:
    """A list that receives what a place holds in each pass: (batch, length, width), detached.

    part: "state", "heads" (as many columns a head as it is wide) or "neurons".
    """
    found: list[Tensor] = []
    width_of(model, part, layer)

    def keep(h: H) -> H:
        found.append(h.detach().clone())
        return h

    with ExitStack() as stack:
        if part == "state":
            inner = model_of(model)

            def told(_: Any, given: tuple, out: Any) -> None:
                keep(out.hidden_states[layer])

            stack.callback(inner.register_forward_hook(told).remove)
        else:
            stack.enter_context(hooked(model, part, layer, keep))
        yield found


def patched(
    model: Any,
    source: Mapping[str, Tensor],
    target: Mapping[str, Tensor],
    score: Callable[[], float],
    *,
    layers: Iterable[int] | None = None,
) -> Float[Tensor, "layers length"]:
    """Which states carry a difference: ``score()`` with one state of ``source`` put in at a time.

    source, target: what the model reads, such as ``input_ids`` (1, length), of the same shape.
    score: runs the model on the target and gives a number, such as the difference of two logits.
    In row l and column t the state of layer l (all by default) at token t is that of the source.
    """
    inner = model_of(model)
    shapes = [tuple(given["input_ids"].shape[:2]) for given in (source, target)]
    if shapes[0] != shapes[1] or shapes[0][0] != 1:
        raise ValueError(f"expected two inputs (1, length) of equal length, got {shapes}")
    chosen = list(range(layers_of(model) + 1) if layers is None else layers)
    for layer in chosen:
        width_of(model, "state", layer)
    found = torch.zeros(len(chosen), shapes[0][1])
    with evaluating(model):
        states = inner(**source).hidden_states
        for row, layer in enumerate(chosen):
            for token in range(shapes[0][1]):
                with changed(model, layer, tokens=[token], value=states[layer][:, token]):
                    found[row, token] = float(score())
    return found


def tokens_of(
    model: Any, words: str | Sequence[str]
) -> tuple[Int[Tensor, "1 length *symbols"], list[list[int]]]:
    """(``input_ids`` of a sentence, the columns of each word's pieces), to be changed.

    words: a list of them, or a text to be cut. Raises ValueError for a sentence that is longer than
    the model.
    """
    words, reader = as_words(words), reader_of(model_of(model))
    example = reader.words(words)
    if not words or len(example["words"]) < len(words):
        told = (
            f"expected 1 to {reader.max_length} tokens" if words else "expected at least one word"
        )
        raise ValueError(f"{told}, got {len(words)} words")
    ids = torch.as_tensor(example["input_ids"])[None]
    ends = [*example["words"][1:], ids.shape[1] - len(reader.ends[1])]
    device = next(model_of(model).parameters()).device
    spans = zip(example["words"], ends, strict=True)
    return ids.to(device), [list(range(*span)) for span in spans]


def _columns(model, layer, units, neurons, heads):
    """(part, columns, width) of what is to be changed; ValueError for what is not there."""
    given = {"units": units, "neurons": neurons, "heads": heads}
    named = [name for name, one in given.items() if one is not None]
    if len(named) > 1:
        raise ValueError(f"expected one of units, neurons and heads, got {' and '.join(named)}")
    name = named[0] if named else "units"
    part = "state" if name == "units" else name
    width = width_of(model, part, layer)
    if not named:
        return part, list(range(width)), width
    most = model_of(model).config.heads if name == "heads" else width
    numbers = _whole(given[name], name)
    for one in numbers:
        if not 0 <= one < most:
            raise ValueError(f"expected {name} from 0 to {most - 1}, got {one}")
    if name == "heads":
        size = width // most
        numbers = [column for one in numbers for column in range(one * size, (one + 1) * size)]
    return part, numbers, width


def _whole(given, name):
    """A list of different whole numbers."""
    numbers = given.tolist() if hasattr(given, "tolist") else list(given)
    if not numbers or len({*numbers}) < len(numbers) or any(type(n) is not int for n in numbers):
        raise ValueError(f"expected {name} as different whole numbers, got {numbers!r:.80}")
    return numbers


def _put(h, columns, places, mask, *, value):
    """``h`` with ``value`` in some columns of some tokens."""
    value = torch.as_tensor(value, dtype=h.dtype, device=h.device)
    new = h.clone()
    if places is None:
        new[..., columns] = value.expand(*h.shape[:2], len(columns))
        if mask is None:
            return new
        if mask.shape != h.shape[:2]:
            wanted, got = tuple(h.shape[:2]), tuple(mask.shape)
            raise ValueError(f"expected tokens for an input {wanted}, got bool {got}")
        return torch.where(mask.to(h.device)[..., None], new, h)
    if not all(0 <= place < h.shape[1] for place in places):
        raise ValueError(f"expected tokens from 0 to {h.shape[1] - 1}, got {places!r:.80}")
    rows = torch.tensor(places, device=h.device)[:, None]
    new[:, rows, columns] = value.expand(len(h), len(places), len(columns))
    return new
