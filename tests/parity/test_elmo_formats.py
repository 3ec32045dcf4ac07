"""ELMo against AllenNLP's stored activations, and against its file format read independently."""

import json
import shutil

import h5py
import numpy as np
import pytest
import torch

import minibert as mb
from minibert.models.elmo import files as weights

SENTENCES = [["Ada", "'s", "café", "closed"], ["No"], ["understandable", "things", "x" * 60]]
OPTIONS = {
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 6,
        "cell_clip": 0.8,
        "proj_clip": 0.7,
        "dim": 9,
        "n_layers": 3,
    },
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 4},
        "filters": [[1, 3], [2, 4], [5, 5]],
        "n_highway": 2,
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}


def write_published(folder, skip=True, activation="relu"):
    """A folder of random weights in AllenNLP's layout, written without the library."""
    rng = np.random.default_rng(3)

    def draw(*shape):
        return rng.normal(0, 0.6, shape).astype(np.float32)

    folder.mkdir(exist_ok=True)
    options = json.loads(json.dumps(OPTIONS))
    options["lstm"]["use_skip_connections"] = skip
    options["char_cnn"]["activation"] = activation
    (folder / "tiny_options.json").write_text(json.dumps(options), "utf-8")
    with h5py.File(folder / "tiny_weights.hdf5", "w") as file:
        file["char_embed"] = draw(261, 4)
        for i, (width, number) in enumerate(options["char_cnn"]["filters"]):
            file[f"CNN/W_cnn_{i}"], file[f"CNN/b_cnn_{i}"] = draw(1, width, 4, number), draw(number)
        for i in range(2):
            for part in ("transform", "carry"):
                file[f"CNN_high_{i}/W_{part}"] = draw(12, 12)
                file[f"CNN_high_{i}/b_{part}"] = draw(12)
        file["CNN_proj/W_proj"], file["CNN_proj/b_proj"] = draw(12, 6), draw(6)
        for direction in range(2):
            for i in range(3):
                cell = file.create_group(weights.CELL.format(direction, i))
                cell["W_0"], cell["B"], cell["W_P_0"] = draw(12, 36), draw(36), draw(9, 6)
    return options, folder / "tiny_weights.hdf5"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Reference:
    """The published model in plain NumPy, on the file's own arrays, one word after another.

    TensorFlow's conventions: matrices (in, out), gates i, j, f, o, one added to the forget gate.
    """

    def __init__(self, options, path):
        self.lstm, self.cnn = options["lstm"], options["char_cnn"]
        with h5py.File(path) as file:
            names = []
            file.visititems(lambda n, x: names.append(n) if hasattr(x, "shape") else None)
            self.file = {name: file[name][...] for name in names}

    def word(self, word):
        marks = {"<S>": [256], "</S>": [257]}
        inside = marks.get(word) or list(word.encode("utf-8"))[:48]
        symbols = [258, *inside, 259]
        symbols += [260] * (50 - len(symbols))
        x = self.file["char_embed"][symbols].astype(np.float64)  # (50, 4)
        found = []
        for i, (width, _) in enumerate(self.cnn["filters"]):
            kernel = self.file[f"CNN/W_cnn_{i}"][0]  # (width, 4, number)
            windows = [
                np.einsum("wc,wcn->n", x[t : t + width], kernel) for t in range(50 - width + 1)
            ]
            found.append(np.max(windows, 0) + self.file[f"CNN/b_cnn_{i}"])
        y = np.concatenate(found)
        y = np.tanh(y) if self.cnn["activation"] == "tanh" else np.maximum(y, 0)
        for i in range(self.cnn["n_highway"]):
            names = ("W_carry", "b_carry", "W_transform", "b_transform")
            w_gate, b_gate, w_new, b_new = (self.file[f"CNN_high_{i}/{name}"] for name in names)
            gate, new = sigmoid(y @ w_gate + b_gate), y @ w_new + b_new
            y = gate * np.maximum(new, 0) + (1 - gate) * y
        return y @ self.file["CNN_proj/W_proj"] + self.file["CNN_proj/b_proj"]

    def cell(self, direction, layer, x, h, c):
        name = weights.CELL.format(direction, layer)
        gates = np.concatenate([x, h]) @ self.file[f"{name}/W_0"] + self.file[f"{name}/B"]
        i, j, f, o = np.split(gates, 4)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
        c = np.clip(c, -self.lstm["cell_clip"], self.lstm["cell_clip"])
        h = (sigmoid(o) * np.tanh(c)) @ self.file[f"{name}/W_P_0"]
        return np.clip(h, -self.lstm["proj_clip"], self.lstm["proj_clip"]), c

    def __call__(self, words):
        """All layers of one sentence: a list of (length, 2 * projection)."""
        tokens = np.array([self.word(word) for word in ["<S>", *words, "</S>"]])
        layers = [np.concatenate([tokens, tokens], 1)]
        sides = []
        for direction in range(2):
            xs, side = tokens[::-1] if direction else tokens, []
            for layer in range(self.lstm["n_layers"]):
                h, c = np.zeros(self.lstm["projection_dim"]), np.zeros(self.lstm["dim"])
                ys = []
                for x in xs:
                    h, c = self.cell(direction, layer, x, h, c)
                    skip = self.lstm["use_skip_connections"] and layer > 0
                    ys.append(h + x if skip else h)
                xs = np.array(ys)
                side.append(xs[::-1] if direction else xs)
            sides.append(side)
        layers += [np.concatenate(pair, 1) for pair in zip(*sides, strict=True)]
        return [layer[1:-1] for layer in layers]


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_every_layer_of_a_written_model(tmp_path, skip, activation, quick):
    reference = Reference(*write_published(tmp_path, skip, activation))
    model = mb.ELMo.from_pretrained(tmp_path)
    model.quick = quick
    assert model.config.skip == skip and not model.training
    out = model.encode(SENTENCES)
    for row, words in enumerate(SENTENCES):
        for got, want in zip(out.hidden_states, reference(words), strict=True):
            np.testing.assert_allclose(got[row, : len(words)].numpy(), want, atol=1e-5)


