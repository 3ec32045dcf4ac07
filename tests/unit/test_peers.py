"""d2l 1.0.3 works beside current packages, with and without torchvision."""

import builtins
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from minibert.course.learn import d2l as peers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fresh(monkeypatch):
    """`peers.d2l` as in a new session in which ``torchvision`` cannot be imported."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("d2l", "torchvision")]:
        monkeypatch.delitem(sys.modules, name)
    hide(monkeypatch, "torchvision")
    yield peers.d2l
    for name in [name for name in sys.modules if name.split(".")[0] == "d2l"]:
        del sys.modules[name]


def hide(monkeypatch, package, error=None):
    """Let ``import package`` fail, as if it were not installed or with ``error``."""
    find = builtins.__import__

    def refuse(name, *args, **options):
        if name.split(".")[0] == package and package not in sys.modules:
            raise error or ModuleNotFoundError(f"No module named {package!r}", name=package)
        return find(name, *args, **options)

    def refuse_module(name, *args):
        return refuse(name) and sys.modules[name]

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(peers.importlib, "import_module", refuse_module)


def test_nothing_is_imported_before_the_call():
    code = (
        "import sys, minibert.course.learn.d2l; print('d2l' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "False False\n", done.stderr


def test_it_imports_without_torchvision_and_leaves_no_trace(fresh):
    d2l = fresh()
    assert d2l.__name__ == "d2l.torch"
    assert isinstance(d2l.torchvision, peers.StandIn)
    assert not [name for name in sys.modules if name.split(".")[0] == "torchvision"]
    assert fresh() is d2l


def test_using_torchvision_says_what_is_missing(fresh):
    with pytest.raises(
        ImportError, match=r"torchvision\.transforms\.Compose.* install the torchvision"
    ):
        fresh().FashionMNIST(resize=(8, 8))


def test_a_torchvision_for_another_torch_is_replaced_too(fresh, monkeypatch):
    broken = RuntimeError("operator torchvision::nms does not exist")
    hide(monkeypatch, "torchvision", broken)
    with pytest.raises(ImportError, match="RuntimeError: operator torchvision::nms"):
        fresh().torchvision.datasets.FashionMNIST()


def test_a_torchvision_that_works_is_used(fresh, monkeypatch):
    real = {name: type(sys)(name) for name in ("torchvision", "torchvision.transforms")}
    real["torchvision"].transforms = real["torchvision.transforms"]
    for name, module in real.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert fresh().torchvision is real["torchvision"]
    assert sys.modules["torchvision"] is real["torchvision"]


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        ("d2l", r"d2l is not installed; install it with: pip install --no-deps d2l==1\.0\.3"),
        ("pandas", "d2l needs pandas, which is not installed; .*constraints.txt"),
    ],
)
def test_what_is_not_installed_is_named(package, sentence, fresh, monkeypatch):
    monkeypatch.delitem(sys.modules, package, raising=False)
    hide(monkeypatch, package)
    with pytest.raises(ImportError, match=sentence):
        fresh()


def test_it_plots_with_current_matplotlib(capsys):
    import matplotlib

    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    try:
        d2l = peers.d2l()
        d2l.show_heatmaps(torch.eye(4).reshape(1, 1, 4, 4), xlabel="keys", ylabel="queries")
        (image,) = d2l.plt.gcf().axes[0].images
        assert image.get_array().shape == (4, 4)
        x = torch.arange(5.0)
        d2l.plt.figure()
        d2l.plot(x, [x**2, 2 * x], "x", "f(x)", legend=["square", "double"])
        square, double = d2l.plt.gca().lines
        assert list(square.get_ydata()) == [0, 1, 4, 9, 16]
        assert list(double.get_ydata()) == [0, 2, 4, 6, 8]
    finally:
        peers.d2l().plt.close("all")
        matplotlib.use(before)


def test_its_data_hub_names_the_data_sets():
    hub = peers.d2l().DATA_HUB
    assert {"ptb", "wikitext-2", "aclImdb", "SNLI"} <= set(hub)
    url, sha1 = hub["ptb"]
    assert url.endswith("ptb.zip")
    assert len(sha1) == 40


def test_its_attention_and_bert_compute():
    d2l = peers.d2l()
    keys = values = torch.arange(12.0).reshape(1, 4, 3)
    attention = d2l.DotProductAttention(dropout=0.0).eval()
    got = attention(torch.zeros(1, 1, 3), keys, values, torch.tensor([2]))
    torch.testing.assert_close(got[0, 0], values[0, :2].mean(0))  # equal scores: a mean

    sizes = {"num_hiddens": 16, "ffn_num_hiddens": 32, "num_heads": 2, "num_blks": 1}
    bert = d2l.BERTModel(vocab_size=50, dropout=0.0, **sizes)
    tokens, segments = torch.randint(0, 50, (2, 8)), torch.zeros(2, 8, dtype=torch.long)
    hidden, masked, following = bert(tokens, segments, torch.tensor([8, 5]), tokens[:, :3] % 8)
    assert (hidden.shape, masked.shape, following.shape) == ((2, 8, 16), (2, 3, 50), (2, 2))
