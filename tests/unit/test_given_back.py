"""A model that is lent to another pass comes back as it was, whatever is raised in between."""

import numpy as np
import pytest
import torch
from torch import nn

import minibert as mb
from minibert.heads.vector_classifiers import CNNClassifier
from minibert.models import baselines
from minibert.text import BPE, BPTTBatches, Vocab
from minibert.training.loop import evaluate
from minibert.training.optim import NTASGD, NonMonotone
from minibert.transfer import layer_groups

RAISED = (KeyboardInterrupt, RuntimeError("broken"))


def awd_lstm():
    return mb.AWDLSTM(mb.AWDLSTMConfig(20, 8, 12, 2))


def gpt(tokenizer=None):
    size = 20 if tokenizer is None else len(tokenizer) + 7
    return mb.GPT(mb.GPTConfig(size, dim=8, layers=2, heads=2, hidden=8, max_length=24), tokenizer)


def elmo():
    words = ["<S>", "</S>", "<unk>", "a", "b"]
    vocab = Vocab(words, specials=words[:3])
    config = mb.ELMoConfig(len(vocab), input="words", dim=8, projection=4)
    return mb.ELMo(config, vocab)


def lstm():
    return baselines.LSTMLanguageModel(baselines.LSTMConfig(20, 8))


def text(n=200):
    return np.random.default_rng(0).integers(2, 20, n)


def snapshot(model):
    """Everything that a pass could leave changed."""
    return {
        "modes": [module.training for module in model.modules()],
        "gradients wanted": [p.requires_grad for p in model.parameters()],
        "weights": {name: t.clone() for name, t in model.state_dict().items()},
        "stream": getattr(model, "state", None),
        "gradients kept": torch.is_grad_enabled(),
        "random": torch.get_rng_state(),
    }


def assert_same(model, before):
    now = snapshot(model)
    assert now["stream"] is before["stream"]
    for name in ("modes", "gradients wanted", "gradients kept"):
        assert now[name] == before[name], name
    for name, tensor in before["weights"].items():
        assert torch.equal(tensor, now["weights"][name]), name
    assert torch.equal(now["random"], before["random"])


class Breaks(nn.Module):
    """A part of a model that raises at its second call."""

    def __init__(self, inner, error):
        super().__init__()
        self.inner, self.error, self.calls = inner, error, 0

    def forward(self, *args, **options):
        self.calls += 1
        if self.calls == 2:
            raise self.error
        return self.inner(*args, **options)

    def __getattr__(self, name):
        if name == "inner" or name in self.__dict__.get("_modules", {}):
            return super().__getattr__(name)
        return getattr(super().__getattr__("inner"), name)


def evaluated(model):
    return evaluate(model, BPTTBatches(text(), 8, 7), "cpu")


PASSES = {  # name -> (model, the part that breaks, what is done with the model)
    "evaluate": (awd_lstm, "layers.0", evaluated),
    "AWD-LSTM's log_probs": (awd_lstm, "layers.1", lambda m: m.log_probs(text(), chunk=20)),
    "the baseline's": (lstm, "lstm", lambda m: m.log_probs(text(), chunk=20)),
    "GPT's log_probs": (gpt, "stack", lambda m: m.log_probs(text())),
    "generate": (gpt, "stack", lambda m: m.generate([[1, 2], [3]], 9, seed=1)),
    "ELMo's encode": (elmo, "forward_layers.1", lambda m: [m.encode([["a", "b"]])] * 2),
}


@pytest.mark.usefixtures("unchecked")  # one state for all, whatever theirs look like
@pytest.mark.parametrize("error", RAISED, ids=str)
@pytest.mark.parametrize("name", PASSES)
def test_a_pass_that_breaks_leaves_no_trace(name, error):
    torch.manual_seed(0)
    make, part, act = PASSES[name]
    model = make().train()
    model.quick = False
    next(iter(model.children())).eval()  # a part may be in another mode than the rest
    if hasattr(model, "load_stream_state"):
        model.load_stream_state([(torch.ones(1, 3, 12), torch.ones(1, 3, 12))])
    owner, _, last = part.rpartition(".")
    owner = model.get_submodule(owner)
    broken = Breaks(getattr(owner, last), error)
    broken.calls = 1 if "ELMo" in name else 0
    if last.isdecimal():
        owner[int(last)] = broken
    else:
        setattr(owner, last, broken)
    before = snapshot(model)
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        act(model)
    assert broken.calls == 2
    assert_same(model, before)


def test_what_is_carried_is_carried_on_purpose():
    model = elmo().eval()
    model.encode([["a", "b"]], carry=True)
    kept = model.state
    assert kept is not None
    model.encode([["b"]])
    assert model.state is kept


class Halts:
    """Raises in the middle of the second validation, or wherever else it is asked to."""

    def __init__(self, error, event="on_valid", step=4):
        self.error, self.step = error, step
        setattr(self, event, self.halt)

    def halt(self, run):
        if run.step >= self.step:
            raise self.error


