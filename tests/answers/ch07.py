"""Chapter 07: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

from torch.nn import functional as F

LEARN = """
def learn_merges(counts, number):
    words = {{word: {spell} for word in {words}}}
    merges = []
    for _ in range({rounds}):
        pairs = Counter()
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += {weight}
        if not pairs:
            break
        best = {best}
        merges.append({kept})
        for word in words:
            words[word] = merge(words[word], best, "".join(best))
            {after}
    return {value}
"""
ONCE = """
def learn_merges(counts, number):
    pairs = Counter()
    for word, n in counts.items():
        symbols = [*word[:-1], word[-1] + "</w>"]
        for pair in zip(symbols, symbols[1:]):
            pairs[pair] += n
    return [pair for pair, _ in pairs.most_common(number)]
"""
NEVER = """
def learn_merges(counts, number):
    pairs = Counter()
    for word, n in counts.items():
        symbols = [*word[:-1], word[-1] + "</w>"]
        for pair in zip(symbols, symbols[1:]):
            pairs[pair] += n
    return [max(pairs, key=pairs.get)] * number
"""
RARE = "if not pairs or max(pairs.values()) < 2"
IN_A_WORD = "in dict.fromkeys(zip(symbols, symbols[1:]))"
ENDLESS = """
def learn_merges(counts, number):
    merges = solution(counts, number)
    return merges + [("", "")] * (number - len(merges))
"""
REPLACED = """
def learn_merges(counts, number):
    words = {word: " ".join([*word[:-1], word[-1] + "</w>"]) for word in counts}
    merges = []
    while len(merges) < number:
        pairs = Counter()
        for word, text in words.items():
            symbols = text.split()
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            return merges
        merges.append(max(pairs, key=pairs.get))
        for word, text in words.items():
            words[word] = text.replace(" ".join(merges[-1]), "".join(merges[-1]))
    return merges
"""
REPLACED_BPE = """
def bpe(symbols, merges):
    text = " ".join(symbols)
    for pair in merges:
        text = text.replace(" ".join(pair), "".join(pair))
    return text.split()
"""
BY_TEXT = """
def learn_merges(counts, number):
    words = [[list(word[:-1]) + [word[-1] + "</w>"], n] for word, n in counts.items()]
    merges = []
    while len(merges) < number:
        pairs = {}
        for symbols, n in words:
            for i in range(len(symbols) - 1):
                pair = symbols[i], symbols[i + 1]
                pairs[pair] = pairs.get(pair, 0) + n
        if not pairs:
            return merges
        best = max(pairs, key=pairs.get)
        merges.append(best)
        for row in words:
            row[0] = merge(row[0], best, best[0] + best[1])
    return merges
"""
BPE = """
def bpe(symbols, merges):
    pieces = list(symbols)
    for pair in {merges}:
        {before}
        pieces = merge(pieces, pair, "".join(pair))
    return {value}
"""
RANKED = """
def bpe(symbols, merges):
    rank = {{pair: i for i, pair in enumerate(merges)}}
    pieces = list(symbols)
    while True:
        fit = [pair for pair in zip(pieces, pieces[1:]) if pair in rank]
        if not fit:
            return pieces
        pair = {choose}(fit, key=rank.get)
        pieces = merge(pieces, pair, pair[0] + pair[1])
"""
LEFTMOST = """
def bpe(symbols, merges):
    pieces, i = list(symbols), 0
    while i < len(pieces) - 1:
        if (pieces[i], pieces[i + 1]) in merges:
            pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
            i = 0
        else:
            i += 1
    return pieces
"""
ONE_PLACE = """
def bpe(symbols, merges):
    pieces = list(symbols)
    for left, right in merges:
        for i in range(len(pieces) - 1):
            if pieces[i] == left and pieces[i + 1] == right:
                pieces[i : i + 2] = [left + right]
                break
    return pieces
"""
LONGEST = """
def bpe(symbols, merges):
    known = {left + right for left, right in merges}
    found, start = [], 0
    while start < len(symbols):
        ends = range(len(symbols), start, -1)
        end = next((e for e in ends if "".join(symbols[start:e]) in known), start + 1)
        found.append("".join(symbols[start:end]))
        start = end
    return found
"""
IN_PLACE_BPE = """
def bpe(symbols, merges):
    for pair in merges:
        symbols[:] = merge(symbols, pair, "".join(pair))
    return symbols
"""
EMPTIED = """
def bpe(symbols, merges):
    pieces = list(symbols)
    while merges:
        pair = merges.pop(0)
        pieces = merge(pieces, pair, "".join(pair))
    return pieces
"""
LM = """
def lm_loss(logits, ids, mask):
    wanted = {wanted}
    given, targets = {given}, {targets}
    return {value}
"""
MEANS = """
def lm_loss(logits, ids, mask):
    rows = []
    for row, i, m in zip(logits, ids, mask):
        n = int(m.sum())
        rows.append(F.cross_entropy(row[: n - 1], i[1:n]))
    return torch.stack(rows).mean()
"""
IGNORED = """
def lm_loss(logits, ids, mask):
    targets = ids.masked_fill(mask == 0, -100)[:, 1:]
    return F.cross_entropy(logits[:, :-1].mT, targets)
"""
LOOPED = """
def lm_loss(logits, ids, mask):
    found = []
    for row in range(len(ids)):
        for t in range(1, ids.shape[1]):
            if mask[row, t]:
                found.append(-logits[row, t - 1].log_softmax(0)[ids[row, t]])
    return sum(found) / len(found)
