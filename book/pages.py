"""From the repository's files to the sources that Sphinx reads.

The folder of sources mirrors the repository, so that links between chapters hold as they are:
``chapters/*.ipynb``, ``chapters/glossary.md`` and ``docs/*.md``; beside them ``index.md`` and the
pages of ``reference``. Nothing is executed.
"""

import hashlib
import importlib.util
import json
import os
import posixpath
import re
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path
from urllib.parse import quote

import nbformat
from nbformat.v4 import new_markdown_cell, new_output

from book import reference
from minibert.course.author.execute import CONTROLS
from minibert.course.learn.exercise import solution_text

MATHJAX = "mathjax"  # folder in _static
NOTEBOOKS = "notebooks"  # folder of the site that the download buttons lead to
UNSEARCHED = '<div class="no-search">'  # what the search neither finds nor quotes
PICTURES = "pictures.json"  # SHA-256 of a picture -> its alt text
# Code is passed over; a link may have code in its text.
LINK = re.compile(r"```.*?```|(!?)\[((?:[^\[\]`]|`[^`]*`)*)\]\(([^()\s]+)\)|`[^`]*`", re.DOTALL)
HREF = re.compile(r'<a\b[^>]*?href="([^"#:]+)\.ipynb(#[^"]*)?"[^>]*>(.*?)</a>', re.DOTALL)
CELL_END = re.compile(r"(</(?:td|th|tr|p|div|li)>|<br ?/?>)(?!\s)")
INSIDE = "inside.html"  # in _static: a widget that needs no kernel, see `inside`
TEXTS = [f"In the church the {who} talked with a weaver about" for who in ("king", "queen")]
LIVE = (
    f'<iframe class="mb-live" src="../_static/{INSIDE}" title="Inside a model: its controls work '
    'here" loading="lazy"></iframe>'
)
STILL = '<p class="mb-controls">The widget’s first frame. Its controls work in the notebook.</p>'


def repository(root):
    """The address of the repository on the web, without a slash at the end, or ""."""
    address = os.environ.get("MINIBERT_REPOSITORY", "")
    if not address:
        command = ["git", "-C", str(root), "remote", "get-url", "origin"]
        done = subprocess.run(command, capture_output=True, text=True)
        address = done.stdout.strip() if done.returncode == 0 else ""
        address = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", address)
    web = re.fullmatch(r"(https://)(?:[^@/]*@)?([^/]+/.+?)(?:\.git)?/?", address)
    return web[1] + web[2] if web else ""


def binder(address, path):
    """The link that opens ``path`` on Binder, or to the page that says how to get there."""
    if not address:
        return f"{'../' * path.count('/')}start.html#binder"
    host, _, name = address.removeprefix("https://").partition("/")
    known = {"github.com": f"gh/{name}", "gitlab.com": f"gl/{quote(name, safe='')}"}
    place = known.get(host, f"git/{quote(address, safe='')}")
    return f"https://mybinder.org/v2/{place}/HEAD?urlpath={quote(f'lab/tree/{path}', safe='')}"


def stage(root, target, address):
    """Write the sources of the book into ``target``; what does not belong there is removed."""
    files = {p.relative_to(root).as_posix(): p for p in root.glob("chapters/[0-9]*.ipynb")}
    texts = {p.relative_to(root).as_posix(): p for p in sorted(root.glob("docs/*.md"))}
    texts |= {"chapters/glossary.md": root / "chapters" / "glossary.md"}
    texts |= {p.name: p for p in (root / "book").glob("*.md")}
    known = {*files, *texts}
    notebooks = {name: nbformat.read(path, 4) for name, path in sorted(files.items())}
    made = dict(reference.pages())
    for name, path in texts.items():
        text = filled(path.read_text("utf-8"), notebooks, texts)
        made[name] = relink(text, name, known, root, address)
    pictures = {}
    for name, notebook in notebooks.items():
        made[name] = nbformat.writes(page(notebook, name, known, root, address, pictures))
    made[PICTURES] = json.dumps(pictures, indent=0, sort_keys=True)
    made |= {path: (root / path).read_bytes() for path in sorted(_pictured(made, root))}
    for name, content in made.items():
        _write(target / name, content)
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(target).as_posix() not in made:
            path.unlink()


def filled(text, notebooks, texts):
    """A page with its markers replaced: the table and list of chapters, and what is in docs."""
    heads = {name: notebook.metadata.minibert for name, notebook in notebooks.items()}
    rows = ["| chapter | question | minutes |", "|---|---|---|"]
    rows += [
        f"| [{h.chapter} {h.title}]({name}) | {h.question} | {h.minutes} |"
        for name, h in heads.items()
    ]
    entries = [f"{h.chapter} · {h.title} <{name[:-6]}>" for name, h in heads.items()]
    docs = [name[:-3] for name in texts if name.startswith("docs/")]
    docs.sort(key=lambda name: name not in ("docs/install", "docs/teaching"))  # these two first
    opening = ["```{toctree}", ":hidden:", ":caption: Guides", ""]
    text = text.replace("%docs%", "\n".join([*opening, *docs, "```"]) if docs else "")
    text = text.replace("%table-of-chapters%", "\n".join(rows))
    return text.replace("%chapters%", "\n".join(entries))


