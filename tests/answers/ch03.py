"""Chapter 03: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

import copy
import math

import torch


def rate_groups(layers, rate, factor=2.6):
    seen, groups = set(), []
    for height, layer in enumerate(layers):
        own = [p for p in layer if id(p) not in seen]
        seen.update(map(id, own))
        groups.append({"params": own, "lr": rate / factor ** (len(layers) - 1 - height)})
    return groups


def triangle(t, steps, highest, cut=0.1, ratio=32):
    top = max(1, math.floor(steps * cut))
    p = t / top if t < top else 1 - (t - top) / (steps - top)
    return highest * (1 + p * (ratio - 1)) / ratio


def unfreeze(layers, step, every):
    for height, layer in enumerate(layers):
        for parameter in layer:
            parameter.requires_grad_(len(layers) - height <= 1 + step // every)


def concat_pool(hidden, mask):
    end, padding = mask.sum(1), mask[..., None] == 0
    last = hidden[torch.arange(len(hidden)), end - 1]
    mean = hidden.masked_fill(padding, 0).sum(1) / end[:, None]
    return torch.cat([last, hidden.masked_fill(padding, -torch.inf).amax(1), mean], 1)


GIVEN = {
    "rate_groups": rate_groups,
    "triangle": triangle,
    "unfreeze": unfreeze,
    "concat_pool": concat_pool,
    "copy": copy,
    "torch": torch,
}

COUNT = """
def count_words(texts, words):
    table = torch.zeros({shape})
    for row, text in enumerate(texts):
        for word in {each}:
            if {known}:
                table[{at}] {add}
    return {value}
"""


def count(shape="len(texts), len(words)", each="text", known="word in words",
          at="row, words.index(word)", add="+= 1", value="table"):  # fmt: skip
    """The counter, with some of its parts changed."""
    return COUNT.format(shape=shape, each=each, known=known, at=at, add=add, value=value)


def loss(total="F.cross_entropy(s, y, reduction='sum') + penalty / 2 * (weight ** 2).sum()",
         scores="x @ weight.T + bias", value="total"):  # fmt: skip
    """The loss of logistic regression, with some of its parts changed."""
    return f"""
def regression_loss(x, y, weight, bias, penalty):
    s = {scores}
    total = {total}
    return {value}
"""


SUM = "F.cross_entropy(s, y, reduction='sum')"
NLL = "F.nll_loss({}, y, reduction='sum')"
SQUARES = "(weight ** 2).sum()"


def best(means="{r: sum(error(r, s) for s in seeds) / len(seeds) for r in rates}",
         value="min(sorted(means), key=means.get)"):  # fmt: skip
    """The choice of a rate, with some of its parts changed."""
    return f"""
def best_rate(error, rates, seeds):
    means = {means}
    return {value}
"""


def penalty(ar="dropped.square().mean()", tar="raw.diff(dim=1).square().mean()",
            total="alpha * ar + beta * tar"):  # fmt: skip
    """AR and TAR, with some of their parts changed."""
    return f"""
def penalty_of(dropped, raw, alpha, beta):
    ar, tar = {ar}, {tar}
    return {total}
"""


def locked(mask="(torch.rand(len(x), 1, x.shape[-1]) >= p).float()", value="x * mask / (1 - p)"):
    """Variational dropout, with some of its parts changed."""
    return f"""
def locked(x, p):
    mask = {mask}
    return {value}
"""


def drop(body, more=""):
    """A wrapper of an LSTM with this body of `forward`."""
    lines = "\n        ".join(body.split("; "))
    return f"""
class WeightDrop(nn.Module):
    def __init__(self, lstm, p):
        super().__init__()
        self.lstm, self.p = lstm, p
        {more or "pass"}
    def forward(self, x):
        {lines}
"""


CALL = "return torch.func.functional_call(self.lstm, {'weight_hh_l0': w}, (x,))"
DROPPED = "w = F.dropout(self.lstm.weight_hh_l0, self.p, self.training); "
MASKED = """
class WeightDrop(nn.Module):
    def __init__(self, lstm, p):
        super().__init__()
        self.lstm, self.p = lstm, p
    def forward(self, x):
        if not self.training:
            return self.lstm(x)
        raw = self.lstm.weight_hh_l0
        mask = (torch.rand_like(raw) >= self.p).float() / (1 - self.p)
        given = dict(self.lstm.named_parameters())
        given["weight_hh_l0"] = raw * mask
        return torch.func.functional_call(self.lstm, given, (x,))
"""
BY_HAND = """
class WeightDrop(nn.Module):
    def __init__(self, lstm, p):
        super().__init__()
        self.lstm, self.p = lstm, p
    def forward(self, x):
        m = self.lstm
        u = F.dropout(m.weight_hh_l0, self.p, self.training)
        h = c = x.new_zeros(len(x), u.shape[1])
        found = []
        for t in range(x.shape[1]):
            gates = x[:, t] @ m.weight_ih_l0.T + m.bias_ih_l0 + h @ u.T + m.bias_hh_l0
            i, f, g, o = gates.chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            found.append(h)
        return torch.stack(found, 1), (h[None], c[None])
"""


def groups(lr="rate / factor ** (n - 1 - i)", params="own", seen="seen.update(map(id, own))",
           order="enumerate(layers)", value="found"):  # fmt: skip
    """The groups of an optimiser, with some of their parts changed."""
    return f"""
