"""Persona dialogues: the data, the layout of a reply, two heads, their ranking, and talking."""

import json
import math
from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.data import readers
from minibert.data.dialogues import Dialogue, Dialogues, Exchange, of_documents
from minibert.data.sources import Source
from minibert.heads.dialogue import SPECIALS, Script
from minibert.text import BPE
from minibert.text.bpe import byte_letters

BYTES = BPE({letter: i for i, letter in enumerate(byte_letters())}, [])
BOS, EOS, OWN, OTHER = 256, 257, 258, 259
HISTORY = ((2, "hi"), (1, "hey"), (2, "who are you?"))
EXCHANGES = [
    Exchange(("I ski.", "I sing."), HISTORY, "a singer", ("no", "two cats")),
    Exchange((), ((2, "cats?"),), "yes", ("I never saw it", "at nine")),
]


def gpt(max_length=80, **changes):
    torch.manual_seed(0)
    still = {"dropout": 0.0, "attention_dropout": 0.0, **changes}
    sizes = {"dim": 16, "layers": 2, "heads": 2, "hidden": 64, "max_length": max_length}
    return mb.heads.talking(mb.GPT(mb.GPTConfig(256, **sizes, **still), BYTES)).eval()


def double(choices=3, **options):
    head = mb.heads.DoubleHeads(gpt(init_std=0.3), choices, dropout=0.0, **options)
    return head.eval()


def spelled(text):
    return list(text.encode())


# The data


def corpus():
    say = {"a": ["hi", "yes", "me too"], "b": ["hello", "no", "yes"], "c": ["oh", "my", "so", "hi"]}
    return Dialogues(
        [
            Dialogue(((f"I am {name}.",), ("I sing.",) if name != "b" else ()),
                     tuple((1 + i % 2, text) for i, text in enumerate(texts)))
            for name, texts in say.items()
        ]
    )  # fmt: skip


def test_each_turn_but_the_first_is_a_reply_with_the_persona_of_its_speaker():
    dialogue = Dialogue(
        (("I ski.",), ("I sing.",)), ((1, "hi"), (2, "hey"), (2, "you?"), (1, "me"))
    )
    assert dialogue.exchanges() == [
        Exchange(("I sing.",), ((2, "hi"),), "hey"),
        Exchange(("I sing.",), ((2, "hi"), (1, "hey")), "you?"),
        Exchange(("I ski.",), ((1, "hi"), (2, "hey"), (2, "you?")), "me"),
    ]


def test_wrong_replies_are_from_other_dialogues():
    talks = corpus()
    for seed in range(20):
        found = talks.exchanges(4, seed)
        assert len(found) == 7 and found == talks.exchanges(4, seed)
        for one, dialogue in zip(found, (0, 0, 1, 1, 2, 2, 2), strict=True):
            own = {text for _, text in talks[dialogue].turns}
            assert one.reply in own and not own & {*one.others}
            assert len({*one.others}) == 3
    assert talks.exchanges(4, 1) != talks.exchanges(4, 2)
    assert all(one.others == () for one in talks.exchanges())
    for count in (0, 8):
        with pytest.raises(ValueError, match="from 1 candidate to [67], .*got candidates="):
            talks.exchanges(count)


def test_parts_are_whole_dialogues():
    talks = Dialogues(corpus().dialogues * 4)
    train, test = talks.split(0.75, 0.25, seed=3)
    assert (len(train), len(test)) == (9, 3) and str(test)[:23] == "Dialogues(3 dialogues, "
    a, b, c = corpus()
    assert Dialogues([a, b, c]).without(Dialogues([c])).dialogues == [b]
    assert Dialogues([b]).without(Dialogues([b])).dialogues == []


def test_the_worlds_dialogues_lose_the_names_in_front():
    documents = mb.world.generate(tokens=2_000, seed=1, kinds=["dialogue", "letter"]).documents
    told = [document for document in documents if "personas" in document.notes]
    found = of_documents(documents)
    assert len(found) == len(told) > 3
    for dialogue, document in zip(found, told, strict=True):
        names = [*document.notes["personas"]]
        assert dialogue.personas == tuple(document.notes["personas"].values())
        said = [f"{names[who - 1]}: {text}" for who, text in dialogue.turns]
        assert " ".join(said) in document.text


LINE = {"persona1": ["I ski."], "persona2": [], "turns": [[1, "hi"], [2, "hey"]]}


