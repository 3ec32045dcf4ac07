"""`mb.show.inside`: what it measures, what its changes do, what it says, by values."""

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.show.inside_figure import best_of, layer_map
from minibert.show.passes import FFN, HEAD, HEADS, LAYER, POSITION, Change, Passes

HERE, THERE = "The king opened the", "The doctor closed a"
MASKED = "The baker opened the [MASK]."


@pytest.fixture(scope="module")
def models():
    return {
        "gpt": mb.GPT.from_pretrained("minibert-gpt"),
        "english": mb.GPT.from_pretrained("minibert-gpt-english"),
        "bert": mb.heads.Pretraining.from_pretrained("minibert-bert"),
        "awd": mb.AWDLSTM.from_pretrained("minibert-awd-lstm-forward"),
        "back": mb.AWDLSTM.from_pretrained("minibert-awd-lstm-backward"),
        "elmo": mb.ELMo.from_pretrained("minibert-elmo"),
    }


def text_for(name, text=HERE):
    return f"{text} [MASK] ." if name == "bert" else text


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


NAMES = ["gpt", "english", "bert", "awd", "back", "elmo"]


@pytest.mark.parametrize("name", ["gpt", "english"])
def test_a_gpt_says_what_its_own_logits_say(models, name):
    model = models[name]
    passes = Passes(model)
    one = passes.of(HERE)
    ids = model.tokenizer.encode(HERE)
    with torch.no_grad():
        hidden = model(torch.tensor([ids])).last_hidden_state
        wanted = model.logits(hidden)[0, :, : len(model.tokenizer)].log_softmax(-1)
    assert one.places == [*range(len(ids))][::-1]  # after the last token first
    torch.testing.assert_close(one.scores, wanted.flip(0), rtol=1e-4, atol=1e-4)
    assert "".join(one.tokens).replace("␣", " ") == HERE or name == "english"


def test_masked_words_are_those_that_the_head_predicts(models):
    one = Passes(models["bert"]).of(MASKED)
    (best,) = models["bert"].predict([MASKED]).best(1)
    place = int(one.scores[0].argmax())
    assert one.tokens[one.places[0]] == "[MASK]"
    assert best[0][0][0] == models["bert"].encoder.tokenizer.tokens[place]
    assert best[0][0][1] == pytest.approx(float(one.scores[0].max().exp()), rel=1e-4)


def test_the_lstms_say_the_word_after_or_before(models):
    one = Passes(models["awd"]).of(HERE)
    ids = models["awd"].vocab.encode(HERE.split())
    log_p = models["awd"].log_probs(ids)
    for place, token in enumerate(ids):  # the row for the token before, the last one first
        row = one.scores[one.places.index(place)]
        assert float(row[token]) == pytest.approx(log_p[place], abs=1e-4)
    back = Passes(models["back"]).of(HERE)
    log_p = models["back"].log_probs(ids)
    assert back.tokens[-1] == models["back"].vocab.tokens[models["back"].config.start_id]
    for place, token in enumerate(ids):
        row = back.scores[back.places.index(place + 1)]
        assert float(row[token]) == pytest.approx(log_p[place], abs=1e-4)


@pytest.mark.parametrize("name", ["gpt", "english", "bert"])
def test_what_parts_add_makes_the_next_state(models, name):
    """The heads and the bias are what attention adds; with the feed-forward part, the layer."""
    passes = Passes(models[name])
    one = passes.of(text_for(name))
    for layer, block in enumerate(passes.inner.stack.blocks, 1):
        before, z = one.states[layer - 1], one.held["heads", layer]
        parts, size = [], z.shape[1] // passes.heads
        for head in range(passes.heads):
            columns = slice(head * size, (head + 1) * size)
            part = z[:, columns] @ block.attention.output.weight[:, columns].T
            parts.append(part)
            share = part.norm(dim=1) / before.norm(dim=1)
            torch.testing.assert_close(one.added[layer - 1, head], share, rtol=1e-4, atol=1e-6)
        x = before + sum(parts) + block.attention.output.bias
        x = x if block.pre else block.attention_norm(x)
        ffn = block.ffn.outer(one.held["neurons", layer])
        torch.testing.assert_close(
            one.added[layer - 1, -1], ffn.norm(dim=1) / x.norm(dim=1), rtol=1e-4, atol=1e-6
        )
        x = x + ffn if block.pre else block.ffn_norm(x + ffn)
        moved = (x - before).norm(dim=1) / before.norm(dim=1)
        torch.testing.assert_close(one.moved[layer - 1], moved, rtol=1e-4, atol=1e-6)
        last = layer == passes.layers
        x = passes.inner.stack.norm(x) if last else x
        torch.testing.assert_close(x, one.states[layer], rtol=1e-3, atol=1e-4)


