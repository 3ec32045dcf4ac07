"""Comparing an answer with what was wanted, and naming the mistake when they differ."""

import math
import operator
import sys
from numbers import Number

import numpy as np


def array(value):
    """``value`` as a float array (numbers, lists, NumPy, torch), or None if it is not numeric."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu().double().numpy()
    if not isinstance(value, (Number, list, tuple, np.ndarray)):
        return None
    try:
        return np.asarray(value, dtype=float)
    except (ValueError, TypeError):
        return None


def same(got, want, tolerance=1e-5):
    """True when both are equal: numbers within a relative tolerance, anything else exactly."""
    left, right = array(got), array(want)
    if left is None or right is None:
        return type(got) is type(want) and bool(got == want)
    if left.shape != right.shape:
        return False
    return bool(np.allclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True))


def compare(got, want, mistakes=(), tolerance=1e-5, what="the answer", *, right=""):
    """`Right` if ``got`` equals ``want``, else `Wrong` with the likeliest cause.

    ``mistakes`` holds ``(value, message)`` or ``(value, message, points)``: the value that a known
    mistake would have given. A wrong sign, a missing ``return``, a wrong type, a wrong shape and
    a not-a-number are recognised without being listed. ``what`` names the thing in the message;
    ``right`` is what the `Right` says.
    """
    from minibert.course.learn.exercise import Right, Wrong

    if same(got, want, tolerance):
        return Right(right)
    told = mistaken(got, mistakes, lambda *pair: same(*pair, tolerance))
    return told or Wrong(_difference(got, want, tolerance, what))


def mistaken(got, mistakes, equal=operator.eq):
    """`Wrong` for the first of ``mistakes`` (see `compare`) that ``got`` equals, or None."""
    from minibert.course.learn.exercise import Wrong

    for value, message, *points in mistakes:
        if equal(got, value):
            return Wrong(message, *points)
    return None


def _difference(got, want, tolerance, what):
    if got is None:
        return f"{what} is None: is there a `return`?"
    left, right = array(got), array(want)
    if right is None:
        return f"{what} should be {want!r}, but is {short(got)}."
    if left is None:
        return f"{what} should be a number or an array, but is of type {type(got).__name__}."
    if left.shape != right.shape:
        return f"{what} should have the shape {right.shape}, but has {left.shape}."
    if np.isnan(left).any():
        return f"{what} is not a number (NaN): a logarithm of zero, or zero divided by zero?"
    if same(-left, right, tolerance):
        return f"{what} has the wrong sign."
    return f"{what} should be {short(want)}, but is {short(got)}."


def short(value, limit=60):
    """A value in a few characters: numbers to six digits (whole ones in full), long things cut."""
    numbers = array(value)
    if numbers is not None and numbers.ndim == 0 and math.isfinite(numbers):
        whole = float(numbers).is_integer() and 1e6 <= abs(numbers) < 1e15
        return f"{int(numbers):,}" if whole else f"{float(numbers):.6g}"
    text = np.array2string(numbers, precision=4) if numbers is not None else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
