"""Chapter 02: the build, a language model in each direction, in five steps."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, mistaken, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED, kept

Setup = tuple[int, int, int, int]  # seed, words, width, dim
SETUPS: tuple[Setup, ...] = ((0, 9, 5, 4), (1, 9, 5, 4))
METHODS = ("states", "losses", "guess")
STEPS = {"states": "step 2", "losses": "step 4", "guess": "step 5"}
Seen = Callable[..., dict]
Score = Callable[..., Tensor]


class BiLM(Exercise):
    id = "02.bilm"
    title = "Build: a language model in each direction"
    minutes, difficulty, importance, points = 20, 4, 5, 6
    hints = (
        "`flip(1)` turns the order of the words round. What has to be turned to read from the end, "
        "and what afterwards?",
        "`logits.flatten(0, 1)` and `ids.flatten()` fit `F.cross_entropy`. The backward model is "
        "that of 02.find_the_bug; the forward one is its mirror image.",
        "Count the words that have a neighbour on both sides, from 1 to `length - 2`. Word `t` is "
        "predicted by the forward state `t - 1` and the backward state `t + 1`: `[:, :-2]` and "
        "`[:, 2:]`.",
    )

    def as_functions(self, made: Any) -> tuple:
        return (partial(seen, made), partial(learned, made))

    def untouched(self, seen: Seen, learned: Any) -> bool:
        return bool(seen(texts(SETUPS[0]), SETUPS[0])["untouched"])

    def check(self, seen: Seen, learned: Callable[[], list[float]]) -> Right | Wrong:
        for setup in SETUPS:
            told = judged(seen, setup)
            if told:
                return told
        first, last = learned()
        if not last < first / 2:
            return Wrong(f"a text that repeats itself is not learned: {first:.2f} nats before, "
                         f"{last:.2f} after 60 updates.", 5)  # fmt: skip
        return Right("Neither model sees the word that it predicts, and together they see the "
                     "whole sentence.")  # fmt: skip


def texts(setup: Setup) -> Tensor:
    """Three texts of six words: (3, 6)."""
    seed, words, *_ = setup
    return torch.randint(words, (3, 6), generator=torch.Generator().manual_seed(40 + seed))


def shares(words: int) -> Tensor:
    """Shares of the words: (words,), with the sum 1."""
    share = torch.arange(1.0, words + 1)
    return share / share.sum()


def seen(made: Any, ids: Tensor, setup: Setup, ask: str = "") -> dict:
    """What the class ``made`` has, and what a model of this setup gives by the method ``ask``."""
    if made.__init__ is nn.Module.__init__ and not any(hasattr(made, name) for name in METHODS):
        return {"untouched": True}
    seed, *sizes = setup
    torch.manual_seed(seed)
    model = made(*sizes).eval()
    table, output = (getattr(model, name, None) for name in ("vectors", "output"))
    layers = list(model.modules())
    lstms = [layer for layer in layers if isinstance(layer, nn.LSTM)]
    others = [type(one).__name__ for one in layers if isinstance(one, (nn.GRU, nn.RNN))]
    found: dict[str, Any] = {
        "untouched": False,
        "methods": [name for name in METHODS if hasattr(model, name)],
        "table": tuple(getattr(getattr(table, "weight", None), "shape", ())),
        "tables": sum(isinstance(layer, nn.Embedding) for layer in layers),
        "others": others,
        "lstms": [(one.num_layers, one.hidden_size, one.bidirectional) for one in lstms],
        "output": getattr(output, "weight", None),
        "bias": getattr(output, "bias", None),
    }
    if ask:
        given = (ids.clone(), shares(sizes[0]))[: 2 if ask == "guess" else 1]
        found[ask], found["changed"] = kept(getattr(model, ask), *given)
    if ask == "states":
        found["again"] = model.states(ids.clone())
    if ask == "losses":
        found["still"] = still(model, found["losses"])
    return found


def still(model: nn.Module, losses: Any) -> list[str]:
    """The names of the weights that no gradient of the losses reaches."""
    named = dict(model.named_parameters())
    given = losses if isinstance(losses, tuple | list) else [losses]
    total: Any = sum(one.sum() for one in given if torch.is_tensor(one))
    if not torch.is_tensor(total) or not total.requires_grad:
        return ["the model"]
    grads = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    return [name for name, grad in zip(named, grads, strict=True) if grad is None]


def learned(made: Any) -> list[float]:
    """The sum of both losses on a text that repeats itself, before and after 60 updates."""
    torch.manual_seed(2)
    model, ids = made(6, 8, 16), (torch.arange(24) % 6)[None]
    optimizer, values = torch.optim.Adam(model.parameters(), lr=0.03), []
    for _ in range(61):
        total: Any = sum(model.losses(ids))
        values.append(total.item())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return [values[0], values[-1]]


def judged(seen: Seen, setup: Setup) -> Wrong | None:
    """What is wrong with the model of one setup, in the order of the steps."""
    ids = texts(setup)
    found = seen(ids, setup)
    told = parts_wrong(found, setup) or missing(found, "states")
    if told:
        return told
    answer = seen(ids, setup, "states")
    if answer["changed"]:
        return Wrong(CHANGED, 1)
    states = answer["states"]
    pair = isinstance(states, tuple | list) and all(map(torch.is_tensor, states))
    if pair and not all(map(same, states, answer["again"])):
        return Wrong("the states of the same words differ from call to call: dropout belongs in an "
                     "`nn.Dropout`, which `.eval()` switches off.", 1)  # fmt: skip
    told = (
        states_wrong(seen, states, ids, setup)
        or output_wrong(found, setup)
        or missing(found, "losses")
    )
    if told:
        return told
    score = partial(F.linear, weight=found["output"], bias=found["bias"])
    told = losses_wrong(seen(ids, setup, "losses"), states, score, ids)
    if told or missing(found, "guess"):
        return told or missing(found, "guess")
    answer = seen(ids, setup, "guess")
    if answer["changed"]:
        return Wrong(CHANGED, 4)
    return guess_wrong(answer["guess"], states, score, shares(setup[1]))


def output_wrong(found: dict, setup: Setup) -> Wrong | None:
    """The third step: from a state to the words."""
    if found["output"] is None:
        return Wrong("the states are right. Step 3: `self.output` is missing, a `nn.Linear` from "
                     "`dim` to `words`.", 3)  # fmt: skip
    if tuple(found["output"].shape) != setup[1::2]:
        return Wrong("`self.output` leads from `dim` to `words`: `nn.Linear(dim, words)`.", 3)
    return None


def missing(found: dict, name: str) -> Wrong | None:
    """Is the method written?"""
    if name in found["methods"]:
        return None
    points = {"states": 1, "losses": 3, "guess": 4}[name]
    return Wrong(
        f"so far it is right. Next, {STEPS[name]}: the method `{name}` is missing.", points
    )


def parts_wrong(found: dict, setup: Setup) -> Wrong | None:
    """The first step: the table and the two LSTMs."""
    if tuple(found["table"]) != setup[1:3]:
        return Wrong("`self.vectors` should be an `nn.Embedding` with `words` rows of `width` "
                     "numbers.")  # fmt: skip
    if found["tables"] > 1:
        return Wrong("there is one table of words, `self.vectors`: both directions read it.")
    if found["others"]:
        return Wrong(f"this is `nn.{found['others'][0]}`: take `nn.LSTM`.")
    layers = found["lstms"]
    if any(both for *_, both in layers):
        return Wrong("`bidirectional=True` lets the second layer read both sides, so it finds the "
                     "word that it must predict: make two LSTMs.")  # fmt: skip
    if len(layers) == 1:
        return Wrong("one LSTM for both directions: each has its own.")
    if layers and sum(number for number, *_ in layers) != 4:
        return Wrong("each LSTM has two layers: `num_layers=2`.")
    if layers and any(size != setup[3] for _, size, _ in layers):
        return Wrong("each LSTM has `dim` cells.")
    return None


def states_wrong(seen: Seen, states: Any, ids: Tensor, setup: Setup) -> Wrong | None:
    """The second step: which words has each state read?"""
    shape = (*ids.shape, setup[3])
    if states is None:
        return Wrong("`states` gives None: is there a `return`?", 1)
    if torch.is_tensor(states) or not isinstance(states, tuple | list) or len(states) != 2:
        return Wrong("`states` returns two tensors, one for each direction.", 1)
    if any(not torch.is_tensor(one) or one.shape != shape for one in states):
        got = [tuple(getattr(one, "shape", ())) for one in states]
        return Wrong(f"each direction has the shape (batch, length, dim), here {shape}; got "
                     f"{got[0]} and {got[1]}.", 1)  # fmt: skip
    other = ids.clone()
    other[0, 1] = (ids[0, 1] + 1) % setup[1]  # the second word of the first text is another one
    changed = seen(other, setup, "states")["states"]
    moved = [(a != b).any(-1) for a, b in zip(states, changed, strict=True)]  # (3, 6) each
    if any(m[1:].any() for m in moved):
        return Wrong("a word of one text changes the states of another: `batch_first=True`, and "
                     "`flip(1)`, which turns the words and not the texts.", 1)  # fmt: skip
    told = mistaken([m[0].nonzero().flatten().tolist() for m in moved], [
        ([[0, 1], [1, 2, 3, 4, 5]], "the two are swapped: forward first, then backward.", 2),
        ([[1, 2, 3, 4, 5]] * 2, "the second model reads from the left, too: turn the words round "
         "for it.", 1),
        ([[0, 1]] * 2, "the first model reads from the end, too.", 1),
        ([[1, 2, 3, 4, 5], [4, 5]], "the backward states are in the order of reading: turn them "
         "back, so that state `t` belongs to word `t`.", 2),
        ([[2, 3, 4, 5], [0]], "state `t` has read word `t` itself, too: do not shift here.", 1),
    ])  # fmt: skip
    if told:
        return told
    ahead, back = [m[0].nonzero().flatten().tolist() for m in moved]
    if ahead != [1, 2, 3, 4, 5] or back != [0, 1]:
        return Wrong(f"another word at position 1 should change the forward states 1 to 5 and the "
                     f"backward states 0 and 1; it changes {ahead} and {back}.", 1)  # fmt: skip
    mirrored = seen(ids.flip(1), setup, "states")["states"]
    if same(mirrored[0].flip(1), states[1]):
        return Wrong("both directions share their weights: each has an LSTM of its own.", 1)
    return None


def losses_wrong(found: dict, states: Any, score: Score, ids: Tensor) -> Wrong | None:
    """The fourth step: which state predicts which word?"""
    (ahead, back), got = states, found["losses"]
    if got is None:
        return Wrong("`losses` gives None: is there a `return`?", 3)
    if not isinstance(got, tuple | list) or len(got) != 2:
        return Wrong("`losses` returns two losses, forward and backward: do not add them up.", 3)

    def loss(states: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(score(states).flatten(0, 1), targets.flatten())

    first, last = ids[:, 1:], ids[:, :-1]  # targets of the forward and of the backward model
    want = loss(ahead[:, :-1], first), loss(back[:, 1:], last)
    if same(got[0], want[1]) and same(got[1], want[0]):
        return Wrong("the two losses are swapped: forward first.", 4)
    for number, value, message in misdirected(loss, ahead, back, ids):
        if same(got[number], value):
            return Wrong(message, 3)
    for name, one, right in zip(("forward", "backward"), got, want, strict=True):
        verdict = compare(one, right, what=f"the {name} loss")
        if isinstance(verdict, Wrong):
            return Wrong(verdict.message, 3)
    if found["still"]:
        return Wrong("the losses are right, but no gradient reaches "
                     f"{', '.join(found['still'])}.", 3)  # fmt: skip
    return None


def misdirected(loss: Score, ahead: Tensor, back: Tensor, ids: Tensor) -> list[tuple]:
    """(which of the two losses, what a known mistake gives, its message)."""
    first, last = ids[:, 1:], ids[:, :-1]
    want = loss(ahead[:, :-1], first)
    read = "which it has read"
    return [
        (0, loss(ahead, ids), f"forward state `t` predicts word `t`, {read}."),
        (0, loss(ahead[:, 1:], first), f"forward state `t` predicts word `t`, {read}: state and "
         "target move together."),
        (0, loss(ahead[:, 1:], last), f"the forward state must predict a word {read}: its target "
         "is the next word."),
        (1, loss(back, ids), f"backward state `t` predicts word `t`, {read}."),
        (1, loss(back[:, :-1], last), f"backward state `t` predicts word `t`, {read}: that is the "
         "colleague's bug."),
        (1, loss(back[:, :-1], first), f"the backward state must predict a word {read}: its "
         "target is the word on its left."),
        (1, loss(back[:, 1:], first), f"backward state `t` predicts word `t`, {read}: state and "
         "target move together."),
        (1, loss(ahead[:, :-1], last), "the backward loss is taken from the forward states."),
        (1, want, "the backward loss is the forward one again."),
        (0, want * first.numel(), "the sum over the words: the mean was asked for."),
        (1, loss(back[:, 1:], last) * last.numel(), "the sum over the words: the mean was asked "
         "for."),
        (0, want * first.shape[1], "the sum over the words of a text: the mean was asked for."),
        (0, want * first.numel() / ids.numel(), "divided by all words: the first is no target."),
    ]  # fmt: skip


def guess_wrong(got: Any, states: Any, score: Score, share: Tensor) -> Wrong | None:
    """The fifth step: both sides together, up to a number that all words of a gap share."""
    ahead, back = states

    def log(states: Tensor) -> Tensor:
        return score(states).log_softmax(-1)

    if got is None:
        return Wrong("`guess` gives None: is there a `return`?", 4)
    left, right, rare = log(ahead[:, :-2]), log(back[:, 2:]), share.log()
    if not torch.is_tensor(got) or got.shape != left.shape:
        shape = tuple(getattr(got, "shape", ()))
        return Wrong(f"`guess` gives a score for each word of the vocabulary at each inner "
                     f"position, {tuple(left.shape)}; got the shape {shape}.", 4)  # fmt: skip
    if same(got.log_softmax(-1), (left + right - rare).log_softmax(-1), 1e-4):
        return None
    for value, message, points in misread_gap(log, states, score, share):
        if same(got, value, 1e-4) or same(got.log_softmax(-1), value.log_softmax(-1), 1e-4):
            return Wrong(message, points)
    return Wrong("the scores differ from log p(w | left) + log p(w | right) - log p(w), with the "
                 "forward state `t - 1` and the backward state `t + 1`.", 4)  # fmt: skip


def misread_gap(log: Score, states: Any, score: Score, share: Tensor) -> list[tuple]:
    """(what a known mistake gives for the gaps, its message, points)."""
    ahead, back = states
    left, right, rare = log(ahead[:, :-2]), log(back[:, 2:]), share.log()
    inner = log(ahead[:, 1:-1]), log(back[:, 1:-1])
    return [
        (left + right, "the share p(w) is missing: both models have counted it, so divide by it "
         "once.", 5),
        (left + right + rare, "divide by p(w): in logarithms, subtract.", 5),
        (left + right - 2 * rare, "divided by p(w) twice: once is right.", 5),
        (left + right - share, "subtract the logarithm of `share`.", 5),
        (left, "only the words on the left count.", 4),
        (right, "only the words on the right count.", 4),
        (torch.log_softmax(score(ahead[:, :-2]), 1) + torch.log_softmax(score(back[:, 2:]), 1)
         - rare, "the softmax runs over the positions: it belongs over the words, `-1`.", 4),
        (log(ahead[:, 1:-1]) + right - rare, "the forward state `t` has read word `t`: take "
         "`t - 1`.", 4),
        (left + log(back[:, 1:-1]) - rare, "the backward state `t` has read word `t`: take "
         "`t + 1`.", 4),
        (left - rare, "only the words on the left count.", 4),
        (right - rare, "only the words on the right count.", 4),
        (inner[0] + inner[1] - rare, "the states of the word itself have read it: `t - 1` and "
         "`t + 1` have not.", 4),
        (log(ahead[:, 2:]) + log(back[:, :-2]) - rare, "the forward state `t + 1` has read the "
         "word: `t - 1` on the left, `t + 1` on the right.", 4),
        (left.exp() * right.exp() / share, "these are products of probabilities: take the "
         "logarithm.", 5),
        (left.exp() + right.exp() - rare, "add logarithms, not probabilities.", 4),
    ]  # fmt: skip