def test_cells_make_the_outputs_of_an_lstm(models):
    """The output is a gate, between 0 and 1, times tanh of the cell: never larger than that."""
    for name in ("awd", "back"):
        one = Passes(models[name]).of(HERE)
        for layer in range(1, 4):
            cells, h = one.held["cells", layer], one.states[layer]
            assert bool((h.abs() <= cells.tanh().abs() + 1e-5).all())
            assert bool((h.sign() == cells.sign())[h.abs() > 1e-4].all())
            size = cells.square().mean(1).sqrt()
            torch.testing.assert_close(one.added[layer - 1, 1], size)


def test_cells_of_elmo_step_to_its_own_states(models):
    model = models["elmo"]
    one = Passes(model).of(HERE)
    for layer in (1, 2):
        first, second = one.held["cells", layer].chunk(2, -1)
        for way, layers, cells in (
            (0, model.forward_layers, first),
            (1, model.backward_layers, second),
        ):
            size = model.config.projection
            half = slice(way * size, (way + 1) * size)
            x = one.states[layer - 1][:, half]
            y = one.states[layer][:, half] - (x if layer > 1 else 0)  # the skip connection
            order = range(1, len(x)) if not way else range(len(x) - 2, -1, -1)
            for t in order:
                before = t + 1 if way else t - 1
                h, c = layers[layer - 1].step(x[t][None], y[before][None], cells[before][None])
                torch.testing.assert_close(h[0], y[t], rtol=1e-3, atol=1e-4)
                torch.testing.assert_close(c[0], cells[t], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_of_the_other_text_makes_its_prediction(models, name):
    passes = Passes(models[name])
    here, there = text_for(name), text_for(name, THERE)
    wanted, base = passes.of(there), passes.of(here)
    assert not torch.allclose(wanted.scores, base.scores, atol=0.1)
    for layer in range(passes.layers + 1):
        one = passes.of(here, [Change(layer, LAYER, 0, True)], there)
        torch.testing.assert_close(one.scores, wanted.scores, rtol=1e-3, atol=1e-3)
    every = [Change(1, POSITION, i, i) for i in range(len(base.tokens))]
    one = passes.of(here, every, there)
    torch.testing.assert_close(one.scores, wanted.scores, rtol=1e-3, atol=1e-3)
    assert hooks(models[name]) == 0


@pytest.mark.parametrize("name", ["gpt", "english", "bert"])
def test_what_is_off_is_off_and_what_is_set_is_set(models, name):
    passes = Passes(models[name])
    here, there = text_for(name), text_for(name, THERE)
    base, other = passes.of(here), passes.of(there)
    size = base.held["heads", 2].shape[1] // passes.heads
    off = passes.of(here, [Change(2, HEAD, 1)])
    held = off.held["heads", 2]
    assert not held[:, size : 2 * size].any() and not off.added[1, 1].any()
    torch.testing.assert_close(held[:, :size], base.held["heads", 2][:, :size])
    torch.testing.assert_close(off.states[1], base.states[1])
    assert not torch.allclose(off.states[2], base.states[2], atol=1e-3)
    taken = passes.of(here, [Change(2, HEAD, 1, True)], there).held["heads", 2]
    torch.testing.assert_close(
        taken[:, size : 2 * size], other.held["heads", 2][:, size : 2 * size]
    )
    none = passes.of(here, [Change(2, HEADS), Change(2, FFN)])
    whole = passes.of(here, [Change(2, LAYER)])
    torch.testing.assert_close(none.scores, whole.scores)
    assert not none.held["heads", 2].any() and not none.held["neurons", 2].any()
    gone = passes.of(here, [Change(1, POSITION, 0)])
    assert not gone.states[1][0].any() and gone.states[1][1].any()
    row = passes.of(here, [Change(1, POSITION, 0, 2)], there).states[1][0]
    torch.testing.assert_close(row, other.states[1][2])


def test_without_a_head_the_texts_vector_is_compared(models):
    passes = Passes(models["bert"].encoder)
    assert passes.compares and passes.outlook.unit == "cosine" and passes.of(HERE).places == []
    a, b = (passes.of(text).states[-1].mean(0) for text in (HERE, THERE))
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=0)
    one = passes.of(HERE, (), THERE)
    torch.testing.assert_close(one.scores[0], torch.stack([torch.ones(()), cosine]))
    passes.kept.clear()  # what it is compared with is never a pass with changes
    cut = passes.of(HERE, [Change(1, LAYER)], THERE)
    passes.kept.clear()
    torch.testing.assert_close(passes.of(HERE, [], THERE).scores, one.scores)
    own = cut.states[-1].mean(0)
    torch.testing.assert_close(
        cut.scores[0, 0], torch.nn.functional.cosine_similarity(own, a, dim=0)
    )


