"""Hidden tests: an answer that passed its check is tried on fresh inputs, drawn from a secret seed.

A learner sees the inputs of a check, and could write its results down. So a graded course draws a
seed when it is released (`minibert course release`), and keeps it in the teacher's folder. Seed and
exercise decide on the inputs, so that all students meet the same ones. They are drawn in the
grader's process, and the results are compared there: a submission meets the inputs alone.
Answers come as `Exercise.as_functions` gives them.

Each file ``chNN.py`` beside this one holds the tests of a chapter::

    @fresh("01.noise")                              # arguments, and what a right answer gives
    def noise(draw):
        counts, power = draw.integers(1, 300, 6), draw.choice([0.5, 0.75, 1.0])
        weights = counts.float() ** power
        return (counts, power), weights / weights.sum()

    @hidden("01.find_the_bug")                      # or any test of the answer: True when it passes
    def tuned(draw, classifier):
        ...

A teacher's own exercises (``MINIBERT_EXERCISES``) declare theirs in the same file as the exercise.
"""

from __future__ import annotations

import copy
import importlib
import random
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from minibert.course.learn.compare import same
from minibert.course.learn.exercise import Wrong

if TYPE_CHECKING:
    import torch

FAILED = "Right for what the notebook's check tries, but not for other inputs (a hidden test)."
TRIALS = 5
TOLERANCE = 1e-4
Case = tuple[tuple, Any]  # the arguments of an answer, and what a right one gives
Test = Callable[..., bool]  # test(draw, *answers): True when they pass
MakeCase = Callable[["Draw"], Case]
_TESTS: dict[str, Test] = {}  # by exercise


class Draw(random.Random):
    """Python's random numbers, and tensors of them, all from one seed (any text)."""

    def __init__(self, text: str) -> None:
        import torch

        super().__init__(text)
        self._torch, self.generator = torch, torch.Generator().manual_seed(self.getrandbits(62))

    def normal(self, *shape: int) -> torch.Tensor:
        """A tensor of normal numbers."""
        return self._torch.randn(*shape, generator=self.generator)

    def uniform_tensor(self, *shape: int) -> torch.Tensor:
        """A tensor of numbers between 0 and 1."""
        return self._torch.rand(*shape, generator=self.generator)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """A tensor of whole numbers from ``low`` to ``high - 1``."""
        return self._torch.randint(low, high, shape, generator=self.generator)


def hidden(exercise_id: str) -> Callable[[Test], Test]:
    """Declare ``test(draw, *answers) -> bool`` as the hidden test of an exercise."""

    def declare(test: Test) -> Test:
        _TESTS[exercise_id] = test
        return test

    return declare


def fresh(
    exercise_id: str, view: Callable[[Any], Any] = lambda value: value, trials: int = TRIALS
) -> Callable[[MakeCase], MakeCase]:
    """Declare ``case(draw) -> (arguments, wanted)``: the answer is called ``trials`` times.

    ``view`` is applied to both results before they are compared (``sorted``, say).
    """

    def declare(case: MakeCase) -> MakeCase:
        def test(draw: Draw, answer: Callable[..., Any]) -> bool:
            for _ in range(trials):
                arguments, wanted = case(draw)
                got = answer(*arguments)
                if not alike(view(got), view(wanted)):
                    return False
            return True

        _TESTS[exercise_id] = test
        return case

    return declare


def alike(got: Any, wanted: object) -> bool:
    """`same`, part by part where several things are returned."""
    if isinstance(wanted, tuple):
        fits = isinstance(got, tuple | list) and len(got) == len(wanted)
        return fits and all(map(alike, got, wanted))
    return same(got, wanted, TOLERANCE)


def test_of(exercise_id: str) -> Test | None:
    """The hidden test of an exercise, or None."""
    module = f"{__name__}.ch{exercise_id[:2]}"
    if exercise_id not in _TESTS and find_spec(module):
        importlib.import_module(module)
    return _TESTS.get(exercise_id)


def verdict(exercise_id: str, answers: Iterable, secret: str) -> Wrong | None:
    """`Wrong` when the answers fail the exercise's hidden test; None when they pass, or have none.

    What the learner's code raises is let through.
    """
    test = test_of(exercise_id)
    if test is None or test(Draw(f"{secret} {exercise_id}"), *map(keeping, answers)):
        return None
    return Wrong(FAILED)


def keeping(answer: Any) -> Any:
    """The answer as it is; a function as one that cannot alter what it is called with."""
    if not callable(answer):
        return answer
    return lambda *arguments: answer(*copy.deepcopy(arguments))
