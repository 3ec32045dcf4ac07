"""Chapter 09: building a linear probe, and the control task that it is held against."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from minibert.course.learn.compare import array, compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.kept import CHANGED

Weights = tuple[Tensor, Tensor]
CLOSE = 0.01  # nats above the smallest loss, and of difference in probabilities


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
        probe.mean, probe.scale, probe.W, probe.b = mean, scale, W, b
        if step != "fit":
            got = getattr(probe, step)(*rest)
            pair = isinstance(got, tuple | list)
            return [x.detach() if torch.is_tensor(x) else x for x in got] if pair else got
        copies = [x.clone() for x in rest]
        got = probe.fit(*rest)
        held = {name: getattr(probe, name) for name in ("mean", "scale", "W", "b", "penalty")}
        held = {name: x.detach() if torch.is_tensor(x) else x for name, x in held.items()}
        unchanged = all(map(torch.equal, copies, rest))
        return held | {"itself": got is probe, "changed": not unchanged}

    @staticmethod
    def case(seed: int = 0) -> dict[str, Any]:
        """Rows of three labels, rows to choose a penalty on, and weights that are set."""
        g = torch.Generator().manual_seed(seed)
        y = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), 90, replacement=True, generator=g)
        y[:3] = torch.arange(3)
        centres = 1.2 * torch.randn(3, 12, generator=g)
        centres[:, 2:] = 0.0  # two columns tell, ten are noise
        x = (centres[y] + torch.randn(90, 12, generator=g)) * torch.linspace(0.5, 6, 12) + 3
        W, b = torch.randn(12, 3, generator=g), 2 * torch.randn(3, generator=g)
        set_before = (3, (3000.0, 10.0, 0.001), x[:30].mean(0), x[:30].std(0), W, b)
        return {"set": set_before, "x": x[:30], "y": y[:30], "valid": (x[30:], y[30:])}

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
        return compare(got, (x - mean) / scale, mistakes, what="1. `standard(x)`")

    def train(self, run: Callable[..., Any], case: dict[str, Any]) -> Right | Wrong:
        x, y, penalty = self.scaled(case, case["x"]), case["y"], 6.0
        got = run("train", case["set"], x, y, penalty)
        if not (isinstance(got, list | tuple) and len(got) == 2 and all(map(torch.is_tensor, got))):
            return Wrong("2. `train` gives two tensors, (W, b).", 1)
        if (tuple(got[0].shape), tuple(got[1].shape)) != ((12, 3), (3,)):
            shapes = f"{tuple(got[0].shape)} and {tuple(got[1].shape)}"
            return Wrong(f"2. W should be (dim, labels), b (labels,), and they are {shapes}.", 1)
        if not all(torch.isfinite(part).all() for part in got):
            return Wrong("2. the weights are not finite: was the rate too large?", 1)
        if self.alike(got, best(x, y, penalty), x):
            return Right()
        for other, message in self.other_losses(x, y, penalty):
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

    @staticmethod
    def other_losses(x: Tensor, y: Tensor, penalty: float) -> list[tuple]:
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
        ]  # fmt: skip

    def fit(self, run: Callable[..., Any], case: dict[str, Any]) -> Right | Wrong:
        x, (valid_x, valid_y), n = case["x"], case["valid"], len(case["x"])
        found = run("fit", case["set"], x, case["y"], valid_x, valid_y)
        if found["changed"]:
            return Wrong(f"3. {CHANGED}", 4)
        if any(array(found[name]) is None for name in ("mean", "scale", "W", "b")):
            return Wrong("3. `fit` should set self.mean, self.scale, self.W and self.b.", 3)
        both = torch.cat((x, valid_x))
        mistakes = [
            (both.mean(0), "3. the validation rows are in the mean: training rows only.", 3),
            (valid_x.mean(0), "3. that is the mean of the validation rows.", 3),
            (x.mean(1), "3. that is a mean for each row: one for each column, `mean(0)`.", 3),
            (x.mean(), "3. that is one mean of all numbers: one for each column, `mean(0)`.", 3),
        ]
        told = compare(found["mean"], x.mean(0), mistakes, 1e-4, what="3. `self.mean`")
        if not isinstance(told, Right):
            return told
        scale = x.std(0, correction=0)
        if not any(same(found["scale"], scale * k, 1e-3) for k in (1.0, (n / (n - 1)) ** 0.5)):
            squares = [x.var(0, correction=k) for k in (0, 1)]
            square = any(same(found["scale"], one, 1e-3) for one in squares)
            what = "is the variance: take the deviation" if square else "should be the deviation"
            return Wrong(f"3. `self.scale` {what} of each column of the training rows.", 3)
        return self.chosen(case, found)

    def chosen(self, case: dict[str, Any], found: dict[str, Any]) -> Right | Wrong:
        """Whether the penalty is the best one on the validation rows, and the weights its own."""
        given = {**case, "set": (*case["set"][:2], found["mean"], found["scale"])}
        x, valid_x = (self.scaled(given, rows) for rows in (case["x"], case["valid"][0]))
        penalties = case["set"][1]
        trained = [best(x, case["y"], penalty) for penalty in penalties]
        losses = [loss_of(one, valid_x, case["valid"][1], 0.0) for one in trained]
        want = min(range(len(penalties)), key=losses.__getitem__)
        held = found["W"], found["b"]
        kept_one = next((i for i, one in enumerate(trained) if self.alike(held, one, x)), None)
        raw = [best(case["x"], case["y"], penalty) for penalty in penalties]
        if kept_one is None or any(self.alike(held, one, case["x"]) for one in raw):
            return Wrong("3. self.W and self.b are not what `train` gives on the standardised "
                         "training rows for one of the penalties.", 3)  # fmt: skip
        if kept_one != want:
            why = {len(penalties) - 1: "it has the smallest loss on the *training* rows, or it "
                   "came last", 0: "it came first, or has the largest loss"}  # fmt: skip
            told = f"keep the W and b of the penalty {penalties[want]:g}"
            return Wrong(f"3. {told}: you kept those of {penalties[kept_one]:g}; "
                         f"{why.get(kept_one, 'they belong to another one')}.", 4)  # fmt: skip
        if array(found["penalty"]) is None or not same(float(found["penalty"]), penalties[want]):
            return Wrong(f"3. `self.penalty` should be {penalties[want]:g}, the best one.", 4)
        return Right() if found["itself"] else Wrong("3. `fit` gives `self` back.", 4)

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
            (0.0, "4. `score` is still to be written.", 5),
        ]
        return compare(run("score", case["set"], x, y), right, mistakes, what="4. `score(x, y)`")

    @staticmethod
    def scaled(case: dict[str, Any], x: Tensor) -> Tensor:
        mean, scale = case["set"][2:4]
        return (x - mean) / scale

    @staticmethod
    def alike(one: Any, other: Weights, x: Tensor) -> bool:
        """Whether two pairs (W, b) give the same probabilities of the rows."""
        shares = [(x @ torch.as_tensor(W).float() + torch.as_tensor(b).float()).softmax(1)
                  for W, b in (one, other)]  # fmt: skip
        return bool((shares[0] - shares[1]).abs().max() < CLOSE)


def loss_of(weights: Any, x: Tensor, y: Tensor, penalty: float) -> float:
    """The mean loss with its penalty."""
    W, b = weights
    logits = x @ W.float() + b.float()
    return float(
        torch.nn.functional.cross_entropy(logits, y) + penalty / 2 / len(x) * W.square().sum()
    )


def best(x: Tensor, y: Tensor, penalty: float, bias: bool | None = False) -> Weights:
    """(W, b) with the smallest loss; ``bias``: whether it is penalised, None: it stays zero."""
    W, b = torch.zeros(x.shape[1], 3), torch.zeros(3)
    parts = [W.requires_grad_()] if bias is None else [W.requires_grad_(), b.requires_grad_()]
    optimizer = torch.optim.LBFGS(parts, max_iter=300, tolerance_change=1e-9,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def closure() -> Any:
        optimizer.zero_grad()
        squares = W.square().sum() + (b.square().sum() if bias else 0.0)
        loss: Any = torch.nn.functional.cross_entropy(x @ W + b, y) + penalty / 2 / len(x) * squares
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return W.detach(), b.detach()


class Control(Exercise):
    id = "09.control"
    title = "Labels that mean nothing"
    minutes, difficulty, importance, points = 8, 2, 5, 4
    hints = (
        "Put all labels into one list. `draw.choice` of that list takes each label as often as it "
        "occurs.",
        "One draw for each word *form*, not for each time it occurs: `sorted({...})` has each form "
        "once, in an order that does not change from run to run.",
    )

    def as_functions(self, answer: Callable[..., Any]) -> tuple:
        return (partial(self.tried, answer),)

    @staticmethod
    def tried(answer: Callable[..., Any], words: list, labels: list, seeds: Sequence[int]) -> dict:
        """What the answer gives for each seed, and whether it changed what it was given."""
        copies = [list(row) for row in words], [list(row) for row in labels]
        got = [answer(words, labels, random.Random(seed)) for seed in seeds]
        return {"drawn": got, "changed": copies != (words, labels)}

    @staticmethod
    def case(count: int = 900) -> tuple[list[list[str]], list[list[str]]]:
        """Sentences whose words have usual labels; three labels, 72, 20 and 8 in a hundred."""
        draw = random.Random(5)
        names = [f"w{i}" for i in range(count)]
        usual = {name: "abc"[(i % 25 >= 18) + (i % 25 >= 23)] for i, name in enumerate(names)}
        order = names + draw.choices(names, k=count)
        words = [order[i : i + 6] for i in range(0, len(order), 6)]
        return words, [[usual[word] for word in row] for row in words]

    def untouched(self, tried: Callable[..., Any]) -> bool:
        words, labels = [["u", "v"], ["u"]], [["x", "y"], ["z"]]
        got = tried(words, labels, [0])["drawn"][0]
        return got is None or got == {"u": "x", "v": "x"}

    def check(self, tried: Callable[..., Any]) -> Right | Wrong:
        words, labels = self.case()
        found = tried(words, labels, [0, 0, 1])
        if found["changed"]:
            return Wrong(CHANGED, 2)
        first, again, other = found["drawn"]
        if told := self.form(first, words) or self.meaning(first, words, labels):
            return told
        if first != again:
            return Wrong("the same `draw` gave two different results: draw with `draw` alone.", 3)
        if first == other:
            return Wrong("another `draw` gave the same labels: they are not drawn.", 2)
        return Right("Each form has one label, in training and in the test: to be right, a probe "
                     "must learn words by heart.")  # fmt: skip

    @staticmethod
    def form(got: Any, words: list) -> Wrong | None:
        """What is wrong with the dictionary itself."""
        forms = {word for row in words for word in row}
        if not isinstance(got, dict):
            return Wrong("expected a dictionary {word form: label}, got a "
                         f"{type(got).__name__}: with a label for each *form*.", 1)  # fmt: skip
        if missing := forms - {*got}:
            return Wrong(f"{len(missing)} of {len(forms)} word forms have no label: those of all "
                         "sentences need one.", 1)  # fmt: skip
        if {*got} - forms:
            return Wrong("there are keys that are no word forms of the sentences.", 1)
        strange = [label for label in got.values() if not isinstance(label, str)]
        strange += [label for label in got.values() if label not in [*"abc", *strange]]
        if strange:
            return Wrong(f"{strange[0]!r:.40} is none of the labels.", 1)
        return None

    @staticmethod
    def meaning(got: dict, words: list, labels: list) -> Wrong | None:
        """Whether the labels are drawn, as often as they occur, and say nothing."""
        usual = {w: y for row, marks in zip(words, labels, strict=True)
                 for w, y in zip(row, marks, strict=True)}  # fmt: skip
        shares = {name: count / len(got) for name, count in Counter(got.values()).items()}
        if len(shares) == 1:
            return Wrong("all forms have the same label.", 1)
        kept = sum(got[word] == usual[word] for word in got) / len(got)
        if kept > 0.9:
            return Wrong("these are the words' real labels, so that they mean something.", 1)
        told = ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items()))
        if all(abs(shares.get(name, 0) - 1 / 3) < 0.08 for name in "abc"):
            return Wrong("every label is equally frequent: draw them as often as they occur in "
                         "`labels` (the set of labels has lost that).", 2)  # fmt: skip
        if any(abs(shares.get(name, 0) - want) > 0.07
               for name, want in (("a", 0.72), ("b", 0.20), ("c", 0.08))):  # fmt: skip
            return Wrong(f"the labels occur as a 72%, b 20%, c 8%, and yours as {told}.", 2)
        order = [got[word] for word in sorted(got, key=lambda w: int(w[1:]))]
        runs = sum(a == b for a, b in zip(order, order[1:], strict=False)) / len(order)
        if runs > 0.8:
            return Wrong("neighbouring forms share their labels: draw one for each form.", 2)
        return None
