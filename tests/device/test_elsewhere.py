"""Models on a second device: the stand-in of `elsewhere`, and CUDA where it is at hand.

Each test runs in a process of its own: the stand-in changes torch for good.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
START = """
import torch, minibert as mb
if {device!r} != "cuda":
    import elsewhere
    elsewhere.register()
device = torch.device({device!r})
ids = torch.randint(5, 50, (4, 12))
"""
MODELS = {
    "bert": "model = mb.heads.MaskedLM(mb.BERT(mb.BERTConfig(50, dim=8, layers=2, heads=2)))\n"
    "batch = {'input_ids': ids, 'labels': ids}",
    "gpt": "model = mb.GPT(mb.GPTConfig(50, dim=8, layers=2, heads=2))\nbatch = {'input_ids': ids}",
    "classifier": "encoder = mb.BERT(mb.BERTConfig(50, dim=8, layers=1, heads=2))\n"
    "model = mb.heads.SequenceClassifier(encoder, 2)\n"
    "batch = {'input_ids': ids, 'labels': torch.tensor([0, 1, 0, 1])}",
}
FIT = """
before = [p.detach().clone() for p in model.parameters()]
mb.fit(model, [batch], steps=2, device=device, progress=False)
assert all(p.device.type == device.type for p in model.parameters())
assert any(not torch.equal(a, p.detach().cpu()) for a, p in zip(before, model.parameters()))
assert mb.training.evaluate(model, [batch]) > 0
"""


@pytest.fixture(params=["elsewhere", "cuda"])
def run(request):
    """Runs a piece of code in a new process, with ``device`` set; a failure shows its output."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")

    def run(code):
        paths = os.pathsep.join([str(HERE), str(HERE.parents[1])])
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        code = START.format(device=request.param) + code
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    return run


def test_tensors_of_two_devices_do_not_mix(run):
    run(
        "try:\n    torch.ones(3, device=device) + torch.ones(3)\n"
        "except RuntimeError as error:\n    assert 'same device' in str(error)\n"
        "else:\n    raise AssertionError('they mixed')\n"
        "assert (torch.ones(3, device=device) + torch.tensor(1.0)).sum().item() == 6"
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_fitted_there(run, name):
    run(MODELS[name] + FIT)


def test_text_is_drawn_there(run):
    run(
        "gpt = mb.GPT(mb.GPTConfig(50, dim=8, layers=1, heads=2)).eval()\n"
        "there = gpt.to(device).generate([7, 8], steps=5, temperature=0)\n"
        "assert there == gpt.to('cpu').generate([7, 8], steps=5, temperature=0)"
    )
