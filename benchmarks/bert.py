"""BERT's pre-training step beside transformers and d2l: ``python -m benchmarks bert [--quick]``.

``python -m benchmarks.bert 0 1`` measures the first two cases anew and keeps the others.

One step is forward, backward and fused AdamW, on the same batches for all sides, which take turns
in one process: A B C D, A B C D. Masked words (15 %) and next sentence are both learned, dropout is
0.1 everywhere. Before anything is timed, each side's loss without dropout is compared with ours on
the same weights. transformers computes its softmax at every place, d2l at the masked ones, with
padding. The share of the GEMM peak is what a side multiplies in a step (counted by torch), over
what a large matrix product reaches here. Results go to results/bert.json and README.md.
"""

import json
import statistics
import sys
import tempfile
from copy import deepcopy
from dataclasses import dataclass
from time import perf_counter

import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import minibert as mb
from benchmarks import _record
from minibert.course.learn.d2l import d2l
from minibert.heads.from_d2l import from_d2l
from minibert.models.bert.model import BERT
from minibert.models.transformer import fast
from minibert.training.optim import adamw
from minibert.training.utilisation import peak_flops

try:
    import transformers
except ImportError:
    sys.exit("this benchmark needs transformers, one of the packages for tests (`make test`)")

THREADS, DROPOUT, MASKED, BATCHES, FEWEST = 2, 0.1, 0.15, 4, 5
EAGER, SDPA = "transformers, eager", "transformers, sdpa"


@dataclass(frozen=True)
class Case:
    """A model and its batches; ``shortest``: of the sequences, which are ``length`` at most.

    ``seconds``: how long the sides take turns, `FEWEST` times at least. ``d2l_alone``: without
    transformers, whose logits at every place would not fit into a laptop's memory.
    """

    name: str
    layers: int = 4
    dim: int = 256
    heads: int = 4
    hidden: int = 1024
    vocab: int = 8192
    rows: int = 32
    length: int = 128
    shortest: int = 32
    seconds: float = 110
    d2l_alone: bool = False


CASES = (
    Case("lengths 32 to 128"),
    Case("every sequence full", shortest=128),
    Case("d2l's own size, full", 2, 128, 2, 256, 20_256, 512, 64, 64, 50, True),
    Case("d2l's own size, lengths 16 to 64", 2, 128, 2, 256, 20_256, 512, 64, 16, 50, True),
)