def mine_rate_groups(layers, rate, factor=2.6):
    n, seen, found = len(layers), set(), []
    for i, layer in {order}:
        own = [p for p in layer if id(p) not in seen]
        {seen}
        found.append({{"params": {params}, "lr": {lr}}})
    return {value}
"""


def slope(top="max(1, math.floor(steps * cut))", rise="t / top",
          fall="1 - (t - top) / (steps - top)",
          value="highest * (1 + p * (ratio - 1)) / ratio", first=""):  # fmt: skip
    """The triangle, with some of its parts changed."""
    return f"""
def mine_triangle(t, steps, highest, cut=0.1, ratio=32):
    {first or "pass"}
    top = {top}
    p = {rise} if t < top else {fall}
    return {value}
"""


def freeze(test="n - i <= 1 + step // every", parameters="layer", do="p.requires_grad_({test})"):
    """The unfreezing, with some of its parts changed."""
    return f"""
def mine_unfreeze(layers, step, every):
    n = len(layers)
    for i, layer in enumerate(layers):
        for p in {parameters}:
            {do.format(test=test)}
"""


def tune(make="made = optimizer(rate_groups(layers, rate, factor))",
         highest="[g['lr'] for g in made.param_groups]",
         wake="if every: unfreeze(layers, t, every)",
         lr="triangle(t, len(batches), most)", zero="made.zero_grad()", value="loss(batch)",
         back="value.backward()", step="made.step()", keep="losses.append(value.item())",
         end="unfreeze(layers, len(layers), 1)", after="", back_to="losses",
         batches="batches"):  # fmt: skip
    """The loop, with some of its parts changed."""
    return f"""
def tune(layers, loss, batches, rate, factor=2.6, every=None, optimizer=torch.optim.Adam):
    losses = []
    {make}
    highest = {highest}
    for t, batch in enumerate({batches}):
        {wake}
        for group, most in zip(made.param_groups, highest):
            group["lr"] = {lr}
        value = {value}
        {zero}
        {back}
        {step}
        {keep}
        {after or "pass"}
    {end}
    return {back_to}
"""


ALL_IN_LOOP = """
def tune(layers, loss, batches, rate, factor=2.6, every=None, optimizer=torch.optim.Adam):
    made, losses = optimizer(rate_groups(layers, rate, factor)), []
    for group in made.param_groups:
        group["most"] = group["lr"]
    for t, batch in enumerate(batches):
        unfreeze(layers, t if every else len(layers), every or 1)
        for group in made.param_groups:
            group["lr"] = triangle(t, len(batches), group["most"])
        made.zero_grad()
        value = loss(batch)
        losses += [float(value.detach())]
        value.backward()
        made.step()
    for layer in layers:
        for parameter in layer:
            parameter.requires_grad = True
    return losses
"""
AFTER_IT = """
def tune(layers, loss, batches, rate, factor=2.6, every=None, optimizer=torch.optim.Adam):
    made, losses = optimizer(rate_groups(layers, rate, factor)), []
    highest = [group["lr"] for group in made.param_groups]
    for t, batch in enumerate(batches):
        if every:
            unfreeze(layers, t, every)
        value = loss(batch)
        made.zero_grad()
        value.backward()
        made.step()
        for group, most in zip(made.param_groups, highest):
            group["lr"] = triangle(t, len(batches), most)
        losses.append(value.item())
    unfreeze(layers, len(layers), 1)
    return losses
"""
LATE_WAKING = """
def tune(layers, loss, batches, rate, factor=2.6, every=None, optimizer=torch.optim.Adam):
    made, losses = optimizer(rate_groups(layers, rate, factor)), []
    highest = [group["lr"] for group in made.param_groups]
    for t, batch in enumerate(batches):
        for group, most in zip(made.param_groups, highest):
            group["lr"] = triangle(t, len(batches), most)
        value = loss(batch)
        made.zero_grad()
        value.backward()
        made.step()
        losses.append(value.item())
        if every:
            unfreeze(layers, t, every)
    unfreeze(layers, len(layers), 1)
    return losses
"""


def pool(last="hidden[torch.arange(len(hidden)), n - 1]",
         most="hidden.masked_fill(pad, -torch.inf).amax(1)",
         mean="hidden.masked_fill(pad, 0).sum(1) / n[:, None]",
         value="torch.cat([last, most, mean], 1)"):  # fmt: skip
    """Concat pooling, with some of its parts changed."""
    return f"""
def mine_concat_pool(hidden, mask):
    n, pad = mask.sum(1).long(), mask[..., None] == 0
    last, most, mean = {last}, {most}, {mean}
    return {value}
"""


def network(encoder="copy.deepcopy(model)", parts="", layers="", state="state", keep="",
            last="hidden[-1]", step="window", score="self.head(pooled)",
            mask="batch['attention_mask']", around="if True"):  # fmt: skip
    """The classifier of stage 3, with some of its parts changed."""
    return f"""
class Classifier(nn.Module):
    def __init__(self, model, classes, window=70):
        super().__init__()
        self.encoder, self.window = {encoder}, window
        width = 3 * model.config.dim
        parts = [
            nn.BatchNorm1d(width), nn.Dropout(0.4), nn.Linear(width, 50), nn.ReLU(),
            nn.BatchNorm1d(50), nn.Dropout(0.1), nn.Linear(50, classes),
        ]
        self.head = nn.Sequential(*{parts or "parts"})
    def layers(self):
        encoder, head = self.encoder, self.head
        parts = [encoder.embedding, *encoder.layers, head]
        return {layers or "[list(part.parameters()) for part in parts]"}
    def forward(self, batch):
        ids, window, state, read = batch["input_ids"], self.window, None, []
        {around}:
            for at in range(0, ids.shape[1], {step}):
                hidden, state = self.encoder.read(ids[:, at : at + {step}], {state})
                state = {keep or "[(h.detach(), c.detach()) for h, c in state]"}
                read.append({last})
            pooled = concat_pool(torch.cat(read, 1), {mask})
            return {score}
