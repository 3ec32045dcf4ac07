"""GPT's classifiers beside `transformers`: logits, losses, names of labels, both ways in files."""

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import minibert as mb

transformers = pytest.importorskip("transformers", reason="the peer that this compares with")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

SMALL = {"vocab_size": 41, "n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": 20}
STILL = {"resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0}
KINDS = {
    "openai-gpt": (transformers.OpenAIGPTConfig, "OpenAIGPT"),
    "gpt2": (transformers.GPT2Config, "GPT2"),
}
NAMES = {0: "bad", 1: "good", 2: "neither"}
LABELS = {
    "single_label_classification": torch.tensor([2, 0, 1, 1]),
    "multi_label_classification": torch.tensor(
        [[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]]
    ).float(),
    "regression": torch.tensor([[0.5, 1, 2], [1, -1, 0], [3, 0, 1], [0, 1, 0]]),
}


def theirs_of(kind, head="ForSequenceClassification", **changes):
    """A model of theirs with random weights; token 0 is its padding."""
    config, begin = KINDS[kind]
    torch.manual_seed(0)
    options = {"pad_token_id": 0, "id2label": NAMES, **changes}
    model = getattr(transformers, begin + head)(config(**SMALL, **STILL, **options)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = "ln_" in name and name.endswith("weight")
            parameter.normal_(1.0 if norm else 0.0, 0.2)
    return model


def batch(front=False):
    ids = torch.randint(1, 41, (4, 12), generator=torch.Generator().manual_seed(1))
    lengths, places = torch.tensor([12, 3, 7, 10])[:, None], torch.arange(12)
    mask = (places >= 12 - lengths if front else places < lengths).long()
    return ids * mask, mask


def positions(mask):
    return (mask.cumsum(1) - 1).clamp(min=0)


@pytest.mark.parametrize("problem", [None, *LABELS])
@pytest.mark.parametrize("front", [False, True], ids=["behind", "in front"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier(kind, front, problem, tmp_path):
    theirs = theirs_of(kind, problem_type=problem)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = mb.heads.SequenceClassifier.from_pretrained(tmp_path / "theirs")
    assert ours.outcome.names == list(NAMES.values()) and ours.encoder.config.pad_id == 0
    ids, mask = batch(front)
    labels = LABELS[problem or "single_label_classification"]
    given = {"attention_mask": mask, "position_ids": positions(mask)}
    right = theirs(ids, **given, labels=labels)
    assert torch.allclose(ours(ids, mask), right.logits, atol=1e-5)
    assert torch.allclose(ours(ids), theirs(ids).logits, atol=1e-5)  # the end by pad_token_id
    total, count = ours.loss({"input_ids": ids, "attention_mask": mask, "labels": labels})
    assert (total / count).item() == pytest.approx(right.loss.item(), rel=1e-5)
    ours.save_pretrained(tmp_path / "ours")
    again, info = type(theirs).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values()), info
    assert torch.allclose(again.eval()(ids, **given).logits, right.logits, atol=1e-5)
    assert again.config.id2label == NAMES and again.config.pad_token_id == 0
    assert again.config.problem_type == (problem or "single_label_classification")
    found = mb.heads.load(tmp_path / "ours")
    assert type(found) is mb.heads.SequenceClassifier and found.settings == ours.settings
    assert torch.equal(found(ids, mask), ours(ids, mask))


def test_one_label_is_a_number(tmp_path):
    theirs = theirs_of("gpt2", id2label={0: "LABEL_0"})
    theirs.save_pretrained(tmp_path)
    ours = mb.heads.SequenceClassifier.from_pretrained(tmp_path)
    ids, mask = batch()
    labels = torch.tensor([0.5, -1.0, 2.0, 0.0])
    right = theirs(ids, attention_mask=mask, labels=labels)
    assert torch.allclose(ours(ids, mask), right.logits[:, 0], atol=1e-5)
    total, count = ours.loss({"input_ids": ids, "attention_mask": mask, "labels": labels})
    assert (total / count).item() == pytest.approx(right.loss.item(), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_made_here_is_theirs(kind, tmp_path):
    torch.manual_seed(0)
    norm = {"openai-gpt": "post", "gpt2": "pre"}[kind]
    sizes = {"dim": 24, "layers": 2, "heads": 4, "hidden": 96, "max_length": 20}
    gpt = mb.GPT(mb.GPTConfig(41, **sizes, norm=norm, pad_id=40))
    ours = mb.heads.SequenceClassifier(gpt, ["no", "yes"], pooling="last", dropout=0.2).eval()
    ours.save_pretrained(tmp_path)
    theirs = getattr(transformers, KINDS[kind][1] + "ForSequenceClassification")
    theirs = theirs.from_pretrained(tmp_path).eval()
    ids, mask = batch()
    ids = (ids % 40).masked_fill(mask == 0, 40)
    right = theirs(ids, attention_mask=mask).logits
    assert torch.allclose(ours(ids, mask), right, atol=1e-5)
    found = mb.heads.load(tmp_path)
    assert (found.settings, found.encoder.config) == (ours.settings, gpt.config)


@pytest.mark.parametrize("head", ["ForTokenClassification", "ForQuestionAnswering"])
def test_labels_of_words_and_spans(head, tmp_path):
    more = {"classifier_dropout": 0.3} if "Token" in head else {"id2label": {0: "a", 1: "b"}}
    theirs = theirs_of("gpt2", head, **more)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = mb.heads.load(tmp_path / "theirs")
    ids, mask = batch()
    real, right = mask.bool(), theirs(ids, attention_mask=mask)
    if "Token" in head:
        assert (ours.outcome.names, ours.dropout.p) == (list(NAMES.values()), 0.3)
        pairs = [(ours(ids, mask), right.logits)]
    else:
        pairs = zip(ours(ids, mask), (right.start_logits, right.end_logits), strict=True)
    for mine, other in pairs:
        assert torch.allclose(mine[real], other[real], atol=1e-5)
    ours.save_pretrained(tmp_path / "ours")
    again, info = type(theirs).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values()), info
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in theirs.state_dict().items())


def test_a_classifier_needs_no_language_model(tmp_path):
    theirs_of("gpt2", tie_word_embeddings=False).save_pretrained(tmp_path)
    ids, mask = batch()
    assert mb.heads.SequenceClassifier.from_pretrained(tmp_path)(ids, mask).shape == (4, 3)


WRONG = {  # changes of config.json -> what is said
    "labels": ({"id2label": {"0": "only"}}, "expected id2label for 3 labels"),
    "names": ({"id2label": {"0": "x", "1": "x", "2": "y"}}, "a list of their names, each of them"),
    "problem": ({"problem_type": "ranking"}, "problem must be 'single_label_classification' or"),
    "own": ({"minibert": {"pooling": "mean"}}, "expected 'minibert' to hold dropout"),
    "dropout": ({"minibert": {"dropout": 1.5}}, "expected a dropout below 1"),
    "padding": ({"pad_token_id": "<pad>"}, "pad_id"),
    "unknown": ({"summary_last_dropout": 0.1}, "summary_last_dropout"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_we_cannot_follow_is_refused_in_one_sentence(what, tmp_path):
    theirs_of("gpt2").save_pretrained(tmp_path)
    changes, said = WRONG[what]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ValueError, match=said) as error:
        mb.heads.SequenceClassifier.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


def test_another_head_is_refused(tmp_path):
    theirs_of("gpt2").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="holds no TokenClassifier"):
        mb.heads.TokenClassifier.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no LastToken"):
        mb.heads.LastToken.from_pretrained(tmp_path)
