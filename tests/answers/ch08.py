"""Chapter 08: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

from minibert.probe.places import state_of, with_state

GIVEN = {"state_of": state_of, "with_state": with_state}

TSNE = """
def gradient(p, y):
    difference = y[:, None] - y[None]
    near = {near}
    near = {own}
    q = {q}
    return {value}
"""


def tsne(**changed):
    """A function `gradient` in which these parts are others."""
    usual = {"near": "1 / (1 + difference.square().sum(-1))"}
    usual |= {"own": "near * (1 - torch.eye(len(y)))", "q": "near / near.sum()"}
    usual |= {"value": "4 * (((p - q) * near)[..., None] * difference).sum(1)"}
    return TSNE.format(**usual | changed)


LOOPS = """
def gradient(p, y):
    n = len(y)
    near = [[0.0 if i == j else 1 / (1 + float(((y[i] - y[j]) ** 2).sum())) for j in range(n)]
            for i in range(n)]
    total = sum(map(sum, near))
    rows = []
    for i in range(n):
        row = torch.zeros(2)
        for j in range(n):
            row += 4 * (p[i, j] - near[i][j] / total) * near[i][j] * (y[i] - y[j])
        rows.append(row)
    return torch.stack(rows)
"""
AUTOGRAD = """
def gradient(p, y):
    y = y.clone().requires_grad_()
    near = (1 / (1 + (y[:, None] - y[None]).square().sum(-1))) * (1 - torch.eye(len(y)))
    q = near / near.sum()
    cost = -(p * (q + torch.eye(len(y))).log()).sum()
    return torch.autograd.grad(cost, y)[0]
"""

UNIT = """
def differences(x, positive):
    a, b = x[positive], x[~positive]
    squares = (a - a.mean(0)).square().sum(0) + (b - b.mean(0)).square().sum(0)
    s = (squares / (len(x) - 2)).sqrt()
    {rest}
"""


def unit(rest):
    """A function `differences`: a and b are the groups, s the deviation within them."""
    return UNIT.format(rest=rest)


HITS = """
def hits(weights, heads):
    others = {others}
    found = []
    for word, head in enumerate(heads):
        if {asked}:
            found.append({hit})
    return {value}
"""


def hits(**changed):
    """A function `hits` in which these parts are others."""
    usual = {"others": "weights.clone().fill_diagonal_(-1.0)", "asked": "head >= 0"}
    usual |= {"hit": "int(others[word].argmax()) == head", "value": "found"}
    return HITS.format(**usual | changed)


CUT = """
def without_head(attention, head, run):
    size = attention.output.in_features // attention.heads

    def cut(module, inputs):
        found = inputs[0]{copy}
        {zero}
        {back}

    handle = attention.output.register_forward_pre_hook(cut)
    {rest}
"""


def cut(**changed):
    """A function `without_head` that cuts before the output, in which these parts are others."""
    usual = {"copy": ".clone()", "back": "return (found, *inputs[1:])"}
    usual |= {"zero": "found[..., head * size : (head + 1) * size] = 0.0"}
    usual |= {"rest": "try:\n        return run()\n    finally:\n        handle.remove()"}
    return CUT.format(**usual | changed)


BEHIND = """
def without_head(attention, head, run):
    size = attention.output.in_features // attention.heads

    def cut(module, inputs, output):
        output = output.clone()
        output[..., head * size : (head + 1) * size] = 0.0
        return output

    handle = attention.output.register_forward_hook(cut)
    try:
        return run()
    finally:
        handle.remove()
"""
WEIGHTS = """
def without_head(attention, head, run):
    size = attention.output.in_features // attention.heads
    with torch.no_grad():
        attention.output.weight[:, head * size : (head + 1) * size] = 0.0
    return run()
"""
WEIGHTS_BACK = """
def without_head(attention, head, run):
    size = attention.output.in_features // attention.heads
    kept = attention.output.weight.detach().clone()
    try:
        with torch.no_grad():
            attention.output.weight[:, head * size : (head + 1) * size] = 0.0
        return run()
    finally:
        with torch.no_grad():
            attention.output.weight.copy_(kept)
