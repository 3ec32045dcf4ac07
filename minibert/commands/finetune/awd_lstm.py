"""``minibert finetune awd-lstm``: ULMFiT's three stages on labelled texts such as IMDb's.

A tenth of the texts, drawn once for all runs, is the test, and nothing is learned from it. Of the
others all words may be read, but few labels: the classifier that starts from the language model is
held against the same classifier from random weights, on the same labels, over several seeds.
"""

import copy
import math
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minibert import data, text, transfer
from minibert.commands import main as cli
from minibert.commands.finetune import common
from minibert.commands.finetune.tasks import TextTask
from minibert.commands.recipes import Options, positive, recipes_of, saving
from minibert.data.examples import Example
from minibert.heads.pooling import PoolingClassifier
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.runtime import seed_everything
from minibert.text.vocab import Vocab
from minibert.training.loop import evaluate
from minibert.training.optim import adamw
from minibert.transfer import ULMFiTConfig, discriminative_groups, with_vocabulary
from minibert.transfer.schedules import ORDERS
from minibert.transfer.stages import learn_text, ulmfit

INTERRUPTED = 130  # the exit status of a command that Ctrl-C has stopped
SAVED = 200  # updates from one checkpoint to the next
SHARES = (0.9, 0.1)  # of data that come in one part: to read and learn from, to test on
PRETRAIN = "minibert.commands.pretrain"
WAYS = ("pre-trained", "from scratch")
METHODS = (common.FULL, common.FEATURES, "bitfit")  # the others go into a Transformer's blocks


def add_arguments(option: Options) -> None:
    """The options of ``minibert finetune awd-lstm``."""
    size, share = positive(int), positive(float)
    known = "labelled texts: imdb, movie_reviews, subjectivity, banking77"
    start = "a language model, from `minibert pretrain awd-lstm`"
    common.shared_options(option, known, start, WAYS)
    known = ", ".join(recipes_of(PRETRAIN, "awd-lstm"))
    option("--pretrain", metavar="RECIPE", help=f"or train it first, by a recipe ({known})")
    option("--labels", type=size, default=500, help="labelled texts to learn from (500)")
    option("--texts", type=size, help="texts of the task to read without labels (all)")
    option("--length", type=size, default=400, help="tokens of a text that are read (400)")
    option("--size", type=size, default=60_000, help="words of the vocabulary, at most (60,000)")
    option("--min-count", type=size, default=2, help="leave out rarer words (2)")
    option("--seed", type=int, default=0, help="of fine-tuning the language model (0)")
    for stage, epochs, rate in (("target", 2, 2e-3), ("classifier", 10, 1e-2)):
        option(f"--{stage}-epochs", type=size, default=epochs, help=f"passes ({epochs})")
        option(f"--{stage}-rate", type=share, default=rate, help=f"highest rate ({rate})")
    option("--batch-size", type=size, default=32, help="texts per batch of the classifier (32)")
    option("--unfreezing", choices=ORDERS, default="gradual", help="of the classifier's layers")
    told = "between layers' rates in the classifier; 1 for one rate (2.6)"
    option("--classifier-factor", type=share, default=2.6, help=told)
    option("--scratch-rate", type=share, default=5e-3, help="from random weights (0.005)")


def finetune(args: Namespace) -> None:
    """Tune, classify, compare; print the errors and write them to results.json.

    With another ``--method`` than "full" the language model rests: it is not tuned, and keeps its
    words.
    """
    if args.method not in METHODS:
        known = ", ".join(METHODS)
        raise ValueError(f"an AWD-LSTM knows only --method {known}, got {args.method!r}")
    ways = common.ways_of(args, WAYS)
    finished = common.Finished(args, len(ways) * args.seeds)
    start, known = language_model(args)
    task, pool, test = read_texts(args)
    print(f"{args.task}: {len(pool):,} texts to read and {len(test):,} to test on")
    once: dict[str, Any] = {"texts read": len(pool), "texts to test on": len(test)}
    once |= {} if Path(args.task).is_file() else wikitext_perplexity(start, known)
    tuned = start
    if args.method == common.FULL:
        tuned, told = with_its_words(start, known, pool, args)
        once |= told
    once["words"] = len(tuned.vocab or ())
    every = saving(args, SAVED)["checkpoint_every"]

    def learn(way, seed, folder):
        chosen = draw(pool, args.labels, task.labels, seed)
        if way == common.BASELINE:
            return {"test": {"error": 1 - task.baseline(chosen, test)["accuracy"]}}
        torch.manual_seed(seed)
        model = AWDLSTM(tuned.config, tuned.vocab) if way == WAYS[1] else copy.deepcopy(tuned)
        if way == args.method:
            model.requires_grad_(False) if way == common.FEATURES else transfer.add(model, way)
        examples = task.examples(PoolingClassifier(model, task.labels), chosen)
        seed_everything(seed)
        how = {"config": stage_3(args, way), "seed": seed, "checkpoint_every": every}
        head = ulmfit(model, examples, task.labels, checkpoint=folder, **how).classifier
        common.save_first(head, args, way, seed)
        share = transfer.counts(head).share
        return {"test": {"error": 1 - task.scores(head, test)["accuracy"]}, common.SHARE: share}

    common.compare(args, finished, ways, learn, once=once)


