"""Chapter 03: the classifier of stage 3: concat pooling, and the network that reads in windows."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import Answer, Learnable, judged
from minibert.course.learn.exercises.ch03_parts import CLASSES, DIM, WIDTH, built, named, parts


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


SIGNLESS = "the largest size, without its sign: take the largest value."
BUT_ONE = "the last state but one: places begin at 0, so the last is length - 1."
ALL_AT_ONCE = "the text is read at once: read `window` tokens, then the next ones."
FORGOTTEN = "each window begins with an empty memory: hand the state of one on to the next."
NO_ZERO = 'token 0 is taken for padding: give `batch["attention_mask"]` to `concat_pool`.'
CROSSING = {  # of `pooled`: what is cut between two windows
    "none": "right, but the gradient goes back through all windows: `detach()` the state between "
    "them.",
    "h": "right, but a gradient still goes back through `c`: detach both `h` and `c`.",
    "c": "right, but a gradient still goes back through `h`: detach both `h` and `c`.",
    "0": "right, but a gradient still goes back through the upper LSTM: detach all pairs.",
    "1": "right, but a gradient still goes back through the lower LSTM: detach all pairs.",
}


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
    return (torch.arange(mask.numel()).view_as(mask) * 7 + 5) % 19 * mask, mask  # 0 is a token, too


class Classifier(Exercise):
    id = "03.classifier"
    title = "Build: a classifier that reads in windows (optional)"
    minutes, difficulty, importance, points = 25, 4, 4, 8
    hints = (
        "The windows of a text begin at `range(0, ids.shape[1], window)`; `ids[:, at : at + "
        "window]` may be shorter at the end.",
        "A state is a list with a pair `(h, c)` for each layer. After each window make a new list "
        "of pairs, in which both are `.detach()`ed. `torch.cat(list, 1)` joins what was read.",
        "`copy.deepcopy(model)` is the encoder. The head is one `nn.Sequential` of seven parts; "
        "the first is `nn.BatchNorm1d(3 * model.config.dim)`. `forward` needs `window`: keep it.",
        "`list(part.parameters())` for each of `[encoder.embedding, *encoder.layers, head]`.",
    )

    def as_functions(self, kind: Callable[..., Any]) -> tuple[Callable[..., Any]]:
        def shown(lengths: list[int], window: int) -> dict[str, Any]:
            """What shows of a classifier that reads texts of these lengths."""
            model, (ids, mask) = tiny(), places(lengths)
            made = kind(model, CLASSES, window)
            found: dict[str, Any] = {"lacks": lacking(made), "windows": []}
            if found["lacks"]:
                return found
            found |= {"parts": parts(made.head), "layers": named(made)}
            found["own"] = not {*map(id, model.parameters())} & {*map(id, made.parameters())}
            batch = {"input_ids": ids, "attention_mask": mask}
            try:
                return found | watched(made.eval(), batch, found["windows"])
            except Exception as error:  # a known mistake has a better name than what it breaks
                if built(found) or misread(found["windows"], lengths, window):
                    return found | {"broke": f" Then: {type(error).__name__}: {error}"}
                raise

        return (shown,)

    def untouched(self, shown: Answer) -> bool:
        return shown([3, 2], 2)["lacks"] == PARTS

    def check(self, shown: Answer) -> Right | Wrong:
        for lengths, window in (([7, 3, 5], 3), ([4, 1], 2), ([5, 2], 9)):
            found = shown(lengths, window)
            if found["lacks"]:
                return Wrong(f"still missing: {', '.join(found['lacks'])}.", 1)
            if fault := built(found):
                return Wrong(fault, 2)
            if fault := read(found, lengths, window):
                return Wrong(fault, 4)
        return Right("The network of stage 3: your pooling, your windows, your layers.")


PARTS = ["`self.encoder`", "`self.head`", "`layers()`", "`forward(batch)`"]


def lacking(made: Any) -> list[str]:
    """What a classifier does not have yet, of `PARTS`."""
    modules = [isinstance(getattr(made, name, None), nn.Module) for name in ("encoder", "head")]
    methods = [callable(getattr(made, "layers", None)), type(made).forward != nn.Module.forward]
    return [name for name, there in zip(PARTS, modules + methods, strict=True) if not there]


class Watched(nn.Module):
    """A head that keeps what it reads and what it gives."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.calls: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append((x, self.head(x)))
        return self.calls[-1][1]

    def __iter__(self) -> Any:
        return iter(self.head)  # type: ignore[call-overload]


