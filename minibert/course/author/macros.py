"""What ``{{...}}`` in a chapter's Markdown becomes: heads, exercise boxes, quizzes, findings.

Minutes, hints, explanations and results are thus written in one place only.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from minibert.course.learn import finding
from minibert.course.learn.exercise import Exercise, Quiz, find
from minibert.course.learn.helping import lettered, verdict

MACRO = re.compile(r"\{\{\s*(\w+)\s*(.*?)\s*\}\}", re.DOTALL)
GLOSSARY = "glossary.md"  # beside the notebooks
Head = Mapping[str, Any]  # of a chapter: title, question, minutes, ...


def expand(markdown: str, head: Head, chapters: Path) -> str:
    """The Markdown of one cell with its macros replaced.

    ``head`` is the chapter's head, ``chapters`` the folder that holds ``findings/``. The hints of
    an ``{{exercise ID}}`` go to the end of its cell. Raises ValueError for an unknown macro.
    """
    after: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        name, argument = match[1], match[2]
        if name == "head":
            return head_lines(head, neighbours(head["chapter"], chapters / "source"))
        if name == "exercise":
            exercise = find(argument, Exercise)
            after.extend(hint_lines(exercise))
            return exercise_lines(exercise)
        if name == "quiz":
            return quiz_lines(find(argument, Quiz))
        if name in ("finding", "findings", "claim"):
            return getattr(finding, f"quote_{name}")(argument, chapters)
        known = "head, exercise, quiz, finding, findings, claim"
        raise ValueError(f"unknown macro {match[0]}; known: {known}")

    text = MACRO.sub(replaced, markdown)
    return "\n\n".join([text.rstrip(), *after])


def neighbours(chapter: str, sources: Path) -> list[str]:
    """Links to the notebooks before and after a chapter, as their sources are named."""
    paths = sorted(sources.glob("[0-9][0-9]_*.py"))
    before = [path for path in paths if path.name[:2] < chapter][-1:]
    after = [path for path in paths if path.name[:2] > chapter][:1]
    return [_link(path, "before") for path in before] + [_link(path, "after") for path in after]


def _link(path: Path, where: str) -> str:
    title = re.findall(r"^# +title: *(.+)$", path.read_text("utf-8"), re.MULTILINE)[0].strip("\"'")
    return f"{where} it [{path.name[:2]} {title}]({path.stem}.ipynb)"


def head_lines(head: Head, around: Iterable[str] = ()) -> str:
    """Question, budget, what comes before and the papers, as a short list."""
    rows = [
        ("The question", head["question"]),
        ("Your time", f"about {head['minutes']} minutes"),
        (
            "Computing",
            f"at most {head['seconds']} s and {head['memory_mb']} MB on two cores, offline",
        ),
        ("You need first", "; ".join(_listed(head["needs"]))),
        ("In a hurry, leave out", head["skip"]),
        ("The path", "; ".join(around)),
        ("Papers", "; ".join(_listed(head["papers"]))),
        ("Words", f"[glossary, English and 中文]({GLOSSARY})"),
    ]
    return "\n".join(f"- **{name}:** {text}" for name, text in rows if text)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value]


def dots(value: int) -> str:
    """A number from 1 to 5 as five dots."""
    return "●" * value + "○" * (5 - value)


def exercise_lines(exercise: Exercise) -> str:
    """Heading and box of an exercise."""
    points = f"{exercise.points:g} point{'' if exercise.points == 1 else 's'}"
    facts = [
        f"about {exercise.minutes} minutes",
        f"difficulty {dots(exercise.difficulty)}",
        f"importance {dots(exercise.importance)}",
        points,
    ]
    return f"### Exercise: {exercise.title}\n\n> `{exercise.id}` · " + " · ".join(facts)


def hint_lines(exercise: Exercise) -> list[str]:
    """Folded hints."""
    return [folded(f"Hint {i}", text) for i, text in enumerate(exercise.hints, 1)]


def quiz_lines(quiz: Quiz) -> str:
    """The question, its choices, and a folded explanation of each."""
    parts = [f"**{quiz.question.strip()}**"]
    for letter, choice in lettered(quiz):
        explanation = f"**{verdict(choice)}** {choice.why}"
        parts += [f"**{letter}.** {choice.text}", folded(f"I choose {letter}", explanation)]
    return "\n\n".join(parts)


def folded(summary: str, text: str) -> str:
    """A part that opens with a click, even on a page without a kernel."""
    opening = f'<details style="margin-bottom: 0.8em"><summary>{summary}</summary>'
    return f"{opening}\n\n{text.strip()}\n\n</details>"
