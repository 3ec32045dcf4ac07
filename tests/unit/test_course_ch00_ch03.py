"""The checks of chapters 00 to 03; their wrong and right answers are in ``tests/answers``."""

import math

import pytest

from minibert.course.learn.exercise import find


@pytest.mark.parametrize("name", ["00.find_the_bug"])
def test_the_broken_version_counts_as_untouched(name):
    broken = {
        "00.find_the_bug": lambda b: sum(math.exp(loss / n) for loss, n in b) / len(b),
    }
    assert find(name).untouched(broken[name])