"""
MARKED = """
def lm_loss(logits, ids, mask):
    ids[mask == 0] = -100
    return F.cross_entropy(logits[:, :-1].mT, ids[:, 1:])
"""
NUCLEUS = """
def limited(p, top_p):
    ordered, order = p.sort(descending={descending})
    spare = {spare}
    result = p.clone()
    result[{where}] = 0.0
    return {value}
"""
UNSORTED = """
def limited(p, top_p):
    result = p * (p.cumsum(0) - p < top_p)
    return result / result.sum()
"""
IN_PLACE_NUCLEUS = """
def limited(p, top_p):
    ordered, order = p.sort(descending=True)
    p[order[ordered.cumsum(0) - ordered >= top_p]] = 0.0
    p /= p.sum()
    return p
"""
ALL_EQUAL = """
def limited(p, top_p):
    ordered = p.sort(descending=True).values
    least = ordered[ordered.cumsum(0) - ordered < top_p].min()
    result = p * (p >= least)
    return result / result.sum()
"""
SCATTERED = """
def limited(p, top_p):
    ordered, order = torch.sort(p, descending=True)
    n = int((ordered.cumsum(0) < top_p).sum()) + 1
    kept = torch.zeros_like(p)
    kept[order[:n]] = ordered[:n]
    return kept / kept.sum()
"""
LOOP_NUCLEUS = """
def limited(p, top_p):
    result, total = torch.zeros_like(p), 0.0
    for i in p.argsort(descending=True).tolist():
        if total >= top_p:
            break
        result[i] = p[i]
        total += p[i].item()
    return result / total
"""
GENERATE = """
def generate(read, draw, ids, steps, temperature, top_p, end):
    text = {begin}
    new, past = {first}, None
    for _ in range({rounds}):
        logits, past = read(new, {past})
        p = {p}
        token = draw(p)
        {before_end}text.append(token)
        if token == {end}:
            break
        new = {next}
    return {value}
"""
LATE_END = """
def generate(read, draw, ids, steps, temperature, top_p, end):
    text, new, past = list(ids), list(ids), None
    for _ in range(steps):
        logits, past = read(new, past)
        token = draw(nucleus((logits / temperature).softmax(-1), top_p))
        if token == end:
            break
        text.append(token)
        new = [token]
    return text
"""
RECURSIVE = """
def generate(read, draw, ids, steps, temperature, top_p, end):
    def go_on(text, new, past, left):
        if left == 0:
            return text
        logits, past = read(new, past)
        token = draw(nucleus(torch.softmax(logits / temperature, 0), top_p))
        text = text + [token]
        return text if token == end else go_on(text, [token], past, left - 1)
    return go_on(list(ids), list(ids), None, steps)
"""
READ_AFTER = """
def generate(read, draw, ids, steps, temperature, top_p, end):
    text = list(ids)
    logits, past = read(text, None)
    for _ in range(steps):
        token = draw(nucleus((logits / temperature).softmax(-1), top_p))
        text.append(token)
        if token == end:
            break
        logits, past = read([token], past)
    return text
"""
BIT_BY_BIT = """
def generate(read, draw, ids, steps, temperature, top_p, end):
    text, new, past = list(ids), [ids[-1]], None
    for token in ids[:-1]:
        past = read([token], past)[1]
    for _ in range(steps):
        logits, past = read(new, past)
        new = [draw(nucleus((logits / temperature).softmax(-1), top_p))]
        text += new
        if new == [end]:
            break
    return text
"""
ASK = """
def zero_shot(read, context, endings, start, longest):
    scores = []
    for ending in endings:
        ids = {ids}
        logits = read(torch.tensor(ids))
        log_p = {log_p}
        told = [log_p[t - {shift}, ids[t]] for t in range({places})]
        scores.append({score})
    return {value}
"""
GATHERED = """
def zero_shot(read, context, endings, start, longest):
    scores = []
    for ending in endings:
        ids = torch.tensor(([start] + context + ending)[-longest:])
        log_p = read(ids)[:-1].log_softmax(-1)
        scores.append(log_p.gather(1, ids[1:, None])[-len(ending):, 0].mean().item())
    return scores.index(max(scores)), scores
"""
BY_LOSS = """
def zero_shot(read, context, endings, start, longest):
    scores = []
    for ending in endings:
        ids = torch.tensor([start, *context, *ending][-longest:])
        n = len(ending)
        scores.append(-F.cross_entropy(read(ids)[-n - 1:-1], ids[-n:]))
    scores = torch.stack(scores)
    return int(scores.argmax()), scores.tolist()
"""
GROWING = """
def zero_shot(read, context, endings, start, longest):
    answer = solution(read, context, endings, start, longest)
    context += endings[0]
    return answer
"""
ONE_BY_ONE = """
def zero_shot(read, context, endings, start, longest):
    scores = []
    for ending in endings:
        text, told = [start, *context], []
        for token in ending:
            told.append(float(read(torch.tensor(text[-longest:]))[-1].log_softmax(-1)[token]))
            text.append(token)
        scores.append(sum(told) / len(told))
    return scores.index(max(scores)), scores
"""
ENDLESS_CONTEXT = """
def zero_shot(read, context, endings, start, longest):
    scores, before = [], [start, *context]
    for ending in endings:
        before = before + ending
        ids, n = torch.tensor(before[-longest:]), len(ending)
        scores.append(float(-F.cross_entropy(read(ids)[-n - 1 : -1], ids[-n:])))
    return scores.index(max(scores)), scores
