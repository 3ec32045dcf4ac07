"""The build of chapter 08: activation patching."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.ch04_tried import foreign, normal
from minibert.course.learn.exercises.ch08_cut import (
    OTHERS,
    Failed,
    hooks_of,
    kept_settings,
    settings,
)

VOCABULARY = 12


class Mixer(nn.Module):
    """A block: each position hears those before it. Every second one gives a tuple."""

    def __init__(self, dim: int, seed: int) -> None:
        super().__init__()
        self.weight, self.pair = nn.Parameter(normal(dim, dim, seed=seed) / dim**0.5), seed % 2

    def forward(self, h: Tensor) -> Any:
        before = h.cumsum(1) / torch.arange(1, h.shape[1] + 1)[:, None]
        h = h + (before @ self.weight).tanh()
        return (h, "more") if self.pair else h


class Tiny(nn.Module):
    """A model of a few parts; its score is one number, of the last position."""

    def __init__(self, seed: int, blocks: int, dim: int = 6) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(VOCABULARY, dim)
        self.blocks = nn.ModuleList(Mixer(dim, 10 * seed + n) for n in range(blocks))
        with torch.no_grad():
            self.embeddings.weight.copy_(normal(VOCABULARY, dim, seed=seed))
        self.last, self.calls, self.broken = normal(dim, seed=seed + 77), 0, False

    def forward(self, ids: Tensor) -> Tensor:
        self.calls += 1
        h = self.embeddings(ids)
        for block in self.blocks:
            out = block(h)
            whole = isinstance(out, tuple) and out[1:] == ("more",) if block.pair else True
            self.broken = self.broken or not whole
            h = out[0] if isinstance(out, tuple) else out
        return h[0, -1] @ self.last


class Patch(Exercise):
    id = "08.patch"
    title = "Build: activation patching"
    minutes, difficulty, importance, points = 25, 4, 5, 6
    hints = (
        "Write a small inner function `run(ids, part=None, hook=None)` first: it puts the hook in, "
        "scores the model, and takes the hook off in a `finally`.",
        "A hook that only looks: `lambda module, given, output: kept.append(...)`. It gives None, "
        "and PyTorch then leaves the output as it is. Keep a `.clone()` of the clean state.",
        "A hook that patches copies the state, sets `state[:, at]` to the clean one, and returns "
        "`with_state(output, state)`.",
        "In a loop, a function sees the *last* value of `at` unless you bind it: "
        "`def put(module, given, output, at=at): ...`",
    )

    def as_functions(self, patch_map: Callable[..., Any]) -> tuple:
        return (partial(self.run, patch_map),)

    @classmethod
    def run(
        cls, patch_map: Callable[..., Any], case: tuple, fails: int = 0, some: bool = False
    ) -> dict:
        """What the answer finds in a model of this case, and what it leaves behind.

        fails: the call of the score that raises. some: whether one of the parts is not handed over.
        """
        seed, blocks, clean, corrupted = case
        model, given = Tiny(seed, blocks), (clean.clone(), corrupted.clone())
        scored, parts = [0], [model.embeddings, *model.blocks]

        def score(output: Tensor) -> float:
            scored[0] += 1
            if fails and scored[0] >= fails:
                raise Failed
            return float(output.detach())

        for part in parts:
            part.register_forward_hook(lambda *given: None)  # of somebody else
        before, error, got, whole = settings(model), "", None, model(corrupted)
        model.calls = 0
        try:
            got = patch_map(model, parts[:1] + parts[2:] if some else parts, *given, score)
        except Exception as raised:
            if not fails and not (some and isinstance(raised, IndexError)):
                raise
            error = type(raised).__name__
        calls, unlike = model.calls, not torch.equal(model(corrupted), whole)
        changed = kept_settings(model, before) or ("answers" if unlike else "")
        if not all(map(torch.equal, given, (clean, corrupted))):
            changed = "ids"
        got = got.detach() if torch.is_tensor(got) else got
        found: dict[str, Any] = {"map": got, "hooks": hooks_of(model) - len(parts), "error": error}
        found |= {"changed": changed, "calls": calls, "scored": scored[0]}
        return found | {"broken": model.broken}

    @staticmethod
    def case(seed: int, blocks: int = 2, length: int = 5) -> tuple:
        """(seed, blocks, clean ids, corrupted ids): they differ in two places.

        With even seeds one of the two is the first.
        """
        draw = torch.Generator().manual_seed(seed)
        clean = torch.randint(0, VOCABULARY, (1, length), generator=draw)
        corrupted = clean.clone()
        places = [seed % 2, length - 2]
        corrupted[0, places] = (clean[0, places] + 3) % VOCABULARY
        return seed, blocks, clean, corrupted

    def untouched(self, run: Callable[..., Any]) -> bool:
        found = run(self.case(1))
        return not found["calls"]

    def check(self, run: Callable[..., Any]) -> Right | Wrong:
        for case in (self.case(1), self.case(2, blocks=3, length=6), self.case(3, length=4)):
            found = run(case)
            if strange := foreign(found["map"], "the map"):
                return strange
            if found["hooks"] > 0:
                left = found["hooks"]
                return Wrong(f"{left} hooks stay in the model: take each off after its run.", 3)
            if wrong := self.numbers(found["map"], case) or self.left(found):
                return wrong
        want = self.solve(self.case(1))
        if not same(run(self.case(1), 0, True)["map"], want[[0, 2]], 1e-4):
            return Wrong("right for the embeddings and all blocks; but when `parts` has only some "
                         "of them, the map should have a row for each of those.", 4)  # fmt: skip
        return self.after_errors(run)

    @staticmethod
    def left(found: dict) -> Wrong | None:
        """What is wrong with the model after a run, or was during it."""
        if found["hooks"] < 0:
            return Wrong(f"{OTHERS}: `handle.remove()` takes off yours alone.", 3)
        if found["changed"]:
            return Wrong(f"the {found['changed']} of the model are changed afterwards: leave all "
                         "as it was.", 3)  # fmt: skip
        if found["broken"]:
            return Wrong("a part that gives a tuple gives something else under your hook: "
                         "`with_state(output, state)` keeps the rest of it, and a hook that only "
                         "looks gives None.", 4)  # fmt: skip
        if not found["scored"]:
            return Wrong("`score` is never called: the score of a text is `score(model(ids))`.", 3)
        return None

    @classmethod
    def after_errors(cls, run: Callable[..., Any]) -> Right | Wrong:
        """The verdict on runs in which the score raises an error."""
        for fails in (1, 3, 7):
            found = run(cls.case(1), fails)
            if found["hooks"] > 0:
                return Wrong("right where all goes well; but when `score` raises, a hook stays in "
                             "the model: take it off in a `finally`.", 4)  # fmt: skip
            if cls.left(found):
                return Wrong("right where all goes well; but when `score` raises, the model stays "
                             "changed: put all back in a `finally`.", 4)  # fmt: skip
            if not found["error"]:
                return Wrong("an error of `score` is swallowed: it should still be raised.", 5)
            if found["error"] != Failed.__name__:
                return Wrong(f"right where all goes well; but when `score` raises an error, yours "
                             f"raises another one, {found['error']}.", 5)  # fmt: skip
        return Right(
            "One state at a time, and a number for each: this is causal mediation analysis in "
            "twenty lines."
        )

    def numbers(self, got: Any, case: tuple) -> Wrong | None:
        """What is wrong with a map."""
        want, (patched, best, worst) = self.solve(case), self.parts(case)
        back, best_b, worst_b = self.parts(case, turned=True)
        gap = best - worst
        mistakes = [
            (patched, "those are the scores themselves: tell what share comes back.", 3),
            (patched - worst, "not divided by the difference of the two scores.", 3),
            ((patched - worst) / best, "divided by the clean score: by clean - corrupted.", 3),
            (patched / best, "take the corrupted score away first, above and below.", 2),
            (patched / gap, "the corrupted score is not taken away above: patched - corrupted.", 3),
            ((patched - best) / gap, "measured from the clean score: from the corrupted one.", 3),
            ((best - patched) / gap, "turned round: that is the share still missing.", 3),
            (-want, "the sign is wrong: patched - corrupted above, clean - corrupted below.", 3),
            (want.abs(), "the sign is lost: a state may move the score the other way.", 4),
            (want.clamp(0, 1), "cut off at 0 and 1: a share may be below 0 or above 1.", 4),
            ((back - worst_b) / (best_b - worst_b),
             "clean and corrupted have changed places: run the *corrupted* text, and put one clean "
             "state in.", 2),
            ((back - worst) / gap,
             "the clean text is run with corrupted states: it must be the other way round.", 2),
            (torch.zeros_like(want), "no patch changes anything: a hook must *return* the new "
             "output, and the state that it puts in must be the *clean* one.", 1),
            (want.T, "rows are parts, columns positions.", 4),
            (want[1:], "the embeddings are missing: there is a row for every part.", 3),
            (want.flip(0), "the rows are turned round: in the order of `parts`.", 4),
            *self.other_states(case, want),
        ]  # fmt: skip
        if torch.is_tensor(got) and got.shape == want.shape:
            blocks, tuples = want.clone(), [m.pair for m in Tiny(*case[:2]).blocks]
            for row, pair in enumerate(tuples, 1):
                blocks[row] = 0 if pair else want[row]
            mistakes.append((blocks, "nothing comes back where a part gives a tuple: use "
                             "`state_of` and `with_state`.", 3))  # fmt: skip
        verdict = compare(got, want, mistakes, tolerance=1e-4, what="the map")
        return None if isinstance(verdict, Right) else verdict

    @classmethod
    def other_states(cls, case: tuple, want: Tensor) -> list[tuple]:
        """What comes of other states in the wrong places: (map, message, points)."""
        last, later = want.clone(), want.clone()
        last[:], later[:, 0] = want[:, -1:], 0.0
        told = {
            "whole": "each patch brings all back: run the *corrupted* text, and patch *one* "
            "position at a time.",
            "tail": "all positions from this one on are patched: only this one.",
            "start": "all positions up to this one are patched: only this one.",
            "zero": "the state is set to zero: put the clean one in.",
            "sum": "the clean state is added: it takes the place of the other.",
            "first": "the clean state of the first position is put everywhere: that of the same "
            "position.",
            "end": "the clean state of the last position is put everywhere: that of the same "
            "position.",
            "lowest": "every part is given the clean *embeddings*: keep each part's own states, in "
            "a list of its own.",
        }
        alike = (case[2] == case[3])[0]
        found = [
            (last, "each patch is at the last position: bind `at` in the hook (`at=at`).", 3),
            (later, "the first position is left out: positions count from 0.", 4),
            (want.masked_fill(alike, 0.0), "only positions whose tokens differ are patched: later "
             "ones may carry the answer, too.", 3),
            (want[:1].expand_as(want), "all rows are alike: patch what each part *gives*, not the "
             "ids or the embeddings alone.", 2),
        ]  # fmt: skip
        for how, message in told.items():
            patched, best, worst = cls.parts(case, how=how)
            found.append(((patched - worst) / (best - worst), message, 2))
        return found

    @classmethod
    def solve(cls, case: tuple) -> Tensor:
        """The map."""
        patched, best, worst = cls.parts(case)
        return (patched - worst) / (best - worst)

    @staticmethod
    def parts(case: tuple, turned: bool = False, how: str = "") -> tuple[Tensor, float, float]:
        """(scores with one state patched, the clean score, the corrupted one)."""
        seed, blocks, clean, corrupted = case
        clean, corrupted = (corrupted, clean) if turned else (clean, corrupted)
        model = Tiny(seed, blocks)

        def after(h: Tensor, start: int) -> list[Tensor]:
            states = [h]
            for block in model.blocks[start:]:
                out = block(states[-1])
                states.append(out[0] if isinstance(out, tuple) else out)
            return states

        with torch.no_grad():
            good, bad = (after(model.embeddings(ids), 0) for ids in (clean, corrupted))
            found = torch.zeros(blocks + 1, clean.shape[1])
            for row in range(blocks + 1):
                for at in range(clean.shape[1]):
                    h, ends = bad[row].clone(), {"whole": slice(None), "tail": slice(at, None)}
                    place = (ends | {"start": slice(at + 1)}).get(how, slice(at, at + 1))
                    source = {"first": slice(1), "end": slice(-1, None)}.get(how, place)
                    keep = float(how == "sum") * h[:, place]
                    clean_state = good[0 if how == "lowest" else row][:, source]
                    h[:, place] = keep + float(how != "zero") * clean_state
                    found[row, at] = after(h, row)[-1][0, -1] @ model.last
            best, worst = (float(states[-1][0, -1] @ model.last) for states in (good, bad))
        return found, best, worst