@pytest.fixture
def fixture(data_dir, tmp_path):
    """AllenNLP's tiny model, under the names that it has as a folder of its own."""
    source = data_dir / "elmo_fixture"
    if not source.is_dir():
        pytest.skip("the data folder has no elmo_fixture")
    shutil.copy(source / "options.json", tmp_path)
    shutil.copy(source / "lm_weights.hdf5", tmp_path)
    return source, tmp_path


@pytest.mark.data
@pytest.mark.parametrize("quick", [True, False])
def test_allennlps_stored_activations(fixture, quick):
    """Three lists of sentences are lanes of one batch; the state goes on from step to step."""
    source, folder = fixture
    model = mb.ELMo.from_pretrained(folder)
    model.quick = quick
    lanes = json.loads((source / "sentences.json").read_text("utf-8"))
    stored = [h5py.File(source / f"lm_embeddings_{lane}.hdf5") for lane in range(3)]
    for step in range(10):
        out = model.encode([lane[step].split() for lane in lanes], carry=True)
        for lane, file in enumerate(stored):
            forward, backward = file[str(step)][...]  # (length, 16) each
            got = out.last_hidden_state[lane, : len(forward)].numpy()
            np.testing.assert_allclose(got, np.concatenate([forward, backward], 1), atol=1e-5)
    for file in stored:
        file.close()


@pytest.mark.data
def test_without_the_carried_state_the_activations_differ(fixture):
    source, folder = fixture
    model = mb.ELMo.from_pretrained(folder)
    lanes = json.loads((source / "sentences.json").read_text("utf-8"))
    words = lanes[0][1].split()
    with h5py.File(source / "lm_embeddings_0.hdf5") as file:
        want = file["1"][0]
    assert np.abs(model.encode([words]).last_hidden_state[0, :, :16].numpy() - want).max() > 1e-3


@pytest.mark.data
def test_allennlps_stored_word_vectors(fixture):
    source, folder = fixture
    words = (source / "vocab_test.txt").read_text("utf-8").split("\n")
    words = [word for word in words if word]
    got = mb.ELMo.from_pretrained(folder).encode([[word] for word in words]).hidden_states[0]
    with h5py.File(source / "elmo_token_embeddings.hdf5") as file:
        want = file["embedding"][...]
    assert len(want) == len(words) == 458
    np.testing.assert_allclose(got[:, 0, :16].numpy(), want, atol=1e-5)


