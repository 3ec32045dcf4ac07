"""GPT and GPT-2 beside `transformers`, on tiny random configurations: states, loss, gradients, ids.

``pytest -s`` prints the largest absolute differences as a table.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

import minibert as mb
from minibert.models.gpt import files as weights

transformers = pytest.importorskip("transformers", reason="the peer that this compares with")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

SMALL = {"vocab_size": 41, "n_embd": 24, "n_layer": 3, "n_head": 4, "n_positions": 20}
STILL = {"resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0}
FOUND = {}  # (what, kind) -> largest absolute difference
KINDS = {
    "openai-gpt": (transformers.OpenAIGPTConfig, transformers.OpenAIGPTLMHeadModel),
    "gpt2": (transformers.GPT2Config, transformers.GPT2LMHeadModel),
}


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    kinds = list(dict.fromkeys(kind for _, kind in FOUND))
    print("\n\n" + " " * 26 + "".join(f"{kind:>14}" for kind in kinds))
    for what in dict.fromkeys(name for name, _ in FOUND):
        print(f"{what:26}" + "".join(f"{FOUND[what, kind]:14.1e}" for kind in kinds))


def close(what, kind, ours, theirs, limit=1e-5):
    assert ours.shape == theirs.shape, what
    difference = (ours - theirs).abs().max().item()
    FOUND[what, kind] = max(difference, FOUND.get((what, kind), 0.0))
    assert difference <= limit, f"{what}: {difference}"


@pytest.fixture(params=KINDS)
def pair(request, tmp_path):
    """(kind, their model, ours with the same weights by way of the files), in train mode."""
    config, kind = KINDS[request.param]
    torch.manual_seed(0)
    theirs = kind(config(**SMALL, **STILL))
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.normal_(1.0 if "ln_" in name and name.endswith("weight") else 0.0, 0.2)
    theirs.save_pretrained(tmp_path)
    return request.param, theirs.train(), mb.GPT.from_pretrained(tmp_path).train()


def batch(rows=4, length=15):
    """Ids and padding of 0 to 9 tokens at the right."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, SMALL["vocab_size"], (rows, length), generator=generator)
    lengths = torch.tensor([length, length - 9, length - 1, length - 4])
    mask = (torch.arange(length) < lengths[:, None]).long()
    return ids * mask, mask


def test_states_and_attentions(pair):
    kind, theirs, ours = pair
    theirs.set_attn_implementation("eager") if kind == "gpt2" else None
    ids, mask = batch()
    body = theirs.transformer
    right = body(ids, attention_mask=mask, output_hidden_states=True, output_attentions=True)
    left = ours(ids, mask, output_attentions=True)
    real = mask.bool()
    assert len(left.hidden_states) == len(right.hidden_states) == 4
    close("last hidden state", kind, left.last_hidden_state[real], right.last_hidden_state[real])
    for mine, other in zip(left.hidden_states, right.hidden_states, strict=True):
        close("all hidden states", kind, mine[real], other[real])
    for mine, other in zip(left.attentions, right.attentions, strict=True):
        rows = real[:, None, :, None].expand_as(mine)
        close("attentions", kind, mine[rows], other[rows])
    logits = theirs(ids, attention_mask=mask).logits
    close("logits", kind, ours.logits(left.last_hidden_state)[real], logits[real])


@pytest.mark.parametrize("path", ["fast", "readable"])
def test_loss_and_gradients(pair, path, monkeypatch):
    kind, theirs, ours = pair
    if path == "readable":
        monkeypatch.setattr(mb.models.transformer.fast, "suits", lambda *_: False)
    ids, mask = batch()
    right = theirs(ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
    total, count = ours.loss({"input_ids": ids, "attention_mask": mask})
    assert count == int(mask[:, 1:].sum())
    close("loss", kind, total / count, right)
    right.backward()
    (total / count).backward()
    gradients = {name: p.grad for name, p in theirs.named_parameters()}
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(parameter.grad)  # then they have the parameters' published names
    left = weights.published(ours)
    left.pop("lm_head.weight", None)
    for name, gradient in left.items():
        close("gradients", kind, gradient, gradients[name])
    assert set(left) == set(gradients) - {"lm_head.weight"}


def test_greedy_text_is_the_same(pair):
    kind, theirs, ours = pair
    prompt = [3, 1, 4, 1, 5]
    right = theirs.eval().generate(
        torch.tensor([prompt]),
        max_new_tokens=10,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    for cache in (True, False):
        assert ours.generate(prompt, 10, temperature=0, cache=cache) == right[0].tolist()


def test_what_we_write_they_read(pair, tmp_path):
    kind, theirs, ours = pair
    ours.save_pretrained(tmp_path / "again")
    again = KINDS[kind][1].from_pretrained(tmp_path / "again").eval()
    ids, mask = batch()
    right = again(ids, attention_mask=mask).logits[mask.bool()]
    close(
        "logits, written by us",
        kind,
        theirs.eval()(ids, attention_mask=mask).logits[mask.bool()],
        right,
    )
    assert mb.GPT.from_pretrained(tmp_path / "again").config == ours.config


@pytest.mark.parametrize("inner", [False, True], ids=["with prefix", "encoder alone"])
def test_pickles_and_files_without_prefix(pair, inner, tmp_path):
    kind, theirs, ours = pair
    (tmp_path / "old").mkdir()
    theirs.config.save_pretrained(tmp_path / "old")
    body = theirs.transformer if inner else theirs
    torch.save(body.state_dict(), tmp_path / "old" / "pytorch_model.bin")
    again = mb.GPT.from_pretrained(tmp_path / "old")
    assert all(torch.equal(p, again.state_dict()[n]) for n, p in ours.state_dict().items())


def test_penalty_top_k_and_top_p_as_theirs():
    from transformers.generation import logits_process as peers

    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(5, 30, generator=generator)
    ids = torch.randint(0, 30, (5, 8), generator=generator)
    theirs = peers.RepetitionPenaltyLogitsProcessor(1.7)(ids, logits.clone())
    assert torch.equal(mb.models.gpt.generation.penalise(logits, ids, 1.7), theirs)
    warped = peers.TopKLogitsWarper(7)(ids, logits / 0.8)
    expected = peers.TopPLogitsWarper(0.7)(ids, warped).softmax(-1)
    found = mb.models.gpt.generation.distribution(logits, temperature=0.8, top_k=7, top_p=0.7)
    assert torch.allclose(found, expected, atol=1e-6)
