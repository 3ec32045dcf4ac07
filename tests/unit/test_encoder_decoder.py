"""An encoder and a decoder joined: what it is at first, what it learns, writes and keeps."""

import copy
import json
import math

import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.models.encoder_decoder import EncoderDecoder
from minibert.models.transformer import fast
from minibert.text import PaddedBatches
from minibert.text.bpe import EOT

SMALL = {"layers": 2, "heads": 2, "hidden": 16, "dropout": 0.0, "attention_dropout": 0.0}
LLAMA = {"rms": True, "gated": True, "bias": False, "position": "rotary", "activation": "silu"}
LLAMA |= {"heads": 4, "groups": 2}
DECODERS = {"gpt": {}, "gpt2": {"norm": "pre"}, "llama": {"norm": "pre", **LLAMA}}
kinds = pytest.mark.parametrize("kind", DECODERS)
READ = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
WRITE = torch.tensor([[1, 4, 5, 6], [1, 7, 8, 9]])
WORDS = ["a good film", "a bad film", "good", "bad"]


def encoder(dim=12, **options):
    torch.manual_seed(0)
    return mb.BERT(mb.BERTConfig(**{"vocab_size": 20, "dim": dim, **SMALL, **options})).eval()


def decoder(kind="gpt2", **options):
    torch.manual_seed(1)
    usual = {"vocab_size": 15, "dim": 8, **SMALL, "hidden": 32, "init_std": 0.5}
    settings = {**usual, **DECODERS[kind], **options}
    return mb.GPT(mb.GPTConfig(**settings)).eval()


def joined(kind="gpt2"):
    """A joined model in which it matters what is read."""
    model = EncoderDecoder(encoder(), decoder(kind))
    torch.manual_seed(2)
    for parameter in model.new_layers.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model.eval()


@kinds
def test_at_first_it_is_the_decoder_alone(kind):
    alone = decoder(kind)
    for parameter in alone.parameters():  # norms too
        torch.nn.init.normal_(parameter, 0.2, 0.5)
    expected = alone.logits(alone(WRITE).last_hidden_state)
    model = EncoderDecoder(encoder(), alone)
    assert torch.equal(model(READ, WRITE, MASK), expected)
    assert torch.equal(alone.logits(alone(WRITE).last_hidden_state), expected)
    assert fast.suits(alone, WRITE) == (kind != "llama")
    loss, _ = model.loss({"input_ids": READ, "decoder_ids": WRITE, "labels": WRITE})
    loss.backward()
    moving = {n for n, p in model.new_layers.named_parameters() if p.grad.abs().sum() > 0}
    outputs = {"weight", "bias"} if kind != "llama" else {"weight"}
    assert moving == {f"{i}.cross.output.{name}" for i in range(2) for name in outputs}


def looked_up(block, x, memory, real):
    """What a block finds in each row of ``memory`` for x (steps, dim), head by head."""
    attention, found = block.cross, []
    share = attention.heads // attention.groups
    asked = block.cross_norm(x) if block.pre else x
    query, keys = attention.query(asked), attention.key(memory[real])
    values, size = attention.value(memory[real]), x.shape[-1] // attention.heads
    for head in range(attention.heads):
        own, shared = slice(head * size, (head + 1) * size), head // share * size
        theirs = slice(shared, shared + size)
        scores = query[:, own] @ keys[:, theirs].T / math.sqrt(size)
        found.append(scores.softmax(-1) @ values[:, theirs])
    return attention.output(torch.cat(found, -1))


