"""A GPT of today beside transformers' Llama, tiny and random: each switch, and all together."""

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import minibert as mb
from minibert.models.gpt import files as weights
from minibert.models.transformer import (
    FeedForward,
    MultiHeadAttention,
    RMSNorm,
    causal_mask,
    fast,
    rotation,
    turned,
)

transformers = pytest.importorskip("transformers", reason="the peer that this compares with")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
llama = pytest.importorskip("transformers.models.llama.modeling_llama")

SIZES = {"vocab_size": 41, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3}
SIZES |= {"num_attention_heads": 6, "max_position_embeddings": 24, "rope_theta": 500.0}
KINDS = {  # what differs between the models
    "grouped, tied": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "grouped, untied": {"num_key_value_heads": 3, "tie_word_embeddings": False},
    "one group": {"num_key_value_heads": 1, "tie_word_embeddings": True},
    "no groups": {"num_key_value_heads": 6, "tie_word_embeddings": False},
}


def config_of(**changes):
    return transformers.LlamaConfig(**{**SIZES, "num_key_value_heads": 2, **changes})


def theirs_of(kind=transformers.LlamaForCausalLM, **changes):
    """A model of theirs with lively weights, on its eager attention."""
    torch.manual_seed(0)
    model = kind(config_of(**changes))
    model.set_attn_implementation("eager")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.12)
    return model


@pytest.fixture(params=KINDS)
def pair(request, tmp_path):
    """(their model, ours with the same weights by way of the files), in train mode."""
    theirs = theirs_of(**KINDS[request.param])
    theirs.save_pretrained(tmp_path)
    return theirs.train(), mb.GPT.from_pretrained(tmp_path).train()


