"""ELMo's training step beside a plain implementation: ``python -m benchmarks elmo [--quick]``.

The plain one is what one writes first: the character network over all 50 symbols of every word,
`torch.nn.LSTM(proj_size=...)` for each direction and layer, all logits and `cross_entropy`. Both
get the same weights, batches and dropout rates; their losses are compared first, without dropout.
Then they train in turn, A B A B: forward, backward, clipping and AdamW. Text: the embedded world.
Two sizes: the bundled model's, and a larger one. The full run takes about two minutes and is
written to results/elmo.json and README.md.
"""

import statistics
import sys
from time import perf_counter

import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from benchmarks import _record

SPECIALS = ("<pad>", "<unk>", "<S>", "</S>")
SIZES = {  # name -> (configuration, lanes, words of a window)
    "bundled": (
        {
            "dim": 256,
            "projection": 96,
            "filters": ((1, 16), (2, 32), (3, 64), (4, 64), (5, 64)),
        },
        16,
        20,
    ),
    "larger": (
        {
            "dim": 512,
            "projection": 128,
            "filters": ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256)),
        },
        32,
        20,
    ),
}
ROUNDS, STEPS = 8, 4  # turns of each side, and steps in a turn


class Plain(nn.Module):
    """The same model without any trick, over its own copy of the weights of an `mb.ELMo`."""

    def __init__(self, model):
        super().__init__()
        config = model.config
        self.encoder, self.output, self.p = model.encoder, model.output, config.dropout
        self.skip, self.state = config.skip, None
        self.layers = nn.ModuleList(
            nn.ModuleList(self.torchs(layer, config) for layer in layers)
            for layers in (model.forward_layers, model.backward_layers)
        )

    @staticmethod
    def torchs(layer, config):
        """An nn.LSTM with the weights of our layer."""
        lstm = nn.LSTM(config.projection, config.dim, proj_size=config.projection, batch_first=True)
        weights = layer.state_dict()
        lstm.load_state_dict(
            {
                "weight_ih_l0": weights["input.weight"],
                "weight_hh_l0": weights["recurrent.weight"],
                "bias_ih_l0": weights["input.bias"],
                "bias_hh_l0": torch.zeros_like(weights["input.bias"]),
                "weight_hr_l0": weights["projection.weight"],
            }
        )
        return lstm

    def loss(self, batch):
        total, count, states = 0.0, 0, []
        for side, (ids, targets) in enumerate(
            (("input_ids", "targets"), ("backward_ids", "backward_targets"))
        ):
            x = self.encoder(batch["characters"][batch[ids]])  # (lanes, length, projection)
            for number, lstm in enumerate(self.layers[side]):
                before = None if batch["reset"] or self.state is None else self.state[len(states)]
                y, state = lstm(F.dropout(x, self.p, self.training), before)
                states.append(tuple(part.detach() for part in state))
                x = y + x if self.skip and number else y
            logits = self.output(F.dropout(x, self.p, self.training)).flatten(0, 1)
            total = total + F.cross_entropy(
                logits, batch[targets].flatten(), ignore_index=-100, reduction="sum"
            )
            count += int((batch[targets] != -100).sum())
        self.state = states
        return total, count


def build(settings, vocab, seed=0):
    """(our model, the plain one) with equal weights."""
    config = mb.ELMoConfig(len(vocab), cell_clip=None, proj_clip=None, **settings)
    torch.manual_seed(seed)
    ours = mb.ELMo(config, vocab)
    torch.manual_seed(seed)
    return ours, Plain(mb.ELMo(config, vocab))


def equal_losses(ours, plain, batches):
    """The largest relative difference of the losses of some batches, without dropout."""
    ours.eval(), plain.eval()
    pairs = [(ours.loss(batch)[0].item(), plain.loss(batch)[0].item()) for batch in batches]
    ours.state = plain.state = None
    return max(abs(a - b) / b for a, b in pairs)


def step(model, optimizer, batch):
    loss, count = model.loss(batch)
    (loss / count).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def measure(name, sentences, vocab, rounds):
    """Seconds a step of both sides, in turn; a dict."""
    settings, lanes, bptt = SIZES[name]
    sides = dict(zip(("minibert", "plain"), build(settings, vocab), strict=True))
    batches = mb.text.BidirectionalBatches(sentences, vocab, lanes, bptt)
    some = [batch for batch, _ in zip(batches.of_epoch(0), range(STEPS + 1), strict=False)]
    difference = equal_losses(*sides.values(), some[:2])
    assert difference < 1e-4, difference
    print(f"{name}: losses equal to {difference:.1e}, {lanes} x {bptt} words", flush=True)
    optimizers = {side: mb.optim.adamw(model) for side, model in sides.items()}
    seconds, loads = {side: [] for side in sides}, []
    for number in range(rounds + 1):
        loads.append(_record.load())
        for side, model in sides.items():
            model.train()
            for batch in some[1:]:
                start = perf_counter()
                step(model, optimizers[side], batch)
                if number:  # the first turn is for warming up
                    seconds[side].append(perf_counter() - start)
    weights = sum(p.numel() for p in sides["minibert"].parameters())
    return {
        "words a step": lanes * bptt,
        "vocabulary": len(vocab),
        "weights": weights,
        "difference": difference,
        "seconds": seconds,
        "load": loads,
    }


def table(results):
    lines = [
        "| | minibert, ms | plain, ms | ratio, median | ratio, fastest | words/s, minibert |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in results["sizes"].items():
        a, b = (result["seconds"][side] for side in ("minibert", "plain"))
        medians = statistics.median(a), statistics.median(b)
        words = result["words a step"]
        title = f"{name}, {result['weights'] / 1e6:.1f} M weights, {words} words a step"
        lines.append(
            f"| {title} | {1e3 * medians[0]:.0f} | {1e3 * medians[1]:.0f} | "
            f"{medians[1] / medians[0]:.2f}x | {min(b) / min(a):.2f}x | {words / medians[0]:,.0f} |"
        )
    about = results["machine"]
    loads = [load for result in results["sizes"].values() for load in result["load"]]
    lines += [
        "",
        f"{about['cpu']}, {results['threads']} threads of {about['cores']} cores; torch "
        f"{about['torch']}, Python {about['python']}; {about['date']}; load {min(loads)} to "
        f"{max(loads)} (a run itself adds {results['threads']}).",
    ]
    return "\n".join(lines)


def main(quick=False):
    corpus = mb.world.generate(tokens=20_000 if quick else 400_000, seed=0)
    sentences = [list(sentence) for sentence in corpus.sentences()]
    vocab = mb.text.Vocab.train(sentences, specials=SPECIALS)
    results = {
        "machine": _record.machine("torch", "numpy"),
        "threads": torch.get_num_threads(),
        "sizes": {name: measure(name, sentences, vocab, 1 if quick else ROUNDS) for name in SIZES},
    }
    print(table(results))
    if not quick:
        _record.save("elmo", results)
        _record.put_into_readme("elmo", table(results))


if __name__ == "__main__":
    main("--quick" in sys.argv)
