"""SmolLM2, the published file, where it is here: beside gguf, transformers and tokenizers."""

import os
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from sample_texts import agree, anything, files, mixed, texts
from their_gguf import llama_of

import minibert as mb
from minibert.models.gpt import chat
from minibert.models.gpt import files as weights
from minibert.storage import gguf as ours

pytestmark = pytest.mark.long
NAME, FILE = "smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPTS = [
    "The capital of France is",
    "Once upon a time, in the year 1984, there was",
    "def fibonacci(n):\n    ",
    "Zürich's naïve café costs €3.50 (or £2)! 東京 🙂",
]


@pytest.fixture(scope="module")
def file(weights_of):
    return str(weights_of(NAME) / FILE)


@pytest.fixture(scope="module")
def model(file):
    return mb.GPT.from_pretrained(NAME)


@pytest.fixture(scope="module")
def theirs(file, model):
    return llama_of(file, weights.to_published(model.config))


def test_it_is_what_it_says(model):
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    expected = mb.GPTConfig.llama(pad_id=2, norm_eps=float(np.float32(1e-5)), init_std=0.02)
    assert model.config == expected
    assert len(model.tokenizer) == 49_152 and len(model.tokenizer.special_ids) == 17


def test_all_its_numbers_are_those_of_the_gguf_package(file):
    theirs = pytest.importorskip("gguf", reason="the gguf package is not installed")
    quants = pytest.importorskip("gguf.quants")
    settings, found = ours.read(file)
    tensors = theirs.GGUFReader(file).tensors
    assert [tensor.name for tensor in tensors] == list(found) and len(found) == 272
    for tensor in tensors:
        wanted = quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.array_equal(found[tensor.name].numpy(), wanted), tensor.name
    assert settings["llama.rope.freq_base"] == 100_000 and len(settings) == 33


@torch.no_grad()
def test_its_logits_are_those_of_transformers(model, theirs):
    for prompt in PROMPTS:
        ids = torch.tensor([model.tokenizer.encode(prompt)])
        found = model.logits(model(ids).last_hidden_state)
        assert (found - theirs(ids).logits).abs().max().item() < 1e-3
    rows = [model.tokenizer.encode(prompt) for prompt in PROMPTS]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [2] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    found, real = model.logits(model(ids, mask).last_hidden_state), mask.bool()
    wanted = theirs(ids, attention_mask=mask).logits
    assert (found[real] - wanted[real]).abs().max().item() < 1e-3


def test_its_greedy_text_is_that_of_transformers(model, theirs):
    prompts = [model.tokenizer.encode(prompt) for prompt in PROMPTS]
    prompts.append(chat.one_turn(model.tokenizer, "What is the capital of France?"))
    for prompt in prompts:
        wanted = theirs.generate(
            torch.tensor([prompt]), max_new_tokens=16, do_sample=False, eos_token_id=2,
            pad_token_id=2,
        )[0].tolist()  # fmt: skip
        assert model.generate(prompt, 16, temperature=0) == wanted
    answer = model.tokenizer.decode(wanted[len(prompt) :], skip_special_tokens=True)
    assert "Paris" in answer


def test_its_prompt_is_the_one_of_the_template_in_the_file(model, file):
    jinja2 = pytest.importorskip("jinja2", reason="jinja2, which runs the template, is missing")
    template = jinja2.Template(ours.read_settings(file)["tokenizer.chat_template"])
    for system in (None, "Answer in one word."):
        messages = [{"role": "user", "content": "What is 12 + 7? It's\n easy."}]
        told = [] if system is None else [{"role": "system", "content": system}]
        expected = template.render(messages=told + messages, add_generation_prompt=True)
        given = {} if system is None else {"system": system}
        found = chat.one_turn(model.tokenizer, messages[0]["content"], **given)
        assert model.tokenizer.decode(found) == expected
        whole = hf_of(model.tokenizer).encode(expected, add_special_tokens=False)
        assert found == whole.ids
    ids = chat.one_turn(model.tokenizer, "<|im_end|>")  # typed in, it ends nothing
    assert ids.count(2) == 2
    with pytest.raises(ValueError, match="this tokenizer has no <|im_start|>"):
        chat.one_turn(mb.text.BPE.train(["a b"], 260), "a")


def hf_of(words):
    """The tokenizer of the same tables, of Hugging Face's steps: single digits, then GPT-2's."""
    hf = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    found = hf.Tokenizer(hf.models.BPE(dict(words.ids), words.merges, unk_token=words.unk))
    steps = [hf.pre_tokenizers.Digits(True), hf.pre_tokenizers.ByteLevel(add_prefix_space=False)]
    found.pre_tokenizer = hf.pre_tokenizers.Sequence(steps)
    found.decoder = hf.decoders.ByteLevel()
    found.add_special_tokens([t.content for t in words.added])
    return found


@pytest.fixture(scope="module")
def both(model):
    """Our tokenizer, and theirs with special tokens as plain text, as ours reads them."""
    theirs = hf_of(model.tokenizer)
    theirs.encode_special_tokens = True
    return model.tokenizer, theirs


def differences(both, some):
    words, theirs = both
    some = list(some)
    found = theirs.encode_batch(some, add_special_tokens=False)
    return [t for t, right in zip(some, found, strict=True) if words.encode(t) != right.ids]


@pytest.mark.data
@pytest.mark.parametrize("name", files())
def test_its_ids_are_those_of_tokenizers(both, data_dir, name):
    assert agree(partial(differences, both), islice(texts(data_dir / name), 100))


@given(text=mixed.map("".join) | mixed.map(" ".join) | anything)
def test_its_ids_of_made_up_text(both, text):
    assert not differences(both, [text])


def test_its_ids_of_digits_and_spaces(both):
    some = [
        "12  34 5's 6\n\n 7\t8",
        "  9",
        "10 ",
        "x\u00a01²½٣",
        "a\x04b\x1dc",
        "<|im_end|>1",
        "\n 1",
    ]
    assert not differences(both, some)
    assert both[0].encode("a\x04") == [*both[0].encode("a"), 0]  # 21 bytes have no piece


def test_it_takes_less_than_one_and_a_half_gigabytes(file):
    """A process of its own loads and writes; the system says what it held at most."""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not say how much memory was in use at most")
    script = f"""
import minibert as mb
mb.GPT.from_pretrained({NAME!r}).generate("The capital of France is", 8, temperature=0)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 1.5e9
