"""``minibert course bundle``: a folder that installs on machines without a network.

It holds every package as a wheel (minibert's own with its checkpoints inside), the notebooks, and
an install script for each kind of system. It is made on a machine with a network, for its own
system and Python unless told otherwise.
"""

import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat

from minibert.course.learn.exercise import HOME, SEALED
from minibert.course.learn.links import keep_only, only_to
from minibert.course.learn.paths import REPOSITORY, word_lists, write_text
from minibert.data.packages import pip
from minibert.data.published import get, published
from minibert.storage.safe_files import explained

D2L = "d2l==1.0.3"
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
PACKAGE = ("pyproject.toml", "README.md", "LICENSE", "LICENSE-prose")
SOLUTIONS = "ch[0-9][0-9].json"  # the solutions that `mb.course.solution` shows
SHELL = """#!/bin/sh
# Installs minibert from this folder; no network is needed. PYTHON=/path/to/python names another.
set -eu
cd "$(dirname "$0")"
python="${{PYTHON:-python3}}"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != ({major}, {minor}))' || {{
    echo "These wheels are for Python {major}.{minor}; PYTHON=/path/to/it ./install.sh" >&2
    exit 1
}}
"$python" -m venv .venv
extras=lab
if [ -d weights ]; then
    extras=lab,weights
    mkdir -p "${{MINIBERT_HOME:-$HOME/.minibert}}/data"
    cp -R weights/. "${{MINIBERT_HOME:-$HOME/.minibert}}/data"
fi
pip=".venv/bin/python -m pip install --no-index --find-links wheels"
$pip -c constraints.txt "minibert[$extras]"
$pip --no-deps {d2l}
.venv/bin/minibert doctor
echo 'Now: .venv/bin/jupyter lab chapters'
"""
BATCH = """@echo off
rem Installs minibert from this folder; no network is needed.
cd /d "%~dp0"
setlocal
py -{major}.{minor} -m venv .venv || exit /b 1
set pip=.venv\\Scripts\\python -m pip install --no-index --find-links wheels
set extras=lab
if not defined MINIBERT_HOME set MINIBERT_HOME=%USERPROFILE%\\.minibert
if exist weights set extras=lab,weights
if exist weights xcopy /e /i /y /q weights "%MINIBERT_HOME%\\data" || exit /b 1
%pip% -c constraints.txt "minibert[%extras%]" || exit /b 1
%pip% --no-deps {d2l} || exit /b 1
.venv\\Scripts\\minibert doctor
echo Now: .venv\\Scripts\\jupyter lab chapters
"""
README = """# minibert, to be installed without a network

For Python {major}.{minor}{platform}. On Linux and macOS: `./install.sh`; on Windows: `install.bat`.
Either makes `.venv` beside this file, installs from `wheels`, and checks the result. Published
weights that came along are copied into `MINIBERT_HOME`, or `.minibert` in your home folder.
Afterwards, `.venv/bin/jupyter lab chapters` (Windows: `.venv\\Scripts\\jupyter lab chapters`)
opens the chapters. By hand, in an environment of your own:

    pip install --no-index --find-links wheels -c constraints.txt "minibert[lab]"
    pip install --no-index --find-links wheels --no-deps {d2l}
"""


