"""Chapter 10: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

import re

import numpy as np

GIVEN = {"np": np}

ADAPTER = """
class Adapter(nn.Module):
    def __init__(self, dim, size):
        super().__init__()
        self.down, self.up = nn.Linear(dim, size{bias}), nn.Linear(size, dim)
        {more}
        for layer in (self.down, self.up):
            {weights}
            {biases}

    def forward(self, h):
        {first}
        return {value}
"""


def adapter(value="h + self.up(F.gelu(self.down(h)))", **changed):
    """A class `Adapter` in which these parts are others."""
    usual = {"bias": "", "more": "pass", "weights": "nn.init.normal_(layer.weight, std=0.01)"}
    usual |= {"biases": "nn.init.zeros_(layer.bias)", "first": "pass", "value": value}
    return ADAPTER.format(**usual | changed)


BY_HAND = """
class Adapter(nn.Module):
    def __init__(self, dim, size):
        super().__init__()
        self.down = nn.Linear(dim, size)
        self.up = nn.Linear(size, dim)
        with torch.no_grad():
            self.down.weight.copy_(0.01 * torch.randn(size, dim))
            self.up.weight.zero_()
            self.down.bias.zero_()
            self.up.bias.zero_()
        self.activation = nn.GELU()

    def forward(self, x):
        return self.up(self.activation(self.down(x))).add(x)
"""
OTHER_NAMES = """
class Adapter(nn.Module):
    def __init__(self, dim, size):
        super().__init__()
        self.first, self.second = nn.Linear(dim, size), nn.Linear(size, dim)

    def forward(self, h):
        return h + self.second(F.gelu(self.first(h)))
