"""WordPiece beside Hugging Face's tokenizers: ``python -m benchmarks wordpiece [--quick]``.

Encoding with the published vocabularies, one thread each, in turn: A B A B. Each repetition reads a
part of English Wikipedia that has not been read before (``wiki_train`` in the folder that
MINIBERT_DATA names) with a tokenizer fresh from its file, so that every cache is cold; both sides
get the same paragraphs as a list of strings and give lists of ids, which are compared. Words are
what stands between white space. Besides: a second time over the same text (minibert remembers
words), with the places of all pieces in the text, and training a vocabulary of 8,000.
"""

import lzma
import os
import statistics
import sys
import tempfile
from itertools import islice
from pathlib import Path
from time import perf_counter

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import minibert as mb  # noqa: E402
from benchmarks import _record  # noqa: E402

try:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.implementations import BertWordPieceTokenizer
except ImportError:
    sys.exit("this benchmark needs tokenizers, which is among the packages for tests")

REPETITIONS = 5
WORDS = 1_000_000  # a repetition
SIZE = 8_000  # of the vocabulary that is trained


def vocabulary(case, folder):
    """The published vocabulary as a plain file; raises FileNotFoundError where it is not here."""
    data = os.environ.get("MINIBERT_DATA")
    if not data:
        raise FileNotFoundError("MINIBERT_DATA is not set")
    packed = Path(data) / "tokenizers" / f"bert_{case}_vocab.txt.xz"
    path = Path(folder) / f"{case}.txt"
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


def parts(words, number):
    """``number`` lists of paragraphs of Wikipedia, ``words`` words each, and their word counts."""
    paragraphs = mb.data.load("wiki_train").paragraphs()
    for _ in range(number):
        texts, count = [], 0
        while count < words:
            for text in islice(paragraphs, 100):
                texts.append(text)
                count += len(text.split())
        yield texts, count


def theirs(path, lowercase):
    """BERT's tokenizer as `tokenizers` builds it, nothing added."""
    vocabulary = {token: i for i, token in enumerate(path.read_text("utf-8").splitlines())}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def seconds(work):
    """(seconds, result) of calling ``work``."""
    start = perf_counter()
    result = work()
    return perf_counter() - start, result


def encode(path, lowercase, texts):
    """Seconds of both sides by what was done; raises ValueError where ids or places differ.

    `tokenizers` makes places in any case; its faster way without is taken for ids.
    """
    took = {}
    ours, their = mb.text.WordPiece.load(path, lowercase), theirs(path, lowercase)
    took["ids, cold", "minibert"], a = seconds(lambda: ours.encode_batch(texts))
    took["ids, cold", "tokenizers"], b = seconds(
        lambda: [e.ids for e in their.encode_batch_fast(texts, add_special_tokens=False)]
    )
    took["ids, again", "minibert"], _ = seconds(lambda: ours.encode_batch(texts))
    took["ids, again", "tokenizers"], _ = seconds(
        lambda: [e.ids for e in their.encode_batch_fast(texts, add_special_tokens=False)]
    )
    if a != b:
        raise ValueError("the two sides give different ids")
    ours, their = mb.text.WordPiece.load(path, lowercase), theirs(path, lowercase)
    took["with places, cold", "minibert"], a = seconds(
        lambda: [ours.encode(text, offsets=True) for text in texts]
    )
    took["with places, cold", "tokenizers"], b = seconds(
        lambda: [(e.ids, e.offsets) for e in their.encode_batch(texts, add_special_tokens=False)]
    )
    if a != b:
        raise ValueError("the two sides give different places")
    return took


def train(texts):
    """Seconds of both sides for a vocabulary of SIZE, and the tokens that they share."""
    took = {}
    took["training", "minibert"], a = seconds(lambda: mb.text.WordPiece.train(texts, SIZE))
    other = BertWordPieceTokenizer(lowercase=True)
    took["training", "tokenizers"], _ = seconds(
        lambda: other.train_from_iterator(texts, SIZE, min_frequency=2, show_progress=False)
    )
    return took, len(set(a.tokens) & set(other.get_vocab()))


def measure(words, repetitions):
    """All runs as a list of dicts, and how many tokens of the trained vocabularies are shared."""
    runs, shared = [], []
    with tempfile.TemporaryDirectory() as folder:
        paths = {case: vocabulary(case, folder) for case in ("uncased", "cased")}
        for number, (texts, count) in enumerate(parts(words, repetitions)):
            before = _record.load()
            took = {}
            for case, path in paths.items():
                for (what, side), spent in encode(path, case == "uncased", texts).items():
                    took[f"{case}, {what}", side] = spent
            trained, same = train(texts)
            shared.append(same)
            for (what, side), spent in {**took, **trained}.items():
                run = {"what": what, "side": side, "repetition": number, "load": before}
                runs.append({**run, "words": count, "seconds": spent})
            print(f"{number + 1} of {repetitions}: {count:,} words", flush=True)
    return runs, shared


def table(results):
    """Words a second in Markdown, median and slowest."""
    lines = ["| words/s | minibert | tokenizers | ratio | slowest |", "|---|---|---|---|---|"]
    for what in dict.fromkeys(run["what"] for run in results["runs"]):
        speed = {
            side: [
                run["words"] / run["seconds"]
                for run in results["runs"]
                if (run["what"], run["side"]) == (what, side)
            ]
            for side in ("minibert", "tokenizers")
        }
        a, b = (statistics.median(values) for values in speed.values())
        slow = " / ".join(f"{min(values):,.0f}" for values in speed.values())
        lines.append(f"| {what} | {a:,.0f} | {b:,.0f} | {a / b:.2f}x | {slow} |")
    about, loads = results["machine"], [run["load"] for run in results["runs"]]
    words = sum({run["repetition"]: run["words"] for run in results["runs"]}.values())
    lines += [
        "",
        f"{len(results['shared'])} repetitions, {words:,} words of Wikipedia in all; ids and "
        f"places are the same on both sides; of {SIZE:,} tokens to be "
        f"trained at least {min(results['shared']):,} are shared. {about['cpu']}, "
        f"{about['cores']} cores, one thread each; tokenizers {about['tokenizers']}, "
        f"Python {about['python']}; {about['date']}; load before the runs "
        f"{min(loads)} to {max(loads)}.",
    ]
    return "\n".join(lines)


def main(quick=False):
    words, repetitions = (20_000, 2) if quick else (WORDS, REPETITIONS)
    try:
        runs, shared = measure(words, repetitions)
    except FileNotFoundError as error:
        print(f"left out: {error}")
        return
    results = {"machine": _record.machine("tokenizers"), "shared": shared, "runs": runs}
    print(table(results))
    if not quick:
        _record.save("wordpiece", results)
        _record.put_into_readme("wordpiece", table(results))


if __name__ == "__main__":
    main("--quick" in sys.argv)