"""

PATCH = """
def patch_map(model, parts, clean, corrupted, score):
    found = torch.zeros(len(parts), clean.shape[1])

    def run(ids, part=None, hook=None):
        handle = part.register_forward_hook(hook) if part is not None else None
        {safe}

    best, worst = run({first}), run({second})
    for row, part in {rows}:
        kept = []
        run({first}, part, lambda module, given, output: kept.append(state_of(output).clone()))
        for at in range(clean.shape[1]):

            def put(module, given, output, at=at, kept=kept):
                state = state_of(output).clone()
                {put}
                {back}

            patched = run({base}, part, {hook})
            found[row, at] = {share}
    return {value}
"""
SAFE = """try:
            with torch.no_grad():
                return score(model(ids))
        finally:
            if handle is not None:
                handle.remove()"""
UNSAFE = """with torch.no_grad():
            told = score(model(ids))
        if handle is not None:
            handle.remove()
        return told"""
NEVER_OFF = """with torch.no_grad():
            return score(model(ids))"""
SWALLOWED = """
def patch_map(model, parts, clean, corrupted, score):
    try:
        return solution(model, parts, clean, corrupted, score)
    except Exception:
        return torch.zeros(len(parts), clean.shape[1])
"""


def patch(**changed):
    """A function `patch_map` in which these parts are others."""
    usual = {"safe": SAFE, "first": "clean", "second": "corrupted", "base": "corrupted"}
    usual |= {"rows": "enumerate(parts)", "put": "state[:, at] = kept[0][:, at]"}
    usual |= {"back": "return with_state(output, state)", "hook": "put"}
    usual |= {"share": "(patched - worst) / (best - worst)", "value": "found"}
    return PATCH.format(**usual | changed)


ALL_AT_ONCE = """
def patch_map(model, parts, clean, corrupted, score):
    kept, handles = [], []
    found = torch.zeros(len(parts), clean.shape[1])
    with torch.no_grad():
        try:
            for part in parts:
                def keep(module, given, output):
                    kept.append(state_of(output).clone())
                handles.append(part.register_forward_hook(keep))
            best = score(model(clean))
        finally:
            for handle in handles:
                handle.remove()
        worst = score(model(corrupted))
        for row, part in enumerate(parts):
            for at in range(clean.shape[1]):
                def put(module, given, output):
                    state = state_of(output).clone()
                    state[:, at] = kept[row][:, at]
                    return with_state(output, state)
                handle = part.register_forward_hook(put)
                try:
                    found[row, at] = (score(model(corrupted)) - worst) / (best - worst)
                finally:
                    handle.remove()
    return found
"""
LATE = """
def patch_map(model, parts, clean, corrupted, score):
    made = []
    with torch.no_grad():
        best, worst = score(model(clean)), score(model(corrupted))
        found = torch.zeros(len(parts), clean.shape[1])
        for row, part in enumerate(parts):
            kept = []
            h = part.register_forward_hook(lambda m, g, out: kept.append(state_of(out).clone()))
            try:
                score(model(clean))
            finally:
                h.remove()
            hooks = []
            for at in range(clean.shape[1]):
                def put(module, given, output):
                    state = state_of(output).clone()
                    state[:, at] = kept[0][:, at]
                    return with_state(output, state)
                hooks.append(put)
            for number, hook in enumerate(hooks):
                h = part.register_forward_hook(hook)
                try:
                    found[row, number] = (score(model(corrupted)) - worst) / (best - worst)
                finally:
                    h.remove()
    return found
"""

SNE = """
def gradient(p, y):
    difference = y[:, None] - y[None]
    bell = (-difference.square().sum(-1)).exp() * (1 - torch.eye(len(y)))
    return 4 * ((p - bell / bell.sum())[..., None] * difference).sum(1)
"""
FIRST_IS_ROOT = """
def hits(weights, heads):
    best = weights.clone().fill_diagonal_(-1.0).argmax(1).tolist()
    return [b == h for b, h in list(zip(best, heads))[1:]]
"""
APART = """
def hits(weights, heads):
    best = weights.clone().fill_diagonal_(-1.0).argmax(1).tolist()
    return [b == h for b, h in zip(best, [h for h in heads if h >= 0])]
