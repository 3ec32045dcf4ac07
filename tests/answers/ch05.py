"""Chapter 05: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`)."""

from torch.nn import functional as F

from minibert.course.learn.exercises.bert_input import Choose, Mask


def cross_entropy_at(hidden, table, bias, labels):
    """The loss of the masked words, for the answers that call it."""
    wanted = labels != -100
    return F.cross_entropy(hidden[wanted] @ table.T + bias, labels[wanted])


GIVEN = {"choose": Choose.choose, "hide": lambda *given: Mask.hide(given)}
GIVEN |= {"mlm_loss": cross_entropy_at}
PRETRAIN = """
def train(model, batches, top, draw, mask_id):
    losses, steps = [], len(batches)
    table, bias = model.encoder.embeddings.word.weight, model.output.decoder.bias
    optimizer = {optimizer}
    schedule = mb.optim.linear(steps, warmup={warmup})
    {before}
    for step, batch in enumerate({batches}):
        {anew}
        ids, follows = batch["input_ids"], batch["next_sentence_label"]
        {numbers}
        seen, labels = hide(ids, choose({maskable}, noise), fate, drawn, mask_id)
        states = model.read({read})
        words = mlm_loss({hidden}, table, bias, {labels})
        pairs = F.cross_entropy(model.next({first}), {follows})
        {rate}
        {zero}
        {backward}
        {clip}
        {step}
        losses.append({noted})
    return {value}
"""
PIECES = """
def wordpiece(word, pieces):
    found, start = [], 0
    while start < len(word):
        ends = [e for e in range(start + 1, len(word) + 1)
                if {mark} + word[start:e] in pieces]
        if not ends:
            return {none}
        end = {choice}
        found.append({piece})
        start = end
    return {value}
"""
EMBED = """
def embed(ids, segments, words, positions, kinds):
    word, position, kind = words[ids], positions[:ids.shape[1]], kinds[segments]
    total = {total}
    return {value}
"""
CHOOSE = """
def choosing(maskable, noise, share=0.15):
    n = maskable.sum(1, keepdim=True)
    rank = {order}.argsort(1).argsort(1)
    return {value}
"""
CENTRED = "total - total.mean(-1, keepdim=True)"
PUSHED = "noise.masked_fill(~maskable, 2.0)"
HIDE = """
def hiding(ids, chosen, fate, drawn, mask_id):
    labels = {labels}
    seen = torch.where({first}, mask_id, ids)
    seen = torch.where({second}, drawn, seen)
    return {value}
"""
LOSS = """
def loss_at(hidden, table, bias, labels):
    wanted = {wanted}
    logits = hidden[wanted] @ table.T + {bias}
    each = F.cross_entropy(logits, labels[wanted], reduction="none")
    return {value}
"""
BUG = """
def pretraining_loss(words, labels, weights, pairs, follows):
    each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
    w = weights.flatten()
    nsp = F.cross_entropy(pairs, follows)
    return {value}
"""
MLM = "(each * w).sum() / w.sum()"
FILL = """
def fill_in(logits, ids, tokens, k):
    gaps = (ids == {mask}).nonzero()[:, 0].tolist()
    shares = {shares}
    found = []
    for position in gaps:
        best = shares[{position}].topk({k}, largest={largest})
        pairs = zip(best.indices.tolist(), best.values.tolist())
        found.append([({name}, {share}) for i, p in pairs])
    return {value}
"""
COUNT = """
def parameters(V, dim, layers, hidden, positions=512):
    linear = dim * dim + dim
    embeddings = {embeddings}
    block = {block}
    return {value}
"""


def pieces(**changes):
    usual = {"mark": '("##" if start else "")', "none": '["[UNK]"]', "choice": "max(ends)"}
    usual |= {"piece": '("##" if start else "") + word[start:end]', "value": "found"}
    return PIECES.format(**{**usual, **changes})


def embed(total="word + position + kind", value="F.layer_norm(total, total.shape[-1:], eps=1e-12)"):
    return EMBED.format(total=total, value=value)


def choose(order=PUSHED, value="(rank < (share * n).round().clamp(min=1)) & maskable"):
    return CHOOSE.format(order=order, value=value)


def hide(**changes):
    usual = {"labels": "torch.where(chosen, ids, -100)", "first": "chosen & (fate < 0.8)"}
    usual |= {"second": "chosen & (fate >= 0.8) & (fate < 0.9)", "value": "seen, labels"}
    return HIDE.format(**{**usual, **changes})


def loss(value="each.mean()", wanted="labels != -100", bias="bias"):
    return LOSS.format(value=value, wanted=wanted, bias=bias)


def fill(**changes):
    usual = {"mask": "tokens.index('[MASK]')", "shares": "logits.softmax(-1)"}
    usual |= {
        "position": "position",
        "k": "k",
        "largest": "True",
        "name": "tokens[i]",
        "share": "p",
        "value": "found",
    }
    return FILL.format(**{**usual, **changes})


def count(**changes):
    usual = {
        "embeddings": "(V + positions + 2) * dim + 2 * dim",
        "value": "embeddings + layers * block + linear",
    }
    usual["block"] = "4 * linear + (dim * hidden + hidden) + (hidden * dim + dim) + 4 * dim"
    return COUNT.format(**{**usual, **changes})