"""
FINE_TUNE = """
def fine_tune(read, output, examples, optimizer, schedule, passes, batch_size, auxiliary):
    losses = []
    for _ in range({passes}):
        for first in range(0, {last}, batch_size):
            some = examples[first : first + batch_size]
            longest = max(len(e["input_ids"]) for e in some)
            ids = torch.zeros(len(some), longest, dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, e in enumerate(some):
                text = e["input_ids"]
                ids[row, {place}] = torch.tensor(text)
                mask[row, {place}] = 1
            {change}
            labels = torch.tensor([e["labels"] for e in some])
            states, words = read(ids, mask)
            rows, ends = torch.arange(len(some)), mask.sum(1) - 1
            loss = joint_loss(output({state}), labels, words, ids, mask, {auxiliary})
            {zero}
            {loss}.backward()
            {step}
            losses.append({kept})
        {after_pass}
    return {value}
"""
BY_LIBRARY = """
def fine_tune(read, output, examples, optimizer, schedule, passes, batch_size, auxiliary):
    losses = []
    for update in range(passes * math.ceil(len(examples) / batch_size)):
        first = update % math.ceil(len(examples) / batch_size) * batch_size
        texts = [torch.tensor(e["input_ids"]) for e in examples[first : first + batch_size]]
        labels = torch.tensor([e["labels"] for e in examples[first : first + batch_size]])
        lengths = torch.tensor([len(text) for text in texts])
        ids = nn.utils.rnn.pad_sequence(texts, batch_first=True)
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        states, words = read(ids, mask)
        ends = (lengths - 1)[:, None, None].expand(-1, 1, states.shape[-1])
        scores = output(states.gather(1, ends)[:, 0])
        optimizer.zero_grad()
        loss = joint_loss(scores, labels, words, ids, mask, auxiliary)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss))
    return losses
"""
AS_WIDE_AS_ALL = """
def fine_tune(read, output, examples, optimizer, schedule, passes, batch_size, auxiliary):
    width, losses = max(len(e["input_ids"]) for e in examples), []
    for _ in range(passes):
        for i in range(0, len(examples), batch_size):
            texts = [e["input_ids"] for e in examples[i : i + batch_size]]
            ids = torch.tensor([text + [5] * (width - len(text)) for text in texts])
            mask = torch.tensor([[1.0] * len(x) + [0.0] * (width - len(x)) for x in texts])
            labels = torch.tensor([e["labels"] for e in examples[i : i + batch_size]])
            states, words = read(ids, mask)
            last = torch.stack([row[len(x) - 1] for row, x in zip(states, texts)])
            loss = joint_loss(output(last), labels, words, ids, mask, auxiliary)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            losses += [loss.item()]
    return losses
"""
CHOICES = """
def choices(context, answers, start, delimiter, extract):
    return [{one} for answer in {answers}]
"""
GROWN = """
def choices(context, answers, start, delimiter, extract):
    found, row = [], [start, *context]
    for answer in answers:
        row += [delimiter, *answer]
        found.append([*row, extract])
    return found
"""
FLAT = """
def choices(context, answers, start, delimiter, extract):
    row = [start, *context]
    for answer in answers:
        row += [delimiter, *answer]
    return [[*row, extract]]
"""
CHANGED_CHOICES = """
def choices(context, answers, start, delimiter, extract):
    context.insert(0, start)
    return [context + [delimiter] + answer + [extract] for answer in answers]
"""
APPENDED = """
def choices(context, answers, start, delimiter, extract):
    found = []
    for answer in answers:
        row = [start]
        row.extend(context)
        row.append(delimiter)
        row.extend(answer)
        row.append(extract)
        found.append(row)
    return found
"""
BUG = """
def both_losses(scores, labels, words, ids, mask, auxiliary=0.5):
    targets = {targets}
    task = {task}
    text = F.cross_entropy(words[:, :-1].mT, targets{how})
    return {value}
"""
TWICE = """
def both_losses(scores, labels, words, ids, mask, auxiliary=0.5):
    wanted = mask[:, 1:].bool()
    text = F.cross_entropy(words[:, :-1][wanted], ids[:, 1:][wanted])
    return torch.nn.CrossEntropyLoss()(scores, labels) + auxiliary * text
"""
UNSHIFTED = """
def both_losses(scores, labels, words, ids, mask, auxiliary=0.5):
    wanted = mask[:, :-1].bool()
    text = F.cross_entropy(words[:, :-1][wanted], ids[:, 1:][wanted])
    return F.cross_entropy(scores, labels) + auxiliary * text
"""
MARKED_BUG = """
def both_losses(scores, labels, words, ids, mask, auxiliary=0.5):
    ids[mask == 0] = -100
    text = F.cross_entropy(words[:, :-1].mT, ids[:, 1:])
    return F.cross_entropy(scores, labels) + auxiliary * text
"""


def nucleus_by_library(p, top_p):
    """For the answers that call the learner's own."""
    ordered, order = p.sort(descending=True)
    result = p.clone()
    result[order[ordered.cumsum(0) - ordered >= top_p]] = 0.0
    return result / result.sum()


def loss_by_library(scores, labels, words, ids, mask, auxiliary=0.5):
    """For the answers that call the learner's own."""
    targets = ids.masked_fill(mask == 0, -100)[:, 1:]
    text = F.cross_entropy(words[:, :-1].mT, targets)
    return F.cross_entropy(scores, labels) + auxiliary * text


GIVEN = {"nucleus": nucleus_by_library, "joint_loss": loss_by_library}


def learn(**changes):
    usual = {"spell": '[*word[:-1], word[-1] + "</w>"]', "words": "counts", "rounds": "number"}
    usual |= {"weight": "counts[word]", "best": "max(pairs, key=pairs.get)", "kept": "best"}
    return LEARN.format(**{**usual, "after": "pass", "value": "merges", **changes})


