"""Every model, head and batch maker on one device: ``python cases.py DEVICE`` tries them all.

Each is trained for a few updates on that device and on the processor, from the same weights and
without dropout; losses and results have to agree. Prints {name: None or what went wrong} as JSON.
"""

import copy
import json
import sys
import tempfile
import traceback
import warnings

import numpy as np
import torch

import minibert as mb
from minibert.data.dialogues import Exchange
from minibert.models.baselines import LSTMConfig, LSTMLanguageModel
from minibert.models.bert.left_to_right import LeftToRight, NextTokenBatches
from minibert.models.encoder_decoder import EncoderDecoder
from minibert.models.word2vec.fasttext import Pieces
from minibert.models.word2vec.glove import GloVe, cells, cooccurrences
from minibert.training.optim import NTASGD, NonMonotone

SENTENCES = [
    "the old baker opened the small door".split(),
    "a small cat saw the old dog".split(),
    "the dog ran to the baker and the cat slept".split(),
    "an old door opened and a cat ran".split(),
] * 3
VOCAB = mb.text.Vocab.train(SENTENCES, specials=("<pad>", "<unk>", "<S>", "</S>"))
SIZE, WIDE = len(VOCAB), {"dim": 8, "layers": 2, "heads": 2, "hidden": 16}
STILL = {"dropout": 0.0, "attention_dropout": 0.0}
CASES = {}


def case(make):
    """Register a function that makes (model, batches)."""
    CASES[make.__name__] = make
    return make


def rows(count=6, seed=0, **more):
    """Examples of different lengths, ready for `PaddedBatches`."""
    rng = np.random.default_rng(seed)
    made = [{"input_ids": rng.integers(5, SIZE, 4 + i).tolist()} for i in range(count)]
    for name, values in more.items():
        made = [{**row, name: values(i, row)} for i, row in enumerate(made)]
    return made


def padded(*, label=lambda i, row: i % 2, **options):
    return mb.text.PaddedBatches(rows(labels=label), 3, **options)


def bert(kind=mb.BERT):
    return kind(mb.BERTConfig(SIZE, **WIDE, **STILL))


def gpt():
    return mb.GPT(mb.GPTConfig(SIZE, **WIDE, **STILL))


def gpt_of_today():
    return mb.GPT(mb.GPTConfig.llama(vocab_size=SIZE, groups=1, **WIDE))


def awd_lstm(**options):
    rates = dict.fromkeys(("embedding", "input", "weight", "hidden", "output"), 0.0)
    still = {f"{name}_dropout": rate for name, rate in rates.items()}
    return mb.AWDLSTM(mb.AWDLSTMConfig(SIZE, 8, 12, 2, **still, **options), VOCAB)


def elmo(**options):
    sizes = {"dim": 7, "projection": 5, "char_dim": 3, "filters": ((1, 4), (2, 3)), "dropout": 0.0}
    return mb.ELMo(mb.ELMoConfig(SIZE, **sizes, **options), VOCAB)


def vectors():
    return torch.randn(SIZE, 8, generator=torch.Generator().manual_seed(1))


def stream(count=60):
    return np.random.default_rng(0).integers(4, SIZE, count)


def word2vec(mode, loss):
    model = mb.Word2Vec(mb.Word2VecConfig(SIZE, dim=8, mode=mode, loss=loss, subsample=0), VOCAB)
    torch.nn.init.normal_(model.output.weight)
    return model


@case
def skipgram_hierarchical():
    model = word2vec("skipgram", "hierarchical")
    return model, mb.text.WindowBatches.of(model, SENTENCES, 64)


@case
def cbow_full():
    model = word2vec("cbow", "full")
    return model, mb.text.WindowBatches.of(model, SENTENCES, 64)


@case
def skipgram_negative_of_pieces():
    model = word2vec("skipgram", "negative")
    model.input = Pieces(VOCAB.tokens, 8, rows=50)
    batches = [dict(batch) for batch in mb.text.WindowBatches.of(model, SENTENCES, 64)]
    for batch in batches:
        batch["negatives"] = batch["targets"][:, None].roll(1, 0)  # drawn elsewhere, they differ
    return model, batches


