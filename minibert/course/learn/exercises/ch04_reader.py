"""The build of chapter 04: a Transformer of one's own, which reads letters."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_heads import MultiHead
from minibert.course.learn.exercises.ch04_tried import IN_PLACE, NO_GRADIENT, RANDOM, foreign

LETTERS, HEADS, BLOCKS = 25, 4, 2
HIDDEN_LIST = (
    "`blocks` is a plain list, in which PyTorch finds no weights, so that none of them would be "
    "trained: `nn.ModuleList(...)`."
)
BLIND = (
    "the logits are not a number (NaN): some position may look at nothing. A mask is about what is "
    "looked at, its last axis; and a letter may look at itself."
)
State = dict[str, Tensor]


def shapes(dim: int) -> dict[str, tuple[int, ...]]:
    """Name of each weight of a reader -> its shape."""
    square, vector = (dim, dim), (dim,)
    block: dict[str, tuple[int, ...]] = {}
    for name in ("query", "key", "value", "output"):
        block |= {f"attend.{name}.weight": square, f"attend.{name}.bias": vector}
    block |= {"feed.inner.weight": (4 * dim, dim), "feed.inner.bias": (4 * dim,)}
    block |= {"feed.outer.weight": (dim, 4 * dim), "feed.outer.bias": vector}
    for name in ("norm_1", "norm_2"):
        block |= {f"{name}.weight": vector, f"{name}.bias": vector}
    found: dict[str, tuple[int, ...]] = {"embedding.weight": (LETTERS, dim)}
    found |= {f"blocks.{i}.{name}": shape for i in range(BLOCKS) for name, shape in block.items()}
    found |= {"norm.weight": vector, "norm.bias": vector}
    return found | {"output.weight": (2, dim), "output.bias": (2,)}


class Reader(Exercise):
    id = "04.reader"
    title = "Build: a Transformer of your own"
    minutes, difficulty, importance, points = 25, 4, 5, 6
    hints = (
        "`dim` is `marks.shape[1]`. The blocks: `nn.ModuleList(PreBlock(dim, MultiHead(dim, 4), "
        "FeedForward(dim, 4 * dim)) for _ in range(2))`. Keep `marks` and `causal` as they are.",
        "`real = input_ids != 0` is (batch, length). As a mask it is about the keys: "
        "`real[:, None, None, :]`. For the causal reader, `both_masks(real.long())[:, None]`.",
        "The mean: multiply the states by `real[..., None]`, add them up over the positions, "
        "divide by `real.sum(1, keepdim=True)`.",
        "`F.cross_entropy(logits, labels, reduction='sum')` is the loss of all texts together.",
    )

    def as_functions(self, reader: type[nn.Module]) -> tuple:
        return (partial(self.run, reader),)

    @classmethod
    def run(
        cls, reader: type[nn.Module], part: str, case: tuple, labels: Tensor | None = None
    ) -> dict:
        """What the class with the weights of a case has ("layers"), gives, or has as its "loss"."""
        state, marks, causal, ids = case
        given, batch = (marks.clone(), ids.clone()), {"input_ids": ids.clone(), "labels": labels}
        made: Any = reader(given[0], causal) if causal else reader(given[0])
        learned = {name: p for name, p in made.named_parameters() if p.requires_grad}
        found: dict[str, Any] = {"shapes": {n: list(p.shape) for n, p in learned.items()}}
        found["list"] = isinstance(getattr(made, "blocks", None), list | tuple)
        every = made.named_parameters(remove_duplicate=False)
        found["shared"] = [name for name, p in every if p.requires_grad and name not in learned]
        if part == "layers":
            return found
        with torch.no_grad():
            for name, weight in learned.items():
                weight.copy_(state[name])
        found["logits"] = made(given[1])
        found["changed"] = not all(map(torch.equal, given, (marks, ids)))
        if part == "loss" and not found["changed"]:
            found["loss"] = loss = made.loss(batch)
            kept = list(batch) == ["input_ids", "labels"] and torch.equal(batch["input_ids"], ids)
            found["changed"] = not kept
            total = loss[0] if isinstance(loss, tuple | list) and loss else None
            if torch.is_tensor(total) and total.requires_grad and total.dim() == 0:
                total.backward()
            found["lost"] = [name for name, weight in learned.items()
                             if not name.endswith("key.bias")  # a softmax does not feel it
                             and (weight.grad is None or not weight.grad.any())]  # fmt: skip
        return found

    @staticmethod
    def case(
        seed: int = 0, *, causal: bool = False, dim: int = 8, length: int = 6, pad: bool = False
    ) -> tuple:
        """Weights, marks of nine positions, whether causal, and three texts."""
        generator = torch.Generator().manual_seed(seed)

        def drawn(name, shape):
            norm, numbers = "norm" in name, torch.randn(*shape, generator=generator)
            return numbers.abs() + 0.5 if norm and "weight" in name else 0.5 * numbers

        state = {name: drawn(name, shape) for name, shape in shapes(dim).items()}
        marks = torch.randn(9, dim, generator=generator)
        ids = torch.randint(1, LETTERS, (3, length), generator=generator)
        if pad:
            ids[1, -1] = ids[2, 2:] = 0
        return state, marks, causal, ids

    def untouched(self, run: Callable[..., Any]) -> bool:
        found = run("layers", self.case())
        return not found["shapes"] and not found["list"]

    def check(self, run: Callable[..., Any]) -> Right | Wrong:
        wrong = self.layers(run("layers", self.case()))
        parts: tuple[tuple[str, tuple, dict], ...] = (
            ("", self.case(1), self.plain()),
            ("with padding (id 0) in the batch: ", self.case(2, pad=True), self.padded()),
            ("with `causal=True`: ", self.case(3, causal=True, length=7, pad=True), self.hidden()),
            ("with texts of four letters and a width of 12: ", self.case(4, length=4, dim=12), {}),
        )
        for number, (where, case, mistakes) in enumerate(parts):
            wrong = wrong or self.numbers(run, where, case, mistakes=mistakes, points=1 + number)
        wrong = wrong or self.trained(run, self.case(5, pad=True))
        return wrong or Right(
            "Marks, masks, heads, blocks, and a mean: this is an encoder, as BERT is one."
        )

    @staticmethod
    def layers(found: dict) -> Wrong | None:
        """What is wrong with the layers, by their weights' names and shapes."""
        has, want = found["shapes"], shapes(8)
        missing = [name for name in want if name not in has]
        more = [name for name in has if name not in want]
        if found["list"]:
            return Wrong(HIDDEN_LIST, 1)
        if found["shared"] and not more:
            kept = "all weights" if len(found["shared"]) == 16 else f"`{found['shared'][0]}`"
            return Wrong(f"the blocks share {kept}: make new parts for each.", 1)
        if any(name.startswith("marks") for name in more):
            return Wrong("the marks are learned: keep the tensor as it is, no `nn.Parameter`.", 1)
        if any(name.startswith("blocks.2") for name in more):
            return Wrong("there are more than two blocks.", 1)
        if missing:
            part = missing[0].split(".")
            kept = ".".join(part[:2]) if part[0] == "blocks" and has else part[0]
            return Wrong(f"there is no layer called `{kept}` with the weights `{missing[0]}`.", 1)
        if more:
            return Wrong(f"there are weights that no part of the plan has: {', '.join(more)}.", 1)
        for name, shape in want.items():
            if tuple(has[name]) != shape:
                seen = tuple(has[name])
                return Wrong(f"`{name}` should have the shape {shape}, but has {seen}.", 1)
        return None

    def numbers(
        self, run: Callable[..., Any], where: str, case: tuple, *, mistakes: dict, points: int
    ) -> Wrong | None:
        """What is wrong with the logits of a case; ``mistakes``: message -> how it goes wrong."""
        got, want = run("logits", case)["logits"], self.solve(*case)
        if strange := foreign(got, "the result"):
            return strange
        if run("logits", case)["changed"]:
            return Wrong(IN_PLACE, 2)
        if torch.is_tensor(got) and got.shape == want.shape and not got.any():
            return Wrong("the layers are right. Now write `forward`: all its logits are zero.", 1)
        known = [(self.solve(*case, **how), message) for message, how in mistakes.items()]
        verdict = compare(got, want, known, tolerance=1e-4, what="the tensor of logits")
        if isinstance(verdict, Right):
            return None
        if not same(got, run("logits", case)["logits"]):
            return Wrong(RANDOM, 1)
        message = BLIND if "(NaN)" in verdict.message else verdict.message
        return Wrong(where + message, points)

    def trained(self, run: Callable[..., Any], case: tuple) -> Wrong | None:
        """What is wrong with the loss, or with its gradients."""
        labels = torch.tensor([0, 1, 1])
        found, logits = run("loss", case, labels), self.solve(*case)
        if found["changed"]:
            return Wrong(IN_PLACE, 4)
        if not isinstance(found["loss"], tuple | list) or len(found["loss"]) != 2:
            return Wrong("`loss` should give two things: the sum, and the number of texts.", 4)
        (total, count), each = found["loss"], F.cross_entropy(logits, labels, reduction="none")
        shares = F.cross_entropy(logits.softmax(-1), labels, reduction="sum")
        verdict = compare(total, each.sum(), [
            (each.mean(), "the loss is a mean: give the *sum* over the texts.", 5),
            (each, "a loss for each text: add them up.", 5),
            (shares, "`F.cross_entropy` wants logits, and takes the softmax itself.", 4),
            (F.cross_entropy(logits, 1 - labels, reduction="sum"), "the labels are turned.", 4),
            (F.nll_loss(logits, labels, reduction="sum"),
             "`F.nll_loss` wants log-probabilities: take `F.cross_entropy`.", 4),
            *([(3, "the sum comes first, then the number of texts.", 4)]
              if same(count, each.sum(), 1e-4) else ()),
        ], tolerance=1e-4, what="the loss")  # fmt: skip
        if not isinstance(verdict, Right):
            return Wrong(verdict.message, verdict.points or 4)
        if not same(count, 3):
            return Wrong("the second part should be the number of texts, `len(logits)`.", 5)
        if found["lost"]:
            every = len(found["lost"]) > len(shapes(8)) - 3  # the keys' two biases, and `output`
            names = "any layer" if every else ", ".join(found["lost"][:3])
            return Wrong(NO_GRADIENT.format(names), 3)
        return None

    @staticmethod
    def plain() -> dict[str, dict[str, Any]]:
        """Mistakes that show in any batch."""
        return {
            "the marks are missing: add them to the letters' vectors.": {"place": "none"},
            "the marks are added again before the second block: once, at the bottom.":
                {"place": "each"},
            "the marks are added after the blocks: they belong below the first.": {"place": "late"},
            "the marks are multiplied with the vectors: add them.": {"place": "times"},
            "the marks are one position off: the first letter has `marks[0]`.": {"place": "off"},
            "every letter gets the same mark: `marks[:length]`.": {"place": "one"},
            "those are the last marks: the first letter has `marks[0]`.": {"place": "end"},
            "a block adds `x` itself: `x = block(x, mask)`, without one more sum.": {"twice": True},
            "the embeddings are multiplied by the root of the width: not asked for here.":
                {"place": "root"},
            "only the first block is used.": {"order": (0,)},
            "only the second block is used.": {"order": (1,)},
            "no block is used.": {"order": ()},
            "the first block is used twice, and the second never.": {"order": (0, 0)},
            "the second block comes first.": {"order": (1, 0)},
            "the last norm is missing: pre-LN needs one after the blocks.": {"norm": "none"},
            "the norm stands behind the mean: every state gets it, before the mean.":
                {"norm": "late"},
            "the norm stands below the blocks: it comes after them.": {"norm": "first"},
            "the norm is used after each block: once, after the last.": {"norm": "each"},
            "the norm is used below the blocks, too: it only comes after them.": {"norm": "both"},
            "that is a sum of the states: take their mean.": {"pool": "sum"},
            "only the last state is read: take the mean of all.": {"pool": "last"},
            "only the first state is read: take the mean of all.": {"pool": "first"},
            "the largest number of each column is taken: take the mean.": {"pool": "max"},
            "there are logits for each position: take the mean of the states first.":
                {"pool": "none"},
            "these are probabilities: the loss wants logits.": {"out": torch.softmax},
            "these are log-probabilities: the loss wants logits.": {"out": torch.log_softmax},
            "the mask is turned round: True means *may be looked at*.": {"padding": "turned"},
            "one mean over the whole batch: each text has its own.": {"pool": "batch"},
            "the future is hidden although `causal` is False.": {"causal_mask": True},
            **{f"it has {n} {'head' if n == 1 else 'heads'}: four are asked for.": {"heads": n}
               for n in (1, 2, 8)},
        }  # fmt: skip

    @staticmethod
    def padded() -> dict[str, dict[str, Any]]:
        """Mistakes that show where there is padding."""
        return {
            "the letters look at the padding, and the mean counts it: hide it in both places.": {
                "padding": "seen",
                "pool": "all",
            },
            "the mean counts the padding: leave it out.": {"pool": "all"},
            "the padding is left out of the sum, but the sum is divided by the whole length.": {
                "pool": "length"
            },
            "the letters look at the padding: give each block a mask.": {"padding": "seen"},
            "only the first block gets the mask.": {"padding": "first"},
            "the mean is that of the padding: turned round.": {"pool": "turned"},
        }

    @staticmethod
    def hidden() -> dict[str, dict[str, Any]]:
        """Mistakes that show where the reader is causal."""
        return {
            "`causal` has no influence: the future must be hidden.": {"causal_mask": False},
            "the future is hidden, but the padding is not: it counts in the mean.": {
                "padding": "seen",
                "pool": "all",
            },
            "the mean counts the padding: leave it out.": {"pool": "all"},
            "the mask shows the future and hides the past.": {"causal_mask": "turned"},
            "only the first block gets the mask.": {"padding": "first"},
        }

    @classmethod
    def solve(cls, state: State, marks: Tensor, causal: bool, ids: Tensor, **how: Any) -> Tensor:
        """The logits, or those that a mistake gives."""
        length, real = ids.shape[1], ids != 0  # real: (batch, length)
        x, rows, marks = state["embedding.weight"][ids], marks, marks[:length]
        placed, normed = how.get("place", ""), how.get("norm", "")
        begun = {
            "none": x,
            "late": x,
            "times": x * marks,
            "root": x * marks.shape[1] ** 0.5 + marks,
            "off": x + rows[1:][:length],
            "one": x + rows[0],
            "end": x + rows[-length:],
        }
        x, norm = begun.get(placed, x + marks), partial(cls.norm, state, "norm")
        x = norm(x) if normed in ("first", "both") else x
        masks = cls.masks(real, causal, how)
        for number, block in enumerate(how.get("order", range(BLOCKS))):
            x = x + marks if placed == "each" and number else x
            heads = how.get("heads", HEADS)
            below = x if how.get("twice") else 0
            x = below + cls.block(state, f"blocks.{block}", x, mask=masks[number], heads=heads)
            x = norm(x) if normed == "each" and number < BLOCKS - 1 else x
        x = x + marks if placed == "late" else x
        x = x if normed in ("none", "late", "first") else norm(x)
        mean = cls.mean(x, real, how.get("pool", ""))
        mean = norm(mean) if normed == "late" else mean
        logits = mean @ state["output.weight"].T + state["output.bias"]
        return how["out"](logits, -1) if "out" in how else logits

    @staticmethod
    def masks(real: Tensor, causal: bool, how: dict[str, Any]) -> list[Tensor]:
        """The mask of each block, (batch, 1, length or 1, length)."""
        keys = real[:, None, None, :]
        seen = {"seen": torch.ones_like(keys), "turned": ~keys}.get(how.get("padding", ""), keys)
        lower = torch.ones(real.shape[1], real.shape[1], dtype=torch.bool).tril()
        hide = how.get("causal_mask", causal)
        mask = seen & (lower.mT if hide == "turned" else lower) if hide else seen
        return [mask, torch.ones_like(mask) if how.get("padding") == "first" else mask]

    @staticmethod
    def mean(x: Tensor, real: Tensor, pool: str) -> Tensor:
        """The mean of the states that are no padding, or what is taken in its place."""
        weight = (~real if pool == "turned" else real)[..., None].to(x.dtype)
        total, count = (x * weight).sum(1), weight.sum(1)
        others: dict[str, Callable[[], Tensor]] = {
            "sum": lambda: total, "last": lambda: x[:, -1], "first": lambda: x[:, 0],
            "max": lambda: x.amax(1), "none": lambda: x, "all": lambda: x.mean(1),
            "length": lambda: total / x.shape[1], "batch": lambda: total / count.sum(),
        }  # fmt: skip
        return others[pool]() if pool in others else total / count

    @classmethod
    def block(cls, state: State, name: str, x: Tensor, *, mask: Tensor, heads: int) -> Tensor:
        """One pre-LN block."""
        inside = f"{name}.attend."
        weights = {
            part.removeprefix(inside).removesuffix(".weight"): weight
            for part, weight in state.items()
            if part.startswith(inside)
        }
        x = x + MultiHead.solve(weights, heads, cls.norm(state, f"{name}.norm_1", x), mask)
        wide = cls.norm(state, f"{name}.norm_2", x) @ state[f"{name}.feed.inner.weight"].T
        wide = (wide + state[f"{name}.feed.inner.bias"]).relu()
        return x + wide @ state[f"{name}.feed.outer.weight"].T + state[f"{name}.feed.outer.bias"]

    @staticmethod
    def norm(state: State, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])
