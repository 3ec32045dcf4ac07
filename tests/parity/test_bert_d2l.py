"""d2l's BERTModel, block by block, with the same weights."""

import pytest
import torch
from torch.nn import functional as F

from minibert.course.learn.d2l import d2l
from minibert.heads.from_d2l import from_d2l
from minibert.models.transformer.attention import attend, padding_mask
from minibert.text.batches import IGNORE

LENGTHS = torch.tensor([9, 4, 7])


@pytest.fixture(scope="module")
def peer():
    try:
        return d2l()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def net(peer):
    """A lively BERTModel of theirs, without dropout, in train mode."""
    torch.manual_seed(0)
    net = peer.BERTModel(37, 24, 40, 4, 3, 0.0, max_len=16)
    ids = torch.ones(1, 2, dtype=torch.long)
    net(ids, ids, torch.tensor([2]), ids)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.normal_(1.0 if "ln.weight" in name else 0.0, 0.2)
    return net.train()


def batch():
    generator = torch.Generator().manual_seed(1)
    mask = (torch.arange(9) < LENGTHS[:, None]).long()
    ids = torch.randint(1, 37, mask.shape, generator=generator) * mask
    places = torch.tensor([[1, 5, 8], [2, 3, 0], [1, 6, 0]])  # masked words; 0 stands for none
    weights = torch.tensor([[1.0, 1, 1], [1, 1, 0], [1, 1, 0]])
    labels = torch.full_like(ids, IGNORE)
    for row, (some, real) in enumerate(zip(places, weights.bool(), strict=True)):
        labels[row, some[real]] = ids[row, some[real]]
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "token_type_ids": (torch.arange(9) > 3).long() * mask,
        "labels": labels,
        "next_sentence_label": torch.tensor([0, 1, 0]),
        "places": places,
        "weights": weights,
    }


def inputs(batch):
    return {k: batch[k] for k in ("input_ids", "attention_mask", "token_type_ids")}


def theirs(net, batch):
    lengths = batch["attention_mask"].sum(1)
    return net(batch["input_ids"], batch["token_type_ids"], lengths, batch["places"])


def close(ours, other):
    torch.testing.assert_close(ours, other, atol=1e-5, rtol=0)


def test_attention(peer):
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 9, 6) for _ in range(3))
    mask = (torch.arange(9) < LENGTHS[:, None])[:, None, :]
    want = peer.DotProductAttention(0.0)(query, key, value, LENGTHS)
    close(attend(query, key, value, mask)[0], want)


def test_every_block_and_both_heads(net):
    model, given = from_d2l(net), batch()
    encoder, real = model.encoder, given["attention_mask"].bool()
    x = net.encoder.token_embedding(given["input_ids"])
    x = x + net.encoder.segment_embedding(given["token_type_ids"])
    x = x + net.encoder.pos_embedding[:, : x.shape[1], :]
    close(encoder.embeddings(given["input_ids"], given["token_type_ids"]), x)
    mask = padding_mask(given["attention_mask"])
    for ours, block in zip(encoder.stack.blocks, net.encoder.blks, strict=True):
        y, _, _ = ours(x, mask)
        x = block(x, LENGTHS)
        close(y[real], x[real])
    hidden, words, pairs = theirs(net, given)
    got_words, got_pairs = model(**inputs(given))
    out = encoder(**inputs(given))
    close(out.last_hidden_state[real], hidden[real])
    close(out.pooled, net.hidden(hidden[:, 0]))
    close(got_words.gather(1, given["places"][..., None].expand(-1, -1, 37)), words)
    close(got_pairs.flip(1), pairs)  # class 1 is theirs for "is next", 0 is ours


def test_loss_and_gradients(net):
    model, given = from_d2l(net), batch()
    _, words, pairs = theirs(net, given)
    targets = given["input_ids"].gather(1, given["places"])
    losses = F.cross_entropy(words.flatten(0, 1), targets.flatten(), reduction="none")
    weights = given["weights"].flatten()
    want = (losses * weights).sum() / weights.sum()
    want = want + F.cross_entropy(pairs, 1 - given["next_sentence_label"])
    loss, count = model.loss(given)
    assert count == 7
    close(loss / count, want)
    net.zero_grad()
    (loss / count).backward()
    want.backward()
    blocks = list(zip(model.encoder.stack.blocks, net.encoder.blks, strict=True))
    pairs = [(ours.ffn.inner, block.ffn.dense1) for ours, block in blocks]
    pairs += [(ours.attention.key, block.attention.W_k) for ours, block in blocks]
    pairs += [(ours.ffn_norm, block.addnorm2.ln) for ours, block in blocks]
    pairs += [(model.output.decoder, net.mlm.mlp[3]), (model.encoder.pooler.dense, net.hidden[0])]
    pairs += [(model.encoder.embeddings.word, net.encoder.token_embedding)]
    for ours, other in pairs:
        close(ours.weight.grad, other.weight.grad)
    close(model.next.weight.grad.flip(0), net.nsp.output.weight.grad)
    close(model.encoder.embeddings.position.weight.grad, net.encoder.pos_embedding.grad[0])


def test_their_own_loss_counts_padding_and_ours_does_not(peer, net):
    """Averaged already, then multiplied by the weights: the mask of their loss does nothing."""
    given = batch()
    targets = given["input_ids"].gather(1, given["places"])
    found = []
    for filler in (0, 30):  # what stands at the places of padding
        filled = torch.where(given["weights"] > 0, targets, filler)
        arguments = given["places"], given["weights"], filled, 1 - given["next_sentence_label"]
        first = given["input_ids"], given["token_type_ids"], LENGTHS
        mlm, _, _ = peer._get_batch_loss_bert(net, torch.nn.CrossEntropyLoss(), 37, *first,
                                              *arguments)  # fmt: skip
        found.append(mlm.item())
    assert abs(found[0] - found[1]) > 1e-3
    model = from_d2l(net)
    loss, count = model.output.loss(
        model.states_at(given, given["labels"] != IGNORE), targets[given["weights"] > 0]
    )
    assert abs(loss.item() / count - found[0]) > 1e-3


def test_a_model_with_other_layers_or_without_shapes_is_refused(peer, net):
    with pytest.raises(ValueError, match="call the d2l.BERTModel once first"):
        from_d2l(peer.BERTModel(37, 24, 40, 4, 3, 0.0, max_len=16))
    net.extra = torch.nn.Linear(2, 2)
    try:
        with pytest.raises(ValueError, match="missing or unknown: extra.bias"):
            from_d2l(net)
    finally:
        del net.extra
