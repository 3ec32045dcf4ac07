"""``minibert course release | grade | bundle``: what a teacher needs."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minibert.course.learn.paths import chapters_folder

if TYPE_CHECKING:
    from minibert.course.teach.grading import Course, Graded, Settings
    from minibert.course.teach.submissions import Submission


def add_arguments(actions: Any) -> None:
    """Add the teacher's actions to those of ``minibert course``."""
    release = actions.add_parser("release", help="make an nbgrader course folder")
    release.add_argument("--out", type=Path, required=True, help="the course folder")
    release.add_argument("--chapters", help="numbers such as 01,05 (default: all)")
    release.add_argument("--root", type=Path, help="the folder `chapters` (default: found)")
    release.add_argument("--force", action="store_true", help="make released chapters again")
    grade = actions.add_parser("grade", help="autograde the notebooks in DIR/submitted")
    grade.add_argument("folder", type=Path, metavar="DIR", help="the course folder")
    grade.add_argument("--chapters", help="numbers such as 01,05 (default: all)")
    grade.add_argument("--students", help="some students, separated by commas (default: all)")
    grade.add_argument("--again", action="store_true", help="also grade what was graded before")
    grade.add_argument("--workers", type=int, help="submissions at a time (default: one per core)")
    grade.add_argument("--timeout", type=float, default=60, help="seconds per cell (default 60)")
    grade.add_argument(
        "--limit", type=float, default=900, help="seconds per submission (default 900)"
    )
    grade.add_argument(
        "--all-cells", action="store_true", help="also run cells that no answer needs (slow)"
    )
    grade.add_argument(
        "--full", action="store_true", help="all cells at full size, not MINIBERT_SMOKE=1"
    )
    bundle = actions.add_parser("bundle", help="make a folder that installs without a network")
    bundle.add_argument("--out", type=Path, required=True, help="a new folder")
    bundle.add_argument("--chapters", help="numbers such as 00,01 (default: all)")
    bundle.add_argument("--root", type=Path, help="the folder `chapters` (default: found)")
    bundle.add_argument("--without-solutions", action="store_true", help="for a graded course")
    bundle.add_argument(
        "--weights", action="store_true", help="take the published weights along (280 MB)"
    )
    bundle.add_argument("--python", metavar="3.12", help="of the classroom (default: this one)")
    bundle.add_argument(
        "--platform", action="append", default=[], help="as in pip download (default: this one)"
    )
    bundle.add_argument(
        "--torch-index", metavar="URL", help='of PyTorch (default: its CPU builds; "": pip\'s own)'
    )


def release(args: Namespace) -> int:
    """Make or complete a course folder."""
    from minibert.course.teach.classroom import release

    for line in release(
        args.out, args.root or chapters_folder(), numbers(args.chapters), args.force
    ):
        print(line, flush=True)
    print(
        f"\nHand out what lies in {args.out}/release. Put what comes back into "
        f"{args.out}/submitted/STUDENT/chNN/,\nthen: minibert course grade {args.out}. "
        "Keep everything else to yourself."
    )
    return 0


def grade(args: Namespace) -> int:
    """Grade what is new, and write the table; 1 when something could not be graded."""
    from minibert.course.teach import marks
    from minibert.course.teach.grading import Course, Settings
    from minibert.course.teach.submissions import submissions

    course, cores = Course(args.folder), share_cores(args.workers)
    every_cell = args.all_cells or args.full
    settings = Settings(args.timeout, args.limit, *cores, args.full, every_cell)
    everything = submissions(course.root, course.expected)
    chosen, before = chosen_by(args, everything, course.expected), course.state()
    whole = [s for s in chosen if not s.problem]
    fresh = [s for s in whole if args.again or before.get(s.key, {}).get("digest") != s.digest]
    run(course, fresh, settings)
    for submission in chosen:
        if submission.problem:
            print(f"! {submission.key}: not graded: {submission.problem}")
    remarks = {key: entry["remark"] for key, entry in course.state().items()}
    remarks |= {s.key: f"not graded: {s.problem}" for s in everything if s.problem}
    there = {s.key for s in everything}  # a removed submission leaves its marks, but no remark
    remarks = {key: text for key, text in remarks.items() if text and key in there}
    found = marks.marks(course.url)
    rows = marks.totals(found, remarks)
    marks.write(course.root, found, rows)
    print(f"\n{marks.table(rows)}\n" if rows else "\nNothing has been handed in.\n")
    skipped = len(whole) - len(fresh)
    if skipped:
        print(f"{skipped} unchanged since they were graded (--again grades them as well).")
    print(f"Written: {args.folder}/grades.csv and totals.csv.")
    return int(any(row.remark.startswith("not graded") for row in rows))


