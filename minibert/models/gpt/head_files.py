"""GPT, GPT-2 and Llama's form with a head, in Hugging Face's layout, both ways.

The encoder is that of `minibert.models.gpt.files`; beside it stand, theirs on the left::

    score.weight                         (labels, dim)   output.weight of a `SequenceClassifier`
    multiple_choice_head.summary.weight  (1, dim)        output.weight of a `DoubleHeads`
    classifier.weight                    (labels, dim)   output.weight of a `TokenClassifier`
    qa_outputs.weight                    (2, dim)        output.weight of a `SpanExtractor`

Their classifier of texts has no bias, and reads the last token that is not ``pad_token_id``; ours,
the last one of the mask, or that token without one. The last two are there for GPT-2 only; of
Llama's form, a classifier of texts and the language model.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from minibert.models.gpt import files
from minibert.models.gpt.model import GPT
from minibert.storage import layout
from minibert.storage.checked import check_known
from minibert.storage.checkpoint import load_tensors, save_folder

LANGUAGE = ("LMHeadModel", "ForCausalLM")
HEADS: dict[str, tuple] = {  # class -> (ends of the name in config.json, begin of tensors' names)
    "CausalLM": (LANGUAGE, "lm_head."),
    "SequenceClassifier": ("ForSequenceClassification", "score."),
    "DoubleHeads": ("DoubleHeadsModel", "multiple_choice_head.summary."),
    "TokenClassifier": ("ForTokenClassification", "classifier."),
    "SpanExtractor": ("ForQuestionAnswering", "qa_outputs."),
}
GPT2_ONLY = ("TokenClassifier", "SpanExtractor")
OF_LLAMA = ("CausalLM", "SequenceClassifier")
SUMMARY = {  # how a choice is scored; with other values transformers computes something else
    "summary_type": ("cls_index",), "summary_activation": (None, ""),
    "summary_use_proj": (True,), "summary_proj_to_labels": (True,),
}  # fmt: skip


def load(cls: Any, path: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    """A head of the class ``cls`` on its `GPT`; raises as `files.load`, and without that head."""
    kind, prefix = cls.__name__, HEADS[cls.__name__][1]
    if kind == "CausalLM":
        return cls(files.model_of(path, config, tensors)).eval()
    own = layout.renamed(tensors, str, path)
    own = {n.removeprefix(prefix): t for n, t in own.items() if n.startswith(prefix)}
    if kind == "DoubleHeads":
        check_known({k: config[k] for k in SUMMARY if k in config}, path, fixed=SUMMARY)
    elif not any(name.endswith("lm_head.weight") for name in tensors):
        config = {**config, "tie_word_embeddings": True}  # there is no language model to untie
    if "weight" not in own or own["weight"].ndim != 2:
        raise ValueError(f"{path} has no matrix {prefix}weight: it holds no {kind}")
    arguments = _arguments(kind, config, len(own["weight"]), path)
    head = cls(files.model_of(path, config, dict(tensors)), **arguments)
    load_tensors(head.output, own, path, lambda name: prefix + name)
    return head.eval()


def holds(head: Any) -> bool:
    """Whether `save` can write this head: one that transformers has too."""
    kind, encoder = type(head).__name__, getattr(head, "encoder", None)
    if kind not in HEADS or type(encoder) is not GPT:
        return False
    if kind == "SequenceClassifier":
        return head.pooling == "last" and head.output.bias is None
    if encoder.config.later:
        return kind in OF_LLAMA
    gpt2 = encoder.config.norm == "pre"
    return not getattr(head, "lstm", None) and (gpt2 or kind not in GPT2_ONLY)


def save(head: Any, folder: Path | str) -> None:
    """Write a head and its encoder, a folder that `load` reads, and transformers too."""
    kind, settings = type(head).__name__, head.settings
    config, (architecture, prefix) = files.to_published(head.encoder.config), HEADS[kind]
    if kind != "CausalLM":
        begin = config["architectures"][0].removesuffix(LANGUAGE[0]).removesuffix(LANGUAGE[1])
        config["architectures"] = [begin + architecture]
    if "labels" in settings:
        config |= layout.label_keys(settings["labels"], settings.get("problem"))
    if kind == "SequenceClassifier":  # theirs has no dropout
        config["minibert"] = {"dropout": settings["dropout"]}
    elif kind == "TokenClassifier":
        config["classifier_dropout"] = settings["dropout"]
    elif kind == "DoubleHeads":
        config["summary_first_dropout"] = settings["dropout"]
        config["minibert"] = {name: settings[name] for name in ("choices", "auxiliary")}
    own = {} if head.output is None else head.output.state_dict()
    own = {prefix + name: tensor for name, tensor in own.items()}
    save_folder(folder, config, files.published(head.encoder) | own)
    files.save_tokenizer(head.encoder, folder)


def _arguments(kind, config, count, source):
    """What a head was made with."""
    if kind == "SpanExtractor":
        return {}
    if kind == "DoubleHeads":
        own = layout.own_keys(config, {"choices": int, "auxiliary": float}, source)
        if not 0 < own.get("choices", 2) < 1 << 20 or not 0 <= own.get("auxiliary", 0) < 1 << 20:
            raise ValueError(f"expected choices and auxiliary of a head in {source}, got {own}")
        dropout = layout.dropout_in(config, ("summary_first_dropout",), 0.1, source)
        return {"dropout": dropout, **own}
    labels = layout.labels_in(config, count, source)
    if kind == "TokenClassifier":
        dropout = layout.dropout_in(config, ("classifier_dropout",), 0.1, source)
        return {"labels": labels, "dropout": dropout}
    own = layout.own_keys(config, {"dropout": float}, source)
    dropout = layout.dropout_in(own, ("dropout",), 0.0, source)
    problem = layout.problem_in(config, count)
    return {"labels": labels, "dropout": dropout, "problem": problem, "pooling": "last"}