def watched(made: Any, batch: dict[str, Tensor], windows: list[int]) -> dict[str, Any]:
    """What a classifier's head reads, its gradient, and the scores; puts its ``windows`` down."""
    inner, head = made.encoder.read, Watched(made.head)

    def spy(*given, **by_name):
        if not head.calls:
            windows.append((given[0] if given else by_name["input_ids"]).shape[1])
        return inner(*given, **by_name)

    made.encoder.read, made.head = spy, head
    scores = made(batch)
    if not (torch.is_tensor(scores) and head.calls):
        return {"shape": list(scores.shape) if torch.is_tensor(scores) else [], "pooled": None}
    value, out = head.calls[0]
    ways = {"": out, "softmax": out.softmax(-1), "log_softmax": out.log_softmax(-1)}
    found = {"shape": list(scores.shape), "pooled": value.detach(), "gradient": None}
    found["scored"] = next((way for way, want in ways.items() if same(scores, want)), "other")
    found["again"] = same(made(batch), scores)
    if value.requires_grad and scores.requires_grad and value.shape[1:] == (WIDTH,):
        weights = torch.linspace(-1, 1, value.numel()).view_as(value)
        (value * weights).sum().backward()
        found["gradient"] = made.encoder.embedding.weight.grad
    return found


def misread(windows: list[int], lengths: list[int], window: int) -> str:
    """What is wrong with the windows, "" if nothing is."""
    longest = max(lengths)
    sizes = [min(window, longest - at) for at in range(0, longest, window)]
    if windows == [longest] != sizes:
        return ALL_AT_ONCE
    if windows != sizes:
        return (f"{longest} tokens in windows of {window} are read as {sizes}, but yours are "
                f"{windows}.")  # fmt: skip
    return ""


def read(found: dict[str, Any], lengths: list[int], window: int) -> str:
    """What is wrong with the reading, "" if nothing is."""
    if fault := misread(found["windows"], lengths, window):
        return fault + found.get("broke", "").partition("\n")[0][:200]
    ids, mask = places(lengths)
    if found["pooled"] is None or found["shape"] != [len(ids), CLASSES]:
        shape = tuple(found["shape"]) or "something else"
        return (f"`forward` should return `self.head(...)` of what is pooled, scores of the shape "
                f"{(len(ids), CLASSES)}, but returns {shape}.")  # fmt: skip
    model = tiny().eval()
    want, slope = pooled(model, ids, mask, window)
    mistakes = [
        (pooled(model, ids, mask, window, carry=False)[0], FORGOTTEN),
        (pooled(model, ids, torch.ones_like(mask), window)[0],
         "padding is pooled, too: give the batch's mask to `concat_pool`."),
        (pooled(model, ids, (ids != 0).long(), window)[0], NO_ZERO),
        (pooled(model, ids, mask, window, layer=0)[0],
         "the word vectors are pooled: take the states of the last layer, `hidden[-1]`."),
    ]  # fmt: skip
    verdict = compare(found["pooled"], want, mistakes, what="what the head reads")
    if isinstance(verdict, Wrong):
        return verdict.message
    if found["scored"]:
        if found["scored"] == "other":
            return "the scores are not what the head gives: return them as such."
        return f"a {found['scored']} after the head: return its scores as they are."
    if not found["again"]:
        return "a second call gives other scores: each batch begins with the state `None`."
    if found["gradient"] is None:
        return ("right, but no gradient reaches the encoder: detach the state alone, and freeze "
                "nothing.")  # fmt: skip
    if same(found["gradient"], slope, 1e-4):
        return ""
    for cut, told in CROSSING.items():
        if same(found["gradient"], pooled(model, ids, mask, window, cut=cut)[1], 1e-4):
            return told
    return "right, but a part of the gradient is lost: detach the state alone."


def pooled(
    model: Reader,
    ids: Tensor,
    mask: Tensor,
    window: int,
    *,
    layer: int = -1,
    carry: bool = True,
    cut: str = "all",
) -> tuple[Tensor, Tensor]:
    """What a head reads of texts that are read in windows, and the word vectors' gradient."""
    state, seen = None, []
    for at in range(0, ids.shape[1], window):
        hidden, state = model.read(ids[:, at : at + window], state if carry else None)
        state = [
            (h.detach() if cut in ("all", "h", number) else h,
             c.detach() if cut in ("all", "c", number) else c)
            for number, (h, c) in zip("01", state, strict=True)
        ]  # fmt: skip
        seen.append(hidden[layer])
    states, end = torch.cat(seen, 1), mask.sum(1)
    padding = mask[..., None] == 0
    last = states[torch.arange(len(ids)), end - 1]
    most = states.masked_fill(padding, -torch.inf).amax(1)
    value = torch.cat([last, most, states.masked_fill(padding, 0).sum(1) / end[:, None]], 1)
    weights = torch.linspace(-1, 1, value.numel()).view_as(value)
    (slope,) = torch.autograd.grad((value * weights).sum(), [model.embedding.weight])
    return value.detach(), slope
