"""Hidden tests of chapter 07."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from minibert.course.learn.exercises import gpt_fine_tune
from minibert.course.learn.exercises.gpt_pieces import Encode, Learn, listed
from minibert.course.learn.exercises.gpt_writing import Generate
from minibert.course.learn.exercises.gpt_zero_shot import ZeroShot
from minibert.course.teach.hidden import Case, Draw, alike, fresh, hidden


def value_of(found: Any) -> Any:
    """What an answer gave, out of what its exercise has seen of it."""
    if not isinstance(found, dict):
        return found
    return found["loss"] if "loss" in found else found["value"]


@fresh("07.learn_merges", view=lambda found: listed(value_of(found)), trials=10)
def learn_merges(draw: Draw) -> Case:
    counts: dict[str, int] = {}
    while len(counts) < 6:
        word = "".join(draw.choices("abcd", k=draw.randint(2, 8)))
        counts[word] = draw.randint(1, 50)
    number = draw.randint(1, 9)
    return (counts, number), Learn.learned(counts, number)


@fresh("07.bpe", view=lambda found: list(value_of(found)), trials=20)
def bpe(draw: Draw) -> Case:
    known = ["a", "b", "c", "a</w>", "b</w>", "c</w>"]
    merges: list[tuple[str, str]] = []
    while len(merges) < 8:
        left, right = draw.choice(known), draw.choice(known)
        if left.endswith("</w>") or left + right in known:
            continue  # a piece is made in one way alone, so that once through them is enough
        merges.append((left, right))
        known.append(left + right)
    symbols = draw.choices("abc", k=draw.randint(2, 10))
    symbols[-1] += "</w>"
    return (symbols, merges), Encode.merged(symbols, merges)


def next_tokens(draw: Draw, V: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(logits, ids, mask) of texts of several lengths; token 0 is a token, and padding, too."""
    rows, length = draw.randint(2, 4), draw.randint(3, 8)
    lengths = draw.integers(2, length + 1, rows)[:, None]
    mask = (torch.arange(length) < lengths).long()
    ids = draw.integers(0, V, rows, length).masked_fill(mask == 0, 0)
    return draw.normal(rows, length, V), ids, mask


@fresh("07.lm_loss", view=value_of)
def lm_loss(draw: Draw) -> Case:
    logits, ids, mask = next_tokens(draw, 11)
    wanted = mask[:, 1:].bool()
    return (logits, ids, mask), F.cross_entropy(logits[:, :-1][wanted], ids[:, 1:][wanted])


@fresh("07.nucleus", view=value_of, trials=20)
def nucleus(draw: Draw) -> Case:
    p, top_p = (2 * draw.normal(draw.randint(3, 9))).softmax(0), draw.uniform(0.1, 0.95)
    ordered, order = p.sort(descending=True)
    kept = p.clone()
    kept[order[ordered.cumsum(0) - ordered >= top_p]] = 0.0
    return (p, top_p), kept / kept.sum()


@fresh("07.choices", view=lambda found: [list(row) for row in value_of(found)])
def choices(draw: Draw) -> Case:
    context = draw.sample(range(10, 99), draw.randint(1, 5))
    answers = [draw.sample(range(10, 99), draw.randint(1, 3)) for _ in range(draw.randint(2, 4))]
    start, delimiter, extract = draw.sample(range(10), 3)
    wanted = [[start, *context, delimiter, *answer, extract] for answer in answers]
    return (context, answers, start, delimiter, extract), wanted


@fresh("07.find_the_bug", view=value_of)
def joint_loss(draw: Draw) -> Case:
    words, ids, mask = next_tokens(draw, 9)
    scores, labels = draw.normal(len(ids), 2), draw.integers(0, 2, len(ids))
    auxiliary = draw.uniform(0.2, 0.9)
    targets = ids.masked_fill(mask == 0, -100)[:, 1:]
    wanted = F.cross_entropy(scores, labels) + auxiliary * F.cross_entropy(
        words[:, :-1].mT, targets
    )
    return (scores, labels, words, ids, mask, auxiliary), wanted


@hidden("07.fine_tune")
def fine_tune(draw: Draw, tried: Callable) -> bool:
    for _ in range(3):
        passes, size, auxiliary = draw.randint(1, 4), draw.randint(2, 4), draw.uniform(0.2, 1)
        case = draw.randint(10, 10_000), passes, size, auxiliary
        found, (losses, weights) = tried(*case), gpt_fine_tune.variant(case)
        if not alike(found["losses"], losses) or not found["kept"]:
            return False
        if not all(map(alike, found["weights"], weights)):
            return False
    return True


@hidden("07.generate")
def generate(draw: Draw, seen: Callable) -> bool:
    for _ in range(6):
        given = draw.randint(1, 7), draw.uniform(0.5, 2.5), draw.uniform(0.4, 0.95), -1
        if [int(i) for i in seen(*given)["text"]] != Generate.wanted(*given):
            return False
    return True


@hidden("07.zero_shot")
def zero_shot(draw: Draw, seen: Callable) -> bool:
    for _ in range(6):
        context = draw.choices(range(1, 8), k=draw.randint(1, 6))
        endings = [draw.choices(range(1, 8), k=draw.randint(1, 4)) for _ in range(3)]
        given = context, endings, 0, draw.choice([6, 50])
        want = ZeroShot.scores(*given)
        best, scores = seen(*given)["value"]
        right = len(scores) == 3 and all(
            abs(a - b) < 1e-3 for a, b in zip(scores, want, strict=True)
        )
        if not right or best != want.index(max(want)):
            return False
    return True
