"""The talk with a persona: what is read and said, what is ranked, and nothing that is lost."""

import warnings

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

import minibert as mb
from minibert.data.dialogues import Exchange
from minibert.heads import rank_replies, reply
from minibert.show.figures import PALETTE, text_html
from minibert.show.persona_chat import PersonaChat, told_turn, turns_of
from minibert.show.reply_figure import draw_bars, draw_strip, order_of, parts_of, told_parts
from minibert.text import BPE
from minibert.text.bpe import byte_letters

BYTES = BPE({letter: i for i, letter in enumerate(byte_letters())}, [])
PERSONA = ["I ski.", "I sing."]
SIZES = {"steps": 8, "utterances": 5}


def gpt(max_length=120):
    torch.manual_seed(0)
    sizes = {"dim": 16, "layers": 1, "heads": 2, "hidden": 32, "max_length": max_length}
    still = {"dropout": 0.0, "attention_dropout": 0.0, "init_std": 0.3}
    return mb.heads.talking(mb.GPT(mb.GPTConfig(256, **sizes, **still), BYTES)).eval()


@pytest.fixture(scope="module")
def double():
    return mb.heads.DoubleHeads(gpt(), 3, dropout=0.0).eval()


@pytest.fixture
def chat(double):
    return PersonaChat(double, PERSONA, ["hi"], steps=6, candidates=3, distractors=["yes"])