"""

LORA = """
class LoRA(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear
        {rest}
        self.scale, self.kept = {scale}, None
        self.A = nn.Parameter({a})
        self.B = nn.Parameter({b})
        {more}

    def forward(self, x):
        y = self.linear(x)
        if {beside}:
            y = y + self.scale * (x @ self.A.T) @ self.B.T
        return {value}

    def merge(self):
        if {refuse}:
            raise ValueError("merged already")
        self.kept = {kept}
        with torch.no_grad():
            {merge}
        return self

    def unmerge(self):
        if {nothing}:
            raise ValueError("nothing is merged")
        with torch.no_grad():
            {unmerge}
        {forget}
        return self
"""


def lora(**changed):
    """A class `LoRA` in which these parts are others."""
    usual = {"rest": "linear.requires_grad_(False)", "scale": "alpha / rank", "more": "pass"}
    usual |= {"a": "0.1 * torch.randn(rank, linear.in_features)"}
    usual |= {"b": "torch.zeros(linear.out_features, rank)", "beside": "self.kept is None"}
    usual |= {"value": "y", "refuse": "self.kept is not None"}
    usual |= {"kept": "self.linear.weight.detach().clone()"}
    usual |= {"merge": "self.linear.weight += self.scale * self.B @ self.A"}
    usual |= {"nothing": "self.kept is None", "unmerge": "self.linear.weight.copy_(self.kept)"}
    usual |= {"forget": "self.kept = None"}
    return LORA.format(**usual | changed)


FUNCTIONAL = """
class LoRA(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear
        for p in linear.parameters():
            p.requires_grad = False
        self.A = nn.Parameter(torch.empty(rank, linear.in_features))
        nn.init.kaiming_uniform_(self.A, a=5**0.5)
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.rank, self.alpha, self.merged = rank, alpha, False
        self.register_buffer("before", torch.zeros_like(linear.weight))

    def change(self):
        return self.B @ self.A * self.alpha / self.rank

    def forward(self, x):
        if self.merged:
            return self.linear(x)
        return F.linear(x, self.linear.weight + self.change(), self.linear.bias)

    def merge(self):
        if self.merged:
            raise ValueError("merged")
        self.before.copy_(self.linear.weight.data)
        self.linear.weight.data = self.linear.weight.data + self.change().detach()
        self.merged = True

    def unmerge(self):
        if not self.merged:
            raise ValueError("not merged")
        self.linear.weight.data = self.before.clone()
        self.merged = False
"""

THAW = """
def chain_thaw(layers, steps, rate, share):
    found = np.full((layers, steps), {frozen})
    top, everything = layers - 1, list(range(layers))
    stages = {stages}
    last = {last}
    for step in range(steps):
        stage = {stage} if step < last else len(stages) - 1
        {put}
    return {value}
"""


def thaw(**changed):
    """A function `chain_thaw` in which these parts are others."""
    usual = {"frozen": "np.nan", "last": "int(steps * share)", "value": "found"}
    usual |= {"stages": "[[top], *([one] for one in everything[:-1]), everything]"}
    usual |= {
        "stage": "step * (len(stages) - 1) // last",
        "put": "found[stages[stage], step] = rate",
    }
    return THAW.format(**usual | changed)


MASKS = """
def chain_thaw(layers, steps, rate, share):
    last = int(steps * share)
    stage = np.array([step * layers // last if step < last else layers for step in range(steps)])
    rows = np.arange(layers)[:, None]
    turn = np.where(rows == layers - 1, 0, rows + 1)
    awake = (stage == turn) | (stage == layers)
    return np.where(awake, rate, np.nan)
"""

FRONTIER = """
def frontier(points):
    best = [name for name, p in points.items()
            if not any({beats} for other, q in points.items())]
    return {value}
"""


def frontier(
    beats="q[0] <= p[0] and q[1] >= p[1] and q != p",
    value="sorted(best, key=lambda name: points[name][0])",
):
    """A function `frontier`: q beats p where this holds."""
    return FRONTIER.format(beats=beats, value=value)


SWEEP = """
def frontier(points):
    order = sorted(points, key=lambda name: (points[name][0], -points[name][1]))
    best, highest = [], None
    for name in order:
        size, score = points[name]
        if highest is None or score > highest[1] or (size, score) == highest:
            best.append(name)
            highest = (size, score)
    return best
"""

FISHER = """
def fisher(model, loss, examples):
    names, weights = zip(*model.named_parameters())
    {mode}
    found = {{name: torch.zeros_like(w) for name, w in zip(names, weights)}}
    for example in examples:
        gradients = torch.autograd.grad(loss(example), weights, allow_unused=True)
        for name, g in zip(names, gradients):
            if g is not None:
                found[name] += {add}
    {after}
    return {value}
"""
DIVIDED = "{name: f / len(examples) for name, f in found.items()}"


def fisher(**changed):
    """A function `fisher` in which these parts are others."""
    usual = {"mode": "was = model.training; model.eval()", "add": "g.square()"}
    usual |= {"after": "model.train(was)", "value": DIVIDED}
    return FISHER.format(**usual | changed)


AT_ONCE = """
def fisher(model, loss, examples):
    names, weights = zip(*model.named_parameters())
    {mode}
    mean = sum(loss(example) for example in examples) / len(examples)
    gradients = torch.autograd.grad(mean, weights, materialize_grads=True)
    {after}
    return {{name: {value} for name, g in zip(names, gradients)}}
"""


def at_once(value, mode="was = model.training; model.eval()", after="model.train(was)"):
    """A function `fisher` that takes the gradient of the mean."""
    return AT_ONCE.format(value=value, mode=mode, after=after)


DELETED = """
def frontier(points):
    for name in list(points):
        if any(q[0] <= p[0] and q[1] >= p[1] and q != p for p in [points[name]]
               for q in points.values()):
            del points[name]
    return sorted(points, key=lambda name: points[name][0])
"""
FIRST_OF_TWINS = """
def frontier(points):
    best, top = [], -1
    for name in sorted(points, key=lambda n: (points[n][0], -points[n][1])):
        if points[name][1] > top:
            best.append(name)
            top = points[name][1]
    return best
"""

STACKED = """
def fisher(model, loss, examples):
    was = model.training
    model.eval()
    names, weights = zip(*model.named_parameters())
    rows = [torch.autograd.grad(loss(e), weights, materialize_grads=True) for e in examples]
    model.train(was)
    stacked = {{n: torch.stack(g) for n, g in zip(names, zip(*rows))}}
    return {{name: {value} for name, g in stacked.items()}}
"""
BACKWARD = """
def fisher(model, loss, examples):
    was = model.training
    model.eval()
    found = {{name: torch.zeros_like(w) for name, w in model.named_parameters()}}
    for example in examples:
        {zero}
        loss(example).backward()
        for name, w in model.named_parameters():
            if w.grad is not None:
                found[name] += w.grad ** 2 / len(examples)
    {clean}
    model.train(was)
    return found
"""
ZERO = "model.zero_grad()"

EWC = """
class EWC:
    def __init__(self, part, importance, strength):
        self.part, self.importance, self.strength = part, importance, strength
        self.start = {{name: {start} for name, p in part.named_parameters()}}

    def begin(self, model):
        pass

    def penalty(self, model, batch):
        total = 0.0
        for name, p in self.part.named_parameters():
            if {named}:
                total = total + {term}
        return {value}
"""


def ewc(**changed):
    """A class `EWC` in which these parts are others; `f` and `s` are importance and start."""
    usual = {"start": "p.detach().clone()", "named": "name in self.importance"}
    usual |= {"term": "(f * (p - s) ** 2).sum()", "value": "self.strength / 2 * total"}
    given = usual | changed
    for short, long in (("f", "self.importance[name]"), ("s", "self.start[name]")):
        given["term"] = re.sub(rf"\b{short}\b", long, given["term"])
    return EWC.format(**given)


DOTS = """
class EWC:
    def __init__(self, part, importance, strength):
        self.weights = [(p, p.detach().clone(), importance[n])
                        for n, p in part.named_parameters() if n in importance]
        self.strength = strength

    def begin(self, model):
        pass

    def penalty(self, model, batch):
        moved = [((p - start).flatten() ** 2) @ f.flatten() for p, start, f in self.weights]
        return 0.5 * self.strength * torch.stack(moved).sum()
"""

WRONG = [
    # (exercise, answer, words that the message must contain)
    ("10.adapter", adapter("self.up(F.gelu(self.down(h)))"), "what came in is not added"),
    ("10.adapter", adapter("h - self.up(F.gelu(self.down(h)))"), "taken away from x"),
    ("10.adapter", adapter("2 * h + self.up(F.gelu(self.down(h)))"), "x is added twice"),
    ("10.adapter", adapter("h"), "gives back what it got"),
    ("10.adapter", adapter("h + self.up(self.down(h))"), "no activation"),
    ("10.adapter", adapter("h + self.up(F.relu(self.down(h)))"), "that is ReLU"),
    ("10.adapter", adapter("h + self.up(torch.tanh(self.down(h)))"), "that is tanh"),
    ("10.adapter", adapter("h + self.up(torch.sigmoid(self.down(h)))"), "a sigmoid"),
    (
        "10.adapter",
        adapter("h + self.up(F.gelu(self.down(h), approximate='tanh'))"),
        "approximation",
    ),
    ("10.adapter", adapter("h + F.gelu(self.up(self.down(h)))"), "stands behind `up`"),
    ("10.adapter", adapter("h + F.gelu(self.up(F.gelu(self.down(h))))"), "second activation"),
    ("10.adapter", adapter("F.gelu(h + self.up(F.gelu(self.down(h))))"), "activation on the sum"),
    ("10.adapter", adapter("F.gelu(h + self.up(self.down(h)))"), "activation is on the sum"),
    (
        "10.adapter",
        adapter("F.layer_norm(h + self.up(F.gelu(self.down(h))), h.shape[-1:])"),
        "the sum is normalised",
    ),
    (
        "10.adapter",
        adapter("h + self.up(F.gelu(self.down(F.layer_norm(h, h.shape[-1:]))))"),
        "on its way in",
    ),
    ("10.adapter", adapter(weights="pass"), "far from the identity"),
    ("10.adapter", adapter(weights="nn.init.zeros_(layer.weight)"), "both matrices start at zero"),
    ("10.adapter", adapter(biases="pass"), "biases do not start at zero"),
    ("10.adapter", adapter(bias=", bias=False", biases="pass"), "`down` has no bias"),
    ("10.adapter", adapter(more="self.norm = nn.LayerNorm(dim)"), "numbers: two matrices"),
    ("10.adapter", OTHER_NAMES, "no layer called down, up"),
    ("10.adapter", adapter("F.dropout(h + self.up(F.gelu(self.down(h))))"), "another result"),
    ("10.adapter", adapter("h.add_(self.up(F.gelu(self.down(h))))"), "changes what it was given"),
    (
        "10.adapter",
        adapter("(h + self.up(F.gelu(self.down(h)))).detach()"),
        "no gradient reaches",
    ),
    ("10.adapter", adapter("None"), "is there a `return`"),
    ("10.adapter", adapter(weights="nn.init.constant_(layer.weight, 0.01)"), "start alike"),
    ("10.adapter", adapter(weights="nn.init.normal_(layer.weight, std=1e-4)"), "yours have"),
    ("10.adapter", adapter(weights="nn.init.normal_(self.up.weight, std=0.01)"), "yours have"),
    ("10.adapter", adapter(more="self.down.bias.requires_grad_(False)"), "down.bias rests"),
    ("10.adapter", adapter("h + self.up(F.gelu(self.down(h.detach())))"), "layers below"),
    ("10.adapter", adapter("h.detach() + self.up(F.gelu(self.down(h)))"), "layers below"),
    ("10.adapter", adapter(first="b, n, d = h.shape"), "not enough values"),
    ("10.lora", lora(rest="pass"), "the layer rests"),
    ("10.lora", lora(a="torch.randn(linear.in_features, rank)"), "A is (rank, in)"),
    ("10.lora", lora(b="0.1 * torch.randn(linear.out_features, rank)"), "let B start at zero"),
    ("10.lora", lora(a="torch.zeros(rank, linear.in_features)"), "both zero"),
    ("10.lora", lora(more="self.C = nn.Parameter(torch.zeros(1))"), "nothing else"),
    ("10.lora", lora(beside="False"), "change nothing"),
    ("10.lora", lora(scale="1.0"), "the scale, alpha / rank, is missing"),
    ("10.lora", lora(scale="alpha"), "not alpha"),
    ("10.lora", lora(scale="1 / rank"), "not 1 / rank"),
    ("10.lora", lora(scale="rank / alpha"), "turned round"),
    ("10.lora", lora(scale="alpha / rank**0.5"), "the root of the rank"),
    ("10.lora", lora(scale="alpha * rank"), "multiplied by the rank"),
    (
        "10.lora",
        lora(value="y + self.linear.bias * float(bool(self.B.any()))"),
        "bias is added twice",
    ),
    ("10.lora", lora(value="2 * self.linear(x) - y"), "the change is taken away"),
    ("10.lora", lora(value="y.detach()"), "no gradient reaches"),
    ("10.lora", lora(merge="pass"), "does not change the layer's own matrix"),
    (
        "10.lora",
        lora(merge="self.linear.weight.copy_(self.scale * self.B @ self.A)"),
        "takes the matrix's place",
    ),
    ("10.lora", lora(merge="self.linear.weight += self.B @ self.A"), "without the scale"),
    (
        "10.lora",
        lora(merge="self.linear.weight -= self.scale * self.B @ self.A"),
        "taken away from the matrix",
    ),
    (
        "10.lora",
        lora(merge="self.linear.weight += 2 * self.scale * self.B @ self.A"),
        "merged twice",
    ),
    ("10.lora", lora(beside="True"), "adds the change again"),
    ("10.lora", lora(refuse="False"), "counted twice"),
    (
        "10.lora",
        lora(
            refuse="False",
            merge="self.linear.weight.copy_(self.kept + self.scale * self.B @ self.A)",
            kept="self.linear.weight.detach().clone() if self.kept is None else self.kept",
        ),
        "says nothing",
    ),
    (
        "10.lora",
        lora(merge="self.linear.weight += self.scale * self.B @ self.A; self.B.zero_()"),
        "changes A or B",
    ),
    ("10.lora", lora(unmerge="pass"), "not what it was"),
    ("10.lora", lora(kept="self.linear.weight.detach()"), "not what it was"),
    (
        "10.lora",
        lora(unmerge="self.linear.weight -= self.scale * self.B @ self.A"),
        "but for rounding",
    ),
    ("10.lora", lora(forget="pass"), "no longer counts"),
    (
        "10.lora",
        lora(
            nothing="False",
            unmerge="self.linear.weight.copy_(self.kept) if self.kept is not None else None",
        ),
        "where nothing is merged",
    ),
    (
        "10.lora",
        lora(
            refuse="self.kept is not None or hasattr(self, 'once')",
            forget="self.kept = None; self.once = True",
        ),
        "a new `merge`",
    ),
    ("10.lora", lora(a="0.02 * torch.ones(rank, linear.in_features)"), "the rank is 1"),
    (
        "10.lora",
        lora().replace(
            "nn.Parameter(0.1 * torch.randn(rank, linear.in_features))",
            "nn.Linear(linear.in_features, rank, bias=False)",
        ),
        "should be an nn.Param",
    ),
    (
        "10.lora",
        lora(beside="self.kept is None", value="y").replace("(x @", "(x.detach() @"),
        "layers below",
    ),
    ("10.lora", lora().replace("self.linear(x)", "self.linear(x).detach()"), "layers below"),
    ("10.lora", lora(beside="self.kept is None and self.training"), "in eval mode"),
    (
        "10.lora",
        lora(more="self.first = None", beside="True").replace(
            "y = y + self.scale * (x @ self.A.T) @ self.B.T",
            "self.first = self.B @ self.A if self.first is None else self.first; "
            "y = y + self.scale * x @ self.first.T",
        ),
        "does not follow A and B",
    ),
    (
        "10.lora",
        lora(
            merge="self.linear.weight = nn.Parameter("
            "self.linear.weight + self.scale * self.B @ self.A)"
        ),
        "the layer rests as before",
    ),
    (
        "10.lora",
        lora(unmerge="self.linear.weight.copy_(self.kept); self.linear.requires_grad_(True)"),
        "should learn, and nothing else",
    ),
    (
        "10.lora",
        lora(
            merge="self.linear.weight += self.scale * self.B @ self.A; "
            "self.A.requires_grad_(False); self.B.requires_grad_(False)"
        ),
        "should learn, and nothing else",
    ),
    ("10.lora", lora().replace('ValueError("merged', 'RuntimeError("merged'), "raises RuntimeErr"),
    ("10.lora", lora(nothing="False"), "raises TypeError"),
    ("10.lora", lora().replace("x @ self.A.T", "torch.einsum('bti,ri->btr', x, self.A)"), "einsum"),
    ("10.chain_thaw", thaw(value="found[::-1]"), "upside down"),
    ("10.chain_thaw", thaw(frozen="0.0"), "has NaN"),
    ("10.chain_thaw", thaw(put="found[stages[stage], step] = 1.0"), "the rate is 1"),
    ("10.chain_thaw", thaw(stages="[*([one] for one in everything[::-1]), everything]"), "go down"),
    ("10.chain_thaw", thaw(stages="[*([one] for one in everything), everything]"), "first of all"),
    (
        "10.chain_thaw",
        thaw(stages="[[top], *([one] for one in everything), everything]"),
        "twice: at first only",
    ),
    (
        "10.chain_thaw",
        thaw(stages="[everything[n:] for n in reversed(everything)]"),
        "gradual unfreezing",
    ),
    (
        "10.chain_thaw",
        thaw(stages="[[top], *(everything[: n + 1] + [top] for n in range(top)), everything]"),
        "had its turn freezes",
    ),
    (
        "10.chain_thaw",
        thaw(stages="[[top], *([n, top] for n in range(top)), everything]"),
        "the top freezes again",
    ),
    (
        "10.chain_thaw",
        thaw(stages="[[top], *([one] for one in everything[:-1]), everything[-2:-1]]"),
        "at the end all layers",
    ),
    ("10.chain_thaw", thaw(stages="[[top], everything]"), "learns alone"),
    ("10.chain_thaw", thaw(last="0"), "from the first update"),
    ("10.chain_thaw", thaw(stages="[[top], [top]]"), "only the top"),
    (
        "10.chain_thaw",
        thaw(stage="min(step // (last // layers), layers)"),
        "not equally long",
    ),
    (
        "10.chain_thaw",
        thaw(last="steps", stage="min(step // (steps // (layers + 1)), layers)"),
        "the same length",
    ),
    ("10.chain_thaw", thaw(last="int(steps * (1 - share))"), "*after* share"),
    ("10.chain_thaw", thaw(value="found.T"), "rows are layers"),
    ("10.chain_thaw", thaw(last="round(steps * share)"), "one update too late"),
    ("10.chain_thaw", thaw(last="int(steps * share) - 1"), "at update 7 the layers"),
    ("10.chain_thaw", thaw(stage="step * layers // steps"), "at update 2 the layers"),
    ("10.chain_thaw", thaw(put="found[stages[stage], step] = rate / (1 + stage)"), "at the rate"),
    (
        "10.chain_thaw",
        thaw(value="found if share else np.full_like(found, np.nan)"),
        "with share=0",
    ),
    ("10.frontier", frontier("q[0] < p[0] and q[1] > p[1]"), "<= and >="),
    ("10.frontier", frontier("q[0] < p[0] and q[1] >= p[1]"), "equally many numbers"),
    ("10.frontier", frontier("q[0] <= p[0] and q[1] > p[1]"), "with the same score"),
    ("10.frontier", frontier("q[0] <= p[0] and q[1] >= p[1] and other != name"), "both are gone"),
    ("10.frontier", frontier("q[0] >= p[0] and q[1] >= p[1] and q != p"), "fewer numbers are"),
    ("10.frontier", frontier("q[0] <= p[0] and q[1] <= p[1] and q != p"), "higher scores are"),
    ("10.frontier", frontier("q[1] > p[1]"), "only the best score"),
    ("10.frontier", frontier("q[0] < p[0]"), "only the smallest"),
    ("10.frontier", frontier(value="[n for n in points if n not in best]"), "*are* beaten"),
    ("10.frontier", frontier(value="best"), "not sorted"),
    ("10.frontier", frontier("q[0] <= p[0] and q[1] >= p[1]"), "beaten by itself"),
    ("10.frontier", frontier("q[0] <= p[0] and q[1] >= p[1] and q is not p"), "both are gone"),
    ("10.frontier", frontier("q[0] >= p[0] and q[1] <= p[1] and q != p"), "turned round, twice"),
    ("10.frontier", DELETED, "`points` is changed"),
    ("10.frontier", FIRST_OF_TWINS, "both stay"),
    ("10.frontier", frontier(value="[points[n] for n in best]"), "the frontier is"),
    ("10.frontier", frontier(value="set(best)"), "should be a list"),
    ("10.frontier", frontier("False"), "all of them"),
    ("10.find_the_bug", at_once("g.square()"), "the *mean* gradient"),
    ("10.find_the_bug", at_once("(g * len(examples)).square()"), "square of the sum"),
    ("10.find_the_bug", at_once("g.square() * len(examples)"), "before it is squared"),
    ("10.find_the_bug", at_once("g"), "not squared"),
    ("10.find_the_bug", at_once("g.abs()"), "size of the mean gradient"),
    ("10.find_the_bug", fisher(value="found"), "the sum over examples"),
    ("10.find_the_bug", fisher(add="g.abs()"), "mean size"),
    (
        "10.find_the_bug",
        fisher(value="{name: (f / len(examples)).sqrt() for name, f in found.items()}"),
        "a root too many",
    ),
    ("10.find_the_bug", STACKED.format(value="g.var(0, correction=0)"), "variance"),
    ("10.find_the_bug", STACKED.format(value="g.var(0)"), "variance"),
    ("10.find_the_bug", STACKED.format(value="g[-1].square()"), "only the last example"),
    ("10.find_the_bug", STACKED.format(value="g[0].square()"), "only the first example"),
    (
        "10.find_the_bug",
        STACKED.format(value="torch.full_like(g[0], float(g.square().mean()))"),
        "each weight has its own",
    ),
    (
        "10.find_the_bug",
        fisher(value="{name: f / (len(examples) - 1) for name, f in found.items()}"),
        "one less than the number",
    ),
    ("10.find_the_bug", fisher(mode="pass", after="pass"), "dropout is on"),
    ("10.find_the_bug", fisher(after="pass"), "not in training mode afterwards"),
    ("10.find_the_bug", fisher(after="model.train()"), "the modes"),
    ("10.find_the_bug", BACKWARD.format(zero="pass", clean=ZERO), "added to those before"),
    ("10.find_the_bug", BACKWARD.format(zero=ZERO, clean="pass"), "stay in `.grad`"),
    (
        "10.find_the_bug",
        fisher(value="{n: f / len(examples) for n, f in found.items() if f.any()}"),
        "is missing",
    ),
    ("10.find_the_bug", fisher(value="list(found.values())"), "should be a dictionary"),
    (
        "10.find_the_bug",
        fisher(
            mode="was = model.training\n"
            "    for part in model.modules():\n"
            "        if isinstance(part, nn.Dropout): part.p = 0.0"
        ),
        "dropout rates",
    ),
    (
        "10.find_the_bug",
        fisher().replace("allow_unused=True", "allow_unused=True, create_graph=True"),
        "hang on the graph",
    ),
    (
        "10.find_the_bug",
        fisher(add="(g / len(examples)).square()", value="found"),
        "twice",
    ),
    ("10.ewc", ewc(start="p"), "a copy (`clone`)"),
    ("10.ewc", ewc(start="p.detach()"), "a copy (`clone`)"),
    ("10.ewc", ewc(value="self.strength * total"), "1/2 is missing"),
    ("10.ewc", ewc(value="total / 2"), "the strength plays no role"),
    ("10.ewc", ewc(value="self.strength**2 / 2 * total"), "applied twice"),
    ("10.ewc", ewc(value="-self.strength / 2 * total"), "the sign is wrong"),
    ("10.ewc", ewc(term="((p - s) ** 2).sum()"), "that is L2-SP"),
    ("10.ewc", ewc(named="True", term="((p - s) ** 2).sum()"), "that is L2-SP"),
    (
        "10.ewc",
        ewc(named="True", term="(self.importance.get(name, 1.0) * (p - s) ** 2).sum()"),
        "yours pulls it back",
    ),
    ("10.ewc", ewc(term="(f.square() * (p - s) ** 2).sum()"), "importance is squared"),
    ("10.ewc", ewc(term="((f * (p - s)) ** 2).sum()"), "importance is squared"),
    ("10.ewc", ewc(term="(f.sqrt() * (p - s) ** 2).sum()"), "a root too many"),
    ("10.ewc", ewc(term="(f * p ** 2).sum()"), "not to where they were"),
    ("10.ewc", ewc(term="(f * (p - s).abs()).sum()"), "distances are squared"),
    ("10.ewc", ewc(term="(f * (p - s)).sum() ** 2"), "squared after the sum"),
    ("10.ewc", ewc(term="(f * (p - s) ** 2).mean()"), "a mean within each matrix"),
    (
        "10.ewc",
        ewc(value="self.strength / 2 * total / len(self.importance)"),
        "a mean over the matrices",
    ),
    ("10.ewc", ewc(value="float(self.strength / 2 * total)"), "without `.item()`"),
    ("10.ewc", ewc(value="(self.strength / 2 * total).detach()"), "do not get their gradient"),
    ("10.ewc", ewc(value="[self.strength / 2 * total]"), "should give a tensor"),
    ("10.ewc", ewc().replace("in self.part.named", "in model.named"), "other names"),
    ("10.ewc", ewc(start="p.clone()"), "but their start is"),
    (
        "10.ewc",
        ewc().replace(
            "        return self.strength",
            "        parts = self.part.named_parameters()\n"
            "        self.start = {n: p.detach().clone() for n, p in parts}\n"
            "        return self.strength",
        ),
        "asked again",
    ),
    ("10.ewc", ewc(value="self.strength / 4 * total"), "1/2 is applied twice"),
    ("10.ewc", ewc().replace("total = total + ", "total = "), "only the last weight"),
    (
        "10.ewc",
        ewc().replace("        return self.strength", "            return self.strength"),
        "in the loop",
    ),
    ("10.ewc", ewc(term="(f.mean() * (p - s) ** 2).sum()"), "one importance"),
]

RIGHT = [
    ("10.adapter", "solution"),
    ("10.adapter", BY_HAND),
    (
        "10.adapter",
        adapter(weights="nn.init.trunc_normal_(layer.weight, std=0.01, a=-0.02, b=0.02)"),
    ),
    ("10.adapter", adapter("self.up(F.gelu(self.down(h))) + h")),
    ("10.lora", "solution"),
    ("10.lora", FUNCTIONAL),
    ("10.lora", lora()),
    ("10.lora", lora(merge="self.linear.weight.add_(self.B @ self.A, alpha=self.scale)")),
    ("10.lora", lora(a="torch.randn(rank, linear.in_features) / rank")),
    (
        "10.lora",
        lora(
            merge="self.linear.weight = nn.Parameter(self.linear.weight + self.scale * self.B "
            "@ self.A, requires_grad=False)",
            unmerge="self.linear.weight = nn.Parameter(self.kept, requires_grad=False)",
        ),
    ),
    (
        "10.lora",
        lora().replace(
            "(x @ self.A.T) @ self.B.T", "torch.einsum('...i,ri,or->...o', x, self.A, self.B)"
        ),
    ),
    ("10.chain_thaw", "solution"),
    ("10.chain_thaw", thaw()),
    ("10.chain_thaw", MASKS),
    ("10.chain_thaw", thaw(value="torch.tensor(found)")),
    ("10.chain_thaw", thaw(value="found.tolist()")),
    ("10.frontier", "solution"),
    ("10.frontier", frontier()),
    ("10.frontier", SWEEP),
    ("10.find_the_bug", "solution"),
    ("10.find_the_bug", fisher()),
    ("10.find_the_bug", STACKED.format(value="g.square().mean(0)")),
    ("10.find_the_bug", BACKWARD.format(zero=ZERO, clean=ZERO)),
    ("10.ewc", "solution"),
    ("10.ewc", ewc()),
    ("10.ewc", DOTS),
    ("10.ewc", ewc(term="(f * (s - p).square()).sum()")),
]
