"""Texts to compare tokenizers on: every file of real data, and made-up text in many scripts."""

import json
import lzma
import os
from itertools import islice
from pathlib import Path

from hypothesis import strategies as st


def files():
    """Every file of text in the folder of real data, if there is one."""
    folder = Path(os.environ.get("MINIBERT_DATA") or "/nowhere")
    packed = (p for p in folder.glob("**/*.xz") if p.parent.name != "tokenizers")
    plain = (p for p in folder.glob("**/*.txt") if p.parent.name != "elmo_fixture")
    return sorted(str(path.relative_to(folder)) for path in (*packed, *plain)) or ["none"]


def texts(path):
    """The lines of a file; of JSON all its strings instead."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as file:
        if ".json" in path.suffixes:
            for line in file:
                yield from strings(json.loads(line))
        else:
            yield from file


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def agree(differences, some):
    """How many texts were compared: ``differences`` (texts), those with other ids, found none."""
    number, wrong = 0, []
    while block := list(islice(some, 2_000)):
        number += len(block)
        wrong += differences(block)
    assert not wrong, f"{len(wrong)} of {number} texts differ; the first: {wrong[0][:300]!r}"
    return number


SCRIPTS = {  # first and last code points that are commonly assigned and used
    "latin": (0x41, 0x24F), "letters": (0x61, 0x7A), "ascii": (0x0, 0x7F), "ipa": (0x250, 0x2AF),
    "accents": (0x300, 0x36F), "greek": (0x384, 0x3FF), "cyrillic": (0x400, 0x52F),
    "armenian": (0x531, 0x556), "hebrew": (0x5D0, 0x5EA), "arabic": (0x600, 0x6FF),
    "devanagari": (0x900, 0x97F), "bengali": (0x985, 0x9B9), "tamil": (0xB85, 0xBB9),
    "thai": (0xE01, 0xE5B), "georgian": (0x10A0, 0x10FF), "jamo": (0x1100, 0x11FF),
    "vietnamese": (0x1E00, 0x1EFF), "old greek": (0x1F00, 0x1FFF), "punctuation": (0x2000, 0x206F),
    "signs": (0x2070, 0x23FF), "ideographic": (0x3000, 0x303F), "kana": (0x3041, 0x30FF),
    "chinese": (0x3400, 0x9FFF), "hangul": (0xAC00, 0xD7A3), "private": (0xE000, 0xE00F),
    "compatible": (0xF900, 0xFAD9), "forms": (0xFB00, 0xFFFD), "gothic": (0x10330, 0x1034A),
    "mathematics": (0x1D400, 0x1D7FF), "emoji": (0x1F300, 0x1F6FF), "rare": (0x20000, 0x2A6DF),
}  # fmt: skip
one_script = st.sampled_from(sorted(SCRIPTS)).flatmap(
    lambda name: st.text(st.characters(min_codepoint=SCRIPTS[name][0],
                                       max_codepoint=SCRIPTS[name][1]), max_size=12)
)  # fmt: skip
anything = st.text(st.characters(codec="utf-8"))
known = st.sampled_from("un ##a ffa ble The the of 1999 don't [MASK] [SEP] é e\u0301 ΑΣ".split())
mixed = st.lists(one_script | known | st.sampled_from(" \t\n\u00a0\u200b"), max_size=12)