def batch(rows=4, length=15, front=False):
    """Ids and padding of 0 to 9 tokens."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, SIZES["vocab_size"], (rows, length), generator=generator)
    lengths = torch.tensor([length, length - 9, length - 1, length - 4])[:rows, None]
    places = torch.arange(length)
    mask = (places >= length - lengths if front else places < lengths).long()
    return ids * mask, mask


def close(ours, theirs, limit=1e-5):
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max().item() <= limit


def random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


# each switch by itself


def test_rms_norm():
    theirs, ours = llama.LlamaRMSNorm(48, 1e-3), RMSNorm(48, 1e-3)
    torch.nn.init.normal_(theirs.weight)
    ours.load_state_dict(theirs.state_dict())
    x = random(2, 5, 48)
    close(ours(x), theirs(x), 1e-6)
    close(ours(x), x / (x.square().mean(-1, keepdim=True) + 1e-3).sqrt() * ours.weight, 1e-6)
    low = x.bfloat16()  # which is added up in more digits, and rounded once where theirs is twice
    close(ours.bfloat16()(low), theirs.bfloat16()(low), 0.06)


@pytest.mark.parametrize("rows", [(), (3,)], ids=["all rows alike", "places of each row"])
def test_rotary_positions(rows):
    places = torch.randint(0, 900, (*rows, 7), generator=torch.Generator().manual_seed(3))
    query, key = random(3, 6, 7, 8), random(3, 2, 7, 8)
    theirs = llama.LlamaRotaryEmbedding(config_of())
    expected = llama.apply_rotary_pos_emb(query, key, *theirs(query, places.view(-1, 7)))
    turn = rotation(places, 8, 500.0)
    for found, wanted in zip((turned(query, turn), turned(key, turn)), expected, strict=True):
        assert torch.equal(found, wanted)


def test_rotary_positions_tell_distances_only():
    """Scores of queries and keys that all stand 40 places later are the same."""
    query, key = random(1, 2, 7, 8), random(1, 2, 7, 8).flip(2)
    scores = []
    for start in (0, 40):
        turn = rotation(torch.arange(start, start + 7), 8, 100.0)
        scores.append(turned(query, turn) @ turned(key, turn).mT)
    close(*scores)
    assert not torch.allclose(scores[0], query @ key.mT, atol=0.1)


def test_a_gated_feed_forward():
    theirs = llama.LlamaMLP(config_of())
    ours = FeedForward(48, 80, "silu", gated=True, bias=False)
    names = {"inner": "up_proj", "gate": "gate_proj", "outer": "down_proj"}
    ours.load_state_dict(
        {f"{n}.weight": theirs.state_dict()[f"{t}.weight"] for n, t in names.items()}
    )
    close(ours(random(2, 5, 48)), theirs(random(2, 5, 48)), 1e-6)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_grouped_keys(groups, fused):
    """As their attention, and as an attention without groups whose keys and values are copies."""
    torch.manual_seed(0)
    theirs = llama.LlamaAttention(config_of(num_key_value_heads=groups), 0)
    theirs.config._attn_implementation = "eager"
    ours, whole = (MultiHeadAttention(48, 6, groups=n, bias=False) for n in (groups, None))
    names = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj"}
    own = {f"{n}.weight": theirs.state_dict()[f"{t}.weight"] for n, t in names.items()}
    ours.load_state_dict(own)
    for part in ("key.weight", "value.weight"):
        own[part] = (
            own[part].unflatten(0, (groups, 8)).repeat_interleave(6 // groups, 0).flatten(0, 1)
        )
    whole.load_state_dict(own)
    x, seen, turn = random(2, 7, 48), causal_mask(7), rotation(torch.arange(7), 8, 500.0)
    found, _, (keys, values) = ours(x, mask=seen, turn=turn, fused=fused)
    assert keys.shape == values.shape == (2, groups, 7, 8)  # what is kept is small
    close(found, whole(x, mask=seen, turn=turn)[0], 1e-6)
    added = torch.zeros(7, 7).masked_fill(~seen, -torch.inf)[None, None]
    theirs_turn = tuple(part[None] for part in turn)  # (batch, length, head)
    close(found, theirs(x, position_embeddings=theirs_turn, attention_mask=added)[0], 1e-6)


# the whole model


@pytest.mark.parametrize("front", [False, True], ids=["padding behind", "in front"])
def test_states_attentions_and_logits(pair, front):
    theirs, ours = pair
    ids, mask = batch(front=front)
    given = {"attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
    right = theirs(ids, **given, output_hidden_states=True, output_attentions=True)
    left = ours(ids, mask, output_attentions=True)
    real = mask.bool()
    assert len(left.hidden_states) == len(right.hidden_states) == 4
    for mine, other in zip(left.hidden_states, right.hidden_states, strict=True):
        close(mine[real], other[real])
    for mine, other in zip(left.attentions, right.attentions, strict=True):
        rows = real[:, None, :, None].expand_as(mine)
        close(mine[rows], other[rows])
    close(ours.logits(left.last_hidden_state)[real], right.logits[real])


def test_loss_and_gradients(pair):
    theirs, ours = pair
    ids, mask = batch()
    right = theirs(ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
    total, count = ours.loss({"input_ids": ids, "attention_mask": mask})
    close(total / count, right)
    right.backward()
    (total / count).backward()
    gradients = {name: p.grad for name, p in theirs.named_parameters()}
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(parameter.grad)  # then they have the parameters' published names
    left = weights.published(ours)
    assert set(left) == set(gradients)
    for name, gradient in left.items():
        close(gradient, gradients[name])


def test_the_fast_path_is_for_older_models(pair):
    _, ours = pair
    ids, mask = batch()
    wanted = mask.bool()
    assert not fast.suits(ours, ids)
    assert torch.equal(
        ours.states_at(ids, mask, wanted=wanted), ours(ids, mask).last_hidden_state[wanted]
    )


def test_greedy_text_is_the_same_with_and_without_the_cache(pair):
    theirs, ours = pair
    ids, mask = batch(front=True, length=10)
    prompts = [row[m.bool()].tolist() for row, m in zip(ids, mask, strict=True)]
    right = theirs.eval().generate(
        ids, attention_mask=mask, max_new_tokens=10, do_sample=False, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    expected = [p + row[10:].tolist() for p, row in zip(prompts, right, strict=True)]
    for cache in (True, False):
        assert ours.generate(prompts, 10, temperature=0, cache=cache) == expected


def test_what_we_write_they_read(pair, tmp_path):
    theirs, ours = pair
    ours.save_pretrained(tmp_path / "again")
    kind = type(theirs)
    again, info = kind.from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not any(info.values()), info
    ids, mask = batch()
    assert again.config.rope_parameters["rope_theta"] == 500.0
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in theirs.state_dict().items())
    close(
        again.eval()(ids, attention_mask=mask).logits,
        theirs.eval()(ids, attention_mask=mask).logits,
    )
    back = mb.GPT.from_pretrained(tmp_path / "again")
    assert back.config == ours.config
    assert all(torch.equal(t, back.state_dict()[n]) for n, t in ours.state_dict().items())


def test_the_config_of_a_published_folder(tmp_path):
    """As SmolLM2's has it, written by transformers 4, with half precision in its tensors."""
    theirs_of(tie_word_embeddings=True).bfloat16().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "initializer_range": 0.04,
        "is_llama_config": True, "mlp_bias": False, "model_type": "llama", "pad_token_id": 2,
        "pretraining_tp": 1, "rms_norm_eps": 1e-6, "rope_interleaved": False, "rope_scaling": None,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_cache": True,
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}, **SIZES,
        "num_key_value_heads": 2, "transformers_version": "4.42.3",
    }))  # fmt: skip
    ours = mb.GPT.from_pretrained(tmp_path)
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids, _ = batch()
    assert ours.config.pad_id == 2 and next(ours.parameters()).dtype == torch.float32
    close(ours.logits(ours(ids).last_hidden_state), theirs(ids).logits)


