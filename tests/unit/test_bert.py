"""BERT: sizes, what padding changes, the fast path, heads on it and on other models, files."""

import json
import math

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F

import minibert as mb
from minibert.models.bert import files as weights
from minibert.models.bert.model import BERTOutput
from minibert.models.outputs import ModelOutput
from minibert.models.transformer import fast

SMALL = {"dim": 12, "layers": 3, "heads": 3, "hidden": 20, "max_length": 24}
STILL = {"dropout": 0.0, "attention_dropout": 0.0}


def make(seed=0, pooler=True, tokenizer=None, **changes):
    torch.manual_seed(seed)
    config = mb.BERTConfig(31, **{**SMALL, **STILL, "init_std": 0.3, **changes})
    return mb.BERT(config, tokenizer, pooler).double()


def batch(rows=6, length=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([length, 3, 17, 1, 18, 9])[:rows]
    mask = (torch.arange(length) < lengths[:, None]).long()
    ids = torch.randint(1, 31, mask.shape, generator=generator) * mask
    chosen = (torch.rand(mask.shape, generator=generator) < 0.2) & (torch.arange(length) > 0)
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "token_type_ids": (torch.arange(length) > 4).long() * mask,
        "labels": torch.where(chosen & mask.bool(), ids, -100),
        "next_sentence_label": torch.randint(2, (rows,), generator=generator),
    }


def inputs(batch):
    return {k: batch[k] for k in ("input_ids", "attention_mask", "token_type_ids")}


def slowly(monkeypatch):
    monkeypatch.setattr(fast, "suits", lambda *_: False)


@pytest.mark.parametrize(("config", "count"), [("base", 109_482_240), ("large", 335_141_888)])
def test_the_papers_sizes(config, count):
    with torch.device("meta"):
        model = mb.BERT(getattr(mb.BERTConfig, config)())
    assert sum(p.numel() for p in model.parameters()) == count


def test_the_start_is_the_papers():
    torch.manual_seed(0)
    model = mb.BERT(mb.BERTConfig(500, 64, 1, 4, 128))
    tables = model.embeddings.word.weight, model.stack.blocks[0].ffn.inner.weight
    for table in (*tables, model.embeddings.position.weight):
        assert table.std().item() == pytest.approx(0.02, rel=0.05)
    assert model.stack.blocks[0].attention.query.bias.abs().sum() == 0
    assert (model.embeddings.norm.weight == 1).all() and model.embeddings.norm.eps == 1e-12


def test_what_comes_out():
    model, given = make().eval(), inputs(batch())
    out = model(**given, output_attentions=True)
    assert isinstance(out, BERTOutput) and isinstance(out, ModelOutput)
    assert len(out.hidden_states) == 4 and len(out.attentions) == 3
    assert out.last_hidden_state is out.hidden_states[-1]
    torch.testing.assert_close(out.pooled, model.pooler(out.last_hidden_state[:, 0]))
    rows = out.attentions[0].sum(-1)
    torch.testing.assert_close(rows, torch.ones_like(rows))
    assert model(given["input_ids"]).attentions is None
    assert make(pooler=False)(given["input_ids"]).pooled is None


def test_padding_changes_nothing():
    model, given = make().eval(), inputs(batch())
    out = model(**given).last_hidden_state
    for row, length in enumerate(given["attention_mask"].sum(1).tolist()):
        alone = {name: tensor[row : row + 1, :length] for name, tensor in given.items()}
        del alone["attention_mask"]
        torch.testing.assert_close(out[row, :length], model(**alone).last_hidden_state[0])


def test_segments_and_places_are_added():
    model = make().eval()
    ids, types = torch.tensor([[5, 5]]), torch.tensor([[0, 1]])
    found = model.embeddings
    want = found.norm(
        found.word.weight[5] + found.position.weight[:2] + found.segment.weight[types[0]]
    )
    torch.testing.assert_close(model(ids, token_type_ids=types).hidden_states[0][0], want)


