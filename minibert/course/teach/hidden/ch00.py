"""Hidden tests of chapter 00."""

import math

from minibert.course.teach.hidden import Case, Draw, fresh


@fresh("00.entropy")
def entropy(draw: Draw) -> Case:
    p = draw.normal(draw.randint(3, 9)).softmax(0)
    return (p,), -(p * p.log()).sum()


@fresh("00.perplexity")
def perplexity(draw: Draw) -> Case:
    logs = [math.log(draw.uniform(0.02, 0.98)) for _ in range(draw.randint(3, 9))]
    return (logs,), math.exp(-math.fsum(logs) / len(logs))


@fresh("00.trigram")
def trigram(draw: Draw) -> Case:
    total = draw.randint(5, 50)
    together, different = draw.randint(0, total), draw.randint(1, total)
    shorter = draw.uniform(0.001, 0.4)
    wanted = (together + different * shorter) / (total + different)
    return (together, total, different, shorter), wanted


@fresh("00.find_the_bug")
def evaluate(draw: Draw) -> Case:
    counts = draw.sample(range(1, 60), draw.randint(2, 6))
    batches = [(draw.uniform(0.2, 4) * count, count) for count in counts]
    return (batches,), math.exp(math.fsum(loss for loss, _ in batches) / sum(counts))