REFUSED = [
    {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, {"attention_bias": True},
    {"mlp_bias": True}, {"sliding_window": 8}, {"hidden_act": "gelu"}, {"head_dim": 16},
    {"rope_interleaved": True}, {"pretraining_tp": 2}, {"num_local_experts": 4},
    {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, {"num_key_value_heads": 4},
    {"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, {"rope_theta": -1.0},
    {"rms_norm_eps": "small"}, {"quantization_config": {"bits": 4}}, {"tie_word_embeddings": 3},
    {"rope_parameters": [1]}, {"model_type": "mistral"}, {"num_hidden_layers": 10_000},
]  # fmt: skip


@pytest.mark.parametrize(
    "change", REFUSED, ids=[f"{next(iter(c))}{i}" for i, c in enumerate(REFUSED)]
)
def test_what_we_cannot_follow_is_refused_in_one_sentence(change, tmp_path):
    theirs_of().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    name = next(iter(change))
    said = {"num_key_value_heads": "multiple of groups=4", "rms_norm_eps": "norm_eps"}
    said |= {"rope_theta": "and a base", "tie_word_embeddings": "tied", "model_type": "'llama'"}
    said |= {"num_hidden_layers": "10,000 layers", "rope_parameters": "rope_parameters"}
    if name == "rope_theta":  # where it stands in this version
        told = json.loads(path.read_text())
        told.pop("rope_parameters", None)
        path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match=said.get(name, name)) as error:
        mb.GPT.from_pretrained(tmp_path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_tensors_that_do_not_fit_are_named(tmp_path):
    theirs = theirs_of(tie_word_embeddings=True)
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "tie_word_embeddings": False}))
    with pytest.raises(ValueError, match="has no lm_head.weight"):
        mb.GPT.from_pretrained(tmp_path)
    path.write_text(json.dumps({**told, "num_hidden_layers": 2}))
    with pytest.raises(ValueError, match=r"unexpected: layers\.2\..* and 1 more"):
        mb.GPT.from_pretrained(tmp_path)
    path.write_text(json.dumps({**told, "num_key_value_heads": 3}))
    with pytest.raises(
        ValueError, match=r"attention.key.weight is \(16, 48\), expected \(24, 48\)"
    ):
        mb.GPT.from_pretrained(tmp_path)


def test_what_no_layout_holds_is_refused(tmp_path):
    sizes = {"dim": 16, "layers": 1, "heads": 2, "hidden": 32, "max_length": 9}
    for changes in ({"rms": True}, {"position": "rotary"}, {"gated": True}, {"groups": 1}):
        with pytest.raises(ValueError, match="has Llama's layout, got"):
            mb.GPT(mb.GPTConfig(9, **sizes, **changes)).save_pretrained(tmp_path)
        with pytest.raises(ValueError, match="BERT's layout cannot hold a model with"):
            mb.BERT(mb.BERTConfig(9, **sizes, **changes)).save_pretrained(tmp_path)
    config = mb.GPTConfig.llama(**sizes, vocab_size=9, groups=1, dropout=0.1)
    with pytest.raises(ValueError, match="got dropout=0.1"):
        mb.GPT(config).save_pretrained(tmp_path)
    assert not any(tmp_path.iterdir())


# heads