def relink(text, page, known, root, address):
    """Links that would lead out of the book go to the repository, or become plain text."""
    folder = posixpath.dirname(page)

    def changed(match):
        whole, picture, label, link = match[0], match[1], match[2], match[3]
        if link is None or re.match(r"[a-z]+:|#", link):
            return whole
        path = posixpath.normpath(posixpath.join(folder, link.partition("#")[0]))
        if path in known or (picture and (root / path).is_file()):
            return whole
        return f"[{label}]({address}/blob/HEAD/{path})" if address else label

    return LINK.sub(changed, text)


def relink_html(html, page, known):
    """An output's HTML with its links leading to the book's pages, and a break after each cell.

    The search reads HTML with its tags taken out: without a break, two cells would be one word.
    """
    folder = posixpath.dirname(page)

    def changed(match):
        path = posixpath.normpath(posixpath.join(folder, match[1] + ".ipynb"))
        link = f'<a href="{match[1]}.html{match[2] or ""}">{match[3]}</a>'
        return link if path in known else match[3]

    return CELL_END.sub("\\1\n", HREF.sub(changed, html))


def page(notebook, name, known, root, address, pictures):
    """A chapter as the book shows it: buttons, folded solutions, a word at each widget."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relink(cell.source, name, known, root, address)
        for number, output in enumerate(cell.get("outputs", [])):
            data = output.get("data", {})
            if data.get("text/plain") == CONTROLS and len(data) == 1:
                told = LIVE if "mb.show.inside(" in cell.source else STILL
                cell.outputs[number] = new_output("display_data", {"text/html": told})
            if "text/html" in data:
                told = relink_html(data["text/html"], name, known)
                mine = "course.progress(" in cell.source  # what the author's own machine says
                data["text/html"] = f"{UNSEARCHED}{told}</div>" if mine else told
            if "image/png" in data:
                digest = hashlib.sha256(b64decode(data["image/png"])).hexdigest()
                pictures[digest] = output.metadata["image/png"]["alt"]
        cells.append(cell)
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("grade"):
            cells.append(solution(mark.grade_id.replace("-", ".", 1), cell.cell_type))
    title, _, rest = cells[0].source.partition("\n")
    cells[0].source = f"{title}\n\n{buttons(name, address)}\n{rest}"
    notebook.cells = cells
    return notebook


def buttons(name, address):
    """The two buttons below a chapter's title, as HTML."""
    file = posixpath.basename(name)
    links = (
        ("Open on Binder", binder(address, name), ""),
        ("Download the notebook", f"../{NOTEBOOKS}/{file}", f' download="{file}"'),
    )
    made = "".join(f'<a class="mb-button" href="{url}"{more}>{t}</a>\n' for t, url, more in links)
    return f'<div class="mb-buttons">\n{made}</div>\n'


def solution(exercise_id, kind):
    """A cell with the folded solution of an exercise; words where the exercise wants words."""
    text = solution_text(exercise_id)
    text = text if kind == "markdown" else f"```python\n{text}\n```"
    text = f'<details class="mb-solution"><summary>Solution</summary>\n\n{text}\n\n</details>'
    return new_markdown_cell(text, id=exercise_id.replace(".", "-") + "-solution")


def _pictured(made, root):
    """The files that the staged texts show as pictures."""
    for name, content in made.items():
        for picture, _, link in LINK.findall(content) if name.endswith(".md") else ():
            if picture and not re.match(r"[a-z]+:", link):
                yield posixpath.normpath(posixpath.join(posixpath.dirname(name), link))


def _write(path, content):
    """Write what is new, so that Sphinx reads again only what has changed."""
    content = content.encode() if isinstance(content, str) else content
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def describe_pictures(app, doctree):
    """Each picture of a notebook gets the alt text that is stored with it."""
    from docutils import nodes

    texts = json.loads((Path(app.srcdir) / PICTURES).read_text("utf-8"))
    for image in doctree.findall(nodes.image):
        stem = Path(image["uri"]).stem
        if stem in texts:
            image["alt"] = texts[stem]


def keep_from_search(app, doctree):
    """Outputs that `page` marked get Sphinx's class for what the search index does not read."""
    from docutils import nodes

    for raw in doctree.findall(nodes.raw):
        if raw.astext().startswith(UNSEARCHED):
            raw["classes"].append("no-search")


def inside(path):
    """The widget of chapter 08 as a page: the texts of its first pair, in the bundled GPT."""
    import minibert as mb

    gpt = mb.GPT.from_pretrained("minibert-gpt").eval()
    mb.show.inside(gpt, TEXTS[0], other=TEXTS[1]).save(path)


def add_assets(app, error):
    """The notebooks to download, the live widget, and MathJax: a page needs no network."""
    if error:
        return
    out, root = Path(app.outdir), Path(__file__).resolve().parents[1]
    (out / NOTEBOOKS).mkdir(exist_ok=True)
    for path in root.glob("chapters/[0-9]*.ipynb"):
        shutil.copy(path, out / NOTEBOOKS / path.name)
    inside(out / "_static" / INSIDE)
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    source, target = package / "static" / "mathjax", out / "_static" / MATHJAX
    fonts = Path("output/chtml/fonts/woff-v2")
    (target / fonts).mkdir(parents=True, exist_ok=True)
    for path in [source / "tex-chtml-full.js", *(source / fonts).iterdir()]:
        shutil.copy(path, target / path.relative_to(source))