def test_embeddings_are_dropped_after_the_norm():
    embeddings, ids = make(dropout=0.5).embeddings, batch()["input_ids"]
    whole, dropped = embeddings.eval()(ids), embeddings.train()(ids)
    kept = dropped != 0
    assert 0.4 < kept.double().mean() < 0.6
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("cls", ["Pretraining", "MaskedLM", "NextSentence"])
def test_the_fast_path_is_the_readable_one(cls, norm, monkeypatch):
    monkeypatch.setattr(fast, "SCORES", 3 * 2 * 18 * 18)  # blocks of one and of several
    head = getattr(mb.heads, cls)(make(norm=norm)).double().train()
    given, found = batch(), []
    assert fast.suits(head.encoder, given["input_ids"])
    for quick in (True, False):
        if not quick:
            slowly(monkeypatch)
        loss, count = head.loss(given)
        grads = torch.autograd.grad(loss / count, head.parameters(), allow_unused=True)
        found.append((loss, count, [g for g in grads if g is not None]))
    assert found[0][1] == found[1][1]
    torch.testing.assert_close(found[0][0], found[1][0])
    for one, other in zip(found[0][2], found[1][2], strict=True):
        torch.testing.assert_close(one, other)


def test_the_fast_path_with_padding_anywhere_and_without_any():
    model, given = make().eval(), batch()
    mask = (torch.rand(6, 20, generator=torch.Generator().manual_seed(1)) < 0.6).long()
    mask[:, 0] = 1
    wanted = mask.bool() & (torch.arange(20) % 3 == 0)
    ids = torch.randint(1, 31, (6, 20), generator=torch.Generator().manual_seed(2))
    want = model(ids, mask).last_hidden_state[wanted]
    torch.testing.assert_close(fast.states_at(model, ids, mask, None, wanted), want)
    want = model(ids).last_hidden_state[wanted]
    torch.testing.assert_close(fast.states_at(model, ids, None, None, wanted), want)
    assert model.states_at(ids, mask, None, torch.zeros_like(wanted)).shape == (0, 12)
    one_row = torch.zeros_like(wanted)
    one_row[2, 0] = True
    want = model(ids, mask).last_hidden_state[one_row]
    torch.testing.assert_close(fast.states_at(model, ids, mask, None, one_row), want)
    with pytest.raises(ValueError, match="got a place of padding"):
        model.states_at(given["input_ids"], given["attention_mask"], None, mask.bool())


def test_a_single_layer_goes_the_fast_way_too():
    model, given = make(layers=1).eval(), inputs(batch())
    wanted = given["attention_mask"].bool()
    got, want = model.states_at(**given, wanted=wanted), model(**given).last_hidden_state[wanted]
    torch.testing.assert_close(got, want)


def test_dropout_of_the_fast_path_keeps_the_mean():
    torch.manual_seed(0)
    q, kv = torch.randn(7, 12).double(), torch.randn(7, 24).double()
    plan = fast.Plan([4, 3], [4, 3], 3)
    still = fast._Attend.apply(q, kv, plan, 0.0)
    draws = torch.stack([fast._Attend.apply(q, kv, plan, 0.3) for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), still, atol=0.1, rtol=0)
    assert draws.std(0).min() > 0.05


def test_the_gradient_of_attention_with_dropout_uses_the_mask_that_was_drawn():
    plan = fast.Plan([4, 3, 5], [2, 3, 5], 2)
    q = torch.randn(10, 6, dtype=torch.float64, requires_grad=True)
    kv = torch.randn(12, 12, dtype=torch.float64, requires_grad=True)

    def attend(q, kv):
        torch.manual_seed(0)
        return fast._Attend.apply(q, kv, plan, 0.4)

    assert torch.autograd.gradcheck(attend, (q, kv))


