"""Chapter 01: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

from torch.nn import functional as F

PAIRS = """
def pairs(tokens, window):
    places = range(len(tokens))
    near = [(i, j) for i in places for j in places if abs(i - j) <= window]
    return [(tokens[i], tokens[j]) for i, j in near if {keeps}]
"""
LOSS = """
def loss(centre, context, negatives):
    positive = (centre * context).sum(-1)
    negative = torch.einsum("bkd,bd->bk", negatives, centre)
    return {value}
"""
NOISE = """
def noise(counts, power=0.75):
    weights = counts.float() ** power
    return {value}
"""
NEAR = """
def neighbours(vectors, query, k=6):
    unit = F.normalize(vectors, dim=1)
    order = (unit @ unit[query]).argsort(descending=True)
    return {value}
"""
KINDS = """
def kinds(vectors, examples, words):
    unit = F.normalize(vectors, dim=1)
    means = torch.stack([unit[rows].mean(0) for rows in examples])
    cosines = unit[words] @ F.normalize(means, dim=1).T
    return {value}
"""
PPMI = """
def ppmi(X):
    rows, columns, total = X.sum(1, keepdim=True), X.sum(0, keepdim=True), X.sum()
    ratio = X * total / (rows * columns)
    return {value}
"""
TEXT = """
def text_vector(vectors, ids):
    known = vectors[[i for i in ids if i > 1]]
    return {value}
"""
ANALOGY = """
def analogy(vectors, a, b, c):
    unit = F.normalize(vectors, dim=1)
    scores = unit @ ({target})
    scores[[{out}]] = -torch.inf
    return {value}
"""
TRAIN = """
def train(pairs, noise, dim=64, k=5, *, epochs=3, batch=4096, rate=0.01, every=50):
    v, u = nn.Embedding(len(noise), dim), nn.Embedding(len(noise), dim)
    nn.init.uniform_(v.weight, -0.5 / dim, 0.5 / dim)
    nn.init.zeros_(u.weight)
    start = v.weight.detach().clone()
    optimizer = torch.optim.Adam([v.weight, u.weight], lr=rate)
    losses = []
    snapshots = [(0, v.weight.detach().clone())]
    for _ in range(EPOCHS):
        for rows in ROWS:
            centre, context = pairs[rows].T
            negatives = DRAWN
            positive = (v(centre) * u(context)).sum(-1)
            negative = torch.einsum("bkd,bd->bk", u(negatives), v(centre))
            loss = (-F.logsigmoid(positive) - F.logsigmoid(-negative).sum(-1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) % every == 0:
                snapshots.append((len(losses), v.weight.detach().clone()))
    return v.weight.detach(), losses, snapshots
"""
ROWS_BY_HAND = """
def train(pairs, noise, dim=64, k=5, *, epochs=3, batch=4096, rate=0.01, every=50):
    v = torch.rand(len(noise), dim, requires_grad=True)
    u = torch.zeros(len(noise), dim, requires_grad=True)
    v.data.sub_(0.5).div_(dim)
    optimizer = torch.optim.Adam([{"params": [v]}, {"params": [u]}], rate)
    losses, snapshots = [], [[0, v.detach().numpy().copy()]]
    for epoch in range(epochs):
        order = torch.randperm(len(pairs)).tolist()
        for first in range(0, len(order), batch):
            centre, context = pairs[order[first : first + batch]].unbind(1)
            drawn = torch.multinomial(noise, len(centre) * k, replacement=True)
            negatives = u[drawn].view(-1, k, dim)
            scores = (negatives * v[centre][:, None]).sum(-1)
            loss = F.softplus(-(v[centre] * u[context]).sum(-1)) + F.softplus(scores).sum(1)
            loss.mean().backward()
            optimizer.step()
            v.grad = u.grad = None
            losses += [float(loss.mean())]
            if not len(losses) % every:
                snapshots += [[len(losses), v.detach().numpy().copy()]]
    return [v.data, losses, snapshots]
"""
BUG = """
class Model(nn.Module):
    def __init__(self, vectors, labels):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors.clone(), freeze=False)
        self.output = nn.Linear(vectors.shape[1], labels)

    def forward(self, input_ids):
        return self.output(self.embedding(input_ids).mean(1))