@pytest.mark.parametrize("error", RAISED, ids=str)
@pytest.mark.parametrize("event", ["before_valid", "on_valid", "before_step", "on_step"])
def test_raw_weights_and_what_learns_come_back_after_a_validation_that_breaks(event, error):
    torch.manual_seed(0)
    model = awd_lstm()
    model.layers[0].weight_hh.requires_grad_(False)
    wanted = [p.requires_grad for p in model.parameters()]
    optimizer = NTASGD(model, 0.5)
    optimizer.param_groups[0]["averaging"] = True
    batches = BPTTBatches(text(), 8, 7)
    callbacks = [NonMonotone(), Halts(error, event)]
    options = {"valid": BPTTBatches(text(50), 3, 7), "valid_every": 2, "progress": False}
    expected = pytest.raises(RuntimeError) if isinstance(error, Exception) else None
    if expected:
        with expected:
            mb.fit(
                model, batches, 9, optimizer=optimizer, callbacks=callbacks, device="cpu", **options
            )
    else:
        mb.fit(model, batches, 9, optimizer=optimizer, callbacks=callbacks, device="cpu", **options)
    assert [p.requires_grad for p in model.parameters()] == wanted
    average = optimizer.state[model.decoder.bias]["average"]
    assert torch.equal(model.decoder.bias, average)  # a run leaves the averages
    optimizer.show_weights()
    assert not torch.equal(model.decoder.bias, average)
    assert model.state[0][0].shape[1] == 8  # the training's streams, not the validation's three


def test_ctrl_c_in_a_validation_leaves_the_training_stream_to_go_on_with():
    """With another number of streams the old state ended the process in the kernel."""
    model, batches = awd_lstm(), BPTTBatches(text(), 8, 7)

    class Interrupt:
        def loss(self, batch):
            raise KeyboardInterrupt

    valid = BPTTBatches(text(50), 3, 7)
    valid.collate = lambda *_: Interrupt().loss(None)
    mb.fit(model, batches, 3, valid=valid, valid_every=2, progress=False, device="cpu")
    carried = model.state
    assert carried[0][0].shape == (1, 8, 12)
    loss, _ = model.loss({**next(iter(batches))})
    assert torch.isfinite(loss)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("form", ["rows", "layers", "width", "parts", "arrays", "stacked"])
def test_a_state_that_does_not_fit_is_refused_before_the_kernel_sees_it(form):
    model = awd_lstm()
    state = {
        "rows": [(torch.zeros(1, 3, 12),) * 2, (torch.zeros(1, 3, 8),) * 2],
        "layers": [(torch.zeros(1, 8, 12),) * 2],
        "width": [(torch.zeros(1, 8, 8),) * 2, (torch.zeros(1, 8, 8),) * 2],
        "parts": [(torch.zeros(1, 8, 12),), (torch.zeros(1, 8, 8),)],
        "arrays": [(torch.zeros(1, 8, n).numpy(),) * 2 for n in (12, 8)],
        "stacked": torch.zeros(2, 2, 1, 8, 12),
    }[form]
    with pytest.raises(ValueError, match="expected a state"):
        model.read(torch.ones(8, 5, dtype=torch.long), state)
    with pytest.raises(ValueError, match="at least 1"):
        model.read(torch.ones(8, 0, dtype=torch.long))


def test_averages_can_be_looked_at_twice_and_are_never_trained():
    model = CNNClassifier(torch.randn(5, 4), 2)
    optimizer = NTASGD(model, 0.1)
    optimizer.param_groups[0]["averaging"] = True
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.step()
    raw = [p.clone() for p in model.parameters()]
    averages = [optimizer.state[p]["average"].clone() for p in model.parameters()]
    optimizer.show_averages()
    optimizer.show_averages()
    assert all(map(torch.equal, model.parameters(), averages))
    with pytest.raises(RuntimeError, match="show_weights"):
        optimizer.step()
    optimizer.show_weights()
    assert all(map(torch.equal, model.parameters(), raw))
    assert layer_groups(model)


def test_a_weight_that_is_not_a_number_stops_the_writing():
    model = gpt()
    with torch.no_grad():
        model.embeddings.word.weight[3, 0] = torch.nan
    for options in ({}, {"temperature": 0}, {"top_k": 2}, {"top_p": 0.5}):
        with pytest.raises(FloatingPointError, match="scores are not finite"):
            model.generate([1, 2], 5, seed=0, **options)


@pytest.mark.usefixtures("unchecked")
def test_half_a_token_is_no_number_of_tokens():
    with pytest.raises(ValueError, match="top_k must be at least 1, got 2.5"):
        gpt().generate([1, 2], 5, top_k=2.5)


def test_words_have_no_neighbours_among_vectors_that_are_not_numbers():
    model = mb.Word2Vec(mb.Word2VecConfig(6, 4), mb.text.Vocab([*"abcdef"]))
    with torch.no_grad():
        model.input.weight[5] = torch.nan
    for ask in (lambda: model.neighbours("a", 2), lambda: model.analogy("a", "b", "c", 2)):
        with pytest.raises(FloatingPointError, match="scores are not finite"):
            ask()


