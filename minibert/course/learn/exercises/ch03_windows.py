"""Chapter 03: the classifier of stage 3: concat pooling, and the network that reads in windows."""

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer, Learnable, judged


class Pool(Learnable):
    id = "03.pool"
    title = "Last, maximum and mean"
    minutes, difficulty, importance, points = 10, 3, 5, 4
    hints = (
        "`lengths = mask.sum(1)`; the last state of row b is `hidden[b, lengths[b] - 1]`.",
        "Padding must lose the maximum: `hidden.masked_fill(mask[..., None] == 0, -torch.inf)`.",
        "For the mean, padding counts as 0, and the sum is divided by `lengths[:, None]`.",
    )

    default = torch.zeros(2, 12)
    example = (torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.long))

    def reference(self, *parts: Any) -> Tensor:
        hidden, mask = parts
        pad, n = mask[..., None] == 0, mask.sum(1)
        last = hidden[torch.arange(len(hidden)), n - 1]
        most = hidden.masked_fill(pad, -torch.inf).amax(1)
        return torch.cat([last, most, hidden.masked_fill(pad, 0).sum(1) / n[:, None]], 1)

    def check(self, pool: Answer) -> Right | Wrong:
        generator = torch.Generator().manual_seed(0)
        hidden = torch.randn(3, 6, 4, generator=generator) - 1.5  # maxima below 0: padding shows
        lengths = torch.tensor([6, 3, 1])
        mask = (torch.arange(6) < lengths[:, None]).long()
        hidden[mask == 0] = 0.25
        pad, n = mask[..., None] == 0, lengths[:, None]
        last = hidden[torch.arange(3), lengths - 1]
        most = hidden.masked_fill(pad, -torch.inf).amax(1)
        mean = hidden.masked_fill(pad, 0).sum(1) / n
        want = torch.cat([last, most, mean], 1)
        join = [
            (hidden[:, -1], most, mean, "the last position may be padding: take position "
             "length - 1.", 2),
            (last, hidden.amax(1), mean, "padding wins the maximum: fill it with -inf first.", 2),
            (last, hidden.masked_fill(pad, 0).amax(1), mean,
             "a padding of 0 wins the maximum where all states are negative: fill with -inf.", 2),
            (last, most, hidden.mean(1), "the mean counts padding: sum the tokens, divide by their "
             "number.", 2),
            (last, most, hidden.masked_fill(pad, 0).mean(1), "the mean is divided by the padded "
             "length: divide by the number of tokens.", 3),
            (hidden[:, -1], hidden.amax(1), hidden.mean(1), "the mask is not used: padding leaks "
             "into all three.", 1),
            (most, mean, last, "the order is last, maximum, mean.", 3),
            (hidden[:, 0], most, mean, "the first state in place of the last.", 2),
            (last, hidden.masked_fill(pad, torch.inf).amin(1), mean, "that is the minimum.", 2),
            (last, most, hidden.masked_fill(pad, 0).sum(1), "a sum in place of the mean.", 2),
            (last, mean, most, "the order is last, maximum, mean.", 3),
            (last, most, last, "the mean is missing.", 1),
            (last, hidden.masked_fill(pad, 0).abs().amax(1), mean, SIGNLESS, 2),
            (hidden[torch.arange(3), (lengths - 2).clamp(min=0)], most, mean, BUT_ONE, 2),
        ]  # fmt: skip
        mistakes = [(torch.cat([a, b, c], 1), text, points) for a, b, c, text, points in join]
        got, fault = pool(hidden, mask)
        verdict = compare(got, want, mistakes, what="the pooled states")
        if not isinstance(verdict, Right):
            return verdict
        if missed := self.elsewhere(pool, hidden, mask):
            return Wrong(missed, 3)
        return judged(Right("One row for each text, and padding has no say in it."), fault)

    def elsewhere(self, pool: Answer, hidden: Tensor, mask: Tensor) -> str:
        """What is wrong with other texts, "" if nothing is."""
        pad, single = mask[..., None] == 0, hidden[:1, :1]
        if not same(pool(single, mask[:1, :1])[0], single[:, 0].repeat(1, 3)):
            return "right for three texts, but not for one text of one word."
        low, six = torch.where(pad, hidden, hidden - 3000).repeat(2, 1, 1), mask.repeat(2, 1)
        if not same(pool(low, six)[0], self.reference(low, six)):
            return ("right for three texts, but not for six whose states are far below 0: fill "
                    "with -inf, and read the sizes off `hidden`.")  # fmt: skip
        return ""


