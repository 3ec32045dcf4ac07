import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.text import ArrayBatches, BPTTBatches, PaddedBatches, Vocab, detokenise, tokenise

WORDS = "the cat Anna o'clock well-known 3-1 1,200 7.30 Mr. U.S. café I they <unk> 1990s".split()
word = st.sampled_from(WORDS)
clitic = st.sampled_from(["'s", "'ll", "'ve", "'d", "'re", "'m", "n't"])
group = st.one_of(
    word.map(lambda w: [w]),
    st.tuples(st.sampled_from(["cat", "Anna", "they", "do"]), clitic).map(list),
)
words = st.lists(group, min_size=1, max_size=6).map(lambda groups: sum(groups, []))
clause = st.one_of(
    words,
    words.map(lambda w: ['"', *w, ",", '"']),
    words.map(lambda w: ["(", *w, ")"]),
)
prose = st.lists(
    st.tuples(clause, st.sampled_from([[","], [";"], [":"], []])).map(lambda p: p[0] + p[1]),
    min_size=1,
    max_size=4,
).flatmap(lambda clauses: st.sampled_from(".!?").map(lambda end: sum(clauses, []) + [end]))


@given(prose)
def test_well_formed_prose_survives_detokenising(tokens):
    assert tokenise(detokenise(tokens)) == tokens


@given(st.text())
def test_every_character_is_in_one_token(text):
    assert "".join(tokenise(text)) == "".join(text.split())


@given(st.text())
def test_tokens_depend_on_nothing_beyond_white_space(text):
    assert tokenise(text) == [token for chunk in text.split() for token in tokenise(chunk)]


@given(st.lists(st.text(), max_size=8), st.lists(st.text(), max_size=4))
def test_vocabulary_round_trips(tmp_path_factory, texts, others):
    vocab = Vocab.train(texts)
    tokens = [token for text in texts for token in tokenise(text)]
    assert [vocab.tokens[i] for i in vocab.encode(tokens)] == tokens
    assert vocab.counts.sum() == len(tokens)
    ids, offsets = vocab.encode_corpus(texts + others)
    pieces = [ids[a:b].tolist() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    assert pieces == [vocab.encode(text) for text in texts + others]
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    vocab.save(path)
    assert Vocab.load(path).ids == vocab.ids


@given(st.integers(2, 200), st.integers(1, 9), st.integers(1, 20), st.booleans())
def test_bptt_gives_every_target_once(length, batch_size, bptt, vary):
    batches = BPTTBatches(np.arange(length), batch_size, bptt, vary)
    targets = torch.cat([b["targets"] for b in batches], dim=1).flatten()
    assert targets[targets >= 0].tolist() == list(range(1, length))
    for batch in batches:
        real = batch["targets"] >= 0
        assert torch.equal(batch["input_ids"][real] + 1, batch["targets"][real])


def made(kind, seed, size, batch_size, options):
    if kind == "arrays":
        return ArrayBatches(batch_size, seed=seed, row=np.arange(size), **options)
    if kind == "padded":
        rng = np.random.default_rng(size)
        examples = [[i + 1] * rng.integers(1, 6) for i in range(size)]
        return PaddedBatches(examples, batch_size, seed=seed, **options)
    return BPTTBatches(np.arange(size + 2), batch_size, 3, vary=options["shuffle"], seed=seed)


def plain(batch):
    return {k: v.tolist() if torch.is_tensor(v) else v for k, v in batch.items()}


kinds = st.sampled_from(["arrays", "padded", "bptt"])
option = st.fixed_dictionaries({"shuffle": st.booleans()})


@settings(deadline=None)
@given(kinds, st.integers(0, 5), st.integers(1, 30), st.integers(1, 7), option, st.data())
def test_a_saved_position_gives_the_same_batches(kind, seed, size, batch_size, options, data):
    def two_epochs(batches):
        while batches.epoch < 2:
            for batch in batches:
                yield plain(batch)

    whole = list(two_epochs(made(kind, seed, size, batch_size, options)))
    cut = data.draw(st.integers(0, len(whole)))
    first = made(kind, seed, size, batch_size, options)
    stream = two_epochs(first)
    before = [next(stream) for _ in range(cut)]
    resumed = made(kind, seed, size, batch_size, options)
    resumed.load_state_dict(first.state_dict())
    assert before + list(two_epochs(resumed)) == whole


@given(kinds.filter(lambda k: k != "bptt"), st.integers(1, 40), st.integers(1, 9), option)
def test_every_example_once_an_epoch(kind, size, batch_size, options):
    batches = made(kind, 0, size, batch_size, options)
    name = "row" if kind == "arrays" else "input_ids"
    seen = [int(row) for b in batches for row in b[name].reshape(len(b[name]), -1)[:, 0]]
    assert sorted(seen) == [i + (kind == "padded") for i in range(size)]
    assert len(batches) == -(-size // batch_size)
