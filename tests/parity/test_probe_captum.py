"""Attribution beside captum's."""

import pytest
import torch

import minibert as mb

attr = pytest.importorskip("captum.attr", reason="captum is not installed")
TEXTS = ["the baker opened the small door .", "the mayor saw an old friend of the baker ."]


@pytest.fixture(scope="module", params=["minibert-bert", "minibert-gpt"])
def case(request):
    """(head, inputs, score, baseline) of a small classifier with new weights on top."""
    torch.manual_seed(0)
    kind, head = {
        "minibert-bert": (mb.BERT, mb.heads.SequenceClassifier),
        "minibert-gpt": (mb.GPT, mb.heads.LastToken),
    }[request.param]
    model = head(kind.from_pretrained(request.param), 3).eval()
    torch.nn.init.normal_(model.output.weight)
    (batch,) = model.batches(model.examples(TEXTS), 2, shuffle=False)
    given = {name: batch[name] for name in ("input_ids", "attention_mask")}
    return model, given, lambda out: out[:, 1], torch.full_like(given["input_ids"], 5)


def captums(case, kind, *arguments, **options):
    """What a captum method on the layer of the embeddings gives, a number a token."""
    model, given, _, _ = case
    mask = given["attention_mask"]

    def run(ids):
        with torch.enable_grad():
            rows = mask.repeat(len(ids) // len(mask), 1)
            return model(ids, attention_mask=rows)

    made = kind(run, model.encoder.embeddings)
    found = made.attribute(given["input_ids"], *arguments, target=1, **options)
    return (found.sum(-1) * mask).detach()


def test_integrated_gradients(case):
    model, given, score, baseline = case
    ours = mb.probe.integrated_gradients(model, given, score, baseline, steps=30)
    theirs = captums(case, attr.LayerIntegratedGradients, baseline, n_steps=30)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_gradient_times_input(case):
    model, given, score, _ = case
    ours = mb.probe.gradient_times_input(model, given, score)
    theirs = captums(case, attr.LayerGradientXActivation)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
