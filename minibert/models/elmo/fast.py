"""ELMo in less time: a word is spelled once, padding is left out, both directions go together.

A test holds all equal to `minibert.models.elmo`, with gradients:

- `spelled` runs the character network over the different words of a batch, cut to the longest. Only
  one window of a convolution may be all padding: length + widest filter symbols are enough.
- `layer` takes the two directions of a layer as one batch of two, and differentiates by hand: the
  steps do only what depends on the step before, everything else is a few large products at the end.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from minibert.models.base import Where
from minibert.models.elmo.parts import LSTMP, CharacterEncoder, State, Streams, Symbols
from minibert.text.characters import PADDING

Projected = Float[Tensor, "n projection"]


def suits(x: Tensor) -> bool:
    """Whether `layer` can be used: not under automatic mixed precision."""
    return not torch.is_autocast_enabled(x.device.type)


def spelled(encoder: CharacterEncoder, characters: Symbols) -> Float[Tensor, "*batch projection"]:
    """What ``encoder(characters)`` gives."""
    rows = characters.flatten(0, -2)
    words, places = torch.unique(rows, dim=0, return_inverse=True)
    return F.embedding(places.view(characters.shape[:-1]), spelled_once(encoder, words))


def spelled_once(encoder: CharacterEncoder, words: Int[Tensor, "n symbols"]) -> Projected:
    """``encoder`` over different words, cut to the longest."""
    used = (words != PADDING).any(0).nonzero()  # (columns, 1)
    return encoder(words[:, : int(used[-1]) + 1 + encoder.widest])


def layer(
    pair: tuple[LSTMP, LSTMP], inputs: Streams, state: State, mask: Where
) -> tuple[Streams, State]:
    """Both directions in one go (see `parts.both_directions`); its state has no gradient."""
    outputs, h, c = _LSTMP.apply(
        torch.stack(tuple(inputs)),  # (2, batch, length, width)
        *state,
        torch.stack([one.input.weight for one in pair]),
        torch.stack([one.input.bias for one in pair]),
        torch.stack([one.recurrent.weight for one in pair]),
        torch.stack([one.projection.weight for one in pair]),
        pair[0].cell_clip,
        pair[0].proj_clip,
    )
    if bool(mask.all()):
        return outputs.unbind(0), (h[:, -1], c[:, -1])
    last = mask.sum(1)  # (batch,): states are numbered from the one before the first word
    rows = torch.arange(len(last), device=last.device)
    return (outputs * mask[..., None]).unbind(0), (h[:, last, rows], c[:, last, rows])


class _LSTMP(torch.autograd.Function):
    """LSTMs with projection and clipping; the first dimension is the direction.

    x (2, batch, length, width), h (2, batch, projection), c (2, batch, dim), weights as in
    `minibert.models.elmo.parts.LSTMP` -> outputs (2, batch, length, projection), and all states
    with the first: h (2, length + 1, batch, projection), c (2, length + 1, batch, dim).
    """

    @staticmethod
    def forward(ctx, x, h, c, w_x, bias, w_h, w_p, cell_clip, proj_clip):
        two, batch, length, width = x.shape
        dim = c.shape[-1]
        x = x.transpose(1, 2).reshape(two, length * batch, width)
        gates = torch.baddbmm(bias[:, None], x, w_x.mT).view(two, length, batch, 4 * dim)
        hs = h.new_empty(two, length + 1, batch, h.shape[-1])
        cs = c.new_empty(two, length + 1, batch, dim)
        tanhs, insides = torch.empty_like(cs[:, 1:]), torch.empty_like(cs[:, 1:])
        hs[:, 0], cs[:, 0] = h, c
        to_gates, to_output = w_h.mT.contiguous(), w_p.mT.contiguous()
        for t in range(length):
            a = gates[:, t].baddbmm_(hs[:, t], to_gates)  # (2, batch, 4 dim)
            a[..., : 2 * dim].sigmoid_()
            a[..., 2 * dim : 3 * dim].tanh_()
            a[..., 3 * dim :].sigmoid_()
            i, f, g, o = a.chunk(4, -1)
            cell = torch.mul(f, cs[:, t], out=cs[:, t + 1]).addcmul_(i, g)
            if cell_clip is not None:
                cell.clamp_(-cell_clip, cell_clip)
            inside = torch.mul(torch.tanh(cell, out=tanhs[:, t]), o, out=insides[:, t])
            h = torch.bmm(inside, to_output)
            hs[:, t + 1] = h if proj_clip is None else h.clamp_(-proj_clip, proj_clip)
        ctx.clips = cell_clip, proj_clip
        ctx.save_for_backward(x, w_x, w_h, w_p, gates, hs, cs, tanhs, insides)
        ctx.mark_non_differentiable(hs, cs)
        return hs[:, 1:].transpose(1, 2).contiguous(), hs, cs

    @staticmethod
    def backward(ctx, upstream, *_):
        x, w_x, w_h, w_p, gates, hs, cs, tanhs, insides = ctx.saved_tensors
        cell_clip, proj_clip = ctx.clips
        two, length, batch, dim = tanhs.shape
        i, f, g, o = gates.chunk(4, -1)  # (2, length, batch, dim)
        slope = gates * (1 - gates)  # of the sigmoids
        slope[..., 2 * dim : 3 * dim] = 1 - g * g  # of tanh
        to_cell = (1 - tanhs * tanhs) * o
        for_gates, for_h = torch.empty_like(gates), torch.empty_like(hs[:, 1:])
        for_h.copy_(upstream.transpose(1, 2))
        if proj_clip is not None:
            free_h = hs[:, 1:].abs() < proj_clip
        if cell_clip is not None:
            free_c = cs[:, 1:].abs() < cell_clip
        dh, dc = 0, torch.zeros_like(cs[:, 0])
        for t in range(length - 1, -1, -1):
            dh = for_h[:, t].add_(dh)
            if proj_clip is not None:
                dh *= free_h[:, t]
            inside = torch.bmm(dh, w_p)  # (2, batch, projection) @ (2, projection, dim)
            dc = torch.addcmul(dc, inside, to_cell[:, t])
            if cell_clip is not None:
                dc *= free_c[:, t]
            da = for_gates[:, t]
            torch.mul(dc, g[:, t], out=da[..., :dim])
            torch.mul(dc, cs[:, t], out=da[..., dim : 2 * dim])
            torch.mul(dc, i[:, t], out=da[..., 2 * dim : 3 * dim])
            torch.mul(inside, tanhs[:, t], out=da[..., 3 * dim :])
            da *= slope[:, t]
            dc = dc * f[:, t]
            dh = torch.bmm(da, w_h)  # (2, batch, 4 dim) @ (2, 4 dim, projection)
        flat = for_gates.view(two, length * batch, 4 * dim)
        for_x = torch.bmm(flat, w_x).view(two, length, batch, -1).transpose(1, 2)
        for_w_x, for_bias = torch.bmm(flat.mT, x), flat.sum(1)
        for_w_h = torch.bmm(flat.mT, hs[:, :-1].reshape(two, length * batch, -1))
        for_w_p = torch.bmm(for_h.view(two, length * batch, -1).mT, insides.flatten(1, 2))
        return for_x, None, None, for_w_x, for_bias, for_w_h, for_w_p, None, None
