"""GPT beside transformers, training steps and generation: ``python -m benchmarks gpt [--quick]``.

One step is forward, backward and fused AdamW on the next token, on the same batches for all sides,
which take turns in one process; dropout is 0.1 everywhere, and the losses on equal weights are
compared before anything is timed. transformers runs as GPT (``openai-gpt``) and as GPT-2, each in
eager mode and GPT-2 also with its fused attention; minibert beside each with the same layout.
Generation is greedy, with the cache of keys and values, after prompts of 16 tokens.
"""

import statistics
import sys
import tempfile
from dataclasses import dataclass
from time import perf_counter

import torch

import minibert as mb
from benchmarks import _record
from minibert.training.optim import adamw
from minibert.training.utilisation import peak_flops

try:
    import transformers
except ImportError:
    sys.exit("this benchmark needs transformers, one of the packages for tests (`make test`)")

THREADS, DROPOUT, BATCHES, FEWEST = 2, 0.1, 4, 5
SHAPE = {"dim": 256, "layers": 4, "heads": 4, "hidden": 1024, "max_length": 128}
PROMPT, NEW = 16, 96
LAYOUTS = {"GPT": "post", "GPT-2": "pre"}


@dataclass(frozen=True)
class Case:
    name: str
    shortest: int
    rows: int = 32
    seconds: float = 60


CASES = (Case("lengths 32 to 128", 32), Case("every sequence full", 128))


def batches(case):
    """`BATCHES` batches of random words: ids, mask, labels."""
    torch.manual_seed(0)
    places, found = torch.arange(SHAPE["max_length"]), []
    for _ in range(BATCHES):
        lengths = torch.randint(case.shortest, SHAPE["max_length"] + 1, (case.rows,))
        lengths[0] = SHAPE["max_length"]
        mask = (places < lengths[:, None]).long()  # (rows, length)
        ids = torch.randint(1, 8192, mask.shape) * mask
        labels = ids.masked_fill(mask == 0, -100)
        found.append({"input_ids": ids, "attention_mask": mask, "labels": labels})
    return found


def ours(norm):
    """A model of ours with lively weights."""
    torch.manual_seed(0)
    config = mb.GPTConfig(8192, norm=norm, dropout=DROPOUT, attention_dropout=DROPOUT, **SHAPE)
    return mb.GPT(config)


def theirs(model, attention):
    """transformers' model with the weights of one of ours."""
    post = model.config.norm == "post"
    kind = transformers.OpenAIGPTLMHeadModel if post else transformers.GPT2LMHeadModel
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        options = {} if post else {"attn_implementation": attention}
        return kind.from_pretrained(folder, **options)


def our_loss(model, batch):
    loss, count = model.loss(batch)
    return loss / count


def their_loss(model, batch):
    return model(**batch).loss


def sides():
    """name -> (model, what gives its loss)."""
    found = {}
    for name, norm in LAYOUTS.items():
        model = ours(norm)
        found[f"minibert, {name}"] = (model, our_loss)
        found[f"transformers, {name}, eager"] = (theirs(model, "eager"), their_loss)
        if norm == "pre":
            found[f"transformers, {name}, sdpa"] = (theirs(model, "sdpa"), their_loss)
    return found


@torch.no_grad()
def check_equal(found, batch):
    """The largest difference between losses on equal weights, dropout off."""
    losses = {}
    for name, (model, loss) in found.items():
        losses[name] = float(loss(model.eval(), batch))
        model.train()
    most = 0.0
    for name in LAYOUTS:
        of_layout = [loss for side, loss in losses.items() if side.split(", ")[1] == name]
        most = max(most, max(of_layout) - min(of_layout))
    if most > 1e-4:
        sys.exit(f"losses on equal weights differ by {most}: {losses}")
    return most


