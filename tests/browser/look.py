"""See a notebook as a learner does: opened in JupyterLab, run, and photographed from top to bottom.

    python tests/browser/look.py chapters/01_word2vec.ipynb --out /tmp/look

The notebook's folder is copied first, so nothing is changed. For a notebook in
``chapters/solutions`` the whole of ``chapters`` is copied.
"""

import argparse
import sys
import time
from pathlib import Path

import lab


def main():
    """Save numbered screenshots, and print what went wrong; exit status 1 if anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the screenshots")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1400)
    parser.add_argument("--stored", action="store_true", help="do not run: show stored outputs")
    parser.add_argument("--smoke", action="store_true", help="run at smoke size")
    parser.add_argument("--timeout", type=int, default=900, help="seconds for running all cells")
    args = parser.parse_args()
    if reason := lab.missing():
        sys.exit(f"look: {reason}")
    if not args.notebook.is_file():
        sys.exit(f"look: there is no notebook {args.notebook}")
    return look(args)


def look(args):
    """Open, run, photograph."""
    path = args.notebook.resolve()
    folder = path.parent.parent if path.parent.name == "solutions" else path.parent
    smoke = {"MINIBERT_SMOKE": "1"} if args.smoke else {}
    with lab.server(folder, **smoke) as (url, token), lab.page(args.width, args.height) as page:
        lab.open_notebook(page, url, token, path.relative_to(folder).as_posix())
        if not args.stored:
            start = time.perf_counter()
            lab.run_all(page, args.timeout)
            print(f"ran all cells in {time.perf_counter() - start:.0f} s")
        for old in args.out.glob("[0-9][0-9].png"):
            old.unlink()
        for shot in lab.slices(page, args.out):
            print(shot)
        problems = [f"in a cell: {text[-800:]}" for text in lab.errors(page)]
        problems += [f"in the page: {text}" for text in page.console]
    print("\n".join(problems) or "no errors")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