def batches(case):
    """`BATCHES` batches of random words: ids, mask, segments, labels, next sentence."""
    torch.manual_seed(0)
    places, found = torch.arange(case.length), []
    for _ in range(BATCHES):
        lengths = torch.randint(case.shortest, case.length + 1, (case.rows,))
        lengths[0] = case.length
        mask = (places < lengths[:, None]).long()  # (rows, length)
        ids = torch.randint(1, case.vocab, mask.shape) * mask
        chance = torch.rand(mask.shape).masked_fill((mask == 0) | (places == 0), 2.0)
        some = chance.argsort(1).argsort(1) < (lengths * MASKED).round()[:, None]
        found.append(
            {
                "input_ids": ids,
                "attention_mask": mask,
                "token_type_ids": (places >= lengths[:, None] // 2).long() * mask,
                "labels": torch.where(some, ids, -100),
                "next_sentence_label": torch.randint(2, (case.rows,)),
            }
        )
    return found


class Ours:
    """minibert: its fast path."""

    def __init__(self, model):
        self.model = model.train()

    def prepare(self, batch):
        """The batch in this side's form, made before the clock runs."""
        return batch

    def loss(self, batch):
        loss, count = self.model.loss(batch)
        return loss / count


class Everywhere(Ours):
    """The fast path with the last layer computed at every token."""

    def __init__(self, model):
        super().__init__(model)
        encoder = model.encoder

        def states_at(input_ids, attention_mask, token_type_ids, wanted):
            real = attention_mask.bool()
            found = BERT.states_at(encoder, input_ids, attention_mask, token_type_ids, wanted=real)
            return found[wanted[real]]

        encoder.states_at = states_at


class Readable(Ours):
    """minibert's readable version: padding is computed, the softmax at the masked words alone."""

    def loss(self, batch):
        suits, fast.suits = fast.suits, lambda *_: False
        try:
            return super().loss(batch)
        finally:
            fast.suits = suits


class Theirs(Ours):
    """transformers: ``BertForPreTraining``, read from the folder of one of ours."""

    def __init__(self, model, attention):
        kind = transformers.BertForPreTraining
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            super().__init__(kind.from_pretrained(folder, attn_implementation=attention))

    def loss(self, batch):
        return self.model(**batch).loss


class D2L(Ours):
    """d2l: ``BERTModel``, with a loss that leaves padding out as it should."""

    def __init__(self, case):
        torch.manual_seed(0)
        sizes = case.vocab, case.dim, hidden = case.hidden, case.heads, case.layers
        super().__init__(d2l().BERTModel(*sizes, DROPOUT, max_len=case.length))
        ids = torch.ones(1, 2, dtype=torch.long)
        self.model(ids, ids, torch.tensor([2]), ids)  # now it knows its shapes

    def prepare(self, batch):
        some = batch["labels"] != -100
        most = int(some.sum(1).max())
        places = some.long().argsort(dim=1, descending=True, stable=True)[:, :most]
        weights, words = some.gather(1, places).float(), batch["labels"].gather(1, places)
        lengths = batch["attention_mask"].sum(1)
        return {
            **batch,
            "inputs": (batch["input_ids"], batch["token_type_ids"], lengths, places),
            "targets": (words.clamp(min=0).flatten(), weights.flatten()),
            "pairs": 1 - batch["next_sentence_label"],
        }

    def loss(self, batch):
        _, scores, pairs = self.model(*batch["inputs"])
        words, weights = batch["targets"]
        losses = F.cross_entropy(scores.flatten(0, 1), words, reduction="none")
        return (losses * weights).sum() / weights.sum() + F.cross_entropy(pairs, batch["pairs"])


def sides(case):
    """All sides by name, each with weights of its own."""
    torch.manual_seed(0)
    config = mb.BERTConfig(
        case.vocab,
        case.dim,
        case.layers,
        case.heads,
        hidden=case.hidden,
        dropout=DROPOUT,
        attention_dropout=DROPOUT,
        max_length=case.length,
    )
    model = mb.heads.Pretraining(mb.BERT(config))
    found = {"minibert": Ours(model)}
    if not case.d2l_alone:
        found |= {
            "minibert, last layer everywhere": Everywhere(deepcopy(model)),
            "minibert, readable": Readable(deepcopy(model)),
            EAGER: Theirs(model, "eager"),
            SDPA: Theirs(model, "sdpa"),
        }
    return {**found, "d2l": D2L(case)}


@torch.no_grad()
def check_equal(found, data):
    """How far each side's loss is from ours with the same weights, dropout off."""
    differences = {}
    for name, side in found.items():
        own = Ours(from_d2l(side.model)) if name == "d2l" else found["minibert"]
        side.model.eval()
        own.model.eval()
        difference = abs(float(side.loss(data[name][0])) - float(own.loss(data["minibert"][0])))
        if difference > 1e-4:
            sys.exit(f"{name} has another loss than minibert with equal weights: by {difference}")
        differences[name] = difference
    for side in found.values():
        side.model.train()
    return differences


def step(side, optimizer, batch):
    """One update."""
    side.loss(batch).backward()
    optimizer.step()
    optimizer.zero_grad()


def measure(case, seconds=None):
    """Seconds of every step of every side, what it multiplies, and the peak in between."""
    found, made = sides(case), batches(case)
    data = {name: [side.prepare(batch) for batch in made] for name, side in found.items()}
    result = {"differences": check_equal(found, data), "flops": {}, "peak": []}
    optimizers = {name: adamw(side.model, 1e-4) for name, side in found.items()}
    for name, side in found.items():
        with FlopCounterMode(display=False) as counter:
            step(side, optimizers[name], data[name][0])
        result["flops"][name] = counter.get_total_flops()
    result["seconds"] = {name: [] for name in found}
    end = perf_counter() + (case.seconds if seconds is None else seconds)
    while len(result["peak"]) <= FEWEST or perf_counter() < end:
        i = len(result["peak"])
        result["peak"].append(peak_flops() / 1e9)
        for name, side in found.items():
            start = perf_counter()
            step(side, optimizers[name], data[name][i % BATCHES])
            result["seconds"][name].append(perf_counter() - start)
    for times in (*result["seconds"].values(), result["peak"]):
        del times[0]  # to warm up
    return result


def rows(result):
    """The table's rows of one case: side, median and fastest step, times ours, share of peak."""
    median = {name: statistics.median(times) for name, times in result["seconds"].items()}
    fastest = {name: min(times) for name, times in result["seconds"].items()}
    peak = statistics.median(result["peak"]) * 1e9
    for name in median:
        factors = f"{median[name] / median['minibert']:.2f}x"
        factors += f" ({fastest[name] / fastest['minibert']:.2f}x)"
        multiplied = result["flops"][name]
        yield (
            name,
            f"{1000 * median[name]:,.0f} ({1000 * fastest[name]:,.0f})",
            "1" if name == "minibert" else factors,
            f"{multiplied / 1e9:.0f}",
            f"{multiplied / median[name] / peak:.0%}",
        )


def table(results):
    """One table in Markdown for all cases."""
    head = "| | ms a step: median (fastest) | times minibert's | GFLOP a step | of GEMM peak |"
    lines = [head, "|---|---|---|---|---|"]
    for name, result in results.items():
        lines.append(f"| **{name}** | | | | |")
        lines += [f"| {' | '.join(row)} |" for row in rows(result)]
    cases = results.values()
    about, peaks = next(iter(cases))["machine"], [statistics.median(c["peak"]) for c in cases]
    most = max(difference for case in cases for difference in case["differences"].values())
    lines += [
        "",
        f"{about['cpu']}, {about['cores']} cores, {THREADS} threads; GEMM peak {min(peaks):.0f} to "
        f"{max(peaks):.0f} GFLOP/s; losses with equal weights differ by {most:.0e} at most; torch "
        f"{about['torch']}, transformers {about['transformers']}, d2l {about['d2l']}, Python "
        f"{about['python']}; {about['date']}; steps of each side "
        f"{', '.join(str(len(c['peak'])) for c in cases)}; load before "
        f"{', '.join(str(c['machine']['load']) for c in cases)} (a run adds {THREADS}).",
    ]
    return "\n".join(lines)


def main(quick=False, numbers=()):
    """All cases, or those with these numbers (0, 1, ...): the others stay as they were measured."""
    torch.set_num_threads(THREADS)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    stored = _record.HERE / "results" / "bert.json"
    results = json.loads(stored.read_text("utf-8")) if numbers and stored.exists() else {}
    for case in [CASES[number] for number in numbers] or CASES[: 1 if quick else None]:
        about = _record.machine("torch", "transformers", "d2l", "numpy")
        results[case.name] = {"machine": about, **measure(case, 0 if quick else None)}
        results = {c.name: results[c.name] for c in CASES if c.name in results}
        print(table(results), flush=True)
        if not quick:
            _record.save("bert", results)
            _record.put_into_readme("bert", table(results))


if __name__ == "__main__":
    main("--quick" in sys.argv, [int(argument) for argument in sys.argv[1:] if argument.isdigit()])
