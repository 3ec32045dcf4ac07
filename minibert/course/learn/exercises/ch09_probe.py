"""Chapter 09: building a linear probe."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import array, compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch09_training import OTHERS, Weights, best, loss_of
from minibert.course.learn.exercises.kept import CHANGED

CLOSE = 0.01  # nats above the smallest loss, and of difference in probabilities
ALIKE = 0.04  # the same where `fit` has trained, also with very large and very small penalties


class LinearProbe(Exercise):
    id = "09.linear_probe"
    title = "Build: a linear probe"
    minutes, difficulty, importance, points = 25, 4, 5, 8
    hints = (
        "`standard` is one line, with `self.mean` and `self.scale`. Never take the mean of the "
        "rows that are given: test rows are measured by the same scale as training rows.",
        "`F.cross_entropy(x @ W + b, y)` is the mean of the losses; add `penalty / (2 * len(x)) * "
        "W.square().sum()`. `torch.optim.LBFGS` calls a function `closure` that sets the gradients "
        "to zero, computes the loss, calls `backward`, and returns the loss.",
        "In `fit`: set mean and scale first. Train once for each penalty, compute "
        "`F.cross_entropy` of the standardised validation rows, and keep the smallest.",
        "`score`: standardise, multiply, `argmax(1)`, compare with `y`, take the mean.",
    )

    def as_functions(self, made: type) -> tuple:
        return (partial(self.run, made),)

    @staticmethod
    def run(made: type, step: str, *given: Any) -> Any:
        """One step of an object of the class; ``given`` begins with what is set before."""
        (labels, penalties, mean, scale, W, b), *rest = given
        probe: Any = made(labels, penalties)
        if step != "fit":  # `fit` has to set them itself
            probe.mean, probe.scale, probe.W, probe.b = mean, scale, W, b
        copies = [x.clone() if torch.is_tensor(x) else x for x in rest]
        if step != "fit":
            got = getattr(probe, step)(*rest)
            if any(torch.is_tensor(x) and not torch.equal(x, y)
                   for x, y in zip(rest, copies, strict=True)):  # fmt: skip
                return {"changed": True}
            pair = isinstance(got, tuple | list)
            return [x.detach() if torch.is_tensor(x) else x for x in got] if pair else got
        got = probe.fit(*rest)
        held = {name: getattr(probe, name, None) for name in ("mean", "scale", "W", "b", "penalty")}
        held = {name: x.detach() if torch.is_tensor(x) else x for name, x in held.items()}
        unchanged = all(map(torch.equal, copies, rest))
        return held | {"itself": got is probe, "changed": not unchanged}

    @staticmethod
    def case(seed: int = 0) -> dict[str, Any]:
        """Rows of three labels, rows to score, rows to choose a penalty on, and what is set.

        With odd seeds the rows to choose on lie elsewhere: only the largest penalty is safe.
        """
        g = torch.Generator().manual_seed(seed)
        y = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), 90, replacement=True, generator=g)
        y[:3] = torch.arange(3)
        centres = 1.2 * torch.randn(3, 12, generator=g)
        centres[:, 2:] = 0.0  # two columns tell, ten are noise
        x = (centres[y] + torch.randn(90, 12, generator=g)) * torch.linspace(0.5, 6, 12) + 3
        W, b = torch.randn(12, 3, generator=g), 2 * torch.randn(3, generator=g)
        penalties = ((3000.0, 10.0, 0.001), (0.002, 20.0, 2000.0))[seed % 2]
        set_before = (3, penalties, x[:30].mean(0), x[:30].std(0), W, b)
        moved = x[30:] + 8 * (seed % 2) * x[:30].std(0)
        return {"set": set_before, "x": x[:30], "y": y[:30], "valid": (x[30:], y[30:]),
                "judge": (moved, y[30:])}  # fmt: skip

    def untouched(self, run: Callable[..., Any]) -> bool:
        case = self.case()
        got, x = run("standard", case["set"], case["x"]), case["x"]
        if got is not None and not same(got, x):
            return False
        W, b = run("train", case["set"], x, case["y"], 1.0) or (torch.zeros(1), torch.zeros(1))
        return not torch.as_tensor(W).any() and not torch.as_tensor(b).any()

    def check(self, run: Callable[..., Any]) -> Right | Wrong:
        for seed in (0, 1):
            case = self.case(seed)
            for step in (self.standard, self.train, self.fit, self.score):
                told = step(run, case)
                if not isinstance(told, Right):
                    return told
        return Right("Your probe ends where scikit-learn's logistic regression does.")

    def standard(self, run: Callable[..., Any], case: dict[str, Any]) -> Right | Wrong:
        x, (_, _, mean, scale, _, _) = case["valid"][0][:5], case["set"]
        mistakes = [
            (x, "1. `standard` gives the rows as they are.", 0),
            ((x - x.mean(0)) / x.std(0), "1. `standard` takes the mean of the rows that it is "
             "given: take `self.mean` and `self.scale`, those of the training rows.", 0),
            (x - mean, "1. the mean is taken away; now divide by `self.scale`.", 0),
            (x / scale, "1. divided, but the mean is not taken away before.", 0),
            (x / scale - mean, "1. take the mean away first, then divide.", 0),
            ((x - mean) * scale, "1. multiplied by the scale: divide by it.", 0),
            ((x - mean) / scale**2, "1. divided by the variance: by the deviation.", 0),
            ((x - mean) / scale.sqrt(), "1. the scale is the deviation already, no root.", 0),
            ((x + mean) / scale, "1. the mean is added: take it away.", 0),
        ]  # fmt: skip
        got = run("standard", case["set"], x)
        if isinstance(got, dict):
            return Wrong(f"1. {CHANGED}", 0)
        return compare(got, (x - mean) / scale, mistakes, what="1. `standard(x)`")

    def train(self, run: Callable[..., Any], case: dict[str, Any]) -> Right | Wrong:
        x, y, penalty = self.scaled(case, case["x"]), case["y"], 6.0
        got = run("train", case["set"], x, y, penalty)
        if isinstance(got, dict):
            return Wrong(f"2. {CHANGED}", 1)
        if not (isinstance(got, list | tuple) and len(got) == 2 and all(map(torch.is_tensor, got))):
            return Wrong("2. `train` gives two tensors, (W, b).", 1)
        if (tuple(got[0].shape), tuple(got[1].shape)) != ((12, 3), (3,)):
            shapes = f"{tuple(got[0].shape)} and {tuple(got[1].shape)}"
            return Wrong(f"2. W should be (dim, labels), b (labels,), and they are {shapes}.", 1)
        if not all(torch.isfinite(part).all() for part in got):
            return Wrong("2. the weights are not finite: was the rate too large?", 1)
        if self.alike(got, best(x, y, penalty), x):
            return Right()
        for other, message in self.other_losses(case, x, y, penalty):
            if self.alike(got, other, x):
                return Wrong(f"2. {message}", 1)
        want = best(x, y, penalty)
        if loss_of(got, x, y, 0.0) < loss_of(want, x, y, 0.0) - CLOSE:
            return Wrong("2. the penalty has no effect, or too little: add it to the loss.", 1)
        above = loss_of(got, x, y, penalty) - loss_of(want, x, y, penalty)
        return Wrong(
            f"2. the penalised loss is {above:.3f} nats above the smallest one: not trained to "
            "convergence, or another loss.",
            1,
        )

    @classmethod
    def other_losses(
        cls, case: dict[str, Any], x: Tensor, y: Tensor, penalty: float
    ) -> list[tuple]:
        """Where training ends with another loss."""
        zeros = torch.zeros(12, 3), torch.zeros(3)
        turned = best(x, y, penalty)
        return [
            (zeros, "`train` gives zeros: nothing was learned. Is there an `optimizer.step`?"),
            (best(x, y, penalty * len(x)),
             "the penalty weighs len(x) times as much as in the formula: divide it by len(x)."),
            (best(x, y, 2 * penalty), "the penalty is twice as large as in the formula: lambda/2."),
            (best(x, y, 2 * penalty * len(x)),
             "the penalty is too large: lambda / (2 n) times the squared weights."),
            (best(x, y, penalty, bias=True), "the bias is penalised, too: it should be free."),
            (best(x, y, penalty, bias=None), "the bias is not learned: it belongs to the weights "
             "that the optimizer moves."),
            ((-turned[0], -turned[1]), "the loss grew: it is *minus* the log-probability."),
            (best(x, y, penalty * len(x) / 3),
             "the penalty is divided by the number of labels: divide it by 2 len(x)."),
            (best(x, y, penalty / len(x)), "the penalty is too small for a *sum* of losses: take "
             "their mean, or leave out `/ len(x)` in both."),
            (best(x, y, penalty / 36), "the mean of the squared weights: their sum."),
            (best(cls.scaled(case, x), y, penalty),
             "the rows are standardised again: `train` is given rows that are."),
            *((best(x, y, penalty, loss=loss), message) for loss, message in OTHERS),
        ]  # fmt: skip

    def fit(self, run: Callable[..., Any], case: dict[str, Any]) -> Right | Wrong:
        x, (valid_x, valid_y), n = case["x"], case["judge"], len(case["x"])
        found = run("fit", case["set"], x, case["y"], valid_x, valid_y)
        if found["changed"]:
            return Wrong(f"3. {CHANGED}", 4)
        if any(array(found[name]) is None for name in ("mean", "scale", "W", "b")):
            return Wrong("3. `fit` should set self.mean, self.scale, self.W and self.b.", 3)
        for name in ("mean", "scale"):
            if torch.is_tensor(found[name]) and found[name].shape == (1, x.shape[1]):
                found[name] = found[name][0]
        if not all(torch.as_tensor(found[name]).isfinite().all() for name in ("W", "b")):
            return Wrong("3. self.W and self.b are not finite: with one of the penalties training "
                         "ran away. (`LBFGS` with a line search does not.)", 3)  # fmt: skip
        if same(found["mean"], 0.0) and same(found["scale"], 1.0):
            return Wrong("3. `fit` never sets self.mean and self.scale: they are still 0 and 1, so "
                         "nothing is standardised. Set them first.", 3)  # fmt: skip
        both = torch.cat((x, valid_x))
        mistakes = [
            (both.mean(0), "3. the validation rows are in the mean: training rows only.", 3),
            (valid_x.mean(0), "3. that is the mean of the validation rows.", 3),
            (x.mean(1), "3. that is a mean for each row: one for each column, `mean(0)`.", 3),
            (x.mean(), "3. that is one mean of all numbers: one for each column, `mean(0)`.", 3),
        ]
        told = compare(found["mean"], x.mean(0), mistakes, 1e-4, what="3. `self.mean`")
        if not isinstance(told, Right):
            return Wrong(told.message, 3)
        scale = x.std(0, correction=0)
        if not any(same(found["scale"], scale * k, 1e-3) for k in (1.0, (n / (n - 1)) ** 0.5)):
            squares = [x.var(0, correction=k) for k in (0, 1)]
            square = any(same(found["scale"], one, 1e-3) for one in squares)
            what = "is the variance: take the deviation" if square else "should be the deviation"
            return Wrong(f"3. `self.scale` {what} of each column of the training rows.", 3)
        return self.chosen(run, case, found)

    def chosen(
        self, run: Callable[..., Any], case: dict[str, Any], found: dict[str, Any]
    ) -> Right | Wrong:
        """Whether the penalty is the best one on the validation rows, and the weights its own."""
        given = {**case, "set": (*case["set"][:2], found["mean"], found["scale"])}
        x, valid_x = (self.scaled(given, rows) for rows in (case["x"], case["judge"][0]))
        penalties = case["set"][1]
        trained = [best(x, case["y"], penalty) for penalty in penalties]
        losses = [loss_of(one, valid_x, case["judge"][1], 0.0) for one in trained]
        want = min(range(len(penalties)), key=losses.__getitem__)
        held = found["W"], found["b"]
        kept_one = next(
            (i for i, one in enumerate(trained) if self.alike(held, one, x, ALIKE)), None
        )
        raw = [best(case["x"], case["y"], penalty) for penalty in penalties]
        if any(self.alike(held, one, case["x"]) for one in raw):
            return Wrong("3. self.W and self.b were trained on rows that are not standardised: set "
                         "self.mean and self.scale first, then train on `self.standard(x)`.",
                         3)  # fmt: skip
        if kept_one is None:
            return Wrong("3. self.W and self.b are not what `train` gives, at convergence, on the "
                         "standardised training rows for one of `self.penalties`.", 3)  # fmt: skip
        if losses[kept_one] > losses[want] + CLOSE / 2:
            again = run("train", case["set"], x, case["y"], penalties[want])
            if not self.alike(again, trained[want], x, ALIKE):
                return Wrong(f"3. with the penalty {penalties[want]:g}, `train` does not end at "
                             "the smallest loss: a rate that suits one penalty is too large or too "
                             "small for another. (`LBFGS` with a line search needs none.)",
                             3)  # fmt: skip
            told = f"keep the W and b of the penalty {penalties[want]:g}"
            why = ", or ".join(self.reasons(case, trained, x, valid_x, kept=kept_one))
            return Wrong(f"3. {told}, with the smallest validation loss: you kept those of "
                         f"{penalties[kept_one]:g}{why and ' (' + why + '?)'}.", 4)  # fmt: skip
        if not same(found["penalty"], penalties[kept_one]):
            return Wrong(f"3. `self.penalty` should be {penalties[want]:g}, the best one.", 4)
        return Right() if found["itself"] else Wrong("3. `fit` gives `self` back.", 4)

    @staticmethod
    def reasons(
        case: dict[str, Any], trained: list[Weights], x: Tensor, valid_x: Tensor, *, kept: int
    ) -> list[str]:
        """Why the weights of another penalty may have been kept."""
        (raw, valid_y), y, penalties = case["judge"], case["y"], case["set"][1]
        inside = (raw - raw.mean(0)) / raw.std(0)

        def least(loss: Callable[[Weights, float], float]) -> int:
            every = [loss(*pair) for pair in zip(trained, penalties, strict=True)]
            return every.index(min(every))

        def missed(one: Weights) -> float:
            return float(((valid_x @ one[0] + one[1]).argmax(1) != valid_y).float().mean())

        last = len(penalties) - 1
        found = [
            (0, "it came first"),
            (last, "it came last"),
            (least(lambda one, _: loss_of(one, x, y, 0.0)), "the loss on the *training* rows"),
            (least(lambda one, _: -loss_of(one, valid_x, valid_y, 0.0)), "the largest loss"),
            (least(lambda one, _: missed(one)), "the accuracy instead of the loss"),
            (least(lambda one, p: loss_of(one, valid_x, valid_y, p)), "a loss with its penalty"),
            (least(lambda one, _: loss_of(one, raw, valid_y, 0.0)),
             "validation rows that are not standardised"),
            (least(lambda one, _: loss_of(one, inside, valid_y, 0.0)),
             "validation rows that are standardised by their own mean"),
        ]  # fmt: skip
        return [reason for place, reason in found if place == kept]

    def score(self, run: Callable[..., Any], case: dict[str, Any]) -> Right | Wrong:
        (x, y), (*_, W, b) = case["valid"], case["set"]
        rows = self.scaled(case, x)

        def share(logits: Tensor) -> Tensor:
            return (logits.argmax(1) == y).float().mean()

        right = share(rows @ W + b)
        mistakes = [
            (right * len(y), "4. that is a number of rows: a share was asked for.", 6),
            (100 * right, "4. a share lies between 0 and 1: no percent.", 6),
            (1 - right, "4. that is the share of rows that are wrong.", 6),
            (share(x @ W + b), "4. the rows are not standardised.", 5),
            (share(rows @ W), "4. the bias is left out.", 5),
            (share(-(rows @ W + b)), "4. that is the *least* likely label.", 5),
            (share((rows @ W + b).softmax(0)), "4. the softmax runs over the rows: no softmax is "
             "needed, the largest logit is the likeliest label.", 5),
            (share((x - x.mean(0)) / x.std(0) @ W + b), "4. the rows are standardised by their own "
             "mean: call `self.standard`.", 5),
        ]  # fmt: skip
        got = run("score", case["set"], x, y)
        if isinstance(got, dict):
            return Wrong(f"4. {CHANGED}", 5)
        values = array(got)
        if values is not None and values.shape == y.shape:
            return Wrong("4. a value for each row: the share is the mean of what is right.", 5)
        told = compare(got, right, mistakes, what="4. `score(x, y)`")
        if isinstance(told, Right):
            return told
        if same(got, 0.0):  # a row for each label, instead of a label for each row?
            turned = run("score", case["set"], x[:3], (rows[:3] @ W + b).argmax(0))
            return Wrong("4. `score` is still to be written." if same(turned, 0.0) else
                         "4. a label for each row: the largest of its logits, `argmax(1)`.",
                         5)  # fmt: skip
        return Wrong(told.message, told.points or 5)

    @staticmethod
    def scaled(case: dict[str, Any], x: Tensor) -> Tensor:
        mean, scale = case["set"][2:4]
        return (x - mean) / scale

    @staticmethod
    def alike(one: Any, other: Weights, x: Tensor, most: float = CLOSE) -> bool:
        """Whether two pairs (W, b) give probabilities of the rows that differ by ``most``."""
        shares = [(x @ torch.as_tensor(W).float() + torch.as_tensor(b).float()).softmax(1)
                  for W, b in (one, other)]  # fmt: skip
        return bool((shares[0] - shares[1]).abs().max() < most)