def language_model(args: Namespace) -> tuple[AWDLSTM, Vocab]:
    """The model to start from, a folder's or one that a recipe makes in ``args.out``; its words."""
    if (args.start is None) == (args.pretrain is None):
        raise ValueError("give a language model to start from: either --start or --pretrain")
    folder = args.start or args.out / "language_model"
    if args.pretrain and not Path(folder).exists():
        command = ["pretrain", "awd-lstm", "--recipe", args.pretrain, "--out", str(folder)]
        status = cli.main([*command, "--checkpoint", str(args.checkpoint / "language_model")])
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        if status:
            raise ValueError(f"the language model could not be made by the recipe {args.pretrain}")
    args.start = str(folder)
    model = AWDLSTM.from_pretrained(folder)
    if model.vocab is None:
        raise ValueError(f"the language model in {folder} has no vocabulary")
    return model, model.vocab


def read_texts(args: Namespace) -> tuple[TextTask, list[Example], list[Example]]:
    """(the `TextTask`, examples to read and to learn from, examples to test on)."""
    task, (pool, test) = common.read_task(args, SHARES)
    if type(pool[0].label) not in (str, int):
        raise ValueError(f"awd-lstm learns one label for a text, which {args.task} does not have")
    pool, test = common.some(pool, args.texts, 0), common.some(test, args.test, 0)
    return TextTask(task.labels, args.length + 1), pool, test


def tokens_of(example: Example, most: int) -> list[str]:
    """The words of a text, or of both of a pair, in lower case and at most so many."""
    return text.tokenise(" ".join(filter(None, (example.text, example.text_b))).lower())[:most]


def with_its_words(
    start: AWDLSTM, known: Vocab, pool: list[Example], args: Namespace
) -> tuple[AWDLSTM, dict[str, Any]]:
    """Stage 2, on the words of the task's texts: (the model, what `tune` says)."""
    words = [tokens_of(example, args.length) for example in pool]
    vocab = Vocab.train(words, args.size, args.min_count, known.specials)
    tuned = with_vocabulary(start, vocab)
    return tuned, tune(tuned, [vocab.encode(text) for text in words], args)


def tune(model: AWDLSTM, texts: list[list[int]], args: Namespace) -> dict[str, Any]:
    """Stage 2: the language model reads the task's texts (lists of ids), without their labels.

    Returns its perplexity on a twentieth of the texts that it did not read, before and after, and
    the loss on what it read.
    """
    seed_everything(args.seed)
    at, start = max(1, len(texts) // 20), model.config.start_id
    held_out, read = stream(texts[:at], start), stream(texts[at:], start)
    config = config_of(args)
    batches = model.batches(held_out, config.streams, config.bptt)
    before = math.exp(evaluate(model, batches))
    groups = discriminative_groups(model, config.target_rate, config.factor, config.weight_decay)
    optimizer = adamw(groups, betas=(0.8, 0.99))
    options = saving(args, SAVED) | {"checkpoint": args.checkpoint / "tuned", "seed": args.seed}
    streams, epochs = (read, held_out), config.target_epochs
    curve = learn_text(model, streams, epochs, optimizer, config=config, **options).thinned(60)
    after = math.exp(evaluate(model, batches))
    print(f"perplexity on the task's texts: {before:.1f} before, {after:.1f} after", flush=True)
    perplexity = {"perplexity before": before, "perplexity after": after}
    return {**perplexity, "curve step": curve.step, "curve loss": curve.loss}


def stream(texts: Iterable[Sequence[int]], start: int) -> np.ndarray:
    """Lists of ids as one stream, the start token after each, int64 (tokens,)."""
    return np.array([i for ids in texts for i in [*ids, start]])


def draw(pool: list[Example], count: int, labels: Sequence[str], seed: int) -> list[Example]:
    """``count`` examples, as many of each label as there are of the others; or all there are."""
    if count >= len(pool):
        return common.some(pool, None, seed)
    rng = np.random.default_rng([1, seed])
    chosen = []
    for place, label in enumerate(labels):
        of_label = [example for example in pool if str(example.label) == label]
        share = count // len(labels) + (place < count % len(labels))
        if len(of_label) < share:
            expected = f"expected {share} texts with the label {label!r} to learn from"
            raise ValueError(f"{expected}, got {len(of_label)}")
        chosen += [of_label[i] for i in rng.permutation(len(of_label))[:share]]
    return chosen


def config_of(args: Namespace) -> ULMFiTConfig:
    """The stages' settings that the options say."""
    chosen = ("target_epochs", "target_rate", "classifier_epochs", "classifier_rate", "batch_size")
    return ULMFiTConfig(**{name: getattr(args, name) for name in chosen})


def stage_3(args: Namespace, way: str) -> ULMFiTConfig:
    """These settings for a classifier."""
    if way == args.method:  # what rests needs no sparing
        own = {"unfreezing": "all", "factor": 1.0}
    elif way == "from scratch":  # no layer is worth sparing, and none knows more than another
        own = {"classifier_rate": args.scratch_rate, "unfreezing": "all", "factor": 1.0}
    else:
        own = {"unfreezing": args.unfreezing, "factor": args.classifier_factor}
    return replace(config_of(args), **own)


def wikitext_perplexity(model: AWDLSTM, vocab: Vocab) -> dict[str, float]:
    """Perplexity on WikiText-2's validation text where it is here, and its share of unknown words.

    Those count as one word, so it is not comparable with figures for other vocabularies.
    """
    if not any(row.name == "wikitext-2" and row.state == "here" for row in data.datasets()):
        return {}
    lines = data.load("wikitext-2").valid.token_lines()
    tokens = [token.lower() for line in lines for token in line]
    ids = np.array(vocab.encode(tokens))
    found = math.exp(evaluate(model, model.batches(ids)))
    unknown = float(np.mean(ids == vocab.unk_id))
    return {"WikiText-2 perplexity": found, "WikiText-2 unknown": unknown}
