"""The triangle and the schedule of layers: what they draw is what training would use."""

import numpy as np

import minibert as mb
from minibert.show.schedules import rate_map, rates
from minibert.transfer.stages import ULMFiTConfig, document, ulmfit


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


def test_the_picture_says_when_each_layer_begins():
    fig = rate_map(rates(4, 60, 0.01), ["words", "layer 1", "layer 2", "head"])
    assert "layer 2 learns from update 10" in fig.alt
    still = rate_map(rates(2, 9, 0.01, unfreezing="top"), ["words", "head"])
    assert "words sleeps throughout" in still.alt
