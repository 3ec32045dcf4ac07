"""Chapter 07: fine-tuning with two losses, from a list of examples to the last update."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Exercise, Right, Wrong

V, DIM, LABELS = 7, 4, 3  # of the toy; 6 is its extract token, and 0 a token like any other
TEXTS = ((1, 3, 0, 2, 6), (1, 6), (1, 4, 4, 6), (1, 0, 6), (1, 2, 5, 3, 4, 6))
CLASSES = (2, 0, 1, 1, 0)
RATE = 0.2  # of the first update; of update n, counted from 0, RATE / (1 + n)
CASES = ((0, 2, 2, 0.3), (1, 3, 3, 0.8))  # seed, passes, batch size, auxiliary
Batch = tuple[Tensor, Tensor, Tensor]


class Toy:
    """A small language model, one new layer, an optimiser with its schedule, and what was read."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(V, DIM, generator=generator))
        self.output = nn.Linear(DIM, LABELS)
        with torch.no_grad():
            self.output.weight.copy_(torch.randn(LABELS, DIM, generator=generator))
            self.output.bias.zero_()
        self.weights = [self.table, *self.output.parameters()]
        self.optimizer = torch.optim.SGD(self.weights, lr=RATE)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda n: 1 / (1 + n))
        self.seen: list[tuple[list, list]] = []

    def read(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(states, logits) of a batch: a state knows the tokens up to its own, the nearer the more.

        Both (batch, length, ...).
        """
        self.seen.append((ids.tolist(), mask.long().tolist()))
        states, last = [], torch.zeros(len(ids), DIM)
        for column in self.table[ids].unbind(1):
            last = 0.6 * last + column
            states.append(last)
        hidden = torch.stack(states, 1)
        return hidden, hidden @ self.table.T

    def after(self) -> list[Tensor]:
        """Copies of the weights."""
        return [p.detach().clone() for p in self.weights]


class FineTuning(Exercise):
    id = "07.fine_tune"
    title = "Build: fine-tune with two losses"
    minutes, difficulty, importance, points = 20, 4, 5, 8
    hints = (
        "Two loops, over the passes and over the places where a batch begins: `range(0, "
        "len(examples), batch_size)`. A slice may end behind the list: the last batch is smaller.",
        "`torch.zeros(rows, longest, dtype=torch.long)` is padding alone; then write each text "
        "into its row, `ids[row, :length] = torch.tensor(text)`, and ones into the same places of "
        "the mask.",
        "The extract token of a row stands at the number of its ones, less one. "
        "`states[torch.arange(rows), places]` picks one state in each row.",
        "Then as in every loop: `zero_grad`, `backward`, `step`, and the schedule's `step`.",
    )

    def as_functions(self, fine_tune: Any) -> tuple:
        return (partial(self.tried, fine_tune),)

    @staticmethod
    def tried(fine_tune: Any, *case: Any) -> dict:
        """What the loop gives, what the model read, and the weights in the end."""
        toy = Toy(case[0])
        examples: list[dict[str, Any]] = [
            {"input_ids": list(ids), "labels": label}
            for ids, label in zip(TEXTS, CLASSES, strict=True)
        ]
        losses = fine_tune(toy.read, toy.output, examples, toy.optimizer, toy.schedule, *case[1:])
        kept = [(tuple(e["input_ids"]), e["labels"]) for e in examples]
        return {
            "losses": losses, "seen": toy.seen, "weights": toy.after(),
            "kept": kept == list(zip(TEXTS, CLASSES, strict=True)),
        }  # fmt: skip

    def untouched(self, tried: Callable) -> bool:
        found = tried(*CASES[0])
        return not found["seen"] and found["losses"] in (None, Ellipsis, [])

    def check(self, tried: Callable) -> Right | Wrong:
        for case in CASES:
            found = tried(*case)
            wrong = _form(found, case) or _reading(found["seen"], case) or _learning(found, case)
            if wrong:
                return wrong
        return Right(
            "Batches, the state that is read, two losses and the updates: GPT's fine-tuning, whole."
        )


def batches_of(case: tuple) -> list[list[int]]:
    """The numbers of the examples in each batch, pass after pass."""
    _, passes, size, _ = case
    places = range(len(TEXTS))
    return [list(places[first : first + size]) for first in places[::size]] * passes


def _form(found: dict, case: tuple) -> Wrong | None:
    losses, batches = found["losses"], batches_of(case)
    passes, count = case[1], len(batches)
    if losses is None:
        return Wrong("the answer is None: is there a `return` behind the loops?")
    if not isinstance(losses, list | tuple):
        return Wrong(f"expected a list of losses, as numbers, got a {type(losses).__name__}.", 1)
    if any(torch.is_tensor(x) for x in losses):
        return Wrong("the list holds tensors, which keep every graph alive: `.item()`.", 4)
    if any(isinstance(x, str) for x in losses):
        return Wrong("the list holds texts: keep the numbers, `.item()` alone.", 4)
    if not found["kept"]:
        return Wrong("the examples were changed: leave them as they are.", 3)
    told = {
        passes: "one loss for each pass: one for each update was asked for.",
        count // passes: "one pass only: go over the examples `passes` times.",
        passes * (len(TEXTS) // case[2]): "the last batch of a pass is smaller, and counts, too.",
        passes * len(TEXTS): "one update for each example: `batch_size` of them make one.",
    }
    if len(losses) == len(found["seen"]) == passes:
        return Wrong("one update for each pass: `batch_size` examples make one.", 1)
    if len(losses) == 1:
        return Wrong(
            "one loss alone: does the `return` stand inside a loop? Each update has one.", 1
        )
    if len(losses) != count:
        plain = f"expected one loss for each update, {count} in all, got {len(losses)}."
        return Wrong(told.get(len(losses), plain), 1)
    return None


def _reading(seen: list, case: tuple) -> Wrong | None:
    """Whether each batch was laid out as it should be."""
    batches = batches_of(case)
    if len(seen) != len(batches):
        return Wrong(f"the model read {len(seen)} batches in {len(batches)} updates: `read` each "
                     "batch once.", 2)  # fmt: skip
    for (rows, masks), chosen in zip(seen, batches, strict=True):
        want = [list(TEXTS[i]) for i in chosen]
        ones = [[int(m > 0) for m in mask] for mask in masks]
        known = [
            [i for i, m in zip(row, one, strict=True) if m]
            for row, one in zip(rows, ones, strict=True)
        ]
        if known == want and all(one == sorted(one, reverse=True) for one in ones):
            continue
        return Wrong(_mislaid(rows, ones, known, want), 3)
    return None


def _mislaid(rows: list, ones: list, known: list, want: list) -> str:
    """What is wrong with a batch: its rows, their masks, the tokens that count, and the texts."""
    if len(rows) != len(want):
        return f"a batch has {len(rows)} rows where it should have {len(want)}."
    if known == want:
        return "padding stands in front: it belongs behind the text."
    if all(row[: len(text)] == text for row, text in zip(rows, want, strict=True)):
        if all(all(one) for one in ones):
            return "the mask has a one for padding, too: ones are for the tokens of the text."
        if [[i for i in text if i] for text in want] == known:
            return "token 0 is taken for padding wherever it stands: the length of a text tells."
        return f"the mask does not fit the texts: {ones} for texts of {[*map(len, want)]} tokens."
    if sorted(known) == sorted(want):
        return "the rows are not in the order of the examples: then the labels do not fit."
    return f"the model should read {want}, but reads {known}: batch after batch, in order."


def _learning(found: dict, case: tuple) -> Wrong | None:
    losses, weights = variant(case)
    right = same(found["losses"], losses, 1e-4)
    if _alike(found["weights"], weights) and right:
        return None
    for how, message in MISTAKES.items():
        other = variant(case, how)
        if _alike(found["weights"], other[1]) and not _alike(other[1], weights):
            return Wrong(message, 5)
    if _alike(found["weights"], weights):
        return Wrong("the weights are right, but the list is not: the joint loss of each batch, "
                     "before its update.", 7)  # fmt: skip
    if not any(map(torch.equal, found["weights"][:1], variant(case, "no step")[1])):
        return Wrong("the batches are right, but the weights are not those of `joint_loss` at the "
                     "extract tokens, one `step` for each batch.", 4)  # fmt: skip
    return Wrong("the model itself does not change: nothing may cut the gradient of `read`.", 4)


def _alike(got: list, want: list) -> bool:
    return all(same(a, b, 1e-4) for a, b in zip(got, want, strict=True))


MISTAKES = {  # of `variant`, in the order in which they are looked for
    "column": "the state at the end of the *row* is that of padding in a short text: the extract "
    "token of a row stands behind its own tokens.",
    "first": "the first state has seen nothing but the start token: read the last one's.",
    "before": "the token before the extract token is read: the mask has as many ones as tokens, "
    "and the last has that number less one.",
    "mean": "the mean of all states: the extract token's alone is read.",
    "mean row": "the mean of all states, padding too: the extract token's alone is read.",
    "keep": "the gradients add up from batch to batch: call `optimizer.zero_grad()`.",
    "each pass kept": "the gradients add up within a pass: call `zero_grad()` for each batch.",
    "half kept": "the model's gradients add up: `output.zero_grad()` reaches the new layer alone, "
    "`optimizer.zero_grad()` all weights.",
    "padding": "padding is learned as a next token: give the mask to `joint_loss`.",
    "shifted": "shifted twice: `joint_loss` shifts by itself, so give it whole rows.",
    "labels": "the labels are those of the first batch: take those of this one.",
    "less": "the loss is divided once more: it is a mean already.",
    "no step": "nothing is learned: `zero_grad()`, `backward()`, `step()`, in this order.",
    "half": "right for a weight of 0.5: hand `auxiliary` on to `joint_loss`.",
    "task": "the next tokens are not learned: give `auxiliary` to `joint_loss`; detach nothing.",
    "one": "the two losses are added without `auxiliary`.",
    "no schedule": "the rate never changes: `schedule.step()` after each update.",
    "each pass": "the schedule goes on once for each pass: call it after each update.",
    "schedule first": "the schedule goes on before the update: it comes last.",
    "sum": "the loss is multiplied by the number of texts: it is their mean.",
    "task cut": "the gradient of the task does not reach the model: no `.detach()`.",
    "climb": "the loss is turned upside down: the weights climb.",
}


def padded(chosen: list[int]) -> Batch:
    """ids and mask, both (batch, length), and the labels of some examples."""
    longest = max(len(TEXTS[i]) for i in chosen)
    ids = torch.zeros(len(chosen), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, i in enumerate(chosen):
        ids[row, : len(TEXTS[i])] = torch.tensor(TEXTS[i])
        mask[row, : len(TEXTS[i])] = 1
    return ids, mask, torch.tensor([CLASSES[i] for i in chosen])


def picked(states: Tensor, mask: Tensor, how: str) -> Tensor:
    """The states that the new layer reads, (batch, dim)."""
    last: dict[str, Any] = {
        "column": mask.shape[1] - 1, "first": 0, "before": mask.sum(1) - 2,
    }  # fmt: skip
    if how == "mean":
        return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    if how == "mean row":
        return states.mean(1)
    found = states[torch.arange(len(mask)), last.get(how, mask.sum(1) - 1)]
    return found.detach() if how == "task cut" else found


def variant(case: tuple, how: str = "") -> tuple[list[float], list[Tensor]]:
    """(losses, weights) after the loop, or after one with a mistake."""
    seed, passes, _, auxiliary = case
    toy, losses, batches = Toy(seed), [], batches_of(case)
    toy.optimizer.param_groups[0]["lr"] = RATE / (2 if how == "schedule first" else 1)
    weight = {"half": 0.5, "task": 0.0, "one": 1.0}.get(how, auxiliary)
    for number, chosen in enumerate(batches, 1):
        ids, mask, labels = padded(chosen)
        labels = torch.tensor(CLASSES[: len(chosen)]) if how == "labels" else labels
        states, words = toy.read(ids, mask)
        by = 2 if how == "shifted" else 1
        wanted = mask[:, by:].bool() | (how == "padding")
        loss = F.cross_entropy(toy.output(picked(states, mask, how)), labels)
        loss = loss + weight * F.cross_entropy(words[:, :-by][wanted], ids[:, by:][wanted])
        losses.append(loss.item())
        if how == "half kept":
            toy.output.zero_grad()
        elif how != "keep" and (how != "each pass kept" or chosen[0] == 0):
            toy.optimizer.zero_grad()
        size = len(chosen)
        (loss * {"sum": size, "less": 1 / size, "climb": -1}.get(how, 1)).backward()
        done = {
            "no schedule": 0, "schedule first": number + 1,
            "each pass": number // (len(batches) // passes),
        }.get(how, number)  # fmt: skip
        if how != "no step":
            toy.optimizer.step()
        toy.optimizer.param_groups[0]["lr"] = RATE / (1 + done)
    return losses, toy.after()