"""


def sgns_loss(centre, context, negatives):
    """The chapter has it by then."""
    positive = (centre * context).sum(-1)
    negative = (negatives * centre[:, None]).sum(-1)
    return (-F.logsigmoid(positive) - F.logsigmoid(-negative).sum(-1)).mean()


SHOT = "            if len(losses) % every == 0:\n"
KEPT = "snapshots.append((len(losses), v.weight.detach().clone()))"
LAST = f"            losses.append(loss.item())\n{SHOT}                {KEPT}\n"
INIT = "    nn.init.uniform_(v.weight, -0.5 / dim, 0.5 / dim)\n"
GIVEN = {"sgns_loss": sgns_loss}
DRAWN = "torch.multinomial(noise, len(rows) * k, replacement=True).view(-1, k)"


def train(*changes):
    """The training loop after some replacements (old, new), written out."""
    code = TRAIN
    for old, new in changes:
        assert old in code, old
        code = code.replace(old, new)
    defaults = {
        "EPOCHS": "epochs",
        "ROWS": "torch.randperm(len(pairs)).split(batch)",
        "DRAWN": DRAWN,
    }
    for name, text in defaults.items():
        code = code.replace(name, text)
    return code


def bug(old, new):
    """The mended classifier after a replacement."""
    assert old in BUG, old
    return BUG.replace(old, new)


def analogy(
    target="unit[b] - unit[a] + unit[c]", out="a, b, c", value="int(scores.argmax())", table="unit"
):
    """Code that answers an analogy; ``table`` is what the sum is compared with."""
    code = ANALOGY.format(target=target, out=out, value=value)
    return code.replace("scores = unit", f"scores = {table}")


WRONG = [
    ("01.pairs", PAIRS.format(keeps="True"), "its own neighbour"),
    ("01.pairs", PAIRS.format(keeps="j > i"), "look left"),
    ("01.pairs", PAIRS.format(keeps="j < i"), "look right"),
    ("01.pairs", PAIRS.format(keeps="i != j and j - i < window"), "stops before its end"),
    ("01.pairs", PAIRS.format(keeps="i != j and abs(i - j) < window"), "too small by one"),
    ("01.pairs", PAIRS.format(keeps="j > i or (j < i and i >= window)"), "counts from the end"),
    ("01.pairs", PAIRS.format(keeps="tokens[i] != tokens[j]"), "two equal words"),
    (
        "01.pairs",
        PAIRS.format(keeps="i != j and window <= i < len(tokens) - window"),
        "whole window",
    ),
    ("01.pairs", "lambda tokens, window: list(set(solution(tokens, window)))", "counts twice"),
    ("01.pairs", "lambda tokens, window: solution(tokens, 2)", "a 2 written in"),
    ("01.pairs", "lambda tokens, window: solution(tokens, window)[1:]", "is missing"),
    ("01.pairs", "lambda tokens, window: solution(tokens, window + 1)", "should not be there"),
    (
        "01.pairs",
        """
def pairs(tokens, window):
    result = []
    for token in tokens:
        i = tokens.index(token)
        for j in range(max(0, i - window), min(len(tokens), i + window + 1)):
            if j != i:
                result.append((token, tokens[j]))
    return result
""",
        "first occurrence",
    ),
    ("01.sgns_loss", "lambda v, u, n: solution(v, u, n).item()", "no gradient"),
    ("01.sgns_loss", "lambda v, u, n: solution(v, u, n).detach()", "no gradient"),
    ("01.sgns_loss", "lambda v, u, n: solution(v, u, -n)", "pushed away"),
    ("01.sgns_loss", "lambda v, u, n: solution(v, u, n) / (n.shape[1] + 1)", "sums the terms"),
    ("01.sgns_loss", "lambda v, u, n: solution(v, u, n) * 2", "two times"),
    ("01.sgns_loss", "lambda v, u, n: solution(v, u, n) * len(v)", "mean over its pairs"),
    ("01.sgns_loss", "lambda v, u, n: -solution(v, u, n)", "sign"),
    (
        "01.sgns_loss",
        LOSS.format(value="-F.logsigmoid(positive).mean()"),
        "noise words are missing",
    ),
    ("01.sgns_loss", LOSS.format(value="-F.logsigmoid(-negative).sum(1).mean()"), "true pair"),
    (
        "01.sgns_loss",
        LOSS.format(value="(-F.logsigmoid(positive) - F.logsigmoid(-negative).mean(1)).mean()"),
        "averaged",
    ),
    (
        "01.sgns_loss",
        LOSS.format(value="-F.logsigmoid(positive) - F.logsigmoid(-negative).sum(1)"),
        "mean of them",
    ),
    (
        "01.sgns_loss",
        LOSS.format(value="(-positive.sigmoid() - (-negative).sigmoid().sum(1)).mean()"),
        "logarithms",
    ),
    (
        "01.sgns_loss",
        LOSS.format(
            value="-(positive.sigmoid().log() + (1 - negative.sigmoid()).log().sum(1)).mean()"
        ),
        "use logsigmoid",
    ),
    (
        "01.sgns_loss",
        "lambda v, u, n: solution(v, u, n) - solution(v, u, n) + solution(u, v, n)",
        "against the context",
    ),
    ("01.noise", NOISE.format(value="weights"), "add up to 1"),
    ("01.noise", NOISE.format(value="counts / counts.sum()"), "where is the power"),
    ("01.noise", NOISE.format(value="(counts / counts.sum()) ** power"), "normalise after"),
    ("01.noise", NOISE.format(value="weights.softmax(0)"), "no softmax"),
    ("01.noise", NOISE.format(value="weights / counts.sum()"), "not of the counts"),
    ("01.noise", NOISE.format(value="weights / weights.max()"), "the largest"),
    ("01.noise", "lambda counts, power=0.75: solution(counts, 0.75)", "argument `power`"),
    ("01.noise", "lambda counts, power=0.75: solution(counts, -power)", "rare words get the most"),
    ("01.noise", "lambda counts, power=0.75: solution(counts.clone(), power).flip(0)", "order"),
    (
        "01.noise",
        """
