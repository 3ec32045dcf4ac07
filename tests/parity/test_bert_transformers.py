"""BERT beside `transformers`, on tiny random configurations: every state, logit, loss, gradient.

``pytest -s`` prints the largest absolute differences as a table.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import minibert as mb
from minibert.models.bert import files as weights

transformers = pytest.importorskip("transformers", reason="the peer that this compares with")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

SMALL = {
    "vocab_size": 41,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 20,
}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
FOUND = {}  # (what, variant) -> largest absolute difference
VARIANTS = [("eager", "gelu"), ("sdpa", "gelu"), ("eager", "gelu_new"), ("eager", "relu")]


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    columns = list(dict.fromkeys(variant for _, variant in FOUND))
    print("\n\n" + " " * 26 + "".join(f"{' '.join(c):>16}" for c in columns))
    for what in dict.fromkeys(name for name, _ in FOUND):
        cells = (FOUND.get((what, c)) for c in columns)
        row = "".join(" " * 16 if cell is None else f"{cell:16.1e}" for cell in cells)
        print(f"{what:26}{row}")


def close(what, variant, ours, theirs, limit=1e-5):
    assert ours.shape == theirs.shape, what
    difference = (ours - theirs).abs().max().item()
    FOUND[what, variant] = max(difference, FOUND.get((what, variant), 0.0))
    assert difference <= limit, f"{what}: {difference}"


def peer(kind, variant=VARIANTS[0], seed=0, **changes):
    """A random model of `transformers` with lively weights, without dropout, in train mode."""
    attention, activation = variant
    settings = {**SMALL, **STILL, "hidden_act": activation, **changes}
    torch.manual_seed(seed)
    model = kind(transformers.BertConfig(**settings, attn_implementation=attention))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            around = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.normal_(around, 0.2)
    return model.train()


def ours(cls, theirs, folder):
    """The same weights in a class of ours, by way of the files; in train mode."""
    theirs.save_pretrained(folder)
    return cls.from_pretrained(folder).train()


def batch(seed=1, rows=4, length=15):
    """Ids, padding of 0 to 9 tokens, two segments; what is masked, and next-sentence labels."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, SMALL["vocab_size"], (rows, length), generator=generator)
    lengths = torch.tensor([length, length - 9, length - 1, length - 4])
    mask = (torch.arange(length) < lengths[:, None]).long()
    segments = (torch.arange(length) >= lengths[:, None] // 2).long() * mask
    labels = torch.randint(1, SMALL["vocab_size"], (rows, length), generator=generator)
    hidden = torch.rand(rows, length, generator=generator) < 0.3
    hidden &= mask.bool() & (torch.arange(length) > 0)
    return {
        "input_ids": ids * mask,
        "attention_mask": mask,
        "token_type_ids": segments,
        "labels": labels.masked_fill(~hidden, -100),
        "next_sentence_label": torch.tensor([0, 1, 1, 0]),
    }


def inputs(batch):
    return {k: batch[k] for k in ("input_ids", "attention_mask", "token_type_ids")}


def gradients(what, variant, model, theirs):
    """Every parameter's gradient, paired by published name."""
    other = dict(theirs.named_parameters())
    for name, parameter in model.named_parameters():
        wanted = other[weights.published(model, name)].grad
        wanted = torch.zeros_like(parameter) if wanted is None else wanted
        got = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        close(what, variant, got, wanted)


@pytest.mark.parametrize("variant", VARIANTS, ids=" ".join)
def test_states_attentions_and_pooled(variant, tmp_path):
    theirs = peer(transformers.BertModel, variant)
    model, given = ours(mb.BERT, theirs, tmp_path), inputs(batch())
    real = given["attention_mask"].bool()
    asked = {"output_hidden_states": True, "output_attentions": variant[0] == "eager"}
    want, got = theirs(**given, **asked), model(**given, output_attentions=True)
    close("last hidden state", variant, got.last_hidden_state[real], want.last_hidden_state[real])
    close("pooled", variant, got.pooled, want.pooler_output)
    assert len(got.hidden_states) == len(want.hidden_states) == 4
    for one, other in zip(got.hidden_states, want.hidden_states, strict=True):
        close("all hidden states", variant, one[real], other[real])
    if variant[0] == "eager":
        for one, other in zip(got.attentions, want.attentions, strict=True):
            rows = real[:, None].expand(one.shape[:3])
            close("attentions", variant, one[rows], other[rows])
    close("without mask or segments", variant, model(given["input_ids"]).pooled,
          theirs(given["input_ids"]).pooler_output)  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS, ids=" ".join)