"""


RUNNING = """
class Classifier(nn.Module):
    def __init__(self, model, classes, window=70):
        super().__init__()
        self.encoder = copy.deepcopy(model)
        self.size = window
        n = 3 * model.embedding.embedding_dim
        first = nn.Sequential(nn.BatchNorm1d(n), nn.Dropout(0.4), nn.Linear(n, 50))
        second = nn.Sequential(nn.BatchNorm1d(50), nn.Dropout(0.1), nn.Linear(50, classes))
        self.head = nn.Sequential(*first, nn.ReLU(), *second)
    def layers(self):
        found = [[self.encoder.embedding.weight]]
        for layer in self.encoder.layers:
            found.append([p for p in layer.parameters()])
        return found + [list(self.head.parameters())]
    def forward(self, batch):
        ids, mask, state = batch["input_ids"], batch["attention_mask"], None
        lengths = mask.sum(1)
        last = total = most = None
        for at in range(0, ids.shape[1], self.size):
            hidden, state = self.encoder.read(ids[:, at : at + self.size], state=state)
            state = [tuple(part.detach() for part in pair) for pair in state]
            for i, h in enumerate(hidden[-1].unbind(1)):
                here = (at + i < lengths)[:, None]
                if last is None:
                    last, total, most = h, h, h
                else:
                    last = torch.where(here, h, last)
                    most = torch.where(here, torch.maximum(most, h), most)
                    total = total + h * here
        return self.head(torch.cat([last, most, total / lengths[:, None]], 1))
