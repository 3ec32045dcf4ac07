"""Probes beside transformers and scikit-learn: ``python -m benchmarks probe [--quick]``.

States: MiniLM reads sentences of UD EWT (the folder that MINIBERT_DATA names), all layers kept, a
row a word; transformers' model and tokenizer read the same words, sorted by length, in batches of
32, and keep each word's first piece. Linear: logistic regression on 10,000 words of a middle layer,
with the penalty chosen among the same nine on the same validation words by both sides.
"""

import os
import statistics
import sys
import warnings
from pathlib import Path
from time import process_time

import torch

import minibert as mb
from benchmarks import _record

try:
    import transformers
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
except ImportError:
    sys.exit("this benchmark needs transformers and scikit-learn, packages for tests (`make test`)")

THREADS, BATCH, SENTENCES, WORDS, VALID, REPEATS = 1, 32, 2000, 10_000, 2000, 3
LAYER, FILE = 3, "en_ewt-ud-train.conllu.xz"


class Theirs:
    """transformers' model and tokenizer, the way they read features for words."""

    def __init__(self, folder):
        kind = transformers.AutoModel
        self.model = kind.from_pretrained(folder, attn_implementation="sdpa").eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def states(self, sentences):
        """All layers of each sentence: (layers, words, dim)."""
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        found = [None] * len(sentences)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            given = [sentences[i] for i in rows]
            batch = self.tokenizer(
                given, is_split_into_words=True, padding=True, return_tensors="pt"
            )
            hidden = torch.stack(self.model(**batch, output_hidden_states=True).hidden_states)
            for place, i in enumerate(rows):
                words = batch.word_ids(place)
                first = [words.index(word) for word in range(len(sentences[i]))]
                found[i] = hidden[:, place, first]
        return found


def readable(sentences, tokenizer):
    """Sentences of which every word has a piece and all pieces fit, and their tags."""
    kept = []
    for one in sentences:
        pieces = [len(tokenizer.encode(word)) for word in one.tokens]
        if all(pieces) and sum(pieces) < 250:
            kept.append((list(one.tokens), list(one.labels)))
    return kept


def grid(x, y, valid_x, valid_y):
    """scikit-learn's regression with the best of the penalties on the validation rows."""
    fitted = []
    for penalty in mb.probe.linear.PENALTIES:
        model = LogisticRegression(C=1 / penalty, max_iter=1000, warm_start=False).fit(x, y)
        loss = log_loss(valid_y, model.predict_proba(valid_x), labels=model.classes_)
        fitted.append((loss, penalty, model))
    return min(fitted, key=lambda one: one[0])[2]


def seconds(work):
    """(seconds of the processor, whatever else it does, and the result)."""
    start = process_time()
    result = work()
    return process_time() - start, result


def in_turn(sides, repeats):
    """{side: seconds of each repetition}, and what each gave last."""
    took, gave = {name: [] for name in sides}, {}
    for _ in range(repeats):
        for name, work in sides.items():
            spent, gave[name] = seconds(work)
            took[name].append(spent)
    return took, gave


def main(quick=False):
    torch.set_num_threads(THREADS)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        folder = mb.data.get("all-minilm-l6-v2")
        data = mb.data.load(Path(os.environ.get("MINIBERT_DATA", "")) / FILE)
    except (FileNotFoundError, ValueError) as error:
        print(f"left out: {error}")
        return
    model, theirs = mb.BERT.from_pretrained(folder), Theirs(folder)
    kept = readable(data, model.tokenizer)[: 200 if quick else SENTENCES]
    sentences = [words for words, _ in kept]
    sides = {
        "minibert": lambda: mb.probe.states(model, sentences, cache=False),
        "transformers": lambda: theirs.states(sentences),
    }
    repeats = 1 if quick else REPEATS
    reading, gave = in_turn(sides, repeats)
    states, others = gave["minibert"], gave["transformers"]
    whole = torch.cat(others, 1)
    pairs = zip(states.layers, whole, strict=True)
    difference = max(float((a - b).abs().max()) for a, b in pairs)
    if difference > 1e-4:
        sys.exit(f"states on equal weights differ by {difference}")
    count = min(WORDS, 4 * sum(states.lengths) // 5)
    x, tags = states.layer(LAYER), [tag for _, row in kept for tag in row]
    y, ends = tags[:count], range(count, min(count + VALID, len(tags)))
    ends = [i for i in ends if tags[i] in set(y)]
    valid = x[ends], [tags[i] for i in ends]
    standard = mb.probe.classify.Standard(x[:count])
    plain, plain_valid = standard(x[:count]).numpy(), standard(valid[0]).numpy()
    sides = {
        "minibert": lambda: mb.probe.Linear().fit(x[:count], y, valid).score(*valid),
        "scikit-learn": lambda: grid(plain, y, plain_valid, valid[1]).score(plain_valid, valid[1]),
    }
    fitting, right = in_turn(sides, repeats)
    results = {
        "machine": _record.machine("torch", "transformers", "scikit-learn"),
        **{"states": reading, "linear": fitting, "right": right, "difference": difference},
        **{"sentences": len(sentences), "words": sum(states.lengths), "rows": count},
    }
    print(table(results))
    if not quick:
        _record.save("probe", results)
        _record.put_into_readme("probe", table(results))


def table(results):
    """Medians in Markdown, and how they came about."""
    lines = ["| seconds of one core | minibert | the other | ratio |", "|---|---|---|---|"]
    for name, what in (("states", "transformers"), ("linear", "scikit-learn")):
        ours, other = (statistics.median(results[name][s]) for s in ("minibert", what))
        lines.append(f"| {name}, beside {what} | {ours:.1f} | {other:.1f} | {other / ours:.2f}x |")
    about, right = results["machine"], results["right"]
    lines += [
        "",
        f"{results['sentences']:,} sentences, {results['words']:,} words; states differ by "
        f"{results['difference']:.0e} at most. Linear: {results['rows']:,} words of layer {LAYER}; "
        f"right on the validation words: {right['minibert']:.3f} and {right['scikit-learn']:.3f}. "
        f"{about['cpu']}, {about['cores']} cores, {THREADS} thread; torch {about['torch']}, "
        f"transformers {about['transformers']}, scikit-learn {about['scikit-learn']}, Python "
        f"{about['python']}; {about['date']}; load before {about['load']} (a run adds {THREADS}).",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main("--quick" in sys.argv)
