"""The exercises and the quiz of chapter 03, ULMFiT; four more files hold what is built."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Choice, Exercise, Quiz, Right, Written, Wrong
from minibert.course.learn.exercises import ch03_counts, ch03_gentle, ch03_tune, ch03_windows
from minibert.course.learn.exercises.ch02_learnable import Answer, Learnable, judged

__all__ = ["ch03_counts", "ch03_gentle", "ch03_tune", "ch03_windows"]

Weights = dict[str, Tensor]  # of an LSTM, by name


class Locked(Exercise):
    id = "03.locked"
    title = "One mask for the whole sequence (optional)"
    minutes, difficulty, importance, points = 8, 2, 5, 3
    hints = (
        "Draw a mask of shape `(batch, 1, width)`: `torch.rand(...) >= p` is True where we keep.",
        "Broadcasting does the rest: `(batch, length, width) * (batch, 1, width)`.",
        "The kept numbers are divided by `1 - p`, so that the mean stays what it was.",
    )

    def as_functions(self, locked: Answer) -> tuple[Answer]:
        def traced(x, p):
            """The value, and what is wrong with the argument or the gradient."""
            given = x.clone().requires_grad_() * 1
            value = locked(given, p)
            if not torch.equal(given, x):
                return value, "changed"
            tensor = torch.is_tensor(value)
            cut = tensor and not value.requires_grad
            return (value.detach() if tensor else value), "cut" if cut else ""

        return (traced,)

    def untouched(self, locked: Answer) -> bool:
        x = torch.ones(20, 5, 20)
        value, fault = locked(x, 0.5)
        return not fault and same(value, x)

    def check(self, locked: Answer) -> Right | Wrong:
        x, p = torch.ones(60, 9, 50), 0.2
        got, fault = locked(x, p)
        if not torch.is_tensor(got) or got.shape != x.shape:
            shape = tuple(got.shape) if torch.is_tensor(got) else type(got).__name__
            return Wrong(f"expected a tensor of shape {tuple(x.shape)}, got {shape}.")
        if fault == "changed":
            return Wrong("`x` itself was changed: make a new tensor, `x * mask`.", 2)
        if not same(got, got[:, :1].expand_as(got)):
            return Wrong("the mask changes from position to position: give it the length 1.", 1)
        if same(got, got[:1].expand_as(got)):
            return Wrong("all texts of the batch share one mask: draw one for each.", 1)
        if same(got, got[..., :1].expand_as(got)):
            return Wrong("whole texts are dropped: draw a number for each of the width.", 1)
        zero = float((got == 0).float().mean())
        if abs(zero - p) > 0.05:
            swapped = " Are kept and dropped swapped?" if abs(zero - 1 + p) < 0.05 else ""
            return Wrong(f"a share of {zero:.2f} was dropped, expected about {p}.{swapped}", 1)
        kept = got[got != 0]
        if same(kept, torch.ones_like(kept)):
            return Wrong("the kept numbers are as they were: divide them by 1 - p.", 2)
        if not same(kept, torch.full_like(kept, 1 / (1 - p))):
            return Wrong(f"expected kept numbers of {1 / (1 - p):.3f}, got {kept[0]:.3f}.", 2)
        if same(locked(x, p)[0], got):
            return Wrong("a second call draws the same mask: it must be new for each window.", 2)
        y = torch.arange(1.0, 25).view(2, 3, 4)
        got = locked(y, 0.5)[0]
        if not same(got[got != 0], 2 * y[got != 0]):
            return Wrong("right for a tensor of ones, but not for others, or another p.", 2)
        if fault:
            return Wrong("right, but the result has no gradient: leave out `.detach()`.", 1)
        return Right(
            "What is dropped at one position is dropped at all: time cannot average it out."
        )


class Penalty(Learnable):
    id = "03.penalty"
    title = "Activation penalties (optional)"
    minutes, difficulty, importance, points = 8, 2, 3, 3
    hints = (
        "AR is the mean of the squares of `dropped`, times alpha.",
        "TAR looks at how far the state moves: `raw[:, 1:] - raw[:, :-1]`.",
    )
    default = torch.tensor(0.0)
    example = (torch.ones(1, 3, 2), torch.arange(6.0).view(1, 3, 2), 2.0, 1.0)

    def check(self, penalty: Answer) -> Right | Wrong:
        generator = torch.Generator().manual_seed(3)
        dropped, raw = torch.randn(2, 3, 7, 4, generator=generator)
        step = raw[:, 1:] - raw[:, :-1]
        ar, tar = dropped.square().mean(), step.square().mean()
        want, norm = 2 * ar + tar, partial(torch.linalg.vector_norm, dim=-1)
        mistakes = [
            (2 * ar, "TAR is missing: how far does the state move from position to position?", 1),
            (tar, "AR is missing: the squares of `dropped`.", 1),
            (2 * dropped.square().sum() + step.square().sum(), "take means, not sums.", 2),
            (ar + 2 * tar, "alpha and beta are swapped: alpha goes with AR.", 2),
            (2 * raw.square().mean() + (dropped[:, 1:] - dropped[:, :-1]).square().mean(),
             "the two states are swapped: AR is on `dropped`, TAR on `raw`.", 1),
            (2 * raw.square().mean() + tar, "AR is on the state after dropout, `dropped`.", 2),
            (2 * ar + (dropped[:, 1:] - dropped[:, :-1]).square().mean(),
             "TAR is on the state before dropout, `raw`.", 2),
            (2 * ar + (raw[1:] - raw[:-1]).square().mean(),
             "that is the difference between texts: time is dimension 1.", 1),
            (2 * dropped.square().mean().sqrt() + tar.sqrt(), "take no root.", 2),
            (2 * norm(dropped).mean() + norm(step).mean(), "the paper writes norms, but its "
             "program takes the mean of the squares: take no root.", 2),
            (2 * norm(dropped).square().mean() + norm(step).square().mean(),
             "the squares are added up over the width: take their mean.", 2),
            (2 * dropped.mean() + step.mean(), "take squares: numbers of both signs cancel.", 1),
            (2 * ar + (raw[..., 1:] - raw[..., :-1]).square().mean(),
             "that is the difference between neighbouring numbers of a state: time is "
             "dimension 1.", 1),
            (ar + tar, "alpha and beta are ignored.", 1),
            (-want, "it is added to the loss: it should be positive.", 1),
            *self.sizes(dropped, raw),
        ]  # fmt: skip
        got, fault = penalty(dropped, raw, 2.0, 1.0)
        verdict = compare(got, want, mistakes, what="the penalty")
        if not isinstance(verdict, Right):
            return verdict
        if not same(penalty(dropped, raw, 0.5, 3.0)[0], 0.5 * ar + 3 * tar):
            return Wrong("right for alpha = 2 and beta = 1, but not for others.", 2)
        right = Right("Two terms of the training loss. The loss that is reported has neither.")
        return judged(right, fault)

    @staticmethod
    def sizes(dropped: Tensor, raw: Tensor) -> list[tuple]:
        """What comes of other sizes and other neighbours, with an alpha of 2 and a beta of 1."""
        step = raw[:, 1:] - raw[:, :-1]
        return [
            (2 * dropped.square().mean() + step.abs().mean(), "TAR takes squares, too.", 2),
            (2 * dropped.abs().mean() + step.abs().mean(), "those are sizes: take squares.", 2),
            (2 * dropped.square().mean() + step.square().sum() / raw.numel(),
             "TAR is divided by the number of states: there is one step fewer.", 2),
            (2 * dropped.square().mean() + (raw - raw.roll(1, 1)).square().mean(),
             "the first state has none before it: `roll` compares it with the last.", 2),
            (2 * dropped[:, -1].square().mean() + step[:, -1].square().mean(),
             "the last position alone: take the mean over all positions.", 1),
        ]  # fmt: skip

    def reference(self, *parts: Any) -> Tensor:
        dropped, raw, alpha, beta = parts
        return alpha * dropped.square().mean() + beta * raw.diff(dim=1).square().mean()


class FindTheBug(Exercise):
    id = "03.find_the_bug"
    title = "Find the bug: the weights that melt away (optional)"
    minutes, difficulty, importance, points = 15, 4, 5, 4
    hints = (
        "Call `forward` a few times in training mode and count the zeros in the recurrent matrix.",
        "What is `lstm.weight_hh_l0` after a call? Does the optimiser still hold that tensor?",
        "Leave the parameter alone. Make a dropped copy, and run the LSTM with the copy: "
        '`torch.func.functional_call(self.lstm, {"weight_hh_l0": dropped}, (x,))`.',
    )

    def as_functions(self, wrapper: type[nn.Module]) -> tuple:
        return (partial(self.seen, wrapper),)

    @staticmethod
    def seen(wrapper: type[nn.Module], weights: Weights, x: Tensor, p: float) -> dict:
        """What shows of a wrapped LSTM of these weights: three outputs, gradient, step, eval."""
        lstm = nn.LSTM(x.shape[-1], weights["weight_hh_l0"].shape[1], batch_first=True)
        lstm.load_state_dict(weights)
        raw, model = lstm.get_parameter("weight_hh_l0"), wrapper(lstm, p)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        found: dict[str, Any] = {"outputs": [model.train()(x)[0] for _ in range(3)], "kept": True}
        if lstm.weight_hh_l0 is not raw:
            return found | {"kept": False, "made": isinstance(lstm.weight_hh_l0, nn.Parameter)}
        found["raw"] = raw.detach().clone()
        found["outputs"][-1].sum().backward()
        found["gradient"] = raw.grad
        optimizer.step()
        found["stepped"] = raw.detach().clone()
        lstm.load_state_dict(weights)
        return found | {"eval": model.eval()(x)[0]}

    def untouched(self, seen: Callable[[Weights, Tensor, float], dict]) -> bool:
        found = seen(dict(nn.LSTM(3, 4, batch_first=True).state_dict()), torch.ones(1, 2, 3), 0.5)
        return not found["kept"] and found["made"]

    def check(self, seen: Callable[[Weights, Tensor, float], dict]) -> Right | Wrong:
        torch.manual_seed(0)
        lstm, x = nn.LSTM(3, 16, batch_first=True), torch.randn(2, 5, 3)
        weights = dict(lstm.state_dict())
        found, before = seen(weights, x, 0.5), weights["weight_hh_l0"]
        if not found["kept"]:
            return Wrong("after a call in training `lstm.weight_hh_l0` is another tensor.", 1)
        if not same(found["raw"], before):
            return Wrong("the raw weights have changed, and no optimiser has made a step.", 1)
        outputs, gradient = found["outputs"], found["gradient"]
        if same(outputs[0], outputs[1]) and same(outputs[1], outputs[2]):
            return Wrong("two calls in training give the same: is anything dropped?", 1)
        if gradient is None or not gradient.abs().sum() > 0:
            return Wrong("no gradient reaches the raw weights: is the copy detached?", 2)
        if not (gradient == 0).float().mean() > 0.2:
            return Wrong("the gradient reaches every weight: the LSTM ran with the raw ones.", 2)
        if same(found["stepped"], before):
            return Wrong("the optimiser's step does not change the weights in use.", 2)
        if not same(found["eval"], lstm(x)[0]):
            return Wrong("in eval mode nothing is dropped: it should be the plain LSTM.", 3)
        kept = before * (gradient != 0)
        scaled, plain = (functional_call(lstm, {"weight_hh_l0": w}, (x,))[0]
                         for w in (2 * kept, kept))  # fmt: skip
        if same(outputs[-1], plain, 1e-4):
            return Wrong("the kept weights are as they were: divide them by 1 - p.", 3)
        if not same(outputs[-1], scaled, 1e-4):
            return Wrong("the output is not that of the LSTM with some recurrent weights set to "
                         "zero, and the others divided by 1 - p.", 2)  # fmt: skip
        lost = (seen(weights, x, 0.1)["gradient"] == 0).float().mean()
        if not lost < 0.3:
            return Wrong(f"`p` is ignored: with p = 0.1 a share of {lost:.2f} is dropped.", 3)
        return Right("One raw parameter, trained for good; a new dropped copy at each call.")


class Forgetting(Written):
    id = "03.forgetting"
    title = "Why it forgets, and what decides how much (optional)"
    minutes, difficulty, importance, points = 10, 3, 4, 4
    hints = (
        "Where do the first gradients of a random head come from, and where do they go?",
        "Look along the curves of plain tuning: what do the two ends differ in?",
    )
    rubric = """