@pytest.mark.parametrize("change", ["hook", "adapter", "forward", "autocast"])
def test_a_changed_model_is_read_the_readable_way(change):
    class LoRA(nn.Linear):
        pass

    model, ids = make().eval(), batch()["input_ids"]
    assert fast.suits(model, ids)
    if change == "hook":
        model.stack.blocks[0].register_forward_hook(lambda *_: None)
    elif change == "adapter":
        model.stack.blocks[0].attention.query = LoRA(12, 12)
    elif change == "forward":
        model.stack.blocks[1].ffn.forward = lambda x: x
    with torch.autocast("cpu", torch.bfloat16, enabled=change == "autocast"):
        assert not fast.suits(model, ids)


def test_the_losses_by_hand():
    given = batch()
    head = mb.heads.Pretraining(make()).double().eval()
    words, pairs = head(**inputs(given))
    chosen = given["labels"] != -100
    masked = F.cross_entropy(words[chosen], given["labels"][chosen])
    nexts = F.cross_entropy(pairs, given["next_sentence_label"])
    total, count = head.loss(given)
    assert count == int(chosen.sum())
    torch.testing.assert_close(total / count, masked + nexts)
    assert head.output.decoder.weight is head.encoder.embeddings.word.weight


def test_mixed_precision_takes_the_readable_way():
    head = mb.heads.Pretraining(make(dropout=0.1).float())
    history = mb.fit(head, [batch()], steps=2, precision="bf16", progress=False, device="cpu")
    assert all(map(math.isfinite, history.loss))


def test_a_softmax_of_its_own():
    head = mb.heads.MaskedLM(make(), tied=False).double()
    assert head.output.decoder.weight is not head.encoder.embeddings.word.weight
    assert head(**inputs(batch())).shape == (6, 20, 31)


def test_it_learns_masked_words():
    torch.manual_seed(0)
    head = mb.heads.MaskedLM(make(init_std=0.1).float())
    ids = torch.arange(5, 25)[None] % 31
    ids = torch.cat([(ids + 3 * i) % 26 + 5 for i in range(8)])
    labels = torch.where(torch.arange(20) % 4 == 1, ids, -100)
    given = {"input_ids": ids.masked_fill(labels != -100, 4), "labels": labels}
    mb.fit(head, [given], steps=150, optimizer=mb.optim.adamw(head, 1e-2), progress=False,
           device="cpu")  # fmt: skip
    loss, count = head.loss(given)
    assert loss / count < 0.2 < math.log(26)


def test_heads_stand_on_any_model():
    torch.manual_seed(0)
    lstm = mb.AWDLSTM(mb.AWDLSTMConfig(31, dim=10, hidden=14, layers=2))
    table = mb.heads.Table(torch.randn(31, 9))
    given = {**batch(), "labels": torch.tensor([0, 1, 2, 0, 1, 2])}
    tags = torch.where(given["attention_mask"] > 0, 1, -100)
    for encoder, pooling in ((lstm, "last"), (lstm, "mean"), (table, "first"), (table, "mean")):
        head = mb.heads.SequenceClassifier(encoder, 3, pooling=pooling).eval()
        assert head(given["input_ids"], given["attention_mask"]).shape == (6, 3)
        assert head.loss(given)[1] == 6
        tagger = mb.heads.TokenClassifier(encoder, 2).eval()
        assert tagger.loss({**given, "labels": tags})[1] == int(given["attention_mask"].sum())
    assert mb.heads.MaskedLM(table, vocab_size=31).loss(batch())[0].isfinite()
    with pytest.raises(ValueError, match="expected vocab_size for a Table"):
        mb.heads.MaskedLM(table)


def test_pooling_by_hand(monkeypatch):
    given = inputs(batch())
    for pooling in ("first", "last", "mean"):
        head = mb.heads.SequenceClassifier(make(), 3, pooling=pooling).double().eval()
        hidden = head.encoder(**given).last_hidden_state
        lengths = given["attention_mask"].sum(1)
        rows = torch.arange(6)
        want = {
            "first": head.encoder.pooler(hidden[:, 0]),
            "last": hidden[rows, lengths - 1],
            "mean": torch.stack([hidden[r, : lengths[r]].mean(0) for r in rows]),
        }[pooling]
        torch.testing.assert_close(head(**given), head.output(want))