def test_a_head_with_labels_says_one(models):
    torch.manual_seed(0)
    for kind in (mb.heads.SequenceClassifier, mb.heads.TokenClassifier):
        head = kind(models["bert"].encoder, ["good", "bad", "so-so"]).eval()
        widget = mb.show.inside(models["bert"].encoder, "the baker opened a door", head=head)
        said = head.predict(["the baker opened a door"])
        row = (
            said.probabilities[0]
            if kind is mb.heads.SequenceClassifier
            else said.probabilities[0][0]
        )
        one = widget.passes.of("the baker opened a door")
        torch.testing.assert_close(one.scores[0].exp(), row, rtol=1e-4, atol=1e-5)
        before = widget.frame.table
        widget.cut(4)
        assert [line[0] for line in widget.frame.table[1:]] and widget.frame.table != before
        assert "of layer 4 off" in widget.frame.text and ("place" in widget.controls) == (
            kind is mb.heads.TokenClassifier
        )


def test_the_frame_of_a_gpts_task_has_names(models):
    torch.manual_seed(0)
    encoder, _ = mb.heads.framed(mb.GPT.from_pretrained("minibert-gpt"))
    head = mb.heads.LastToken(encoder, ["good", "bad"]).eval()
    one = Passes(head).of(HERE)
    assert one.tokens[0] == "<start>" and one.tokens[-1] == "<extract>"
    torch.testing.assert_close(one.scores[0].exp(), head.predict([HERE]).probabilities[0])


@pytest.fixture
def widget(models):
    return mb.show.inside(models["gpt"], HERE, other=THERE)


def test_the_first_frame_is_a_plain_figure_that_tells_the_prediction(widget):
    passes = widget.passes
    p = passes.of(HERE).scores[0].exp()
    name = passes.outlook.names[int(p.argmax())]
    assert widget.frame.table[0] == ["candidate", "probability"]
    assert widget.frame.table[1] == [name, f"{float(p.max()):.1%}"]
    assert widget.frame.text == f"Predicted after “␣the” (3): “{name}” ({float(p.max()):.2f})."
    assert "4 layers" in widget._still[1]["image/png"]["alt"] and widget.png.startswith(b"\x89PNG")


def test_the_figure_shows_the_numbers(widget):
    one = widget.passes.of(HERE)
    bars, left, right, strip, looks = widget.figure().axes
    shares = one.scores[0].exp()
    widths = [bar.get_width() for bar in bars.patches][::-1]
    wanted = [float(shares[i]) for i in best_of([shares])]
    np.testing.assert_allclose(widths, wanted, rtol=1e-4)
    moved = left.images[0].get_array()
    np.testing.assert_allclose(moved[1:], one.moved.numpy())
    assert np.ma.getmaskarray(np.ma.masked_invalid(moved))[0].all()
    np.testing.assert_allclose(right.images[0].get_array(), one.added[..., -1].numpy())
    assert [t.get_text() for t in right.get_xticklabels()] == ["h0", "h1", "h2", "h3", "FF"]
    assert [t.get_text() for t in strip.get_xticklabels()][1] == "1 ␣king"
    heights = [bar.get_height() for bar in looks.patches]  # the chosen part is head 0 of layer 1
    np.testing.assert_allclose(heights, one.looks[0, 0, -1].numpy(), rtol=1e-5)


