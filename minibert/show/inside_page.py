"""`minibert.show.inside` as one HTML file that needs neither a network nor a kernel.

Every single change is computed beforehand: each part off, each layer off, each token's state after
each layer off and from the other text. A change keeps its likeliest candidates and, for each step
of the slider, the logarithm of the sum of p ** (1 / T) over all candidates: with it the page
computes every temperature exactly.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from minibert.show.figures import image_html
from minibert.show.inside_figure import LISTED, PARTS, UNITS, best_of, layer_map, told_at
from minibert.show.passes import FFN, HEAD, LAYER, POSITION, Change, Pass, Passes
from minibert.storage.safe_files import write

if TYPE_CHECKING:
    from minibert.show.inside_widget import Inside

STOPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.7, 2, 2.5, 3, 4, 6, 10)
NUMBERS = 24  # of a vector that are drawn
LEVELS = 9  # of colour, apart from none
FARTHEST = 2.0  # of its length: a state that has moved this far has the brightest colour
TEMPLATE = Path(__file__).with_name("inside_page.html")


def save(widget: "Inside", path: Path) -> Path:
    """Write the page of a widget's text, at the place that it looks at; its changes are undone."""
    widget.undo()
    still = image_html(widget.png, widget.frame.alt)
    given = {name: widget.controls[name].value for name in ("text", "other")}
    row = widget.controls["place"].value or 0 if "place" in widget.controls else 0
    data = json.dumps(page_data(widget.passes, given["text"], given["other"], row))
    data = data.replace("<", "\\u003c")  # no text can end the script
    page = TEMPLATE.read_text("utf-8").replace("@STILL@", still).replace("@DATA@", data)
    write(path, page.encode("utf-8"))
    return path


def page_data(passes: Passes, text: str, other: str = "", row: int = 0) -> dict[str, Any]:
    """What the page's script reads; row: of the scores, that is, which place is looked at."""
    base = passes.of(text, (), other or None)
    place = base.places[row] if base.places else None
    runs = {
        key: (scored, layer_map(base, after, True)[0])
        for key, change in single_changes(passes, base, passes.of(other) if other else None)
        for after in [passes.of(text, (change,), other or None)]
        for scored in [after.scores[row]]
    }
    kept = {key: run(base.scores[row], *found) for key, found in runs.items()}
    first = run(base.scores[row], base.scores[row])
    wanted = sorted({i for one in [first, *kept.values()] for i in one["i"]})
    number = {i: n for n, i in enumerate(wanted)}
    for one in [first, *kept.values()]:
        one["i"] = [number[i] for i in one["i"]]
    modes = [["set", "take a state from the other text"]] if other else []
    return {
        "model": type(passes.inner).__name__,
        "text": text,
        "other": other,
        "what": told_at(passes, base, place),
        "unit": passes.outlook.unit,
        "place": place,
        "tokens": base.tokens,
        "layers": passes.layers,
        "parts": passes.parts,
        "left": layer_map(base, base, False)[1],
        "right": PARTS[passes.transformer],
        "modes": [*modes, ["off", "switch a state off"]],
        "stops": STOPS,
        "listed": LISTED,
        "names": [passes.outlook.names[i] for i in wanted],
        "scores": rounded(base.scores[row][wanted]),
        "base": first,
        "runs": kept,
        **levels_of(passes, base, place),
    }


def single_changes(
    passes: Passes, base: Pass, other: Pass | None = None
) -> Iterator[tuple[str, Change]]:
    """(key in the page, change) for all that it offers."""
    for layer in range(passes.layers + 1):
        for place in range(len(base.tokens)):
            yield f"off:{layer}:{place}", Change(layer, POSITION, place)
            if other is not None and place < len(other.tokens):
                yield f"set:{layer}:{place}", Change(layer, POSITION, place, place)
        if layer:
            yield f"layer:{layer}", Change(layer, LAYER)
            for number in range(passes.heads):
                yield f"part:{layer}:{number}", Change(layer, HEAD, number)
            if passes.transformer:
                yield f"part:{layer}:{passes.heads}", Change(layer, FFN)


def run(base: Tensor, scores: Tensor, far: Any = None) -> dict[str, Any]:
    """What is kept of a row of scores: "i" candidates, "s" theirs, "z" sums, "m" how far moved."""
    kept = best_of([base, scores], 2 * LISTED)
    found = {"i": kept, "s": rounded(scores[kept])}
    warm = torch.tensor(STOPS, dtype=torch.float64)[:, None]
    found["z"] = rounded((scores.double() / warm).logsumexp(-1))
    if far is not None:
        level = (torch.as_tensor(far) / FARTHEST).clamp(0, 1).sqrt() * LEVELS
        found["m"] = "".join(str(int(one)) for one in level.round().flatten().tolist())
    return found


def levels_of(passes: Passes, base: Pass, place: int | None) -> dict[str, Any]:
    """Colours from 0 to 9 of both maps, and the numbers (-9 to 9) of the vectors that are drawn."""
    added = base.added.mean(-1) if place is None else base.added[..., place]
    vectors = base.states[0][:, :: max(1, base.states[0].shape[1] // NUMBERS)][:, :NUMBERS].cpu()
    vectors = (vectors / vectors.abs().max().clamp(min=1e-9) * LEVELS).round().int()
    unit = UNITS[passes.transformer]
    pairs = [
        [[level, f"{value:.2f} {unit}"] for level, value in zip(*both, strict=True)]
        for both in zip(levels(added), added.tolist(), strict=True)
    ]
    whole = levels(base.moved.mean(1, keepdim=True))
    return {
        "moved": levels(base.moved),
        "added": pairs,
        "whole": [one for (one,) in whole],
        "vectors": vectors.tolist(),
    }


def levels(values: Tensor) -> list[list[int]]:
    """Numbers from 0 on as whole numbers from 0 to 9, by their root."""
    share = (values / values.max().clamp(min=1e-9)).clamp(min=0).sqrt()
    return [[round(one * LEVELS) for one in row] for row in share.tolist()]


def rounded(values: Tensor | Sequence[float]) -> list[float]:
    return [round(float(one), 4) for one in values]
