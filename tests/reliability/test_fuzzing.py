"""Every reader against damaged files: a clear error, or what an independent reading finds too."""

import hashlib
import json
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import formats
import pytest
from guard import Broken, apart
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutations import damaged

FEW, MANY = 3, 40  # seeds that Hypothesis draws for each reader
EACH = 10  # damaged files a seed
MEANT = (ValueError, OSError)  # a FileNotFoundError is an OSError
NAMES = [one.name for one in formats.FORMATS]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and resource limits")


@pytest.fixture(scope="session")
def good_files(tmp_path_factory):
    """A folder of good files for each format, by its name."""
    made = {}
    for one in formats.FORMATS:
        made[one.name] = tmp_path_factory.mktemp("good")
        one.make(made[one.name])
    return made


def judge(one, folder, watch):
    """Read one damaged copy: "refused", "accepted" where the other reading agrees, or a fault.

    That is decided for every file: nothing is accepted silently.
    """
    try:
        with watch:
            found = one.read(folder)
    except MEANT as error:
        said = str(error)
        sentence = 8 < len(said) < 3000 and "\n" not in said
        return "refused" if sentence else f"not one sentence: {said[:300]!r}"
    except (Exception, Broken) as error:
        return f"{type(error).__name__}: {error}"[:600]
    try:
        plain = one.plain(folder)
        same = formats.SAME.get(one.name)
        agreed = same(found, plain) if same else found == plain
    except Exception as error:
        return f"accepted, and the independent reading says {error!r:.300}: {found!r:.300}"
    return "accepted" if agreed else f"accepted {found!r:.600}, and it says {plain!r:.600}"


def fuzz(one, good, work, examples, watch):
    """Damage a file of ``good`` in many ways; counts of what was tried, refused and accepted."""
    files = {name: (good[one.name] / name).read_bytes() for name in one.damage}
    others = [p.read_bytes() for f in good.values() for p in sorted(f.rglob("*")) if p.is_file()]
    seen, said, faults = set(), Counter(), []
    shutil.copytree(good[one.name], work)
    one.read(work)  # what is made at first use, such as a folder for torch's caches, is there
    watch.own = str(work) if one.name == "progress" else None  # it puts a bad file aside

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck), phases=[Phase.generate])  # fmt: skip
    @given(st.integers(0, 1 << 64))
    def try_some(seed):
        rng = random.Random(seed)
        for _ in range(EACH):
            name = rng.choice(sorted(files))
            try_one(name, damaged(rng, files[name], others))

    def try_one(name, bad):
        key = name, hashlib.sha256(bad).digest()
        if bad == files[name] or key in seen:
            return
        seen.add(key)
        (work / name).write_bytes(bad)
        verdict = judge(one, work, watch)
        (work / name).write_bytes(files[name])
        said[verdict] += 1
        if verdict not in ("refused", "accepted"):
            faults.append(f"{name}, {len(bad):,} bytes {bad[:120]!r}: {verdict}")

    try_some()
    counts = {name: said[name] for name in ("refused", "accepted")}
    return {"tried": len(seen), **counts, "faults": faults[:20]}


@pytest.mark.parametrize("one", formats.FORMATS, ids=NAMES)
def test_the_good_file_is_read_as_the_independent_reading_does(one, good_files):
    found, plain = one.read(good_files[one.name]), one.plain(good_files[one.name])
    same = formats.SAME.get(one.name)
    assert same(found, plain) if same else found == plain


@pytest.mark.parametrize("one", formats.FORMATS, ids=NAMES)
def test_a_few_damaged_files(one, good_files, tmp_path):
    counts = apart(lambda watch: fuzz(one, good_files, tmp_path / "work", FEW, watch))
    assert counts["faults"] == [] and counts["tried"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("one", formats.FORMATS, ids=NAMES)
def test_many_damaged_files(one, good_files, tmp_path):
    examples = int(os.environ.get("MINIBERT_FUZZ", MANY))
    counts = apart(lambda watch: fuzz(one, good_files, tmp_path / "work", examples, watch))
    assert counts["faults"] == [] and counts["tried"] > examples * EACH / 3
    print(
        f"\n| {one.name} | {counts['tried']:,} | {counts['refused']:,} | {counts['accepted']:,} |"
    )
    if log := os.environ.get("MINIBERT_FUZZ_LOG"):
        with Path(log).open("a") as file:
            file.write(json.dumps({"reader": one.name, **counts}) + "\n")