def noise(counts, power=0.75):
    answer = solution(counts, power)
    counts[:] = 1
    return answer
""",
        "changes what it was given",
    ),
    ("01.subsample", "lambda share, t=1e-3: 1 - solution(share, t)", "discarding"),
    ("01.subsample", "lambda share, t=1e-3: 1 - (t / share).sqrt()", "below 0"),
    ("01.subsample", "lambda share, t=1e-3: (t / share).sqrt()", "clipped at 1"),
    ("01.subsample", "lambda share, t=1e-3: (t / share).clamp(max=1)", "square root"),
    ("01.subsample", "lambda share, t=1e-3: t / share", "at most 1"),
    ("01.subsample", "lambda share, t=1e-3: (share / t).sqrt().clamp(max=1)", "upside down"),
    ("01.subsample", "lambda share, t=1e-3: (share / t).sqrt()", "upside down"),
    ("01.subsample", "lambda share, t=1e-3: solution(share, 1e-3)", "argument `t`"),
    ("01.subsample", "lambda share, t=1e-3: (share <= t).float()", "all or nothing"),
    (
        "01.subsample",
        "lambda share, t=1e-3: ((t / share).sqrt() + t / share).clamp(max=1)",
        "C prog",
    ),
    ("01.subsample", "lambda share, t=1e-3: (t / share).sqrt() + t / share", "not clipped"),
    ("01.subsample", "lambda share, t=1e-3: torch.tensor([0.1414, 0.3162, 0.5, 1.0])", "should"),
    (
        "01.subsample",
        "lambda share, t=1e-3: (share.reciprocal_() * t).sqrt().clamp(max=1)",
        "changes what it was given",
    ),
    ("01.neighbours", NEAR.format(value="order[:k].tolist()"), "the query itself"),
    ("01.neighbours", NEAR.format(value="order[: k + 1].tolist()"), "the query itself"),
    ("01.neighbours", NEAR.format(value="order.flip(0)[:k].tolist()"), "farthest"),
    ("01.neighbours", NEAR.format(value="sorted(order[1 : k + 1].tolist())"), "wrong order"),
    ("01.neighbours", NEAR.format(value="order[1:4].tolist()"), "always three"),
    (
        "01.neighbours",
        NEAR.format(value="(unit @ unit[query])[order[1 : k + 1]].tolist()"),
        "cosines",
    ),
    ("01.neighbours", NEAR.format(value="order[1 : k + 1].flip(0).tolist()"), "wrong order"),
    (
        "01.neighbours",
        "lambda vectors, query, k=6: "
        "(vectors @ vectors[query]).index_fill(0, torch.tensor([query]), -1e9).topk(k).indices",
        "long vectors win",
    ),
    (
        "01.neighbours",
        "lambda vectors, query, k=6: "
        "torch.cdist(vectors, vectors[[query]])[:, 0].argsort()[1 : k + 1]",
        "by distance",
    ),
    (
        "01.neighbours",
        """
def neighbours(vectors, query, k=6):
    vectors /= vectors.norm(dim=1, keepdim=True)
    return solution(vectors, query, k)