"""
AT_ONCE = """
def hits(weights, heads):
    others = weights.masked_fill(torch.eye(len(heads), dtype=torch.bool), 0)
    return (others.argmax(1) == torch.tensor(heads))[torch.tensor(heads) >= 0].tolist()
"""
TRY = "try:\n        return run()\n    finally:\n        "
WEIGHTS_IN_DANGER = WEIGHTS_BACK.replace("try:", "if True:").replace("return run", "got = run")
WEIGHTS_IN_DANGER = WEIGHTS_IN_DANGER.replace("finally:", "if True:") + "    return got\n"
FORWARD = """
def without_head(attention, head, run):
    size = attention.output.in_features // attention.heads
    usual = attention.output.forward

    def other(x):
        x = x.clone()
        x[..., head * size : (head + 1) * size] = 0.0
        return usual(x)

    attention.output.forward = other
    {how}:
        got = run()
    {end}:
        attention.output.forward = usual
    return got
"""
LESS = """
def without_head(attention, head, run):
    size = attention.output.in_features // attention.heads
    own = slice(head * size, (head + 1) * size)

    def cut(module, inputs, output):
        return output - inputs[0][..., own] @ module.weight[:, own].T

    with attention.output.register_forward_hook(cut):
        return run()
"""
FORWARDS = """usual = part.forward if part is not None else None
        if part is not None:
            handle.remove()

            def other(*given):
                output = usual(*given)
                changed = hook(part, given, output)
                return output if changed is None else changed

            part.forward = other
        with torch.no_grad():
            told = score(model(ids))
        if part is not None:
            part.forward = usual
        return told"""

KEPT_ONCE = patch().replace("    for row, part in", "    kept = []\n    for row, part in")
KEPT_ONCE = KEPT_ONCE.replace("        kept = []\n        run", "        run")
GIVEN_IDS = """
def patch_map(model, parts, clean, corrupted, score):
    with torch.no_grad():
        best, worst = score(model(clean)), score(model(corrupted))
        row = torch.zeros(clean.shape[1])
        for at in range(clean.shape[1]):
            mixed = corrupted.clone()
            mixed[:, at] = clean[:, at]
            row[at] = (score(model(mixed)) - worst) / (best - worst)
    return row.expand(len(parts), -1).clone()
"""
OWN_KEY = patch(put='state[:, at] = {}["clean"]')
WHOLE_GIVEN = cut().replace("attention.output.register", "attention.register")
IN_FINALLY = "try:\n        result = run()\n    finally:\n        handle.remove()\n"
IN_FINALLY += "        return result"
NO_BIAS = """
def without_head(attention, head, run):
    size = attention.output.in_features // attention.heads

    def cut(module, inputs, output):
        found = torch.zeros_like(inputs[0])
        own = slice(head * size, (head + 1) * size)
        found[..., own] = inputs[0][..., own]
        return output - F.linear(found, module.weight, module.bias)

    with attention.output.register_forward_hook(cut):
        return run()
"""
SHORTER = """
def hits(weights, heads):
    found = []
    for i, head in enumerate(heads):
        if head >= 0:
            row = torch.cat((weights[i, :i], weights[i, i + 1 :]))
            found.append(int(row.argmax()) == head)
    return found
"""
WHOLE_ROWS = """
def differences(x, positive):
    a, b = x[positive.long()], x[(~positive).long()]
    squares = (a - a.mean(0)).square().sum(0) + (b - b.mean(0)).square().sum(0)
    return (a.mean(0) - b.mean(0)) / (squares / (len(x) - 2)).sqrt()
