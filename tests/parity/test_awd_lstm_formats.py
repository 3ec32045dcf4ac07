"""fastai's published language models: every tensor by name and shape, and nothing executed."""

import collections
import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import minibert as mb
from minibert.course.learn.d2l import torchvision_or_stand_in
from minibert.models.awd_lstm import files as awd_lstm

V, DIM, WIDTH = 11, 6, 9
WORDS = ["xxunk", "xxpad", "xxbos", "the", "cat", "sat", "xxfake", "xxfake", "Émile", ",", "2"]


def published(generation, seed=0, layers=3, tied=True):
    """Random tensors in one of fastai's three ways of naming them."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=generator) / 2

    vectors = random(V, DIM)
    tensors = {"0.encoder.weight": vectors}
    tensors[awd_lstm._AGAIN[generation > 0]] = vectors.clone()
    widths = [DIM, *[WIDTH] * (layers - 1), DIM]
    for n, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        raw = random(4 * outputs, outputs)
        inner = "module." if generation == 0 else ""
        tensors[f"0.rnns.{n}.{inner}weight_hh_l0_raw"] = raw
        if generation == 2:  # the copy with dropped weights, as it was when the file was written
            tensors[f"0.rnns.{n}.module.weight_hh_l0"] = nn.functional.dropout(raw, 0.5)
        tensors[f"0.rnns.{n}.module.weight_ih_l0"] = random(4 * outputs, inputs)
        tensors[f"0.rnns.{n}.module.bias_ih_l0"] = random(4 * outputs)
        tensors[f"0.rnns.{n}.module.bias_hh_l0"] = random(4 * outputs)
    tensors["1.decoder.weight"] = vectors.clone() if tied else random(V, DIM)
    if generation:
        tensors["1.decoder.bias"] = random(V)
    return tensors


def write(folder, tensors, words=WORDS, name="lstm_wt103.pth", wrapped=False):
    folder.mkdir(exist_ok=True)
    torch.save({"model": tensors, "opt": None} if wrapped else tensors, folder / name)
    (folder / "itos_wt103.pkl").write_bytes(pickle.dumps(words))
    return folder / name


def reference(tensors, ids):
    """fastai's layout read on its own terms: torch's LSTMs, one a layer; -> states, logits."""
    x = tensors["0.encoder.weight"][ids]  # (batch, length, DIM)
    states, n = [x], 0
    while f"0.rnns.{n}.module.weight_ih_l0" in tensors:
        inputs = tensors[f"0.rnns.{n}.module.weight_ih_l0"]
        lstm = nn.LSTM(inputs.shape[1], len(inputs) // 4, batch_first=True)
        raw = [t for name, t in tensors.items() if f"rnns.{n}." in name and name.endswith("_raw")]
        values = {
            "weight_ih_l0": inputs,
            "weight_hh_l0": raw[0],
            "bias_ih_l0": tensors[f"0.rnns.{n}.module.bias_ih_l0"],
            "bias_hh_l0": tensors[f"0.rnns.{n}.module.bias_hh_l0"],
        }
        lstm.load_state_dict(values)
        x = lstm(x)[0]
        states.append(x)
        n += 1
    return states, x @ tensors["1.decoder.weight"].T + tensors.get("1.decoder.bias", 0)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("generation", [0, 1, 2])
@torch.no_grad()
def test_the_forward_pass_equals_an_independent_reading(generation, wrapped, tmp_path):
    tensors = published(generation)
    model = mb.AWDLSTM.from_pretrained(write(tmp_path / "m", tensors, wrapped=wrapped))
    ids = torch.randint(0, V, (3, 8), generator=torch.Generator().manual_seed(1))
    states, logits = reference(tensors, ids)
    out = model(ids)
    for ours, theirs in zip(out.hidden_states, states, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.decoder(out.last_hidden_state), logits, atol=1e-5, rtol=0)
    assert model.config.tied and model.decoder.weight is model.embedding.weight


@torch.no_grad()
def test_untied_vectors_and_other_numbers_of_layers_are_read(tmp_path):
    tensors = published(1, layers=2, tied=False)
    model = mb.AWDLSTM.from_pretrained(write(tmp_path / "m", tensors).parent)
    ids = torch.arange(V)[None]
    _, logits = reference(tensors, ids)
    torch.testing.assert_close(model.decoder(model(ids).last_hidden_state), logits)
    assert not model.config.tied and model.config.layers == 2


def test_the_words_come_with_it(tmp_path):
    model = mb.AWDLSTM.from_pretrained(write(tmp_path / "m", published(1)))
    assert model.vocab.tokens[:4] == ["<unk>", "<pad>", "xxbos", "the"]
    assert model.vocab["the"] == 3 and model.vocab["never seen"] == 0
    assert model.vocab.tokens[6:9] == ["xxfake", "xxfake#2", "Émile"]
    assert model.config.start_id == 2 and model.config.direction == "forward"
    name = "lstm_bwd.pth"
    backward = mb.AWDLSTM.from_pretrained(write(tmp_path / "b", published(1), name=name))
    assert backward.config.direction == "backward"


@torch.no_grad()
def test_our_own_folder_reads_back_equal(tmp_path):
    model = mb.AWDLSTM.from_pretrained(write(tmp_path / "m", published(2)))
    model.save_pretrained(tmp_path / "ours")
    again = mb.AWDLSTM.from_pretrained(tmp_path / "ours")
    assert again.config == model.config and again.vocab.tokens == model.vocab.tokens
    assert not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    assert again.decoder.weight is again.embedding.weight


def test_tensors_that_do_not_fit_are_named(tmp_path):
    def load(tensors, folder, **options):
        return mb.AWDLSTM.from_pretrained(write(tmp_path / folder, tensors, **options))

    for name, kind in (
        ("0.rnns.1.module.bias_ih_l0", "missing"),
        ("0.encoder.weight", "no tensor"),
    ):
        tensors = published(1)
        del tensors[name]
        with pytest.raises(ValueError, match=kind):
            load(tensors, f"without {name}")
    with pytest.raises(ValueError, match="no AWD-LSTM has: 0.attention.weight"):
        load({**published(1), "0.attention.weight": torch.ones(2)}, "more")
    with pytest.raises(ValueError, match="of another shape: layers.0.weight_ih"):
        load({**published(1), "0.rnns.0.module.weight_ih_l0": torch.ones(4 * WIDTH, 5)}, "shape")
    with pytest.raises(ValueError, match="10 words and .* vectors for 11"):
        load(published(1), "words", words=WORDS[:-1])
    with pytest.raises(FileNotFoundError, match="one itos"):
        path = write(tmp_path / "alone", published(1))
        (path.parent / "itos_wt103.pkl").unlink()
        mb.AWDLSTM.from_pretrained(path)


class Hostile:
    """Unpickling this would make a folder."""

    def __init__(self, made):
        self.made = str(made)

    def __reduce__(self):
        return os.mkdir, (self.made,)


def test_a_hostile_pickle_is_refused_and_not_run(tmp_path):
    path, made = write(tmp_path / "m", published(1)), tmp_path / "made"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for bait in (Hostile(made), ["the", Hostile(made)]):
            (path.parent / "itos_wt103.pkl").write_bytes(pickle.dumps(bait, protocol))
            with pytest.raises(ValueError, match="asks for .*mkdir"):
                mb.AWDLSTM.from_pretrained(path)
    (path.parent / "itos_wt103.pkl").write_bytes(pickle.dumps(WORDS))
    torch.save({**published(1), "x": Hostile(made)}, path)
    with pytest.raises(ValueError, match="it was not read"):
        mb.AWDLSTM.from_pretrained(path)
    assert not made.exists()


@pytest.mark.parametrize(
    "words",
    [
        {"the": 0},
        ("the", "cat"),
        ["the", 3],
        [b"the"],
        "the",
        None,
        collections.OrderedDict(),
        [["the"]],
        np.array(["the"]),
    ],
)
def test_only_a_list_of_strings_is_a_list_of_words(words, tmp_path):
    path = tmp_path / "itos.pkl"
    path.write_bytes(pickle.dumps(words))
    with pytest.raises(ValueError, match="list of (strings|words)"):
        awd_lstm.read_itos(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_words_of_every_protocol_are_read_and_damage_is_named(protocol, tmp_path):
    path, data = tmp_path / "itos.pkl", pickle.dumps(WORDS, protocol)
    path.write_bytes(data)
    assert awd_lstm.read_itos(path) == WORDS
    for cut in range(len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(ValueError, match="no pickled list of words"):
            awd_lstm.read_itos(path)


@torch.no_grad()
def test_fastai_itself_computes_the_same(tmp_path):
    with torchvision_or_stand_in():
        models = pytest.importorskip("fastai.text.models", reason="fastai is not installed here")
    config = {**models.awd_lstm_lm_config, "emb_sz": DIM, "n_hid": WIDTH, "n_layers": 3}
    theirs = models.get_language_model(models.AWD_LSTM, V, config=config).eval()
    for parameter in theirs.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    model = mb.AWDLSTM.from_pretrained(write(tmp_path / "m", theirs.state_dict()))
    ids = torch.randint(0, V, (2, 9), generator=torch.Generator().manual_seed(3))
    theirs.reset()
    logits, raw, _ = theirs(ids)
    hidden = model(ids).last_hidden_state
    torch.testing.assert_close(hidden, raw, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.decoder(hidden), logits, atol=1e-5, rtol=0)
