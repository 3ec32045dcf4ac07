"""Formulas on nbgrader's pages without a network: MathJax stands in the page itself.

nbgrader's templates load MathJax from the network. Without one, formulas stay raw, and the form for
the points stops working, since it waits for MathJax. A course folder therefore brings a template of
its own with MathJax inside (from the package sphinx-mathjax-offline).
"""

from importlib.util import find_spec
from pathlib import Path

from minibert.course.learn.paths import write_text

FOLDER = "templates"  # of a course
MATHJAX = "sphinx-mathjax-offline"
TEMPLATE = """\
{% macro mathjax(url="") %}{% raw %}
<script>
window.MathJax = {
  tex: {
    inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]], processEscapes: true,
    packages: {"[-]": ["autoload", "require"]},  // nothing from the network, no links, no styles
  },
  options: {enableMenu: false},
};
</script>
<script>@SCRIPT@</script>
<script>
MathJax.Hub = {  // what formgrader asks of MathJax 2
  Startup: {signal: {Interest: (tell) => MathJax.startup.promise.then(() => tell("End"))}},
};
</script>
{% endraw %}{% endmacro %}
"""


def mathjax() -> Path | None:
    """MathJax as one file, or None where it is not installed."""
    found = find_spec(MATHJAX)
    folders = (found.submodule_search_locations or ()) if found else ()
    files = [Path(folder) / "static" / "mathjax" / "tex-svg.js" for folder in folders]
    return next((path for path in files if path.is_file()), None)


def write_template(course: Path) -> bool:
    """Put the template into a course folder; False where MathJax is not installed."""
    path = mathjax()
    if path is None:
        return False
    folder = course / FOLDER / "base"
    folder.mkdir(parents=True, exist_ok=True)
    text = TEMPLATE.replace("@SCRIPT@", path.read_text("utf-8"))
    write_text(folder / "mathjax.html.j2", text)
    return True