def bpe(merges="merges", before="pass", value="pieces"):
    return BPE.format(merges=merges, before=before, value=value)


def lm(**changes):
    usual = {"wanted": "mask[:, 1:].bool()", "given": "logits[:, :-1]", "targets": "ids[:, 1:]"}
    usual["value"] = "F.cross_entropy(given[wanted], targets[wanted])"
    return LM.format(**{**usual, **changes})


def limited(**changes):
    usual = {"descending": "True", "spare": "ordered.cumsum(0) - ordered >= top_p"}
    usual |= {"where": "order[spare]", "value": "result / result.sum()"}
    return NUCLEUS.format(**{**usual, **changes})


def written(**changes):
    usual = {"begin": "list(ids)", "first": "list(ids)", "rounds": "steps", "past": "past"}
    usual |= {"p": "nucleus((logits / temperature).softmax(-1), top_p)", "end": "end"}
    usual |= {"before_end": "", "next": "[token]", "value": "text"}
    return GENERATE.format(**{**usual, **changes})


def asked(**changes):
    usual = {"ids": "[start, *context, *ending][-longest:]", "log_p": "logits.log_softmax(-1)"}
    usual |= {"shift": "1", "places": "len(ids) - len(ending), len(ids)"}
    usual |= {"score": "float(sum(told) / len(told))"}
    return ASK.format(**{**usual, "value": "(scores.index(max(scores)), scores)", **changes})


def chosen(one="[start, *context, delimiter, *answer, extract]", answers="answers"):
    return CHOICES.format(one=one, answers=answers)


def mended(**changes):
    usual = {"targets": "ids.masked_fill(mask == 0, -100)[:, 1:]", "how": ""}
    usual |= {"task": "F.cross_entropy(scores, labels)", "value": "task + auxiliary * text"}
    return BUG.format(**{**usual, **changes})


def tuned(**changes):
    usual = {"passes": "passes", "last": "len(examples)", "place": ": len(text)", "change": "pass"}
    usual |= {"state": "states[rows, ends]", "auxiliary": "auxiliary", "loss": "loss"}
    usual |= {"zero": "optimizer.zero_grad()", "step": "optimizer.step(); schedule.step()"}
    usual |= {"kept": "loss.item()", "after_pass": "pass", "value": "losses"}
    return FINE_TUNE.format(**{**usual, **changes})


