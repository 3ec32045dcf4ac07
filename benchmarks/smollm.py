"""SmolLM2 beside transformers, generation and memory: ``python -m benchmarks smollm [--quick]``.

The published file must be here (`minibert data get smollm2-135m-instruct`). Both sides hold the
same tensors, so that none of them has the better place in memory, and take turns in one process;
they must write the same texts. One thread, and the processor's time, not the clock's: a machine
that others use too gives it a share only. Peaks are those of processes of their own.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

import torch

import minibert as mb
from benchmarks import _record
from minibert.models.gpt import files

try:
    import transformers
except ImportError:
    sys.exit("this benchmark needs transformers, one of the packages for tests (`make test`)")

NAME, THREADS = "smollm2-135m-instruct", 1
REPETITIONS = 3
CASES = {  # name -> texts side by side, tokens of each prompt, new tokens
    "batch 1": (1, 16, 32),
    "batch 8": (8, 16, 12),
    "batch 1, after 512": (1, 512, 8),
}
PEAK = """
import time
start = time.process_time()
{load}
seconds = time.process_time() - start
{write}
print(seconds, next(line.split()[1] for line in open("/proc/self/status") if "VmHWM" in line))
"""
LOADS = {
    "minibert": f"import minibert as mb; model = mb.GPT.from_pretrained({NAME!r})",
    "transformers": "import torch, transformers; kind = transformers.LlamaForCausalLM\n"
    "model = kind.from_pretrained({folder!r}).eval()",
}
WRITES = {
    "minibert": "model.generate([5, 6, 7], 16, temperature=0)",
    "transformers": "model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=16, do_sample=False)",
}


def theirs(model):
    """transformers' model on the tensors of ours."""
    config = transformers.LlamaConfig(**files.to_published(model.config))
    other, tensors = transformers.LlamaForCausalLM(config), files.published(model)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    other.load_state_dict(tensors, assign=True)
    return other.eval()


def generation(model, repetitions):
    """case -> side -> tokens a second of each repetition."""
    other, found = theirs(model), {}
    drawn = torch.Generator().manual_seed(1)
    for case, (rows, length, new) in CASES.items():
        prompt = torch.randint(20, len(model.tokenizer), (rows, length), generator=drawn)

        def ours(given=prompt, new=new):
            return model.generate(given.tolist(), new, temperature=0, stop=())

        def peer(given=prompt, new=new):
            options = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}
            mask = torch.ones_like(given)
            return other.generate(
                given, attention_mask=mask, max_new_tokens=new, **options
            ).tolist()

        sides = {"minibert": ours, "transformers": peer}
        if ours() != peer():
            sys.exit(f"{case}: the texts differ")
        print(f"{case}: the texts are the same", flush=True)
        found[case] = {name: [] for name in sides}
        for _ in range(repetitions):
            for name, write in sides.items():
                start = process_time()
                write()
                found[case][name].append(rows * new / (process_time() - start))
    return found


def memory(model):
    """side -> (seconds to import and load, MB at the peak), each in a process of its own."""
    if not Path("/proc/self/status").exists():
        return {}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        for side, load in LOADS.items():
            script = PEAK.format(load=load.format(folder=folder), write=WRITES[side])
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            seconds, kilobytes = done.stdout.split()[-2:]
            found[side] = (float(seconds), int(kilobytes) * 1024 / 1e6)
    return found


def table(results):
    """One table in Markdown."""
    lines = ["| tokens a second of one core, median (slowest) | minibert | transformers | ratio |"]
    lines.append("|---|---|---|---|")
    for case, sides in results["generation"].items():
        middle = {name: statistics.median(rates) for name, rates in sides.items()}
        cells = (f"{middle[name]:.1f} ({min(rates):.1f})" for name, rates in sides.items())
        ratio = f"{middle['minibert'] / middle['transformers']:.2f}x"
        lines.append(f"| {case} | {' | '.join(cells)} | {ratio} |")
    if peaks := results["memory"]:
        for i, (what, form) in enumerate(
            (("seconds to load", "{:.1f}"), ("MB at the peak", "{:,.0f}"))
        ):
            values = [peaks[side][i] for side in LOADS]
            cells = " | ".join(map(form.format, values))
            lines.append(f"| {what} | {cells} | {values[1] / values[0]:.2f}x |")
    about = results["machine"]
    count = len(next(iter(results["generation"].values()))["minibert"])
    lines += [
        "",
        f"{about['cpu']}, {about['cores']} cores, {THREADS} thread; float32, greedy texts are the "
        f"same; {count} repetitions; torch {about['torch']}, transformers {about['transformers']}, "
        f"Python {about['python']}; {about['date']}; load before {about['load']}.",
    ]
    return "\n".join(lines)


def main(quick=False):
    torch.set_num_threads(THREADS)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    results = {"machine": _record.machine("torch", "transformers", "numpy")}
    model = mb.GPT.from_pretrained(NAME)
    results["generation"] = generation(model, 1 if quick else REPETITIONS)
    results["memory"] = memory(model)
    print(table(results), flush=True)
    if not quick:
        _record.save("smollm", results)
        _record.put_into_readme("smollm", table(results))


if __name__ == "__main__":
    main("--quick" in sys.argv)