@kinds
@torch.no_grad()
def test_it_is_the_decoder_with_a_look_at_the_source_in_each_block(kind):
    """The slow way: token by token, row by row, head by head, without masks and without padding."""
    model = joined(kind)
    logits = model(READ, WRITE, MASK)
    turn = None
    if kind == "llama":
        turn = mb.models.transformer.rotation(torch.arange(4), 2, 10_000.0)
    for row in range(2):
        real = MASK[row].bool()
        memory = model.encoder(READ[row : row + 1, real]).last_hidden_state[0]
        x = model.decoder.embeddings(WRITE[row : row + 1], torch.arange(4))
        for block in model.decoder.stack.blocks:
            seen = torch.ones(4, 4).tril().bool()
            y, _, _ = block.attention(block.before(block.attention_norm, x), mask=seen, turn=turn)
            x = block.after(block.attention_norm, x, y)
            x = x + looked_up(block, x[0], memory, slice(None))
            y = block.ffn(block.before(block.ffn_norm, x))
            x = block.after(block.ffn_norm, x, y)
        expected = model.decoder.logits(model.decoder.stack.norm(x[0]))
        torch.testing.assert_close(logits[row], expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(model(READ.flip(0), WRITE, MASK.flip(0)), logits, atol=0.1)


@kinds
@torch.no_grad()
def test_it_looks_at_no_padding_and_into_no_future(kind):
    model, other = joined(kind), WRITE.clone()
    before, read = model(READ, WRITE, MASK), READ.clone()
    read[1, 3:] = 13
    torch.testing.assert_close(model(read, WRITE, MASK), before)
    other[:, 2:] = 3
    torch.testing.assert_close(model(READ, other, MASK)[:, :2], before[:, :2])
    memory = model.encode(READ, MASK)
    first = model.decode(WRITE[:, :2], memory, MASK)
    after = model.decode(WRITE[:, 2:], memory, MASK, first.past)
    torch.testing.assert_close(model.decoder.logits(after.last_hidden_state), before[:, 2:])


def test_the_loss_is_that_of_the_targets_alone():
    model = joined()
    labels = torch.tensor([[4, 5, 6, 2], [7, 2, -100, -100]])
    batch = {"input_ids": READ, "attention_mask": MASK, "decoder_ids": WRITE, "labels": labels}
    loss, count = model.loss(batch)
    log_p = model(READ, WRITE, MASK).log_softmax(-1)
    rows = [(0, 0, 4), (0, 1, 5), (0, 2, 6), (0, 3, 2), (1, 0, 7), (1, 1, 2)]
    torch.testing.assert_close(loss, -sum(log_p[place] for place in rows))
    assert count == 6
    kinds = torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]])
    apart, _ = model.loss({**batch, "token_type_ids": kinds})
    logits = model(READ, WRITE, MASK, kinds).flatten(0, 1)
    torch.testing.assert_close(
        apart, F.cross_entropy(logits, labels.flatten(), reduction="sum"), atol=1e-5, rtol=1e-5
    )
    assert not torch.allclose(apart, loss)