BACKTRACKING = """
def wordpiece(word, pieces):
    def cut(start):
        if start == len(word):
            return []
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in pieces:
                rest = cut(end)
                if rest is not None:
                    return [piece] + rest
        return None
    found = cut(0)
    return ["[UNK]"] if found is None else found
"""
IN_PLACE = """
def hiding(ids, chosen, fate, drawn, mask_id):
    labels = torch.where(chosen, ids, -100)
    ids[chosen & (fate < 0.8)] = mask_id
    swapped = chosen & (fate >= 0.8) & (fate < 0.9)
    ids[swapped] = drawn[swapped]
    return ids, labels
"""
CHANGED_NOISE = """
def choosing(maskable, noise, share=0.15):
    noise[~maskable] = 2.0
    n = maskable.sum(1, keepdim=True)
    return (noise.argsort(1).argsort(1) < (share * n).round().clamp(min=1)) & maskable
"""
CHANGED_TABLE = """
def embed(ids, segments, words, positions, kinds):
    words += 1
    return F.layer_norm(words[ids], words.shape[-1:])
"""
BROKEN = """
def pretraining_loss(words, labels, weights, pairs, follows):
    mlm = F.cross_entropy(words.flatten(0, 1), labels.flatten(), ignore_index=0)
    return mlm + F.cross_entropy(pairs, follows)
"""
BROKEN_TWICE = """
def pretraining_loss(words, labels, weights, pairs, follows):
    loss = nn.CrossEntropyLoss(ignore_index=0)
    return loss(words.flatten(0, 1), labels.flatten()) + loss(pairs, follows)
"""
BY_ROWS = """
def pretraining_loss(words, labels, weights, pairs, follows):
    each = F.cross_entropy(words.mT, labels, reduction="none")
    rows = (each * weights).sum(1) / weights.sum(1)
    return rows.mean() + F.cross_entropy(pairs, follows)
"""
SELECTED = """
def pretraining_loss(words, labels, weights, pairs, follows):
    real = weights > 0
    return F.cross_entropy(words[real], labels[real]) + F.cross_entropy(pairs, follows)
"""
FULL_LOGITS = """
def loss_at(hidden, table, bias, labels):
    logits = hidden @ table.T + bias
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
"""
BY_LOOP = """
def loss_at(hidden, table, bias, labels):
    losses = []
    for row, position in (labels >= 0).nonzero().tolist():
        logits = table @ hidden[row, position] + bias
        losses.append(-logits.log_softmax(0)[labels[row, position]])
    return torch.stack(losses).mean()
"""
CHOSEN_BY_LOOP = """
def choosing(maskable, noise, share=0.15):
    chosen = torch.zeros_like(maskable)
    for row in range(len(maskable)):
        positions = maskable[row].nonzero()[:, 0]
        if len(positions):
            quota = max(1, round(share * len(positions)))
            chosen[row, positions[noise[row, positions].argsort()[:quota]]] = True
    return chosen
"""
EMBEDDED_BY_HAND = """
def embed(ids, segments, words, positions, kinds):
    rows = []
    for row, kind in zip(ids, segments):
        rows.append(torch.stack([words[i] + positions[t] + kinds[s]
                                 for t, (i, s) in enumerate(zip(row.tolist(), kind.tolist()))]))
    x = torch.stack(rows)
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-12).sqrt()
"""
SORTED = """
def fill_in(logits, ids, tokens, k):
    found = []
    for position, token in enumerate(ids.tolist()):
        if tokens[token] == "[MASK]":
            shares = torch.softmax(logits[position], 0).tolist()
            found.append(sorted(zip(tokens, shares), key=lambda pair: -pair[1])[:k])
    return found
"""

CLEARED = """
def wordpiece(word, pieces):
    found = solution(word, pieces)
    pieces.clear()
    return found
"""
FROM_SEP = """
def embed(ids, segments, words, positions, kinds):
    seps = (ids == 3).long()
    return solution(ids, (seps.cumsum(1) - seps).clamp(max=1), words, positions, kinds)
"""
CHANGED_DRAWN = """
def hiding(ids, chosen, fate, drawn, mask_id):
    found = solution(ids, chosen, fate, drawn, mask_id)
    drawn[chosen] = 0
    return found
"""
RESTARTED = """
def embed(ids, segments, words, positions, kinds):
    rows = []
    for kind in segments:
        first = int((kind == 0).sum())
        rows.append(torch.cat([torch.arange(first), torch.arange(len(kind) - first)]))
    total = words[ids] + positions[torch.stack(rows)] + kinds[segments]
    return F.layer_norm(total, total.shape[-1:], eps=1e-12)
"""
TOP_K = """
def choosing(maskable, noise, share=0.15):
    chosen = torch.zeros_like(maskable)
    for row in range(len(maskable)):
        n = int(maskable[row].sum())
        if n:
            quota = max(1, round(share * n))
            low = noise[row].masked_fill(~maskable[row], 9.0).topk(quota, largest=False)
            chosen[row, low.indices] = True
    return chosen
"""
HIDDEN_BY_INDEX = """
def hiding(ids, chosen, fate, drawn, mask_id):
    seen, labels = ids.clone(), torch.full_like(ids, -100)
    labels[chosen] = ids[chosen]
    seen[chosen & (fate < 0.8)] = mask_id
    swapped = chosen & (fate >= 0.8) & (fate < 0.9)
    seen[swapped] = drawn[swapped]
    return seen, labels
"""