""",
        "changes what it was given",
    ),
    ("01.kinds", KINDS.format(value="(unit[words] @ means.T).argmax(1)"), "normalise the means"),
    ("01.kinds", KINDS.format(value="cosines.argmin(1)"), "farthest"),
    ("01.kinds", KINDS.format(value="cosines.argmax(0)"), "over the kinds"),
    ("01.kinds", KINDS.format(value="cosines"), "these are the cosines"),
    (
        "01.kinds",
        KINDS.format(
            value="(unit[words] @ torch.stack([unit[rows[0]] for rows in examples]).T).argmax(1)"
        ),
        "only the first example",
    ),
    (
        "01.kinds",
        KINDS.format(
            value="torch.stack([(unit[words] @ unit[rows].T).amax(1) for rows in examples], 1)"
            ".argmax(1)"
        ),
        "nearest example",
    ),
    (
        "01.kinds",
        """
def kinds(vectors, examples, words):
    means = torch.stack([vectors[rows].mean(0) for rows in examples])
    return (vectors[words] @ means.T).argmax(1)
""",
        "long vectors win",
    ),
    (
        "01.kinds",
        """
def kinds(vectors, examples, words):
    means = torch.stack([vectors[rows].mean(0) for rows in examples])
    return (F.normalize(vectors, dim=1)[words] @ F.normalize(means, dim=1).T).argmax(1)
""",
        "weigh more",
    ),
    ("01.kinds", "lambda vectors, examples, words: torch.ones(len(words)).long()", "should be"),
    ("01.ppmi", PPMI.format(value="ratio.log()"), "minus infinity"),
    ("01.ppmi", PPMI.format(value="ratio.log().where(X > 0, 0)"), "positive"),
    ("01.ppmi", PPMI.format(value="ratio"), "take its logarithm"),
    ("01.ppmi", PPMI.format(value="(1 + ratio).log()"), "something else"),
    ("01.ppmi", PPMI.format(value="ratio.log2().clamp(min=0)"), "bits"),
    ("01.ppmi", PPMI.format(value="(ratio / total).log().clamp(min=0)"), "sum of everything"),
    ("01.ppmi", PPMI.format(value="(X / rows).log().clamp(min=0)"), "columns, too"),
    ("01.ppmi", PPMI.format(value="(X * total / columns).log().clamp(min=0)"), "rows, too"),
    (
        "01.ppmi",
        PPMI.format(value="(X * total / (X.sum(1) * X.sum(0)[:, None])).log().clamp(min=0)"),
        "exchanged",
    ),
    ("01.ppmi", PPMI.format(value="ratio.log().clamp(min=0)"), "without neighbours"),
    (
        "01.ppmi",
        """
def ppmi(X):
    X.div_(X.sum())
    return solution(X)
""",
        "changes what it was given",
    ),
    ("01.text_vector", TEXT.format(value="known.sum(0)"), "the sum"),
    ("01.text_vector", TEXT.format(value="vectors[ids].mean(0)"), "leave them out"),
    ("01.text_vector", TEXT.format(value="known.sum(0) / len(ids)"), "must not count"),
    ("01.text_vector", TEXT.format(value="vectors[[i for i in {*ids} if i > 1]].mean(0)"), "twice"),
    ("01.text_vector", TEXT.format(value="vectors[[i for i in ids if i > 0]].mean(0)"), "row 1"),
    ("01.text_vector", TEXT.format(value="vectors[[i for i in ids if i != 1]].mean(0)"), "row 0"),
    ("01.text_vector", TEXT.format(value="known.amax(0)"), "maximum"),
    ("01.text_vector", TEXT.format(value="known.mean()"), "one number"),
    ("01.text_vector", TEXT.format(value="known.mean(1)"), "of each word"),
    ("01.text_vector", TEXT.format(value="known[0]"), "first word"),
    ("01.text_vector", TEXT.format(value="known.mean(0)"), "zeros"),
    ("01.analogy", analogy("unit[a] - unit[b] + unit[c]"), "turned round"),
    ("01.analogy", analogy("unit[b] - unit[a] - unit[c]"), "c is taken away"),
    ("01.analogy", analogy("unit[c]"), "where is b - a"),
    (
        "01.analogy",
        analogy("vectors[b] - vectors[a] + vectors[c]", table="vectors"),
        "long vectors win",
    ),
    ("01.analogy", analogy("vectors[b] - vectors[a] + vectors[c]"), "weigh more in the sum"),
    ("01.analogy", analogy(out="a, b"), "word of the question"),
    ("01.analogy", analogy(out="a, c"), "word of the question"),
    ("01.analogy", analogy(out="b, c"), "word of the question"),
    ("01.analogy", analogy(value="scores.max()"), "should be"),
    ("01.analogy", analogy(value="int(scores.argmin())"), "word of the question"),
    (
        "01.analogy",
        """
def analogy(vectors, a, b, c):
    best = solution(vectors, a, b, c)
    vectors.div_(2)
    return best
