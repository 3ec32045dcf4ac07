"""Chapter 00: answers that its checks must refuse, or accept (see `tests/unit/test_answers.py`).

An answer is an expression, or code whose last definition is the answer. It finds ``torch``, ``nn``,
``F``, ``math``, ``mb`` and ``solution``, the exercise's reference answer.
"""

WRONG = [
    # (exercise, answer, words that the message must contain)
    ("00.entropy", "lambda p: -(p * p.log()).sum()", "probability 0"),
    ("00.entropy", "lambda p: solution(p) / math.log(2)", "bits"),
    ("00.entropy", "lambda p: -solution(p)", "wrong sign"),
    ("00.entropy", "lambda p: -p[p > 0].log().sum()", "every surprise counts the same"),
    ("00.entropy", "lambda p: -p[p > 0].log().mean()", "a plain mean"),
    ("00.entropy", "lambda p: solution(p) / len(p)", "divided by the number of outcomes"),
    ("00.entropy", "lambda p: solution(p).exp()", "perplexity"),
    ("00.entropy", "lambda p: torch.special.entr(p)", "shape"),
    ("00.entropy", "lambda p: solution(p) / math.log(len(p))", "should be 1.14"),
    (
        "00.entropy",
        """
def entropy(p):
    p.sub_(p.mean())
    return torch.tensor(math.nan)
""",
        "NaN",
    ),
]

RIGHT = [
    ("00.entropy", "solution"),
    ("00.entropy", "lambda p: -torch.xlogy(p, p).sum()"),
    ("00.entropy", "lambda p: -sum(float(q) * math.log(q) for q in p if q > 0)"),
    ("00.entropy", "lambda p: torch.distributions.Categorical(p).entropy()"),
]

TO_COME = ["00.perplexity", "00.trigram", "00.find_the_bug"]  # fewer than eight wrong ones so far