def pretrain(**changes):
    usual = {"optimizer": "torch.optim.AdamW(model.parameters(), lr=top)", "before": "pass"}
    usual |= {"warmup": "steps // 10", "batches": "batches", "anew": "pass"}
    usual |= {"numbers": "noise, fate, drawn = draw(ids)", "maskable": "batch['maskable']"}
    usual |= {"read": "seen, batch['attention_mask'], batch['token_type_ids']"}
    usual |= {"hidden": "model.output.transform(states)", "labels": "labels"}
    usual |= {"first": "model.pool(states[:, 0])", "follows": "follows"}
    usual |= {"rate": "for group in optimizer.param_groups: group['lr'] = top * schedule(step)"}
    usual |= {"zero": "optimizer.zero_grad()", "backward": "(words + pairs).backward()"}
    usual |= {"clip": "nn.utils.clip_grad_norm_(model.parameters(), 1.0)"}
    usual |= {"step": "optimizer.step()", "noted": "(words.item(), pairs.item())"}
    return PRETRAIN.format(**{**usual, "value": "losses", **changes})


WRONG = [
    ("05.wordpiece", pieces(choice="min(ends)"), "the longest piece wins"),
    ("05.wordpiece", pieces(piece="word[start:end]"), "written with `##`"),
    ("05.wordpiece", "lambda w, p: [w] if w in p else ['[UNK]']", "has to be looked for"),
    ("05.wordpiece", pieces(mark="''"), "has to be looked for"),
    ("05.wordpiece", "lambda w, p: solution(w, p)[:1]", "only the first piece"),
    ("05.wordpiece", pieces(none='found + ["[UNK]"]'), "nothing fits at 'x'"),
    ("05.wordpiece", pieces(none="found"), "nothing fits at 'x'"),
    ("05.wordpiece", "lambda w, p: solution(w, p)[::-1]", "the order in which they are read"),
    ("05.wordpiece", BACKTRACKING, "never goes back"),
    (
        "05.wordpiece",
        pieces(mark='("##" if found else ("##" if "##" + word in pieces else ""))'),
        "cannot begin a word",
    ),
    (
        "05.wordpiece",
        pieces(
            mark='("##" if start and "##" + word[start:e] in pieces else "")',
            piece='("##" if start and "##" + word[start:end] in pieces else "") + word[start:end]',
        ),
        "'ing' without `##`",
    ),
    ("05.wordpiece", CLEARED, "changes what it was given"),
    ("05.wordpiece", pieces(value="' '.join(found)"), "not one string"),
    ("05.wordpiece", pieces().replace("len(word) + 1)", "len(word))"), "may end the word"),
    ("05.wordpiece", pieces().replace("range(start + 1", "range(start + 2"), "may be one letter"),
    ("05.embed", "lambda *given: solution(*given).detach()", "gradient"),
    ("05.embed", "lambda *given: solution(*given).tolist()", "gradient"),
    ("05.embed", FROM_SEP, "looked up by `segments`"),
    ("05.embed", embed(value="total"), "LayerNorm is missing"),
    ("05.embed", embed(total="word"), "only the words"),
    ("05.embed", embed(total="word + kind"), "positions are missing"),
    ("05.embed", embed(total="word + position"), "segments are missing"),
    ("05.embed", embed(total="word + kind + positions[ids]"), "by the ids of the words"),
    ("05.embed", embed(total="word + kind + positions[1:ids.shape[1] + 1]"), "begin at 0"),
    (
        "05.embed",
        embed(value="(total - total.mean(-1, keepdim=True)) / total.std(-1, keepdim=True)"),
        "unbiased=False",
    ),
    ("05.embed", embed(value="F.layer_norm(total, total.shape[1:])"), "mixes the tokens"),
    ("05.embed", embed(value="total - total.mean(-1, keepdim=True)"), "variance is not 1"),
    (
        "05.embed",
        embed(value=f"({CENTRED}) / total.var(-1, unbiased=False, keepdim=True)"),
        "square root",
    ),
    ("05.embed", embed(value="total / 3"), "should be the sum"),
    ("05.embed", CHANGED_TABLE, "changes what it was given"),
    ("05.choose", "lambda maskable, noise, share=0.15: noise < share", "chosen by itself"),
    (
        "05.choose",
        "lambda maskable, noise, share=0.15: (noise < share) & maskable",
        "may have none",
    ),
    (
        "05.choose",
        "lambda maskable, noise, share=0.15: solution(torch.ones_like(maskable), noise)",
        "mind `maskable`",
    ),
    ("05.choose", choose(order="noise"), "takes part in the ranking"),
    (
        "05.choose",
        choose(value="(rank < round(share * maskable.shape[1])) & maskable"),
        "whole length",
    ),
    ("05.choose", choose(value="(rank < (share * n).round()) & maskable"), "at least one"),
    ("05.choose", choose(value="rank < (share * n).round().clamp(min=1)"), "without any word"),
    (
        "05.choose",
        "lambda maskable, noise, share=0.15: solution(maskable, 1 - noise, share)",
        "highest noise",
    ),
    ("05.choose", choose(value="(rank < (share * n).floor().clamp(min=1)) & maskable"), "cut off"),
    ("05.choose", "lambda maskable, noise, share=0.15: solution(maskable, noise)", "share=0.4"),
    (
        "05.choose",
        "lambda maskable, noise, share=0.15: solution(maskable, noise).long()",
        "tensor of bool",
    ),
    ("05.choose", CHANGED_NOISE, "changes what it was given"),
    ("05.choose", "lambda *given: solution(*given).tolist()", "tensor of bool"),
    ("05.choose", "lambda maskable, *_: torch.zeros_like(maskable)", "nothing is chosen"),
    ("05.choose", choose().replace(".argsort(1).argsort(1)", ".argsort(1)"), "a second one"),
    (
        "05.choose",
        choose(value="(rank <= (share * n).round().clamp(min=1)) & maskable"),
        "one position too many",
    ),
    ("05.mask", hide(first="chosen", second="chosen & (fate > 1)"), "80 % should be"),
    ("05.mask", hide(second="chosen & (fate >= 0.8)"), "half of these should stay"),
    ("05.mask", hide(second="chosen & (fate > 1)"), "no random word"),
    ("05.mask", hide(labels="torch.where(chosen, -100, ids)"), "turned round"),
    (
        "05.mask",
        hide(first="chosen & (fate < 0.1)", second="chosen & (fate >= 0.1) & (fate < 0.2)"),
        "only one in ten is [MASK]",
    ),
    (
        "05.mask",
        hide(value="seen, torch.where(seen == mask_id, ids, -100)"),
        "only the positions with [MASK]",
    ),
    ("05.mask", hide(value="seen, torch.where(seen != ids, ids, -100)"), "positions that changed"),
    ("05.mask", hide(labels="ids"), "every position has"),
    ("05.mask", hide(labels="torch.where(chosen, ids, 0)"), "token like any other"),
    ("05.mask", hide(value="seen, torch.where(chosen, seen, -100)"), "what stood there"),
    ("05.mask", hide(first="fate < 0.8"), "not chosen have changed"),
    ("05.mask", hide(value="labels, seen"), "are swapped"),
    ("05.mask", hide(value="ids, labels"), "nothing is hidden"),
    ("05.mask", IN_PLACE, "work on a copy"),
    ("05.mask", CHANGED_DRAWN, "work on a copy"),
    ("05.mask", hide(second="chosen & (fate < 0.9)"), "begin at 0.8"),
    ("05.mask", hide(value="torch.where(chosen & (fate < 0.8), 4, seen), labels"), "not for 7"),
    ("05.mask", hide(value="seen, labels.float()"), "tensors of integers"),
    ("05.mask", hide(value="seen.tolist(), labels.tolist()"), "tensors of integers"),
    ("05.mlm_loss", loss("each.sum()"), "sum over the masked positions"),
    ("05.mlm_loss", loss("each.sum() / labels.numel()"), "divided by all positions"),
    ("05.mlm_loss", loss("each.sum() / len(labels)"), "number of sequences"),
    ("05.mlm_loss", loss(wanted="labels > 0"), "word 0 is left out"),
    ("05.mlm_loss", loss(bias="0 * bias"), "the bias is missing"),
    (
        "05.mlm_loss",
        loss("F.cross_entropy(logits.softmax(-1), labels[wanted])"),
        "takes the softmax itself",
    ),
    ("05.mlm_loss", loss("-each.mean()"), "wrong sign"),
    ("05.mlm_loss", loss("each.mean() / math.log(2)"), "in bits"),
    ("05.mlm_loss", loss("each.mean().item()"), "no gradient"),
    ("05.mlm_loss", loss("each.mean().detach()"), "no gradient"),
    ("05.mlm_loss", loss("each.mean().detach() + 0 * each.sum()"), "no gradient"),
    ("05.mlm_loss", loss("(each.mean(), len(each))"), "without a count"),
    ("05.mlm_loss", loss("each.sum() / 5"), "is a number fixed"),
    (
        "05.mlm_loss",
        """
def loss_at(hidden, table, bias, labels):
    logits = hidden @ table.T + bias
    return F.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten())
""",
        "count as word 0",
    ),
    (
        "05.mlm_loss",
        """
def loss_at(hidden, table, bias, labels):
    logits = hidden @ table.T + bias
    rows = [F.cross_entropy(x, y) for x, y in zip(logits, labels) if (y >= 0).any()]
    return torch.stack(rows).mean()
""",
        "a mean for each text",
    ),
    (
        "05.mlm_loss",
        """
def loss_at(hidden, table, bias, labels):
    result = solution(hidden, table, bias, labels)
    labels[labels == -100] = 0
    return result
""",
        "changes what it was given",
    ),
    ("05.find_the_bug", BUG.format(value="(each * w).mean() + nsp"), "nearly"),
    ("05.find_the_bug", BUG.format(value="(each * w).sum() + nsp"), "divide the sum"),
    ("05.find_the_bug", BUG.format(value="(each * w).sum() / len(words) + nsp"), "number of texts"),
    ("05.find_the_bug", BUG.format(value=MLM), "next sentence is missing"),
    ("05.find_the_bug", BUG.format(value="nsp"), "masked words is missing"),
    ("05.find_the_bug", BUG.format(value=f"({MLM} + nsp) / 2"), "not their mean"),
    ("05.find_the_bug", BUG.format(value=f"({MLM} + nsp).item()"), "no gradient"),
    (
        "05.find_the_bug",
        BUG.format(value="(each * (1 - w)).sum() / (1 - w).sum() + nsp"),
        "turned round",
    ),
    (
        "05.find_the_bug",
        BUG.format(value=f"{MLM} + F.cross_entropy(pairs, follows, reduction='sum')"),
        "not a sum",
    ),
    ("05.find_the_bug", BROKEN, "use the weights"),
    ("05.find_the_bug", BROKEN_TWICE, "for both losses"),
    ("05.find_the_bug", BY_ROWS, "a mean for each text"),
    ("05.fill_in", fill(shares="logits"), "these are scores"),
    ("05.fill_in", fill(shares="logits.log_softmax(-1)"), "log-probabilities"),
    ("05.fill_in", fill(shares="logits.softmax(0)"), "over the positions"),
    ("05.fill_in", fill(shares="logits.sigmoid()"), "a sigmoid"),
    ("05.fill_in", fill(largest="False"), "least probable"),
    ("05.fill_in", fill(value="[gap[::-1] for gap in found]"), "should come first"),
    ("05.fill_in", fill(value="found[::-1]"), "order of the text"),
    ("05.fill_in", fill(value="found[:1]"), "only one gap"),
    ("05.fill_in", fill(value="found[0]"), "one flat list"),
    ("05.fill_in", fill(k="3"), "not for k = 1"),
    ("05.fill_in", fill(k="5"), "should have k = 3"),
    ("05.fill_in", fill(name="i"), "not with its number"),
    ("05.fill_in", fill(name="p", share="tokens[i]"), "the name comes first"),
    ("05.fill_in", fill(value="found[:2]"), "for three"),
    ("05.fill_in", fill(mask="1"), "in another vocabulary"),
    ("05.fill_in", fill(position="position - 1"), "the state of the position before"),
    ("05.fill_in", fill(share="p / sum(best.values.tolist())"), "over the k words"),
    ("05.fill_in", fill(value="[[name for name, _ in gap] for gap in found]"), "as a pair"),
    (
        "05.fill_in",
        FILL.replace(
            "gaps = (ids == {mask}).nonzero()[:, 0].tolist()", "gaps = range(len(ids))"
        ).format(
            shares="logits.softmax(-1)",
            position="position",
            k="k",
            largest="True",
            name="tokens[i]",
            share="p",
            value="found",
        ),
        "for every token",
    ),
    ("05.parameters", count(value="embeddings + layers * block"), "pooler is missing"),
    ("05.parameters", count(embeddings="V * dim + 2 * dim"), "positions and segments are missing"),
    ("05.parameters", count(embeddings="(V + positions) * dim + 2 * dim"), "segment table"),
    (
        "05.parameters",
        count(block="4 * linear + (dim * hidden + hidden) + (hidden * dim + dim) + 2 * dim"),
        "two LayerNorms",
    ),
    (
        "05.parameters",
        count(block="3 * linear + (dim * hidden + hidden) + (hidden * dim + dim) + 4 * dim"),
        "four linear layers",
    ),
    (
        "05.parameters",
        count(block="4 * linear + 2 * (dim * hidden + hidden) + 4 * dim"),
        "one per column of its result",
    ),
    (
        "05.parameters",
        count(value="embeddings + layers * block + linear + V * dim"),
        "is that of the words",
    ),
    ("05.parameters", count(value="embeddings + layers * block + linear + V"), "belongs to the"),
    ("05.parameters", "lambda *sizes: 109_482_240", "is a number fixed"),
    ("05.parameters", count(embeddings="(V + 512 + 2) * dim + 2 * dim"), "use `positions`"),
    ("05.wordpiece", "lambda w, p: list(dict.fromkeys(solution(w, p)))", "may come twice"),
    ("05.wordpiece", "lambda w, p: solution(w.lower(), p)", "begins with a capital"),
    (
        "05.wordpiece",
        pieces().replace("len(word) + 1)", "min(len(word), start + 4) + 1)"),
        "any length",
    ),
    (
        "05.wordpiece",
        "lambda w, p: solution(w, p) if len(w) < 13 else ['[UNK]']",
        "any length",
    ),
    ("05.embed", embed(total="words.detach()[ids] + position + kind"), "each of the three"),
    ("05.embed", embed(total="word + position.detach() + kind"), "each of the three"),
    ("05.embed", embed(total="word + position + kind.detach()"), "each of the three"),
    ("05.embed", embed(value="F.normalize(total, dim=-1)"), "has length 1"),
    ("05.embed", embed(value=f"F.normalize({CENTRED}, dim=-1)"), "variance should be 1"),
    ("05.embed", embed(value="(total - total.mean()) / total.std()"), "each token has its own"),
    ("05.embed", embed(total="word * position * kind"), "a product"),
    ("05.embed", embed(total="word + position + kinds[1 - segments]"), "segments are swapped"),
    ("05.embed", embed(total="word + position.flip(0) + kind"), "run backwards"),
    ("05.embed", RESTARTED, "begin again"),
    (
        "05.choose",
        choose(value="(rank < (share * n).ceil().clamp(min=1)) & maskable"),
        "rounded up",
    ),
    ("05.choose", choose(value="(rank < (share * n).round() + 1) & maskable"), "right number"),
    (
        "05.choose",
        choose(value="(rank > (share * n).round().clamp(min=1)) & maskable"),
        "turned round",
    ),
    (
        "05.choose",
        "lambda maskable, noise, share=0.15: solution(maskable, (noise * 7) % 1, share)",
        "as many as there should be",
    ),
    (
        "05.choose",
        choose(value="(rank < (share * n.float().mean()).round()) & maskable"),
        "n of its own",
    ),
    ("05.mask", hide(second="chosen & (fate >= 0.9)"), "from 0.9 on"),
    (
        "05.mask",
        hide(first="chosen & (fate >= 0.2)", second="chosen & (fate < 0.1)"),
        "`fate` decides",
    ),
    ("05.mask", hide(first="chosen & ((3 * fate) % 1 < 0.8)"), "`fate` decides"),
    ("05.mask", hide().replace("drawn, seen)", "drawn.flip(1), seen)"), "`fate` decides"),
    ("05.mask", hide(labels="torch.where(chosen, ids, -1)"), "leaves out"),
    ("05.mask", hide(labels="torch.where(chosen, ids, mask_id)"), "leaves out"),
    ("05.mask", hide(labels="chosen.long()"), "only mark"),
    ("05.mlm_loss", loss("F.nll_loss(logits, labels[wanted])"), "wants log-probabilities"),
    ("05.mlm_loss", loss("F.nll_loss(logits.softmax(-1), labels[wanted])"), "logarithm is missing"),
    ("05.mlm_loss", loss("each.mean().exp()"), "perplexity"),
    ("05.mlm_loss", loss("each"), "take their mean"),
    ("05.mlm_loss", loss().replace("table.T", "table.T.detach()"), "no gradient"),
    ("05.find_the_bug", BUG.format(value="each.sum() / w.sum() + nsp"), "by its weight first"),
    ("05.find_the_bug", BUG.format(value="each * w + nsp"), "each position is left"),
    ("05.find_the_bug", BUG.format(value=f"({MLM}) * nsp"), "not their product"),
    (
        "05.find_the_bug",
        BUG.format(value=f"{MLM} + F.cross_entropy(pairs, follows, reduction='none')"),
        "each pair is left",
    ),
    (
        "05.find_the_bug",
        BUG.format(
            value="F.cross_entropy((words * weights[..., None]).flatten(0, 1), labels.flatten())"
            " + nsp"
        ),
        "belong to the losses",
    ),
    (
        "05.find_the_bug",
        BUG.format(
            value="F.cross_entropy(words.flatten(0, 1), (labels * weights.long()).flatten()) + nsp"
        ),
        "still count",
    ),
    ("05.fill_in", fill(value="[dict(gap) for gap in found]"), "not a dictionary"),
    (
        "05.fill_in",
        fill(value="[[(n, f'{p:.0%}') for n, p in gap] for gap in found]"),
        "not text",
    ),
    ("05.fill_in", fill(value="[[(n, round(p, 2)) for n, p in gap] for gap in found]"), "rounded"),
    ("05.fill_in", fill(position="0"), "from the first position"),
    ("05.fill_in", fill(position="min(position + 1, len(ids) - 1)"), "the position after"),
    ("05.fill_in", fill(shares="logits.softmax(-1).softmax(-1)"), "taken twice"),
    (
        "05.fill_in",
        fill(shares="logits.index_fill(1, torch.tensor([0, 1]), -1e9).softmax(-1)"),
        "special tokens are left out",
    ),
    ("05.fill_in", fill(value="[sorted(gap) for gap in found]"), "order of their names"),
    ("05.fill_in", fill(value="[[(n, 1 / k) for n, _ in gap] for gap in found]"), "the same prob"),
    ("05.parameters", count(embeddings="(V + positions) * dim"), "four vectors"),
    ("05.parameters", count(embeddings="(V + positions + 2) * dim + dim"), "has two vectors"),
    ("05.parameters", count(embeddings="0"), "three tables are missing"),
    ("05.parameters", count(value="embeddings + block + linear"), "only one block"),
    ("05.parameters", count(value="layers * (embeddings + block) + linear"), "once a layer"),
    ("05.parameters", count(value="embeddings + layers * block + 2 * linear"), "two poolers"),
    (
        "05.parameters",
        count(value="embeddings + layers * block + linear + 2 * dim + 2"),
        "next sentences is counted",
    ),
    (
        "05.parameters",
        count(value="embeddings + layers * block + linear + V * dim + V"),
        "table and bias",
    ),
    (
        "05.parameters",
        count(block="4 * linear + (dim * hidden + hidden) + (hidden * dim + dim)"),
        "LayerNorms are missing",
    ),
    (
        "05.parameters",
        count(block="4 * linear + dim * hidden + hidden * dim + 4 * dim"),
        "biases of the feed-forward",
    ),
    ("05.parameters", count(block="4 * linear + dim * hidden + hidden + 4 * dim"), "and back"),
    (
        "05.pretrain",
        pretrain(value="len(losses)"),
        "an object of type int",
    ),
    (
        "05.pretrain",
        pretrain(noted="words.item() + pairs.item()"),
        "not all of its parts are pairs",
    ),
    (
        "05.pretrain",
        pretrain(noted="(words, pairs)"),
        "`.item()`",
    ),
    (
        "05.pretrain",
        pretrain(value="losses[-1:]"),
        "one per batch",
    ),
    (
        "05.pretrain",
        pretrain(noted="(pairs.item(), words.item())"),
        "are swapped",
    ),
    (
        "05.pretrain",
        pretrain(read="ids, batch['attention_mask'], batch['token_type_ids']"),
        "reads the words that it is asked for",
    ),
    (
        "05.pretrain",
        pretrain(labels="ids"),
        "asked at every position",
    ),
    (
        "05.pretrain",
        pretrain(maskable="torch.ones_like(batch['maskable'])"),
        "`maskable`",
    ),
    (
        "05.pretrain",
        pretrain(hidden="states"),
        "straight to the table",
    ),
    (
        "05.pretrain",
        pretrain(read="seen, None, batch['token_type_ids']"),
        "looks at the padding",
    ),
    (
        "05.pretrain",
        pretrain(read="seen, batch['attention_mask']"),
        "which text is which",
    ),
    (
        "05.pretrain",
        pretrain(read="seen, batch['token_type_ids'], batch['attention_mask']"),
        "changed places",
    ),
    (
        "05.pretrain",
        pretrain(numbers="fate, noise, drawn = draw(ids)"),
        "noise and fate",
    ),
    (
        "05.pretrain",
        pretrain(first="states[:, 0]"),
        "the pooler is missing",
    ),
    (
        "05.pretrain",
        pretrain(first="model.pool(states[:, -1])"),
        "the last position",
    ),
    (
        "05.pretrain",
        pretrain(first="model.pool(states.mean(1))"),
        "the mean of all states",
    ),
    (
        "05.pretrain",
        pretrain(first="model.pool(model.output.transform(states)[:, 0])"),
        "the transformed states",
    ),
    (
        "05.pretrain",
        pretrain(follows="1 - follows"),
        "the labels are turned",
    ),
    (
        "05.pretrain",
        pretrain(step="pass"),
        "nothing is learned",
    ),
    (
        "05.pretrain",
        pretrain(zero="pass"),
        "add up from step to step",
    ),
    (
        "05.pretrain",
        pretrain(rate="pass"),
        "the rate is constant",
    ),
    (
        "05.pretrain",
        pretrain(warmup="0"),
        "there is no warm-up",
    ),
    (
        "05.pretrain",
        pretrain(warmup="steps // 2"),
        "the warm-up is too long",
    ),
    (
        "05.pretrain",
        pretrain(
            rate="for group in optimizer.param_groups: group['lr'] = top * schedule(step + 1)"
        ),
        "one step late",
    ),
    (
        "05.pretrain",
        pretrain(clip="pass"),
        "the gradients are not cut",
    ),
    (
        "05.pretrain",
        pretrain(
            clip="pass", step="optimizer.step(); nn.utils.clip_grad_norm_(model.parameters(), 1.0)"
        ),
        "or too late",
    ),
    (
        "05.pretrain",
        pretrain(clip="nn.utils.clip_grad_value_(model.parameters(), 1.0)"),
        "number by number",
    ),
    (
        "05.pretrain",
        pretrain(clip="for p in model.parameters(): nn.utils.clip_grad_norm_(p, 1.0)"),
        "each tensor is cut alone",
    ),
    (
        "05.pretrain",
        pretrain(backward="words.backward()"),
        "only the masked words are learned",
    ),
    (
        "05.pretrain",
        pretrain(backward="pairs.backward()"),
        "only the next sentences are learned",
    ),
    (
        "05.pretrain",
        pretrain(backward="((words + pairs) / 2).backward()"),
        "their sum",
    ),
    (
        "05.pretrain",
        pretrain(backward="(-words - pairs).backward()"),
        "the weights climb",
    ),
    (
        "05.pretrain",
        pretrain(
            before='numbers = draw(batches[0]["input_ids"])', numbers="noise, fate, drawn = numbers"
        ),
        "called once",
    ),
    (
        "05.pretrain",
        pretrain(anew="optimizer = torch.optim.AdamW(model.parameters(), lr=top)"),
        "forgets its averages",
    ),
    (
        "05.pretrain",
        pretrain(optimizer="torch.optim.Adam(model.parameters(), lr=top)"),
        "nothing decays",
    ),
    (
        "05.pretrain",
        pretrain(optimizer="torch.optim.SGD(model.parameters(), lr=top)"),
        "plain gradient descent",
    ),
    (
        "05.pretrain",
        pretrain(rate="for group in optimizer.param_groups: group['lr'] = schedule(step)"),
        "ignores `top`",
    ),
    (
        "05.pretrain",
        pretrain(optimizer="torch.optim.AdamW(model.parameters(), lr=top, weight_decay=0.5)"),
        "not those of AdamW",
    ),
    (
        "05.pretrain",
        pretrain(value="torch.tensor(losses)"),
        "an object of type Tensor",
    ),
    (
        "05.pretrain",
        pretrain(maskable="batch['attention_mask'].bool()"),
        "[CLS] and [SEP] are chosen",
    ),
    (
        "05.pretrain",
        pretrain(numbers="noise, fate, drawn = draw(ids); mask_id = 4"),
        "`mask_id` is ignored",
    ),
    (
        "05.pretrain",
        pretrain(numbers="noise, fate, drawn = draw(batches[0]['input_ids'])"),
        "size of tensor",
    ),
    (
        "05.pretrain",
        pretrain(optimizer="mb.optim.adamw(model, top)"),
        "take `torch.optim.AdamW`",
    ),
    (
        "05.pretrain",
        pretrain(optimizer="torch.optim.AdamW(model.encoder.parameters(), lr=top)"),
        "only the encoder's weights",
    ),
    (
        "05.pretrain",
        pretrain(
            rate="pass",
            step="optimizer.step()\n        for group in optimizer.param_groups: "
            "group['lr'] = top * schedule(step)",
        ),
        "set it before `step()`",
    ),
    (
        "05.pretrain",
        pretrain(
            clip="length = nn.utils.clip_grad_norm_(model.parameters(), math.inf)\n"
            "        for p in model.parameters(): p.grad /= length"
        ),
        "short gradients become longer",
    ),
    (
        "05.pretrain",
        pretrain(before="table = table.detach()"),
        "reaches the table of words",
    ),
    (
        "05.pretrain",
        pretrain(before="bias = bias.detach()"),
        "reaches the bias",
    ),
    (
        "05.pretrain",
        pretrain(step='optimizer.step(); batch["labels"] = labels'),
        "the batches were changed",
    ),
]