@case
def glove():
    return GloVe(SIZE, 8), cells(cooccurrences(*VOCAB.encode_corpus(SENTENCES), SIZE, 2), 32)


@case
def lstm_language_model():
    return LSTMLanguageModel(LSTMConfig(SIZE, 8)), mb.text.BPTTBatches(stream(), 3, 5)


@case
def elmo_from_characters():
    return elmo(), mb.text.BidirectionalBatches(SENTENCES, VOCAB, 2, 5)


@case
def elmo_from_words():
    model = elmo(input="words")
    return model, mb.text.BidirectionalBatches(SENTENCES, VOCAB, 2, 5, spelled=False)


@case
def awd_lstm_forward():
    model = awd_lstm()
    return model, model.batches(stream(), 3, 5)


@case
def awd_lstm_backward():
    model = awd_lstm(direction="backward")
    return model, model.batches(stream(), 3, 5)


@case
def transformer():
    model = mb.Transformer(mb.TransformerConfig(SIZE, **WIDE, **STILL))
    ids = torch.tensor(stream(24).reshape(3, 8))
    batch = {"input_ids": ids, "decoder_ids": ids.flip(1), "labels": ids.flip(1).roll(-1, 1)}
    return model, [batch | {"attention_mask": torch.ones_like(ids)}]


def wordpiece():
    text = [" ".join(words) + " ." for words in SENTENCES]
    return text, mb.text.WordPiece.train(text, 60)


def pretraining_batches(**options):
    text, tokenizer = wordpiece()
    documents = [text[i : i + 3] for i in range(0, 12, 3)]
    return len(tokenizer), mb.text.PretrainingBatches(documents, tokenizer, 2, 20, **options)


@case
def bert_pretraining():
    size, batches = pretraining_batches()
    encoder = mb.BERT(mb.BERTConfig(size, **WIDE, **STILL))
    return mb.heads.Pretraining(encoder), batches


@case
def masked_words():
    size, batches = pretraining_batches(next_sentence=False)
    return mb.heads.MaskedLM(mb.BERT(mb.BERTConfig(size, **WIDE, **STILL))), batches


@case
def left_to_right():
    size, batches = pretraining_batches(next_sentence=False)
    encoder = LeftToRight(mb.BERTConfig(size, **WIDE, **STILL))
    return mb.heads.MaskedLM(encoder), NextTokenBatches(batches)


@case
def gpt_on_blocks():
    return gpt(), mb.text.BlockBatches(stream(), 2, 10)


@case
def gpt_of_today_on_padded_texts():
    return gpt_of_today(), mb.text.PaddedBatches(rows(), 3)


@case
def gpt_on_padded_texts():
    return gpt(), mb.text.PaddedBatches(rows(), 3)


@case
def classifier_of_the_first():
    return mb.heads.SequenceClassifier(bert(), 2, dropout=0.0), padded()


@case
def classifier_of_the_mean():
    return mb.heads.SequenceClassifier(bert(), 2, dropout=0.0, pooling="mean"), padded()


def labels_of_words(i, row):
    return [place % 3 for place in range(len(row["input_ids"]))]


@case
def token_classifier():
    return mb.heads.TokenClassifier(bert(), 3, dropout=0.0), padded(label=labels_of_words)


@case
def token_classifier_with_an_lstm():
    head = mb.heads.TokenClassifier(bert(), 3, dropout=0.0, lstm=4)
    return head, padded(label=labels_of_words)


@case
def two_tasks_on_one_encoder():
    encoder = bert()
    heads = {n: mb.heads.SequenceClassifier(encoder, n, dropout=0.0) for n in (2, 3)}
    both = mb.transfer.Multitask({f"of {n}": head for n, head in heads.items()})
    labels = {n: padded(label=lambda i, row, n=n: i % n) for n in heads}
    return both, mb.transfer.MixedBatches({f"of {n}": some for n, some in labels.items()})


