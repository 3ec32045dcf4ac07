"""Chapter 02: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""


def place(pick):
    """A filter's answer that picks from ``scores``, those at every position."""
    return f"""
def best_match(x, weight, bias):
    n = len(weight)
    scores = torch.stack([(x[i:i + n] * weight).sum() + bias for i in range(len(x) - n + 1)])
    return {pick}
"""


def sides(*parts):
    """`both_ways` with these four lists, in terms of ``words``."""
    return f"lambda words: ({', '.join(parts)})"


READS, SAYS = '["<S>", *words]', '[*words, "</S>"]'
READS_BACK, SAYS_BACK = '["</S>", *words[::-1]]', '[*words[::-1], "<S>"]'
NO_REPEATS = '["</S>", *dict.fromkeys(words[::-1])]'


def step(gates="i, f, g, o", total="to_gates(x) + from_h(h)", cell="s(f) * c + s(i) * t(g)",
         out="project(s(o) * t(new))", back="h, new"):  # fmt: skip
    """The step of an LSTM, with some of its lines changed."""
    return f"""
def lstm_step(x, h, c, to_gates, from_h, project):
    s, t = torch.sigmoid, torch.tanh
    {gates} = ({total}).chunk(4, dim=-1)
    new = {cell}
    h = {out}
    return {back}
"""


def read(start="h, c = torch.zeros_like(x[:, 0]), x.new_zeros(len(x), dim)", each="",
         call="h, c = step(x[:, t], h, c)", join="new + x if number else new", layers="layers",
         back="x"):  # fmt: skip
    """The loop over layers and positions, with some of its lines changed."""
    return f"""
def read(x, layers, dim):
    first, h, c = x, torch.zeros_like(x[:, 0]), x.new_zeros(len(x), dim)
    for number, step in enumerate({layers}):
        {start}
        outputs = []
        for t in range(x.shape[1]):
            {each or "pass"}
            {call}
            outputs.append(h)
        new = torch.stack(outputs, 1)
        x = {join}
    return {back}
"""


def train(body, make="torch.optim.Adam(parameters, lr=rate)", batches="batches"):
    """A training loop with these lines in it."""
    lines = "\n        ".join(body.split("; "))
    return f"""
def train(parameters, loss, batches, rate):
    optimizer, losses = {make}, []
    for batch in {batches}:
        {lines}
    return losses
"""


LOOP = "v = loss(batch); optimizer.zero_grad(); v.backward(); optimizer.step(); " + (
    "losses.append(v.item())"
)


def backward(logits, targets="ids[:, :-1]", more=""):
    """`backward_loss` with these states and targets."""
    return f"""
def backward_loss(lstm, output, vectors, ids):
    read = lstm(vectors(ids).flip(1))[0]
    states, ahead = read.flip(1), lstm(vectors(ids))[0]
    logits = output({logits})
    return F.cross_entropy(logits.flatten(0, 1), {targets}.flatten()){more}
"""


def largest(score):
    """`by_vectors` that takes the sense with the largest score of vector v and uses x."""
    return f"""
def by_vectors(vector, labelled):
    def score(v, x):
        return float({score})
    return max(labelled, key=lambda sense: score(vector, labelled[sense]))
"""


def counting(score="sum(math.log((seen[w] + a) / total) for w in words)",
             total="seen.total() + a * size", use="use", uses="labelled[sense]",
             pick="max"):  # fmt: skip
    """Naive Bayes with some of its parts changed."""
    return f"""
def by_counting(words, labelled, a=1.0):
    size = len({{w for uses in labelled.values() for use in uses for w in use}})
    def score(sense):
        seen = Counter(w for use in {uses} for w in {use})
        total = {total}
        return {score}
    return {pick}(labelled, key=score)
"""


def mix(shares, rest="gamma * torch.einsum('l,l...->...', s, layers)"):
    """The scalar mix with these shares ``s``."""
    return f"""
def mix(layers, weights, gamma):
    s = {shares}
    return {rest}
"""


def groups(mixes, others, end=""):
    """Two groups of parameters."""
    return f"""
def groups(named, rate, mix_rate):
    mixes = {mixes}
    others = {others}
    return [{{"params": others, "lr": rate}}, {{"params": mixes, "lr": mix_rate}}]{end}
"""


MIXES = "[p for name, p in named if '.mixes.' in name]"
OTHERS = "[p for name, p in named if '.mixes.' not in name]"
COSINE = "F.cosine_similarity(v, x, dim=-1)"
CENTRED = "(x - x.mean(-1, keepdim=True))"

TURNED = f"""
def both_ways(words):
    ahead = {READS}, {SAYS}
    words.reverse()
    return *ahead, ["</S>", *words], [*words, "<S>"]
"""
GROWN = f"""
def both_ways(words):
    lists = {SAYS}, {READS_BACK}, {SAYS_BACK}
    words.insert(0, "<S>")
    return words, *lists
"""
POPPED = """
def train(parameters, loss, batches, rate):
    optimizer, losses = torch.optim.Adam(parameters, lr=rate), []
    while batches:
        value = loss(batches.pop(0))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses
"""
POURED = """
def by_counting(words, labelled, a=1.0):
    size = len({w for uses in labelled.values() for use in uses for w in use})
    def score(sense):
        poured = labelled[sense][0]
        for use in labelled[sense][1:]:
            poured += use
        return sum(math.log((poured.count(w) + a) / (len(poured) + a * size)) for w in words)
    return max(labelled, key=score)
"""