def test_the_reply_is_the_drawn_one_that_the_second_head_ranks_first(chat, double):
    drawn = [
        reply(double, PERSONA, ["hi"], 6, top_p=0.9, temperature=1.0, seed=n).strip()
        for n in range(3)
    ]
    drawn = [*dict.fromkeys(text for text in drawn if text)]
    exchange = Exchange((*PERSONA,), ((2, "hi"),), "yes", (*drawn,))
    (ranked,) = rank_replies(double, [exchange])
    best = max(range(len(drawn)), key=lambda n: float(ranked.choice[n]))
    assert chat.history == [(2, "hi"), (1, drawn[best])]
    assert chat.frame.text.startswith(f"You: hi\nIt: {drawn[best]}")
    head, *rows = chat.frame.table
    assert head == ["rank", "candidate", "second head", "log p per token", "tokens"]
    assert [row[0] for row in rows] == [*range(1, len(drawn) + 2)]
    values = [float(row[2]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert sum("(said)" in row[1] for row in rows) == sum("(given)" in row[1] for row in rows) == 1


def test_a_model_without_a_second_head_ranks_by_its_own_probability():
    model = gpt()
    for one in (model, mb.heads.CausalLM(model)):
        chat = PersonaChat(one, PERSONA, ["hi"], steps=6, candidates=3)
        assert "second head" not in chat.frame.table[0]
        values = [float(row[2]) for row in chat.frame.table[1:]]
        assert values == sorted(values, reverse=True) and "(said)" in chat.frame.table[1][1]


def test_what_is_typed_gets_a_reply_and_can_be_taken_back(chat):
    first = chat.history
    chat.box.value = "who are you?"  # Enter
    assert chat.box.value == "" and chat.history[:3] == [*first, (2, "who are you?")]
    assert "You: who are you?\nIt: " in chat.frame.text and len(chat.history) == 4
    assert chat.log.value.count("<div>") == 4 and "who are you?" in chat.log.value
    places = [chat.log.value.index(text_html(told_turn(turn))) for turn in chat.history]
    assert places == sorted(places)  # as a screen reader reads them
    assert "You: who" not in chat._words.value  # it would be there twice
    chat.buttons[1].click()
    assert chat.history == first
    chat.buttons[1].click()
    assert "nothing to take back" in chat.message
    chat.say_to_it("a")
    chat.say_to_it("b")
    chat.buttons[2].click()
    assert chat.history == first and chat.message == ""
    chat.buttons[0].click()
    assert chat.history == first and chat.message == ""  # nothing is in the box


def test_nothing_is_lost_when_something_is_wrong(chat):
    chat.say_to_it("who are you?")
    said = chat.history
    chat.set(persona="  \n ")
    assert chat.message == "The persona is empty: write a sentence about who replies."
    chat.box.value = "and now?"
    assert "The persona is empty" in chat.message
    assert chat.box.value == "and now?" and chat.history == said  # it waits for the persona
    chat.set(persona="I am a cat.\n\n")
    assert chat.message == "" and chat.history[:-1] == said[:-1]
    chat.buttons[0].click()
    assert (2, "and now?") in chat.history and chat.box.value == ""
    chat.set(persona="I ski. " * 40)
    assert "expected a persona that leaves room for a reply" in chat.message
    chat.say_to_it("  ")
    assert "There is nothing to reply to" in chat.message
    with pytest.raises(ValueError, match="The persona is empty"):
        PersonaChat(chat.head, [])


def test_what_is_typed_is_shown_as_it_is(chat):
    chat.say_to_it("<b>bold</b>")
    assert "&lt;b&gt;bold" in chat.log.value and "<b>" not in chat.log.value
    assert "You: <b>bold</b>" in chat.frame.text


def test_sliders_draw_the_last_reply_again_and_the_model_is_left_as_it_was(chat, double):
    before = mb.transfer.fingerprint(double), torch.get_rng_state()
    chat.set(temperature=0)
    wanted = reply(double, PERSONA, ["hi"], 6, temperature=0, seed=0).strip()
    assert chat.history == [(2, "hi"), (1, wanted)] and len(chat.frame.table) == 3
    chat.set(temperature=1.5, top_p=1.0, seed=4, candidates=2)
    assert chat.message == "" and len(chat.history) == 2
    assert before[0] == mb.transfer.fingerprint(double)
    assert torch.equal(before[1], torch.get_rng_state())


def test_the_strip_is_what_the_model_reads(double):
    history = turns_of(["hi", "hey", "who?"])
    assert history == [(2, "hi"), (1, "hey"), (2, "who?")]
    parts, lost, most = parts_of(double, PERSONA, history, **SIZES)
    assert parts == [("persona", 15), ("the other", 3), ("the model", 4), ("the other", 5),
                     ("the model", 1), ("room for the reply", 8)]  # fmt: skip
    assert (lost, most) == (0, 120)
    parts, lost, _ = parts_of(double, PERSONA, [(2, "x" * 150)], **SIZES)
    assert parts[1] == ("the other", 120 - 15 - 1 - 1 - 8) and lost == 151 - 95
    assert "56 tokens of the talk are left out" in told_parts(parts, lost, most)
    _, axes = mb.show.new()
    draw_strip(axes, parts, most)
    wide = [bar.get_width() for bar in axes.patches]
    assert wide == [15, 95, 1, 8]


def test_bars_are_the_scores_in_their_order(double):
    exchange = Exchange((*PERSONA,), ((2, "hi"),), "c", ("a", "b"))
    (ranked,) = rank_replies(double, [exchange])
    _, (second, model) = mb.show.new(columns=2)
    draw_bars((second, model), ranked, said=1, drawn=2)
    order = order_of(ranked)
    shares = ranked.choice.softmax(0)
    np.testing.assert_allclose([bar.get_width() for bar in second.patches], shares[order])
    np.testing.assert_allclose(
        [bar.get_width() for bar in model.patches], ranked.words.exp()[order]
    )
    colours = {order[i]: to_hex(bar.get_facecolor()) for i, bar in enumerate(second.patches)}
    assert colours[1] == PALETTE["blue"].lower() and colours[2] == "#bdbdbd"
    texts = [tick.get_text() for tick in second.get_yticklabels()]
    assert texts == [("▸ " if i == 1 else "") + "abc"[i] for i in order]


def test_a_model_that_cannot_talk_is_refused():
    torch.manual_seed(0)
    plain = mb.GPT(mb.GPTConfig(256, dim=16, layers=1, heads=2, hidden=32, max_length=64), BYTES)
    with pytest.raises(ValueError, match="mb.heads.talking"):
        PersonaChat(plain, PERSONA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PersonaChat(gpt(), PERSONA, steps=3, candidates=1).history[0][0] == 1  # it begins