""",
        "changes what it was given",
    ),
    ("01.train", train(("EPOCHS", "min(epochs, 1)")), "one epoch"),
    ("01.train", train(("ROWS", "torch.randperm(len(pairs))[:, None]")), "each pair"),
    ("01.train", train(("            optimizer.zero_grad()\n", "")), "add up"),
    ("01.train", train(("            optimizer.step()\n", "")), "stay the same"),
    ("01.train", train(("losses.append(loss.item())", "losses.append(loss.detach())")), "tensors"),
    ("01.train", train(("centre, context = ", "context, centre = ")), "exchanged"),
    ("01.train", train(("u(negatives)", "v(negatives)")), "table `v`"),
    ("01.train", train(("return v.weight.detach(),", "return start,")), "not the trained ones"),
    ("01.train", train((LAST, "        losses.append(loss.item())\n")), "each epoch"),
    (
        "01.train",
        train(("ROWS", "torch.randperm(len(pairs))[: len(pairs) // batch * batch].split(batch)")),
        "a smaller one",
    ),
    (
        "01.train",
        train(("DRAWN", "torch.multinomial(noise, len(rows), replacement=True)[:, None]")),
        "one noise word",
    ),
    ("01.train", train(("DRAWN", "torch.ones(len(rows), k).long()")), "not drawn from"),
    (
        "01.train",
        train(("            losses.append(loss.item())\n", "")),
        "no loss was appended",
    ),
    (
        "01.train",
        train(("ROWS", "[torch.arange(len(pairs))[:batch]] * math.ceil(len(pairs) / batch)")),
        "others come twice",
    ),
    ("01.find_the_bug", bug("freeze=False", "freeze=True"), "frozen"),
    (
        "01.find_the_bug",
        bug(
            "nn.Embedding.from_pretrained(vectors.clone(), freeze=False)",
            "nn.Embedding(*vectors.shape)",
        ),
        "begin with the pre-trained",
    ),
    (
        "01.find_the_bug",
        bug(
            "nn.Embedding.from_pretrained(vectors.clone(), freeze=False)",
            "nn.Embedding.from_pretrained(torch.randn_like(vectors), freeze=False)",
        ),
        "begin with the pre-trained",
    ),
    ("01.find_the_bug", bug("mean(1)", "sum(1)"), "summed"),
    ("01.find_the_bug", bug("mean(1)", "amax(1)"), "maximum"),
    ("01.find_the_bug", bug(".mean(1)", "[:, 0]"), "first word"),
    ("01.find_the_bug", bug(".mean(1)", "[:, -1]"), "last word"),
    ("01.find_the_bug", bug("mean(1)", "detach().mean(1)"), "no gradient"),
    ("01.find_the_bug", bug("mean(1))", "mean(1)).softmax(1)"), "probabilities"),
    (
        "01.find_the_bug",
        bug("nn.Linear(vectors.shape[1], labels)", "nn.Linear(vectors.shape[1], 2)"),
        "error",
    ),
    (
        "01.find_the_bug",
        bug(
            "        self.output =",
            "        self.twice = nn.Embedding(*vectors.shape)\n        self.output =",
        ),
        "got 2",
    ),
]

WRONG += [
    ("01.train", train(("losses, snapshots\n", "losses\n")), "expected (vectors, losses, snap"),
    ("01.train", train((INIT, "")), "normal numbers"),
    ("01.train", train(("-0.5 / dim, 0.5 / dim", "0, 0.5 / dim")), "no number of v is negative"),
    ("01.train", train(("-0.5 / dim, 0.5 / dim", "-0.5, 0.5")), "it should be -0.025"),
    ("01.train", train((INIT, "    nn.init.zeros_(v.weight)\n")), "begins at zero, like u"),
    ("01.train", train(("    nn.init.zeros_(u.weight)\n", "")), "table u begins at zero"),
    ("01.train", train(("zeros_(u.weight)", "uniform_(u.weight, -0.1, 0.1)")), "begins at zero"),
    (
        "01.train",
        train(("return v.weight.detach(),", "return v.weight.detach().T,")),
        "a row for each word",
    ),
    ("01.train", train(("[v.weight, u.weight]", "[v.weight]")), "have both tables"),
    ("01.train", train(("[v.weight, u.weight]", "[u.weight]")), "does not have the table v"),
    ("01.train", train(("lr=rate", "lr=0.01")), "argument `rate`"),
    ("01.train", train((", lr=rate", "")), "lr=rate"),
    ("01.train", train(("optim.Adam", "optim.SGD")), "this is `SGD`"),
    ("01.train", train(("optim.Adam", "optim.AdamW")), "this is `AdamW`"),
    (
        "01.train",
        train(
            (
                "            optimizer.zero_grad()\n",
                "            optimizer = torch.optim.Adam([v.weight, u.weight], lr=rate)\n"
                "            optimizer.zero_grad()\n",
            )
        ),
        "forgets its averages",
    ),
    ("01.train", train(("v.weight.detach(), losses", "v.weight, losses")), "still tied"),
    ("01.train", train((SHOT + "                " + KEPT, "")), "but are of [0]"),
    ("01.train", train(("[(0, v.weight.detach().clone())]", "[]")), "first snapshot is missing"),
    (
        "01.train",
        train(("[(0, v.weight.detach().clone())]", "[]"), (SHOT + "                " + KEPT, "")),
        "the third step",
    ),
    (
        "01.train",
        train(("detach().clone())]", "detach())]"), (KEPT, KEPT.replace(".clone()", ""))),
        "`.clone()`",
    ),
    ("01.train", train((KEPT, KEPT.replace("v.weight", "u.weight"))), "does not show the table v"),
    ("01.train", train((SHOT, "            if True:\n")), "after each update"),
    ("01.train", train((KEPT, KEPT.replace("len(losses)", "len(losses) - 1"))), "one too small"),
    ("01.train", train((KEPT, KEPT.replace("len(losses)", "len(snapshots)"))), "the number of up"),
    ("01.train", train((KEPT, "snapshots.append(v.weight.detach().clone())")), "is a pair"),
    (
        "01.train",
        train((KEPT, "snapshots.append((v.weight.detach().clone(), len(losses)))")),
        "first the number",
    ),
    ("01.train", train((KEPT, KEPT.replace("detach().", ""))), "still tied"),
    (
        "01.train",
        train(
            (
                "        for rows in ROWS:\n",
                "        pairs[:] = pairs[torch.randperm(len(pairs))]\n"
                "        for rows in torch.arange(len(pairs)).split(batch):\n",
            )
        ),
        "changes what it was given",
    ),
    (
        "01.train",
        train((SHOT, ""), ("                " + KEPT, "        " + KEPT)),
        "a snapshot for each epoch",
    ),
    (
        "01.train",
        train(
            (
                "            optimizer.step()\n",
                "            before = v.weight.detach().clone()\n            optimizer.step()\n",
            ),
            (KEPT, "snapshots.append((len(losses), before))"),
        ),
        "before the update",
    ),
    ("01.sgns_loss", "lambda v, u, n: solution(v.detach(), u, n)", "gradient of `centre`"),
    ("01.sgns_loss", "lambda v, u, n: solution(v, u.detach(), n)", "gradient of `context`"),
    ("01.sgns_loss", "lambda v, u, n: solution(v, u, n.detach())", "gradient of `negatives`"),
    (
        "01.sgns_loss",
        LOSS.format(
            value="(-F.logsigmoid(positive) - F.logsigmoid(-negative.squeeze()).sum(-1)).mean()"
        ),
        "should be",
    ),
    ("01.sgns_loss", "lambda v, u, n: solution(v.mul_(1), u, n.neg_().neg())", "changes what"),
    (
        "01.noise",
        "lambda counts, power=0.75: solution(counts.clamp(min=1), power)",
        "count of 0",
    ),
    (
        "01.kinds",
        """