def read(tmp_path, *rows):
    path = tmp_path / "d.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return readers.dialogues(None, [Source(path)])


def test_dialogues_from_a_file(tmp_path):
    found = read(tmp_path, LINE, {**LINE, "turns": []}, {**LINE, "more": 3})
    assert [*found] == [Dialogue((("I ski.",), ()), ((1, "hi"), (2, "hey")))] * 2


@pytest.mark.parametrize(
    "row",
    [
        {**LINE, "turns": [[3, "hi"]]}, {**LINE, "turns": [[True, "hi"]]},
        {**LINE, "turns": ["hi"]},
        {**LINE, "turns": [[1, " "]]}, {**LINE, "persona1": "I ski."}, {**LINE, "persona2": [3]},
        {"turns": []},
    ],
)  # fmt: skip
def test_a_line_that_is_no_dialogue(row, tmp_path):
    with pytest.raises(ValueError, match="line 2: expected an object with the lists persona1") as e:
        read(tmp_path, LINE, row)
    assert "\n" not in str(e.value)


@pytest.mark.data
def test_the_published_dialogues(data_dir):
    found = mb.data.load("synthetic-persona-chat")
    assert len(found) == 997 and found[0].turns[0] == (1, "Hi!")
    train, test = found.split(0.8, 0.2)
    assert len(test.without(train)) > 100
    exchanges = test.exchanges(20)
    assert all(one.reply not in one.others and one.persona for one in exchanges)


# The layout


def laid_out(persona, history, reply, right):
    """The rows of their program for ids that alternate, with a token's kind beside it."""
    parts, speaker = [(OWN, [OWN, *reply, EOS])], OTHER
    for said in reversed(history):
        parts.insert(0, (speaker, [speaker, *said]))
        speaker = OWN if speaker == OTHER else OTHER
    parts.insert(0, (OWN, [BOS, *persona]))
    ids = [i for _, part in parts for i in part]
    labels = [-100] * (len(ids) - len(reply) - 1)
    labels += [*reply, EOS] if right else [-100] * (len(reply) + 1)
    kinds = [kind for kind, part in parts for _ in part]
    return {"input_ids": ids, "token_type_ids": kinds, "lm_labels": labels}


def test_the_layout_is_that_of_the_authors_program():
    before = spelled("I ski. I sing."), [spelled(text) for _, text in HISTORY]
    rows = Script(gpt()).rows(["I ski.", "I sing."], HISTORY, ["a singer", "no"])
    for row, text in zip(rows, ("a singer", "no"), strict=True):
        assert row == laid_out(*before, spelled(text), True)
    one = Exchange(("I ski.", "I sing."), HISTORY, "a singer", ("no",))
    (example,) = mb.heads.dialogue_examples(double(2), [one])
    wrong = laid_out(*before, spelled("no"), False)
    assert example == {**{name: [wrong[name], rows[0][name]] for name in wrong}, "labels": 1}


def test_two_turns_in_a_row_are_of_one_speaker():
    (row,) = Script(gpt()).rows([], [(2, "a"), (1, "b"), (1, "c")], ["d"])
    a, b, c, d = b"abcd"
    assert row["input_ids"] == [BOS, OTHER, a, OWN, b, OWN, c, OWN, d, EOS]
    assert row["token_type_ids"] == [OWN, OTHER, OTHER, *[OWN] * 7]


def test_the_history_is_cut_from_its_oldest_end_and_the_persona_never():
    persona, about = ["I ski."], [BOS, *spelled("I ski.")]
    history = [(2, "abcd"), (1, "efg"), (2, "hi")]
    full = [OTHER, *b"abcd", OWN, *b"efg", OTHER, *b"hi"]
    reply = [OWN, *spelled("me"), EOS]
    for size in range(len(about) + len(reply), 30):
        (row,) = Script(gpt(max_length=size)).rows(persona, history, ["me"])
        ids, kinds = row["input_ids"], row["token_type_ids"]
        assert len(ids) <= size and ids[: len(about)] == about and ids[-4:] == reply
        kept, left = ids[len(about) : -4], size - len(about) - len(reply)
        assert len(kept) >= min(left - 1, len(full))  # a speaker's token alone is not kept
        texts = [i for i in kept if i < 256]
        assert bytes(texts) == b"abcdefghi"[9 - len(texts) :]
        assert not kept or kept[0] in (OWN, OTHER)
        speaker = {i: OWN if i in b"efg" else OTHER for i in b"abcdefghi"}
        said = [i if i < 256 else after for i, after in pairwise([*kept, 0])]
        assert kinds[len(about) : -4] == [speaker[i] for i in said]
    (row,) = Script(gpt(), utterances=1).rows(persona, history, ["me"])
    assert row["input_ids"] == [*about, OTHER, *b"hi", *reply]


