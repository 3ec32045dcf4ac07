"""GPT and GPT-2 with a head, in Hugging Face's layout, both ways.

``multiple_choice_head.summary.weight`` (1, dim) and ``.bias`` belong to `DoubleHeads`; the encoder
beside them is that of `minibert.models.gpt.files`.
"""

from minibert.models.gpt import files
from minibert.storage import layout
from minibert.storage.checkpoint import load_tensors, save_folder
from minibert.storage.known_keys import check_known

HEADS = {  # class -> (end of the name in config.json, beginning of the tensors' names)
    "DoubleHeads": ("DoubleHeadsModel", "multiple_choice_head.summary."),
}
SUMMARY = {  # what makes the choice's score, as transformers would
    "summary_type": ("cls_index",),
    "summary_use_proj": (True,),
    "summary_activation": (None, ""),
    "summary_proj_to_labels": (True,),
}


def load(cls, source):
    """A head of the class ``cls`` on its `GPT`, in eval mode.

    Raises as `minibert.models.gpt.files.load` does, and ValueError for a folder without that head
    and for a head that computes something else.
    """
    path, config, tensors = files.read(source)
    arguments = _choice(config, path)
    encoder, (_, prefix) = files.filled(path, config, dict(tensors)), HEADS[cls.__name__]
    tensors = layout.renamed(tensors, str, path)
    own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    if "weight" not in own:
        raise ValueError(f"{path} has no tensor {prefix}weight: it holds no {cls.__name__}")
    head = cls(encoder, **arguments)
    load_tensors(head.output, own, path, lambda name: prefix + name)
    return head.eval()


def save(head, folder):
    """Write a head and its encoder, a folder that `load` reads, and transformers too."""
    config, (architecture, prefix) = files.to_published(head.encoder.config), HEADS[_kind(head)]
    begin = config["architectures"][0].removesuffix("LMHeadModel")
    config |= {"architectures": [begin + architecture], "summary_first_dropout": head.dropout.p}
    config["minibert"] = {"choices": head.sequences, "auxiliary": head.auxiliary}
    own = {prefix + name: tensor for name, tensor in head.output.state_dict().items()}
    save_folder(folder, config, files.published(head.encoder) | own)
    if head.encoder.tokenizer is not None:
        head.encoder.tokenizer.save(folder)


def _kind(head):
    return next(kind.__name__ for kind in type(head).__mro__ if kind.__name__ in HEADS)


def _choice(config, source):
    """What a `DoubleHeads` was made with; ValueError for what is not its choice."""
    check_known({k: config[k] for k in SUMMARY if k in config}, source, fixed=SUMMARY)
    dropout, own = config.get("summary_first_dropout", 0.1), config.get("minibert", {})
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        raise ValueError(
            f"expected a summary_first_dropout below 1 in {source}, got {dropout!r:.60}"
        )
    known = {"choices": (int,), "auxiliary": (int, float)}
    if not isinstance(own, dict) or not all(
        type(value) in known.get(name, ()) and 0 <= value < 1e6 for name, value in own.items()
    ):
        raise ValueError(
            f"expected 'minibert' to hold choices and auxiliary in {source}, got {own!r:.60}"
        )
    return {"dropout": dropout, **own}
