"""``tokenizer.json``, the one file of Hugging Face's tokenizers, read into ours.

It describes a chain of steps: normalizer, pre-tokenizer, model, post-processor, decoder. Only the
chains of BERT's WordPiece, of GPT's BPE and of the byte-level BPE of GPT-2 and SmolLM are followed;
a file that asks for any other step is refused, as its ids would be others. How texts are padded and
cut to a length (``padding``, ``truncation``) is the batches' business here, so it is left out.
"""

from collections.abc import Iterable
from pathlib import Path

from minibert.storage.checked import check_known
from minibert.storage.safe_files import read_json
from minibert.text.added import Added

PARTS = ("added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model")
BERT_TEMPLATE = (["[CLS]:0", "A:0", "[SEP]:0"], ["[CLS]:0", "A:0", "[SEP]:0", "B:1", "[SEP]:1"])
PLAIN = ["A:0"]  # of GPT's; a pair is one text after the other
WORDPIECE: dict[str, tuple] = {"unk_token": ("[UNK]",), "continuing_subword_prefix": ("##",)}
WORDPIECE |= {"max_input_chars_per_word": (100,)}
BPE: dict[str, tuple] = {"dropout": (None, 0), "continuing_subword_prefix": ("", None)}
BPE |= dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), (False, None))
BYTE_LEVEL = {"add_prefix_space": (False,), "use_regex": (True, None)}
DIGITS = {"individual_digits": True}
FREE = ("trim_offsets",)  # where a space belongs to, in offsets that are not taken


def read(path: Path, kind: str) -> dict:
    """The parts of the file, the model being of this kind; ValueError for another file."""
    found = read_json(path)
    check_known(found, path, taken=PARTS, ignored=("version", "truncation", "padding"))
    model = found.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict):
        raise ValueError(f"{path} is no tokenizer of pieces: it has no model with a vocab")
    if not all(type(i) is int for i in model["vocab"].values()):
        raise ValueError(f"expected the ids in {path} to be whole numbers")
    told = model.get("type") or ("BPE" if "merges" in model else "WordPiece")  # 2020: not said
    if told != kind:
        raise ValueError(f"expected a {kind} model in {path}, got {told!r:.60}")
    return found


def wordpiece(path: Path) -> tuple[dict[str, int], dict, list[tuple[int, Added]]]:
    """(ids of the pieces, how text is read, added tokens with their ids) of BERT's tokenizer."""
    found = read(path, "WordPiece")
    check_known(found["model"], f"the model in {path}", taken=("type", "vocab"), fixed=WORDPIECE)
    lowercase, accents, chinese = _bert_steps(found, path)
    added = _added(found, path)
    ids = {**found["model"]["vocab"], **{token["content"]: i for i, token in added}}
    _check_template(found.get("post_processor"), BERT_TEMPLATE, path, ids)
    _part(found, "decoder", ("WordPiece",), path, fixed={"prefix": ("##",)}, free=("cleanup",))
    options = {"lowercase": lowercase, "strip_accents": accents, "tokenize_chinese_chars": chinese}
    return found["model"]["vocab"], options, added


def bpe(path: Path) -> tuple[dict[str, int], list, str, dict, list[tuple[int, Added]]]:
    """(ids, merges, kind, options, added tokens with their ids) of GPT's, GPT-2's or SmolLM's.

    The options are ``unk``, the unknown token, and ``digits``, see `minibert.text.BPE`.
    """
    found = read(path, "BPE")
    digits = _digits_first(found, path)
    model, where = found["model"], f"the model in {path}"
    ending = model.get("end_of_word_suffix")
    if ending not in (None, "", "</w>"):
        raise ValueError(f"expected words in {path} to end with '</w>' or nothing, got {ending!r}")
    taken = ("type", "vocab", "merges", "end_of_word_suffix", "unk_token")
    check_known(model, where, taken=taken, fixed=BPE)
    if ending:
        if digits or _bert_steps(found, path) not in ((True, None, True), (True, True, True)):
            raise ValueError(f"{path} does not lower letters as GPT's tokenizer does")
        _part(found, "decoder", ("BPEDecoder",), path, fixed={"suffix": ("</w>",)})
    else:
        _part(found, "normalizer", (), path)
        if not _part(found, "pre_tokenizer", ("ByteLevel",), path, fixed=BYTE_LEVEL, free=FREE):
            raise ValueError(f"{path} has no pre_tokenizer: expected 'ByteLevel', as GPT-2 has")
        _part(found, "decoder", ("ByteLevel",), path, free=(*BYTE_LEVEL, *FREE))
    post = _alone(found.get("post_processor"), "processors")
    if not (isinstance(post, dict) and post.get("type") == "ByteLevel"):  # which changes offsets
        _check_template(post, (PLAIN, None), path)
    if not isinstance(unk := model.get("unk_token"), str | None):
        raise ValueError(f"expected the unk_token of {path} to be a piece, got {unk!r:.60}")
    kind = "words" if ending else "bytes"
    options = {"unk": unk, "digits": digits}
    return model["vocab"], _merges(model, path), kind, options, _added(found, path)