CLASSES, DIM, HEAD = 3, 4, 50
WIDTH = 3 * DIM
SIGNLESS = "the largest size, without its sign: take the largest value."
BUT_ONE = "the last state but one: places begin at 0, so the last is length - 1."
ALL_AT_ONCE = "the text is read at once: read `window` tokens, then the next ones."
FORGOTTEN = "each window begins with an empty memory: hand the state of one on to the next."
CROSSING = (
    "right, but the gradient goes back through all windows: `detach()` the state between them."
)


class Reader(nn.Module):
    """A small language model without a softmax: what an `AWDLSTM` reads with."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(dim=DIM)
        self.embedding = nn.Embedding(20, DIM)
        widths = [(DIM, DIM + 1), (DIM + 1, DIM)]
        self.layers = nn.ModuleList([nn.LSTM(*pair, batch_first=True) for pair in widths])

    def read(self, input_ids: Tensor, state: Any = None) -> tuple[list[Tensor], list]:
        """(Hidden states, the word vectors first; the state of each layer), as `AWDLSTM.read`."""
        hidden, after = [self.embedding(input_ids)], []
        for layer, before in zip(self.layers, state or [None] * len(self.layers), strict=True):
            out, carried = layer(hidden[-1], before)
            hidden.append(out)
            after.append(carried)
        return hidden, after


def tiny() -> Reader:
    """The same at each call; its states are not close to zero."""
    torch.manual_seed(5)
    model = Reader()
    for p in model.parameters():
        nn.init.uniform_(p, -1.0, 1.0)
    return model


def places(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Texts of these lengths: (ids, mask), both (texts, longest)."""
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return (torch.arange(mask.numel()).view_as(mask) * 7 % 19 + 1) * mask, mask


class Classifier(Exercise):
    id = "03.classifier"
    title = "Build: a classifier that reads in windows (optional)"
    minutes, difficulty, importance, points = 25, 4, 4, 8
    hints = (
        "The windows of a text begin at `range(0, ids.shape[1], window)`; `ids[:, at : at + "
        "window]` may be shorter at the end.",
        "A state is a list with a pair `(h, c)` for each layer. After each window make a new list "
        "of pairs, in which both are `.detach()`ed.",
        "`copy.deepcopy(model)` is the encoder. The head is one `nn.Sequential` of seven parts.",
        "`list(part.parameters())` for each of `[encoder.embedding, *encoder.layers, head]`.",
    )

    def as_functions(self, kind: Callable[..., Any]) -> tuple[Callable[..., Any]]:
        def shown(lengths: list[int], window: int) -> dict[str, Any]:
            """What shows of a classifier that reads texts of these lengths."""
            model, (ids, mask) = tiny(), places(lengths)
            made = kind(model, CLASSES, window)
            if not all(isinstance(getattr(made, a, None), nn.Module) for a in ("encoder", "head")):
                return {"form": False}
            found = {"form": True, "parts": parts(made.head), "layers": named(made)}
            found["own"] = not {*map(id, model.parameters())} & {*map(id, made.parameters())}
            return found | watched(made.eval(), {"input_ids": ids, "attention_mask": mask})

        return (shown,)

    def untouched(self, shown: Answer) -> bool:
        return not shown([3, 2], 2)["form"]

    def check(self, shown: Answer) -> Right | Wrong:
        for lengths, window in (([7, 3, 5], 3), ([4, 1], 2), ([5, 2], 9)):
            found = shown(lengths, window)
            if not found["form"]:
                return Wrong("`self.encoder` and `self.head` should both be there.")
            if fault := built(found):
                return Wrong(fault, 2)
            if fault := read(found, lengths, window):
                return Wrong(fault, 4)
        return Right("The network of stage 3: your pooling, your windows, your layers.")


