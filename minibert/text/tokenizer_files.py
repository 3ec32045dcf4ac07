"""The files of a tokenizer in Hugging Face's layout: vocabulary, settings, added tokens.

What a vocabulary's own file does not say stands beside it: ``tokenizer_config.json`` (how text is
read, names of special tokens, ``added_tokens_decoder``), and in older folders
``special_tokens_map.json`` and ``added_tokens.json``. Or all is in one ``tokenizer.json``, see
`minibert.text.tokenizer_json`. Whatever asks for another tokenizer than ours is refused.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from minibert.storage.checked import check_known
from minibert.storage.safe_files import read_json, write
from minibert.text import tokenizer_json
from minibert.text.added import Added
from minibert.text.vocab import numbered

JSON, SETTINGS = "tokenizer.json", "tokenizer_config.json"
ADDED, SPECIALS = "added_tokens.json", "special_tokens_map.json"
OTHERS = SETTINGS, ADDED, SPECIALS
STANDARD = ("vocab.txt", "vocab.json", JSON)  # names beside which published settings lie
BERT_SPECIALS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROLES = tuple(f"{role}_token" for role in (*BERT_SPECIALS, "bos", "eos"))
MORE = ("additional_special_tokens", "extra_special_tokens")
CLASSES = {  # kind -> names that tokenizer_class may have
    "WordPiece": ("Bert", "DistilBert", "Electra", "MobileBert"), "BPE": ("GPT2", "OpenAIGPT"),
}  # fmt: skip
GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer", None)
FIXED: dict[str, tuple] = {
    "do_basic_tokenize": (True, None), "never_split": (None, []), "wordpieces_prefix": ("##",),
    "clean_text": (True, None), "add_prefix_space": (False, None), "errors": ("replace", None),
    "add_bos_token": (False, None), "add_eos_token": (False, None),
}  # fmt: skip
CASES = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
Ids = Mapping[str, int]
IGNORED = frozenset(  # how batches are made, where files were, how text is shown
    """model_max_length max_len max_length padding padding_side pad_to_multiple_of pad_token_type_id
    truncation truncation_side truncation_strategy stride clean_up_tokenization_spaces backend
    name_or_path _name_or_path special_tokens_map_file tokenizer_file full_tokenizer_file use_fast
    is_local local_files_only model_input_names model_specific_special_tokens processor_class
    chat_template model_type transformers_version add_special_tokens return_tensors vocab_size
    split_special_tokens trim_offsets""".split()
)


def save_settings(path: str | Path, settings: Mapping, added: Iterable[Added], ids: Ids) -> None:
    """Write the settings beside a vocabulary's file; take away files that would overrule them."""
    path = Path(path)
    flags = {"lstrip": False, "rstrip": False, "single_word": False}
    tokens = {str(ids[token.content]): {**token._asdict(), **flags} for token in added}
    told = {**settings, **({"added_tokens_decoder": tokens} if tokens else {})}
    write(_beside(path), json.dumps(told, indent=2, ensure_ascii=False).encode() + b"\n")
    if path.name in STANDARD:
        for name in (JSON, ADDED, SPECIALS):
            (path.parent / name).unlink(missing_ok=True)


def read_wordpiece(path: Path) -> tuple[list[str], dict]:
    """(pieces, options of `WordPiece`); FileNotFoundError, ValueError for what is damaged."""
    if path.is_dir():
        path = path / (JSON if (path / JSON).is_file() else "vocab.txt")
    settings, names = _settings(path, "WordPiece")
    for role, token in BERT_SPECIALS.items():
        if (name := names.get(f"{role}_token")) not in (None, token):
            told = f"{path.parent} calls its {role}_token {name!r:.60}"
            raise ValueError(f"{told}; a WordPiece of minibert has {token!r} only")
    usual = dict(zip(CASES, (True, None, True), strict=True))
    told = {name: settings.get(name, default) for name, default in usual.items()}
    for name, value in told.items():
        if not isinstance(value, bool) and not (name == "strip_accents" and value is None):
            raise ValueError(f"expected {name} to be true or false in {_beside(path)}")
    options = dict(zip(("lowercase", *CASES[1:]), told.values(), strict=True))
    if path.suffix == ".json":
        ids, own, added = tokenizer_json.wordpiece(path)
        _agree(options, own, settings, path)
        options = own
    else:
        ids, added = {token: i for i, token in enumerate(_lines(path))}, []
    tokens = _in_order(ids, path)
    found = _whole(added, settings, names, ids, path=path, kind="WordPiece")
    plain = {Added(token, True, False) for token in BERT_SPECIALS.values() if token in tokens}
    return tokens, {**options, "added": [token for token in found if token not in plain]}


