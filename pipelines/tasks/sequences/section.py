"""Losses, originality and generated pieces of the runs."""

TITLE, ORDER = "Likelihood, originality, and generated pieces", 10


def render(context):
    return None
