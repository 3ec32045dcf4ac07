"""Fine-tuning with little beside peft: ``python -m benchmarks added [--quick]``.

One step of a classifier on MiniLM (random weights of its shape where the published ones are not
here): forward, backward, fused AdamW; all weights, LoRA (rank 8, query and value), or adapters (64
numbers). The batches are the same, with the lengths of real sentences where MINIBERT_DATA has the
data set subjectivity, else of the generated world's, in no order. peft has LoRA on transformers'
model; adapters of this kind it has not, so the same small networks are put into transformers' model
by hand. Equal weights give equal losses, before and after steps, or nothing is timed. The sides
take turns; one thread, and the processor's time, which counts no other process. Memory: what
gradients and the optimiser hold, and the peak of a process of its own in which only that side runs.
"""

import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from time import process_time

import torch
from torch.nn import functional as F

import minibert as mb
from benchmarks import _record
from minibert.storage.safe_files import read_json
from minibert.transfer.adapters import Adapted, Adapter

NAME, THREADS, ROWS, BATCHES, ROUNDS, RATE = "all-minilm-l6-v2", 1, 32, 4, 5, 1e-4
SHAPE = {"vocab_size": 30_522, "dim": 384, "layers": 6, "heads": 12, "hidden": 1536}
QUICK = {"vocab_size": 1000, "dim": 32, "layers": 2, "heads": 2, "hidden": 64}
STILL = {"dropout": 0.0, "attention_dropout": 0.0}
RANK, SIZE = 8, 64
SETTINGS = {"full": {}, "lora": {"rank": RANK}, "adapters": {"size": SIZE}}
SIDES = ("minibert", "the other")
PEAK = """
from benchmarks import added
print(*added.alone({side!r}, {method!r}, {folder!r}))
"""


def start(quick):
    """(the head that both sides begin with, where its weights are from)."""
    torch.manual_seed(0)
    encoder = mb.BERT(mb.BERTConfig(**QUICK if quick else SHAPE, **STILL), pooler=True)
    told = "random weights"
    if not quick:
        with suppress(FileNotFoundError):
            published = mb.BERT.from_pretrained(NAME)
            encoder.load_state_dict(published.state_dict(), strict=False)
            told = "published weights"
    return mb.heads.SequenceClassifier(encoder, 2, dropout=0.0), told


def batches(vocab):
    """`BATCHES` batches of `ROWS` rows of random ids with natural lengths, and labels."""
    try:
        words = [mb.text.tokenise(text) for text in mb.data.load("subjectivity").texts]
    except (FileNotFoundError, ValueError):
        words = list(mb.world.generate(tokens=5000, seed=0).sentences())
    drawn = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(words), generator=drawn)[: BATCHES * ROWS].tolist()
    lengths = torch.tensor([len(words[i]) + 2 for i in chosen])
    found = []
    for some in lengths.split(ROWS):
        mask = (torch.arange(int(some.max())) < some[:, None]).long()  # (rows, length)
        ids = torch.randint(5, vocab, mask.shape, generator=drawn) * mask
        labels = torch.randint(2, (len(some),), generator=drawn)
        found.append({"input_ids": ids, "attention_mask": mask, "labels": labels})
    return found


def ours(method, folder):
    """minibert's head with what is added; it reads what the parent has saved."""
    head = mb.heads.SequenceClassifier.from_pretrained(folder)
    if method != "full":
        torch.manual_seed(1)
        mb.transfer.add(head, method, **SETTINGS[method])
        for name, parameter in head.named_parameters():
            if parameter.requires_grad and ".up." in name:  # LoRA's are zero at first
                torch.nn.init.normal_(parameter, std=0.2)
    return head.train()


def theirs(method, folder):
    """transformers' classifier with the same added."""
    import peft
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = transformers.BertForSequenceClassification.from_pretrained(folder)
    if method == "lora":
        config = peft.LoraConfig(
            task_type="SEQ_CLS", r=RANK, lora_alpha=RANK, target_modules=["query", "value"]
        )
        model = peft.get_peft_model(model, config)
    elif method == "adapters":
        model.bert.requires_grad_(False)
        for layer in model.bert.encoder.layer:
            for part in (layer.attention.output, layer.output):
                part.dense = Adapted(part.dense, Adapter(part.dense.out_features, SIZE))
                part.dense.adapter.requires_grad_(True)
                part.LayerNorm.requires_grad_(True)
    return model.train()


def same_start(mine, other, method):
    """Copy what was added on our side to the other one."""
    plain = other.base_model.model if method == "lora" else other
    for block, layer in zip(mine.encoder.stack.blocks, plain.bert.encoder.layer, strict=True):
        if method == "lora":
            for name in ("query", "value"):
                here, there = getattr(block.attention, name), getattr(layer.attention.self, name)
                there.lora_A.default.load_state_dict(here.down.state_dict())
                there.lora_B.default.load_state_dict(here.up.state_dict())
        elif method == "adapters":
            pairs = ((block.attention.output, layer.attention), (block.ffn.outer, layer))
            for here, there in pairs:
                there.output.dense.adapter.load_state_dict(here.adapter.state_dict())


def loss_of(model, batch):
    if isinstance(model, mb.heads.SequenceClassifier):
        total, count = model.loss(batch)
        return total / count
    given = {name: batch[name] for name in ("input_ids", "attention_mask")}
    return F.cross_entropy(model(**given).logits, batch["labels"])


class Trainer:
    """A model and its optimiser."""

    def __init__(self, model):
        self.model, self.optimizer = model, mb.optim.adamw(model, RATE)

    def step(self, batch):
        self.optimizer.zero_grad()
        loss = loss_of(self.model, batch)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @property
    def held(self):
        """(bytes of gradients, bytes of the optimiser's state) after a step."""
        gradients = sum(p.grad.nbytes for p in self.model.parameters() if p.grad is not None)
        states = self.optimizer.state.values()
        return gradients, sum(t.nbytes for state in states for t in state.values())