def test_texts_go_on_with_pieces_that_the_tokenizer_has():
    tokenizer = BPE.train(["the cat sat on the mat"] * 3, 40, "words")
    model = gpt(tokenizer)
    with torch.no_grad():
        model.embeddings.word.weight[len(tokenizer) :] = 50 * torch.ones(7, 8)
    assert isinstance(model.generate("the", 12, seed=0), str)
    ids = model.generate([1], 12, seed=0)
    assert max(ids) < model.config.vocab_size


def test_prompts_of_arrays_and_tensors_are_lists_of_ids():
    model, want = gpt(), None
    for prompt in ([1, 2], np.array([1, 2]), torch.tensor([1, 2]), list(np.array([1, 2]))):
        found = model.generate(prompt, 4, temperature=0)
        assert want is None or found == want
        want = found


def test_the_whole_nucleus_keeps_every_token():
    """By rounding, the sum of many small probabilities reached 1 before the last of them."""
    from minibert.models.gpt.generation import distribution

    logits = torch.linspace(0, 8, 50_000)[None].flip(1)
    assert torch.equal(distribution(logits, top_p=1.0), distribution(logits))
    assert (distribution(logits, top_p=1.0) > 0).all()
    nearly = (distribution(logits, top_p=0.999) > 0).sum()
    p = logits.double().softmax(-1)[0].cumsum(0)
    assert int(nearly) == pytest.approx(int((p < 0.999).sum()) + 1, abs=5)
    cold = distribution(torch.tensor([[1.0, 2.0, 1.5]]), temperature=1e-300)
    assert cold.tolist() == [[0.0, 1.0, 0.0]]
    with pytest.raises(ValueError, match="repetition_penalty must be above 0"):
        gpt().generate([1], 2, repetition_penalty=0)


def test_the_penalties_look_at_dropped_and_at_raw_states():
    """AR on what dropout left, TAR on the states before it (Merity et al. 2018, section 4.6)."""
    model = awd_lstm()
    dropped, raw = torch.rand(2, 5, 8), torch.rand(2, 5, 8)
    tar = (raw[:, 1:] - raw[:, :-1]).square().mean()
    want = model.config.alpha * dropped.square().mean() + model.config.beta * tar
    torch.testing.assert_close(model.activation_penalty(dropped, raw), want)
    torch.manual_seed(0)
    model = mb.AWDLSTM(mb.AWDLSTMConfig(20, 8, 12, 2, output_dropout=0.5)).train()
    seen, penalty = [], model.activation_penalty
    model.activation_penalty = lambda *given: seen.append(given) or penalty(*given)
    ids = torch.arange(10).view(2, 5)
    model.loss({"input_ids": ids, "targets": ids, "reset": True})
    ((dropped, raw),) = seen
    kept = dropped != 0
    assert 0.2 < kept.float().mean() < 0.8 and (raw != 0).all()
    torch.testing.assert_close(dropped[kept], 2 * raw[kept])


def test_each_stage_of_ulmfit_has_its_rates_and_its_decay():
    from minibert.transfer import ULMFiTConfig, discriminative_groups, stages, ulmfit

    model, seen, fit = awd_lstm(), [], stages.fit

    def noted(trained, *args, optimizer, **options):
        rated = len(seen) == 0  # the classifier's rates stand in a callback, see test_schedules
        wanted = discriminative_groups(trained, 0.02 if rated else 1.0, 3.0 if rated else 1.0, 0.07)
        found = [
            [(g["lr"], g["weight_decay"], len(g["params"])) for g in groups]
            for groups in (optimizer.param_groups, wanted)
        ]
        assert found[0] == found[1]
        seen.append(found[0])
        return fit(trained, *args, optimizer=optimizer, **options)

    config = ULMFiTConfig(
        target_epochs=1, classifier_epochs=1, target_rate=0.02, classifier_rate=0.01, streams=4,
        batch_size=5, factor=3.0, weight_decay=0.07,
    )  # fmt: skip
    stages.fit = noted
    try:
        examples = [{"input_ids": [1, 2, 3], "labels": i % 2} for i in range(10)]
        ulmfit(model, examples, 2, target=text(), config=config, progress=False)
    finally:
        stages.fit = fit
    assert len(seen) == 2
    for groups in seen:
        assert {decay for _, decay, _ in groups} == {0.07, 0.0}
    assert seen[0][0][0] == 0.02 and min(lr for lr, *_ in seen[0]) < 0.02 / 8


def test_averaging_without_patience_begins_at_the_first_worse_loss():
    optimizer = NTASGD(lstm(), 0.1)
    for loss, averaging in ((5.0, False), (4.0, False), (4.1, True)):
        optimizer.record(loss, patience=0)
        assert optimizer.averaging is averaging
    for make in (lambda: optimizer.record(1.0, -1), lambda: NonMonotone(-1)):
        with pytest.raises(ValueError, match="patience must be at least 0"):
            make()