def kinds(vectors, examples, words):
    vectors /= vectors.norm(dim=1, keepdim=True)
    return solution(vectors, examples, words)
""",
        "changes what it was given",
    ),
    ("01.ppmi", "lambda X: torch.zeros_like(X)", "every entry is 0"),
    (
        "01.text_vector",
        """
def text_vector(vectors, ids):
    vectors[:2] = 0
    return solution(vectors, ids)
""",
        "changes what it was given",
    ),
    ("01.analogy", analogy("unit[b] + unit[c]"), "nearest to b + c"),
    ("01.analogy", analogy("unit[c] - unit[a]"), "nearest to c - a"),
    ("01.analogy", analogy("unit[b] - unit[a] + 0.1 * unit[c]"), "should be"),
    ("01.train", train(("DRAWN", DRAWN.replace("noise", "(noise > 0).float()"))), "uniformly"),
    ("01.train", train(("DRAWN", DRAWN.replace("noise", "noise**0.75"))), "take it again"),
    (
        "01.train",
        train(("DRAWN", "torch.multinomial(noise, k, replacement=True).expand(len(rows), k)")),
        "share noise words",
    ),
    ("01.train", train(("ROWS", "torch.arange(len(pairs)).split(batch)")), "same order"),
    (
        "01.train",
        train(
            ("    for _ in range(EPOCHS)", "    rows_of = ROWS\n    for _ in range(EPOCHS)"),
            ("for rows in ROWS", "for rows in rows_of"),
        ),
        "same order",
    ),
    (
        "01.train",
        train(("    losses = []\n", "    losses = []\n    noise.mul_(2)\n")),
        "changes what it was given",
    ),
    (
        "01.find_the_bug",
        """
