"""transformers' own reading of a GGUF file, for the tests that compare with it.

``from_pretrained(folder, gguf_file=...)`` asks for the package accelerate, which the project does
not need. So its parts are called: the function by which transformers reads the file's settings and
tensors (with the package ``gguf``), and the class that its configuration names.
"""

import pytest
import torch


def llama_of(path, config=None):
    """transformers' ``LlamaForCausalLM`` of a GGUF file, in float32 and eval mode.

    config: what is in the file, as a ``config.json`` has it, where it is known: their reader takes
    its time for 49,152 tokens, twice.
    """
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("gguf", reason="the gguf package, by which transformers reads, is missing")
    reader = pytest.importorskip("transformers.modeling_gguf_pytorch_utils")
    config = config or reader.load_gguf_checkpoint(path)["config"]
    config = transformers.LlamaConfig(**config)
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    tensors = reader.load_gguf_checkpoint(path, return_tensors=True, model_to_load=model)["tensors"]
    model = transformers.LlamaForCausalLM(config)
    if config.tie_word_embeddings:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    model.load_state_dict(tensors)
    return model.eval()
