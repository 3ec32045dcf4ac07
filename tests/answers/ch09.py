"""Chapter 09: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

from minibert.course.learn.exercises.ch09_trees import TreeLoss

PAIRS = """
def shares(good, bad, groups):
    found = {{}}
    for a, b, group in zip(good, bad, groups):
        found.setdefault(group, []).append({hit})
    return {value}
"""
PSEUDO = """
def pseudo(log_p, ids, starts, mask_id):
    total = 0.0
    for place, piece in enumerate(ids):
        end = {end}
        hidden = {hidden}
        read = [mask_id if i in hidden else one for i, one in enumerate(ids)]
        total += {told}
    return {value}
"""
PROBE = """
class Mine:
    def __init__(self, labels, penalties=(100.0, 10.0, 1.0)):
        self.labels, self.penalties = labels, penalties

    def standard(self, x):
        return {standard}

    def train(self, x, y, penalty):
        W = torch.zeros(x.shape[1], self.labels, requires_grad=True)
        b = torch.zeros(self.labels, requires_grad=True)
        optimizer = torch.optim.LBFGS({parts}, max_iter={steps}, line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            loss = {loss}
            loss.backward()
            return loss

        {step}
        return {weights}

    def fit(self, x, y, valid_x, valid_y):
        {scales}
        best = {start}
        for penalty in {penalties}:
            W, b = self.train({rows}, y, penalty)
            {judge}
            if {better}:
                best, self.W, self.b, self.penalty = loss, W, b, {noted}
        return {itself}

    def score(self, x, y):
        logits = {logits}
        return {share}
"""
RIGHTLY = {
    "standard": "(x - self.mean) / self.scale",
    "parts": "[W, b]",
    "steps": "100",
    "loss": "F.cross_entropy(x @ W + b, y) + penalty / (2 * len(x)) * W.square().sum()",
    "step": "optimizer.step(closure)",
    "weights": "W.detach(), b.detach()",
    "scales": "self.mean, self.scale = x.mean(0), x.std(0)",
    "start": "float('inf')",
    "penalties": "self.penalties",
    "rows": "self.standard(x)",
    "judge": "loss = F.cross_entropy(self.standard(valid_x) @ W + b, valid_y).item()",
    "better": "loss < best",
    "noted": "penalty",
    "itself": "self",
    "logits": "self.standard(x) @ self.W + self.b",
    "share": "(logits.argmax(1) == y).float().mean().item()",
}
CONTROL = """
def control(words, labels, draw):
    every = {every}
    forms = {forms}
    return {value}
"""
TREE = """
def tree(h, B, gold):
    z = {z}
    squared = {squared}
    return {value}
"""
ERASE = """
def erase(H, directions):
    Q, _ = torch.linalg.qr({base})
    mean = {mean}
    return {value}
"""
READER = """
class Mine:
    def __init__(self, B, rate=1e-3, epochs=40, patience=4):
        self.B, self.rate, self.epochs, self.patience = B.clone(), rate, epochs, patience

    def distances(self, x):
        z = {z}
        return {far}

    def arcs(self, x, ignored):
        far, found = self.distances(x).tolist(), set()
        words = {words}
        inside, outside = {inside}, {outside}
        while {going}:
            _, i, j = {closest}
            {add}
            {move}
        return {arcs}

    def fit(self, batches, valid):
        B = {B}
        optimizer = {optimizer}
        losses, worse = [], 0
        {before}
        for epoch in range(self.epochs):
            {anew}
            for batch in {batches}:
                {zero}
                {loss}.backward()
                {step}
            with torch.no_grad():
                {noted}
            if {better}:
                self.B, worse = {kept}, {back}
            else:
                worse += 1
                {halve}
            {always}
            if worse == {patience}:
                break
        {end}
        return {losses}
"""
READ = {
    "z": "x @ self.B",
    "far": "(z[:, None] - z[None]).square().sum(-1)",
    "words": "[i for i, out in enumerate(ignored) if not out]",
    "inside": "words[:1]",
    "outside": "words[1:]",
    "going": "outside",
    "closest": "min((far[i][j], i, j) for i in inside for j in outside)",
    "add": "found.add((min(i, j), max(i, j)))",
    "move": "inside.append(j); outside.remove(j)",
    "arcs": "found",
    "B": "self.B.clone().requires_grad_()",
    "optimizer": "torch.optim.Adam([B], lr=self.rate)",
    "before": "pass",
    "anew": "pass",
    "batches": "batches",
    "zero": "optimizer.zero_grad()",
    "loss": "(sum(tree_loss(h, B, gold) for h, gold in batch) / len(batch))",
    "step": "optimizer.step()",
    "noted": "losses.append(sum(tree_loss(h, B, gold).item() for h, gold in valid) / len(valid))",
    "better": "losses[-1] == min(losses)",
    "kept": "B.detach().clone()",
    "back": "0",
    "halve": "optimizer.param_groups[0]['lr'] /= 2",
    "always": "pass",
    "patience": "self.patience",
    "end": "pass",
    "losses": "losses",
}
GIVEN = {"tree_loss": TreeLoss.solve}


def reader(**changed):
    return READER.format(**READ | changed)


def pairs(hit="float(a > b)", value="{g: sum(h) / len(h) for g, h in found.items()}"):
    return PAIRS.format(hit=hit, value=value)


def pseudo(**changed):
    usual = {"end": "next((s for s in starts if s > place), len(ids))"}
    usual |= {"hidden": "range(place, end)", "told": "log_p(read, place, piece)", "value": "total"}
    return PSEUDO.format(**usual | changed)


def probe(**changed):
    return PROBE.format(**RIGHTLY | changed)


def bare(code):
    """The probe, with the mean and scale of the exercise's class before `fit`."""
    begins = "self.labels, self.penalties = labels, penalties"
    return code.replace(begins, f"{begins}; self.mean, self.scale = 0.0, 1.0")


def control(**changed):
    usual = {"every": "[y for row in labels for y in row]"}
    usual |= {"forms": "sorted({w for row in words for w in row})"}
    usual |= {"value": "{w: draw.choice(every) for w in forms}"}
    return CONTROL.format(**usual | changed)


def tree(**changed):
    usual = {"z": "h @ B", "squared": "(z[:, None] - z[None]).square().sum(-1)"}
    return TREE.format(**usual | {"value": "(squared - gold).abs().mean()"} | changed)


def erase(**changed):
    usual = {"base": "directions.T", "mean": "H.mean(0)", "value": "H - (H - mean) @ Q @ Q.T"}
    return ERASE.format(**usual | changed)


USUAL = "{w: y for row, marks in zip(words, labels) for w, y in zip(row, marks)}"
START = "max(s for s in starts if s <= place)"
UNIT = "directions / directions.norm(dim=1, keepdim=True)"
CE = "F.cross_entropy(x @ W + b, y)"

WRONG = [
    # (exercise, answer, words that the message must contain)
    (
        "09.pairs",
        pairs(value="{g: sum(h) / len(h) for g, h in found.items() if sum(h)}"),
        "a group without a right pair",
    ),
    ("09.pairs", pairs(value="{g: h[0] for g, h in found.items()}"), "only the first pair"),
    (
        "09.pairs",
        "lambda good, bad, groups: {g: sum(a > b for a, b, h in zip(good, bad, groups) if h == g) "
        "/ max(1, sum(a != b for a, b, h in zip(good, bad, groups) if h == g)) for g in groups}",
        "with a tie are left out",
    ),
    ("09.pairs", pairs("(a > b) - float(a < b)"), "counts as -1"),
    (
        "09.pairs",
        pairs(value="{g: sum(h) / sum(map(sum, found.values())) for g, h in found.items()}"),
        "all pairs that are right",
    ),
    ("09.pairs", pairs(value="{g: max(h) for g, h in found.items()}"), "makes the whole group"),
    ("09.find_the_bug", pseudo(hidden="range(len(ids))"), "the whole sentence"),
    ("09.find_the_bug", pseudo(hidden="range(place + 1)"), "everything to the left"),
    ("09.find_the_bug", pseudo(hidden="[place - 1, place]"), "the piece before"),
    (
        "09.find_the_bug",
        pseudo(hidden="range(place, end) if place in starts else [place]"),
        "for the first piece of a word only",
    ),
    ("09.find_the_bug", pseudo(hidden="range(place, max(place + 1, end - 1))"), "the last piece"),
    ("09.find_the_bug", pseudo(hidden="[place, *range(end, len(ids))]"), "the later *words*"),
    ("09.linear_probe", probe(standard="x.sub_(self.mean).div_(self.scale)"), "changes what it"),
    ("09.linear_probe", probe(penalties="(10.0,)"), "for one of `self.penalties`"),
    ("09.linear_probe", probe(penalties="self.penalties[1:2]"), "you kept those of 20"),
    (
        "09.linear_probe",
        probe(
            judge="loss = F.cross_entropy((valid_x - valid_x.mean(0)) / valid_x.std(0) @ W + b, "
            "valid_y).item()"
        ),
        "by their own mean",
    ),
    (
        "09.linear_probe",
        probe(
            judge="loss = ((self.standard(valid_x) @ W + b).argmax(1) != valid_y).float().mean()"
        ),
        "the accuracy instead",
    ),
    (
        "09.linear_probe",
        probe(judge="loss = F.cross_entropy(valid_x @ W + b, valid_y).item()"),
        "that are not standardised",
    ),
    (
        "09.linear_probe",
        probe(
            step="[(W.grad is None or (W.grad.zero_(), b.grad.zero_()), (" + CE + " + penalty / "
            "(2 * len(x)) * W.square().sum()).backward(), W.data.sub_(0.5 * W.grad), "
            "b.data.sub_(0.5 * b.grad)) for _ in range(300)]",
            better="not loss >= best",
        ),
        "are not finite",
    ),
    ("09.control", control(every="[row[0] for row in labels]"), "the labels occur as"),
    (
        "09.control",
        control(
            value="(lambda u: {w: draw.choice([u[w], draw.choice(every)]) for w in forms})"
            f"({USUAL})"
        ),
        "have their real label",
    ),
    (
        "09.control",
        control(
            value="(lambda o: {w: every[(i + o) % len(every)] for i, w in "
            "enumerate(dict.fromkeys(w for row in words for w in row))})(draw.randint(0, 99))"
        ),
        "neighbouring forms",
    ),
    (
        "09.erase",
        """
def erase(H, directions):
    for u in directions:
        H = H - (H @ u)[:, None] * u / (u @ u)
    return H
""",
        "and the mean goes, too",
    ),
    ("09.erase", erase(base="directions[-1:].T"), "only the last direction"),
    ("09.erase", erase(base="directions.sum(0)[:, None]"), "only the sum"),
    ("09.erase", erase(mean="H.mean()"), "one mean of all numbers"),
    ("09.erase", erase(mean="H.mean(1, keepdim=True)"), "a mean for each row"),
    ("09.pairs", pairs("float(a >= b)"), "a tie counts as a success"),
    ("09.pairs", pairs("(a > b) + 0.5 * (a == b)"), "half a success"),
    ("09.pairs", pairs("float(a < b)"), "that are wrong"),
    ("09.pairs", pairs("float(a <= b)"), "not right"),
    ("09.pairs", pairs(value="{g: sum(h) for g, h in found.items()}"), "these are counts"),
    ("09.pairs", pairs(value="{g: sum(h) / len(good) for g, h in found.items()}"), "by all pairs"),
    ("09.pairs", pairs(value="{g: 100 * sum(h) / len(h) for g, h in found.items()}"), "no percent"),
    (
        "09.pairs",
        pairs(value="{g: sum(map(sum, found.values())) / len(good) for g in found}"),
        "every group has the share of all pairs",
    ),
    ("09.pairs", pairs("float(abs(a) > abs(b))"), "no `abs`"),
    ("09.pairs", pairs("float(a - b)"), "mean difference of the scores"),
    ("09.pairs", pairs(value="{g: h[-1] for g, h in found.items()}"), "only the last pair"),
    ("09.pairs", pairs(value="[sum(h) / len(h) for h in found.values()]"), "expected a dictionary"),
    ("09.pairs", pairs(value="sum(map(sum, found.values())) / len(good)"), "expected a dictionary"),
    (
        "09.pairs",
        pairs(value="{str(g): sum(h) / len(h) for g, h in found.items()}"),
        "the keys should be the labels",
    ),
    (
        "09.pairs",
        "lambda good, bad, groups: {g: float(sum(a for a, h in zip(good, groups) if h == g) > "
        "sum(b for b, h in zip(bad, groups) if h == g)) for g in groups}",
        "means of the group",
    ),
    (
        "09.pairs",
        "lambda good, bad, groups: (groups.sort(), {0: 0.5})[1]",
        "changes what it was given",
    ),
    ("09.find_the_bug", pseudo(hidden=f"range({START}, end)"), "the whole word is hidden"),
    (
        "09.find_the_bug",
        pseudo(hidden=f"range({START}, place + 1)"),
        "the earlier pieces are hidden",
    ),
    ("09.find_the_bug", pseudo(hidden="range(place, len(ids))"), "everything to the right"),
    ("09.find_the_bug", pseudo(hidden="[place, place + 1]"), "the next piece is always hidden"),
    ("09.find_the_bug", pseudo(hidden="range(place, min(place + 2, end))"), "only one later piece"),
    (
        "09.find_the_bug",
        pseudo(hidden="range(place, min(place + 3, end))"),
        "only two later pieces",
    ),
    ("09.find_the_bug", pseudo(hidden="range(place, min(place + 4, end))"), "only three later"),
    ("09.find_the_bug", pseudo(hidden="range(place, end + 1)"), "one piece too many"),
    ("09.find_the_bug", pseudo(hidden="range(place + 1, end)"), "is in sight"),
    (
        "09.find_the_bug",
        pseudo(end="next((s for s in starts if s > place), place + 1)"),
        "the last word has no next start",
    ),
    ("09.find_the_bug", pseudo(value="total / len(ids)"), "that is the mean"),
    (
        "09.find_the_bug",
        pseudo(told="log_p(read, place, piece) if place in starts else 0.0"),
        "only the first piece",
    ),
    (
        "09.find_the_bug",
        pseudo(told="log_p(read, place, piece) if place else 0.0"),
        "the first piece has no score",
    ),
    ("09.find_the_bug", pseudo(value="-total"), "the sign"),
    (
        "09.find_the_bug",
        "lambda log_p, ids, starts, mask: (solution(log_p, ids, starts, mask), ids.pop())[0]",
        "changes what it was given",
    ),
    ("09.linear_probe", probe(standard="x + 0 * self.mean + 1e-9 * x"), "as they are"),
    ("09.linear_probe", probe(standard="(x - x.mean(0)) / x.std(0)"), "rows that it is given"),
    ("09.linear_probe", probe(standard="x - self.mean"), "now divide"),
    ("09.linear_probe", probe(standard="x / self.scale"), "the mean is not taken away"),
    ("09.linear_probe", probe(standard="x / self.scale - self.mean"), "take the mean away first"),
    ("09.linear_probe", probe(standard="(x - self.mean) * self.scale"), "multiplied by the scale"),
    ("09.linear_probe", probe(standard="(x - self.mean) / self.scale ** 2"), "by the variance"),
    ("09.linear_probe", probe(step="pass"), "nothing was learned"),
    ("09.linear_probe", probe(loss=CE), "the penalty has no effect"),
    (
        "09.linear_probe",
        probe(loss=f"{CE} + penalty / 2 * W.square().sum()"),
        "divide it by len(x)",
    ),
    ("09.linear_probe", probe(loss=f"{CE} + penalty / len(x) * W.square().sum()"), "lambda/2"),
    (
        "09.linear_probe",
        probe(loss=f"{CE} + penalty / (2 * len(x)) * (W.square().sum() + b.square().sum())"),
        "the bias is penalised",
    ),
    ("09.linear_probe", probe(parts="[W]"), "the bias is not learned"),
    ("09.linear_probe", probe(steps="1"), "not trained to convergence"),
    ("09.linear_probe", probe(weights="W.detach()"), "two tensors"),
    ("09.linear_probe", probe(weights="W.detach().T, b.detach()"), "(dim, labels)"),
    (
        "09.linear_probe",
        probe(
            scales="both = torch.cat((x, valid_x)); self.mean, self.scale = both.mean(0), "
            "both.std(0)"
        ),
        "training rows only",
    ),
    (
        "09.linear_probe",
        probe(scales="self.mean, self.scale = x.mean(), x.std()"),
        "one mean of all",
    ),
    (
        "09.linear_probe",
        probe(scales="self.mean, self.scale = x.mean(0), x.var(0)"),
        "is the variance",
    ),
    ("09.linear_probe", probe(rows="x"), "on rows that are not standardised"),
    (
        "09.linear_probe",
        probe(judge="loss = F.cross_entropy(self.standard(x) @ W + b, y).item()"),
        "on the *training* rows",
    ),
    ("09.linear_probe", probe(better="True"), "came last"),
    ("09.linear_probe", probe(penalties="self.penalties[:1]"), "it came first"),
    ("09.linear_probe", probe(better="loss > best", start="-1.0"), "you kept those of"),
    ("09.linear_probe", probe(noted="self.penalties[-1]"), "`self.penalty` should be"),
    ("09.linear_probe", probe(itself="None"), "gives `self` back"),
    ("09.linear_probe", probe(share="(logits.argmax(1) == y).sum().item()"), "a number of rows"),
    (
        "09.linear_probe",
        probe(share="100 * (logits.argmax(1) == y).float().mean().item()"),
        "percent",
    ),
    ("09.linear_probe", probe(share="(logits.argmax(1) != y).float().mean().item()"), "are wrong"),
    ("09.linear_probe", probe(logits="x @ self.W + self.b"), "not standardised"),
    ("09.linear_probe", probe(logits="self.standard(x) @ self.W"), "the bias is left out"),
    ("09.linear_probe", probe(share="(logits.argmin(1) == y).float().mean().item()"), "least"),
    ("09.control", control(every="sorted({y for row in labels for y in row})"), "equally frequent"),
    ("09.control", control(value=USUAL), "real labels"),
    (
        "09.control",
        control(value="[draw.choice(every) for row in words for w in row]"),
        "a dictionary",
    ),
    (
        "09.control",
        control(value="[[draw.choice(every) for w in row] for row in words]"),
        "dictionary",
    ),
    ("09.control", control(forms="sorted(set(words[0]))"), "word forms have no label"),
    (
        "09.control",
        control(value="{i: draw.choice(every) for i, w in enumerate(forms)}"),
        "no label",
    ),
    (
        "09.control",
        control(
            value="__import__('random').choices(every, k=1) and "
            "{w: __import__('random').choice(every) for w in forms}"
        ),
        "two different results",
    ),
    ("09.control", control(value="{w: max(every) for w in forms}"), "the same label"),
    (
        "09.control",
        control(
            value="(lambda d: {w: d.choice(every) for w in forms})(__import__('random').Random(3))"
        ),
        "not drawn",
    ),
    ("09.control", control(value="{w: draw.randint(0, 2) for w in forms}"), "none of the labels"),
    ("09.control", control(every="labels"), "none of the labels"),
    (
        "09.control",
        control(value="{w.upper(): draw.choice(every) for w in forms}"),
        "have no label",
    ),
    (
        "09.control",
        control(value="{w: draw.choice(['a'] * 9 + ['b']) for w in forms}"),
        "the labels occur as",
    ),
    (
        "09.control",
        control(value="(words.reverse(), {w: draw.choice(every) for w in forms})[1]"),
        "changes what it was given",
    ),
    ("09.structural_loss", tree(value="(squared.sqrt() - gold).abs().mean()"), "is not squared"),
    ("09.structural_loss", tree(value="(squared - gold).mean()"), "absolute value is missing"),
    ("09.structural_loss", tree(value="(squared - gold).square().mean()"), "squared errors"),
    ("09.structural_loss", tree(value="(squared - gold).abs().sum()"), "divide by n^2"),
    ("09.structural_loss", tree(value="(squared - gold).abs().sum() / len(h)"), "divided by n:"),
    (
        "09.structural_loss",
        tree(value="(squared - gold).abs().triu(1).sum() / len(h) ** 2"),
        "once",
    ),
    ("09.structural_loss", tree(z="h + 0 * (h @ B).sum()"), "`B` is not used"),
    (
        "09.structural_loss",
        tree(squared="(z[:, None] - z[None]).abs().sum(-1)"),
        "absolute differences",
    ),
    ("09.structural_loss", tree(squared="(z[:, None] - z[None]).square().mean(-1)"), "their sum"),
    ("09.structural_loss", tree(squared="z @ z.T"), "products of vectors"),
    ("09.structural_loss", tree(value="(squared - gold ** 2).abs().mean()"), "gold is squared"),
    ("09.structural_loss", tree(value="squared.mean() + 0 * gold.sum()"), "`gold` is not used"),
    ("09.structural_loss", tree(value="(squared - gold).abs().mean().item()"), "no gradient"),
    ("09.structural_loss", tree(z="h.detach() @ B"), "no gradient"),
    (
        "09.structural_loss",
        tree(value="(squared - gold.detach().add_(0.5)).abs().mean()"),
        "changes what",
    ),
    ("09.erase", erase(value="H - H @ Q @ Q.T"), "the mean is erased, too"),
    ("09.erase", erase(value="H - mean - (H - mean) @ Q @ Q.T"), "not put back"),
    ("09.erase", erase(value="mean + (H - mean) @ Q @ Q.T"), "that is what should go"),
    ("09.erase", erase(value="(H - mean) @ Q @ Q.T"), "that is what should go"),
    ("09.erase", erase(value=f"H - (H - mean) @ ({UNIT}).T @ ({UNIT})"), "by itself"),
    (
        "09.erase",
        """
def erase(H, directions):
    mean = H.mean(0)
    x = H - mean
    for u in directions:
        x = x - (x @ u)[:, None] * u / (u @ u)
    return x + mean
""",
        "brings back",
    ),
    ("09.erase", erase(value="H - (H - mean) @ directions.T @ directions"), "not of length 1"),
    ("09.erase", erase(base="directions[:1].T"), "only the first direction"),
    ("09.erase", erase(value="H - 2 * (H - mean) @ Q @ Q.T"), "mirrors"),
    ("09.erase", erase(value="H + (H - mean) @ Q @ Q.T"), "added"),
    ("09.erase", erase(value="H - mean"), "still there"),
    ("09.erase", erase(value="0 * H + mean"), "everything is gone"),
    ("09.erase", "lambda H, directions: solution(H.add_(1.0), directions) - 1.0", "changes what"),
    ("09.linear_probe", bare(probe(scales="pass")), "never sets self.mean and self.scale"),
    (
        "09.linear_probe",
        bare(
            probe(
                scales="pass",
                itself="(setattr(self, 'mean', x.mean(0)), setattr(self, 'scale', x.std(0)), "
                "self)[-1]",
            )
        ),
        "on rows that are not standardised",
    ),
    (
        "09.linear_probe",
        probe(loss=f"{CE} + penalty / (2 * self.labels) * W.square().sum()"),
        "by the number of labels",
    ),
    (
        "09.linear_probe",
        probe(loss=f"{CE} + penalty / (2 * len(x)) * W.square().mean()"),
        "the mean of the squared weights",
    ),
    (
        "09.linear_probe",
        probe(
            loss="F.cross_entropy(x @ W + b, y, reduction='sum') + penalty / (2 * len(x)) * "
            "W.square().sum()"
        ),
        "too small for a *sum*",
    ),
    (
        "09.linear_probe",
        probe(
            loss="F.cross_entropy((x @ W + b).softmax(1), y) + penalty / (2 * len(x)) * "
            "W.square().sum()"
        ),
        "takes the softmax itself",
    ),
    (
        "09.linear_probe",
        probe(
            loss="F.binary_cross_entropy_with_logits(x @ W + b, F.one_hot(y, 3).float()) + penalty "
            "/ (2 * len(x)) * W.square().sum()"
        ),
        "each label by itself",
    ),
    (
        "09.linear_probe",
        probe(
            loss="F.mse_loss(x @ W + b, F.one_hot(y, 3).float()) + penalty / (2 * len(x)) * "
            "W.square().sum()"
        ),
        "squared errors",
    ),
    (
        "09.linear_probe",
        probe(
            loss=f"{CE.replace('x @', 'self.standard(x) @')} + penalty / (2 * len(x)) * "
            "W.square().sum()"
        ),
        "standardised again",
    ),
    (
        "09.linear_probe",
        probe(step="o = torch.optim.SGD([W, b], 0.1); [o.step(closure) for _ in range(3000)]"),
        "a rate that suits one penalty",
    ),
    ("09.linear_probe", probe(noted="(penalty,)"), "`self.penalty` should be"),
    ("09.linear_probe", probe(share="logits.argmax(1) == y"), "a value for each row"),
    (
        "09.linear_probe",
        probe(share="(logits.argmax(0) == y[:self.labels]).float().mean().item()"),
        "a label for each row",
    ),
    (
        "09.linear_probe",
        probe(logits="(self.standard(x) @ self.W + self.b).softmax(0)"),
        "the softmax runs over the rows",
    ),
    (
        "09.linear_probe",
        probe(logits="(x - x.mean(0)) / x.std(0) @ self.W + self.b"),
        "by their own mean",
    ),
    (
        "09.linear_probe",
        probe(share="(logits.argmax(1) == y)[y == 0].float().mean().item()"),
        "5 of 8 points",
    ),
    ("09.control", control(value="{w.lower(): draw.choice(every) for w in forms}"), "no label"),
    (
        "09.control",
        control(forms="sorted({w for row in words for w in row if w.isalnum()})"),
        "such as ','",
    ),
    (
        "09.control",
        control(forms="sorted({w for row in words for w in row if len(w) > 1})"),
        "word forms have no label",
    ),
    ("09.control", control(every=f"list({USUAL}.values())"), "Each form counts once here"),
    ("09.control", control(value="{w: draw.choice(labels[0]) for w in forms}"), "labels occur as"),
    ("09.pairs", pairs("float(a - b > 0.2)"), "a small difference"),
    (
        "09.pairs",
        "lambda good, bad, groups: {g: sum(a > b for a, b in zip(sorted(a for a, h in zip(good, "
        "groups) if h == g), sorted(b for b, h in zip(bad, groups) if h == g))) / "
        "list(groups).count(g) for g in groups}",
        "are sorted within the group",
    ),
    (
        "09.find_the_bug",
        """
def pseudo(log_p, ids, starts, mask_id):
    total = 0.0
    for place, piece in enumerate(ids):
        end = next((s for s in starts if s > place), len(ids))
        total += log_p(ids[:place] + [mask_id] + ids[end:], place, piece)
    return total
""",
        "are cut out",
    ),
    (
        "09.find_the_bug",
        pseudo(hidden="[place, *(i for i in range(place, len(ids)) if i not in starts)]"),
        "of *other* words",
    ),
    (
        "09.find_the_bug",
        pseudo(hidden="[place, *(i for i in range(len(ids)) if i not in starts)]"),
        "of all words",
    ),
    (
        "09.find_the_bug",
        pseudo(end="starts[place + 1] if place + 1 < len(starts) else len(ids)"),
        "`place` counts pieces",
    ),
    (
        "09.find_the_bug",
        pseudo(end="next((s for s in starts if s >= place), len(ids))"),
        "finds the word itself",
    ),
    ("09.find_the_bug", pseudo(hidden="range(end)"), "stays hidden"),
    ("09.find_the_bug", pseudo(value="total / len(starts)"), "mean over the words"),
    ("09.find_the_bug", pseudo(told="log_p(read, place, read[place])"), "asked for the mask"),
    ("09.find_the_bug", pseudo(told="log_p(ids, place, piece)"), "where nothing is hidden"),
    (
        "09.structural_loss",
        tree(squared="(z[:, None] - z[None]).square().sum(-1).sqrt() ** 2"),
        "its gradient is not a number",
    ),
]

WRONG += [
    ("09.tree_probe", reader(far="(z[:, None] - z[None]).norm(dim=-1)"), "leave out the root"),
    ("09.tree_probe", reader(z="x"), "multiply them by `self.B`"),
    ("09.tree_probe", reader(far="(z[:, None] - z[None]).abs().sum(-1)"), "absolute differences"),
    ("09.tree_probe", reader(far="(z[:, None] - z[None]).square().mean(-1)"), "take their sum"),
    ("09.tree_probe", reader(far="(z[:, None] - z[None]).sum(-1).square()"), "square first"),
    ("09.tree_probe", reader(far="z @ z.T"), "products of vectors"),
    ("09.tree_probe", reader(far="(z[:, None] - z[None]).square()"), "over the last axis"),
    ("09.tree_probe", reader(words="[*range(len(ignored))]"), "ignored words are in the tree"),
    (
        "09.tree_probe",
        reader(
            words="[*range(len(ignored))]",
            arcs="{(i, j) for i, j in found if not ignored[i] and not ignored[j]}",
        ),
        "falls into pieces",
    ),
    (
        "09.tree_probe",
        reader(words="[i for i, out in enumerate(ignored) if out]"),
        "finds no arc",
    ),
    (
        "09.tree_probe",
        reader(arcs="{(words.index(i), words.index(j)) for i, j in found}"),
        "positions in the sentence",
    ),
    (
        "09.tree_probe",
        reader(closest="max((far[i][j], i, j) for i in inside for j in outside)"),
        "*largest* distances",
    ),
    (
        "09.tree_probe",
        reader(closest="min((far[i][j], i, j) for i in inside[:1] for j in outside)"),
        "joined with the first one",
    ),
    (
        "09.tree_probe",
        reader(closest="min((far[i][j], i, j) for i in inside[-1:] for j in outside)"),
        "the word added last",
    ),
    (
        "09.tree_probe",
        reader(closest="min((far[i][j], i, j) for i in inside for j in outside[:1])"),
        "the words come in their order",
    ),
    (
        "09.tree_probe",
        reader(
            inside="words[:1]",
            outside="words[1:]; way = dict.fromkeys(words, 0.0)",
            closest="min((way[i] + far[i][j], i, j) for i in inside for j in outside)",
            move="inside.append(j); outside.remove(j); way[j] = way[i] + far[i][j]",
        ),
        "shortest paths",
    ),
    (
        "09.tree_probe",
        reader(arcs="set(zip(words, words[1:]))"),
        "whatever the distances",
    ),
    (
        "09.tree_probe",
        reader(
            arcs="{tuple(sorted((i, min((j for j in words if j != i), key=lambda j: far[i][j]))))"
            " for i in words}"
        ),
        "with its closest one",
    ),
    (
        "09.tree_probe",
        reader(
            arcs="{(i, j) for _, i, j in sorted((far[i][j], i, j) for i in words for j in words "
            "if i < j)[: len(words) - 1]}"
        ),
        "circles",
    ),
    ("09.tree_probe", reader(add="found.add((i, j))"), "the larger position in front"),
    ("09.tree_probe", reader(arcs="found | {(j, i) for i, j in found}"), "each arc once"),
    ("09.tree_probe", reader(add="found.add((far[i][j], i, j))"), "without its distance"),
    ("09.tree_probe", reader(arcs="sorted(found)"), "in a list"),
    ("09.tree_probe", reader(going="len(outside) > 1"), "the last arc is missing"),
    ("09.tree_probe", reader(going="len(inside) < 4 and outside"), "ends too early"),
    ("09.tree_probe", reader(arcs="{(i, j) for i in words for j in words if i < j}"), "all pairs"),
    ("09.tree_probe", reader(arcs="sum(far[i][j] for i, j in found)"), "gives float"),
    ("09.tree_probe", reader(losses="None"), "expected a list"),
    ("09.tree_probe", reader(zero="pass"), "the gradients add up"),
    ("09.tree_probe", reader(zero="pass", step="optimizer.step(); optimizer.zero_grad()",
                             B="self.B.requires_grad_()", kept="None"), "should be a tensor"),
    ("09.tree_probe", reader(step="pass"), "nothing is learned"),
    (
        "09.tree_probe",
        reader(anew="optimizer = torch.optim.Adam([B], lr=self.rate)"),
        "for every epoch forgets",
    ),
    (
        "09.tree_probe",
        reader(zero="optimizer = torch.optim.Adam([B], lr=self.rate); optimizer.zero_grad()"),
        "for every batch forgets",
    ),
    ("09.tree_probe", reader(optimizer="torch.optim.SGD([B], lr=self.rate)"), "plain gradient"),
    ("09.tree_probe", reader(optimizer="torch.optim.Adam([B])"), "the rate is not yours"),
    ("09.tree_probe", reader(loss="(-sum(tree_loss(h, B, gold) for h, gold in batch) / "
                             "len(batch))"), "upside down"),
    ("09.tree_probe", reader(batches="[[one] for batch in batches for one in batch]"),
     "one update for each sentence"),
    ("09.tree_probe", reader(batches="[sum(batches, [])]"), "one update for each epoch"),
    ("09.tree_probe", reader(batches="batches[:1]"), "only the first batch"),
    ("09.tree_probe", reader(batches="batches[:-1]"), "the last batch is left out"),
    ("09.tree_probe", reader(batches="[*batches, valid]"), "the validation sentences teach"),
    (
        "09.tree_probe",
        reader(loss="(sum(tree_loss(h, B, gold) * len(h) ** 2 for h, gold in batch) / "
               "sum(len(h) ** 2 for h, _ in batch))"),
        "long sentences count more",
    ),
    (
        "09.tree_probe",
        reader(noted="losses.append(sum(tree_loss(h, B, gold).item() for h, gold in valid))"),
        "sums over the validation",
    ),
    (
        "09.tree_probe",
        reader(noted="losses.append(sum(sum(tree_loss(h, B, gold).item() for h, gold in b) / "
               "len(b) for b in batches) / len(batches))"),
        "losses of the training sentences",
    ),
    (
        "09.tree_probe",
        reader(
            anew="losses.append(sum(tree_loss(h, B, gold).item() for h, gold in valid) / "
            "len(valid))",
            noted="pass",
        ),
        "before the updates",
    ),
    ("09.tree_probe", reader(halve="pass"), "the rate stays the same"),
    (
        "09.tree_probe",
        reader(halve="pass", always="optimizer.param_groups[0]['lr'] /= 2"),
        "halved after every epoch",
    ),
    ("09.tree_probe", reader(halve="optimizer.param_groups[0]['lr'] /= 10"), "divided by ten"),
    ("09.tree_probe", reader(halve="optimizer.param_groups[0]['lr'] *= 2"), "doubled"),
    ("09.tree_probe", reader(patience="-1"), "never ends early"),
    ("09.tree_probe", reader(patience="self.patience + 1"), "one epoch too late"),
    ("09.tree_probe", reader(patience="self.patience - 1"), "one epoch too early"),
    ("09.tree_probe", reader(back="worse"), "*in a row*"),
    ("09.tree_probe", reader(better="losses[-1] < min(losses[-2:-1], default=1e9)"),
     "with the one before"),
    (
        "09.tree_probe",
        reader(halve="optimizer.param_groups[0]['lr'] /= 2; B.data.copy_(self.B)"),
        "goes back to the best B",
    ),
    ("09.tree_probe", reader(kept="B.detach()"), "shares its numbers"),
    ("09.tree_probe", reader(end="self.B = B.detach()"), "of the last epoch"),
    ("09.tree_probe", reader(kept="self.B"), "still that of the start"),
    ("09.tree_probe", reader(kept="B.detach().clone() if epoch == 0 else self.B"),
     "of the first epoch"),
    ("09.tree_probe", reader(before="with torch.no_grad(): B.copy_(torch.randn(B.shape))"),
     "two runs give two results"),
]  # fmt: skip

RIGHT = [
    ("09.linear_probe", probe(step="o = torch.optim.Adam([W, b], 0.05); [o.step(closure) for _ in "
                              "range(3000)]")),
    ("09.linear_probe", bare(probe())),
    ("09.control", control(value="(lambda c: {w: draw.choices(list(c), list(c.values()))[0] for w "
                           "in forms})(__import__('collections').Counter(every))")),
    ("09.structural_loss", tree(squared="(z[:, None] - z[None]).norm(dim=-1) ** 2")),
    ("09.linear_probe", probe(scales="self.mean, self.scale = x.mean(0, keepdim=True), "
                              "x.std(0, keepdim=True)")),
    ("09.linear_probe", probe(scales="self.scale, self.mean = torch.std_mean(x, 0)")),
    ("09.linear_probe", probe(standard="(x - self.mean) / (self.scale + 1e-6)")),
    ("09.control", control(value="{w: draw.choice(draw.choice(labels)) for w in forms}")),
    ("09.control", control(value="(draw.shuffle(every), dict(zip(forms, every)))[1]")),
    ("09.pairs", "lambda good, bad, groups: {g: torch.tensor([float(a > b) for a, b, h in "
     "zip(good, bad, groups) if h == g]).mean() for g in set(groups)}"),
    ("09.structural_loss", tree(value="F.l1_loss(squared, gold)")),
    ("09.erase", erase(value="H - (H - mean) @ directions.T @ torch.linalg.inv(directions @ "
                       "directions.T) @ directions")),
    ("09.pairs", pairs()),
    ("09.pairs", pairs("bool(a > b)")),
    (
        "09.pairs",
        "lambda good, bad, groups: {g: sum(a > b for a, b, h in zip(good, bad, groups) if h == g)"
        " / list(groups).count(g) for g in set(groups)}",
    ),
    ("09.find_the_bug", pseudo()),
    ("09.find_the_bug", pseudo(end="min([s for s in starts if s > place] + [len(ids)])")),
    (
        "09.find_the_bug",
        """
def pseudo(log_p, ids, starts, mask_id):
    total, ends = 0.0, [*starts[1:], len(ids)]
    for start, end in zip(starts, ends):
        for place in range(start, end):
            read = ids[:place] + [mask_id] * (end - place) + ids[end:]
            total += log_p(read, place, ids[place])
    return total
""",
    ),
    ("09.linear_probe", probe()),
    ("09.linear_probe", probe(scales="self.mean, self.scale = x.mean(0), x.std(0, correction=0)")),
    ("09.linear_probe", probe(loss="(F.cross_entropy(x @ W + b, y, reduction='sum') + penalty / 2 "
                              "* W.square().sum()) / len(x)")),
    ("09.linear_probe", probe(share="(logits.softmax(1).argmax(1) == y).float().mean()")),
    ("09.linear_probe", probe(steps="400", weights="[W, b]",
                              judge="loss = float(F.cross_entropy(self.standard(valid_x) @ W + b, "
                              "valid_y))")),
    ("09.control", control()),
    ("09.control", control(forms="{w for row in words for w in row}", value="dict(zip(forms, "
                           "draw.choices(every, k=len(forms))))")),
    ("09.control", control(value="{w: every[int(draw.random() * len(every))] for w in forms}")),
    ("09.structural_loss", tree()),
    ("09.structural_loss", tree(squared="torch.cdist(h @ B, h @ B).square()")),
    ("09.structural_loss", tree(value="(gold - squared).abs().sum() / len(h) ** 2")),
    ("09.structural_loss", tree(z="h", squared="((z[:, None] - z[None]) @ B).pow(2).sum(-1)")),
    ("09.erase", erase()),
    ("09.erase", erase(value="H - (H - mean) @ directions.T @ torch.linalg.pinv(directions.T)")),
    ("09.erase", erase(value="mean + (H - mean) @ (torch.eye(H.shape[1]) - Q @ Q.T)")),
    ("09.erase", "lambda H, directions: H - (H - H.mean(0)) @ torch.linalg.pinv(directions) "
     "@ directions"),
]  # fmt: skip

RIGHT += [
    ("09.tree_probe", reader()),
    ("09.tree_probe", reader(far="torch.cdist(z, z).square()")),
    ("09.tree_probe", reader(z="x.numpy() @ self.B.numpy()",
                             far="((z[:, None] - z[None]) ** 2).sum(-1)")),
    ("09.tree_probe", reader(inside="words[-1:]", outside="words[:-1]")),
    (
        "09.tree_probe",
        reader(
            inside="{i: i for i in words}",
            outside="sorted((far[i][j], i, j) for i in words for j in words if i < j)",
            closest="outside.pop(0)",
            add="inside[i] == inside[j] or found.add((i, j))",
            move="a, b = inside[i], inside[j]; inside = {k: a if g == b else g for k, g in "
            "inside.items()}",
        ),
    ),
    ("09.tree_probe", reader(loss="torch.stack([tree_loss(*one[:1], B, one[1]) for one in batch])"
                             ".mean()")),
    ("09.tree_probe", reader(B="self.B.requires_grad_()", end="self.B = self.B.detach()")),
    ("09.tree_probe", reader(zero="pass", step="optimizer.step(); optimizer.zero_grad()")),
]  # fmt: skip