@case
def student_of_two_teachers():
    student, *teachers = (mb.heads.SequenceClassifier(bert(), 2, dropout=0.0) for _ in range(3))
    return mb.transfer.Distilled(student, teachers), padded()


@case
def encoder_and_decoder_joined():
    model = EncoderDecoder(bert(), gpt())
    _, (batch,) = transformer()
    return model, [batch]


@case
def parser():
    head = mb.heads.Parser(mb.heads.Table(vectors()), 3, 4, 4, dropout=0.0, lstm=3)
    before = rows(labels=labels_of_words, heads=lambda i, row: range(len(row["input_ids"])))
    return head, mb.text.PaddedBatches(before, 3)  # each word depends on the one before it


@case
def layer_mix():
    mixed = mb.heads.LayerMix(bert(), layers=(-2, -1), how="scalar")
    return mb.heads.TokenClassifier(mixed, 3, dropout=0.0), padded(label=labels_of_words)


@case
def spans():
    made = rows(start_positions=lambda i, row: 1, end_positions=lambda i, row: 2)
    return mb.heads.SpanExtractor(bert()), mb.text.PaddedBatches(made, 3)


@case
def last_token():
    return mb.heads.LastToken(gpt(), 2, dropout=0.0), padded()


def framed(sequences):
    made = [{"input_ids": [stream(5 + i + j).tolist() for j in range(sequences)]} for i in range(4)]
    made = [{**example, "labels": i % sequences} for i, example in enumerate(made)]
    return mb.text.FramedBatches(made, 2)


@case
def similarity():
    return mb.heads.Similarity(gpt(), 2, dropout=0.0), framed(2)


@case
def multiple_choice():
    return mb.heads.MultipleChoice(gpt(), 3, dropout=0.0), framed(3)


@case
def double_heads():
    return mb.heads.DoubleHeads(gpt(), 3, dropout=0.0), framed(3)


@case
def dialogue():
    text = [" ".join(words) for words in SENTENCES]
    tokenizer = mb.text.BPE.train(text, 270)
    writer = mb.GPT(mb.GPTConfig(len(tokenizer), **WIDE, **STILL), tokenizer)
    head = mb.heads.DoubleHeads(mb.heads.talking(writer), 2, dropout=0.0)
    said = ((1, text[0]), (2, text[1]))
    made = [Exchange((text[2],), said[i:], text[3 - i], (text[i],)) for i in range(2)]
    return head, head.batches(mb.heads.dialogue_examples(head, made), 2)


@case
def causal():
    return mb.heads.CausalLM(gpt()), mb.text.PaddedBatches(rows(), 3)


@case
def causal_left_to_right():
    return mb.heads.CausalLM(bert(LeftToRight)), mb.text.PaddedBatches(rows(), 3)


@case
def classifier_of_the_last():
    return mb.heads.SequenceClassifier(gpt(), 2, dropout=0.0, pooling="last"), padded()


@case
def pooling_over_windows():
    head = mb.heads.PoolingClassifier(awd_lstm(), 2, dropout=(0, 0), bptt=4, max_len=4)
    return head, padded()


@case
def cnn():
    return mb.heads.CNNClassifier(vectors(), 2, dropout=0.0, channels=3), padded()


@case
def rnn():
    return mb.heads.RNNClassifier(vectors(), 2, dropout=0.0, hidden=4), padded()


@case
def tagger():
    return mb.heads.Tagger(vectors(), 3, dropout=0.0, hidden=4), padded(label=labels_of_words)


@case
def pairs():
    made = rows(labels=lambda i, row: i % 2, input_ids_b=lambda i, row: row["input_ids"][::-1])
    head = mb.heads.PairClassifier(vectors(), 2, compared=4, dropout=0.0, hidden=4)
    return head, mb.text.PaddedBatches(made, 3)


def trained(model, batches, device, **options):
    """Losses of four updates and of a validation pass, on ``device``."""
    torch.manual_seed(0)
    batches = copy.deepcopy(batches)  # they remember how many passes they have made
    settings = {"steps": 4, "progress": False, "device": device, "valid": batches}
    history = mb.fit(model, batches, **{**settings, **options})
    assert {p.device.type for p in model.parameters()} == {torch.device(device).type}
    return np.array([*history.loss, mb.training.evaluate(model, batches)])