def test_what_has_no_room_or_is_no_head_is_told(unchecked):
    with pytest.raises(ValueError, match="room for 72 tokens of a reply, got 71"):
        Script(gpt()).prompt(["I ski."], [(2, "hi")], spare=72)
    with pytest.raises(ValueError, match="expected a CausalLM or a DoubleHeads, got a GPT"):
        mb.heads.rank_replies(gpt(), EXCHANGES)


def test_a_long_reply_loses_its_end_and_all_candidates_see_the_same():
    script = Script(gpt(max_length=20))
    long, short = script.rows(["I ski."], [(2, "hello")], ["x" * 40, "me"])
    assert script.cut == 1 and script.room(["I ski."]) == 11
    assert long["input_ids"] == [BOS, *spelled("I ski."), OWN, *spelled("x" * 11), EOS]
    assert short["input_ids"] == [BOS, *spelled("I ski."), OWN, *spelled("me"), EOS]
    head = mb.heads.DoubleHeads(gpt(max_length=20), 2)
    with pytest.warns(UserWarning, match="1 of 2 replies are longer than the room"):
        mb.heads.dialogue_examples(head, [Exchange((), (), "x" * 40, ("no",))])


def test_the_four_tokens_are_no_text_and_the_others_stay_as_they_were():
    plain = mb.GPT(mb.GPTConfig(256, dim=8, layers=1, heads=2, hidden=8), BYTES).eval()
    model = mb.heads.talking(plain)
    assert len(plain.tokenizer) == 256 and len(model.tokenizer) == model.config.vocab_size == 260
    assert [model.tokenizer.ids[name] for name in SPECIALS] == [BOS, EOS, OWN, OTHER]
    assert model.tokenizer.encode("a<eos>") == spelled("a<eos>")
    assert model.tokenizer.decode([OWN, *spelled("hi"), EOS], skip_special_tokens=True) == "hi"
    again = mb.heads.talking(model)
    assert again is not model and again.config.vocab_size == 260
    wide = mb.GPT(mb.GPTConfig(300, dim=8, layers=1, heads=2, hidden=8), BYTES)
    assert mb.heads.talking(wide).config.vocab_size == 300


# Kinds of tokens


def by_hand(model, ids, kinds):
    """The last states of whole rows, the kinds' word vectors added to the embeddings."""
    word, length = model.embeddings.word.weight, ids.shape[1]
    x = word[ids] + word[kinds] + model.embeddings.position(torch.arange(length))
    seen = torch.ones(length, length, dtype=torch.bool).tril()
    return model.stack(x, seen)[0].last_hidden_state