def parts(head: nn.Module) -> list[list]:
    """Each part of a head: its kind, and its sizes or its share."""
    leaves = [part for part in head.modules() if not list(part.children())]
    sizes = ("num_features", "in_features", "out_features", "p")
    return [
        [type(leaf).__name__, *(getattr(leaf, s) for s in sizes if hasattr(leaf, s))]
        for leaf in leaves
    ]


def named(made: Any) -> list[list[str]] | None:
    """The names of the parameters of each of its layers; "" for what is not in it."""
    names = {id(p): name for name, p in made.named_parameters()}
    layers = made.layers()
    if not isinstance(layers, list | tuple) or any(map(torch.is_tensor, layers)):
        return None
    return [sorted(names.get(id(p), "") for p in layer) for layer in layers]


def watched(made: Any, batch: dict[str, Tensor]) -> dict[str, Any]:
    """The windows that a classifier reads, what it pools, a gradient, and whether it scores."""
    windows: list[int] = []
    inner, head = made.encoder.read, made.head

    def spy(ids, *state, **named_state):
        windows.append(ids.shape[1])
        return inner(ids, *state, **named_state)

    made.encoder.read = spy
    scores = made(batch)
    made.head, first = nn.Identity(), len(windows)
    pooled = made(batch)
    found = {"windows": windows[:first], "pooled": pooled.detach(), "gradient": None}
    fits = pooled.ndim == 2 and pooled.shape[1] == WIDTH
    found["scored"] = bool(fits and same(scores, head(pooled)))
    if pooled.requires_grad:
        weights = torch.linspace(-1, 1, pooled.numel()).view_as(pooled)
        (pooled * weights).sum().backward()
        found["gradient"] = made.encoder.embedding.weight.grad
    return found


def built(found: dict[str, Any]) -> str:
    """What is wrong with the parts and the layers of a classifier, "" if nothing is."""
    wanted: list[list] = [["BatchNorm1d", WIDTH], ["Dropout", 0.4], ["Linear", WIDTH, HEAD],
                          ["ReLU"], ["BatchNorm1d", HEAD], ["Dropout", 0.1],
                          ["Linear", HEAD, CLASSES]]  # fmt: skip
    if not found["own"]:
        return "the encoder is the language model itself: train a copy, `copy.deepcopy(model)`."
    if found["parts"][-1:] in ([["Softmax"]], [["LogSoftmax"]]):
        return "the head ends in a softmax: `F.cross_entropy` takes the scores as they are."
    if found["parts"] != wanted:
        both = zip(wanted, found["parts"], strict=False)
        at = next((i for i, (a, b) in enumerate(both) if a != b), len(found["parts"]))
        mine = " ".join(str(x) for x in [*found["parts"], ["missing"]][at])
        other = " ".join(str(x) for x in wanted[at]) if at < len(wanted) else "the end"
        return f"part {at} of the head (from 0) should be {other}, but is {mine}."
    return layered(found["layers"])