def read_bpe(
    vocab: Path, merges: str | Path | None, kind: str | None
) -> tuple[dict[str, int], list, str, dict, Path]:
    """(ids, merges, kind, options of `minibert.text.BPE`, where it was read); raises as above."""
    if merges is None and vocab.is_dir():
        vocab = vocab / (JSON if (vocab / JSON).is_file() else "vocab.json")
    settings, names = _settings(vocab, "BPE")
    if vocab.name == JSON:
        ids, pairs, found, options, added = tokenizer_json.bpe(vocab)
        if kind not in (None, found):
            raise ValueError(f"expected a BPE of {kind} in {vocab}, got one of {found}")
        kind = found
    else:
        ids, pairs = read_json(vocab), _pairs(merges or vocab.parent / "merges.txt")
        if not isinstance(ids, dict) or not all(type(i) is int for i in ids.values()):
            raise ValueError(f"expected an object of pieces and their ids in {vocab}")
        if kind is None:
            told = str(settings.get("tokenizer_class"))
            words = any(token.endswith("</w>") for token in ids) and not told.startswith("GPT2")
            kind = "words" if words or told.startswith("OpenAIGPT") else "bytes"
        options, added = {"unk": names.get("unk_token", "<unk>")}, []
    _in_order(ids, vocab)
    found = _whole(added, settings, names, ids, path=vocab, kind="BPE")
    usual = ("<unk>", "<|endoftext|>")
    known = {token.content for token in found}
    found += [Added(t, True, False) for t in usual if t in ids and t not in known]
    options |= {"added": found, "end": names.get("eos_token", "<|endoftext|>")}
    return ids, pairs, kind, options, vocab


def _beside(path):
    """Where the settings of a vocabulary are; one with a name of its own has a file of its own."""
    return path.with_name(SETTINGS if path.name in STANDARD else f"{path.name}.settings.json")


def _settings(path, kind):
    """(settings, names of the special tokens by role) that lie beside a vocabulary, checked."""
    source, names = _beside(path), {}
    settings = read_json(source) if source.is_file() else {}
    taken = (*ROLES, *MORE, *CASES, "tokenizer_class", "added_tokens_decoder")
    check_known(settings, source, taken=taken, fixed=FIXED, ignored=IGNORED)
    name, kinds = settings.get("tokenizer_class"), CLASSES[kind]
    if name not in (*GENERIC, *(f"{k}Tokenizer{end}" for k in kinds for end in ("", "Fast"))):
        raise ValueError(f"{source} asks for a {name!r:.60}, and minibert has a {kind} only")
    maps = [settings]
    if path.name in STANDARD and (path.parent / SPECIALS).is_file():
        maps.insert(0, read_json(path.parent / SPECIALS))
        check_known(maps[0], path.parent / SPECIALS, taken=(*ROLES, *MORE))
    for one in maps:
        for role in (role for role in ROLES if role in one):
            names[role] = None if one[role] is None else _content(one[role], source)
        for role in MORE:
            more = one.get(role) or []
            more = more.values() if isinstance(more, dict) else more
            if not isinstance(more, Iterable) or isinstance(more, str):
                raise ValueError(f"expected a list of tokens as {role} in {source}")
            names |= {f"{role} {token}": token for token in (_content(m, source) for m in more)}
    return settings, names


def _content(token, source):
    """A token that stands as a string, or as an object with its ``content``."""
    content = token.get("content") if isinstance(token, dict) else token
    if not isinstance(content, str):
        raise ValueError(f"expected a token, or an object with its content, in {source}")
    return content