def test_the_vector_of_a_tokens_speaker_is_added():
    head = double(2)
    rows = Script(head.encoder).rows([], HISTORY, ["me"])[0]
    ids, kinds = torch.tensor([rows["input_ids"]] * 2), torch.tensor([rows["token_type_ids"]] * 2)
    kinds[1] = OWN
    mask = torch.ones_like(ids)
    right = by_hand(head.encoder, ids, kinds)
    logits, choices = head(ids, mask, token_type_ids=kinds)
    torch.testing.assert_close(logits[0], head.encoder.logits(right), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(choices[0], head.output(right[:, -1])[:, 0], atol=1e-5, rtol=1e-4)
    lm = mb.heads.CausalLM(head.encoder)
    torch.testing.assert_close(lm(ids, mask, kinds), logits[0])
    padded, longer = (F.pad(t, (0, 3), value=1) for t in (ids, kinds))
    after, _ = head(padded, F.pad(mask, (0, 3)), token_type_ids=longer)
    torch.testing.assert_close(after[0, :, :-3], logits[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(head(ids, mask)[0], logits)


def test_kinds_that_do_not_fit_are_refused(unchecked):
    head = double(2)
    ids = torch.zeros(2, 5, dtype=torch.long)
    for kinds, told in (
        (torch.zeros(2, 4, dtype=torch.long), "token_type_ids of shape .2, 5., got .2, 4."),
        (torch.full((2, 5), 999), "token_type_ids from 0 to below"),
    ):
        with pytest.raises(ValueError, match=told):
            head(ids, token_type_ids=kinds)
    with pytest.raises(ValueError, match="ids from 0 to below vocab_size=260"):
        head(ids + 999, token_type_ids=ids)


# Two heads


def slow_row(head, row):
    """(score of the choice, log p of each token of the reply) of one row alone."""
    ids, kinds = torch.tensor([row["input_ids"]]), torch.tensor([row["token_type_ids"]])
    with torch.no_grad():
        states = by_hand(head.encoder, ids, kinds)[0]
        log_p = head.encoder.logits(states).log_softmax(-1)
    places = [i for i, label in enumerate(row["lm_labels"]) if label != -100]
    assert [row["input_ids"][i] for i in places] == [row["lm_labels"][i] for i in places]
    return head.output(states[-1])[0], [log_p[i - 1, row["lm_labels"][i]] for i in places]


def test_both_losses_by_hand():
    head = double(3, auxiliary=0.7)
    (batch,) = head.batches(mb.heads.dialogue_examples(head, EXCHANGES), 2, shuffle=False)
    assert batch["input_ids"].shape == batch["token_type_ids"].shape and len(batch["labels"]) == 2
    assert (batch["lm_labels"] == -100).all(1).tolist() == [True, True, False] * 2
    script, choices, spoken = Script(head.encoder), 0.0, []
    for one in EXCHANGES:
        rows = script.rows(one.persona, one.history, (*one.others, one.reply))
        scores, words = zip(*(slow_row(head, row) for row in rows), strict=True)
        choices -= torch.stack(scores).log_softmax(0)[-1]
        spoken += words[-1]
    loss, count = head.train().loss(batch)
    mean = -torch.stack(spoken).mean()
    assert count == 2 and len(spoken) == len("a singer") + len("yes") + 2
    torch.testing.assert_close(loss, choices + 0.7 * 2 * mean, atol=1e-5, rtol=1e-5)
    words, task, tokens = head.losses(batch)
    assert tokens == len(spoken) and words.item() == pytest.approx(mean.item(), rel=1e-5)
    lm = mb.heads.CausalLM(head.encoder)
    (batch,) = lm.batches(mb.heads.dialogue_examples(lm, EXCHANGES), 2)
    assert sorted(batch) == ["attention_mask", "input_ids", "labels", "token_type_ids"]
    loss, count = lm.loss(batch)
    assert (loss / count).item() == pytest.approx(mean.item(), rel=1e-5) and count == len(spoken)


def test_a_choice_alone_sees_the_speakers_in_learning_and_in_use():
    both = double(3)
    head = mb.heads.MultipleChoice(both.encoder, 3, dropout=0.0).eval()
    head.output.load_state_dict(both.output.state_dict())
    (batch,) = head.batches(mb.heads.dialogue_examples(both, EXCHANGES), 2)
    scores = both.output_of(batch)[1]
    torch.testing.assert_close(head.output_of(batch), scores)
    wanted = F.cross_entropy(scores, batch["labels"], reduction="sum")
    torch.testing.assert_close(head.loss(batch)[0], wanted)


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_candidates_are_ranked_as_one_by_one(batch_size):
    head = double(2).train()  # ranked are three of them
    for model in (head, mb.heads.CausalLM(head.encoder)):
        found = mb.heads.rank_replies(model, EXCHANGES, batch_size)
        script = Script(head.encoder)
        for one, ranked in zip(EXCHANGES, found, strict=True):
            assert ranked.replies == (*one.others, one.reply)
            rows = script.rows(one.persona, one.history, ranked.replies)
            for i, row in enumerate(rows):
                score, words = slow_row(head, row)
                if model is head:
                    assert ranked.choice[i].item() == pytest.approx(score.item(), abs=1e-4)
                assert ranked.tokens[i] == len(words)
                assert ranked.log_p[i].item() == pytest.approx(sum(words).item(), rel=1e-4)
                assert ranked.words[i].item() == pytest.approx(sum(words).item() / len(words), 1e-4)
    assert head.training and found[0].choice is None
    assert mb.heads.rank_replies(head, []) == []


def test_a_tie_is_no_hit():
    rows = [torch.tensor(row) for row in ([1.0, 2.0, 3.0], [1.0, 3.0, 3.0], [3.0, 3.0, 2.0])]
    assert mb.heads.hits_at_1(rows) == 1 / 3
    assert mb.heads.mean_reciprocal_rank(rows) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert mb.heads.hits_at_1([torch.zeros(20)]) == 0.0
    with pytest.raises(FloatingPointError, match="not finite"):
        mb.heads.hits_at_1([torch.tensor([1.0, math.nan])])
    with pytest.raises(ValueError, match="at least one exchange"):
        mb.heads.hits_at_1([])


def ranked(choice, log_p, tokens):
    choice = None if choice is None else torch.tensor(choice)
    names = tuple("abc"[: len(tokens)])
    return mb.heads.Ranked(names, choice, torch.tensor(log_p), torch.tensor(tokens))


def test_scores_by_hand():
    two = [
        ranked([1.0, 2.0], [-2.0, -6.0], [1.0, 4.0]),
        ranked([3.0, 0.0], [-2.0, -4.0], [2.0, 2.0]),
    ]
    assert mb.heads.dialogue_scores(two) == pytest.approx(
        {
            "hits@1": 0.5,
            "mrr": 0.75,
            "lm hits@1": 0.5,
            "lm mrr": 0.75,
            "perplexity": math.exp(10 / 6),
        }
    )  # 6 nats for 4 tokens are better than 2 for 1
    one = ranked(None, [-1.0, -1.0], [1.0, 1.0])
    assert [*mb.heads.dialogue_scores([one])] == ["lm hits@1", "lm mrr", "perplexity"]
    alone = ranked([1.0], [-3.0], [2.0])
    assert mb.heads.dialogue_scores([alone]) == {"perplexity": pytest.approx(math.exp(1.5))}
    with pytest.raises(ValueError, match="at least one exchange"):
        mb.heads.dialogue_scores([])


# Learned, kept, and spoken


@pytest.fixture(scope="module")
def learned():
    """Two heads that have learned two replies by heart."""
    head = mb.heads.DoubleHeads(gpt(), 3, auxiliary=2.0, dropout=0.0)
    batches = head.batches(mb.heads.dialogue_examples(head, EXCHANGES), 2)
    options = {"optimizer": mb.optim.adamw(head, 2e-2), "progress": False, "device": "cpu"}
    mb.fit(head, batches, steps=60, **options)
    return head


def test_a_batch_is_learned_by_heart(learned):
    scores = mb.heads.dialogue_scores(mb.heads.rank_replies(learned, EXCHANGES))
    assert scores["hits@1"] == scores["mrr"] == scores["lm hits@1"] == 1.0
    assert scores["perplexity"] < 1.1


def test_it_says_what_it_has_learned(learned):
    one, two = EXCHANGES
    assert mb.heads.reply(learned, one.persona, one.history, temperature=0) == "a singer"
    texts = [text for _, text in one.history]
    assert mb.heads.reply(learned.encoder, one.persona, texts, temperature=0) == "a singer"
    assert mb.heads.reply(learned, [], "cats?", top_p=0.5, seed=3) == "yes"
    assert mb.heads.reply(learned, [], "cats?", 2, temperature=0) == "ye"


@pytest.mark.parametrize("cache", [True, False])
def test_a_reply_is_written_in_the_voice_of_its_speaker(cache):
    """Greedy, against whole passes without a cache."""
    model = gpt(init_std=0.5)
    ids, kinds = Script(model).prompt(["I ski."], HISTORY, 12)
    written, start = list(ids), len(ids)
    while len(written) < start + 12 and (len(written) == start or written[-1] < 256):
        kind = torch.tensor([kinds + [OWN] * (len(written) - start)])
        states = by_hand(model, torch.tensor([written]), kind)
        written.append(int(model.logits(states[0, -1]).argmax()))
    said = mb.heads.reply(model, ["I ski."], HISTORY, 12, temperature=0, cache=cache)
    assert said == model.tokenizer.decode(written[start:], skip_special_tokens=True)
    assert len(written) - start > 3


def test_the_same_seed_says_the_same():
    model = gpt()
    said = {mb.heads.reply(model, [], ["hi"], 8, seed=seed) for seed in (1, 1, 2, 3)}
    assert 1 < len(said) <= 3