def bundle(
    out: str | Path,
    chapters: Path,
    numbers: Sequence[str] | None = None,
    *,
    solutions: bool = True,
    python: str | None = None,
    platforms: Sequence[str] = (),
    torch_index: str | None = None,
    weights: bool = False,
) -> Iterator[str]:
    """Make the folder ``out``; yields a line for each step.

    ``chapters`` is the folder of the notebooks, ``numbers`` selects some (None: all). Without
    ``solutions``, neither solved notebooks nor the texts of `mb.course.solution` are in it (what
    `mb.course.use` runs is, compressed: it does not lie open, but it is no secret).
    ``python`` ("3.12") and ``platforms`` (pip's names) are passed on to pip; ``torch_index`` is
    where PyTorch comes from (``""``: from pip's own index). With ``weights``, the published
    ones come along, fetched where need be. Raises ValueError for a folder that is not empty,
    FileNotFoundError for a chapter that does not exist or weights that are not to be had,
    RuntimeError when pip fails.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty: name a new folder.")
    notebooks = chosen(chapters, numbers)
    with explained(out):
        copy_chapters(out / "chapters", chapters, notebooks, solutions)
        shutil.copyfile(REPOSITORY / "constraints.txt", out / "constraints.txt")
        write_scripts(out, python, platforms)
    yield f"{len(notebooks)} chapters{'' if solutions else ', without solutions'}"
    if weights:
        yield from copy_weights(out / "weights")
    wheels = out / "wheels"
    with tempfile.TemporaryDirectory() as folder:
        copy_package(Path(folder), solutions)
        pip("wheel", "--no-deps", "--wheel-dir", wheels, folder)
    (own,) = wheels.glob("minibert-*.whl")
    yield f"{own.name}: {own.stat().st_size / 1e6:.0f} MB"
    for arguments in downloads(own, python, platforms, torch_index, weights=weights):
        pip("download", "--dest", wheels, *arguments)
    files = sorted(wheels.glob("*"))
    size = sum(path.stat().st_size for path in files)
    yield f"{len(files)} wheels, {size / 1e6:.0f} MB"
    if not platforms or any("linux" in name for name in platforms):
        heavy = [path.name for path in files if path.name.startswith(("nvidia", "triton"))]
        if heavy:
            yield f"note: CUDA is among them ({len(heavy)} wheels), which machines without it carry"


def chosen(chapters: Path, numbers: Sequence[str] | None) -> list[Path]:
    """The unsolved notebooks of the given chapters."""
    found = {path.name[:2]: path for path in sorted(Path(chapters).glob("[0-9][0-9]_*.ipynb"))}
    missing = sorted(set(numbers or ()) - set(found))
    if missing:
        raise FileNotFoundError(
            f"No notebook of chapter {', '.join(missing)}; there are: {', '.join(found)}."
        )
    return [found[number] for number in numbers or found]


def copy_chapters(folder: Path, chapters: Path, notebooks: list[Path], solutions: bool) -> None:
    """The notebooks, and what they read: findings, images, words, pages beside them.

    Links to chapters that are not among them become plain words.
    """
    folder.mkdir(parents=True)
    kinds = [".", "solutions"] if solutions else ["."]
    names = [notebook.name for notebook in notebooks]
    for kind in kinds:
        (folder / kind).mkdir(exist_ok=True)
        pages = sorted((chapters / kind).glob("*.md"))
        for name in names:
            notebook = nbformat.read(chapters / kind / name, 4)
            write_text(folder / kind / name, nbformat.writes(keep_only(names, notebook)) + "\n")
        for page in pages:
            write_text(folder / kind / page.name, only_to(names, page.read_text("utf-8")))
    (folder / "findings").mkdir()
    for path in sorted((chapters / "findings").glob("*.json")):
        shutil.copyfile(path, folder / "findings" / path.name)
    for beside in [*chapters.glob("images"), *word_lists(chapters)]:
        shutil.copytree(beside, folder / beside.name)


def copy_package(folder: Path, solutions: bool) -> None:
    """What the wheel is built from, so that building leaves nothing in the repository."""
    for name in PACKAGE:
        shutil.copyfile(REPOSITORY / name, folder / name)
    left_out = ["__pycache__"] if solutions else ["__pycache__", SOLUTIONS]
    ignore = shutil.ignore_patterns(*left_out)
    shutil.copytree(REPOSITORY / "minibert", folder / "minibert", ignore=ignore)
    for path in () if solutions else HOME.glob(SOLUTIONS):  # for `mb.course.use` alone
        sealed = folder / HOME.relative_to(REPOSITORY) / f"{path.stem}{SEALED}"
        sealed.write_bytes(zlib.compress(path.read_bytes()))


def copy_weights(folder: Path) -> Iterator[str]:
    """The published weights, each in its folder; yields a line for each."""
    for name, weights in published().items():
        source = get(name, tell=lambda line: None)
        with explained(folder):
            (folder / name).mkdir(parents=True)
            for file in weights.files:
                shutil.copyfile(source / file.name, folder / name / file.name)
        yield f"{name}: {weights.size / 1e6:.0f} MB"


def downloads(
    own: Path,
    python: str | None,
    platforms: Sequence[str],
    torch_index: str | None,
    *,
    weights: bool = False,
) -> Iterator[list]:
    """The arguments of each ``pip download``: PyTorch first, so that it is the CPU build."""
    target = ["--only-binary", ":all:"]
    target += ["--python-version", python] if python else []
    for platform in platforms:
        target += ["--platform", platform]
    pins = REPOSITORY / "constraints.txt"
    (version,) = (line for line in pins.read_text().splitlines() if line.startswith("torch=="))
    source = CPU_WHEELS if torch_index is None else torch_index
    index = ["--index-url", source] if source else []
    yield [*target, *index, "--no-deps", version.split(";")[0].strip()]
    known, extras = ["--find-links", own.parent], "lab,weights" if weights else "lab"
    yield [*target, *known, "-c", pins, f"minibert[{extras}] @ {own.resolve().as_uri()}"]
    yield [*target, "--no-deps", D2L]


def write_scripts(out: Path, python: str | None, platforms: Sequence[str]) -> None:
    """The two install scripts and the README."""
    major, minor = python.split(".")[:2] if python else sys.version_info[:2]
    values = {"major": major, "minor": minor, "d2l": D2L}
    values["platform"] = f" on {', '.join(platforms)}" if platforms else ""
    write_text(out / "install.sh", SHELL.format(**values))
    (out / "install.sh").chmod(0o755)
    write_text(out / "install.bat", BATCH.format(**values).replace("\n", "\r\n"))
    write_text(out / "README.md", README.format(**values))
