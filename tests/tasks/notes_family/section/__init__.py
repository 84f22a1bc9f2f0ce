"""What the table of scores means."""

TITLE, ORDER = "How notes are classified", 10


def render(context):
    return context.fill(
        "<p>A support vector machine classifies each note; {{ n }} runs were scored.</p>", n=len(context.task.scores)
    )