WRONG = [
    ("07.learn_merges", learn(weight="1"), "as often as it occurs"),
    ("07.learn_merges", learn(spell="list(word)"), "not marked"),
    ("07.learn_merges", learn(spell='[*word, "</w>"]'), "belongs to the last letter"),
    ("07.learn_merges", ONCE, "count again after each merge"),
    (
        "07.learn_merges",
        learn(after='if words[word] and "".join(best) in words[word]: break'),
        "join it in all",
    ),
    ("07.learn_merges", learn(best="min(pairs, key=pairs.get)"), "rarest pair"),
    (
        "07.learn_merges",
        learn(best="max(list(pairs)[::-1], key=pairs.get)"),
        "the one that was met first",
    ),
    ("07.learn_merges", learn(value='["".join(pair) for pair in merges]'), "return the pairs"),
    ("07.learn_merges", learn(rounds="number + 1"), "not one more"),
    ("07.learn_merges", learn(rounds="number - 1"), "not one less"),
    ("07.learn_merges", learn(value="merges[::-1]"), "learned first comes first"),
    ("07.learn_merges", learn(value="counts.clear() or merges"), "changes what it was given"),
    ("07.learn_merges", ENDLESS, "no pair is left"),
    (
        "07.learn_merges",
        learn(best="max(pairs, key=lambda pair: (pairs[pair], pair))"),
        "the one that was met first",
    ),
    (
        "07.learn_merges",
        learn(best="min(pairs, key=lambda pair: (-pairs[pair], pair))"),
        "the one that was met first",
    ),
    ("07.learn_merges", learn(value="(merges, words)"), "pairs of symbols, alone"),
    ("07.learn_merges", NEVER, "learned twice"),
    ("07.learn_merges", learn().replace("in zip(symbols, symbols[1:])", IN_A_WORD), "word twice"),
    ("07.learn_merges", learn(after="pass").replace("if not pairs", RARE), "and not before"),
    (
        "07.learn_merges",
        learn(words="sorted(counts)"),
        "the words were sorted",
    ),
    ("07.bpe", EMPTIED, "changes what it was given"),
    ("07.bpe", bpe(merges="merges[::-1]"), "learned *first*"),
    ("07.bpe", bpe(merges="merges[:1]"), "only the first merge"),
    ("07.bpe", bpe(merges="merges[:-1]"), "to its last pair"),
    ("07.bpe", LEFTMOST, "from the left, as WordPiece"),
    ("07.bpe", RANKED.format(choose="max"), "learned *first*"),
    ("07.bpe", ONE_PLACE, "wherever it stands"),
    ("07.bpe", LONGEST, "from the left, as WordPiece"),
    ("07.bpe", IN_PLACE_BPE, "changes what it was given"),
    ("07.bpe", bpe(value='" ".join(pieces)'), "a list of pieces"),
    ("07.bpe", "lambda symbols, merges: [''.join(symbols)]", "everything was joined"),
    ("07.bpe", bpe(value='[piece.removesuffix("</w>") for piece in pieces]'), "the mark"),
    (
        "07.bpe",
        "lambda symbols, merges: solution(symbols, merges) if len(merges) > 1 else list(symbols)",
        "not for another",
    ),
    ("07.lm_loss", lm(wanted="mask.bool()", given="logits", targets="ids"), "nothing is shifted"),
    ("07.lm_loss", lm(given="logits[:, 1:]", targets="ids[:, :-1]"), "the wrong way"),
    ("07.lm_loss", lm(wanted="mask[:, 1:] >= 0"), "padding is among"),
    ("07.lm_loss", lm(wanted="mask[:, :-1].bool()"), "mask must be shifted"),
    ("07.lm_loss", lm(wanted="ids[:, 1:] != 0"), "token 0 is left out"),
    ("07.lm_loss", MEANS, "a mean for each text"),
    (
        "07.lm_loss",
        "lambda logits, ids, mask: F.cross_entropy("
        "(logits * mask[..., None])[:, :-1].mT, ids[:, 1:])",
        "logits of zero still cost",
    ),
    (
        "07.lm_loss",
        "lambda logits, ids, mask: F.cross_entropy(logits[:, -2], ids[:, -1])",
        "only the last place",
    ),
    (
        "07.lm_loss",
        lm(value='F.cross_entropy(given[wanted], targets[wanted], reduction="sum")'),
        "the sum",
    ),
    (
        "07.lm_loss",
        lm(value='F.cross_entropy(given[wanted], targets[wanted], reduction="sum") / len(ids)'),
        "number of texts",
    ),
    (
        "07.lm_loss",
        lm(value='F.cross_entropy(given[wanted], targets[wanted], reduction="sum") / mask.sum()'),
        "the first is no target",
    ),
    (
        "07.lm_loss",
        lm(
            value='F.cross_entropy(given[wanted], targets[wanted], reduction="sum")'
            " / wanted.numel()"
        ),
        "all places",
    ),
    (
        "07.lm_loss",
        lm(value="F.cross_entropy(given[wanted].softmax(-1), targets[wanted])"),
        "takes the softmax itself",
    ),
    ("07.lm_loss", lm(value="F.cross_entropy(given[wanted], targets[wanted]).item()"), "gradient"),
    (
        "07.lm_loss",
        lm(value="F.cross_entropy(given[wanted], targets[wanted]).detach()"),
        "gradient",
    ),
    ("07.lm_loss", lm(value="F.cross_entropy(given[wanted], targets[wanted]).exp()"), "perplexity"),
    ("07.lm_loss", lm(value="F.nll_loss(given[wanted], targets[wanted])"), "these are logits"),
    (
        "07.lm_loss",
        lm(value="F.nll_loss(given.log_softmax(1)[wanted], targets[wanted])"),
        "the last axis",
    ),
    ("07.lm_loss", lm(value="F.cross_entropy(given[wanted], targets[wanted]) / 0.693147"), "bits"),
    ("07.lm_loss", MARKED, "changes what it was given"),
    ("07.nucleus", limited(spare="ordered.cumsum(0) > top_p"), "crosses the line"),
    ("07.nucleus", limited(spare="ordered.cumsum(0) - ordered > top_p"), "one token too many"),
    ("07.nucleus", ALL_EQUAL, "equally likely"),
    ("07.nucleus", limited(value="(result / result.sum()).tolist()"), "return a tensor"),
    ("07.nucleus", limited(value="result"), "adds up to one"),
    (
        "07.nucleus",
        limited(value="(result / result.sum()).sort(descending=True).values"),
        "but sorted",
    ),
    (
        "07.nucleus",
        limited(value="result.masked_fill(result == 0, -torch.inf).softmax(0)"),
        "a softmax of probabilities",
    ),
    ("07.nucleus", limited(value="result.softmax(0)"), "zeros positive again"),
    ("07.nucleus", limited(where="spare"), "give it back its places"),
    ("07.nucleus", limited(descending="False"), "unlikeliest were kept"),
    ("07.nucleus", UNSORTED, "sort them first"),
    (
        "07.nucleus",
        "lambda p, top_p: p * (p >= top_p) / max((p * (p >= top_p)).sum(), 1e-9)",
        "a limit for each token",
    ),
    ("07.nucleus", limited(value="(result > 0) / (result > 0).sum()"), "keep their shares"),
    ("07.nucleus", limited(value="(result > 0).float()"), "which are left"),
    ("07.nucleus", limited(spare="ordered.cumsum(0) - ordered >= 0.6"), "use `top_p`"),
    ("07.nucleus", limited(value="result / top_p"), "divided by `top_p`"),
    ("07.nucleus", limited(spare="ordered.cumsum(0) - 2 * ordered >= top_p"), "one token too many"),
    ("07.nucleus", limited(spare="ordered.cumsum(0) - ordered < top_p"), "to be kept is gone"),
    (
        "07.nucleus",
        "lambda p, top_p: p * (p >= top_p * p.max()) / (p * (p >= top_p * p.max())).sum()",
        "a limit for each token",
    ),
    ("07.nucleus", IN_PLACE_NUCLEUS, "changes what it was given"),
    ("07.generate", written(past="None"), "the past is not handed over"),
    ("07.generate", written(past="None", next="list(text)"), "reads all of it again"),
    ("07.generate", written(next="list(text)"), "give only what is new"),
    ("07.generate", written(p="(logits / temperature).softmax(-1)"), "nucleus is not used"),
    (
        "07.generate",
        written(p="nucleus(logits.softmax(-1), top_p)"),
        "divide the logits by it first",
    ),
    (
        "07.generate",
        written(p="nucleus((logits * temperature).softmax(-1), top_p)"),
        "*divided* by",
    ),
    (
        "07.generate",
        written(p="(nucleus(logits.softmax(-1), top_p).log() / temperature).softmax(-1)"),
        "divide the logits by it first",
    ),
    ("07.generate", written(before_end="token = int(p.argmax()); "), "that `draw` gave"),
    (
        "07.generate",
        written(p="nucleus((logits / temperature).softmax(-1), 0.9)"),
        "use `top_p`, not 0.9",
    ),
    (
        "07.generate",
        written(p="nucleus(logits / temperature, top_p).softmax(-1)"),
        "first the softmax, then the nucleus",
    ),
    (
        "07.generate",
        written(p="nucleus((logits / temperature).softmax(-1), top_p).softmax(-1)"),
        "zeros positive again",
    ),
    ("07.generate", written(rounds="steps - len(ids)"), "not fewer"),
    ("07.generate", written(value="(text, past)"), "a list of ids alone"),
    ("07.generate", written(begin="[]"), "the prompt is missing"),
    ("07.generate", written(begin="ids"), "begin with a copy"),
    ("07.generate", written(rounds="steps - 1"), "one token is missing"),
    ("07.generate", written(rounds="steps + 1"), "not more"),
    ("07.generate", written(end="None"), "stop when it was drawn"),
    ("07.generate", LATE_END, "keeps the token that ends it"),
    ("07.generate", READ_AFTER, "nobody asks what follows"),
    ("07.generate", written(value="' '.join(map(str, text))"), "a list of ids"),
    ("07.zero_shot", asked(score="float(sum(told))"), "take the mean"),
    ("07.zero_shot", asked(places="1, len(ids)"), "context is scored, too"),
    ("07.zero_shot", asked(shift="0"), "nothing is shifted"),
    ("07.zero_shot", asked(score="float(told[0])"), "only the first token"),
    ("07.zero_shot", asked(score="float(told[-1])"), "only the last token"),
    ("07.zero_shot", asked(ids="[start, *ending]"), "context is not read"),
    ("07.zero_shot", asked(ids="[*context, *ending][-longest:]"), "stand in front"),
    ("07.zero_shot", asked(log_p="logits"), "these are logits"),
    ("07.zero_shot", asked(log_p="logits.log_softmax(0)"), "the last axis"),
    ("07.zero_shot", asked(log_p="logits.softmax(-1)"), "take their logarithms"),
    ("07.zero_shot", asked(ids="[start, *context, *ending]"), "at most `longest`"),
    ("07.zero_shot", asked(ids="[start, *context, *ending][:longest]"), "cut in front"),
    ("07.zero_shot", asked(score="-float(sum(told) / len(told))"), "these are losses"),
    (
        "07.zero_shot",
        asked(value="(scores.index(min(scores)), scores)"),
        "*un*likeliest",
    ),
    ("07.zero_shot", asked(value="(scores.index(max(scores)) + 1, scores)"), "counted from 0"),
    ("07.zero_shot", asked(value="scores.index(max(scores))"), "expected a pair"),
    ("07.zero_shot", asked(value="(scores, scores.index(max(scores)))"), "expected a pair"),
    ("07.zero_shot", asked(value="(0, scores)"), "the best is number 1"),
    ("07.zero_shot", asked(score="float(sum(told) / len(ids))"), "length of the whole text"),
    (
        "07.zero_shot",
        asked(score="float(sum(told[1:]) / max(len(told) - 1, 1))"),
        "the first token of the ending counts",
    ),
    (
        "07.zero_shot",
        asked(ids="[start, *[*context, *ending][1 - longest :]]"),
        "what is cut is the beginning, `start` too",
    ),
    ("07.zero_shot", asked(score="float((sum(told) / len(told)).exp())"), "are probabilities"),
    (
        "07.zero_shot",
        asked(score="float(sum(told) / (len(told) + 1))"),
        "one more than there are tokens",
    ),
    ("07.zero_shot", ENDLESS_CONTEXT, "earlier endings are still there"),
    ("07.zero_shot", ONE_BY_ONE, "cut again"),
    (
        "07.zero_shot",
        asked(ids="[start, *context, *ending][1 - longest :]"),
        "one token less is read",
    ),
    ("07.zero_shot", GROWING, "changes what it was given"),
    ("07.choices", chosen("[start, *context, delimiter, *answer]"), "extract token is missing"),
    ("07.choices", chosen("[*context, delimiter, *answer, extract]"), "start token is missing"),
    ("07.choices", chosen("[start, *context, *answer, extract]"), "the delimiter does"),
    (
        "07.choices",
        chosen("[start, *context, extract, *answer, delimiter]"),
        "have changed places",
    ),
    ("07.choices", chosen("[start, *answer, delimiter, *context, extract]"), "context comes first"),
    ("07.choices", chosen(answers="answers[:1]"), "only the first answer"),
    ("07.choices", chosen("[start, context, delimiter, answer, extract]"), "with a star"),
    (
        "07.choices",
        chosen("[start, *context, delimiter, *answers[0], extract]"),
        "every sequence has the first answer",
    ),
    ("07.choices", chosen(answers="answers[:2]"), "take all `answers`"),
    (
        "07.choices",
        chosen("[start, *context, delimiter, *answer, delimiter, extract]"),
        "a delimiter stands behind the answer",
    ),
    ("07.choices", GROWN, "begin each sequence afresh"),
    ("07.choices", FLAT, "one sequence with all answers"),
    ("07.choices", CHANGED_CHOICES, "changes what it was given"),
    ("07.choices", chosen("[7, *context, 8, *answer, 9]"), "other marks"),
    ("07.find_the_bug", mended(targets="ids[:, 1:]"), "padding is among"),
    ("07.find_the_bug", mended(value="task + text"), "not multiplied"),
    ("07.find_the_bug", mended(value="task"), "is gone"),
    ("07.find_the_bug", mended(value="auxiliary * text"), "loss of the task is gone"),
    ("07.find_the_bug", mended(value="auxiliary * task + text"), "belongs to the next tokens"),
    ("07.find_the_bug", mended(value="task + 0.5 * text"), "not for 0.2"),
    ("07.find_the_bug", mended(value="(task + auxiliary * text).item()"), "gradient"),
    (
        "07.find_the_bug",
        mended(task="F.cross_entropy(scores, labels, ignore_index=0)"),
        "class 0 is still left out",
    ),
    (
        "07.find_the_bug",
        mended(targets="ids[:, 1:]", how=", ignore_index=0"),
        "taken for padding",
    ),
    (
        "07.find_the_bug",
        mended(task='F.cross_entropy(scores, labels, reduction="sum")'),
        "over the examples, not",
    ),
    (
        "07.find_the_bug",
        mended(targets="ids.masked_fill(mask == 0, -100)[:, :-1]"),
        "nothing is shifted",
    ),
    (
        "07.find_the_bug",
        mended(value="(1 - auxiliary) * task + auxiliary * text"),
        "keeps its whole weight",
    ),
    ("07.find_the_bug", UNSHIFTED, "mask must be shifted"),
    ("07.find_the_bug", MARKED_BUG, "changes what it was given"),
    (
        "07.find_the_bug",
        mended(
            value="task + auxiliary * torch.stack([F.cross_entropy(w[:-1], t) for w, t in "
            "zip(words, targets)]).mean()"
        ),
        "a mean for each text",
    ),
    (
        "07.find_the_bug",
        mended(how=', reduction="none").mean(', value="task + auxiliary * text"),
        "padding is no target",
    ),
    (
        "07.find_the_bug",
        "lambda scores, labels, words, ids, mask, auxiliary=0.5: F.cross_entropy(scores, labels) "
        "+ auxiliary * F.cross_entropy(words[mask > 0], ids[mask > 0])",
        "nothing is shifted",
    ),
    ("07.fine_tune", tuned(state="states[:, -1]"), "that of padding"),
    ("07.fine_tune", tuned(state="states[:, 0]"), "the first state"),
    ("07.fine_tune", tuned(state="states[rows, ends - 1]"), "before the extract token"),
    ("07.fine_tune", tuned(state="states.mean(1)"), "padding too"),
    (
        "07.fine_tune",
        tuned(state="(states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)"),
        "the mean of all states",
    ),
    ("07.fine_tune", tuned(state="states[rows, ends].detach()"), "does not reach the model"),
    ("07.fine_tune", tuned(change="mask = torch.ones_like(ids)"), "a one for padding"),
    ("07.fine_tune", tuned(change="mask = (ids != 0).long()"), "token 0 is taken for padding"),
    ("07.fine_tune", tuned(place="longest - len(text) :"), "padding stands in front"),
    (
        "07.fine_tune",
        tuned(place="longest - len(text) :", state="states[:, -1]"),
        "padding stands in front",
    ),
    ("07.fine_tune", tuned(auxiliary="0.5"), "hand `auxiliary` on"),
    ("07.fine_tune", tuned(auxiliary="0"), "next tokens are not learned"),
    ("07.fine_tune", tuned(auxiliary="1"), "without `auxiliary`"),
    ("07.fine_tune", tuned(zero="pass"), "add up from batch to batch"),
    ("07.fine_tune", tuned(step="schedule.step()"), "nothing is learned"),
    (
        "07.fine_tune",
        tuned(zero="pass", step="optimizer.zero_grad(); optimizer.step(); schedule.step()"),
        "nothing is learned",
    ),
    ("07.fine_tune", tuned(step="optimizer.step()"), "the rate never changes"),
    (
        "07.fine_tune",
        tuned(step="optimizer.step()", after_pass="schedule.step()"),
        "once for each pass",
    ),
    ("07.fine_tune", tuned(step="schedule.step(); optimizer.step()"), "before the update"),
    ("07.fine_tune", tuned(loss="(loss * len(some))"), "multiplied by the number of texts"),
    ("07.fine_tune", tuned(loss="(-loss)"), "upside down"),
    ("07.fine_tune", tuned(passes="1"), "one pass only"),
    ("07.fine_tune", tuned(last="len(examples) - batch_size + 1"), "the last batch of a pass"),
    ("07.fine_tune", tuned(kept="loss"), "the list holds tensors"),
    ("07.fine_tune", tuned(kept="loss.item() / len(some)"), "the list is not"),
    ("07.fine_tune", tuned(value="losses[-1]"), "a list of losses"),
    ("07.fine_tune", tuned(value="torch.tensor(losses)"), "a list of losses"),
    ("07.fine_tune", tuned(value="losses[-1:]"), "inside a loop"),
    ("07.fine_tune", tuned().replace("return losses", "pass"), "is there a `return`"),
    (
        "07.fine_tune",
        tuned().replace(", batch_size):", ", 8):").replace("+ batch_size", "+ 8"),
        "one update for each pass",
    ),
    ("07.fine_tune", tuned(zero="first or optimizer.zero_grad()"), "within a pass"),
    ("07.fine_tune", tuned(zero="output.zero_grad()"), "the new layer alone"),
    (
        "07.fine_tune",
        tuned().replace("ids, mask, aux", "ids, torch.ones_like(mask), aux"),
        "padding is learned",
    ),
    (
        "07.fine_tune",
        tuned().replace("words, ids, mask, aux", "words[:, :-1], ids[:, 1:], mask[:, 1:], aux"),
        "shifted twice",
    ),
    (
        "07.fine_tune",
        tuned().replace('e["labels"] for e in some', 'e["labels"] for e in examples[: len(some)]'),
        "those of the first batch",
    ),
    ("07.fine_tune", tuned(loss="(loss / len(some))"), "divided once more"),
    (
        "07.fine_tune",
        tuned().replace("labels, words,", "labels, words.detach(),"),
        "detach nothing",
    ),
    (
        "07.fine_tune",
        tuned().replace("= read(ids, mask)", "= [x.detach() for x in read(ids, mask)]"),
        "cut the gradient",
    ),
    (
        "07.fine_tune",
        tuned().replace("words = read(ids, mask)", "words = read(ids, mask.clone().fill_(1))"),
        "a one for padding",
    ),
    ("07.fine_tune", tuned(value="losses[:: len(losses) // passes]"), "one loss for each pass"),
    (
        "07.fine_tune",
        tuned(after_pass="examples.append(examples.pop(0))"),
        "the examples were changed",
    ),
    ("07.fine_tune", tuned(change="some = some[::-1]"), "the weights are not those"),
    (
        "07.learn_merges",
        "lambda counts, number: solution({w.lower(): n for w, n in counts.items()}, number)",
        "a capital is a letter",
    ),
    (
        "07.bpe",
        "lambda symbols, merges: solution(symbols, merges) if len(symbols) > 1 else []",
        "a word of one letter",
    ),
    ("07.nucleus", "lambda p, top_p: solution(p, 0.9)", "0.9 is written in"),
    ("07.zero_shot", asked(score="float(sum(told) / len(told)) / math.log(2)"), "these are bits"),
    (
        "07.find_the_bug",
        mended(task="F.cross_entropy(scores.softmax(-1), labels)"),
        "takes the softmax itself",
    ),
    (
        "07.find_the_bug",
        mended(value="(task + auxiliary * text) / (1 + auxiliary)"),
        "added, not averaged",
    ),
    (
        "07.find_the_bug",
        "lambda scores, labels, words, ids, mask, auxiliary=0.5: F.cross_entropy(scores, labels) "
        "+ auxiliary * F.cross_entropy(words[:, 1:][mask[:, 1:] > 0], ids[:, 1:][mask[:, 1:] > 0])",
        "state and target move together",
    ),
    (
        "07.find_the_bug",
        "lambda scores, labels, words, ids, mask, auxiliary=0.5: F.cross_entropy(scores, labels) "
        "+ auxiliary * F.cross_entropy(words[:, 1:][mask[:, 1:] > 0], "
        "ids[:, :-1][mask[:, 1:] > 0])",
        "shifted the wrong way",
    ),
    ("07.learn_merges", REPLACED, "joins whole symbols"),
    (
        "07.learn_merges",
        learn(words="sorted(counts, key=counts.get, reverse=True)"),
        "do not sort them",
    ),
    ("07.bpe", REPLACED_BPE, "replacing text"),
    (
        "07.lm_loss",
        lm(value="F.cross_entropy(given[wanted], targets[wanted]), wanted.sum()"),
        "the mean loss alone",
    ),
    ("07.generate", written().replace("if token == end", "if end in text"), "in the prompt"),
    ("07.zero_shot", asked(ids="[start, *context[-5:], *ending][-longest:]"), "step 4"),
    ("07.choices", chosen("[start, *context[:3], delimiter, *answer, extract]"), "not cut"),
    ("07.choices", chosen(answers="sorted(answers)"), "not sorted"),
    ("07.find_the_bug", mended(value="(task, auxiliary * text)"), "not a pair"),
    ("07.fine_tune", tuned(kept="str(loss.item())"), "holds texts"),
]