@pytest.mark.data
def test_every_layer_of_allennlps_model(fixture):
    source, folder = fixture
    options = json.loads((source / "options.json").read_text("utf-8"))
    reference = Reference(options, source / "lm_weights.hdf5")
    words = json.loads((source / "sentences.json").read_text("utf-8"))[0][3].split()
    out = mb.ELMo.from_pretrained(folder).encode([words])
    for got, want in zip(out.hidden_states, reference(words), strict=True):
        np.testing.assert_allclose(got[0].numpy(), want, atol=1e-5)


def trained_like(source, **settings):
    vocab = mb.text.Vocab.train(SENTENCES, specials=("<pad>", "<unk>", "<S>", "</S>"))
    config = mb.ELMoConfig(
        len(vocab),
        input=source,
        dim=5,
        projection=4,
        char_dim=3,
        filters=((1, 2), (3, 4)),
        **settings,
    )
    model = mb.ELMo(config, vocab)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
        if source == "characters":
            model.encoder.embedding.weight[0] = 0
    return model.eval()


@pytest.mark.parametrize("source", ["characters", "words"])
def test_what_was_saved_reads_back_equal(tmp_path, source):
    model = trained_like(source, skip=False, cell_clip=None, softmax="sampled", negatives=7)
    model.save_pretrained(tmp_path / "new" / "folder")
    again = mb.ELMo.from_pretrained(tmp_path / "new" / "folder")
    assert again.config == model.config and again.vocab.tokens == model.vocab.tokens
    for (name, a), b in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    for a, b in zip(*(m.encode(SENTENCES).hidden_states for m in (model, again)), strict=True):
        assert torch.equal(a, b)


def test_a_published_folder_is_written_as_it_was_read(tmp_path):
    _, path = write_published(tmp_path / "theirs")
    model = mb.ELMo.from_pretrained(tmp_path / "theirs")
    model.save_pretrained(tmp_path / "ours")
    assert not (tmp_path / "ours" / "softmax.safetensors").exists()
    with h5py.File(path) as theirs, h5py.File(tmp_path / "ours" / "weights.hdf5") as ours:
        names = []
        theirs.visititems(lambda n, x: names.append(n) if hasattr(x, "shape") else None)
        for name in names:
            np.testing.assert_allclose(ours[name][...], theirs[name][...], atol=1e-6)


def test_half_precision_is_kept_in_the_files_and_read_as_single(tmp_path):
    model = trained_like("characters").half()
    model.save_pretrained(tmp_path)
    with h5py.File(tmp_path / "weights.hdf5") as file:
        assert file["char_embed"].dtype == np.float16
    again = mb.ELMo.from_pretrained(tmp_path)
    for (name, a), b in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
        assert b.dtype == torch.float32 and torch.equal(a.float(), b), name


def broken(folder, change):
    with h5py.File(folder / "tiny_weights.hdf5", "a") as file:
        change(file)


def reshape(file, name, shape):
    del file[name]
    file[name] = np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: f.pop("CNN_proj/b_proj"), "CNN_proj/b_proj is missing"),
        (lambda f: reshape(f, "CNN/W_cnn_1", (1, 3, 4, 4)), "CNN/W_cnn_1 is"),
        (lambda f: reshape(f, weights.CELL.format(1, 2) + "/W_0", (12, 35)), "Cell2/LSTMCell/W_0"),
        (lambda f: reshape(f, weights.CELL.format(0, 0) + "/W_P_0", (6, 9)), "W_P_0 is"),
        (lambda f: f.create_dataset("CNN_high_2/W_carry", data=[1.0]), "belongs to nothing"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, change, message):
    write_published(tmp_path)
    broken(tmp_path, change)
    with pytest.raises(ValueError, match=message):
        mb.ELMo.from_pretrained(tmp_path)


def test_a_folder_that_is_no_elmo_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder with one file"):
        mb.ELMo.from_pretrained(tmp_path)
    write_published(tmp_path)
    (tmp_path / "tiny_weights.hdf5").write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match="no whole HDF5 file"):
        mb.ELMo.from_pretrained(tmp_path)
    (tmp_path / "tiny_options.json").write_text('{"lstm": {}}', "utf-8")
    with pytest.raises(ValueError, match="does not describe an ELMo"):
        mb.ELMo.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file, folder or bundled checkpoint"):
        mb.ELMo.from_pretrained("nowhere-at-all")
