"""``minibert finetune MODEL --task NAME --out DIR``: a pre-trained model on a task."""

from minibert.commands.recipes import add_models, module_of, settled

MODELS = {  # name -> what it does
    "awd-lstm": "the three stages of ULMFiT on labelled texts, beside training from scratch",
    "bert": "one new layer for texts, pairs, names or answers, beside features and from scratch",
}


def add_arguments(parser):
    """Add the models, each with its options, to an argparse parser."""
    add_models(parser, __name__, MODELS)


def run(args):
    """Fine-tune as the arguments say; returns the exit status."""
    args = settled(args, __name__)
    if args.task is None:
        raise ValueError("say what to learn: give --task NAME, or a --recipe")
    if args.out.joinpath("results.json").exists():
        raise ValueError(f"{args.out} holds results already: give --out another folder")
    args.out.mkdir(parents=True, exist_ok=True)
    module_of(__name__, args.model).finetune(args)
    return 0