"""


WRONG = [
    # (exercise, answer, words that the message must contain)
    ("03.count", count(add="= 1"), "counts once"),
    ("03.count", count(each="set(text)"), "counts once"),
    (
        "03.count",
        count(shape="len(words), len(texts)", at="words.index(word), row"),
        "turned round",
    ),
    ("03.count", count(at="row, sorted(words).index(word)"), "columns are sorted"),
    ("03.count", count(value="table / table.sum(1, keepdim=True)"), "shares"),
    ("03.count", count(value="table / table.sum(1, keepdim=True).clamp(min=1)"), "shares"),
    ("03.count", count(at="slice(None), words.index(word)"), "counted together"),
    ("03.count", count(value="table[[bool(text) for text in texts]]"), "empty text"),
    ("03.count", count(value="table.long()"), "floats"),
    ("03.count", count(value="table.tolist()"), "expected a tensor"),
    (
        "03.count",
        count(known="True", at="row, words.index(word) if word in words else -1"),
        "last column",
    ),
    ("03.count", count(known="True"), "is not in list"),
    ("03.count", count(value="table.double()"), "float32"),
    (
        "03.count",
        count(known="word.lower() in words", at="row, words.index(word.lower())"),
        "two words here",
    ),
    ("03.count", count(value="(words.sort(), table)[1]"), "was changed"),
    (
        "03.count",
        count(shape="len(texts), 5", known="word in words and len(words) == 5"),
        "not for one",
    ),
    ("03.regression", loss(f"F.cross_entropy(s, y) + penalty / 2 * {SQUARES}"), "the mean of"),
    (
        "03.regression",
        loss(f"F.cross_entropy(s, y, reduction='none') + penalty / 2 * {SQUARES}"),
        "for each text",
    ),
    ("03.regression", loss(SUM), "penalty is missing"),
    ("03.regression", loss(f"{SUM} + penalty * {SQUARES}"), "one half"),
    ("03.regression", loss(f"{SUM} + penalty / 2 * weight.norm()"), "without a root"),
    ("03.regression", loss(f"{SUM} + penalty / 2 * weight.abs().sum()"), "absolute"),
    ("03.regression", loss(f"{SUM} + penalty / 2 * weight.square().mean()"), "mean of the squares"),
    (
        "03.regression",
        loss(f"{SUM} + penalty / 2 * ({SQUARES} + (bias ** 2).sum())"),
        "biases are free",
    ),
    ("03.regression", loss(f"{SUM} - penalty / 2 * {SQUARES}"), "larger"),
    ("03.regression", loss(f"penalty / 2 * {SQUARES}"), "losses of the texts"),
    ("03.regression", loss(value="total.detach()"), "no gradient"),
    ("03.regression", loss(value="total.item()"), "no gradient"),
    ("03.regression", loss(f"{SUM} + penalty / 2 * {SQUARES}.detach()"), "cut off"),
    (
        "03.regression",
        loss(f"{SUM.replace('s,', 's.softmax(1),')} + penalty / 2 * {SQUARES}"),
        "second softmax",
    ),
    ("03.regression", loss(f"{NLL.format('s')} + penalty / 2 * {SQUARES}"), "no softmax"),
    (
        "03.regression",
        loss(f"{NLL.format('s.log_softmax(0)')} + penalty / 2 * {SQUARES}"),
        "over the classes",
    ),
    (
        "03.regression",
        loss(f"{SUM} + penalty / 2 * float({SQUARES})", scores="x @ weight.T"),
        "bias is missing",
    ),
    ("03.regression", loss(scores="x @ weight.T + bias.detach()"), "does not reach"),
    ("03.best_rate", best("{r: error(r, seeds[0]) for r in rates}"), "not all seeds"),
    ("03.best_rate", best(value="max(sorted(means), key=means.get)"), "largest error"),
    ("03.best_rate", best("{r: min(error(r, s) for s in seeds) for r in rates}"), "single seed"),
    (
        "03.best_rate",
        best(value="max(r for r in means if means[r] == min(means.values()))"),
        "lowest rate",
    ),
    ("03.best_rate", best(value="min(means.values())"), "one of the rates"),
    ("03.best_rate", best(value="(min(sorted(means), key=means.get), means)"), "rate alone"),
    (
        "03.best_rate",
        best("{r: sum(error(r, s) for s in seeds) for r in rates[1:]}"),
        "is not tried",
    ),
    (
        "03.best_rate",
        best("{r: sum(error(r, s) for s in (0, 1, 2)) for r in rates}"),
        "out of range",
    ),
    (
        "03.best_rate",
        best("{r: sum(error(r, s) for s in seeds) + 0 * error(r, seeds[0]) for r in rates}"),
        "twice",
    ),
    ("03.best_rate", best("{r: max(error(r, s) for s in seeds) for r in rates}"), "nor the worst"),
    (
        "03.best_rate",
        best("{r: sorted(error(r, s) for s in seeds)[len(seeds) // 2] for r in rates}"),
        "middle one",
    ),
    (
        "03.best_rate",
        best("{r: sum(error(r, s) for s in range(len(seeds))) for r in rates}"),
        "not in `seeds`",
    ),
    ("03.best_rate", best(value="(rates.sort(), min(rates, key=means.get))[1]"), "was changed"),
    ("03.best_rate", best(value="0.01 if len(rates) == 4 else rates[0]"), "fixed"),
    ("03.penalty", penalty(total="alpha * ar"), "TAR is missing"),
    ("03.penalty", penalty(total="beta * tar"), "AR is missing"),
    ("03.penalty", penalty(total="beta * ar + alpha * tar"), "swapped"),
    (
        "03.penalty",
        penalty("raw.square().mean()", "dropped.diff(dim=1).square().mean()"),
        "two states are swapped",
    ),
    ("03.penalty", penalty("raw.square().mean()"), "after dropout"),
    ("03.penalty", penalty(tar="dropped.diff(dim=1).square().mean()"), "before dropout"),
    ("03.penalty", penalty(tar="raw.diff(dim=0).square().mean()"), "between texts"),
    ("03.penalty", penalty(tar="raw.diff(dim=2).square().mean()"), "neighbouring numbers"),
    ("03.penalty", penalty("dropped.square().sum()", "raw.diff(dim=1).square().sum()"), "means"),
    (
        "03.penalty",
        penalty("dropped.norm(dim=-1).mean()", "raw.diff(dim=1).norm(dim=-1).mean()"),
        "the paper writes norms",
    ),
    (
        "03.penalty",
        penalty("dropped.square().sum(-1).mean()", "raw.diff(dim=1).square().sum(-1).mean()"),
        "over the width",
    ),
    ("03.penalty", penalty("dropped.mean()", "raw.diff(dim=1).mean()"), "cancel"),
    ("03.penalty", penalty(total="2.0 * ar + 1.0 * tar"), "not for others"),
    ("03.penalty", penalty(total="ar + tar"), "ignored"),
    ("03.penalty", penalty(total="(alpha * ar + beta * tar).item()"), "no gradient"),
    ("03.penalty", penalty(total="alpha * ar.detach() + beta * tar"), "does not reach"),
    ("03.penalty", penalty(total="-(alpha * ar + beta * tar)"), "should be positive"),
    ("03.locked", locked("(torch.rand_like(x) >= p).float()"), "position to position"),
    ("03.locked", locked("(torch.rand(1, 1, x.shape[-1]) >= p).float()"), "share one mask"),
    ("03.locked", locked("(torch.rand(len(x), 1, 1) >= p).float()"), "whole texts"),
    ("03.locked", locked("(torch.rand(len(x), 1, x.shape[-1]) < p).float()"), "swapped"),
    ("03.locked", locked(value="x * mask"), "divide them"),
    ("03.locked", locked(value="x * mask / p"), "kept numbers of"),
    ("03.locked", locked(value="x * mask * (1 - p)"), "kept numbers of"),
    ("03.locked", locked("(torch.rand(len(x), 1, x.shape[-1]) >= p / 2).float()"), "share of"),
    (
        "03.locked",
        locked(
            "(torch.rand(len(x), 1, x.shape[-1], generator=torch.Generator()"
            ".manual_seed(0)) >= p).float()"
        ),
        "same mask",
    ),
    ("03.locked", locked(value="x.mul_(mask / (1 - p))"), "`x` itself"),
    ("03.locked", locked(value="mask / (1 - p) * torch.ones_like(x)"), "not for others"),
    ("03.locked", locked(value="x * mask / 0.8"), "another p"),
    ("03.locked", locked(value="(x * mask / (1 - p)).detach()"), "no gradient"),
    ("03.locked", locked(value="(x * mask / (1 - p))[:, 0]"), "of shape"),
    (
        "03.find_the_bug",
        drop("w = F.dropout(self.lstm.weight_hh_l0, self.p); " + CALL),
        "eval mode",
    ),
    ("03.find_the_bug", drop("return self.lstm(x)"), "anything dropped"),
    (
        "03.find_the_bug",
        drop(DROPPED.replace("self.lstm.weight_hh_l0,", "self.lstm.weight_hh_l0.detach(),") + CALL),
        "no gradient",
    ),
    (
        "03.find_the_bug",
        drop(DROPPED + "self.lstm.weight_hh_l0.data = w.data; return self.lstm(x)"),
        "raw weights have changed",
    ),
    (
        "03.find_the_bug",
        drop("out, s = self.lstm(x); return F.dropout(out, self.p, self.training), s"),
        "reaches every weight",
    ),
    (
        "03.find_the_bug",
        drop("return self.lstm(F.dropout(x, self.p, self.training))"),
        "reaches every weight",
    ),
    (
        "03.find_the_bug",
        drop(
            "w = self.lstm.weight_hh_l0; "
            "w = w * (torch.rand_like(w) >= self.p) if self.training else w; " + CALL
        ),
        "divide them by 1 - p",
    ),
    (
        "03.find_the_bug",
        drop(
            "w = self.lstm.weight_hh_l0; g = torch.Generator().manual_seed(1); "
            "m = torch.rand(w.shape, generator=g) >= self.p; "
            "w = w * m / (1 - self.p) if self.training else w; " + CALL
        ),
        "anything dropped",
    ),
    (
        "03.find_the_bug",
        drop(
            "w = self.lstm.weight_hh_l0; "
            "m = torch.rand_like(w) >= self.p; "
            "w = w * m * (1 - self.p) if self.training else w; " + CALL
        ),
        "divided by 1 - p",
    ),
    (
        "03.find_the_bug",
        drop(
            DROPPED + "del self.lstm.weight_hh_l0; self.lstm.weight_hh_l0 = w; return self.lstm(x)"
        ),
        "another tensor",
    ),
    ("03.groups", groups("rate / factor ** i"), "turned round"),
    ("03.groups", groups("rate / factor ** (n - i)"), "divided once too often"),
    ("03.groups", groups("rate"), "same rate"),
    ("03.groups", groups("rate * factor ** (n - 1 - i)"), "learn *faster*"),
    ("03.groups", groups("rate - rate / factor * (n - 1 - i)"), "straight line"),
    ("03.groups", groups("rate / max(1, factor * (n - 1 - i))"), "times the depth"),
    ("03.groups", groups("rate / 2.6 ** (n - 1 - i)"), "factor is fixed"),
    ("03.groups", groups(seen="pass"), "in two groups"),
    ("03.groups", groups(params="[p.clone() for p in own]"), "copies"),
    ("03.groups", groups(params="[p.detach() for p in own]"), "copies"),
    ("03.groups", groups(params="own[:1]"), "in no group"),
    ("03.groups", groups(order="reversed(list(enumerate(layers)))"), "lower one decides"),
    ("03.groups", groups(value="found[1:]"), "in no group"),
    ("03.groups", groups(value="[(g['params'], g['lr']) for g in found]"), "list of dictionaries"),
    ("03.groups", groups(seen="seen.update(map(id, own)); layer.clear()"), "was changed"),
    ("03.triangle", slope(value="(1 + p * (ratio - 1)) / ratio"), "highest rate"),
    ("03.triangle", slope(fall="t / top"), "rises on and on"),
    ("03.triangle", slope(value="highest * p"), "highest / ratio"),
    ("03.triangle", slope(first="t = steps - t"), "leans the other way"),
    ("03.triangle", slope(value="highest * (1 + p * ratio) / ratio"), "too high at the top"),
    ("03.triangle", slope(first="cut = 0.1"), "`cut` is ignored"),
    ("03.triangle", slope(first="ratio = 32"), "`ratio` is ignored"),
    ("03.triangle", slope(first="steps = 100"), "`steps` is ignored"),
    ("03.triangle", slope(first="cut, ratio = 0.1, 32"), "are ignored"),
    ("03.triangle", slope(first="steps, cut, ratio = 100, 0.1, 32"), "are ignored"),
    ("03.triangle", slope(value="highest"), "does not change"),
    ("03.triangle", slope(value="highest * (1 - p * (ratio - 1) / ratio)"), "upside down"),
    (
        "03.triangle",
        slope("math.floor(steps * cut)", fall="1 - (t - top) / (top * (1 / cut - 1))"),
        "at least 1",
    ),
    ("03.triangle", slope("max(1, round(steps * cut))"), "math.floor"),
    ("03.triangle", slope("max(1, steps * cut)"), "math.floor"),
    ("03.triangle", slope().replace("ratio=32", "ratio=30"), "are the defaults"),
    ("03.unfreeze", freeze("i < 1 + step // every"), "begin at the top"),
    ("03.unfreeze", freeze("n - i > 1 + step // every"), "swapped"),
    ("03.unfreeze", freeze("n - i == min(n, 1 + step // every)"), "only one layer"),
    ("03.unfreeze", freeze("n - i <= step // every"), "nothing learns"),
    ("03.unfreeze", freeze("n - i <= 2 + step // every"), "should be the"),
    ("03.unfreeze", freeze("n - i <= 1 + step"), "should"),
    ("03.unfreeze", freeze(parameters="layer[:1]"), "in part"),
    ("03.unfreeze", freeze(do="p.requires_grad_(p.requires_grad and {test})"), "highest"),
    (
        "03.unfreeze",
        freeze(do="p.requires_grad_(True) if {test} else p.data.add_(1)"),
        "values of the parameters",
    ),
    ("03.unfreeze", freeze("n - i <= 1"), "layers learn"),
    (
        "03.unfreeze",
        freeze(do="{test} and p.requires_grad_(True)").replace(
            "n = len(layers)",
            "n = len(layers); [p.requires_grad_(False) for l in layers for p in l] "
            "if step == 0 and layers[0][0].requires_grad and not hasattr(layers[0][0], 'seen') "
            "else None; setattr(layers[0][0], 'seen', 1)",
        ),
        "late update",
    ),
    ("03.tune", tune(step="pass"), "do not move"),
    ("03.tune", tune(back="pass"), "do not move"),
    ("03.tune", tune(zero="pass"), "add up from batch"),
    ("03.tune", tune(back="(-value).backward()"), "climb"),
    (
        "03.tune",
        tune(value="loss(batches[0])", keep="losses.append(value.item())"),
        "first batch again",
    ),
    ("03.tune", tune(batches="batches[1:]"), "is called 11 times"),
    ("03.tune", tune(lr="triangle(t, len(batches), rate)"), "highest rate of each group"),
    ("03.tune", tune(make="made = optimizer(rate_groups(layers, rate))"), "`factor` is ignored"),
    ("03.tune", tune(lr="most"), "do not change"),
    ("03.tune", tune(lr="triangle(t, len(batches), group['lr'])"), "shrinks"),
    ("03.tune", AFTER_IT, "after the update"),
    ("03.tune", tune(lr="triangle(t + 1, len(batches), most)"), "one update ahead"),
    ("03.tune", tune(lr="triangle(t, len(batches) - 1, most)"), "number of batches"),
    ("03.tune", tune(wake="pass"), "all layers learn"),
    ("03.tune", tune(wake="if every: unfreeze(layers, t, 5)"), "`every` is ignored"),
    ("03.tune", tune(back_to="torch.tensor(losses)"), "not the list"),
    ("03.tune", tune(wake="unfreeze(layers, 0, 1) if every else None"), "only the head"),
    ("03.tune", tune(wake="if every: unfreeze(layers, t + 1, every)"), "one update early"),
    ("03.tune", LATE_WAKING, "one update late"),
    ("03.tune", tune(end="pass"), "still frozen"),
    ("03.tune", tune(keep="losses.append(value)"), "tensors"),
    ("03.tune", tune(keep="losses = [value.item()]"), "not the list"),
    (
        "03.tune",
        tune(make="made = torch.optim.Adam(rate_groups(layers, rate, factor))"),
        "another way",
    ),
    (
        "03.tune",
        tune().replace("optimizer=torch.optim.Adam", "optimizer=torch.optim.SGD"),
        "optimiser is Adam",
    ),
    ("03.tune", tune().replace("factor=2.6", "factor=2.0"), "not without"),
    ("03.pool", pool(last="hidden[:, -1]"), "position length - 1"),
    ("03.pool", pool(last="hidden[:, 0]"), "first state"),
    ("03.pool", pool(most="hidden.masked_fill(pad, -100).amax(1)"), "fill with -inf"),
    ("03.pool", pool(value="torch.cat([last, most, mean], 1)[:3]"), "read the sizes"),
    ("03.pool", pool(value="torch.cat([last, most.detach(), mean], 1)"), "cut off"),
    ("03.pool", pool(most="hidden.amax(1)"), "padding wins"),
    ("03.pool", pool(most="hidden.masked_fill(pad, 0).amax(1)"), "padding of 0"),
    ("03.pool", pool(most="hidden.masked_fill(pad, torch.inf).amin(1)"), "minimum"),
    ("03.pool", pool(mean="hidden.mean(1)"), "counts padding"),
    ("03.pool", pool(mean="hidden.masked_fill(pad, 0).mean(1)"), "padded length"),
    ("03.pool", pool(mean="hidden.masked_fill(pad, 0).sum(1)"), "a sum in place"),
    ("03.pool", pool(value="torch.cat([most, mean, last], 1)"), "the order"),
    ("03.pool", pool("hidden[:, -1]", "hidden.amax(1)", "hidden.mean(1)"), "not used"),
    ("03.pool", pool(value="torch.cat([last, most, mean], 1).detach()"), "no gradient"),
    ("03.pool", pool(value="torch.stack([last, most, mean], 1)"), "shape"),
    (
        "03.pool",
        pool(
            most="hidden.masked_fill_(pad, -torch.inf).amax(1)",
            mean="hidden.masked_fill(pad, 0).sum(1) / n[:, None]",
        ),
        "in place",
    ),
    ("03.classifier", network("model"), "train a copy"),
    ("03.classifier", network(parts="[*parts, nn.Softmax(1)]"), "ends in a softmax"),
    ("03.classifier", network(parts="[p for p in parts if not isinstance(p, nn.ReLU)]"), "ReLU"),
    ("03.classifier", network(parts="[nn.Dropout(0.4), parts[0], *parts[2:]]"), "part 0"),
    ("03.classifier", network(parts="parts[:6] + [nn.Linear(50, 9)]"), "part 6"),
    ("03.classifier", network(parts="parts[:4]"), "missing"),
    ("03.classifier", network(layers="[list(p.parameters()) for p in parts[::-1]]"), "comes first"),
    (
        "03.classifier",
        network(layers="[list(p.parameters()) for p in parts[:-1]]"),
        "nothing would",
    ),
    ("03.classifier", network(layers="[list(p.parameters()) for p in parts[1:]]"), "word vectors"),
    ("03.classifier", network(layers="list(self.parameters())"), "list of layers"),
    (
        "03.classifier",
        network(layers="[list(encoder.parameters()), list(head.parameters())]"),
        "should have 4 layers",
    ),
    ("03.classifier", network(layers="[list(p.parameters())[:1] for p in parts]"), "has lost"),
    ("03.classifier", network(step="ids.shape[1]"), "read at once"),
    ("03.classifier", network(step="(window + 1)"), "but yours are"),
    ("03.classifier", network(step="70"), "read at once"),
    ("03.classifier", network(state="None"), "empty memory"),
    ("03.classifier", network(keep="state"), "between them"),
    ("03.classifier", network(last="hidden[-1].detach()"), "detach the state alone"),
    ("03.classifier", network(around="with torch.no_grad()"), "detach the state alone"),
    ("03.classifier", network(last="hidden[0]"), "word vectors are pooled"),
    ("03.classifier", network(last="hidden[1][..., :4]"), "what the head reads"),
    ("03.classifier", network(mask="torch.ones_like(ids)"), "padding is pooled"),
    ("03.classifier", network(score="self.head(pooled).softmax(1)"), "softmax after"),
    ("03.classifier", network(score="2 * self.head(pooled)"), "not what the head gives"),
    ("03.classifier", network(score="self.head(pooled).log_softmax(1)"), "softmax after"),
    ("03.classifier", network(score="self.head(pooled).argmax(1)"), "of the shape (3, 3)"),
    ("03.classifier", network(score="pooled"), "`self.head(...)` of what is pooled"),
    ("03.classifier", network(score="None"), "`self.head(...)` of what is pooled"),
    ("03.classifier", network(score="self.head(pooled).detach()"), "freeze nothing"),
    (
        "03.classifier",
        network(encoder="copy.deepcopy(model).requires_grad_(False)"),
        "freeze nothing",
    ),
    ("03.classifier", network(mask="(ids != 0)"), "token 0 is taken for padding"),
    ("03.classifier", network(keep="[(h.detach(), c) for h, c in state]"), "back through `c`"),
    ("03.classifier", network(keep="[(h, c.detach()) for h, c in state]"), "back through `h`"),
    (
        "03.classifier",
        network(keep="[state[0], tuple(part.detach() for part in state[1])]"),
        "the lower LSTM",
    ),
    (
        "03.classifier",
        network(keep="[tuple(part.detach() for part in state[0]), state[1]]"),
        "the upper LSTM",
    ),
    ("03.classifier", network(layers="[part.parameters() for part in parts]"), "make a list"),
    ("03.classifier", network(layers="parts"), "list of layers"),
    (
        "03.classifier",
        network(layers="[list(part.named_parameters()) for part in parts]"),
        "without the names",
    ),
    (
        "03.classifier",
        network(layers="[[p.detach() for p in part.parameters()] for part in parts]"),
        "no parameters of the classifier",
    ),
    ("03.classifier", network(parts="[nn.BatchNorm1d(width // 3), *parts[1:]]"), "part 0"),
    ("03.classifier", network().replace("self.encoder, self.w", "self.model, self.w"), "missing"),
    ("03.classifier", network().replace("def forward", "def call"), "missing: `forward(batch)`"),
    ("03.classifier", network().replace("ids.shape[1], window", "len(ids), window"), "yours are"),
    ("03.classifier", network().replace("ids.shape[1], w", "ids.shape[1] - 1, w"), "yours are"),
    (
        "03.classifier",
        network()
        .replace("self.window, None", "self.window, getattr(self, 'kept', None)")
        .replace("pooled =", "self.kept = state\n            pooled ="),
        "second call",
    ),
    (
        "03.classifier",
        network(keep="[(h.detach(), torch.zeros_like(c)) for h, c in state]"),
        "what the head reads",
    ),
    ("03.groups", groups(params="[p for p in own if p.requires_grad]"), "frozen now"),
    ("03.triangle", slope(fall="1 - (t - top) / (top * (1 / cut - 1))"), "below zero"),
    ("03.triangle", slope(rise="1.0"), "from the start"),
    ("03.triangle", slope(rise="(t + 1) / top"), "one update ahead"),
    ("03.triangle", slope(first="t += 1"), "one update ahead"),
    ("03.triangle", slope(fall="1 - (t - top) / steps"), "too slowly"),
    ("03.triangle", slope(fall="1 - t / steps"), "from `top`"),
    ("03.triangle", slope(value="highest * (1 + p * (ratio - 1))"), "divide by `ratio`"),
    ("03.triangle", slope(first="highest = 0.01"), "`highest` is ignored"),
    ("03.unfreeze", freeze(do="p.requires_grad_(p.requires_grad or {test})"), "should"),
    ("03.unfreeze", freeze("True"), "all layers learn"),
    (
        "03.unfreeze",
        freeze(do="layer[layer.index(p) if False else 0] = nn.Parameter(p.data, {test})"),
        "other parameters",
    ),
    (
        "03.unfreeze",
        freeze(do="p.requires_grad_({test})").replace("n = len", "layers.reverse(); n = len"),
        "begin at the top",
    ),
    (
        "03.tune",
        tune(
            wake="made = optimizer(rate_groups(layers, rate, factor))\n"
            "        if every: unfreeze(layers, t, every)"
        ),
        "make it once",
    ),
    (
        "03.tune",
        tune(
            make="made = optimizer([{**g, 'params': [p for p in g['params'] if p.requires_grad]} "
            "for g in rate_groups(layers, rate, factor)])"
        ),
        "begin frozen",
    ),
    ("03.tune", tune(wake="unfreeze(layers, t, every or 9)"), "`every` is None"),
    ("03.tune", tune(wake="if every: unfreeze(layers, t, 9)"), "`every` is ignored"),
    ("03.find_the_bug", drop(DROPPED.replace("self.p", "0.5") + CALL), "`p` is ignored"),
    ("03.count", count(value="table.log1p()"), "logarithms"),
    (
        "03.count",
        count(value="table / torch.tensor([[max(1.0, len(t))] for t in texts])"),
        "shares",
    ),
    ("03.regression", loss(f"{NLL.format('s.softmax(1)')} + penalty / 2 * {SQUARES}"), "logarithm"),
    ("03.regression", loss(f"{SUM} + len(y) * penalty / 2 * {SQUARES}"), "for each text"),
    (
        "03.regression",
        loss(
            "F.binary_cross_entropy_with_logits(s, F.one_hot(y, len(bias)).float(), "
            f"reduction='sum') + penalty / 2 * {SQUARES}"
        ),
        "judged alone",
    ),
    ("03.penalty", penalty("dropped.abs().mean()", "raw.diff(dim=1).abs().mean()"), "sizes"),
    ("03.penalty", penalty(tar="(raw - raw.roll(1, 1)).square().mean()"), "`roll`"),
    ("03.penalty", penalty(tar="raw.diff(dim=1).square().sum() / raw.numel()"), "one step fewer"),
    (
        "03.penalty",
        penalty("dropped[:, -1].square().mean()", "(raw[:, -1] - raw[:, -2]).square().mean()"),
        "last position alone",
    ),
    ("03.pool", pool(last="hidden[torch.arange(len(hidden)), (n - 2).clamp(min=0)]"), "but one"),
    ("03.pool", pool(value="torch.cat([last, mean, most], 1)"), "the order"),
    ("03.pool", pool(most="hidden.masked_fill(pad, 0).abs().amax(1)"), "without its sign"),
]
RIGHT = [
    ("03.classifier", "solution"),
    ("03.classifier", network()),
    ("03.classifier", network(keep="[tuple(part.detach() for part in pair) for pair in state]")),
    ("03.classifier", RUNNING),
    ("03.classifier", network(keep="[(h.data, c.data) for h, c in state]")),
    ("03.classifier", network(layers="tuple(tuple(part.parameters()) for part in parts)")),
    (
        "03.classifier",
        network(state="state=state").replace("read(ids[:, at", "read(input_ids=ids[:, at"),
    ),
    ("03.classifier", network(score="self.head.forward(pooled)")),
    ("03.count", "solution"),
    ("03.count", count()),
    (
        "03.count",
        "lambda texts, words: torch.tensor([[float(t.count(w)) for w in words] for t in texts])",
    ),
    ("03.regression", "solution"),
    ("03.regression", loss()),
    (
        "03.regression",
        loss(f"-s.log_softmax(1)[torch.arange(len(y)), y].sum() + {SQUARES} * penalty / 2"),
    ),
    ("03.regression", loss("F.cross_entropy(s, y) * len(y) + penalty / 2 * weight.norm() ** 2")),
    ("03.best_rate", "solution"),
    ("03.best_rate", best("{r: torch.tensor([error(r, s) for s in seeds]).mean() for r in rates}")),
    ("03.best_rate", best()),
    (
        "03.best_rate",
        best(
            "{r: sum(error(r, s) for s in seeds) for r in rates}",
            "min(rates, key=lambda r: (means[r], r))",
        ),
    ),
    ("03.penalty", "solution"),
    ("03.penalty", penalty()),
    ("03.penalty", penalty("(dropped ** 2).mean()", "((raw[:, 1:] - raw[:, :-1]) ** 2).mean()")),
    ("03.locked", "solution"),
    ("03.locked", locked()),
    ("03.locked", locked("torch.bernoulli(torch.full((len(x), 1, x.shape[-1]), 1 - p))")),
    ("03.locked", "lambda x, p: x * F.dropout(torch.ones_like(x[:, :1]), p)"),
    ("03.locked", "lambda x, p: F.dropout1d(x.transpose(1, 2), p).transpose(1, 2)"),
    ("03.find_the_bug", "solution"),
    ("03.find_the_bug", MASKED),
    ("03.find_the_bug", BY_HAND),
    ("03.groups", "solution"),
    ("03.groups", groups()),
    ("03.groups", groups(value="found[::-1]")),
    ("03.groups", groups(params="iter(own)")),
    ("03.triangle", "solution"),
    ("03.triangle", slope()),
    ("03.triangle", slope(fall="(steps - t) / (steps - top)")),
    ("03.unfreeze", "solution"),
    ("03.unfreeze", freeze()),
    ("03.unfreeze", freeze("i >= n - 1 - step // every", do="p.requires_grad = {test}")),
    ("03.tune", "solution"),
    ("03.tune", tune()),
    ("03.tune", ALL_IN_LOOP),
    ("03.pool", "solution"),
    ("03.pool", pool()),
    ("03.pool", pool(last="hidden.take_along_dim((n - 1)[:, None, None], 1)[:, 0]")),
    (
        "03.pool",
        "lambda hidden, mask: torch.stack([torch.cat([h[m > 0][-1], h[m > 0].amax(0), "
        "h[m > 0].mean(0)]) for h, m in zip(hidden, mask)])",
    ),
]