"""
GAP = "(a.mean(0) - b.mean(0))"
MEAN_SQUARES = "((a - a.mean(0)) ** 2).mean(0) + ((b - b.mean(0)) ** 2).mean(0)"

LOOKS_AND_RETURNS = patch().replace("kept.append(state_of(output).clone())", "keep(output)")
LOOKS_AND_RETURNS = LOOKS_AND_RETURNS.replace(
    "        run(clean, part",
    """
        def keep(output, kept=kept):
            kept.append(state_of(output).clone())
            return kept[0]

        run(clean, part""",
)

WRONG = [
    # (exercise, answer, words that the message must contain)
    ("08.heads", hits(hit="word > 0 and int(others[word].argmax()) == head"), "the first word is"),
    (
        "08.patch",
        patch().replace("range(clean.shape[1])", "range(1, clean.shape[1])"),
        "the first position is left out",
    ),
    ("08.patch", LOOKS_AND_RETURNS, "a hook that only looks gives None"),
    ("08.tsne", tsne(value="(((p - q) * near)[..., None] * difference).sum(1)"), "factor 4"),
    ("08.tsne", tsne(value="-4 * (((p - q) * near)[..., None] * difference).sum(1)"), "turned"),
    ("08.tsne", tsne(value="4 * ((p - q)[..., None] * difference).sum(1)"), "is missing"),
    ("08.tsne", tsne(own="near"), "its own neighbour"),
    ("08.tsne", tsne(q="near / near.sum(1, keepdim=True)"), "the sum of its row"),
    ("08.tsne", tsne(q="near"), "not divided by the sum"),
    ("08.tsne", tsne(value="4 * ((p * near)[..., None] * difference).sum(1)"), "only the attr"),
    ("08.tsne", tsne(value="4 * (((p - q) * near)[..., None] * difference).mean(1)"), "mean over"),
    (
        "08.tsne",
        tsne(value="4 * (((p - q) * near)[..., None] * difference).sum((0, 1))"),
        "its own row",
    ),
    ("08.tsne", tsne(value="4 * (((p - q) * near)[..., None] * difference).sum(0)"), "turned"),
    ("08.tsne", tsne(near="1 / (1 + difference.norm(dim=-1))"), "must be squared"),
    (
        "08.tsne",
        tsne(q="(lambda b: b / b.sum())((-difference.square().sum(-1)).exp() - torch.eye(len(y)))"),
        "bell curve",
    ),
    ("08.tsne", tsne(value="2 * (((p - q) * near)[..., None] * difference).sum(1)"), "not 2"),
    ("08.tsne", tsne(value="[solution(p, y), y.zero_()][0]"), "changes what it was given"),
    ("08.unit", unit("return a.mean(0) - b.mean(0)"), "not divided by"),
    ("08.unit", unit("return (a.mean(0) - b.mean(0)).abs() / s"), "the sign is lost"),
    ("08.unit", unit("return (b.mean(0) - a.mean(0)) / s"), "turned round"),
    ("08.unit", unit("return (a.mean(0) - b.mean(0)) / s**2"), "take its root"),
    ("08.unit", unit("return (a.mean(0) - b.mean(0)) / x.std(0)"), "all rows together"),
    (
        "08.unit",
        unit("return (a.mean(0) - b.mean(0)) / (squares / len(x)).sqrt()"),
        "divided by n:",
    ),
    ("08.unit", unit("return (a.mean(0) - b.mean(0)) / a.std(0)"), "the positive rows alone"),
    (
        "08.unit",
        unit("return (a.mean(0) - b.mean(0)) / ((a.var(0) + b.var(0)) / 2).sqrt()"),
        "the same weight",
    ),
    (
        "08.unit",
        unit("return (a.mean(0) - b.mean(0)) / ((a.std(0) + b.std(0)) / 2)"),
        "mean of two deviations",
    ),
    (
        "08.unit",
        unit("return (a.mean(0) - b.mean(0)) / (a.var(0) / len(a) + b.var(0) / len(b)).sqrt()"),
        "t-value",
    ),
    ("08.unit", unit("return ((a.mean(0) - b.mean(0)) / s).numpy()"), "NumPy"),
    ("08.heads", hits(others="weights"), "leave the diagonal out"),
    ("08.heads", hits(hit="int(others[:, word].argmax()) == head"), "those are columns"),
    ("08.heads", hits(hit="int(others[head].argmax()) == word"), "ask the word"),
    ("08.heads", hits(hit="int(others[word].argmax()) != head"), "turned round"),
    ("08.heads", hits(asked="True"), "the root has no head"),
    ("08.heads", hits(asked="head > 0"), "one for each word but the root"),
    ("08.heads", hits(hit="int(others[word].argmax())"), "is it its head"),
    ("08.heads", hits(hit="float(others[word, head])"), "is it the largest"),
    ("08.heads", hits(hit="bool(others[word, head] > 0.5)"), "above one half"),
    ("08.heads", hits(hit="bool(others[word, head] > 1 / len(heads))"), "an equal share"),
    ("08.heads", hits(hit="True"), "every word"),
    ("08.heads", hits(value="sum(found) / len(found)"), "should be a list"),
    ("08.heads", hits(others="weights.fill_diagonal_(-1.0)"), "changes what it was given"),
    ("08.find_the_bug", BEHIND, "cut behind"),
    (
        "08.find_the_bug",
        cut(rest="result = run()\n    handle.remove()\n    return result"),
        "right where all goes well",
    ),
    ("08.find_the_bug", cut(rest="return run()"), "stays in the model after the run"),
    ("08.find_the_bug", cut(back="pass"), "nothing is cut"),
    ("08.find_the_bug", cut(zero="found[..., head] = 0.0"), "one number is cut"),
    (
        "08.find_the_bug",
        cut(zero="found[..., head :: attention.heads] = 0.0"),
        "belong to different heads",
    ),
    ("08.find_the_bug", cut(zero="found[:] = 0.0"), "all heads are cut"),
    (
        "08.find_the_bug",
        cut(zero="found[..., : head * size] = 0.0; found[..., (head + 1) * size :] = 0.0"),
        "all heads but this one",
    ),
    (
        "08.find_the_bug",
        cut(
            zero="other = (head + 1) % attention.heads; "
            "found[..., other * size : (other + 1) * size] = 0.0"
        ),
        "the wrong head",
    ),
    ("08.find_the_bug", WEIGHTS, "the weights of the model are changed"),
    (
        "08.find_the_bug",
        cut(
            rest="try:\n        return run()\n    except Exception:\n        return None\n"
            "    finally:\n        handle.remove()"
        ),
        "is swallowed",
    ),
    ("08.patch", patch(share="patched"), "the scores themselves"),
    ("08.patch", patch(share="patched - worst"), "not divided by the difference"),
    ("08.patch", patch(share="(patched - worst) / best"), "divided by the clean score"),
    ("08.patch", patch(share="(patched - best) / (best - worst)"), "from the clean score"),
    ("08.patch", patch(share="(best - patched) / (best - worst)"), "still missing"),
    (
        "08.patch",
        patch(first="corrupted", second="clean", base="clean"),
        "have changed places",
    ),
    ("08.patch", patch(put="state = kept[0]"), "patch *one* position"),
    ("08.patch", patch(put="state[:, at:] = kept[0][:, at:]"), "from this one on"),
    ("08.patch", patch(put="state[:, at] = 0.0"), "set to zero"),
    ("08.patch", patch(put="state[:, at] = kept[0][:, 0]"), "of the first position"),
    ("08.patch", patch(back="pass"), "a hook must *return*"),
    ("08.patch", patch(base="clean"), "run the *corrupted*"),
    ("08.patch", patch(rows="list(enumerate(parts))[1:]", value="found[1:]"), "embeddings"),
    ("08.patch", patch(value="found.T"), "rows are parts"),
    ("08.patch", patch(safe=UNSAFE), "right where all goes well"),
    ("08.patch", patch(safe=NEVER_OFF), "stay in the model"),
    ("08.patch", SWALLOWED, "is swallowed"),
    ("08.patch", LATE, "bind `at` in the hook"),
    (
        "08.patch",
        patch(back="return with_state(output, state) if not isinstance(output, tuple) else None"),
        "where a part gives a tuple",
    ),
    ("08.tsne", tsne(value="4 * (((p - q) * q)[..., None] * difference).sum(1)"), "not q"),
    ("08.tsne", tsne(value="4 * ((-q * near)[..., None] * difference).sum(1)"), "the repulsion"),
    ("08.tsne", tsne(q="near / near.triu().sum()"), "twice too large"),
    ("08.tsne", tsne(q="near / near.sum(0)"), "of its column"),
    ("08.tsne", SNE, "that is SNE"),
    (
        "08.tsne",
        tsne(value="4 * (((p - q).abs() * near)[..., None] * difference).sum(1)"),
        "all pairs attract",
    ),
    ("08.tsne", tsne(near="1 / (1 + difference.abs().sum(-1))"), "not their sizes"),
    ("08.unit", unit("return (a.mean(0) - b.mean(0)) / squares.sqrt()"), "is not divided by n - 2"),
    (
        "08.unit",
        unit("return (a.mean(0) - b.mean(0)) / s * (len(a) * len(b) / len(x)) ** 0.5"),
        "divide by s alone",
    ),
    (
        "08.unit",
        unit("return (a.mean(0) - b.mean(0)) / s * (1 - 3 / (4 * len(x) - 9))"),
        "Hedges",
    ),
    ("08.unit", unit("return (a.mean() - b.mean()) / s"), "one mean for all units"),
    ("08.unit", unit("return (a.mean(0) - b.mean(0)) / x.std()"), "one deviation for all units"),
    ("08.unit", unit("return (a.mean(0) - b.mean(0)) / b.std(0, correction=0)"), "the other rows"),
    (
        "08.unit",
        unit("return (a.mean(0) - b.mean(0)) / (a.var(0) + b.var(0)).sqrt()"),
        "the two variances are added",
    ),
    ("08.unit", unit("return (a.median(0).values - b.median(0).values) / s"), "medians"),
    ("08.unit", unit("return (a.sum(0) - b.sum(0)) / s"), "those are sums"),
    ("08.unit", unit("return ((a.mean(0) - b.mean(0)) / s).sort().values"), "in the order of the"),
    (
        "08.unit",
        unit("return torch.corrcoef(torch.stack([*x.T, positive.float()]))[-1, :-1]"),
        "a correlation",
    ),
    (
        "08.unit",
        unit(
            "q = (a - x.mean(0)).square().sum(0) + (b - x.mean(0)).square().sum(0)\n"
            "    return (a.mean(0) - b.mean(0)) / (q / (len(x) - 2)).sqrt()"
        ),
        "from the mean of all rows",
    ),
    ("08.unit", unit("x -= x.mean(0)\n    return (a.mean(0) - b.mean(0)) / s"), "changes what it"),
    ("08.heads", hits(hit="head in others[word].topk(2).indices.tolist()"), "only the largest"),
    (
        "08.heads",
        hits(hit="int(others[word].argmax()) == head or int(others[head].argmax()) == word"),
        "only the word is asked",
    ),
    ("08.heads", hits(hit="int(weights[word].topk(2).indices[1]) == head"), "always the second"),
    ("08.heads", hits(hit="int(weights[word].argmax()) in (word, head)"), "counts as a hit"),
    ("08.heads", hits(hit="abs(int(others[word].argmax()) - head) <= 1"), "neighbour of the head"),
    ("08.heads", hits(hit="word + 1 == head"), "the next word, whatever"),
    ("08.heads", hits(hit="int(others.argmax()) == head"), "each row has its own"),
    ("08.heads", hits(hit="bool(others[word, head] > others[head, word])"), "than comes back"),
    ("08.heads", hits(hit="int(others[word].argmin()) == head"), "is it the *largest*"),
    ("08.heads", FIRST_IS_ROOT, "the first word is left out"),
    ("08.heads", APART, "have come apart"),
    ("08.heads", hits(value="[found, heads.clear()][0]"), "changes what it was given"),
    (
        "08.find_the_bug",
        cut(rest=f"{TRY}attention.output._forward_pre_hooks.clear()"),
        "others have put in are gone",
    ),
    ("08.find_the_bug", cut(rest=f"attention.eval()\n    {TRY}handle.remove()"), "the modes"),
    (
        "08.find_the_bug",
        cut(rest=f"attention.requires_grad_(False)\n    {TRY}handle.remove()"),
        "requires_grad",
    ),
    ("08.find_the_bug", WEIGHTS_IN_DANGER, "the model stays changed"),
    ("08.find_the_bug", FORWARD.format(how="if True", end="if True"), "the model stays changed"),
    (
        "08.find_the_bug",
        cut(zero="found[:, -1, head * size : (head + 1) * size] = 0.0"),
        "at one position only",
    ),
    (
        "08.find_the_bug",
        cut(zero="found[0, ..., head * size : (head + 1) * size] = 0.0"),
        "in one text only",
    ),
    (
        "08.find_the_bug",
        cut(zero="found[..., head * size : (head + 1) * size - 1] = 0.0"),
        "ends *before* its end",
    ),
    ("08.patch", patch(back="return state"), "keeps the rest"),
    (
        "08.patch",
        patch(back="return (state,) if isinstance(output, tuple) else state"),
        "keeps the rest",
    ),
    ("08.patch", patch(rows="enumerate([model.embeddings, *model.blocks])"), "only some of them"),
    ("08.patch", patch(value="found.flip(0)"), "rows are turned round"),
    (
        "08.patch",
        patch(safe=SAFE.replace("score(model(ids))", "float(model(ids))")),
        "is never called",
    ),
    ("08.patch", patch(share="abs((patched - worst) / (best - worst))"), "the sign is lost"),
    ("08.patch", patch(share="(patched - worst) / (worst - best)"), "the sign is wrong"),
    ("08.patch", patch(value="found.clamp(0, 1)"), "cut off at 0 and 1"),
    ("08.patch", patch(put="state[:, at] += kept[0][:, at]"), "it takes the place"),
    ("08.patch", patch(put="state[:, : at + 1] = kept[0][:, : at + 1]"), "up to this one"),
    ("08.patch", patch(put="state[:, at] = kept[0][:, -1]"), "of the last position"),
    (
        "08.patch",
        patch().replace("run(clean, part, lambda", "run(corrupted, part, lambda"),
        "must be the *clean* one",
    ),
    ("08.patch", patch(safe=f"model.eval()\n        {SAFE}"), "the modes"),
    (
        "08.patch",
        patch(safe=SAFE.replace("handle.remove()", "part._forward_hooks.clear()")),
        "others have put in are gone",
    ),
    ("08.patch", patch(safe=FORWARDS), "the model stays"),
    ("08.patch", patch(share="patched / (best - worst)"), "is not taken away above"),
    (
        "08.patch",
        patch().replace("range(clean.shape[1])", "(clean != corrupted)[0].nonzero().flatten()"),
        "only positions whose tokens differ",
    ),
    ("08.patch", GIVEN_IDS, "all rows are alike"),
    ("08.patch", KEPT_ONCE, "in a list of its own"),
    ("08.patch", patch(value="None"), "is there a `return`"),
    ("08.patch", OWN_KEY, "KeyError"),
    (
        "08.patch",
        patch(safe=SAFE.replace("finally", "except Exception: raise ValueError\n        finally")),
        "raises another one",
    ),
    ("08.find_the_bug", WHOLE_GIVEN, "what `attention` is given"),
    (
        "08.find_the_bug",
        cut(zero="found[..., (head - 1) * size : head * size] = 0.0"),
        "heads count from 0",
    ),
    ("08.find_the_bug", NO_BIAS, "belongs to no head"),
    ("08.find_the_bug", cut(rest=IN_FINALLY), "without a `return` in a `finally`"),
    ("08.find_the_bug", cut(rest=TRY.replace("return ", "") + "handle.remove()"), "a `return`"),
    ("08.find_the_bug", cut(zero='{}["head"]'), "KeyError"),
    ("08.heads", hits(value="None"), "is there a `return`"),
    ("08.heads", hits(hit="word - 1 == head"), "the word before, whatever"),
    ("08.heads", SHORTER, "move up by one"),
    ("08.heads", hits(others="weights.triu(1)"), "only words to the right"),
    ("08.heads", hits(others="weights.tril(-1)"), "only words to the left"),
    ("08.heads", hits(hit="head in others[word].topk(3).indices.tolist()"), "three largest"),
    (
        "08.heads",
        hits(hit='"yes" if int(others[word].argmax()) == head else "no"'),
        "should hold True and False",
    ),
    ("08.heads", hits(hit="bool(others[word, head] > 0.2)"), "the list should be ["),
    ("08.unit", unit(f"return {GAP} / (({MEAN_SQUARES}) / (len(x) - 2)).sqrt()"), "averaged"),
    ("08.unit", unit(f"return {GAP} / ({MEAN_SQUARES}).sqrt()"), "averaged"),
    ("08.unit", unit(f"return {GAP} / (({MEAN_SQUARES}) / 2).sqrt()"), "the same weight"),
    ("08.unit", unit(f"return {GAP} / (squares.sqrt() / (len(x) - 2))"), "outside the root"),
    (
        "08.unit",
        unit(f"v = len(a) * a.var(0) + len(b) * b.var(0)\n    return {GAP} / (v / len(x)).sqrt()"),
        "divided by one less",
    ),
    ("08.unit", unit("return (a.mean(0) - x.mean(0)) / s"), "mean of all rows is taken away"),
    ("08.unit", unit(f"return ({GAP} / s) ** 2"), "d is squared"),
    ("08.unit", WHOLE_ROWS, "choose by the booleans"),
    (
        "08.tsne",
        tsne(near="1 / (difference.square().sum(-1) + torch.eye(len(y)))"),
        "the 1 in 1 / (1 + distance²) is forgotten",
    ),
    (
        "08.tsne",
        tsne(value="4 * (((p - q) * near)[..., None] * F.normalize(difference, dim=-1)).sum(1)"),
        "has the length 1",
    ),
    ("08.tsne", tsne(value="4 * ((p - q) * near) @ y"), "only $y_j$"),
    ("08.tsne", tsne(value="4 * ((p - q) * near).sum(1, keepdim=True) * y"), "only $y_i$"),
    (
        "08.tsne",
        tsne(q="(-difference.square().sum(-1) - 1e9 * torch.eye(len(y))).softmax(1)"),
        "a softmax of each row",
    ),
]

RIGHT = [
    ("08.tsne", "solution"),
    ("08.tsne", LOOPS),
    ("08.tsne", AUTOGRAD),
    ("08.tsne", tsne(own="near.clone().fill_diagonal_(0)")),
    ("08.tsne", tsne(near="1 / (1 + torch.cdist(y, y) ** 2)")),
    ("08.tsne", tsne(q="near / (near.triu().sum() * 2)")),
    ("08.tsne", tsne(value="4 * (w := (p - q) * near).sum(1, keepdim=True) * y - 4 * w @ y")),
    ("08.unit", "solution"),
    ("08.unit", unit("return torch.tensor(((a.mean(0) - b.mean(0)) / s).numpy())")),
    ("08.unit", unit("return a.mean(0) / s - b.mean(0) / s")),
    (
        "08.unit",
        unit(
            "v = ((len(a) - 1) * a.var(0) + (len(b) - 1) * b.var(0)) / (len(x) - 2)\n"
            "    return (a.mean(0) - b.mean(0)) / v**0.5"
        ),
    ),
    ("08.heads", "solution"),
    ("08.heads", hits(value="torch.tensor(found)")),
    ("08.heads", hits(asked="head != -1", hit="bool(others[word].argmax() == head)")),
    ("08.heads", hits(others="weights * (1 - torch.eye(len(weights)))")),
    ("08.heads", hits(hit="others[word].argmax() == head")),
    ("08.heads", hits(value="tuple(found)")),
    ("08.heads", hits(value="torch.tensor(found).numpy()")),
    ("08.heads", AT_ONCE),
    ("08.find_the_bug", "solution"),
    ("08.find_the_bug", LESS),
    ("08.find_the_bug", FORWARD.format(how="try", end="finally")),
    (
        "08.find_the_bug",
        cut(zero="found = found * (torch.arange(found.shape[-1]) // size != head)"),
    ),
    ("08.find_the_bug", cut()),
    ("08.find_the_bug", cut(back="return found")),
    (
        "08.find_the_bug",
        cut(
            rest="try:\n        result = run()\n    except Exception:\n        handle.remove()\n"
            "        raise\n    handle.remove()\n    return result"
        ),
    ),
    ("08.find_the_bug", WEIGHTS_BACK),
    ("08.patch", "solution"),
    ("08.patch", patch()),
    ("08.patch", ALL_AT_ONCE),
    ("08.patch", patch(safe=SAFE.replace("torch.no_grad()", "torch.inference_mode()"))),
    ("08.patch", patch(share="(worst - patched) / (worst - best)")),
    ("08.patch", KEPT_ONCE.replace("kept[0]", "kept[-1]")),
]