- 1 point: nothing in the classifier's loss asks to keep the language model; every update moves its
  weights, and the first gradients come through a random head that knows nothing of the task.
- 1 point: how far the weights move is decided by the rate first of all: the same plain tuning
  forgets far less at a low rate than at a high one.
- 1 point: the gentle schedule is a way of giving the head a high rate and the lower layers a low or
  late one (lower rates below, layers that join later, the slow start of the triangle).
- 1 point: a fair test: perplexity on held-out text before and after, *and* the plain tuning tuned
  by its own rate on validation texts, over several seeds.
"""


class WhyNoPenalty(Quiz):
    id = "03.q1"
    question = "Why do AR and TAR stay out of the loss that validation reports?"
    choices = (
        Choice("They are too slow to compute.", "They cost next to nothing."),
        Choice(
            "The reported loss is the logarithm of a perplexity, and penalties are no probability.",
            "Yes. With them the figure could be compared with no other model, nor with the floor.",
            right=True,
        ),
        Choice("They are zero in eval mode anyway.", "States have squares in eval mode, too."),
    )


class WhyStageTwo(Quiz):
    id = "03.q2"
    question = "Stage 2 sees no label. What can the classifier gain from it?"
    choices = (
        Choice(
            "States that tell the target's texts apart: its words, and what follows from what.",
            "Yes. To predict a review's words, it helps to know whether its writer is pleased.",
            right=True,
        ),
        Choice(
            "The labels leak through the unlabelled text.",
            "None is there to leak: the unlabelled reviews are different ones, and carry no label.",
        ),
        Choice(
            "A smaller model.",
            "The model keeps its size, and even grows by the vectors of new words.",
        ),
    )


class WhyOneMask(Quiz):
    id = "03.q3"
    question = "What is wrong with a fresh dropout mask at every position of an LSTM's state?"
    choices = (
        Choice("It is not random enough.", "It is more random than one mask for all positions."),
        Choice(
            "Over many positions the noise adds up, and the memory is lost before it can be used.",
            "Yes. A state that is to be carried over 50 words would meet 50 different masks.",
            right=True,
        ),
        Choice("The mean of the state changes.", "Dividing by 1 - p keeps it in both cases."),
    )