def test_pretraining_logits_loss_and_gradients(variant, tmp_path):
    theirs, given = peer(transformers.BertForPreTraining, variant), batch()
    model = ours(mb.heads.Pretraining, theirs, tmp_path)
    want, real = theirs(**given), given["attention_mask"].bool()
    words, pairs = model(**inputs(given))
    close("MLM logits", variant, words[real], want.prediction_logits[real])
    close("NSP logits", variant, pairs, want.seq_relationship_logits)
    total, count = model.loss(given)
    assert count == int((given["labels"] != -100).sum())
    close("MLM + NSP loss", variant, total / count, want.loss)
    (total / count).backward()
    want.loss.backward()
    gradients("MLM + NSP gradients", variant, model, theirs)


@pytest.mark.parametrize("variant", VARIANTS[:2], ids=" ".join)
def test_masked_words_alone(variant, tmp_path):
    theirs, given = peer(transformers.BertForMaskedLM, variant), batch(2)
    model = ours(mb.heads.MaskedLM, theirs, tmp_path)
    assert model.encoder.pooler is None  # as in the file
    del given["next_sentence_label"]
    want = theirs(**given)
    total, count = model.loss(given)
    close("MLM loss", variant, total / count, want.loss)
    (total / count).backward()
    want.loss.backward()
    gradients("MLM gradients", variant, model, theirs)


def test_next_sentences_alone(tmp_path):
    theirs, given = peer(transformers.BertForNextSentencePrediction), batch(3)
    model = ours(mb.heads.NextSentence, theirs, tmp_path)
    want = theirs(**inputs(given), labels=given["next_sentence_label"])
    total, count = model.loss(given)
    close("NSP loss", VARIANTS[0], total / count, want.loss)
    (total / count).backward()
    want.loss.backward()
    gradients("NSP gradients", VARIANTS[0], model, theirs)


@pytest.mark.parametrize("name", ["SequenceClassifier", "TokenClassifier", "SpanExtractor"])
def test_fine_tuning_heads(name, tmp_path):
    kind = getattr(transformers, weights.HEADS[name][0])
    theirs, given = peer(kind, num_labels=2 if name == "SpanExtractor" else 5), inputs(batch(4))
    real = given["attention_mask"].bool()
    model = ours(getattr(mb.heads, name), theirs, tmp_path)
    for module in model.modules():  # the head's own dropout, which their configuration lacks
        if hasattr(module, "p"):
            module.p = 0.0
    if name == "SpanExtractor":  # without padding: theirs counts it as a place for an answer
        # and no id is that of padding: their word vector of padding is never trained
        given["input_ids"] = given["input_ids"].clamp(min=1)
        del given["attention_mask"]
        spans = {"start_positions": torch.tensor([1, 0, 3, 8])}
        spans["end_positions"] = torch.tensor([4, 0, 3, 9])
        want, got = (
            theirs(**given, **spans),
            model(given["input_ids"], None, given["token_type_ids"]),
        )
        close("span scores", VARIANTS[0], torch.stack(got), torch.stack(
            (want.start_logits, want.end_logits)))  # fmt: skip
    else:
        labels = torch.arange(4) if name[0] == "S" else (given["input_ids"] % 5).where(real, -100)
        spans = {"labels": labels}
        want, got = theirs(**given, **spans), model(**given)
        rows = slice(None) if name[0] == "S" else real
        close(f"{name} logits", VARIANTS[0], got[rows], want.logits[rows])
    loss, count = model.loss({**given, **spans})
    close(f"{name} loss", VARIANTS[0], loss / count, want.loss)
    (loss / count).backward()
    want.loss.backward()
    gradients(f"{name} gradients", VARIANTS[0], model, theirs)


