"""The triangle and the schedule of layers: what they draw is what training would use."""

import numpy as np
import pytest

import minibert as mb
from minibert import show
from minibert.show.schedules import rates
from minibert.transfer.stages import ULMFiTConfig, document, ulmfit

NAMES = ["words", "layer 1", "layer 2", "head"]


def test_the_map_shows_the_rates_that_training_uses():
    model = mb.AWDLSTM(mb.AWDLSTMConfig(20, 8, 12, 2))
    examples = [{"input_ids": document([3, 4, i % 9], model), "labels": i % 2} for i in range(40)]
    seen = []

    class Watch:
        def before_step(self, run):
            learning = {
                g["lr"]: any(p.requires_grad for p in g["params"])
                for g in run.optimizer.param_groups
            }
            seen.append([lr if learning[lr] else np.nan for lr in sorted(learning)])

    for unfreezing in ("gradual", "all", "top"):
        seen.clear()
        settings = {"classifier_rate": 0.1, "factor": 2.0, "cut": 0.25, "unfreezing": unfreezing}
        config = ULMFiTConfig(batch_size=10, classifier_epochs=6, max_len=140, **settings)
        ulmfit(model, examples, 2, config=config, callbacks=[Watch()], progress=False)
        expected = rates(4, 24, 0.1, 2.0, cut=0.25, unfreezing=unfreezing)
        np.testing.assert_allclose(np.array(seen).T, expected, rtol=1e-6)


@pytest.fixture
def explorer():
    calls = []

    def train(**values):
        calls.append(values)
        if values["rate"] > 0.05:
            raise FloatingPointError("the loss is nan <b>")
        return {"error": f"{len(calls)} %"}

    made = show.UnfreezingExplorer(train, NAMES, steps=60)
    made.calls = calls
    return made


def test_the_schedule_is_drawn_at_once_and_trained_only_by_the_button(explorer):
    assert "layer 2 learns from update 10" in explorer.frame.alt
    explorer.set(unfreezing="top")
    assert "layer 2 sleeps throughout" in explorer.frame.alt
    assert not explorer.calls
    explorer.button.click()
    assert explorer.calls == [{"unfreezing": "top", "rate": 0.01, "factor": 2.6, "cut": 0.1}]
    explorer.set(unfreezing="all", factor=1.0)
    explorer.button.click()
    assert explorer.frame.table == [
        ["layers wake", "rate", "factor", "cut", "error"],
        ["the top alone", "0.01", "2.6", "0.1", "1 %"],
        ["all from the start", "0.01", "1", "0.1", "2 %"],
    ]
    assert explorer.button in explorer.widget.children[2].children and not explorer.button.disabled


def test_a_training_that_fails_is_a_sentence_and_nothing_is_read_as_html(explorer):
    explorer.set(rate=0.1)
    explorer.button.click()
    assert "the loss is nan" in explorer.message
    assert "&lt;b&gt;" in explorer._words.value and not explorer.button.disabled