def test_the_last_token_is_found_behind_padding_in_front():
    head = mb.heads.SequenceClassifier(make(), 3, pooling="last").double().eval()
    ids, mask = (
        torch.tensor([[0, 0, 7, 8], [5, 6, 9, 0]]),
        torch.tensor([[0, 0, 1, 1], [1, 1, 1, 0]]),
    )
    hidden = head.encoder(ids, mask).last_hidden_state
    torch.testing.assert_close(head(ids, mask), head.output(hidden[[0, 1], [3, 2]]))


def test_a_new_layer_starts_as_the_encoder_did():
    for std, want in ((0.3, 0.3), (None, 0.02)):
        head = mb.heads.SequenceClassifier(make(init_std=std), 500)
        assert head.output.weight.std().item() == pytest.approx(want, rel=0.05)
        assert (head.output.bias == 0).all()


def test_a_regression_is_a_number_an_example():
    head = mb.heads.SequenceClassifier(make(), problem="regression").double().eval()
    given = {**batch(), "labels": torch.tensor([0.0, 1, 2, 3, 4, 5]).double()}
    loss, count = head.loss(given)
    found = head(**inputs(given))
    assert found.shape == (6,) and count == 6
    torch.testing.assert_close(loss, (found - given["labels"]).square().sum())


def test_first_pieces_carry_the_label():
    class Pieces:
        cls_id, sep_id, unk_id = 2, 3, 1

        def encode(self, word):
            return [ord(letter) for letter in word]

    examples = mb.heads.word_examples(Pieces(), [["ab", "c", "", "def"]], [[7, 8, 9, 6]])
    assert examples[0]["input_ids"] == [2, 97, 98, 99, 1, 100, 101, 102, 3]
    assert examples[0]["labels"] == [-100, 7, -100, 8, 9, 6, -100, -100, -100]
    assert examples[0]["words"] == [1, 3, 4, 5]
    short = mb.heads.word_examples(Pieces(), [["ab", "c", "def"]], max_length=5)
    assert short[0] == {"input_ids": [2, 97, 98, 99, 3], "words": [1, 3]}
    with pytest.raises(ValueError, match="1 labels for the 2 words of 'a b'"):
        mb.heads.word_examples(Pieces(), [["a", "b"]], [[1]])


