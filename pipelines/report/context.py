"""The input of a section of a page."""

from collections.abc import Callable
from dataclasses import dataclass, field

from markupsafe import Markup

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.report.lineage import Lineage
from pipelines.report.state import Dataset, State


@dataclass(frozen=True)
class Study:
    """The dataset of a page, and which of its clips the page plays.

    facts: as `provenance.dataset_facts` gives them. embeddings: names in the recipe's order.
    examples, queries, audible: rows of `dataset.clips` with pictures, with their neighbours, and with a player.
    """

    dataset: Dataset
    facts: dict
    embeddings: list[str]
    examples: list[int]
    queries: list[int]
    audible: list[int]


@dataclass(frozen=True)
class Task:
    """The family of tasks of a page, as reports/scores.json has it.

    scores: run -> metric -> `{"value", "ci95", "n", "n_groups", "chance", "baseline", "unit", "split", "higher_is_better"}`.
    differences: `{"a", "b", "metric", "value", "ci95", "n"}`, each of two runs on the same units. not_scored: run -> why it has
    no scores. crossed: the names of all cross tests of the recipe.
    """

    name: str
    scores: dict[str, dict[str, dict]]
    differences: list[dict]
    not_scored: dict[str, str]
    crossed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Context:
    """The project, and what the page is about: `study` on the page of a dataset, `task` on that of a family, else None.

    fill: a template's file and its values -> HTML (`templates.filler`); a section fills the one beside itself. played: (title,
    MP3 in base64) of what the sections of a family's page play (`players.hear`).
    """

    state: State
    lineage: Lineage
    fill: Callable[..., Markup]
    study: Study | None = None
    task: Task | None = None
    played: list[tuple[str, str]] = field(default_factory=list)

    def details(self) -> dict[str, dict]:
        """Run -> what its family's `score.details` wrote, of each scored run of the family."""
        return {name: read_json(paths.scores(name) / "details.json") for name in self.task.scores}
