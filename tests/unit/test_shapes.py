"""Shapes that models state as types: tests see them checked, the package itself does not pay."""

import inspect
import subprocess
import sys

import jaxtyping
import pytest
import torch

import minibert as mb

IDS = torch.ones(2, 5, dtype=torch.long)
CONFIG = {"dim": 4, "layers": 1, "heads": 1, "hidden": 4, "max_length": 8}
WRONG = {
    "ids of one dimension": lambda model: model(IDS[0]),
    "ids that are no whole numbers": lambda model: model(IDS.float()),
    "a mask of another length": lambda model: model(IDS, torch.ones(2, 4)),
    "hidden states without a batch": lambda model: model.stack(torch.zeros(5, 4)),
    "a flag as a mask": lambda model: model.stack(torch.zeros(2, 5, 4), torch.ones(2, 1, 5, 5)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_shape_that_is_not_as_stated_is_refused_before_it_is_computed_with(wrong):
    model = mb.BERT(mb.BERTConfig(9, **CONFIG)).eval()
    with pytest.raises(jaxtyping.TypeCheckError, match="parameters of minibert.models"):
        WRONG[wrong](model)


def test_a_result_that_is_not_as_stated_is_refused():
    model = mb.GPT(mb.GPTConfig(9, **CONFIG)).eval()
    model.embeddings.dropout = torch.nn.Flatten()
    with pytest.raises(jaxtyping.TypeCheckError, match="Embeddings.forward"):
        model(IDS)
    with pytest.raises(jaxtyping.TypeCheckError, match="ModelOutput.__init__"):
        mb.models.outputs.ModelOutput(torch.zeros(5, 4))


def test_without_the_tests_hook_nothing_is_wrapped():
    code = "import minibert as mb; print(hasattr(mb.BERT.forward, '__wrapped__'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert hasattr(mb.BERT.forward, "__wrapped__")
    assert list(inspect.signature(mb.BERT.forward).parameters)[:2] == ["self", "input_ids"]