def test_run_gives_each_example_its_own_output_in_order():
    head = mb.heads.TokenClassifier(make(), 4).double().train()
    pair = mb.heads.SequenceClassifier(make(), 4).double().train()
    generator = torch.Generator().manual_seed(0)
    examples = []
    for length in (4, 9, 2, 7, 4):
        ids = torch.randint(1, 31, (length,), generator=generator).tolist()
        types = [0] * (length // 2) + [1] * (length - length // 2)
        examples.append({"input_ids": ids, "token_type_ids": types, "labels": 1})
    found = mb.heads.run(head, examples, batch_size=2)
    pooled = mb.heads.run(pair, examples, batch_size=4)
    assert head.training and pair.training and mb.heads.run(head, []) == []
    head.eval(), pair.eval()
    for example, one, other in zip(examples, found, pooled, strict=True):
        ids, types = (torch.tensor([example[n]]) for n in ("input_ids", "token_type_ids"))
        torch.testing.assert_close(one, head(ids, token_type_ids=types)[0])
        torch.testing.assert_close(other, pair(ids, token_type_ids=types)[0])


def test_a_mix_of_layers_is_a_frozen_model_of_its_own():
    model, given = make(dropout=0.3), inputs(batch())
    for how, width in (("concat", 24), ("sum", 12), ("mean", 12), ("scalar", 12)):
        mixed = mb.heads.LayerMix(model, (-2, -1), how).double().train()
        states = model.eval()(**given).hidden_states[-2:]
        mixed.train()
        want = {
            "concat": torch.cat(states, -1),
            "sum": states[0] + states[1],
            "mean": (states[0] + states[1]) / 2,
            "scalar": (states[0] + states[1]) / 2,
        }[how]
        got = mixed(**given).last_hidden_state
        torch.testing.assert_close(got, want)  # although in train mode: dropout below is off
        tagger = mb.heads.TokenClassifier(mixed, 3, lstm=5).double()
        assert tagger.output.in_features == 10 and got.shape[-1] == width
        labels = batch()["labels"].clamp(max=2)
        tagger.loss({**batch(), "labels": labels})[0].backward()
        assert all(p.grad is None for p in model.parameters())
        assert tagger.lstm.weight_ih_l0.grad is not None
    with pytest.raises(ValueError, match="expected layers from -4 to 3, got"):
        mb.heads.LayerMix(model, (4,))(**given)
    with pytest.raises(ValueError, match="how must be"):
        mb.heads.LayerMix(model, how="max")


def test_the_lstm_on_features_does_not_read_padding():
    tagger = mb.heads.TokenClassifier(make(), 3, lstm=4).double().eval()
    given = inputs(batch())
    out = tagger(**given)
    alone = {name: tensor[1:2, :3] for name, tensor in given.items()}
    torch.testing.assert_close(out[1, :3], tagger(**alone)[0])


def test_layers_from_bottom_to_top():
    model = make()
    groups = mb.transfer.layer_groups(mb.heads.SequenceClassifier(model, 2))
    assert len(groups) == 1 + 3 + 1 + 1
    assert groups[0][0] is model.embeddings.word.weight
    for group, block in zip(groups[1:], model.stack.blocks, strict=False):
        assert group[0] is block.attention.query.weight
    assert sum(len(group) for group in mb.transfer.layer_groups(model)) == len(
        list(model.parameters())
    )


class Tokenizer:
    """Saves itself as a vocab.txt would be."""

    lowercase = True

    def __len__(self):
        return 31

    def save(self, path):
        lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(26))]
        path.write_text("\n".join(lines) + "\n", "utf-8")


HEADS = {
    "BERT": lambda model: model,
    "MaskedLM": lambda model: mb.heads.MaskedLM(model),
    "NextSentence": lambda model: mb.heads.NextSentence(model),
    "Pretraining": lambda model: mb.heads.Pretraining(model, tied=False),
    "SequenceClassifier": lambda model: mb.heads.SequenceClassifier(model, 5),
    "TokenClassifier": lambda model: mb.heads.TokenClassifier(model, 4),
    "SpanExtractor": lambda model: mb.heads.SpanExtractor(model),
}


@pytest.mark.parametrize("name", HEADS)
def test_folders_read_back_equal(name, tmp_path):
    model = HEADS[name](make(tokenizer=Tokenizer(), activation="gelu_tanh").float())
    model.save_pretrained(tmp_path)
    cls = mb.BERT if name == "BERT" else getattr(mb.heads, name)
    again = cls.from_pretrained(tmp_path)
    encoder = again if name == "BERT" else again.encoder
    assert not again.training and encoder.config == getattr(model, "encoder", model).config
    assert len(encoder.tokenizer) == 31 and encoder.tokenizer.lowercase
    wanted = model.state_dict()
    assert again.state_dict().keys() == wanted.keys()
    for key, tensor in again.state_dict().items():
        assert torch.equal(tensor, wanted[key]), key
    if name in ("MaskedLM", "Pretraining"):
        tied = again.output.decoder.weight is encoder.embeddings.word.weight
        assert tied == (name == "MaskedLM")
    bare = mb.BERT.from_pretrained(tmp_path)  # the encoder of any head
    assert torch.equal(bare.stack.blocks[2].ffn.outer.bias, encoder.stack.blocks[2].ffn.outer.bias)


