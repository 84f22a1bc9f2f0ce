"""Tasks for worker processes, which import the module that a task stands in: this one imports nothing that takes time."""

import os
import signal


def end_this_process(_):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(task):
    raise ValueError(f"task {task}")


def power(task):
    return task[0] ** task[1]