READER = """
class Reader(nn.Module):
    def __init__(self, words, width, dim):
        super().__init__()
        self.vectors = nn.Embedding(words, width)
        self.ahead = nn.LSTM(width, dim, num_layers=2, batch_first=True)
        self.back = nn.LSTM(width, dim, num_layers=2, batch_first=True)

    def states(self, ids):
        x = self.vectors(ids)
        ahead = self.ahead(x)[0]
        back = self.back(x.flip(1))[0].flip(1)
        return ahead, back
"""
BILM = """

class BiLM(Reader):
    def __init__(self, words, width, dim):
        super().__init__(words, width, dim)
        self.output = nn.Linear(dim, words)

    def losses(self, ids):
        ahead, back = self.states(ids)
        following = self.output(ahead[:, :-1]).flatten(0, 1)
        before = self.output(back[:, 1:]).flatten(0, 1)
        first = F.cross_entropy(following, ids[:, 1:].flatten())
        second = F.cross_entropy(before, ids[:, :-1].flatten())
        return first, second
"""
GUESS = """
    def guess(self, ids, share):
        ahead, back = self.states(ids)
        left = self.output(ahead[:, :-2]).log_softmax(-1)
        right = self.output(back[:, 2:]).log_softmax(-1)
        return left + right - share.log()
"""


def bilm(*changes, parts=READER + BILM + GUESS):
    """The biLM after some replacements (old, new)."""
    for old, new in changes:
        assert old in parts, old
        parts = parts.replace(old, new)
    return parts


SIMPLE = """
class BiLM(nn.Module):
    def __init__(self, words, width, dim):
        super().__init__()
        self.vectors, self.output = nn.Embedding(words, width), nn.Linear(dim, words)
        self.both = nn.ModuleList(nn.LSTM(width, dim, 2) for _ in range(2))
        self.dropout = nn.Dropout(0.1)

    def states(self, ids):
        x = self.dropout(self.vectors(ids.T))
        (ahead, _), (back, _) = self.both[0](x), self.both[1](x.flip(0))
        return [ahead.transpose(0, 1), back.flip(0).transpose(0, 1)]

    def losses(self, ids):
        states = self.states(ids)
        pairs = (states[0][:, :-1], ids[:, 1:]), (states[1][:, 1:], ids[:, :-1])
        return [
            -self.output(x).log_softmax(-1).gather(2, y[..., None]).mean() for x, y in pairs
        ]

    def guess(self, ids, share):
        ahead, back = (self.output(states) for states in self.states(ids))
        return (ahead[:, :-2] + back[:, 2:] - share.log()).log_softmax(-1)
"""
CELLS = (
    """
class BiLM(nn.Module):
    def __init__(self, words, width, dim):
        super().__init__()
        self.vectors, self.output = nn.Embedding(words, width), nn.Linear(dim, words)
        sizes = [width, dim, width, dim]
        self.cells = nn.ModuleList(nn.LSTMCell(size, dim) for size in sizes)
        self.dim = dim

    def run(self, x, cells):
        for cell in cells:
            h = c = torch.zeros(len(x), self.dim)
            new = []
            for t in range(x.shape[1]):
                h, c = cell(x[:, t], (h, c))
                new.append(h)
            x = torch.stack(new, 1)
        return x

    def states(self, ids):
        x = self.vectors(ids)
        return self.run(x, self.cells[:2]), self.run(x.flip(1), self.cells[2:]).flip(1)
"""
    + BILM[BILM.index("    def losses") :]
    + GUESS
)