@pytest.mark.parametrize("front", [False, True], ids=["padding behind", "in front"])
def test_a_classifier(front, tmp_path):
    names = {0: "bad", 1: "good", 2: "neither"}
    kind = transformers.LlamaForSequenceClassification
    theirs = theirs_of(kind, pad_token_id=0, id2label=names).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    ours = mb.heads.load(tmp_path / "theirs")
    assert type(ours) is mb.heads.SequenceClassifier and ours.outcome.names == [*names.values()]
    ids, mask = batch(front=front)
    given = {"attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
    right = theirs(ids, **given).logits
    close(ours(ids, mask), right)
    ours.save_pretrained(tmp_path / "ours")
    again, info = kind.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values()), info
    close(again.eval()(ids, **given).logits, right)
    assert torch.equal(mb.heads.load(tmp_path / "ours")(ids, mask), ours(ids, mask))


HEADS = {
    "CausalLM": {}, "LastToken": {"labels": 3}, "TokenClassifier": {"labels": ["O", "X"]},
    "SpanExtractor": {}, "DoubleHeads": {}, "SequenceClassifier": {"labels": 2, "pooling": "mean"},
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_every_head_comes_back_from_its_folder(name, tmp_path):
    torch.manual_seed(0)
    sizes = {"dim": 24, "layers": 2, "heads": 4, "groups": 2, "hidden": 40, "max_length": 20}
    encoder = mb.GPT(mb.GPTConfig.llama(vocab_size=41, **sizes))
    if name == "LastToken":
        encoder = mb.heads.framed(encoder)[0]
    head = getattr(mb.heads, name)(encoder, **HEADS[name]).eval()
    head.save_pretrained(tmp_path)
    again = mb.heads.load(tmp_path)
    assert type(again) is type(head) and again.settings == head.settings
    assert again.encoder.config == encoder.config
    assert all(torch.equal(t, again.state_dict()[n]) for n, t in head.state_dict().items())


def test_transformers_reads_our_language_model(tmp_path):
    config = mb.GPTConfig.llama(vocab_size=41, dim=24, layers=2, heads=4, groups=2, hidden=40)
    head = mb.heads.CausalLM(mb.GPT(config)).eval()
    head.save_pretrained(tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids, _ = batch()
    close(head(ids), theirs(ids).logits)


@torch.no_grad()
def test_in_half_precision(pair):
    """bfloat16 keeps 8 bits: states near those of float32, and text that can be drawn."""
    _, ours = pair
    ids, mask = batch()
    whole = ours.eval()(ids, mask).last_hidden_state[mask.bool()]
    low = ours.bfloat16()(ids, mask).last_hidden_state[mask.bool()]
    assert low.dtype == torch.bfloat16
    assert (low - whole).norm() < 0.05 * whole.norm()
    assert len(ours.generate([3, 1, 4], 5, seed=0)) == 8


# the same switches elsewhere


@pytest.mark.parametrize("change", [
    {"rms": True}, {"position": "rotary"}, {"gated": True}, {"groups": 2}, {"bias": False},
    {"rms": True, "position": "rotary", "gated": True, "groups": 1, "activation": "silu"},
], ids=lambda change: " ".join(change))  # fmt: skip
def test_a_transformer_with_them_writes_with_its_cache_what_it_reads(change):
    torch.manual_seed(0)
    config = mb.TransformerConfig(31, 24, 2, 4, hidden=48, dropout=0.0, max_length=20, **change)
    model = mb.models.transformer.Transformer(config).eval()
    source = torch.randint(0, 31, (2, 6), generator=torch.Generator().manual_seed(1))
    written = model.generate(source, 8, start_id=0)
    given = torch.cat((torch.zeros(2, 1, dtype=torch.long), written[:, :-1]), 1)
    assert torch.equal(model(source, given).argmax(-1), written)


def test_settings_that_cannot_be_are_refused():
    for change, said in {
        (("groups", 3),): "heads=4 must be a multiple of groups=3",
        (("groups", 0),): "multiple of groups=0",
        (("position", "rotary"), ("dim", 12)): "even width of heads, and a base: got 3",
        (("position", "rotary"), ("rope_base", 0.0)): "rope_base=0.0",
    }.items():
        with pytest.raises(ValueError, match=said):
            mb.GPTConfig(9, **{"dim": 16, "heads": 4, **dict(change)})
    assert mb.GPTConfig(9, dim=16, heads=4, groups=4).groups is None
    assert mb.GPTConfig.llama().later and not mb.GPTConfig().later and not mb.GPTConfig.gpt2().later
