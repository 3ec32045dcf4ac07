"""Chapter 12: attention from one model to another, and the score of an arc."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.exercises.ch12_tried import Tried


def drawn(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator)


def linear(generator: torch.Generator, wide: int, out: int) -> nn.Linear:
    """A layer with drawn weights."""
    layer = nn.Linear(wide, out)
    with torch.no_grad():
        layer.weight.copy_(drawn(generator, out, wide) / wide**0.5)
        layer.bias.copy_(drawn(generator, out))
    return layer.requires_grad_(False)


class Cross(Tried):
    id = "12.cross"
    learns = True
    title = "The decoder looks at the encoder"
    minutes, difficulty, importance, points = 12, 3, 5, 5
    hints = (
        "Who asks? The queries come from the decoder's `states`. Keys *and* values come from what "
        "was read, `memory`.",
        "`x.unflatten(-1, (heads, -1)).transpose(1, 2)` gives (batch, heads, length, size).",
        "The scores are (batch, heads, steps, read). `seen[:, None, None, :]` fits them.",
        "There is no causal mask: the text that is read is there as a whole.",
    )
    right = ("Only one mask: no padding of what was read. The decoder may look at all of the "
             "source, at every step.")  # fmt: skip
    mistakes = (
        ("a causal mask: step t sees only the first t tokens of the source. The whole source has "
         "been read; only the decoder's attention to *itself* is causal.", 3, {"causal": True}),
        ("padding is looked at: its scores should be minus infinity.", 3, {"seen": "all"}),
        ("the padding's scores are 0, not minus infinity: after the softmax it has a share.", 3,
         {"seen": "zero"}),
        ("the mask is turned round: `seen` is True where there is a token.", 3,
         {"seen": "turned"}),
        ("the queries come from the memory: the decoder asks.", 2, {"query": "memory"}),
        ("keys and values come from the decoder's states: that is attention to itself.", 2,
         {"key": "states", "value": "states"}),
        ("the keys come from the decoder's states: they come from the memory.", 2,
         {"key": "states"}),
        ("the values come from the decoder's states: they come from the memory.", 2,
         {"value": "states"}),
        ("the scores are not divided by the root of a head's size.", 3, {"scale": 0}),
        ("the scores are divided by the root of the whole width: take the size of a head.", 3,
         {"scale": "dim"}),
        ("the scores are divided by the size: take its root.", 3, {"scale": "size"}),
        ("one head of the whole width: split it into `heads`.", 3, {"heads": 1}),
        ("the softmax goes over the steps: each step's weights over the source add up to one.", 3,
         {"axis": -2}),
        ("the output layer is missing.", 4, {"output": False}),
        ("the states are added: the residual is added by the block, not here.", 4,
         {"residual": True}),
        ("the heads are cut wrongly: first `unflatten` the last dimension, then exchange it with "
         "the positions.", 2, {"cut": True}),
        ("the heads are put together wrongly: exchange heads and positions first, then "
         "`flatten(2)`.", 3, {"merge": True}),
        ("padding is taken out after the softmax, so the weights no longer add up to one: mask "
         "the scores.", 3, {"seen": "after"}),
        ("the softmax is missing.", 2, {"axis": None}),
        ("every token of the source gets the same weight: the queries take no part.", 2,
         {"even": True}),
        ("the layers of keys and values are exchanged.", 3, {"swap": True}),
        ("the layer `query` is left out.", 3, {"skip": "query"}),
        ("the layer `key` is left out.", 3, {"skip": "key"}),
        ("the layer `value` is left out.", 3, {"skip": "value"}),
        ("the softmax goes over the steps: each step's weights over the source add up to one.", 3,
         {"axis": -2, "nan": True}),
        ("the softmax goes over the heads: each step's weights over the source add up to one.", 3,
         {"axis": 1}),
        ("the softmax goes over the heads: each step's weights over the source add up to one.", 3,
         {"axis": 1, "nan": True}),
        ("the heads are interleaved: each has `dim // heads` numbers in a row, so write "
         "`unflatten(-1, (heads, -1))`.", 2, {"interleaved": True}),
        ("the memory's padding is set to 0, but it still gets weight: mask the scores.", 3,
         {"seen": "emptied"}),
    )  # fmt: skip

    @classmethod
    def cases(cls) -> list[tuple]:
        found = []
        for seed, (heads, size, steps, read) in enumerate(
            [(2, 3, 4, 4), (1, 4, 3, 3), (3, 2, 2, 2)]
        ):
            g = torch.Generator().manual_seed(seed)
            dim = heads * size
            seen = torch.ones(2, read, dtype=torch.bool)
            seen[1, read - 1 :] = False
            layers = [linear(g, dim, dim) for _ in range(4)]
            states, memory = drawn(g, 2, steps, dim), drawn(g, 2, read, dim)
            found.append((states, memory, seen, *layers, heads))
        return found

    def untouched(self, answer: Any) -> bool:
        case = self.cases()[0]
        got = answer(*case)[0]
        return got is None or got is ... or (torch.is_tensor(got) and torch.equal(got, case[0]))

    def form(self, got: Any, case: tuple) -> str:
        if not torch.is_tensor(got):
            return "expected a tensor of the shape (batch, steps, dim)."
        if got.shape != case[0].shape:
            return f"expected the shape {tuple(case[0].shape)}, got {tuple(got.shape)}."
        return ""

    @classmethod
    def solve(cls, *case: Any, **how: Any) -> Tensor:
        """What each step of the decoder finds in the memory."""
        states, memory, seen, query, key, value, output, heads = case
        given = {"states": states, "memory": memory}
        key, value = (value, key) if how.get("swap") else (key, value)
        heads, mask = how.get("heads", heads), seen[:, None, None, :]
        usual = {"query": (query, "states"), "key": (key, "memory"), "value": (value, "memory")}
        if how.get("seen") == "emptied":
            given["memory"] = memory * seen[..., None]
        q, k, v = (
            cls.split((nn.Identity() if how.get("skip") == name else layer)(
                given[how.get(name, told)]), heads, how)
            for name, (layer, told) in usual.items()
        )  # fmt: skip
        size = q.shape[-1]
        by = {"dim": math.sqrt(states.shape[-1]), "size": size, 0: 1.0}
        scores = q @ k.mT / by.get(how.get("scale", ""), math.sqrt(size))
        if how.get("seen") == "zero":
            scores = scores.masked_fill(~mask, 0.0)
        elif how.get("seen") not in ("all", "after", "emptied"):
            scores = scores.masked_fill(mask if how.get("seen") == "turned" else ~mask, -torch.inf)
        if how.get("causal"):
            scores = scores.masked_fill(~torch.ones_like(scores).tril().bool(), -torch.inf)
        scores = 0 * scores.nan_to_num(0.0, neginf=0.0) if how.get("even") else scores
        scores = scores.masked_fill(~mask, -torch.inf) if how.get("even") else scores
        axis = how.get("axis", -1)
        weights = scores.nan_to_num(neginf=0.0) if axis is None else scores.softmax(axis)
        nan = how.get("nan") or how.get("seen") == "turned"  # a softmax of nothing
        weights = weights if nan else weights.nan_to_num(0.0)
        weights = weights * mask if how.get("seen") == "after" else weights
        found = weights @ v
        found = (found.reshape(states.shape) if how.get("merge")
                 else found.transpose(1, 2).flatten(2))  # fmt: skip
        found = output(found) if how.get("output", True) else found
        return found + states if how.get("residual") else found

    @staticmethod
    def split(x: Tensor, heads: int, how: dict) -> Tensor:
        """(batch, heads, length, size), or as a mistake cuts it."""
        if how.get("interleaved"):
            return x.unflatten(-1, (-1, heads)).movedim(-1, 1)
        if how.get("cut"):
            return x.reshape(len(x), heads, x.shape[1], -1)
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class Biaffine(Tried):
    id = "12.biaffine"
    learns = True
    title = "The score of every arc at once"
    minutes, difficulty, importance, points = 8, 3, 4, 4
    hints = (
        "`U` has one row more than a word has numbers: put a 1 behind each dependent, "
        "`F.pad(x, (0, 1), value=1.0)`.",
        "$s_{ij} = \\sum_a \\sum_b [x_i; 1]_a \\, U_{ab} \\, y_{jb}$: write the sums as "
        '`einsum("ia,ab,jb->ij", ...)`, or as two matrix products.',
    )
    right = ("The last row of U is what makes a word a good head, whoever asks: verbs have many "
             "dependents, full stops none.")  # fmt: skip
    mistakes = (
        ("the 1 is missing, and with it the last row of U: what speaks for a head whoever "
         "depends on it.", 2, {"one": "none"}),
        ("the 1 stands in front: it belongs behind, where U's last row is.", 3, {"one": "front"}),
        ("a 0 stands behind the dependents in place of the 1.", 3, {"one": "zero"}),
        ("the result is transposed: row i holds the scores of dependent i.", 3, {"turned": True}),
        ("U is transposed.", 2, {"u": "turned"}),
        ("dependents and heads are exchanged: the 1 is a dependent's.", 2, {"swap": True}),
        ("dependents and heads are exchanged: the 1 is a dependent's, and row i holds the scores "
         "of dependent i.", 2, {"swap": True, "turned": True}),
        ("these are probabilities: scores are asked for, no softmax.", 3, {"softmax": 1}),
        ("these are probabilities: scores are asked for, no softmax.", 3, {"softmax": 0}),
        ("the scores are divided by a root: that is attention; here they are left as they are.",
         3, {"scale": True}),
        ("only the last row of U is used: x takes no part.", 2, {"only": "bias"}),
        ("U is left out: that is a plain dot product.", 1, {"only": "dot"}),
        ("the sum goes over U's rows only: take a product with each head, too.", 1,
         {"only": "left"}),
        ("the last row of U is multiplied with the dependent: it belongs to the head, whoever "
         "depends on it.", 3, {"only": "asker"}),
        ("the last row of U is counted twice.", 3, {"only": "twice"}),
        ("the sign is turned round.", 3, {"sign": -1}),
    )  # fmt: skip

    @classmethod
    def cases(cls) -> list[tuple]:
        return [cls.case(seed, n, m, d) for seed, (n, m, d) in
                enumerate([(4, 4, 3), (3, 4, 3), (5, 5, 2)])]  # fmt: skip

    @staticmethod
    def case(seed: int, n: int, m: int, d: int) -> tuple:
        g = torch.Generator().manual_seed(seed)
        return drawn(g, n, d), drawn(g, m, d), drawn(g, d + 1, d)

    def untouched(self, answer: Any) -> bool:
        got = answer(*self.cases()[0])[0]
        return got is None or got is ... or (torch.is_tensor(got) and not got.any())

    def form(self, got: Any, case: tuple) -> str:
        if not torch.is_tensor(got):
            return "expected a tensor of the shape (dependents, heads)."
        return ""

    @classmethod
    def solve(cls, *case: Any, **how: Any) -> Tensor:
        """(dependents, heads): the scores of all arcs."""
        x, y, U = case
        if how.get("swap"):
            x, y, how = y, x, how | {"turned": not how.get("turned")}
        one = torch.ones(len(x), 1)
        kinds = {"none": (x, 0 * one), "front": (one, x), "zero": (x, 0 * one)}
        x1 = torch.cat(kinds.get(how.get("one", ""), (x, one)), 1)
        if how.get("u") == "turned":
            U = torch.cat((U[:-1].T, U[-1:]))
        only = how.get("only")
        if only == "dot":
            return x @ y.T
        if only == "asker":
            return x @ U[:-1] @ y.T + (x @ U[-1])[:, None]
        if only == "twice":
            return x1 @ U @ y.T + U[-1] @ y.T
        if only == "left":
            return x1 @ U
        scores = (U[-1] @ y.T).expand(len(x), -1) if only == "bias" else x1 @ U @ y.T
        scores = scores.softmax(how["softmax"]) if "softmax" in how else scores
        scores = scores / math.sqrt(y.shape[1]) if how.get("scale") else scores
        return (scores.T if how.get("turned") else scores) * how.get("sign", 1)
