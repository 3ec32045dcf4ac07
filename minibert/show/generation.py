"""Sampling text token by token, beside the tokens that could have been drawn instead."""

from collections.abc import Iterable, Sequence

import ipywidgets
import torch
from torch import Tensor

from minibert.models.gpt import GPT
from minibert.models.gpt.generation import distribution
from minibert.show.figures import GREY, PALETTE, Picture, described, new
from minibert.show.widget import Frame, Interactive, text_box

LISTED = 12  # candidates in the figure
OTHERS = 3  # not taken, in a row of the table


class GenerationExplorer(Interactive):
    """Type how a text begins, move the limits, and look at every choice that was made.

    The figure has the distribution of one token, as the model gives it and as temperature, top-k
    and top-p leave it; the table has every token that was drawn, and the likeliest others.

    ``model``: a `minibert.GPT` with a tokenizer; ``prompt``: of the first frame; ``steps``: tokens
    that are drawn. Raises ValueError for a prompt without a token.
    """

    def __init__(
        self,
        model: GPT,
        prompt: str,
        steps: int = 24,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> None:
        if model.tokenizer is None:
            raise ValueError("The model has no tokenizer: it cannot read a text.")
        self.model, self.tokenizer, self.steps = model.eval(), model.tokenizer, steps
        slow = {"continuous_update": False}
        controls = {
            "prompt": text_box(prompt),
            "temperature": ipywidgets.FloatSlider(temperature, min=0, max=2, step=0.1, **slow),
            "top_k": ipywidgets.IntSlider(top_k, min=0, max=50, **slow),
            "top_p": ipywidgets.FloatSlider(top_p, min=0.05, max=1, step=0.05, **slow),
            "seed": ipywidgets.BoundedIntText(seed, min=0, max=10**6, layout={"width": "90px"}),
            "token": ipywidgets.IntSlider(1, min=1, max=steps, **slow),
        }
        rows = [
            ["prompt"],
            ["temperature: ", "temperature", "top-k (0: off): ", "top_k"],
            ["top-p: ", "top_p", "seed: ", "seed"],
            ["look at token: ", "token"],
        ]
        super().__init__(self._frame, controls, rows)

    def _frame(self, prompt, temperature, top_k, top_p, seed, token):
        options = {"top_k": top_k or None, "top_p": top_p if top_p < 1 else None}
        options["temperature"] = temperature
        start = self.tokenizer.encode(prompt)
        if not start:
            raise ValueError("There is nothing to go on with: type how the text begins.")
        ids = self.model.generate(start, self.steps, seed=seed, **options)
        plain, limited = self.distributions(ids, len(start), options)
        drawn = ids[len(start) :]
        at = min(token, len(drawn)) - 1
        names = self.names(range(plain.shape[1]))
        figure = bars(names, plain[at], limited[at], drawn[at], number=at + 1)
        text = self.tokenizer.decode(ids)
        table = [["", "drawn", "probability", "left by the limits", "likeliest not taken"]]
        for number, (chosen, p, q) in enumerate(zip(drawn, plain, limited, strict=True), 1):
            table.append([number, *self.row(chosen, p, q)])
        return Frame(figure, f"{figure.alt} The text: {text}", text, table)

    def distributions(self, ids: list[int], start: int, options: dict) -> tuple[Tensor, Tensor]:
        """Before and after the limits, for each token that was drawn: (tokens, V) each."""
        device = self.model.embeddings.word.weight.device
        with torch.no_grad():
            text = torch.tensor([ids[:-1]], device=device)
            hidden = self.model(text).last_hidden_state[0, start - 1 :]  # (tokens, dim)
            logits = self.model.logits(hidden)[:, : len(self.tokenizer)].cpu()
        return logits.softmax(-1), distribution(logits, **options)

    def row(self, chosen: int, p: Tensor, q: Tensor) -> tuple[str, str, str, str]:
        """A drawn token, its probability before and after the limits, and others."""
        best = [i for i in p.topk(OTHERS + 1).indices.tolist() if i != chosen][:OTHERS]
        name, *others = self.names([chosen, *best])
        listed = ", ".join(f"{other} {p[i]:.0%}" for other, i in zip(others, best, strict=True))
        return name, f"{p[chosen]:.1%}", f"{q[chosen]:.1%}", listed

    def names(self, ids: Iterable[int]) -> list[str]:
        """Pieces as a person reads them."""
        decode = self.tokenizer.decode
        return [decode([i]).replace(" ", "␣").replace("\n", "⏎") for i in ids]


def bars(
    names: Sequence[str], plain: Tensor, limited: Tensor, chosen: int, *, number: int
) -> Picture:
    """The likeliest tokens at one position, before and after the limits, and the drawn one."""
    fig, ax = new(f"Token {number}", "probability", "candidate", size=(7.6, 4.2))
    plain, limited = plain.tolist(), limited.tolist()
    best = sorted(range(len(plain)), key=lambda i: -plain[i])[:LISTED]
    if chosen not in best:
        best[-1] = chosen
    best.reverse()
    rows = range(len(best))
    ax.barh(rows, [limited[i] for i in best], color=PALETTE["sky"], label="within the limits")
    ax.barh(rows, [plain[i] for i in best], height=0.35, color=GREY, label="as the model gives it")
    at = best.index(chosen)
    ax.plot([limited[chosen]], [at], "D", color=PALETTE["vermillion"], label="drawn")
    ax.set_yticks(rows, [names[i] for i in best], parse_math=False)
    ax.set_xlim(0, 1.05 * max(*limited, *plain))
    ax.legend(frameon=False, loc="lower right")
    listed = ", ".join(f"{names[i]} {plain[i]:.1%}" for i in best[::-1][:5])
    about = f"Bars: at token {number} the likeliest are {listed}; {names[chosen]} was drawn."
    return described(fig, about)
