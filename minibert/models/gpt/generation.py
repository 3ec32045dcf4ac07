"""Drawing text from a language model: greedy, or by chance within limits.

Temperature and top-k as in Fan, Lewis & Dauphin (2018); nucleus (top-p) sampling after Holtzman et
al. (2020), "The Curious Case of Neural Text Degeneration", arXiv:1904.09751; the repetition penalty
after Keskar et al. (2019), arXiv:1909.05858, section 4.1.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from minibert.models.softmax import check_scores
from minibert.training.modes import evaluating

if TYPE_CHECKING:
    from minibert.models.gpt.model import GPT

Ids = Sequence[SupportsIndex] | np.ndarray | Tensor
Prompt = str | Ids | Sequence[str] | Sequence[Ids]
Written = str | list[str] | list[int] | list[list[int]]
Logits = Float[Tensor, "*batch V"]
Rows = Float[Tensor, "batch V"]
COLDEST = 1e-30  # a temperature that single precision can divide by


def distribution(
    logits: Logits, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Logits:
    """The probabilities to draw from.

    temperature: logits are divided by it; 0 puts everything on the likeliest token. top_k: only the
    k likeliest may be drawn (with equals of the k-th). top_p: only the fewest tokens whose
    probabilities, after the temperature, add up to at least top_p.

    Raises ValueError for settings out of range, FloatingPointError for logits that are not finite.
    """
    _check(temperature, top_k, top_p)
    check_scores(logits)
    if temperature == 0:
        best = logits.argmax(-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, best, 1.0)
    logits = (logits - logits.amax(-1, keepdim=True)) / max(temperature, COLDEST)
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[-1])).values[..., -1:]  # (..., 1)
        logits = logits.masked_fill(logits < least, -torch.inf)
    p = logits.softmax(-1)
    if top_p is not None and top_p < 1:
        ordered, order = p.sort(dim=-1, descending=True, stable=True)
        before = ordered.double().cumsum(-1) - ordered  # single precision would lose the rare ones
        spare = before >= top_p  # enough was there before this one
        p = p.masked_fill(torch.zeros_like(spare).scatter(-1, order, spare), 0.0)
        p = p / p.sum(-1, keepdim=True)
    return p


def draw(p: Rows, generator: torch.Generator | None = None) -> Int[Tensor, "batch 1"]:
    """One token from each p, by one random number a text; `torch.multinomial` takes one a token."""
    reached = p.double().cumsum(-1)  # (batch, V), up to about 1
    at = torch.rand(len(p), 1, dtype=reached.dtype, device=p.device, generator=generator)
    chosen = torch.searchsorted(reached, at * reached[:, -1:], right=True)
    return chosen.clamp(max=p.shape[1] - 1)


def penalise(logits: Rows, ids: Int[Tensor, "batch any"], penalty: float) -> Rows:
    """Make tokens in ``ids`` (-1: none) less likely: logits above 0 / penalty, others * penalty."""
    seen = torch.zeros(logits.shape, dtype=torch.bool, device=logits.device)
    seen.scatter_(1, ids.clamp(min=0), True)
    if (ids < 0).any():
        seen[:, 0] = (ids == 0).any(1)
    changed = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, changed, logits)


def drawable(model: "GPT", logits: Logits) -> Logits:
    """The logits with -inf where the table of ``model`` is longer than its vocabulary."""
    if model.tokenizer is None or len(model.tokenizer) == logits.shape[-1]:
        return logits
    beyond = torch.arange(logits.shape[-1], device=logits.device) >= len(model.tokenizer)
    return logits.masked_fill(beyond, -torch.inf)


def _check(temperature, top_k, top_p, repetition_penalty=1.0):
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be 0 or more, got {temperature}")
    if top_k is not None and (not isinstance(top_k, Integral) or top_k < 1):
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")
    if not 0 < repetition_penalty < math.inf:
        raise ValueError(f"repetition_penalty must be above 0, got {repetition_penalty}")


def generate(
    model: "GPT",
    prompt: Prompt,
    steps: int = 50,
    temperature: float = 1.0,
    *,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    stop: int | Iterable[int] | None = None,
    seed: int | None = None,
    cache: bool = True,
    stream: Callable[[list[int | None]], object] | None = None,
    token_type_ids: Ids | Sequence[Ids] | None = None,
) -> Written:
    """Let ``model``, a `minibert.GPT`, go on with a prompt; returns texts or ids as they came in.

    prompt: a string, or a list of them, for a model with a tokenizer, which then goes on with its
        pieces alone; or a list of ids (or array, tensor), or a list of such. None may be empty.
    steps: tokens to add, at most; no text gets longer than the model's ``max_length``.
    temperature, top_k, top_p: see `distribution`; ``repetition_penalty``: see `penalise`.
    stop: ids that end a text, which keeps them; the tokenizer's end of text by default.
    seed: of the draws; None goes on with torch's own. cache: keep keys and values of what was read.
    stream: called with each new id (a list, one per text, None for a text that has ended).
    token_type_ids: the kinds of the prompt's tokens, see `minibert.GPT.forward`: a list, or one for
        each prompt. New tokens are of the last one's kind.

    Raises ValueError for prompts that are empty or too long, for settings out of range, and for
    kinds of more or fewer tokens than a prompt has; FloatingPointError where the model's scores are
    not finite. The model is left as it was.
    """
    _check(temperature, top_k, top_p, repetition_penalty)
    rows, give_back = _read(model, prompt)
    device, most = model.embeddings.word.weight.device, model.config.max_length
    longest = max(map(len, rows))
    if longest >= most:
        raise ValueError(f"expected prompts of fewer than {most} tokens, got {longest}")
    generator = None if seed is None else torch.Generator(device).manual_seed(seed)
    ids, mask = _padded(rows, device), _padded([[1] * len(row) for row in rows], device)
    kinds = None if token_type_ids is None else _padded(_kinds(token_type_ids, rows), device)
    padded, ends = not bool(mask.all()), _ends(model, stop)
    alive, past = torch.ones(len(rows), dtype=torch.bool, device=device), None
    with evaluating(model):
        for _ in range(min(steps, most - longest)):
            new = slice(0 if past is None else -1, None)
            more = {} if kinds is None else {"token_type_ids": kinds[:, new]}
            out = model(ids[:, new], mask if padded else None, past=past, **more)
            past = out.past if cache else None
            logits = drawable(model, model.logits(out.last_hidden_state[:, -1]))  # (batch, V)
            if repetition_penalty != 1:
                logits = penalise(logits, ids.masked_fill(mask == 0, -1), repetition_penalty)
            chosen = draw(distribution(logits, temperature, top_k, top_p), generator)
            ids = torch.cat((ids, chosen), 1)
            mask = torch.cat((mask, alive[:, None].long()), 1)
            kinds = kinds if kinds is None else torch.cat((kinds, kinds[:, -1:]), 1)
            if stream is not None:
                told = zip(chosen[:, 0].tolist(), alive.tolist(), strict=True)
                stream([i if goes_on else None for i, goes_on in told])
            alive = alive & ~torch.isin(chosen[:, 0], ends)
            if not alive.any():
                break
    return give_back([row[m.bool()].tolist() for row, m in zip(ids, mask, strict=True)])


def _ends(model, stop):
    """The ids that end a text, a tensor."""
    if stop is None:
        end = getattr(model.tokenizer, "end_id", None)
        stop = [] if end is None else [end]
    stop = [stop] if isinstance(stop, Integral) else [int(i) for i in stop]
    return torch.tensor(stop, dtype=torch.int64, device=model.embeddings.word.weight.device)


def _read(model, prompt):
    """(lists of ids, what turns such lists into what the prompt was)."""
    prompts, alone = _several(prompt)
    texts = bool(prompts) and isinstance(prompts[0], str)
    if texts and model.tokenizer is None:
        raise ValueError("expected a prompt of ids: the model has no tokenizer for texts")
    rows = [model.tokenizer.encode(one) if texts else [int(i) for i in one] for one in prompts]
    if not rows or not all(rows):
        raise ValueError("expected prompts of at least one token each, got an empty one")

    def give_back(found):
        found = [model.tokenizer.decode(row) for row in found] if texts else found
        return found[0] if alone else found

    return rows, give_back


def _several(given):
    """(what was given as a list of texts or of rows of ids, whether it was one alone)."""
    given = given.tolist() if hasattr(given, "tolist") else given
    alone = isinstance(given, str) or (len(given) > 0 and isinstance(given[0], Integral))
    return [given] if alone else list(given), alone


def _kinds(token_type_ids, rows):
    """Lists of the kinds of all tokens of ``rows``."""
    kinds = [[int(i) for i in one] for one in _several(token_type_ids)[0]]
    if (got := [*map(len, kinds)]) != (sizes := [*map(len, rows)]):
        raise ValueError(f"expected token_type_ids of prompts of {sizes} tokens, got {got}")
    return kinds


def _padded(rows, device):
    """Rows of ids as one tensor; they end at the same place, padding (0) stands in front."""
    longest = max(map(len, rows))
    return torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=device)
