"""A prompt for a model that was tuned to answer: one turn of a conversation, in the form of ChatML.

Such a text is a row of messages. Each is ``<|im_start|>``, who speaks, a new line, what is said,
``<|im_end|>`` and a new line; the model writes the last one. SmolLM2's file says so in a template
(``tokenizer.chat_template``). It is not executed here: a test holds `one_turn` equal to it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minibert.text.bpe import BPE

BEGIN, END = "<|im_start|>", "<|im_end|>"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def one_turn(tokenizer: "BPE", text: str, system: str = SYSTEM) -> list[int]:
    """The ids of a prompt that asks for an answer to ``text``, for `minibert.GPT.generate`.

    The answer ends with ``<|im_end|>``. ``system``: what the model is told before; SmolLM2's own by
    default. Special tokens that are typed into the text are plain text. Raises ValueError for a
    tokenizer without the two tokens. ::

        model = mb.GPT.from_pretrained("smollm2-135m-instruct")
        prompt = mb.models.gpt.chat.one_turn(model.tokenizer, "What is the capital of France?")
        written = model.generate(prompt, 60, temperature=0)
        model.tokenizer.decode(written[len(prompt) :], skip_special_tokens=True)
    """
    if missing := [token for token in (BEGIN, END) if token not in tokenizer]:
        raise ValueError(f"this tokenizer has no {missing[0]}: its model was tuned in another form")
    begin, end, found = tokenizer.ids[BEGIN], tokenizer.ids[END], []
    for who, said in (("system", system), ("user", text)):
        message = tokenizer.encode(f"{who}\n{said}")
        found += [begin, *message, end, *tokenizer.encode("\n")]
    return [*found, begin, *tokenizer.encode("assistant\n")]