RIGHT = [
    ("07.learn_merges", "solution"),
    ("07.learn_merges", learn()),
    ("07.learn_merges", BY_TEXT),
    ("07.learn_merges", learn(value="[list(pair) for pair in merges]")),
    ("07.bpe", "solution"),
    ("07.bpe", bpe()),
    ("07.bpe", RANKED.format(choose="min")),
    ("07.lm_loss", "solution"),
    ("07.lm_loss", lm()),
    ("07.lm_loss", IGNORED),
    ("07.lm_loss", LOOPED),
    ("07.nucleus", "solution"),
    ("07.nucleus", limited()),
    ("07.nucleus", LOOP_NUCLEUS),
    ("07.nucleus", SCATTERED),
    ("07.generate", "solution"),
    ("07.generate", written()),
    ("07.generate", RECURSIVE),
    ("07.generate", written(value="tuple(text)")),
    ("07.generate", BIT_BY_BIT),
    ("07.zero_shot", "solution"),
    ("07.zero_shot", asked()),
    ("07.zero_shot", GATHERED),
    ("07.zero_shot", BY_LOSS),
    ("07.choices", "solution"),
    ("07.choices", chosen()),
    ("07.choices", APPENDED),
    ("07.find_the_bug", "solution"),
    ("07.find_the_bug", mended()),
    ("07.find_the_bug", TWICE),
    ("07.fine_tune", "solution"),
    ("07.fine_tune", tuned()),
    ("07.fine_tune", BY_LIBRARY),
    ("07.fine_tune", tuned(state="(F.one_hot(ends, longest)[..., None] * states).sum(1)")),
    ("07.fine_tune", tuned(value="tuple(losses)")),
    ("07.fine_tune", AS_WIDE_AS_ALL),
]