def _whole(added, settings, names, ids, *, path, kind):
    """The added tokens from all files, in the order of their ids, which are put into ``ids``."""
    decoder, places, tokens = settings.get("added_tokens_decoder") or {}, {}, {}
    if not isinstance(decoder, dict) or not all(key.isdecimal() for key in decoder):
        raise ValueError(f"expected ids and tokens as added_tokens_decoder beside {path}")
    for i, told in [*((int(key), token) for key, token in decoder.items()), *added]:
        token = _checked(told, path, kind)
        if type(i) is not int or places.setdefault(token.content, i) != i:
            raise ValueError(f"the added token {token.content!r:.60} of {path} has no one id")
        tokens[token.content] = token
    old = path.parent / ADDED
    listed = read_json(old) if path.name in STANDARD and old.is_file() else {}
    if not isinstance(listed, dict) or not all(type(i) is int for i in listed.values()):
        raise ValueError(f"expected tokens and their ids in {old}")
    special = [name for name in names.values() if name is not None]
    for content, i in listed.items():
        if places.setdefault(content, i) != i:
            raise ValueError(f"{old} gives {content!r:.60} the id {i}, {path} {places[content]}")
        tokens.setdefault(content, Added(content, content in special, content not in special))
    for content in dict.fromkeys(special):  # transformers adds those that have no id yet
        i = ids.get(content, max([*ids.values(), *places.values(), -1]) + 1)
        places.setdefault(content, i)
        tokens.setdefault(content, Added(content, True, False))
    for content in sorted(places, key=places.get):
        i, expected = places[content], ids.setdefault(content, len(ids))
        if i != expected:
            told = f"the added token {content!r:.60} of {path} has the id {i}"
            raise ValueError(f"{told}, expected {expected}")
    return [tokens[content] for content in sorted(places, key=places.get)]


def _checked(told, path, kind):
    """An `Added` from its object; ValueError where it is found in another way than ours are."""
    content = _content(told, path)
    if not isinstance(told, dict):
        raise ValueError(f"expected the added token {content!r:.60} of {path} to be an object")
    special = bool(told.get("special", False))
    odd = [flag for flag in ("lstrip", "rstrip", "single_word") if told.get(flag)]
    if odd and not (special and kind == "BPE"):  # which no text gives
        told = f"the added token {content!r:.60} of {path} has {odd[0]}"
        raise ValueError(f"{told}, which minibert cannot follow")
    return Added(content, special, bool(told.get("normalized", not special)))


def _agree(options, own, settings, path):
    """Refuse settings that say otherwise than the tokenizer.json beside them."""

    def effective(given):
        lower, accents, chinese = given.values()
        accents = lower if accents is None else accents
        return dict(zip(CASES, (lower, accents, chinese), strict=True))

    ours, theirs = effective(options), effective(own)
    for name in CASES:
        if name in settings and ours[name] != theirs[name]:
            told = f"{_beside(path)} says {name}={ours[name]}, and {path.name} {theirs[name]}:"
            raise ValueError(f"{told} they do not belong together")


def _in_order(ids, path):
    """The pieces by their ids, which must be 0, 1, 2, ..."""
    tokens = sorted(ids, key=ids.get)
    if [ids[token] for token in tokens] != list(range(len(tokens))):
        raise ValueError(f"{path}: expected the ids 0 to {len(tokens) - 1}, each once")
    return tokens


def _lines(path):
    """The lines of a ``vocab.txt``, each a piece."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no vocabulary: it is not UTF-8 text ({error})") from None
    tokens = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if "" in tokens:
        where = f"line {tokens.index('') + 1} is empty" if len(tokens) > 1 else "it is empty"
        raise ValueError(f"{path} is no vocabulary: expected one token per line, {where}")
    try:
        numbered(tokens)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return tokens


def _pairs(path):
    """The pairs of a ``merges.txt``."""
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from None
    lines = [line.rstrip("\r") for line in lines[lines[0].startswith("#version") :]]
    pairs = [tuple(line.split(" ")) for line in lines if line]
    if wrong := next((pair for pair in pairs if len(pair) != 2), None):
        raise ValueError(f"expected two pieces in each line of {path}, got {' '.join(wrong)!r:.80}")
    return pairs
