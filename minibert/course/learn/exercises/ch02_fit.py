"""Chapter 02: the exercises about training, and about a model that sees its answer."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch02_learnable import CHANGED, Answer, Learnable, judged

TENSORS = (
    "the losses are right, but they are tensors: `value.item()` is the number. A tensor keeps all "
    "that it was computed from."
)
TEXTS = "the losses are right, but they are texts: keep the numbers."


class Train(Exercise):
    id = "02.train"
    title = "A training loop"
    minutes, difficulty, importance, points = 8, 2, 5, 4
    hints = (
        "Make the optimiser once, before the loop, from the parameters and the rate.",
        "For each batch: the loss, then three calls in the right order. One of them empties the "
        "gradients of the batch before.",
        "`value.item()` is the number to remember.",
    )
    default = []

    def as_functions(self, train: Answer) -> tuple[Answer]:
        def tried(seed, rate):
            """What the losses and the weights were: (list, (4,), what else is at fault)."""
            parameters, loss, batches = self.problem(seed)
            given = list(batches)
            losses = train(list(parameters), loss, given, rate)
            kept = len(given) == len(batches) and all(map(torch.equal, given, batches))
            fault = "" if kept else CHANGED
            if isinstance(losses, list | tuple):
                fault = TENSORS if any(isinstance(one, Tensor) for one in losses) else fault
                fault = TEXTS if any(isinstance(one, str) for one in losses) else fault
                nested = any(isinstance(one, list | tuple) for one in losses)
                losses = list(losses) if nested else [float(one) for one in losses]
            return losses, self.joined(parameters), fault

        return (tried,)

    def untouched(self, tried: Answer) -> bool:
        losses, weight, _ = tried(0, 0.1)
        return losses == [] or (losses is None and same(weight, self.joined(self.problem(0)[0])))

    def check(self, tried: Answer) -> Right | Wrong:
        for seed, rate in ((0, 0.1), (1, 0.02)):
            losses, weight, fault = tried(seed, rate)
            if not isinstance(losses, list):
                return Wrong("return the list of all losses: is there a `return losses`?", 1)
            if any(isinstance(one, list | tuple) for one in losses):
                return Wrong("return the list of the losses alone, one number for each batch.", 1)
            verdict = self.named(losses, weight, seed, rate)
            if isinstance(verdict, Wrong):
                return verdict
        return judged(verdict, fault)

    def named(self, losses: list[float], weight: Tensor, seed: int, rate: float) -> Right | Wrong:
        """The verdict on one training run."""
        wants = [self.variant(seed, rate, kind=kind) for kind in ("Adam", "AdamW")]
        if any(same(losses, want[0]) and same(weight, want[1]) for want in wants):
            return Right("Five calls, and the same loop trains every model of this course.")
        for message, options in self.mistakes().items():
            wrong = self.variant(seed, rate, **options)
            if same(losses, wrong[0]) and same(weight, wrong[1]):
                return Wrong(message, 1)
        if len(losses) != len(wants[0][0]):
            return Wrong(f"expected one loss per batch, {len(wants[0][0])} in all, "
                         f"got {len(losses)}.")  # fmt: skip
        if same(weight, wants[0][1]):
            return Wrong("the weights are right, but the list is not: one loss per batch, "
                         "measured before its update.", 2)  # fmt: skip
        return Wrong("the losses are not those of Adam with this rate, one update per batch.")

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the loop goes wrong."""
        return {
            "the gradients add up from batch to batch: call `optimizer.zero_grad()`.":
                {"keep": True},
            "nothing is learned: `zero_grad()`, then `backward()` on the loss, then `step()`.":
                {"step": False},
            "the rate is ignored: give it to the optimiser.": {"fixed": 1e-3},
            "a rate of 0.1 is written in: take the argument.": {"fixed": 0.1},
            "a rate of 0.02 is written in: take the argument.": {"fixed": 0.02},
            "a new optimiser for every batch forgets its moments: make it once.": {"again": True},
            "every batch must count: this trains on the first one again and again.":
                {"first": True},
            "this is plain SGD: take `torch.optim.Adam`.": {"kind": "SGD"},
            "this is RMSprop: take `torch.optim.Adam`.": {"kind": "RMSprop"},
            "the batches come in the opposite order: keep theirs.": {"back": True},
            "the loss is turned upside down: the weights climb.": {"sign": -1},
            "the first batch is left out.": {"skip": 1},
            "two updates for each batch: one is asked for.": {"twice": True},
            "only one of the parameters is trained: give the optimiser all.": {"parts": [0]},
            "only the last of the parameters is trained: give the optimiser all.": {"parts": [1]},
        }  # fmt: skip

    @staticmethod
    def variant(
        seed: int,
        rate: float,
        *,
        keep: bool = False,
        step: bool = True,
        fixed: float | None = None,
        again: bool = False,
        first: bool = False,
        kind: str = "Adam",
        sign: int = 1,
        skip: int = 0,
        twice: bool = False,
        back: bool = False,
        parts: tuple[int, ...] | list[int] = (0, 1),
    ) -> tuple[list[float], Tensor]:
        """(losses, weights) after the loop, or after one with a mistake."""
        parameters, loss, batches = Train.problem(seed)
        options = {"lr": fixed or rate}

        def new():
            return getattr(torch.optim, kind)([parameters[i] for i in parts], **options)

        optimizer, losses = new(), []
        for batch in batches[skip:][:: -1 if back else 1]:
            optimizer = new() if again else optimizer
            for _ in range(1 + twice):
                value = loss(batches[0] if first else batch)
                if not keep:
                    optimizer.zero_grad()
                (sign * value).backward()
                if step:
                    optimizer.step()
            losses.append(value.item())
        return losses, Train.joined(parameters)

    @staticmethod
    def joined(parameters: list[Tensor]) -> Tensor:
        """All numbers of the parameters, (4,)."""
        return torch.cat([p.detach().flatten() for p in parameters])

    @staticmethod
    def problem(seed: int) -> tuple[list[Tensor], Answer, list[Tensor]]:
        """A weight, (3,), and a bias to learn, their loss, and five batches."""
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(3, generator=generator).requires_grad_()
        batches = [torch.randn(4, 3, generator=generator) for _ in range(5)]
        bias = torch.zeros((), requires_grad=True)
        return [weight, bias], lambda x: (x @ weight + bias - x.sum(1) - 1).square().mean(), batches


