"""Tasks: labelled data sets made from the world, with the truth known.

``task("ner", seed=0)`` gives ``.train .valid .test`` (lists of Examples), ``.metric`` and
``.labels``; ``tasks()`` lists what there is. A task is a function ``make(name, split, seed)`` in
one of the modules below; documents of different splits, tasks and seeds never share their draws.
"""

from minibert.world.tasksets.base import TASKS, Example, Task, task, tasks

__all__ = ["TASKS", "Example", "Task", "task", "tasks"]
