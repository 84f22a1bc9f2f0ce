"""Taggers' scores by tag, and training curves; the page of the training dataset shows the same section."""

from pipelines.report.sections.taggers import ORDER, TITLE, render

__all__ = ["ORDER", "TITLE", "render"]