class FindTheBug(Learnable):
    id = "02.find_the_bug"
    title = "Find the bug: the model that knows the future"
    minutes, difficulty, importance, points = 10, 4, 5, 3
    hints = (
        "Say in words what `states[:, t]` has read, after the second `flip`.",
        "The LSTM has read the words `t`, `t + 1`, ... to the end when it gives `states[:, t]`. "
        "Which word may it be asked for?",
        "Which state has read everything after word `t`, but not word `t` itself?",
    )

    def untouched(self, backward_loss: Answer) -> bool:
        return same(backward_loss(*self.parts(11))[0], self.peeking(*self.parts(11)))

    def check(self, backward_loss: Answer) -> Right | Wrong:
        for seed in (11, 12):
            parts = self.parts(seed)
            got, fault = backward_loss(*parts)
            verdict = self.named(got, parts)
            if not isinstance(verdict, Right):
                return verdict
        return judged(verdict, fault)

    def reference(self, *parts: Any) -> Tensor:
        lstm, output, vectors, ids = parts
        logits = output(lstm(vectors(ids).flip(1))[0].flip(1)[:, 1:])
        return F.cross_entropy(logits.flatten(0, 1), ids[:, :-1].flatten())

    def named(self, got: object, parts: tuple) -> Right | Wrong:
        """The verdict on one loss."""
        lstm, output, vectors, ids = parts
        read = lstm(vectors(ids).flip(1))[0]
        states, forward = read.flip(1), lstm(vectors(ids))[0]

        def loss(states, targets, reduction="mean"):
            logits = output(states).flatten(0, 1)
            return F.cross_entropy(logits, targets.flatten(), reduction=reduction)

        order = "the states are in the order of reading, the words in the order of the text."
        mistakes = [
            (self.peeking(*parts), "still the same: state `t` has read word `t` itself.", 0),
            (loss(states, ids), "state `t` predicts word `t`, and has read it.", 0),
            (loss(states[:, :-1], ids[:, 1:]),
             "now state `t` must predict word `t + 1`, which it has read before word `t`: it "
             "still sees its target.", 1),
            (loss(states[:, 1:], ids[:, 1:]),
             "state and target move together: the state must be one further than the word.", 1),
            (loss(states[:, 2:], ids[:, :-2]),
             "two steps away: the word just behind the target may be read.", 1),
            (loss(forward[:, :-1], ids[:, 1:]),
             "this is a forward model: correct in itself, but the backward one was asked for.", 1),
            (loss(forward[:, 1:], ids[:, :-1]),
             "the sentence is not reversed: this LSTM has read the word from the left.", 1),
            (loss(read[:, :-1], ids[:, :-1]), order, 1),
            (loss(read[:, 1:], ids[:, :-1]), order, 1),
            (loss(states[:, 1:], ids[:, :-1], "sum"), "the sum: the mean was asked for.", 2),
            (loss(states[:, 1:], ids[:, :-1], "sum") / ids.numel(),
             "divided by all words: the last one is no target.", 2),
            *self.other_mistakes(loss, states, ids),
        ]  # fmt: skip
        right = (
            "A loss that is too good to be true is a bug until the opposite is shown: change the "
            "target word and see whether its own prediction moves."
        )
        want = loss(states[:, 1:], ids[:, :-1])
        return compare(got, want, mistakes, what="the loss", right=right)

    @staticmethod
    def other_mistakes(loss: Answer, states: Tensor, ids: Tensor) -> list[tuple]:
        """Words that are no targets, states that say nothing, other units."""
        want = loss(states[:, 1:], ids[:, :-1])
        after = torch.cat((states[:, 1:], torch.zeros_like(states[:, :1])), 1)
        last = states[:, -1:].expand(-1, ids.shape[1] - 1, -1)
        return [
            (loss(after, ids), "the last word is no target: nothing stands after it.", 1),
            (loss(last, ids[:, :-1]), "every word is predicted from the last state: each has a "
             "state of its own.", 1),
            (loss(states[:, 1:] + states[:, :-1], ids[:, :-1]),
             "state `t` is still in it, and has read word `t`.", 1),
            (loss(states[:, 1:-1], ids[:, :-2]), "the last word but one is a target, too.", 1),
            (loss(states[:1, 1:], ids[:1, :-1]), "only the first text of the batch counts.", 1),
            (loss(0 * states[:, 1:], ids[:, :-1]), "the states play no part.", 0),
            (want / math.log(2), "in bits: nats were asked for.", 2),
            (0 * want, "a loss of zero, whatever the text is.", 0),
        ]  # fmt: skip

    @staticmethod
    def parts(seed: int) -> tuple[nn.LSTM, nn.Linear, nn.Embedding, Tensor]:
        """LSTM, output, vectors and ids (3, 7), drawn from a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            lstm = nn.LSTM(6, 5, batch_first=True)
            return lstm, nn.Linear(5, 9), nn.Embedding(9, 6), torch.randint(9, (3, 7))

    @staticmethod
    def peeking(lstm: nn.LSTM, output: nn.Linear, vectors: nn.Embedding, ids: Tensor) -> Tensor:
        """The loss of the model that sees its answer."""
        states = lstm(vectors(ids).flip(1))[0].flip(1)
        logits = output(states[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), ids[:, :-1].flatten())