def compare(make, device):
    torch.manual_seed(0)
    model, batches = make()
    there = trained(copy.deepcopy(model), batches, device)
    np.testing.assert_allclose(there, trained(model, batches, "cpu"), rtol=2e-3)


def resume(device):
    """Four updates at once, and in two calls with a checkpoint between them, end alike."""
    torch.manual_seed(0)
    model, batches = gpt_on_blocks()
    whole = trained(copy.deepcopy(model), batches, device)
    with tempfile.TemporaryDirectory() as folder:
        options = {"checkpoint": folder, "checkpoint_every": 1}
        trained(copy.deepcopy(model), batches, device, steps=2, **options)
        rest = trained(copy.deepcopy(model), batches, device, **options)
    np.testing.assert_allclose(rest[-1], whole[-1], rtol=1e-6)


def generation(device):
    """Text from GPT, greedy and drawn, and from the Transformer."""
    for model in (gpt().eval(), gpt_of_today().eval()):
        greedy = model.generate([7, 8], steps=6, temperature=0)
        assert copy.deepcopy(model).to(device).generate([7, 8], steps=6, temperature=0) == greedy
        told = {"steps": 6, "temperature": 0, "token_type_ids": [5, 6]}
        spoken = model.generate([7, 8], **told)
        assert copy.deepcopy(model).to(device).generate([7, 8], **told) == spoken
        assert len(model.to(device).generate([7, 8], steps=6, top_p=0.9, top_k=5)) == len(greedy)
    writer = mb.Transformer(mb.TransformerConfig(SIZE, **WIDE, **STILL)).to(device)
    ids = torch.tensor(stream(8).reshape(2, 4), device=device)
    assert writer.generate(ids, 3, start_id=2).shape == (2, 3)


def copies(device):
    """A deep copy of a model with buffers is a model of its own, on the same device."""
    model = pooling_over_windows()[0].to(device)
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    assert all(p.device.type == device for p in copied.parameters())
    assert sum(p.abs().sum().item() for p in copied.parameters()) > 0
    assert copied.head[0].running_var.sum().item() > 0
    assert copied.encoder.decoder.weight is copied.encoder.embedding.weight


def answers(device):
    """What takes plain lists and gives plain results works wherever the weights are."""
    for make in (classifier_of_the_first, token_classifier, spans):
        head = make()[0].eval()
        here = mb.heads.run(head, rows())
        for one, other in zip(here, mb.heads.run(head.to(device), rows()), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    for model in (awd_lstm(), awd_lstm(direction="backward"), lstm_language_model()[0]):
        here = model.eval().log_probs(stream(20))
        np.testing.assert_allclose(model.to(device).log_probs(stream(20)), here, rtol=1e-3)
    reader = elmo().eval()
    here = reader.encode(SENTENCES[:2]).hidden_states[-1]
    there = reader.to(device).encode(SENTENCES[:2]).hidden_states[-1]
    torch.testing.assert_close(there.cpu(), here, rtol=1e-3, atol=1e-4)


def optimisers(device):
    """Every optimiser and callback with a state of its own."""
    for make in (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), averaged):
        torch.manual_seed(0)
        model, batches = awd_lstm_forward()
        options = {"accumulate": 2, "clip": 0.1, "steps": 8}
        options |= {"callbacks": [NonMonotone()]} if make is averaged else {}
        there = copy.deepcopy(model).to(device)
        got = trained(there, batches, device, optimizer=make(there.parameters()), **options)
        expected = trained(model, batches, "cpu", optimizer=make(model.parameters()), **options)
        np.testing.assert_allclose(got, expected, rtol=2e-3)


def averaged(parameters):
    """An optimiser that has begun to average."""
    optimizer = NTASGD(parameters, 0.5)
    optimizer.param_groups[0]["averaging"] = True
    return optimizer