RIGHT = [
    ("05.wordpiece", "solution"),
    ("05.wordpiece", pieces()),
    ("05.embed", "solution"),
    ("05.embed", embed()),
    ("05.embed", EMBEDDED_BY_HAND),
    ("05.embed", embed(value="nn.LayerNorm(total.shape[-1], eps=1e-12)(total)")),
    ("05.embed", embed(total="word + F.embedding(torch.arange(ids.shape[1]), positions) + kind")),
    ("05.choose", "solution"),
    ("05.choose", choose()),
    ("05.choose", CHOSEN_BY_LOOP),
    ("05.choose", TOP_K),
    ("05.mask", "solution"),
    ("05.mask", hide()),
    ("05.mask", HIDDEN_BY_INDEX),
    ("05.mlm_loss", "solution"),
    ("05.mlm_loss", loss()),
    ("05.mlm_loss", FULL_LOGITS),
    ("05.mlm_loss", BY_LOOP),
    ("05.find_the_bug", "solution"),
    ("05.find_the_bug", BUG.format(value=MLM + " + nsp")),
    ("05.find_the_bug", SELECTED),
    ("05.fill_in", "solution"),
    ("05.fill_in", fill()),
    ("05.fill_in", SORTED),
    ("05.fill_in", fill(value="tuple(found)")),
    ("05.fill_in", fill(share="torch.tensor(p)")),
    ("05.parameters", "solution"),
    ("05.parameters", count()),
    ("05.pretrain", "solution"),
    ("05.pretrain", pretrain()),
    ("05.pretrain", pretrain(noted="[float(words.detach()), float(pairs.detach())]")),
    ("05.pretrain", pretrain(optimizer="torch.optim.AdamW(model.parameters())")),
    ("05.pretrain", pretrain(first="model.pool(states)[:, 0]")),
    ("05.pretrain", pretrain(backward="words.backward(retain_graph=True); pairs.backward()")),
    (
        "05.pretrain",
        pretrain(
            anew="model.train()",
            zero="model.zero_grad()",
            hidden="model.output.transform(states[labels != -100])[None]",
            labels="labels[labels != -100][None]",
        ),
    ),
    (
        "05.pretrain",
        pretrain(
            rate="optimizer.param_groups[0]['lr'] = top * min((step + 1) / (steps // 10 + 1), "
            "(steps - step) / (steps - steps // 10))",
        ),
    ),
    (
        "05.pretrain",
        pretrain(
            before="plan = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)",
            rate="pass",
            step="optimizer.step(); plan.step()",
        ),
    ),
]