def layered(layers: list[list[str]] | None) -> str:
    """What is wrong with the layers, "" if nothing is."""
    if layers is None:
        return "`layers()` should give a list of layers, each of them a list of parameters."
    flat = Counter(name for layer in layers for name in layer)
    if "" in flat:
        return "`layers()` has parameters that are not in the classifier: take those of its copy."
    heights = [["encoder.embedding"], *([f"encoder.layers.{i}"] for i in range(2)), ["head"]]
    mine = [sorted({name.rsplit(".", 1)[0] for name in layer} - {"encoder.decoder"})
            for layer in layers]  # fmt: skip
    mine = [[*{name.split(".")[0] if name.startswith("head") else name for name in layer}]
            for layer in mine]  # fmt: skip
    if mine == heights[::-1]:
        return "`layers()` begins at the head: the lowest layer comes first."
    if mine == heights[:-1]:
        return "the head is missing in `layers()`: nothing would train it."
    if mine == heights[1:]:
        return "the word vectors are missing in `layers()`: they are the lowest layer."
    if mine != heights:
        return (f"`layers()` should have {len(heights)} layers here (word vectors, two LSTMs, "
                f"head), but has {len(mine)}, or they hold other parts.")  # fmt: skip
    return "" if max(flat.values()) == 1 and len(flat) >= 15 else "a layer has lost parameters."


def read(found: dict[str, Any], lengths: list[int], window: int) -> str:
    """What is wrong with the reading, "" if nothing is."""
    ids, mask = places(lengths)
    longest, model = ids.shape[1], tiny().eval()
    sizes = [min(window, longest - at) for at in range(0, longest, window)]
    if found["windows"] == [longest] != sizes:
        return ALL_AT_ONCE
    if found["windows"] != sizes:
        return (f"{longest} tokens in windows of {window} are read as {sizes}, but yours are "
                f"{found['windows']}.")  # fmt: skip
    (want, slope), (_, whole) = (pooled(model, ids, mask, window, cut=cut) for cut in (True, False))
    mistakes = [
        (want.softmax(1), "a softmax after the head: return the scores as they are."),
        (pooled(model, ids, mask, window, carry=False)[0], FORGOTTEN),
        (pooled(model, ids, torch.ones_like(mask), window)[0],
         "padding is pooled, too: give the batch's mask to `concat_pool`."),
        (pooled(model, ids, mask, window, layer=0)[0],
         "the word vectors are pooled: take the states of the last layer, `hidden[-1]`."),
        (pooled(model, ids, mask, window, layer=1)[0],
         "the first LSTM is pooled: take the states of the last layer, `hidden[-1]`."),
    ]  # fmt: skip
    verdict = compare(found["pooled"], want, mistakes, what="what the head reads")
    if isinstance(verdict, Wrong):
        return verdict.message
    if found["gradient"] is None:
        return "right, but no gradient reaches the encoder: detach the state alone."
    if not same(found["gradient"], slope, 1e-4):
        whole_too = len(sizes) > 1 and same(found["gradient"], whole, 1e-4)
        return CROSSING if whole_too else "right, but a part of the gradient is lost."
    return "" if found["scored"] else "the scores are not what the head gives: return them as such."


def pooled(
    model: Reader,
    ids: Tensor,
    mask: Tensor,
    window: int,
    *,
    layer: int = -1,
    carry: bool = True,
    cut: bool = True,
) -> tuple[Tensor, Tensor]:
    """What a head reads of texts that are read in windows, and the word vectors' gradient."""
    state, seen = None, []
    for at in range(0, ids.shape[1], window):
        hidden, state = model.read(ids[:, at : at + window], state if carry else None)
        state = [(h.detach(), c.detach()) for h, c in state] if cut else state
        seen.append(hidden[layer])
    states, end = torch.cat(seen, 1), mask.sum(1)
    padding = mask[..., None] == 0
    last = states[torch.arange(len(ids)), end - 1]
    most = states.masked_fill(padding, -torch.inf).amax(1)
    value = torch.cat([last, most, states.masked_fill(padding, 0).sum(1) / end[:, None]], 1)
    weights = torch.linspace(-1, 1, value.numel()).view_as(value)
    (slope,) = torch.autograd.grad((value * weights).sum(), [model.embedding.weight])
    return value.detach(), slope