class Model(nn.Module):
    def __init__(self, vectors, labels):
        super().__init__()
        self.register_buffer("vectors", vectors.clone())
        self.output = nn.Linear(vectors.shape[1], labels)

    def forward(self, input_ids):
        return self.output(self.vectors[input_ids].mean(1))
""",
        "a buffer",
    ),
    (
        "01.find_the_bug",
        bug("self.embedding =", "self.layers = [None]\n        self.layers[0] =").replace(
            "self.embedding(", "self.layers[0]("
        ),
        "plain list",
    ),
    (
        "01.find_the_bug",
        bug(
            "nn.Embedding.from_pretrained(vectors.clone(), freeze=False)",
            "vectors.clone().requires_grad_()",
        ).replace("self.embedding(input_ids)", "self.embedding[input_ids]"),
        "plain tensor",
    ),
]

WRONG += [
    (
        "01.pairs",
        """
def pairs(tokens, window):
    answer = solution(tokens, window)
    tokens.clear()
    return answer
""",
        "changes what it was given",
    ),
    ("01.pairs", "lambda tokens, window: [[*p] for p in solution(tokens, window)]", "as a tuple"),
    (
        "01.sgns_loss",
        LOSS.format(
            value="-((positive.sigmoid() + 1e-10).log() "
            "+ ((-negative).sigmoid() + 1e-10).log().sum(1)).mean()"
        ),
        "too small for a very bad score",
    ),
    (
        "01.sgns_loss",
        LOSS.format(
            value="F.cross_entropy(torch.cat([positive[:, None], negative], 1), "
            "torch.zeros(len(centre)).long())"
        ),
        "a softmax over the pair",
    ),
    ("01.noise", "lambda counts, power=0.75: solution(counts, power).tolist()", "return a tensor"),
    ("01.noise", "lambda counts, power=1.0: solution(counts, power)", "keep the default"),
    (
        "01.noise",
        "lambda counts, power=0.75: solution(counts, power).sort(descending=True).values",
        "order of the words",
    ),
    ("01.subsample", "lambda share, t=1e-3: solution(share, t).tolist()", "return a tensor"),
    ("01.subsample", "lambda share, t=1e-5: solution(share, t)", "keep the default"),
    (
        "01.neighbours",
        "lambda vectors, query, k=3: solution(vectors, query, k)",
        "keep the default",
    ),
    (
        "01.neighbours",
        "lambda vectors, query, k=6: "
        "(vectors @ vectors[query]).argsort(descending=True)[1 : k + 1].tolist()",
        "long vectors win",
    ),
    (
        "01.kinds",
        KINDS.format(
            value="torch.stack([(unit[words] @ unit[rows].T).sum(1) for rows in examples], 1)"
            ".argmax(1)"
        ),
        "sums of cosines",
    ),
    ("01.kinds", KINDS.format(value="torch.cdist(unit[words], means).argmin(1)"), "by distance"),
    (
        "01.kinds",
        """
def kinds(vectors, examples, words):
    first = examples.pop(0)
    return solution(vectors, [first, *examples], words)
""",
        "changes what it was given",
    ),
    ("01.ppmi", PPMI.format(value="ratio.log10().clamp(min=0)"), "powers of ten"),
    ("01.ppmi", "lambda X: solution(X).tolist()", "return a tensor"),
    (
        "01.text_vector",
        """
def text_vector(vectors, ids):
    while 0 in ids:
        ids.remove(0)
    return solution(vectors, ids)
