"""The Transformer's encoder in less time: what would be thrown away is not computed.

A test holds it equal to `minibert.models.transformer`, with gradients; the positions that it leaves
out are those that nobody reads:

- **Padding.** The real tokens of a batch stand one after the other, (tokens, dim), through every
  linear layer, norm and dropout. Only attention needs to know which belong together: sequences of
  like length are attended to in blocks, whose few padded positions are masked.
- **The last layer** is computed at the positions that are wanted, such as `[CLS]` and the masked
  words: all tokens are looked at (keys and values), only these look (queries).
- **Attention's gradient** is written out, so that a block of sequences goes through in few calls,
  on pieces small enough for the cache, and is gathered and put back by one indexing each.
"""

from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from minibert.models.base import Ids, Kind, Marks, Real, Where
from minibert.models.dropout import kept
from minibert.text.inputs import from_first

if TYPE_CHECKING:
    from minibert.models.bert.model import BERT
    from minibert.models.gpt.model import GPT
    from minibert.models.transformer.model import Block

WASTE = 1.2  # the longest sequence of a block against the shortest
SCORES = 1 << 18  # attention scores of a block
Places = Int[Tensor, " _"]
OURS = tuple(
    f"minibert.models.{name}"
    for name in """bert.model bert.left_to_right gpt.model transformer.attention transformer.model
    transformer.parts dropout""".split()
)
ADDED = "minibert.transfer.lora", "minibert.transfer.adapters"  # they add no module of another kind
PLAIN = (*OURS, *ADDED, "torch.nn.modules")


def suits(model: "BERT | GPT", input_ids: Tensor) -> bool:
    """Whether `states_at` can be used: CPU, full precision, no foreign part, hook or compiled one.

    It knows the models of 2017 to 2019 only.
    """
    if input_ids.device.type != "cpu" or torch.is_autocast_enabled("cpu") or model.config.later:
        return False
    return all(
        type(module).__module__.startswith(PLAIN)
        and not (module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)
        and "forward" not in vars(module)
        and getattr(module, "quick", True)
        and module._compiled_call_impl is None
        for module in model.modules()
    )


def states_at(
    model: "BERT | GPT",
    input_ids: Ids,
    attention_mask: Real,
    token_type_ids: Kind,
    *,
    wanted: Where,
) -> Float[Tensor, "n dim"]:
    """What `minibert.BERT.states_at` gives: the last hidden states where ``wanted``."""
    real = torch.ones_like(wanted) if attention_mask is None else attention_mask.bool()
    if not wanted.any():
        return model.embeddings.word.weight.new_empty(0, model.config.dim)
    x = _embedded(model, input_ids, token_type_ids, real)  # (tokens, dim)
    *blocks, last = cast("list[Block]", list(model.stack.blocks))
    lengths, some = real.sum(1).tolist(), wanted[real]  # some: (tokens,)
    seen = _seen(model, real)
    if blocks:
        plan = Plan(lengths, lengths, last.attention.heads, seen)
        for block in blocks:
            x = through(block, x, x, plan)
    seen = None if seen is None else seen[some]
    plan = Plan(lengths, wanted.sum(1).tolist(), last.attention.heads, seen)
    return model.stack.norm(through(last, x, x[some], plan))


def layers(
    model: "BERT | GPT", input_ids: Ids, attention_mask: Marks
) -> list[Float[Tensor, "tokens dim"]]:
    """``model(...).hidden_states`` at all real tokens, those of each row after the row before."""
    real = attention_mask.bool()
    x = _embedded(model, input_ids, None, real)  # (tokens, dim)
    blocks, lengths = cast("list[Block]", list(model.stack.blocks)), real.sum(1).tolist()
    plan, found = Plan(lengths, lengths, model.config.heads, _seen(model, real)), [x]
    for block in blocks:
        x = through(block, x, x, plan)
        found.append(x)
    found[-1] = model.stack.norm(x)
    return found


def _seen(model, real):
    """The last place that each token may look at, (tokens,), or None for all."""
    return (real.cumsum(1) - 1)[real] if getattr(model, "causal", False) else None