def test_models_that_only_we_have(tmp_path):
    model = make(norm="pre", position="sinusoidal")
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "minibert-bert"
    again = mb.BERT.from_pretrained(tmp_path)
    assert again.config == model.config and again.tokenizer is None
    regression = mb.heads.SequenceClassifier(make(), problem="regression")
    regression.save_pretrained(tmp_path / "r")
    assert (
        mb.heads.SequenceClassifier.from_pretrained(tmp_path / "r").settings == regression.settings
    )


def spoil(folder, change):
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, path)


QUERY = "bert.encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop(QUERY), rf"missing: {QUERY}$"),
        (lambda t: t.update({QUERY: torch.zeros(12, 9)}), rf"{QUERY} is \(12, 9\), .* \(12, 12\)"),
        (lambda t: t.update(extra=torch.zeros(1)), "unexpected: extra$"),
        (lambda t: t.pop("bert.pooler.dense.bias"), "missing: bert.pooler.dense.bias$"),
    ],
)
def test_a_wrong_tensor_is_named(change, said, tmp_path):
    make().save_pretrained(tmp_path)
    spoil(tmp_path, change)
    with pytest.raises(ValueError, match=said):
        mb.BERT.from_pretrained(tmp_path)


def test_a_folder_without_the_head_is_refused(tmp_path):
    make().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="missing: cls.predictions.transform.dense.weight"):
        mb.heads.MaskedLM.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has no tensor classifier.weight: it holds no Sequence"):
        mb.heads.SequenceClassifier.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="missing: qa_outputs.weight, qa_outputs.bias"):
        mb.heads.SpanExtractor.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "roberta"}, "a model of type 'bert' in .*, got 'roberta'"),
        ({"hidden_act": "silu"}, "hidden_act to be one of gelu, relu.*got 'silu'"),
        ({"position_embedding_type": "relative_key"}, "only 'absolute' or None there"),
        ({"num_attention_heads": 5}, "holds no BERT: dim=12 must be a multiple of heads=5"),
        ({"hidden_size": "twelve"}, "holds no BERT"),
    ],
)
def test_a_configuration_that_cannot_be_followed(change, said, tmp_path):
    make().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=said):
        mb.BERT.from_pretrained(tmp_path)


def test_files_that_are_missing_damaged_or_hostile(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file, folder or bundled"):
        mb.BERT.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="has no config.json and no model.safetensors or"):
        mb.BERT.from_pretrained(tmp_path)
    make().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json is damaged"):
        mb.BERT.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="expected an object in"):
        mb.BERT.from_pretrained(tmp_path)
    make().save_pretrained(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-10])
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        mb.BERT.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"bert.pooler": print}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="no file of tensors alone"):
        mb.BERT.from_pretrained(tmp_path)


def test_input_that_does_not_fit_is_refused():
    model = make()
    ids = torch.ones(2, 5, dtype=torch.long)
    with pytest.raises(ValueError, match=r"attention_mask of the shape .*\(2, 5\), got \(2, 4\)"):
        model(ids, torch.ones(2, 4))
    with pytest.raises(ValueError, match="at most max_length=24 tokens, got 25"):
        model(torch.ones(1, 25, dtype=torch.long))
    with pytest.raises(ValueError, match="below vocab_size=31, got 1 to 31: does the tokenizer"):
        model(torch.tensor([[1, 31]]))
    with pytest.raises(ValueError, match="at most vocab_size=30 pieces, got 31"):
        mb.BERT(mb.BERTConfig(30, **SMALL), Tokenizer())


def test_published_names_go_both_ways():
    model = mb.heads.Pretraining(make())
    names = [weights.published(model, name) for name in model.state_dict()]
    assert len(set(names)) == len(names) and "cls.seq_relationship.bias" in names
    assert "bert.encoder.layer.2.attention.output.LayerNorm.weight" in names
