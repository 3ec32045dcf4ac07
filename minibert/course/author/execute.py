"""Running a notebook in a fresh kernel of this very Python, and cleaning what it shows."""

import copy
import os
import re
import tempfile
from pathlib import Path

import ipykernel.kernelspec
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

LIMIT = 1_000_000  # bytes of a notebook file, outputs included
WIDGET = "application/vnd.jupyter.widget-view+json"
CONTROLS = "Run this cell to use its controls."
PROGRESS = re.compile(r"\d%\|")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class ExecutionError(RuntimeError):
    """A cell failed or took too long; the message names the notebook, the cell and the cause."""


class OwnKernel(KernelSpecManager):
    """Every kernel is this interpreter's, whatever kernels are installed for the user."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The running interpreter's own kernel."""
        return self.kernel_spec_class(
            resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict()
        )


def execute(
    notebook: NotebookNode, folder: str | Path, name: str, timeout: int = 600
) -> NotebookNode:
    """Run ``notebook`` in place, in ``folder``; gives its cleaned outputs to its cells.

    ``timeout`` is for one cell, in seconds. The learner's own folder is not touched. Raises
    ExecutionError.
    """
    metadata = copy.deepcopy(notebook.metadata)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        startup_timeout=120,
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    client.create_kernel_manager().kernel_spec_manager = OwnKernel()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "MINIBERT_HOME": home, "PYTHONHASHSEED": "0"}
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            raise ExecutionError(f"{name}: {failure(notebook)}") from error
        except (CellTimeoutError, DeadKernelError) as error:
            raise ExecutionError(f"{name}: {ANSI.sub('', str(error)).strip()}") from error
    notebook.metadata = metadata  # the kernel adds its versions, which would change every build
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = cleaned(cell.outputs)
    return notebook


def failure(notebook: NotebookNode) -> str:
    """Which cell failed, and how: the code, then the last lines of the traceback."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                trace = ANSI.sub("", "\n".join(output.traceback)).splitlines()
                return f"cell {number + 1} ({cell.id}) failed:\n" + "\n".join(trace[-25:])
    return "a cell failed"


def cleaned(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs as they are stored: no stderr (progress bars, warnings), no live widgets.

    A widget leaves its first frame as a picture and, below it, a line that says how to get the
    controls back; its random ids are removed. A picture that comes as PNG and inside HTML is stored
    once.
    """
    kept = []
    for output in outputs:
        data = output.get("data", {})
        if output.output_type == "stream":
            output.text = without_overwritten(output.text)
            kept += [output] if output.name == "stdout" else []
        elif WIDGET in data and PROGRESS.search(data.get("text/plain", "")):
            continue
        elif WIDGET in data and not set(data) & {"image/png", "text/html"}:
            kept.append(new_output("display_data", data={"text/plain": CONTROLS}))
        else:
            data.pop(WIDGET, None)
            kept += without_repeated_picture(output)
    return kept


def without_repeated_picture(output: NotebookNode) -> list[NotebookNode]:
    """One output, or two: its PNG alone, then what its HTML says besides (a caption, a table)."""
    data = output.get("data", {})
    html, picture = data.get("text/html", ""), data.get("image/png", "").strip()
    if not picture or picture not in html:
        return [output]
    rest = re.sub(r"<img\b[^>]*>", "", html)
    del data["text/html"]
    words = re.sub(r"<style.*?</style>|<[^>]*>", "", rest, flags=re.DOTALL).strip()
    return [output, new_output("display_data", data={"text/html": rest})] if words else [output]


def without_overwritten(text: str) -> str:
    """A stream's text as a terminal would leave it: what a carriage return overwrote is gone."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def too_big(notebook: NotebookNode, size: int) -> str | None:
    """None, or a sentence naming the biggest outputs of a notebook file of ``size`` bytes."""
    if size <= LIMIT:
        return None
    sizes = [(len(str(cell.get("outputs", ""))), cell.id) for cell in notebook.cells]
    biggest = sorted(sizes, reverse=True)[:3]
    listed = ", ".join(f"{cell_id} ({bytes_ / 1000:.0f} kB)" for bytes_, cell_id in biggest)
    return f"{size / 1e6:.2f} MB, over {LIMIT / 1e6:.0f} MB; the biggest outputs: {listed}"