def _embedded(model, input_ids, token_type_ids, real):
    """Embeddings of the real tokens, (tokens, dim)."""
    ids, kinds = input_ids[real], None if token_type_ids is None else token_type_ids[real]
    if not hasattr(model.embeddings, "segment"):  # GPT counts positions from its first token
        return model.embeddings(ids, (real.cumsum(1) - 1)[real], kinds)
    return model.embeddings(ids, kinds, from_first(real.long())[real])


def through(
    block: "Block", x: Float[Tensor, "tokens dim"], asking: Float[Tensor, "n dim"], plan: "Plan"
) -> Float[Tensor, "n dim"]:
    """A `minibert.models.transformer.Block` on packed tokens, at the ``asking`` rows of x."""
    attention, before = block.attention, block.before
    y = before(block.attention_norm, x)
    looks = y if asking is x else before(block.attention_norm, asking)
    scale = (attention.query.out_features // attention.heads) ** -0.5
    query, key, value = attention.query, attention.key, attention.value
    q = F.linear(looks, query.weight * scale, query.bias * scale)  # (n, dim)
    weight, bias = torch.cat((key.weight, value.weight)), torch.cat((key.bias, value.bias))
    kv = F.linear(y, weight, bias)  # (tokens, 2 * dim)
    p = attention.dropout if block.training else 0.0
    found = _Attend.apply(q, kv, plan, p)
    x = block.after(block.attention_norm, asking, attention.output(found))
    return block.after(block.ffn_norm, x, block.ffn(before(block.ffn_norm, x)))


class Plan:
    """Which packed tokens are attended to together, and where they stand.

    lengths: tokens of each sequence; asking: how many of them look; seen: of each of these the last
    place that it may look at, None for all. ``blocks``: of each the number of (sequence, head)
    pairs, of queries and of keys, what masks the others, and its slices. ``to_queries``,
    ``to_keys``: rows of the packed tensors in the blocks' order; ``from_...``: the way back.
    """

    def __init__(
        self, lengths: list[int], asking: list[int], heads: int, seen: Places | None = None
    ) -> None:
        lengths, asking = torch.tensor(lengths), torch.tensor(asking)
        self.heads, self.blocks, queries, keys = heads, [], _Rows(heads, 1), _Rows(heads, 2)
        first_key, first_query = lengths.cumsum(0) - lengths, asking.cumsum(0) - asking
        for rows in _alike(lengths, heads):
            most, most_asking = int(lengths[rows].max()), int(asking[rows].max())
            if not most_asking:
                continue
            here = queries.add(first_query[rows], asking[rows], most_asking)
            there = keys.add(first_key[rows], lengths[rows], most)
            beyond = None
            if seen is not None:
                last = len(seen) - 1
                tokens = (first_query[rows, None] + torch.arange(most_asking)).clamp(max=last)
                beyond = torch.arange(most) > seen[tokens][:, None, :, None]  # (.., queries, keys)
            elif (lengths[rows] < most).any():
                beyond = torch.arange(most) >= lengths[rows, None, None, None]  # (.., 1, 1, keys)
            mask = None if beyond is None else beyond.float().masked_fill_(beyond, -torch.inf)
            self.blocks.append((len(rows) * heads, most_asking, most, mask, here, there))
        self.to_queries, self.from_queries, self.padded_queries = queries.done(int(asking.sum()))
        self.to_keys, self.from_keys, _ = keys.done(int(lengths.sum()))


class _Rows:
    """Rows of a tensor (tokens * parts * heads, head) in the order of the blocks."""

    def __init__(self, heads: int, parts: int) -> None:
        self.heads, self.parts, self.total = heads, parts, 0
        self.pieces, self.real = list[Tensor](), list[Tensor]()

    def add(self, first: Places, lengths: Places, most: int) -> slice:
        """Append a block; returns the slice that it is. Padding is any row: the first."""
        places = torch.arange(most)
        real = places < lengths[:, None]  # (sequences, most)
        tokens = torch.where(real, first[:, None] + places, 0)
        inner = torch.arange(self.parts * self.heads).view(self.parts, 1, self.heads, 1)
        rows = tokens[None, :, None, :] * (self.parts * self.heads) + inner
        self.pieces.append(rows.flatten())  # (parts, sequences, heads, most)
        self.real.append(real[None, :, None].expand_as(rows).flatten())
        start, self.total = self.total, self.total + rows.numel()
        return slice(start, self.total)

    def done(self, tokens: int) -> tuple[Places, Places, Places]:
        """(rows in the blocks' order, where each row stands there or past the last, padding)."""
        rows, real = torch.cat(self.pieces), torch.cat(self.real)
        back = torch.full((tokens * self.parts * self.heads,), self.total)
        back[rows[real]] = torch.arange(self.total)[real]
        return rows, back, (~real).nonzero()[:, 0]


def _alike(lengths, heads):
    """Sequences of like length together, the longest first: index tensors."""
    order = lengths.argsort(descending=True, stable=True)
    sizes, groups, start = lengths[order].tolist(), [], 0
    for i in range(1, len(sizes) + 1):
        longest = sizes[start]
        full = (i - start + 1) * heads * longest * longest > SCORES
        if i == len(sizes) or full or sizes[i] * WASTE < longest:
            groups.append(order[start:i])
            start = i
    return groups


class _Attend(torch.autograd.Function):
    """softmax(Q K^T + mask) V with dropout. q (n, dim), scaled; kv (tokens, 2 dim) -> (n, dim)."""

    @staticmethod
    def forward(ctx, q, kv, plan, p):
        heads, head = plan.heads, q.shape[1] // plan.heads
        queries = q.view(-1, head).index_select(0, plan.to_queries)
        keys = kv.view(-1, head).index_select(0, plan.to_keys)
        found, saved = torch.empty_like(queries), []
        for pairs, asking, length, mask, here, there in plan.blocks:
            k, v = keys[there].view(2, pairs, length, head)
            scores = torch.bmm(queries[here].view(pairs, asking, head), k.mT)
            if mask is not None:
                scores.view(-1, heads, asking, length).add_(mask)
            weights = scores.softmax(-1)  # (pairs, asking, length)
            keep = kept(weights.shape, p, weights.dtype) if p else None
            used = weights if keep is None else torch.mul(weights, keep, out=scores)
            torch.bmm(used, v, out=found[here].view(pairs, asking, head))
            saved += [weights, keep]
        ctx.plan = plan
        ctx.save_for_backward(queries, keys, *saved)
        return found.index_select(0, plan.from_queries).view_as(q)

    @staticmethod
    def backward(ctx, upstream):
        plan, (queries, keys, *saved) = ctx.plan, ctx.saved_tensors
        heads, head = plan.heads, queries.shape[1]
        above = upstream.reshape(-1, head).index_select(0, plan.to_queries)
        above.index_fill_(0, plan.padded_queries, 0.0)  # nobody reads what these found
        for_queries = torch.empty_like(queries)
        for_keys = keys.new_empty(len(keys) + 1, head)
        for_keys[-1] = 0.0  # of a token that nobody looked at
        for block, weights, keep in zip(plan.blocks, saved[::2], saved[1::2], strict=True):
            pairs, asking, length, _, here, there = block
            q = queries[here].view(pairs, asking, head)
            k, v = keys[there].view(2, pairs, length, head)
            for_k, for_v = for_keys[there].view(2, pairs, length, head)
            d = above[here].view(pairs, asking, head)
            used = weights if keep is None else weights * keep
            torch.bmm(used.mT, d, out=for_v)
            slope = torch.bmm(d, v.mT)
            if keep is not None:
                slope.mul_(keep)
            slope = torch._softmax_backward_data(slope, weights, -1, weights.dtype)
            torch.bmm(slope, k, out=for_queries[here].view(pairs, asking, head))
            torch.bmm(slope.mT, q, out=for_k)
        for_q = for_queries.index_select(0, plan.from_queries).view(-1, heads * head)
        for_kv = for_keys.index_select(0, plan.from_keys).view(-1, 2 * heads * head)
        return for_q, for_kv, None, None