def test_buttons_switch_off_and_take_back(widget):
    base = widget.frame.table
    widget.controls["layer"].value = 2
    widget.controls["part"].value = 1  # head 1
    assert widget.frame.table == base and not widget.changes
    widget.controls["action"].value = "off"
    assert list(widget.changes.values()) == [Change(2, HEAD, 1, None)]
    one = widget.passes.of(HERE, [Change(2, HEAD, 1)])
    best = int(one.scores[0].argmax())
    assert widget.frame.table[0] == ["candidate", "as it is", "probability"]
    assert widget.frame.table[1][2] == f"{float(one.scores[0, best].exp()):.1%}"
    assert "head 1 of layer 2 off" in widget.frame.text
    assert "changed" in [t.get_text() for t in widget.figure().axes[0].get_legend().get_texts()]
    widget.controls["layer"].value = 3
    assert widget.controls["action"].value == "as it is" and len(widget.changes) == 1
    widget.controls["layer"].value = 2
    assert widget.controls["action"].value == "off"
    widget.controls["action"].value = "as it is"
    assert widget.frame.table == base and not widget.changes


def test_several_changes_hold_until_they_are_undone(widget):
    base = widget.frame.text
    widget.cut(2, head=1).cut(3, part="feed-forward").set(1, 1, from_text=THERE)
    changes = [Change(2, HEAD, 1), Change(3, FFN, 0), Change(1, POSITION, 1, 1)]
    assert list(widget.changes.values()) == changes
    one = widget.passes.of(HERE, changes, THERE)
    assert f"({float(widget.passes.of(HERE).scores[0].max().exp()):.2f})" in widget.frame.text
    told = layer_map(widget.passes.of(HERE), one, True)[0]
    np.testing.assert_allclose(widget.figure().axes[1].images[0].get_array(), told)
    assert not told[0].any() and told[1, 1] > 0 and not told[1, 2]
    assert "3 changed" in widget._still[1]["image/png"]["alt"]
    widget.controls["undo"].value = True  # a click
    assert not widget.changes and widget.frame.text == base
    assert widget.controls["undo"].value is False


def test_set_takes_another_position_and_whole_parts(widget):
    widget.set(2, 1, from_text=THERE, from_position=3)
    assert widget.changes[2, POSITION, 1] == Change(2, POSITION, 1, 3)
    assert widget.controls["source"].value == 4 and widget.controls["action"].label is not None
    widget.undo().set(3, head=2)
    assert list(widget.changes.values()) == [Change(3, HEAD, 2, True)]
    widget.undo().set(3, from_text=THERE)
    assert list(widget.changes.values()) == [Change(3, LAYER, 0, True)]
    wanted = widget.passes.of(THERE).scores[0]
    assert f"{float(wanted.max().exp()):.1%}" == widget.frame.table[1][2]
    widget.undo().set(layer=2, temperature=0.5)
    assert widget.controls["layer"].value == 2 and not widget.changes


def test_temperature_divides_the_scores(widget):
    widget.set(temperature=2.0)
    row = widget.passes.of(HERE).scores[0].double()
    p = (row / 2).softmax(-1)
    assert widget.frame.table[1][1] == f"{float(p.max()):.1%}"


def test_another_place_is_read(widget):
    widget.controls["place"].value = 2  # of 3, 2, 1, 0
    assert widget.frame.text.startswith("Predicted after “␣king” (1)")
    widget.controls["text"].value = "the king"
    assert widget.message == "" and widget.passes.tokens("the king")[-1] == "␣king"


def test_another_text_keeps_heads_and_forgets_positions(widget):
    widget.cut(2, head=1).cut(1, position=3)
    widget.controls["text"].value = "the king slept"
    assert list(widget.changes) == [(2, HEAD, 1)] and widget.message == ""