""",
        "changes what it was given",
    ),
    ("01.text_vector", "lambda vectors, ids: solution(vectors, ids).tolist()", "return a tensor"),
    (
        "01.text_vector",
        TEXT.format(value="known.mean(0) if len(known) else torch.zeros(4)"),
        "length written in",
    ),
    ("01.train", train(("ROWS", "torch.randint(len(pairs), (len(pairs),)).split(batch)")), "twice"),
    (
        "01.train",
        train(
            (
                "ROWS",
                "[torch.randperm(len(pairs))[: min(batch, len(pairs) - i)]"
                " for i in range(0, len(pairs), batch)]",
            )
        ),
        "twice",
    ),
    (
        "01.train",
        train(
            ("ROWS", "[parts[i] for i in torch.randperm(len(parts))]"),
            (
                "    losses = []\n",
                "    losses = []\n    parts = torch.arange(len(pairs)).split(batch)\n",
            ),
        ),
        "share a batch",
    ),
    ("01.find_the_bug", bug("vectors.clone()", "vectors"), "keep `.clone()`"),
    (
        "01.find_the_bug",
        bug("vectors.shape[1], labels)", "vectors.shape[1], labels).requires_grad_(False)"),
        "linear layer is frozen",
    ),
    (
        "01.find_the_bug",
        bug("nn.Linear(vectors.shape[1], labels)", "nn.Linear(vectors.shape[1], 3)"),
        "use the argument `labels`",
    ),
]

RIGHT = [
    ("01.pairs", "solution"),
    ("01.pairs", PAIRS.format(keeps="i != j")),
    ("01.sgns_loss", "solution"),
    (
        "01.sgns_loss",
        LOSS.format(value="-(F.logsigmoid(positive) + F.logsigmoid(-negative).sum(1)).mean()"),
    ),
    (
        "01.sgns_loss",
        """
def loss(centre, context, negatives):
    total = 0.0
    for v, u, noise in zip(centre, context, negatives):
        total = total + F.softplus(-u @ v) + sum(F.softplus(w @ v) for w in noise)
    return total / len(centre)
""",
    ),
    ("01.noise", "solution"),
    ("01.noise", "lambda counts, power=0.75: F.normalize(counts.double() ** power, p=1, dim=0)"),
    ("01.subsample", "solution"),
    (
        "01.subsample",
        "lambda share, t=1e-3: torch.tensor([min(1.0, math.sqrt(t / float(f))) for f in share])",
    ),
    ("01.neighbours", "solution"),
    ("01.neighbours", NEAR.format(value="order[1 : k + 1]")),
    ("01.kinds", "solution"),
    (
        "01.kinds",
        """
def kinds(vectors, examples, words):
    answer = []
    for word in words:
        cosines = [
            F.cosine_similarity(vectors[word], F.normalize(vectors[rows], dim=1).sum(0), dim=0)
            for rows in examples
        ]
        answer.append(int(torch.stack(cosines).argmax()))
    return answer
""",
    ),
    ("01.ppmi", "solution"),
    ("01.ppmi", PPMI.format(value="ratio.log().nan_to_num(0.0, neginf=0.0).clamp(min=0)")),
    ("01.text_vector", "solution"),
    ("01.analogy", "solution"),
    ("01.analogy", analogy(value="scores.argmax()")),
    ("01.train", train()),
    (
        "01.train",
        train(("DRAWN", "noise.multinomial(len(rows) * k, replacement=True).view(-1, k)")),
    ),
    ("01.find_the_bug", "solution"),
    (
        "01.find_the_bug",
        """
class Model(nn.Module):
    def __init__(self, vectors, labels):
        super().__init__()
        self.vectors = nn.Parameter(vectors.clone())
        self.output = nn.Linear(vectors.shape[1], labels)

    def forward(self, input_ids):
        return self.output(self.vectors[input_ids].mean(1))
""",
    ),
    (
        "01.sgns_loss",
        LOSS.format(value="(F.softplus(-positive) + F.softplus(negative).sum(1)).mean()"),
    ),
    (
        "01.pairs",
        """
def pairs(tokens, window):
    for i, centre in enumerate(tokens):
        for j in range(max(0, i - window), min(len(tokens), i + window + 1)):
            if i != j:
                yield centre, tokens[j]
""",
    ),
    ("01.noise", "lambda counts, power=0.75: (power * counts.float().log()).softmax(0)"),
    ("01.neighbours", NEAR.format(value="[i for i in order.tolist() if i != query][:k]")),
    (
        "01.train",
        train(("DRAWN", "torch.multinomial(noise.expand(len(rows), -1), k, replacement=True)")),
    ),
    ("01.train", "solution"),
    ("01.train", ROWS_BY_HAND),
    ("01.train", train(("losses, snapshots\n", "losses, tuple(snapshots)\n"))),
    (
        "01.train",
        train(
            (
                "        for rows in ROWS:\n            centre, context = pairs[rows].T",
                "        mixed = pairs[torch.randperm(len(pairs))]\n"
                "        for rows in mixed.split(batch):\n            centre, context = rows.T",
            )
        ),
    ),
    (
        "01.train",
        train(
            ("[v.weight, u.weight]", "both.parameters()"),
            ("    start =", "    both = nn.ModuleList([v, u])\n    start ="),
        ),
    ),
    (
        "01.train",
        train(("ROWS", "torch.utils.data.DataLoader(range(len(pairs)), batch, shuffle=True)")),
    ),
]