def test_base_and_large_have_the_published_sizes_and_shapes():
    for config, kind in ((mb.BERTConfig.base(), {}), (mb.BERTConfig.large(), "large")):
        if kind:
            kind = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
            kind["intermediate_size"] = 4096
        with torch.device("meta"):
            model = mb.BERT(config)
            theirs = transformers.BertModel(transformers.BertConfig(**kind))
        got = {weights.published(model, n): p.shape for n, p in model.named_parameters()}
        assert got == {f"bert.{n}": p.shape for n, p in theirs.named_parameters()}
        assert config == weights.to_config(theirs.config.to_dict())


OURS = {
    "Pretraining": lambda out: (out.prediction_logits, out.seq_relationship_logits),
    "MaskedLM": lambda out: out.logits,
    "NextSentence": lambda out: out.logits,
    "SequenceClassifier": lambda out: out.logits,
    "TokenClassifier": lambda out: out.logits,
    "SpanExtractor": lambda out: (out.start_logits, out.end_logits),
}


@pytest.mark.parametrize("cls", OURS)
def test_a_folder_of_ours_is_read_by_transformers(cls, tmp_path):
    torch.manual_seed(0)
    config = mb.BERTConfig(41, 24, 3, 4, hidden=40, max_length=20, activation="gelu_tanh")
    labels = {"labels": 4} if cls.endswith("Classifier") else {}
    model = getattr(mb.heads, cls)(mb.BERT(config), **labels).eval()
    model.save_pretrained(tmp_path)
    kind = getattr(transformers, weights.HEADS[cls][0])
    theirs, info = kind.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["mismatched_keys"]
    given = inputs(batch(5))
    want, got = OURS[cls](theirs.eval()(**given)), model(**given)
    pairs = zip(got, want, strict=True) if isinstance(got, tuple) else [(got, want)]
    real = given["attention_mask"].bool()
    for one, other in pairs:
        some = real if one.shape[:2] == real.shape else slice(None)
        close("our files read by them", VARIANTS[0], one[some], other[some])


def test_their_pickles_of_2018(tmp_path):
    theirs = peer(transformers.BertForPreTraining)
    tensors = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("Norm.bias", "Norm.beta"): t
        for name, t in theirs.state_dict().items()
    }
    tensors["bert.embeddings.position_ids"] = torch.arange(20)[None]
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    theirs.config.save_pretrained(tmp_path)
    given = batch()
    loss, count = mb.heads.Pretraining.from_pretrained(tmp_path).loss(given)
    close("pickles with gamma, beta", VARIANTS[0], loss / count, theirs(**given).loss)


PROBLEMS = {  # of labels for four rows, three labels
    "single_label_classification": torch.tensor([2, 0, 1, 1]),
    "multi_label_classification": torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]),
    "regression": torch.tensor([[1.5, 0, -1], [0, 2, 3], [1, 1, 1], [0, -1, 0.5]]),
    "one number": torch.tensor([1.5, 0.0, -2.0, 1.0]),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_three_problems_of_a_sequence_classifier(problem, tmp_path):
    """Logits, the mean loss and its gradients; with names of labels, both ways."""
    labels, names = PROBLEMS[problem], ["low", "middle", "high"]
    told = {"num_labels": 1}
    if problem != "one number":
        told = {"id2label": dict(enumerate(names)), "problem_type": problem}
    theirs = peer(transformers.BertForSequenceClassification, **told)
    model = ours(mb.heads.SequenceClassifier, theirs, tmp_path)
    given = inputs(batch())
    want = theirs(**given, labels=labels)
    loss, count = model.loss({**given, "labels": labels})
    close("logits", VARIANTS[0], model(**given), want.logits.squeeze(-1))
    close("loss", VARIANTS[0], loss / count, want.loss)
    want.loss.backward()
    (loss / count).backward()
    gradients("gradients", VARIANTS[0], model, theirs)
    assert model.outcome.names == (None if problem == "one number" else names)
    model.save_pretrained(tmp_path / "again")
    again = transformers.BertForSequenceClassification.from_pretrained(tmp_path / "again")
    assert again.config.problem_type == model.settings["problem"]
    if problem != "one number":
        assert again.config.id2label == dict(enumerate(names))
    close("written", VARIANTS[0], again.train()(**given, labels=labels).loss, want.loss)
