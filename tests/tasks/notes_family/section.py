"""What the table of scores means."""

from markupsafe import Markup

TITLE = "How notes are classified"


def render(context):
    return Markup("<p>A support vector machine classifies each note by its pooled features.</p>")
