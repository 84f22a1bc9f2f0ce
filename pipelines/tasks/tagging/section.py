"""The taggers tag by tag, and their training curves: the section that the training dataset's page has too."""

from pipelines.report.sections.taggers import ORDER, TITLE, render

__all__ = ["ORDER", "TITLE", "render"]