def run(course: Course, todo: list[Submission], settings: Settings) -> None:
    """Grade ``todo`` and report on each. A copy of the old marks is kept."""
    from minibert.course.teach import fence
    from minibert.course.teach.grading import grade_all

    if not todo:
        return
    course.copy_gradebook(course.history / "gradebook.db")
    for name in ("grades.csv", "totals.csv"):
        if (course.root / name).is_file():
            (course.history / name).write_bytes((course.root / name).read_bytes())
    if not fence.version():
        print("Submissions are not fenced off here, they read what you can read: grade as a user "
              "who owns nothing else, or in a container (docs/teaching.md).")  # fmt: skip
    start = time.perf_counter()
    number = f"{len(todo)} submission{'s' * (len(todo) != 1)}"
    print(f"{number}, {settings.workers} at a time; the marks until now: {course.history}")
    for count, graded in enumerate(grade_all(course, todo, settings), 1):
        seconds = time.perf_counter() - start
        left = seconds / count * (len(todo) - count)
        says = told(course, graded)
        print(f"[{count}/{len(todo)}] {says}; {clock(left)} left", flush=True)
    print(f"{number} in {clock(time.perf_counter() - start)}")


def told(course: Course, graded: Graded) -> str:
    """One line on a graded submission."""
    from minibert.course.teach import marks

    submission, seconds = graded.submission, f"{graded.seconds:.0f} s"
    if not graded.marks:
        return f"! {submission.key}: {graded.remark}; {seconds}"
    with course.lock:
        mine = [m for m in marks.marks(course.url) if f"{m.student}/{m.chapter}" == submission.key]
    (row,) = marks.totals(mine, {})
    text = f"{submission.key}: {marks.number(row.points)} of {marks.number(row.of)} points"
    text += f", {marks.number(row.waiting)} wait for you" if row.waiting else ""
    return f"! {text}; {graded.remark}; {seconds}" if graded.remark else f"{text}; {seconds}"


def numbers(text: str | None) -> list[str] | None:
    """``"1, 05"`` as ["01", "05"]; None for nothing."""
    return [part.strip().zfill(2) for part in text.split(",")] if text else None


def chosen_by(
    args: Namespace, everything: list[Submission], assignments: Iterable[str]
) -> list[Submission]:
    """The submissions that the options name. Raises ValueError for a name that nothing has."""
    chapters = [f"ch{number}" for number in numbers(args.chapters) or ()]
    students = [name.strip() for name in args.students.split(",")] if args.students else []
    handed_in = {submission.student for submission in everything}
    if strange := [name for name in chapters if name not in assignments]:
        known = ", ".join(assignments) or "none yet"
        raise ValueError(f"{', '.join(strange)}: not released; there are: {known}.")
    if strange := [name for name in students if name not in handed_in]:
        raise ValueError(f"{', '.join(strange)}: no such folder in {args.folder}/submitted.")
    return [
        submission
        for submission in everything
        if (not chapters or submission.assignment in chapters)
        and (not students or submission.student in students)
    ]


def share_cores(workers: int | None) -> tuple[int, int]:
    """(submissions at a time, threads for each). Raises ValueError for fewer than one."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    workers = cores if workers is None else workers
    if workers < 1:
        raise ValueError(f"--workers should be 1 or more, got {workers}.")
    return workers, max(1, cores // workers)


def clock(seconds: float) -> str:
    """Seconds as ``35 s`` or ``4 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def bundle(args: Namespace) -> int:
    """Make the folder for a classroom without a network."""
    from minibert.course.teach.bundle import bundle

    start = time.perf_counter()
    for line in bundle(
        args.out,
        args.root or chapters_folder(),
        numbers(args.chapters),
        solutions=not args.without_solutions,
        python=args.python,
        platforms=args.platform,
        torch_index=args.torch_index,
        weights=args.weights,
    ):
        print(line, flush=True)
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"{args.out}: {size / 1e6:.0f} MB in {clock(time.perf_counter() - start)}")
    print("Copy the folder to each machine and run install.sh (Windows: install.bat) there.")
    return 0


ACTIONS = {"release": release, "grade": grade, "bundle": bundle}