def of_digits(
    ids: dict[str, int], merges: list, unk: str, added: Iterable[Added]
) -> dict[str, object]:
    """What `bpe` reads, of byte-level pieces that never join digits: the parts of the file."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False}
    level = {"type": "ByteLevel", **dict.fromkeys((*BYTE_LEVEL, *FREE), True)}
    steps = [{"type": "Digits", **DIGITS}, {**level, "add_prefix_space": False}]
    return {
        "version": "1.0",
        "added_tokens": [{"id": ids[t.content], **t._asdict(), **flags} for t in added],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "decoder": level,
        "model": {
            **{"type": "BPE", "unk_token": unk if unk in ids else None},
            **{"vocab": ids, "merges": merges},
        },
    }


def _digits_first(found, path):
    """Whether texts are cut at digits first, a step which is taken out of ``found``."""
    part = found.get("pre_tokenizer")
    steps = part.get("pretokenizers") if isinstance(part, dict) else None
    if not isinstance(steps, list) or len(steps) != 2 or steps[0] != {"type": "Digits", **DIGITS}:
        return False  # any other sequence is refused later
    found["pre_tokenizer"] = steps[1]
    return True


def _merges(model, path):
    """The merges as pairs; they may stand as "a b"."""
    merges = model.get("merges")
    if isinstance(merges, list):
        pairs = [tuple(m.split(" ")) if isinstance(m, str) else m for m in merges]
        if all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            if all(isinstance(piece, str) for pair in pairs for piece in pair):
                return pairs
    raise ValueError(f"expected a list of merges, pairs of pieces, in {path}")


def _bert_steps(found, path):
    """(lowercase, strip_accents, tokenize_chinese_chars) of BERT's first two steps."""
    names = ("lowercase", "strip_accents", "handle_chinese_chars")
    fixed = {"clean_text": (True,)}
    normalizer = _part(found, "normalizer", ("BertNormalizer",), path, fixed=fixed, free=names)
    cut = _part(found, "pre_tokenizer", ("BertPreTokenizer",), path)
    if not normalizer or not cut:
        wanted = "expected 'BertNormalizer' and 'BertPreTokenizer'"
        raise ValueError(f"{path} lacks a normalizer or a pre_tokenizer: {wanted}")
    lowercase, accents, chinese = (normalizer.get(name) for name in names)
    if (
        not isinstance(lowercase, bool)
        or not isinstance(chinese, bool)
        or not (isinstance(accents, bool | None))
    ):
        raise ValueError(f"expected {', '.join(names)} to be true or false in {path}")
    return lowercase, accents, chinese


def _part(found, name, kinds, path, *, fixed=None, free=()):
    """A step of the chain, checked; None where the file has none."""
    part = _alone(found.get(name), f"{name}s")
    if part is None:
        return None
    kind = part.get("type") if isinstance(part, dict) else part
    if kind not in kinds:
        expected = " or ".join(map(repr, kinds)) or "none"
        told = f"{path} asks for the {name} {kind!r:.60}, which minibert cannot follow"
        raise ValueError(f"{told}: expected {expected}")
    check_known(part, f"the {name} in {path}", taken=("type",), fixed=fixed or {}, ignored=free)
    return part


def _alone(part, parts):
    """A sequence of one step is that step, one of none is None."""
    if isinstance(part, dict) and part.get("type") == "Sequence":
        inner = part.get(parts, part.get("pretokenizers", part.get("processors")))
        if isinstance(inner, list) and len(inner) < 2:
            return inner[0] if inner else None
    return part


def _check_template(post, templates, path, ids=None):
    """Refuse a post-processor that frames otherwise than we do, or by tokens not among ``ids``."""
    if post is None:
        return
    kind = post.get("type") if isinstance(post, dict) else post
    try:
        found, used = _frame(post, kind)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        found, used = [None, None], {}
    fits = all(own in (None, other) for own, other in zip(templates, found, strict=True))
    if not fits or any(ids is None or ids.get(name) != i for name, i in used.items()):
        expected = " ".join(item.partition(":")[0] for item in templates[0])
        told = f"{path} has a post_processor ({kind!r:.60}) that minibert cannot follow"
        raise ValueError(f"{told}: expected one that makes {expected} of a text A")


def _frame(post, kind):
    """(what is made of a text and of a pair, the ids of the special tokens in it)."""
    if kind == "BertProcessing":
        names = {"[CLS]:": f"{post['cls'][0]}:", "[SEP]:": f"{post['sep'][0]}:"}
        found = [[names.get(i[:-1], i[:-1]) + i[-1] for i in items] for items in BERT_TEMPLATE]
        return found, {post[name][0]: post[name][1] for name in ("cls", "sep")}
    if kind != "TemplateProcessing":
        raise ValueError(kind)
    items = [item for name in ("single", "pair") for item in post[name]]
    names = {item["SpecialToken"]["id"] for item in items if "SpecialToken" in item}
    used = {name: post["special_tokens"][name]["ids"] for name in names}
    found = [[_item(item) for item in post[name]] for name in ("single", "pair")]
    return found, {name: i[0] if len(i) == 1 else None for name, i in used.items()}


def _item(item):
    """ "[CLS]:0" of a special token, "A:0" of a text."""
    ((kind, told),) = item.items()
    if kind not in ("SpecialToken", "Sequence"):
        raise ValueError(kind)
    return f"{told['id']}:{told['type_id']}"


def _added(found, path):
    """The added tokens with their ids."""
    given = found.get("added_tokens") or []
    fits = isinstance(given, list) and all(isinstance(token, dict) for token in given)
    if not fits or not all(isinstance(token.get("content"), str) for token in given):
        raise ValueError(f"expected a list of added_tokens, each with its content, in {path}")
    return [(token.get("id"), token) for token in given]