def test_bad_input_is_a_sentence_and_changes_nothing(widget):
    widget.set(other="The cat", layer=2, part=1)
    widget.controls["action"].value = "from the other text"
    assert "has 2 tokens and this one 4" in widget.message and not widget.changes
    assert widget.controls["action"].value == "as it is"
    widget.set(other="")
    widget.controls["action"].value = "from the other text"
    assert "another text" in widget.message and not widget.changes
    widget.set(layer=0)
    widget.controls["action"].value = "off"
    assert "layer from 1 to 4" in widget.message and not widget.changes
    for text, told in (("  ", "type a text"), ("the " * 40, "room for 24")):
        widget.controls["text"].value = text
        assert told in widget.message
    widget.controls["text"].value = HERE
    assert widget.message == ""
    with pytest.raises(ValueError, match="no head 9 in layer 2"):
        widget.cut(2, head=9)
    with pytest.raises(ValueError, match="no whole layer 0 in layer 7"):
        widget.cut(7)
    with pytest.raises(ValueError, match="no position 3"):
        widget.set(2, 3, from_text="The cat")
    assert not widget.changes


def test_models_and_heads_that_do_not_fit_are_refused(models):
    with pytest.raises(ValueError, match="one vector for each word"):
        mb.show.inside(mb.Word2Vec.from_pretrained("minibert-word2vec"), HERE)
    with pytest.raises(ValueError, match=r"Write \[MASK\]"):
        mb.show.inside(models["bert"], HERE)
    other = mb.heads.SequenceClassifier(models["gpt"], 2, pooling="last")
    with pytest.raises(ValueError, match="stands on this model"):
        mb.show.inside(models["english"], HERE, head=other)
    score = mb.heads.SequenceClassifier(models["gpt"], 1, "regression", pooling="last")
    with pytest.raises(ValueError, match="gives a label"):
        mb.show.inside(models["gpt"], HERE, head=score)
    with pytest.raises(ValueError, match="no feed-forward"):
        mb.show.inside(models["awd"], HERE).cut(1, part="feed-forward")


def test_a_tokenizer_is_lent_and_given_back():
    torch.manual_seed(0)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat"]
    shape = {"dim": 12, "layers": 2, "heads": 3, "hidden": 16, "max_length": 10}
    model = mb.BERT(mb.BERTConfig(len(tokens), **shape))
    with pytest.raises(ValueError, match="neither a tokenizer"):
        mb.show.inside(model, "the cat sat")
    widget = mb.show.inside(model, "the cat sat", tokenizer=mb.text.WordPiece(tokens))
    assert widget.passes.tokens("the cat sat") == ["[CLS]", "the", "cat", "sat", "[SEP]"]
    assert model.tokenizer is None and model.training  # as it was
    assert widget.cut(1, head=2).message == ""


def test_a_model_of_today_is_taken_apart_as_well():
    torch.manual_seed(0)
    shape = {"dim": 24, "layers": 2, "heads": 4, "groups": 2, "hidden": 32, "max_length": 40}
    bpe = mb.text.BPE.train(["the cat sat on the mat", "the dog sat"], 300)
    model = mb.GPT(mb.GPTConfig.llama(vocab_size=len(bpe), **shape), bpe)
    passes = Passes(model)
    one = passes.of("the cat sat")
    cut = passes.of("the cat sat", [Change(2, LAYER)])
    torch.testing.assert_close(cut.states[2], model.stack.norm(one.states[1]))
    assert one.added.shape[:2] == (2, 5) and bool((one.added > 0).all())


@torch.no_grad()
def test_cells_of_elmo_are_those_where_a_shorter_pass_ends(models):
    from minibert.models.elmo.parts import turned
    from minibert.text.characters import spell_sentences

    model = models["elmo"].eval()
    one, n = Passes(model).of(HERE), 4
    ids, mask = spell_sentences([HERE.split()], 50)
    ids, mask = model.with_boundaries(ids, mask.bool())
    tokens = model.encoder(ids)
    for t in range(n):  # the mark before the words, and t + 1 of them
        short = (torch.arange(n + 2) <= t + 1)[None]
        _, state = model.layers((tokens, turned(tokens, mask)), None, short)
        for layer, (_, c) in enumerate(state, 1):
            first, second = one.held["cells", layer].chunk(2, -1)
            torch.testing.assert_close(first[t], c[0, 0], rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(second[n - 1 - t], c[1, 0], rtol=1e-3, atol=1e-4)
