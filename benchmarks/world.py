"""How fast the embedded world writes: ``python -m benchmarks world [--quick]``.

For all kinds together and for each: tokens a second with the text (the goal is 100,000), tokens a
second with the gold annotation besides, and the exact floor in nats a token.
"""

import sys
from time import perf_counter

from minibert import world
from minibert.world.kinds import KINDS


def seconds(work):
    """(seconds, result) of calling ``work``."""
    start = perf_counter()
    result = work()
    return perf_counter() - start, result


def gold(corpus):
    """Make the annotation of every sentence; the number of tokens."""
    return sum(len(s.tokens) for document in corpus.documents for s in document.sentences)


def measure(tokens, kinds=None):
    """A row of the table: documents, tokens a second with text and with gold, floor."""
    world.generate(tokens=1_000, seed=1, kinds=kinds)  # reads the lexicon, compiles the templates
    writing, corpus = seconds(lambda: world.generate(tokens=tokens, seed=0, kinds=kinds))
    text, _ = seconds(corpus.text)
    annotating, _ = seconds(lambda: gold(corpus))
    speed = len(corpus) / (writing + text)
    with_gold = len(corpus) / (writing + text + annotating)
    return len(corpus.documents), speed, with_gold, corpus.floor


def main(tokens=200_000):
    starting, _ = seconds(lambda: world.generate(tokens=1))
    print(f"start (lexicon, world, templates): {starting:.2f} s; {tokens:,} tokens a row")
    print(f"{'kind':14}{'documents':>10}{'tokens/s':>12}{'with gold':>12}{'floor':>8}")
    for name in ("all", *KINDS):
        documents, speed, with_gold, floor = measure(tokens, None if name == "all" else [name])
        print(f"{name:14}{documents:10,}{speed:12,.0f}{with_gold:12,.0f}{floor:8.3f}")


if __name__ == "__main__":
    main(20_000 if "--quick" in sys.argv else 200_000)