@kinds
def test_greedy_writing_with_and_without_the_cache_is_the_likeliest_each_time(kind):
    model = joined(kind).train()
    found = model.generate(READ, 5, attention_mask=MASK, start=1)
    assert found == model.generate(READ, 5, attention_mask=MASK, start=1, cache=False)
    assert all(module.training for module in model.modules())
    ids = torch.ones(2, 1, dtype=torch.long)
    with torch.no_grad():
        for _ in range(5):
            best = model.eval()(READ, ids, MASK)[:, -1].argmax(-1, keepdim=True)
            ids = torch.cat((ids, best), 1)
    assert found == ids[:, 1:].tolist()
    drawn = [model.generate(READ, 5, 2.0, start=1, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    stop = found[0][1]
    ended = model.generate(READ, 5, attention_mask=MASK, start=1, stop=stop)
    assert ended[0] == found[0][: found[0].index(stop) + 1]


def with_words(seed=0):
    pieces, bpe = mb.text.WordPiece.train(WORDS, 30), mb.text.BPE.train(WORDS, 270, specials=[EOT])
    torch.manual_seed(seed)
    sizes = {"dim": 16, **SMALL, "max_length": 8}
    reader = mb.BERT(mb.BERTConfig(len(pieces), **sizes), pieces)
    return EncoderDecoder(reader, mb.GPT(mb.GPTConfig.gpt2(vocab_size=len(bpe), **sizes), bpe))


def test_it_learns_what_to_write_from_what_it_reads():
    """One batch by heart: each text is answered by the next one of the list."""
    model, targets = with_words(), WORDS[1:] + WORDS[:1]
    examples = model.examples(WORDS, targets)
    end = model.decoder.tokenizer.end_id
    for example, target in zip(examples, targets, strict=True):
        ids = model.decoder.tokenizer.encode(target)
        assert example["decoder_ids"] == [end, *ids] and example["labels"] == [*ids, end]
    batches = PaddedBatches(examples, 4, shuffle=False)
    mb.fit(model, batches, steps=100, optimizer=mb.optim.adamw(model, 0.01), progress=False,
           device="cpu")  # fmt: skip
    assert model.write(WORDS) == targets
    groups = mb.transfer.layer_groups(model)
    assert len(groups) == 4 + 4  # embeddings, two blocks, the pooler or the last norm
    assert sum(map(len, groups)) == len(list(model.parameters()))


def test_long_texts_lose_their_ends():
    model = with_words()
    (example,) = model.examples(" ".join(WORDS), " ".join(WORDS))
    assert {name: len(ids) for name, ids in example.items()} == {
        "input_ids": 8, "token_type_ids": 8, "decoder_ids": 8, "labels": 8,
    }  # fmt: skip
    assert example["decoder_ids"][1:] == example["labels"][:-1]


@kinds
def test_both_models_and_the_new_layers_come_back_from_one_folder(kind, tmp_path):
    model = joined(kind)
    model.save_pretrained(tmp_path)
    again = EncoderDecoder.from_pretrained(tmp_path)
    assert torch.equal(again(READ, WRITE, MASK), model(READ, WRITE, MASK))
    assert not again.training
    alone = mb.GPT.from_pretrained(tmp_path / "decoder")
    assert torch.equal(alone(WRITE).last_hidden_state, model.decoder(WRITE).last_hidden_state)


def test_other_encoders_of_other_widths(tmp_path):
    torch.manual_seed(0)
    lstm = mb.AWDLSTM(mb.AWDLSTMConfig(20, 6, 10, 2)).eval()
    elmo = mb.ELMo(mb.ELMoConfig(vocab_size=0, dim=7, projection=5, layers=1, filters=((1, 4),)))
    with pytest.raises(ValueError, match="states 7 wide, got 10: join it with width=10"):
        EncoderDecoder(elmo.eval(), decoder()).encode(elmo_ids())
    for reader, read, width in ((lstm, READ, None), (elmo, elmo_ids(), 10)):
        model = EncoderDecoder(reader, decoder(), width)
        for parameter in model.new_layers.parameters():
            torch.nn.init.normal_(parameter)
        expected = model(read, WRITE, MASK)
        model.save_pretrained(tmp_path)
        assert torch.equal(EncoderDecoder.from_pretrained(tmp_path)(read, WRITE, MASK), expected)


def elmo_ids():
    return mb.text.characters.spell_all(["a", "b", "c", "d", "e"], 50).expand(2, -1, -1)


def test_what_cannot_be_joined_is_refused(unchecked):
    with pytest.raises(ValueError, match="expected a GPT as the decoder, got a BERT"):
        EncoderDecoder(encoder(), encoder())
    gpt = decoder()
    with pytest.raises(ValueError, match="expected two models, got one twice"):
        EncoderDecoder(gpt, gpt)
    EncoderDecoder(copy.deepcopy(gpt), gpt)
    with pytest.raises(ValueError, match="was joined to an encoder before"):
        EncoderDecoder(encoder(), gpt)
    with pytest.raises(ValueError, match="expected width= of the last states of a Identity"):
        EncoderDecoder(torch.nn.Identity(), decoder())
    gpt = decoder().double()
    with pytest.raises(ValueError, match="of one dtype, got torch.float32 and torch.float64"):
        EncoderDecoder(encoder(), gpt)
    assert not hasattr(gpt.stack.blocks[0], "cross")
    gpt = decoder()
    mb.transfer.add(gpt, "prompts", length=2)
    with pytest.raises(ValueError, match="expected a GPT without prompts"):
        EncoderDecoder(encoder(), gpt)
    model = EncoderDecoder(encoder(), decoder(), width=11)
    with pytest.raises(ValueError, match="states 11 wide, got 12: join it with width=12"):
        model(READ, WRITE)
    model = joined()
    with pytest.raises(ValueError, match="has an end of text, or start="):
        model.generate(READ)
    with pytest.raises(ValueError, match="expected a BERT with a tokenizer: it takes ids alone"):
        model.write(["a"])
    with pytest.raises(ValueError, match="expected decoder_ids in the batch"):
        model.loss({"input_ids": READ, "labels": WRITE})
    with pytest.raises(ValueError, match="expected 4 targets, one a text, got 1"):
        with_words().examples(WORDS, ["a"])


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    model = joined()
    model.save_pretrained(tmp_path)
    told = tmp_path / "encoder_decoder.json"
    for wrong in ({"encoder": "Own"}, {"encoder": ["BERT"]}, {"encoder": "BERT", "more": 1}, []):
        told.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match="expected one encoder of BERT"):
            EncoderDecoder.from_pretrained(tmp_path)
    told.write_text(json.dumps({"encoder": "BERT"}))
    decoder("gpt2", layers=3).save_pretrained(tmp_path / "decoder")
    with pytest.raises(ValueError, match=r"missing: 2\.cross"):
        EncoderDecoder.from_pretrained(tmp_path)
    model.encoder = torch.nn.Identity()
    with pytest.raises(ValueError, match="a Identity cannot be saved as an encoder"):
        model.save_pretrained(tmp_path / "other")
    added = joined()
    mb.transfer.add(added.decoder, "lora")
    with pytest.raises(ValueError, match="lora was added to this model"):
        added.save_pretrained(tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(FileNotFoundError):
        EncoderDecoder.from_pretrained(tmp_path / "other")