def measure(case, seconds):
    """Seconds of every step of every side, and the peak in between."""
    found, made = sides(), batches(case)
    result = {"difference": check_equal(found, made[0]), "peak": []}
    optimizers = {name: adamw(model, 1e-4) for name, (model, _) in found.items()}
    result["seconds"] = {name: [] for name in found}
    end = perf_counter() + seconds
    while len(result["peak"]) <= FEWEST or perf_counter() < end:
        batch = made[len(result["peak"]) % BATCHES]
        result["peak"].append(peak_flops() / 1e9)
        for name, (model, loss) in found.items():
            start = perf_counter()
            loss(model, batch).backward()
            optimizers[name].step()
            optimizers[name].zero_grad()
            result["seconds"][name].append(perf_counter() - start)
    for times in (*result["seconds"].values(), result["peak"]):
        del times[0]  # to warm up
    return result


def generation(repetitions):
    """Tokens a second of every side, by batch size; all sides must write the same."""
    found = {}
    for batch in (1, 16):
        prompt = torch.randint(1, 8192, (batch, PROMPT), generator=torch.Generator().manual_seed(1))
        rates = found[f"batch {batch}"] = {}
        writers = {}
        for name, norm in LAYOUTS.items():
            model = ours(norm).eval()
            for parameter in model.parameters():  # lively, so that greedy text does not repeat
                parameter.data += 0.1 * torch.randn_like(parameter)
            rows = prompt.tolist()
            writers[f"minibert, {name}"] = lambda m=model, r=rows: m.generate(r, NEW, temperature=0)
            writers[f"minibert, {name}, no cache"] = lambda m=model, r=rows: m.generate(
                r, NEW, temperature=0, cache=False
            )
            other = theirs(model, "sdpa").eval()
            writers[f"transformers, {name}"] = lambda m=other, p=prompt: m.generate(
                p, max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0
            ).tolist()
        for _ in range(repetitions + 1):
            for name, write in writers.items():
                start = perf_counter()
                write()
                rate = batch * NEW / (perf_counter() - start)
                rates.setdefault(name, []).append(rate)
        for name in LAYOUTS:
            if writers[f"minibert, {name}"]() != writers[f"transformers, {name}"]():
                sys.exit(f"{name}: the texts differ")
        for values in rates.values():
            del values[0]  # to warm up
    return found


def table(results):
    """Two tables in Markdown: steps, and generation."""
    lines = ["| | ms a step: median (fastest) | times minibert's |", "|---|---|---|"]
    for case in results["steps"]:
        result = results["steps"][case]
        lines.append(f"| **{case}** | | |")
        for name, times in result["seconds"].items():
            own = result["seconds"][f"minibert, {name.split(', ')[1]}"]
            factor = f"{statistics.median(times) / statistics.median(own):.2f}x"
            factor += f" ({min(times) / min(own):.2f}x)"
            middle = f"{1000 * statistics.median(times):,.0f} ({1000 * min(times):,.0f})"
            lines.append(f"| {name} | {middle} | {'1' if times is own else factor} |")
    lines += ["", "| tokens a second, greedy | batch 1 | batch 16 |", "|---|---|---|"]
    one, many = results["generation"].values()
    for name in one:
        cells = (f"{statistics.median(rates[name]):,.0f}" for rates in (one, many))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    about = results["machine"]
    counts = ", ".join(str(len(r["peak"])) for r in results["steps"].values())
    peak = statistics.median(results["steps"][CASES[0].name]["peak"])
    most = max(r["difference"] for r in results["steps"].values())
    lines += [
        "",
        f"{about['cpu']}, {about['cores']} cores, {THREADS} threads; GEMM peak {peak:.0f} GFLOP/s; "
        f"losses with equal weights differ by {most:.0e} at most, greedy texts are the same; torch "
        f"{about['torch']}, transformers {about['transformers']}, Python {about['python']}; "
        f"{about['date']}; steps of each side {counts}; load before {about['load']}.",
    ]
    return "\n".join(lines)


def main(quick=False):
    torch.set_num_threads(THREADS)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    results = {"machine": _record.machine("torch", "transformers", "numpy")}
    results["steps"] = {case.name: measure(case, 0 if quick else case.seconds) for case in CASES}
    results["generation"] = generation(1 if quick else 5)
    print(table(results), flush=True)
    if not quick:
        _record.save("gpt", results)
        _record.put_into_readme("gpt", table(results))


if __name__ == "__main__":
    main("--quick" in sys.argv)