WRONG = [
    ("02.bilm", bilm(("nn.Embedding(words, width)", "nn.Embedding(width, words)")), "rows of"),
    ("02.bilm", bilm(("self.vectors", "self.table")), "`self.vectors` should be"),
    ("02.bilm", bilm(("num_layers=2, ", "")), "two layers"),
    ("02.bilm", bilm(("self.back(", "self.ahead(")), "share their weights"),
    (
        "02.bilm",
        bilm(
            ("        self.back = nn.LSTM(width, dim, num_layers=2, batch_first=True)\n", ""),
            ("self.back(", "self.ahead("),
        ),
        "one LSTM for both",
    ),
    (
        "02.bilm",
        bilm(
            ("num_layers=2", "num_layers=2, bidirectional=True"),
        ),
        "bidirectional",
    ),
    ("02.bilm", bilm((", batch_first=True", "")), "batch_first=True"),
    ("02.bilm", bilm(("nn.LSTM(width, dim", "nn.LSTM(width, 2 * dim")), "`dim` cells"),
    ("02.bilm", READER, "`self.output` is missing"),
    ("02.bilm", bilm(parts=READER.split("    def states")[0]), "step 2"),
    ("02.bilm", bilm(parts=READER + BILM.split("    def losses")[0]), "step 4"),
    ("02.bilm", bilm(parts=READER + BILM), "step 5"),
    ("02.bilm", bilm(("[0].flip(1)", "[0]")), "order of reading"),
    ("02.bilm", bilm(("x.flip(1))[0].flip(1)", "x)[0]")), "reads from the left, too"),
    ("02.bilm", bilm(("return ahead, back\n", "return back, ahead\n")), "swapped: forward first"),
    ("02.bilm", bilm(("return ahead, back\n", "return torch.cat((ahead, back), -1)\n")), "two ten"),
    ("02.bilm", bilm(("x.flip(1)", "x.flip(0)")), "not the texts"),
    ("02.bilm", bilm(("return ahead, back\n", "return ahead[:, :-1], back[:, 1:]\n")), "the shape"),
    ("02.bilm", bilm(("nn.Linear(dim, words)", "nn.Linear(dim, width)")), "leads from `dim`"),
    ("02.bilm", bilm(("return first, second", "return first + second")), "do not add"),
    ("02.bilm", bilm(("return first, second", "return second, first")), "losses are swapped"),
    (
        "02.bilm",
        bilm(("ids[:, 1:].flatten())", "ids[:, 1:].flatten(), reduction='sum')")),
        "the mean was",
    ),
    ("02.bilm", bilm(("back[:, 1:]", "back[:, :-1]")), "the colleague's bug"),
    (
        "02.bilm",
        bilm(("back[:, 1:]", "back"), ("ids[:, :-1].flatten()", "ids.flatten()")),
        "backward state `t` predicts word `t`",
    ),
    ("02.bilm", bilm(("ahead[:, :-1]", "ahead[:, 1:]")), "move together"),
    ("02.bilm", bilm(("ids[:, :-1].flatten()", "ids[:, 1:].flatten()")), "backward state `t` p"),
    ("02.bilm", bilm(("self.output(back[:, 1:])", "self.output(ahead[:, :-1])")), "forward states"),
    (
        "02.bilm",
        bilm(("return first, second", "return first.detach(), second.detach()")),
        "no gradient reaches",
    ),
    ("02.bilm", bilm(("return first, second", "return first, second.detach()")), "back.weight"),
    ("02.bilm", bilm((" - share.log()", "")), "p(w) is missing"),
    ("02.bilm", bilm(("share.log()", "share.log_()")), "changes what it was given"),
    ("02.bilm", bilm(("x = self", "ids[:, 0] = 0; x = self")), "changes what it was given"),
    ("02.bilm", bilm(("nn.LSTM", "nn.GRU")), "this is `nn.GRU`"),
    ("02.bilm", bilm(("nn.LSTM", "nn.RNN")), "this is `nn.RNN`"),
    (
        "02.bilm",
        bilm(
            ("self.ahead = ", "self.other = nn.Embedding(words, width)\n        self.ahead = "),
            ("self.back(x.flip(1))", "self.back(self.other(ids).flip(1))"),
        ),
        "one table of words",
    ),
    ("02.bilm", bilm(("        return ahead, back\n", "        pass\n")), "`states` gives None"),
    ("02.bilm", bilm(("        return first, second", "        pass")), "`losses` gives None"),
    ("02.bilm", bilm(("return left + right", "left + right")), "`guess` gives None"),
    ("02.bilm", bilm((".log_softmax(-1)", ".log_softmax(1)")), "over the positions"),
    ("02.bilm", bilm(("ahead[:, :-2]", "ahead[:, 1:-1]")), "the forward state `t` has read"),
    ("02.bilm", bilm(("back[:, 2:]", "back[:, 1:-1]")), "the backward state `t` has read"),
    (
        "02.bilm",
        bilm(("ids[:, :-1].flatten())", "ids[:, :-1].flatten(), reduction='sum')")),
        "the mean was asked",
    ),
    ("02.bilm", bilm((" - share.log()", " + share.log()")), "subtract"),
    ("02.bilm", bilm((" - share.log()", " - share")), "logarithm of `share`"),
    ("02.bilm", bilm(("return left + right", "return left")), "words on the left"),
    (
        "02.bilm",
        bilm(("ahead[:, :-2]", "ahead[:, 1:-1]"), ("back[:, 2:]", "back[:, 1:-1]")),
        "have read it",
    ),
    ("02.bilm", bilm(("ahead[:, :-2]", "ahead[:, 2:]"), ("back[:, 2:]", "back[:, :-2]")), "on the"),
    ("02.bilm", bilm(("return left", "return left.exp()"), ("+ right -", "* right.exp() /"),
                     ("share.log()", "share")), "products of prob"),
    (
        "02.bilm",
        bilm(("ahead[:, :-2]", "ahead"), ("back[:, 2:]", "back")),
        "each inner position",
    ),
    # (exercise, answer, words that the message must contain)
    ("02.convolve", place("scores[-1]"), "overwrite"),
    ("02.convolve", place("scores[0]"), "first position"),
    ("02.convolve", place("scores[::2].max()"), "second position"),
    ("02.convolve", place("scores[::n].max()"), "overlap"),
    ("02.convolve", place("scores[:-1].max()"), "last position is left out"),
    ("02.convolve", place("scores.argmax()"), "argmax"),
    ("02.convolve", place("scores.mean()"), "mean over the positions"),
    ("02.convolve", place("scores.max() - bias"), "bias is missing"),
    ("02.convolve", place("scores.clamp(min=0).max()"), "do not start from 0"),
    ("02.convolve", place("scores.abs().max()"), "no absolute value"),
    ("02.convolve", place("scores"), "scores at all positions"),
    ("02.convolve", place("scores.max().detach()"), "no gradient"),
    ("02.convolve", place("scores.max().item()"), "no gradient"),
    ("02.convolve", "lambda x, w, b: solution(x, w.flip(0), b)", "reversed"),
    ("02.convolve", place("scores.logsumexp(0)"), "soft maximum"),
    ("02.convolve", place("scores.max() + (weight.numel() - 1) * bias"), "added once"),
    ("02.convolve", "lambda x, w, b: solution(F.pad(x, (0, 0, 1, 1)), w, b)", "zeros were added"),
    ("02.convolve", "lambda x, w, b: solution(x, w.detach(), b)", "does not reach"),
    ("02.convolve", place("torch.stack([(x[i:i + 3] * weight[:3]).sum() + bias "
                          "for i in range(len(x) - 2)]).max()"), "size of tensor"),
    ("02.both_ways", sides(READS, SAYS, READS, SAYS), "reverse the sentence"),
    ("02.both_ways", sides(SAYS, READS, READS_BACK, SAYS_BACK), "swapped"),
    ("02.both_ways", sides(READS, SAYS, SAYS_BACK, READS_BACK), "swapped"),
    (
        "02.both_ways",
        sides(READS, SAYS, '["<S>", *words[::-1]]', '[*words[::-1], "</S>"]'),
        "marks belong to the sentence",
    ),
    ("02.both_ways", sides("words", SAYS, READS_BACK, SAYS_BACK), "missing at one end"),
    ("02.both_ways", sides(READS, "words", READS_BACK, SAYS_BACK), "missing at one end"),
    (
        "02.both_ways",
        sides('["<S>", *words, "</S>"]', SAYS, READS_BACK, SAYS_BACK),
        "not read",
    ),
    (
        "02.both_ways",
        sides(READS, SAYS, '[*words, "</S>"]', '["<S>", *words]'),
        "reading order",
    ),
    ("02.both_ways", sides(READS, SAYS, NO_REPEATS, SAYS_BACK), "occurs twice"),
    ("02.both_ways", f"lambda words: ({READS}, {SAYS})", "four lists"),
    ("02.step", step(gates="i, f, o, g"), "another order"),
    ("02.step", step(gates="f, i, g, o"), "swapped"),
    ("02.step", step(total="to_gates(x)"), "add `from_h(h)`"),
    ("02.step", step(cell="s(i) * t(g)"), "old c is forgotten"),
    ("02.step", step(cell="s(f) * c + s(i) * s(g)"), "not a sigmoid"),
    ("02.step", step(cell="s(f) * c + s(i) * g"), "g needs a tanh"),
    ("02.step", step(cell="f * c + i * t(g)", out="project(o * t(new))"), "gates need a sigmoid"),
    ("02.step", step(out="project(s(o) * new)"), "tanh(c), not c"),
    ("02.step", step(out="project(s(o) * t(c))"), "old c: take the new one"),
    ("02.step", step(out="project(t(new))"), "output gate is missing"),
    ("02.step", step(out="s(o) * t(new)"), "not projected"),
    ("02.step", step(back="new, h"), "swapped in what you return"),
    ("02.step", step(back="h"), "two tensors"),
    ("02.step", step(out="project(s(o) * t(new)).detach()"), "no gradient"),
    ("02.step", step(cell="s(f) * c.detach() + s(i) * t(g)"), "does not reach"),
    ("02.read", read(back="x.detach()"), "no gradient"),
    ("02.read", read(layers="layers[:3]"), "last layer is left out"),
    ("02.read", read(start="h, c = torch.zeros_like(x[:, 0]), x.new_zeros(len(x), 5)"),
     "size of tensor"),
    ("02.read", read(join="new + x if number else x.copy_(new)"), "changed in place"),
    ("02.read", read(join="new"), "skip connection is missing"),
    ("02.read", read(join="new + x"), "first layer has no skip"),
    ("02.read", read(join="new + first if number else new"), "adds the words"),
    ("02.read", read(each="h, c = h * 0, c * 0"), "once per layer"),
    ("02.read", read(start="pass"), "run on from one layer"),
    ("02.read", read(call="h, _ = step(x[:, t], h, c)"), "c is not handed on"),
    ("02.read", read(layers="layers[:1]"), "only the first layer"),
    ("02.read", read(layers="layers[:-1]"), "last layer is left out"),
    ("02.read", read(back="x[:, -1]"), "keep the h of every position"),
    ("02.read", read(call="h, c = step(first[:, t], h, c)", join="new + first if number else new"),
     "hand each output on"),
    ("02.read", read(join="new.flip(1) + x if number else new.flip(1)",
                     call="h, c = step(x[:, -1 - t], h, c)"), "reads from the end"),
    ("02.train", train(LOOP.replace("optimizer.zero_grad(); ", "")), "add up from batch"),
    ("02.train", train(LOOP.replace("optimizer.step(); ", "")), "nothing is learned"),
    ("02.train", train(LOOP.replace("v.backward(); ", "")), "nothing is learned"),
    (
        "02.train",
        train("v = loss(batch); v.backward(); optimizer.zero_grad(); optimizer.step(); "
              "losses.append(v.item())"),
        "nothing is learned",
    ),
    ("02.train", train(LOOP, make="torch.optim.Adam(parameters)"), "rate is ignored"),
    ("02.train", train(LOOP, make="torch.optim.SGD(parameters, lr=rate)"), "plain SGD"),
    (
        "02.train",
        train("optimizer = torch.optim.Adam(parameters, lr=rate); " + LOOP),
        "make it once",
    ),
    ("02.train", train(LOOP.replace("loss(batch)", "loss(batches[0])")), "every batch"),
    ("02.train", train(LOOP.replace("v.backward()", "(-v).backward()")), "upside down"),
    ("02.train", train(LOOP, batches="batches[1:]"), "first batch"),
    ("02.train", train(LOOP.replace("losses.append(v.item())", "losses = [v.item()]")),
     "one loss per batch"),
    ("02.train", train(LOOP.replace("v.item()", "loss(batch).item()")), "before its update"),
    ("02.find_the_bug", backward("states", "ids"), "has read it"),
    ("02.find_the_bug", backward("states[:, :-1]", "ids[:, 1:]"), "still sees its target"),
    ("02.find_the_bug", backward("states[:, 1:]", "ids[:, 1:]"), "move together"),
    ("02.find_the_bug", backward("states[:, 2:]", "ids[:, :-2]"), "two steps away"),
    ("02.find_the_bug", backward("ahead[:, :-1]", "ids[:, 1:]"), "forward model"),
    ("02.find_the_bug", backward("ahead[:, 1:]"), "not reversed"),
    ("02.find_the_bug", backward("read[:, :-1]"), "order of reading"),
    ("02.find_the_bug", backward("read[:, 1:]"), "order of reading"),
    ("02.find_the_bug", backward("states[:, 1:]", more=".detach()"), "no gradient"),
    ("02.find_the_bug", backward("states[:, 1:]", more=".item()"), "no gradient"),
    ("02.find_the_bug", backward("states[:, 1:].detach()"), "does not reach"),
    ("02.find_the_bug", backward("states[:, 1:]", more=" * len(ids) * (ids.shape[1] - 1)"),
     "the sum"),
    ("02.find_the_bug", "lambda *parts: solution(*parts) * 0", "zero"),
    ("02.sense", largest("v @ x.mean(0)"), "long means win"),
    ("02.sense", largest("v @ x.sum(0)"), "many uses win"),
    ("02.sense", largest("-(v - x.mean(0)).norm()"), "short means win"),
    ("02.sense", largest(f"-{COSINE.replace('x', 'x.mean(0)', 1)}"), "farthest"),
    ("02.sense", largest(COSINE.replace("x", "x[0]", 1)), "only the first use"),
    ("02.sense", largest(COSINE.replace("x", "x[-1]", 1)), "only the last use"),
    ("02.sense", largest(f"{COSINE}.max()"), "nearest single use"),
    ("02.sense", largest(f"{COSINE}.mean()"), "mean of the cosines"),
    ("02.sense", largest(f"{COSINE}.sum()"), "sum of the cosines"),
    ("02.sense", largest("len(x)"), "vector is ignored"),
    ("02.sense", largest("x.mean(0).norm()"), "longest mean"),
    ("02.sense", "lambda vector, labelled: list(labelled)[0]", "first sense"),
    ("02.bayes", counting("sum((seen[w] + a) / total for w in words)"), "add their logarithms"),
    ("02.bayes", counting().replace("    size", "    a = 1.0\n    size"), "`a` is ignored"),
    (
        "02.bayes",
        counting("sum(math.log((seen[w] + a) / total) for w in words if seen[w])"),
        "smooth them",
    ),
    (
        "02.bayes",
        counting("sum(math.log((seen[w] + a) / total) for w in set(words))"),
        "repeated words count",
    ),
    ("02.bayes", counting(use="set(use)"), "must be counted"),
    ("02.bayes", counting(total="1"), "more text win"),
    ("02.bayes", counting(total="seen.total() + a * len(seen)"), "all senses together"),
    (
        "02.bayes",
        counting("math.log(len(labelled[sense])) + "
                 "sum(math.log((seen[w] + a) / total) for w in words)"),
        "labelled equally often",
    ),
    ("02.bayes", counting(pick="min"), "least probable"),
    ("02.bayes", counting(uses="labelled[sense][:1]"), "first labelled use"),
    ("02.bayes", "lambda words, labelled, a=1.0: list(labelled)[0]", "first sense"),
    ("02.mix", mix("weights"), "softmax first"),
    ("02.mix", mix("weights / weights.sum()"), "may still be negative"),
    ("02.mix", mix("weights.sigmoid()"), "sigmoid"),
    ("02.mix", mix("(gamma * weights).softmax(0) / gamma"), "outside of the softmax"),
    ("02.mix", mix("weights.log_softmax(0)"), "logarithm of the softmax"),
    ("02.mix", mix("weights.softmax(0) / gamma"), "gamma is missing"),
    ("02.mix", mix("weights.softmax(0) / len(layers)"), "mean in place of a sum"),
    ("02.mix", mix("None", "gamma * layers.mean(0)"), "where are the weights"),
    ("02.mix", mix("None", "gamma * layers[-1]"), "top layer alone"),
    ("02.mix", mix("None", "gamma * layers[weights.argmax()]"), "heaviest layer"),
    ("02.mix", "lambda *parts: solution(*parts).detach()", "no gradient"),
    ("02.mix", mix("weights.detach().softmax(0)"), "does not reach"),
    ("02.mix", mix("weights.softmax(0)", "float(gamma) * torch.einsum('l,l...->...', s, layers)"),
     "does not reach"),
    ("02.mix", mix("weights.softmax(0)", "1.7 * torch.einsum('l,l...->...', s, layers)"),
     "do not write a number"),
    ("02.mix", mix("weights.softmax(0)", "gamma * layers.mul_("
                   "s.view(-1, *[1] * (layers.ndim - 1))).sum(0)"), "changed in place"),
    ("02.normalise", "lambda x: (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True, "
     "correction=0) + 1e-5)", "over the words"),
    ("02.normalise", "lambda x: (x - x.mean(0)) / (x.std(0, correction=0) + 1e-5)",
     "over the layers"),
    ("02.normalise", "lambda x: (x - x.mean()) / x.std(correction=0)", "all layers together"),
    (
        "02.normalise",
        "lambda x: (x - x.mean((1, 2), keepdim=True)) / x.std((1, 2), keepdim=True, correction=0)",
        "for a whole layer",
    ),
    ("02.normalise", "lambda x: x / (x.std(-1, keepdim=True, correction=0) + 1e-5)",
     "mean is not subtracted"),
    ("02.normalise", f"lambda x: {CENTRED}", "only centred"),
    ("02.normalise", f"lambda x: {CENTRED} / (x.var(-1, keepdim=True, correction=0) + 1e-10)",
     "square root"),
    ("02.normalise", "lambda x: F.normalize(x, dim=-1)", "scaled to length one"),
    ("02.normalise", f"lambda x: F.normalize({CENTRED}, dim=-1)", "variance must be 1"),
    ("02.normalise", f"lambda x: {CENTRED} / x.std(-1, keepdim=True)", "vector of zeros"),
    ("02.normalise", "lambda x: x * 1", "nothing has changed"),
    ("02.normalise", "lambda x: solution(x).detach()", "no gradient"),
    ("02.normalise", "lambda x: x.sub_(x.mean(-1, keepdim=True)).div_("
     "x.std(-1, keepdim=True) + 1e-5)", "changed in place"),
    ("02.rates", groups(OTHERS, MIXES), "swapped"),
    ("02.rates", groups(MIXES, "[p for _, p in named]"), "two groups"),
    ("02.rates", groups(MIXES, OTHERS, "[1:]"), "in no group"),
    ("02.rates", groups(MIXES, OTHERS, "[:1]"), "in no group"),
    ("02.rates", groups("[]", "[p for _, p in named]"), "rate of all others"),
    ("02.rates", groups("[p for _, p in named]", "[]"), "all parameters have the rate"),
    ("02.rates", groups("[p for n, p in named if 'mix' in n]",
                        "[p for n, p in named if 'mix' not in n]"), "does not belong"),
    ("02.rates", groups("[p for n, p in named if n.endswith('gamma')]",
                        "[p for n, p in named if not n.endswith('gamma')]"), "belong"),
    ("02.rates", groups(MIXES.replace("[p ", "[(name, p) "), OTHERS.replace("[p ", "[(name, p) ")),
     "without their names"),
    ("02.rates", groups(MIXES.replace("[p ", "[p.clone() "), OTHERS), "copies: the optimiser"),
    ("02.rates", "lambda named, rate, mix_rate: solution(named, 0.01, 0.1)", "written in"),
    ("02.rates", "lambda named, rate, mix_rate: solution(named, rate, 10 * rate)", "written in"),
    ("02.rates", "lambda named, rate, mix_rate: [p for _, p in named]", "dictionaries"),
    ("02.convolve", place("torch.stack([(x[i:i + n] * weight).mean() + bias "
                          "for i in range(len(x) - n + 1)]).max()"), "averaged"),
    ("02.convolve", place("sum((x @ w).max() for w in weight) + bias"), "moves as a whole"),
    ("02.convolve", place("(x @ weight.T).max() + bias"), "single rows"),
    ("02.convolve", place("(scores.softmax(0) * scores).sum()"), "weighted mean"),
    ("02.both_ways", TURNED, "changed in place"),
    ("02.both_ways", GROWN, "changed in place"),
    ("02.both_ways", sides(f"' '.join({READS})", SAYS, READS_BACK, SAYS_BACK), "list of words"),
    ("02.both_ways", sides("[['<S>'], *([w] for w in words)]", SAYS, READS_BACK, SAYS_BACK),
     "list of words"),
    ("02.both_ways", sides(READS, SAYS, f"[w[::-1] for w in {READS_BACK}]", SAYS_BACK),
     "not their letters"),
    ("02.both_ways", sides(READS, SAYS, "['</S>', *sorted(words)]", SAYS_BACK), "another order"),
    ("02.step", step(gates="o, f, g, i"), "another order"),
    ("02.step", step(total="from_h(h)"), "add `to_gates(x)`"),
    ("02.step", step(cell="(1 - s(i)) * c + s(i) * t(g)"), "gate of its own"),
    ("02.step", step(cell="t(s(f) * c + s(i) * t(g))"), "no tanh around"),
    ("02.step", step(out="project(s(o) * t(new)) + h"), "no skip connection"),
    ("02.step", step(out="project(s(o) * t(new.detach()))"), "cut off"),
    ("02.step", step(out="project(s(o).detach() * t(new))"), "cut off"),
    ("02.step", step(cell="s(f) * c + s(i.detach()) * t(g)"), "cut off"),
    ("02.step", step(cell="c.mul_(s(f)).add_(s(i) * t(g))"), "changed in place"),
    ("02.read", read(call="h, c = step(x[:, t], h.detach(), c.detach())"), "cut off"),
    ("02.read", read(call="h, c = step(x[:, t], h, c.detach())"), "cut off"),
    ("02.read", read(join="new + x.detach() if number else new"), "cut off"),
    ("02.read", read(join="new + x if number > 1 else new"), "begins at the second"),
    ("02.read", read(join="new", call="h, c = step(x[:, t], h, c); h = h + x[:, t] * (number > 0)"),
     "only h goes on"),
    ("02.read", read(call="h, c = step(x[:, t], h * 0, c)"), "h is not handed on"),
    ("02.train", train(LOOP.replace("v.item()", "v")), "tensors"),
    ("02.train", train(LOOP.replace("v.item()", "v.detach()")), "tensors"),
    ("02.train", POPPED, "changed in place"),
    ("02.train", train(LOOP).replace("return losses", "return losses[-1]"), "list of all losses"),
    ("02.train", train(LOOP).replace("return losses", "pass"), "list of all losses"),
    ("02.train", train(LOOP, batches="batches[::-1]"), "opposite order"),
    ("02.train", train(LOOP, make="torch.optim.Adam(parameters, lr=0.1)"), "written in"),
    ("02.train", train(LOOP, make="torch.optim.RMSprop(parameters, lr=rate)"), "RMSprop"),
    ("02.find_the_bug", backward("torch.cat((states[:, 1:], 0 * states[:, :1]), 1)", "ids"),
     "no target"),
    ("02.find_the_bug", backward("states[:, -1:].expand(-1, ids.shape[1] - 1, -1)"),
     "from the last state"),
    ("02.find_the_bug", backward("states[:, 1:] + states[:, :-1]"), "still in it"),
    ("02.find_the_bug", backward("states[:, 1:-1]", "ids[:, :-2]"), "last word but one"),
    ("02.find_the_bug", backward("states[:1, 1:]", "ids[:1, :-1]"), "only the first text"),
    ("02.find_the_bug", backward("states[:, 1:] * 0"), "play no part"),
    ("02.find_the_bug", backward("states[:, 1:]", more=" / math.log(2)"), "in bits"),
    ("02.sense", largest("F.cosine_similarity(v, F.normalize(x, dim=-1).mean(0), dim=0)"),
     "length one"),
    ("02.sense", largest("F.cosine_similarity(v, x.median(0).values, dim=0)"), "median"),
    ("02.sense", largest("F.cosine_similarity(v, x.mean(0), dim=0).abs()"), "absolute value"),
    ("02.sense", largest("F.cosine_similarity(v - v.mean(), x.mean(0) - x.mean(), dim=0)"),
     "centred"),
    ("02.sense", largest("-len(x)"), "fewest uses"),
    ("02.sense", "lambda vector, labelled: list(labelled)[-1]", "whatever is asked"),
    ("02.sense", largest("F.cosine_similarity(v.div_(v.norm()), x.mean(0), dim=0)"),
     "changed in place"),
    ("02.sense", largest("F.cosine_similarity(v, x.div_(len(x)).sum(0), dim=0)"),
     "changed in place"),
    ("02.sense", "lambda vector, labelled: 0", "one of the keys"),
    ("02.bayes", counting(total="seen.total()"), "only above the line"),
    ("02.bayes", counting(total="seen.total() + size"), "multiply it by `a`"),
    ("02.bayes", counting(total="seen.total() + a"), "multiply it by V"),
    ("02.bayes", counting(total="len(labelled[sense]) + a * size"), "not the number of uses"),
    ("02.bayes", counting("math.prod(seen[w] / seen.total() for w in words)"), "left out"),
    ("02.bayes", counting("sum(seen[w] for w in words)"), "not divided"),
    ("02.bayes", counting().replace("    size", "    a = 0.1\n    size"), "`a` is ignored"),
    ("02.bayes", counting("sum(math.log((seen[w] + a) / total) for w in words "
                          "if any(w in use for uses in labelled.values() for use in uses))"),
     "no sense was seen with"),
    ("02.bayes", POURED, "changed in place"),
    ("02.bayes", counting(total="(words.sort() or seen.total()) + a * size"), "changed in place"),
    ("02.bayes", "lambda words, labelled, a=1.0: list(labelled)[-1]", "whatever is asked"),
    ("02.mix", mix("weights.exp()"), "not divided by their sum"),
    ("02.mix", mix("F.normalize(weights, dim=0)"), "length one"),
    ("02.mix", mix("weights.abs() / weights.abs().sum()"), "no absolute values"),
    ("02.mix", mix("weights.softmax(0)", "gamma * torch.einsum('l,l...->...', s, "
                   "F.layer_norm(layers, layers.shape[-1:]))"), "normalised first"),
    ("02.mix", mix("weights.softmax(0)", "gamma + torch.einsum('l,l...->...', s, layers)"),
     "gamma is added"),
    ("02.mix", mix("weights.softmax(0)", "gamma * gamma * torch.einsum('l,l...->...', s, layers)"),
     "multiplied twice"),
    ("02.mix", mix("weights.sub_(weights.max()).softmax(0)"), "changed in place"),
    ("02.normalise", f"lambda x: {CENTRED} / (x.std(-1, keepdim=True).detach() + 1e-5)", "cut off"),
    ("02.normalise", "lambda x: (x - x.mean(-1, keepdim=True).detach()) / "
     "(x.std(-1, keepdim=True) + 1e-5)", "cut off"),
    ("02.normalise", "lambda x: (x - x.mean(-1, keepdim=True).detach()) / "
     "(x.std(-1, keepdim=True).detach() + 1e-5)", "cut off"),
    ("02.normalise", f"lambda x: {CENTRED} / (x.std(-1, keepdim=True) + 1)", "must be tiny"),
    ("02.normalise", f"lambda x: {CENTRED} * x.std(-1, keepdim=True)", "divide by it"),
    ("02.normalise", "lambda x: x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-5)",
     "root mean square"),
    ("02.normalise", "lambda x: (x - x.amin(-1, keepdim=True)) / (x.amax(-1, keepdim=True) "
     "- x.amin(-1, keepdim=True) + 1e-5)", "scaled to 0 ... 1"),
    ("02.normalise", "lambda x: F.batch_norm(x.flatten(0, -2), None, None, training=True)"
     ".view(x.shape)", "for each component"),
    ("02.rates", groups(MIXES, "{p for name, p in named if '.mixes.' not in name}"),
     "PyTorch refuses it"),
    ("02.rates", groups(MIXES.replace("[p ", "[name "), OTHERS.replace("[p ", "[name ")),
     "names stand in the groups"),
    ("02.rates", groups("[named.pop(named.index(one))[1] for one in [*named] "
                        "if '.mixes.' in one[0]]",
                        "[p for _, p in named]"), "changed in place"),
    (
        "02.train",
        "lambda parameters, loss, batches, rate: solution(parameters[:1], loss, batches, rate)",
        "only one of the parameters",
    ),
    (
        "02.train",
        "lambda parameters, loss, batches, rate: solution(parameters[-1:], loss, batches, rate)",
        "only the last of the parameters",
    ),
    (
        "02.mix",
        "lambda layers, weights, gamma: solution(layers[:3], weights[:3], gamma)",
        "only the first three layers",
    ),
    (
        "02.mix",
        "lambda layers, weights, gamma: gamma * sum(s * one for s, one in "
        "zip(weights.softmax(0)[:3], layers[:3]))",
        "only the first three layers",
    ),
    ("02.step", step(cell="(s(f) * c + s(i) * t(g)).clamp(-3, 3)"), "c is cut off at 3"),
    ("02.step", step(out="project(s(o) * t(new)).clamp(-3, 3)"), "h is cut off at 3"),
    ("02.read", read(start="h, c = torch.zeros(2, 3), torch.zeros(2, dim)"), "size of tensor"),
    ("02.train", train(LOOP.replace("v.item()", "str(v.item())")), "they are texts"),
    ("02.train", train(LOOP).replace("return losses", "return losses, losses"),
     "list of the losses alone"),
    ("02.bayes", counting(total="seen.total() + a * len(words)"), "not of the words around"),
    ("02.bilm", bilm(("x = self.vectors(ids)", "x = F.dropout(self.vectors(ids), 0.5)")),
     "from call to call"),
]  # fmt: skip

