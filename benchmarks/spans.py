"""Reading SQuAD beside transformers, a span extractor: ``python -m benchmarks spans [--quick]``.

Windows of questions and passages (SQuAD's own where `MINIBERT_DATA` has it, random ids of the same
lengths otherwise) go through a BERT of 4 layers, 256 wide. minibert's `mb.heads.run` sorts them by
length, so that a batch holds little padding; transformers reads the same batches sorted, and in the
order of the file. Scores on equal weights are compared before anything is timed.
"""

import statistics
import sys
import tempfile
from time import perf_counter

import torch

import minibert as mb
from benchmarks import _record

try:
    import transformers
except ImportError:
    sys.exit("this benchmark needs transformers, one of the packages for tests (`make test`)")

THREADS, BATCH, LENGTH, COUNT, REPEATS = 2, 32, 384, 512, 5


def windows(count):
    """Examples as `mb.heads.run` reads them, and what they are."""
    rng = torch.Generator().manual_seed(0)
    if not any(data.name == "squad" and data.state == "here" for data in mb.data.datasets()):
        lengths = (160 + 60 * torch.randn(count, generator=rng)).clamp(20, LENGTH).int().tolist()
        about = "random ids"
    else:
        squad = mb.data.load("squad")
        squad = getattr(squad, "train", squad)
        texts = [f"{e.text_b} {e.text}" for e in squad][: 20 * count : 20]
        tokenizer = mb.text.WordPiece.train(texts, 8000)
        lengths = [min(LENGTH, len(tokenizer.encode(text)) + 3) for text in texts][:count]
        about = "SQuAD's lengths"
    return [
        {
            "input_ids": torch.randint(5, 8192, (n,), generator=rng).tolist(),
            "token_type_ids": [0] * (n // 8) + [1] * (n - n // 8),
        }
        for n in lengths
    ], about


def theirs(model):
    """transformers' model with the same weights."""
    kind = transformers.BertForQuestionAnswering
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return kind.from_pretrained(folder, attn_implementation="sdpa").eval()


@torch.no_grad()
def read(model, examples, by_length):
    """What transformers' model says, example by example: (length, 2) each."""
    batches = mb.text.PaddedBatches(examples, BATCH, shuffle=False, by_length=by_length)
    found = [None] * len(examples)
    for rows, batch in zip(batches.plan(0), batches, strict=True):
        out = model(**batch)
        for place, row in enumerate(rows):
            n = len(examples[row]["input_ids"])
            scores = out.start_logits[place, :n], out.end_logits[place, :n]
            found[row] = torch.stack(scores, -1)
    return found


def main(quick=False):
    torch.set_num_threads(THREADS)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    examples, about = windows(64 if quick else COUNT)
    config = mb.BERTConfig(8192, 256, 4, 4, hidden=1024, max_length=LENGTH)
    model = mb.heads.SpanExtractor(mb.BERT(config)).eval()
    peer = theirs(model)
    sides = {
        "minibert, sorted by length": lambda: mb.heads.run(model, examples, BATCH),
        "transformers, sorted by length": lambda: read(peer, examples, True),
        "transformers, as they come": lambda: read(peer, examples, False),
    }
    ours, right = (sides[name]() for name in list(sides)[:2])
    pairs = zip(ours, right, strict=True)
    most = max(float((torch.stack(a, -1) - b).abs().max()) for a, b in pairs)
    if most > 1e-4:
        sys.exit(f"scores on equal weights differ by {most}")
    seconds = {name: [] for name in sides}
    for _ in range(1 if quick else REPEATS):
        for name, side in sides.items():
            start = perf_counter()
            side()
            seconds[name].append(perf_counter() - start)
    machine = _record.machine("torch", "transformers")
    rates = {name: len(examples) / statistics.median(times) for name, times in seconds.items()}
    lines = ["| | windows a second | minibert's |", "|---|---|---|"]
    first = next(iter(rates.values()))
    lines += [f"| {name} | {rate:.0f} | {first / rate:.2f}x |" for name, rate in rates.items()]
    lines += [
        "",
        f"{len(examples)} windows ({about}, up to {LENGTH} tokens), batches of {BATCH}; scores on "
        f"equal weights differ by {most:.0e} at most; {machine['cpu']}, {THREADS} threads; torch "
        f"{machine['torch']}, transformers {machine['transformers']}; {machine['date']}; load "
        f"before {machine['load']}.",
    ]
    print("\n".join(lines))
    if not quick:
        _record.save("spans", {"machine": machine, "seconds": seconds, "difference": most})
        _record.put_into_readme("spans", "\n".join(lines))


if __name__ == "__main__":
    main("--quick" in sys.argv)