def stages(device):
    """Gradual unfreezing with a rate for each layer, as in ULMFiT's third stage."""
    classifier, batches = pooling_over_windows()
    losses = []
    for where in (device, "cpu"):
        model = copy.deepcopy(classifier).to(where)
        plan = mb.transfer.rates("gradual", len(mb.transfer.layer_groups(model)), 4, 1e-2)
        how = mb.transfer.following(model, plan)
        losses.append(trained(model, batches, where, **how))
    np.testing.assert_allclose(*losses, rtol=2e-3)


def anchors(device):
    """What holds on to a model goes with it to a device."""
    head = mb.heads.SequenceClassifier(bert(), 2, dropout=0.0)
    losses = []
    for where in (device, "cpu"):
        model = copy.deepcopy(head).to(where)
        needed = mb.transfer.fisher(model, padded())
        encoder, old = model.encoder, mb.heads.TokenClassifier(model.encoder, 3).to(where)
        held = mb.transfer.EWC(encoder, needed, 10.0), mb.transfer.L2SP(encoder, 0.1, new=0.1)
        with mb.transfer.anchored(model, *held, mb.transfer.LwF(old)):
            losses.append(trained(model, padded(), where))
    np.testing.assert_allclose(*losses, rtol=2e-3)


def probes(device):
    """States of words come back to the processor; a probe learns wherever its rows are."""
    model = elmo().eval()
    here = mb.probe.states(model, SENTENCES)
    there = mb.probe.states(model.to(device), SENTENCES)
    for one, other in zip(here.layers, there.layers, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-4)
    rows, labels = here.layers[-1], [len(word) % 2 for words in here.words for word in words]
    for probe in (mb.probe.Linear(1.0), mb.probe.MLP(4)):
        found = copy.deepcopy(probe).fit(rows, labels).probabilities(rows)
        other = probe.fit(rows.to(device), labels).probabilities(rows.to(device))
        torch.testing.assert_close(other.cpu(), found, rtol=1e-2, atol=1e-2)
    heads = [list(range(-1, len(words) - 1)) for words in here.words]
    trees = mb.probe.StructuralProbe(4).fit([x.to(device) for x in here.split(-1)], heads)
    assert trees.b.device.type == torch.device(device).type
    assert 0 <= trees.uuas([x.to(device) for x in here.split(-1)], heads) <= 1


def changes(device):
    """A model is scored, changed and asked for its reasons wherever it is."""
    texts = [" ".join(words) for words in SENTENCES]
    for kind, name in ((mb.GPT, "minibert-gpt"), (mb.heads.MaskedLM, "minibert-bert")):
        found = []
        for where in ("cpu", device):
            model = kind.from_pretrained(name).eval().to(where)
            scores = mb.probe.sentence_scores(model, texts)
            ids, places = mb.probe.tokens_of(model, SENTENCES[0])
            cut = {"heads": [0], "tokens": places[0]}, {"neurons": [1], "value": 2.0}
            with mb.probe.changed(model, 1, **cut[0]), mb.probe.changed(model, 2, **cut[1]):
                changed = mb.probe.sentence_scores(model, texts)
            inner = getattr(model, "encoder", model)
            reasons = mb.probe.integrated_gradients(
                inner, {"input_ids": ids}, lambda out: out.last_hidden_state[:, -1, 0], steps=2
            )
            looks = mb.probe.word_attention(model, SENTENCES)[0]
            found.append([torch.as_tensor(scores), torch.as_tensor(changed), reasons.cpu(), looks])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-3)


CHECKS = {
    check.__name__: check
    for check in (resume, generation, copies, answers, optimisers, stages, anchors, probes, changes)
}


def main(device):
    if device == "elsewhere":
        import elsewhere

        elsewhere.register()
    warnings.simplefilter("ignore")
    found = {}
    for name in [*CASES, *CHECKS]:
        try:
            CHECKS[name](device) if name in CHECKS else compare(CASES[name], device)
            found[name] = None
        except Exception:
            found[name] = traceback.format_exc()[-3000:]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