RIGHT = [
    ("02.bilm", "solution"),
    ("02.bilm", bilm()),
    ("02.bilm", SIMPLE),
    ("02.bilm", bilm(("self.back(x.flip(1))", "self.back(self.vectors(ids.flip(1)))"))),
    ("02.bilm", bilm((".log_softmax(-1)", ""))),
    ("02.bilm", bilm(("num_layers=2", "num_layers=2, dropout=0.3"))),
    ("02.bilm", CELLS),
    ("02.bilm", bilm((".log_softmax(-1)", ""))),
    ("02.convolve", "solution"),
    (
        "02.convolve",
        "lambda x, w, b: torch.einsum('pdw,wd->p', x.unfold(0, len(w), 1), w).max() + b",
    ),
    ("02.convolve", "lambda x, w, b: F.conv1d(x.T[None], w.T[None], b.view(1)).max()"),
    ("02.both_ways", "solution"),
    ("02.both_ways", sides(READS, SAYS, 'SAYS[::-1]', 'READS[::-1]').replace(
        "SAYS", f"({SAYS})").replace("READS", f"({READS})")),
    ("02.step", "solution"),
    ("02.step", step()),
    ("02.read", "solution"),
    ("02.read", read()),
    ("02.train", "solution"),
    ("02.train", train(LOOP, make="torch.optim.AdamW(parameters, lr=rate)")),
    ("02.train", train("optimizer.zero_grad(); v = loss(batch); losses.append(float(v.detach())); "
                       "v.backward(); optimizer.step()")),
    ("02.find_the_bug", "solution"),
    ("02.find_the_bug", backward("read[:, :-1].flip(1)")),
    ("02.sense", "solution"),
    ("02.sense", largest("F.normalize(v, dim=0) @ F.normalize(x.mean(0), dim=0)")),
    ("02.sense", largest(COSINE.replace("x", "x.sum(0)", 1))),
    ("02.bayes", "solution"),
    ("02.bayes", counting(total="seen.total() + a * (size + 1)")),
    ("02.bayes", counting("math.prod((seen[w] + a) / total for w in words)")),
    ("02.mix", "solution"),
    ("02.mix", mix("weights.softmax(0)")),
    ("02.mix", mix("weights.exp() / weights.exp().sum()",
                   "gamma * sum(s[j] * layers[j] for j in range(len(layers)))")),
    ("02.normalise", "solution"),
    ("02.normalise", "lambda x: F.layer_norm(x, x.shape[-1:])"),
    ("02.normalise", f"lambda x: {CENTRED} / (x.std(-1, keepdim=True) + 1e-6)"),
    ("02.rates", "solution"),
    ("02.rates", groups(MIXES, OTHERS)),
    ("02.convolve", "lambda x, w, b: max((x[i:i + len(w)] * w).sum() "
     "for i in range(len(x) - len(w) + 1)) + b"),
    ("02.both_ways", "lambda words: (lambda s: (s[:-1], s[1:], s[:0:-1], s[-2::-1]))"
     "(['<S>', *words, '</S>'])"),
    ("02.both_ways", sides(READS, SAYS, f"reversed({SAYS})", f"reversed({READS})")),
    ("02.step", step(cell="c * f.sigmoid() + i.sigmoid() * (2 * s(2 * g) - 1)")),
    ("02.read", read(start="h, c = torch.zeros(len(x), x.shape[2]), torch.zeros(len(x), dim)",
                     call="h, c = step(x[:, t], h, c); outputs.append(h + x[:, t] * (number > 0))",
                     join="torch.stack(outputs[::2], 1)")),
    ("02.train", train("v = loss(batch); v.backward(); optimizer.step(); optimizer.zero_grad(); "
                       "losses += [float(v)]")),
    ("02.train", train(LOOP).replace("return losses", "return tuple(losses)")),
    ("02.find_the_bug", backward("read[:, :-1]", "ids.flip(1)[:, 1:]")),
    ("02.find_the_bug", backward("states.roll(-1, 1)[:, :-1]")),
    ("02.sense", largest("v @ x.mean(0) / x.mean(0).norm()")),
    ("02.sense", largest("-(F.normalize(v, dim=0) - F.normalize(x.mean(0), dim=0)).norm()")),
    ("02.bayes", counting("sum(math.log2(seen[w] + a) for w in words) "
                          "- len(words) * math.log2(total)")),
    ("02.mix", mix("weights.log_softmax(-1).exp()", "gamma * torch.tensordot(s, layers, 1)")),
    ("02.normalise", "lambda x: nn.LayerNorm(x.shape[-1])(x)"),
    ("02.normalise", f"lambda x: torch.nan_to_num({CENTRED} / x.std(-1, keepdim=True))"),
    ("02.normalise", f"lambda x: {CENTRED} / x.std(-1, keepdim=True).clamp(min=1e-6)"),
    ("02.normalise", f"lambda x: F.normalize({CENTRED}, dim=-1) * x.shape[-1] ** 0.5"),
    ("02.rates", "lambda named, rate, mix_rate: [{'params': [p], 'lr': mix_rate if '.mixes.' in n "
     "else rate} for n, p in named]"),
]  # fmt: skip
