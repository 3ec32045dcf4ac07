"""Models on a second device: the stand-in of `elsewhere`, and CUDA where it is at hand.

What is tried there runs in a process of its own: the stand-in changes torch for good.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import cases
import pytest
import torch

import minibert as mb

HERE = Path(__file__).parent
MIXING = """
import sys, torch
if sys.argv[1] == "elsewhere":
    import elsewhere
    elsewhere.register()
try:
    torch.ones(3, device=sys.argv[1]) + torch.ones(3)
except RuntimeError as error:
    assert "same device" in str(error)
else:
    raise AssertionError("they mixed")
assert (torch.ones(3, device=sys.argv[1]) + torch.tensor(1.0)).sum().item() == 6
"""


@pytest.fixture(scope="module", params=["elsewhere", "cuda"])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    return request.param


def run(*arguments):
    """What a new process of Python prints; a failure shows its complaint."""
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def found(device):
    """{case: None or what went wrong}, all tried in one process."""
    return json.loads(run(str(HERE / "cases.py"), device))


def test_tensors_of_two_devices_do_not_mix(device):
    run("-c", MIXING, device)


@pytest.mark.parametrize("name", cases.CASES)
def test_a_model_is_trained_there_as_on_the_processor(found, name):
    assert found[name] is None, found[name]


@pytest.mark.parametrize("name", cases.CHECKS)
def test_it_works_there_as_on_the_processor(found, name):
    assert found[name] is None, found[name]


def test_every_batch_maker_is_tried():
    """A new one has to join `cases`."""
    makers = {name for name in mb.text.__all__ if name.endswith("Batches")}
    tried = {type(make()[1]).__name__ for make in cases.CASES.values()}
    assert makers - tried - {"Batches", "ListBatches", "RowBatches", "ArrayBatches"} == set()


def test_every_head_is_tried():
    heads = {getattr(mb.heads, name) for name in mb.heads.__all__}
    heads = {
        kind for kind in heads if isinstance(kind, type) and issubclass(kind, mb.heads.head.Head)
    }
    tried = {type(make()[0]) for make in cases.CASES.values()}
    assert heads - tried - {mb.heads.NextSentence} == set()  # half of Pretraining
