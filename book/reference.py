"""The pages of the library's reference: the public face, grouped, from the packages' own lists."""

import inspect
from importlib import import_module

# page -> title, what it is about, packages (all public names of each), then single names or modules
GROUPS = {
    "world": (
        "The embedded world",
        "`mb.world`: text about a small fixed world, whose entropy is known exactly.",
        ["minibert.world"],
    ),
    "text": (
        "Text",
        "`mb.text`: tokens, vocabularies, word pieces and batches.",
        ["minibert.text"],
    ),
    "models": (
        "Models",
        "One class a system, and its configuration beside it.",
        [
            *("minibert.Word2Vec", "minibert.Word2VecConfig", "minibert.ELMo"),
            *("minibert.ELMoConfig", "minibert.AWDLSTM", "minibert.AWDLSTMConfig"),
            *("minibert.Transformer", "minibert.TransformerConfig", "minibert.BERT"),
            *("minibert.BERTConfig", "minibert.GPT", "minibert.GPTConfig"),
            *(
                "minibert.models.base",
                "minibert.models.outputs",
                "minibert.models.transformer.attention",
                "minibert.models.gpt.generation",
            ),
            "minibert.models.word2vec.scores",
        ],
    ),
    "heads": (
        "Heads",
        "`mb.heads`: what is put on top of a representation to solve a task.",
        ["minibert.heads"],
    ),
    "train": (
        "Training",
        "One loop for every model, and what goes with it.",
        [
            *(
                "minibert.fit",
                "minibert.training.history",
                "minibert.training.callbacks",
                "minibert.training.optim",
            ),
            *("minibert.storage.checkpoint", "minibert.device", "minibert.seed_everything"),
        ],
    ),
    "transfer": (
        "Transfer",
        "`mb.transfer`: adapting a model that was trained on something else.",
        ["minibert.transfer"],
    ),
    "probe": (
        "Probes",
        "`mb.probe`: what representations capture, and what deflates such a claim.",
        ["minibert.probe"],
    ),
    "data": (
        "Data",
        "`mb.data`: real data sets, found, downloaded, verified and read.",
        ["minibert.data"],
    ),
    "files": (
        "Files of models",
        "What `from_pretrained` and `save_pretrained` stand on: one module for each system.",
        [
            *(
                f"minibert.models.{name}.files"
                for name in ("word2vec", "elmo", "awd_lstm", "bert", "gpt")
            ),
            "minibert.heads.from_d2l",
        ],
    ),
    "show": (
        "Figures and widgets",
        "`mb.show`: figures first, widgets on top of them.",
        ["minibert.show"],
    ),
    "course": (
        "The course",
        "`mb.course`: exercises and what is around them.",
        ["minibert.course", "minibert.course.learn.d2l"],
    ),
}


def entries(names):
    """(full name, object) of everything that a group lists; a package gives its public names."""
    for name in names:
        parent, _, last = name.rpartition(".")
        try:
            thing = import_module(name)
        except ModuleNotFoundError:
            thing = getattr(import_module(parent), last)
        public = getattr(thing, "__all__", None)
        if inspect.ismodule(thing) and public:
            parts = {part: getattr(thing, part) for part in sorted(public)}
            yield from (
                (f"{name}.{part}", value)
                for part, value in parts.items()
                if not inspect.ismodule(value)
            )
        else:
            yield name, thing


def targets():
    """A name as docstrings say it (`Vocab`, `minibert.text.Vocab`) -> where it is documented."""
    found = {}
    for _, _, names in GROUPS.values():
        for name, thing in entries(names):
            last = name.rpartition(".")[2]
            found[name] = found[last] = name
            if inspect.ismodule(thing):
                members = {f"{name}.{member}" for member in _public(thing)}
                found |= {member: member for member in members}
            else:  # `minibert.training.fit` is `minibert.fit` here
                found[f"{getattr(thing, '__module__', '')}.{last}"] = name
    return found


def _public(module):
    """The names of what a module itself defines and explains."""
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == module.__name__
        if own and not name.startswith("_") and inspect.getdoc(thing):
            yield name


def directive(name, thing):
    """The directive of autodoc that documents one thing."""
    kind = "data"
    if inspect.ismodule(thing):
        kind = "module"
    elif inspect.isclass(thing):
        kind = "class"
    elif inspect.isroutine(thing):
        kind = "function"
    return f".. auto{kind}:: {name}\n" + ("   :no-value:\n" if kind == "data" else "")


def pages():
    """Path -> Markdown of every page of the reference, its front page included."""
    made = {}
    for page, (title, about, names) in GROUPS.items():
        parts = [f"# {title}", about]
        for name, thing in entries(names):
            if inspect.ismodule(thing):
                parts.append(f"## {name.removeprefix('minibert.')}")
            parts.append("```{eval-rst}\n" + directive(name, thing) + "```")
        made[f"api/{page}.md"] = "\n\n".join(parts) + "\n"
    lines = [f"- [{title}]({page}.md): {about}" for page, (title, about, _) in GROUPS.items()]
    toc = "```{toctree}\n:hidden:\n\n" + "\n".join(GROUPS) + "\n```"
    head = "# The library\n\n`import minibert as mb` is all that the chapters import. Names load "
    head += "when they are first used. What a name does is said by its docstring, as here."
    made["api/index.md"] = "\n\n".join([head, "\n".join(lines), toc]) + "\n"
    return made
