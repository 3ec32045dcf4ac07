"""``minibert finetune gpt``: a pre-trained GPT and one new layer on a task.

What is learned and compared is as in `minibert.commands.finetune.bert`. A text, or two with a
delimiter between them, is read between a start and an extract token, and the language model's loss
is added to that of the task (Radford et al. 2018, section 3).
"""

from functools import partial

from minibert.commands.finetune import bert
from minibert.models.gpt.model import GPT

add_arguments = partial(bert.add_arguments, model="gpt")
finetune = partial(bert.finetune, kind=GPT)
