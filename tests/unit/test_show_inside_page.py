"""The page of `mb.show.inside`: what it holds is what the model says, and it fetches nothing."""

import json
import math
import re

import pytest
import torch

import minibert as mb
from minibert.show.inside_page import STOPS, page_data
from minibert.show.passes import FFN, HEAD, LAYER, POSITION, Change, Passes

HERE, THERE = "The king opened the", "The doctor closed a"


@pytest.fixture(scope="module")
def passes():
    return Passes(mb.GPT.from_pretrained("minibert-gpt"))


@pytest.fixture(scope="module")
def data(passes):
    return page_data(passes, HERE, THERE)


def test_every_single_change_is_there(passes, data):
    layers, length, heads = passes.layers, len(passes.tokens(HERE)), passes.heads
    wanted = {f"{kind}:{n}:{t}" for kind in ("set", "off") for n in range(layers + 1)
              for t in range(length)}  # fmt: skip
    wanted |= {f"part:{n}:{h}" for n in range(1, layers + 1) for h in range(heads + 1)}
    wanted |= {f"layer:{n}" for n in range(1, layers + 1)}
    assert set(data["runs"]) == wanted
    assert data["tokens"] == passes.tokens(HERE) and data["place"] == length - 1


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("part:2:1", Change(2, HEAD, 1)),
        ("part:3:4", Change(3, FFN)),
        ("layer:4", Change(4, LAYER)),
        ("off:0:2", Change(0, POSITION, 2)),
        ("set:1:1", Change(1, POSITION, 1, 1)),
    ],
)
def test_the_page_computes_the_probabilities_of_the_model(passes, data, key, change):
    one = passes.of(HERE, [change], THERE)
    run, row = data["runs"][key], one.scores[0].double()
    for stop, z in zip(STOPS, run["z"], strict=True):
        p = (row / stop).softmax(-1)
        names = [data["names"][i] for i in run["i"]]
        shares = [math.exp(s / stop - z) for s in run["s"]]
        for name, share in zip(names, shares, strict=True):
            wanted = p[[i for i, other in enumerate(passes.outlook.names) if other == name]]
            assert min(abs(float(q) - share) for q in wanted) < 2e-3
    best = passes.outlook.names[int(row.argmax())]
    assert data["names"][run["i"][0]] == best
    far = torch.stack(
        [(b - a).norm(dim=1) / a.norm(dim=1)
         for a, b in zip(passes.of(HERE).states, one.states, strict=True)]
    )  # fmt: skip
    digits = torch.tensor([int(d) for d in run["m"]]).view(far.shape)
    assert bool(((digits == 0) >= (far == 0)).all()) and bool((digits[far > 2] == 9).all())


def test_without_another_text_nothing_is_taken_from_it(passes):
    found = page_data(passes, HERE)
    assert not any(key.startswith("set") for key in found["runs"])
    assert [mode for mode, _ in found["modes"]] == ["off"]


def test_the_file_stands_alone(tmp_path):
    text = "The king </script><b> opened the"
    widget = mb.show.inside(mb.AWDLSTM.from_pretrained("minibert-awd-lstm-forward"), text)
    path = widget.save(tmp_path / "inside.html")
    page = path.read_text("utf-8")
    assert path.stat().st_size < 1_000_000 and page.count("</script>") == 2
    assert not re.search(r"https?:|src=(?!\"data:)|url\(|@import|<link", page)
    assert "default-src 'none'" in page and page.count('<img src="data:image/png') == 1
    inside = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    data = json.loads(inside[1])
    assert data["text"] == text and data["parts"] == ["output", "cell"]
    assert set(data["runs"]) >= {"layer:3", "off:2:0"} and "part:1:0" not in data["runs"]


def test_a_text_without_a_head_has_cosines(tmp_path):
    bert = mb.heads.Pretraining.from_pretrained("minibert-bert").encoder
    widget = mb.show.inside(bert, HERE, other=THERE)
    data = page_data(widget.passes, HERE, THERE)
    assert data["unit"] == "cosine" and data["place"] is None
    assert data["names"] == ["itself, unchanged", "the other text"]
    assert data["scores"][0] == 1.0 and data["scores"][1] < 0.999
    same = data["runs"]["off:4:0"]["s"]  # the state of one token is gone from the mean
    assert same[0] < 1.0 and same != data["base"]["s"]