def measured(method, folder, given, rounds):
    """What one method takes on both sides, in turn; stops where their losses differ."""
    models = {SIDES[0]: ours(method, folder), SIDES[1]: theirs(method, folder)}
    same_start(*models.values(), method)
    learning = [mb.transfer.counts(model).learning for model in models.values()]
    if learning[0] != learning[1]:
        sys.exit(f"{method}: {learning[0]:,} and {learning[1]:,} weights learn")
    sides = {name: Trainer(model) for name, model in models.items()}
    apart = 0.0
    for batch in given:  # each side's first steps, which warm up what is timed below
        one, other = (trainer.step(batch) for trainer in sides.values())
        apart = max(apart, abs(one - other))
    if apart > 1e-5:
        sys.exit(f"{method}: losses on equal weights differ by {apart}")
    seconds = {name: [] for name in sides}
    for _ in range(rounds):
        for batch in given:
            for name, trainer in sides.items():
                begin = process_time()
                trainer.step(batch)
                seconds[name].append(process_time() - begin)
    held = {name: trainer.held for name, trainer in sides.items()}
    share = mb.transfer.counts(models[SIDES[0]]).share
    return {"seconds": seconds, "apart": apart, "held": held, "share": share}


def status(name):
    """MB of this process: "VmRSS" now, "VmHWM" at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if name in line)) * 1024 / 1e6


def alone(side, method, folder):
    """(MB at the peak, MB of it that came with training) of this process, which runs one side."""
    torch.set_num_threads(THREADS)
    model = (ours if side == SIDES[0] else theirs)(method, folder)
    given = batches(read_json(Path(folder) / "config.json")["vocab_size"])
    trainer, before = Trainer(model), status("VmRSS")
    for batch in given:
        trainer.step(batch)
    return status("VmHWM"), status("VmHWM") - before


def memory(folder):
    """method -> side -> `alone`'s numbers, each from a process of its own."""
    if not Path("/proc/self/status").exists():
        return {}
    found = {}
    for method in SETTINGS:
        found[method] = {}
        for side in SIDES:
            script = PEAK.format(side=side, method=method, folder=folder)
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            found[method][side] = [float(number) for number in done.stdout.split()[-2:]]
    return found


def table(results):
    """One table in Markdown, and how it came about."""
    lines = ["| a step | minibert | the other | ratio, median | by the fastest |"]
    lines.append("|---|---|---|---|---|")
    for method, told in results["methods"].items():
        times = [[1000 * second for second in told["seconds"][side]] for side in SIDES]
        middle, least = [statistics.median(one) for one in times], [min(one) for one in times]
        cells = [f"{a:.0f} ({b:.0f})" for a, b in zip(middle, least, strict=True)]
        ratios = f"{middle[1] / middle[0]:.2f}x | {least[1] / least[0]:.2f}x"
        lines.append(f"| {method}, ms: median (fastest) | {' | '.join(cells)} | {ratios} |")
    for i, what in enumerate(("gradients", "the optimiser's state")):
        for method, told in results["methods"].items():
            cells = (f"{told['held'][side][i] / 1e6:.2f}" for side in SIDES)
            lines.append(f"| {method}, MB of {what} | {' | '.join(cells)} | | |")
    for method, told in results["memory"].items():
        cells = (f"{told[side][0]:,.0f} ({told[side][1]:,.0f})" for side in SIDES)
        lines.append(f"| {method}, MB at the peak (since loading) | {' | '.join(cells)} | | |")
    about, methods = results["machine"], results["methods"]
    shares = ", ".join(f"{one['share']:.2%} with {method}" for method, one in methods.items())
    apart = max(one["apart"] for one in methods.values())
    count = len(next(iter(methods.values()))["seconds"][SIDES[0]])
    lines += [
        "",
        f"{results['weights']} of {NAME}'s shape; {ROWS} rows of {results['tokens']:.0f} tokens on "
        f"average, padded to {results['padded']:.0f}; {count} steps of each side; losses differ by "
        f"{apart:.0e} at most; of the weights learn {shares}. {about['cpu']}, {about['cores']} "
        f"cores, {THREADS} thread; torch {about['torch']}, transformers {about['transformers']}, "
        f"peft {about['peft']}, Python {about['python']}; {about['date']}; load before "
        f"{about['load']}.",
    ]
    return "\n".join(lines)


def main(quick=False):
    if not (find_spec("peft") and find_spec("transformers")):
        sys.exit("this benchmark needs transformers and peft, packages for tests (`make test`)")
    torch.set_num_threads(THREADS)
    results = {"machine": _record.machine("torch", "transformers", "peft"), "methods": {}}
    head, results["weights"] = start(quick)
    given = batches(head.encoder.config.vocab_size)
    masks = [batch["attention_mask"] for batch in given]
    results["tokens"] = sum(int(mask.sum()) for mask in masks) / sum(map(len, masks))
    results["padded"] = statistics.mean(mask.shape[1] for mask in masks)
    with tempfile.TemporaryDirectory() as folder:
        head.save_pretrained(folder)
        for method in SETTINGS:
            results["methods"][method] = measured(method, folder, given, 1 if quick else ROUNDS)
            print(f"{method}: equal losses, timed", flush=True)
        results["memory"] = memory(folder)
    print(table(results), flush=True)
    if not quick:
        _record.save("added", results)
        _record.put_into_readme("added", table(results))


if __name__ == "__main__":
    main("--quick" in sys.argv)
