"""How far a score carries, then of every run its confusions, to see and to hear, the F1 of each class, and the calibration of the
probabilities."""

from pathlib import Path

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.report import charts
from pipelines.tasks.classification.section import explanations, labels

TITLE, ORDER = "Class by class", 10
EACH = ("support", "precision", "recall", "f1", "average_precision", "roc_auc")
"""Of each class, in the table."""
TEMPLATE = """<div class="classes">
{% from "macros.html.j2" import mark, num, pct, export %}
{% if leaky %}
<p class="lead">A split that ignores groups makes a classifier look better than it is.
{% for part in leaky %}
  <b>{{ part.name }}</b> was scored on such a split: clips of one group stand on both sides, and its macro F1 of
  {{ num(part.lead.value) }} says how well it recognises what it was trained on.
{% for twin in part.twins %}
  With whole groups on each side the same model, {{ twin.name }}, reaches {{ num(twin.lead.value) }}.
{% endfor %}
{% endfor %}
</p>
<p class="marks">{% for part in leaky %}{{ mark(part.source) }}
{% for twin in part.twins %}{{ mark(twin.source) }}{% endfor %}
{% endfor %}</p>
{% endif %}
{% for ladder in ladders %}{{ ladder }}{% endfor %}
<div class="tabs" data-label="run">
{% for part in parts %}
<div class="pane" data-tab="{{ part.name }}">
  {% if parts|length > 1 %}<h4>{{ part.name }}</h4>{% endif %}

  <p class="sub">Model {{ part.model }}{{ ", " ~ part.parameters if part.parameters }}; {{ part.split }}. Rows are a clip’s
    class, columns the predicted class; darker is a larger share of the row. Of several trainings this is the first.</p>
  <div class="pair">
  <figure class="says">
    <div class="scroll"><table class="matrix">
      <thead><tr><td></td>
{% for label in part.labels %}
        <th scope="col" title="{{ label }}"><span>{{ label }}</span></th>
{% endfor %}
      </tr></thead>
      <tbody>
{% for label, cells in part.rows %}
{% set row = loop.index0 %}
        <tr><th scope="row" title="{{ label }}">{{ label }}</th>
{% for count, share in cells %}
          <td class="{{ "own" if loop.index0 == row }}{{ " deep" if share > 55 }}" style="--s:{{ share }}%"
            title="{{ label }} predicted as {{ part.labels[loop.index0] }}: {{ count }} clips, {{ share }}% of {{ label }}">
            {{- count if count -}}
          </td>
{% endfor %}
        </tr>
{% endfor %}
      </tbody>
    </table></div>
    <p class="caption"><output>Point at a cell to read it.</output></p>
    <p class="marks">{{ mark(part.source) }}</p>
  </figure>

  <div>
  <p class="heading">Each class {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures" data-table="classes">
    <thead><tr><th>class</th><th>clips</th><th>precision</th><th>recall</th><th>F1</th>
      <th>average precision</th><th>ROC-AUC</th></tr></thead>
    <tbody>
{% for label, one in part.classes.items() %}
    <tr{% if one.support < thin %} class="thin"{% endif %}><th>{{ label }}</th><td>{{ one.support }}</td>
      <td>{{ num(one.precision) }}</td><td>{{ num(one.recall) }}</td>
      <td class="level" style="--s:{{ percent(one.f1) }}">{{ num(one.f1) }}</td>
      <td>{{ num(one.get("average_precision")) }}</td><td>{{ num(one.get("roc_auc")) }}</td></tr>
{% endfor %}
    </tbody>
  </table></div>
  {{ export("classes-%s"|format(part.name), part.table) }}
  </div>
  </div>
  {{ part.explained }}
  {% if part.folds %}
  <p class="heading">Each fold {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures" data-table="folds">
    <thead><tr><th>fold</th><th>clips</th><th>groups</th><th>macro F1</th><th>accuracy</th>
      <th class="text">hyperparameters</th></tr></thead>
    <tbody>
{% for one in part.folds %}
    <tr><th>{{ loop.index }}</th><td>{{ one.clips }}</td><td>{{ one.groups }}</td><td>{{ num(one.macro_f1) }}</td>
      <td>{{ num(one.accuracy) }}</td><td class="text">{{ one.words }}</td></tr>
{% endfor %}
    </tbody>
  </table></div>
  <p class="caption">All scores of this run are those of the models of the folds. Each answers the groups that it was not fitted
    on, with hyperparameters chosen on its own training clips. The macro F1 of a fold is over the classes that it has. The saved
    model, with which <code>conservatory predict</code> answers, was fitted on all clips and has no score of its own.</p>
  {% endif %}

  <div class="pair">
  {% if part.pairs %}
  <div>
  <p class="heading">The most frequent confusions {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures" data-table="confusions">
    <thead><tr><th>class</th><th>predicted</th><th>clips</th><th>share of the class</th></tr></thead>
    <tbody>
{% for pair in part.pairs %}
    <tr><th>{{ pair.actual }}</th><td>{{ pair.predicted }}</td><td>{{ pair.clips }}</td><td>{{ pct(pair.share) }}</td></tr>
{% endfor %}
    </tbody>
  </table></div>
  </div>
  {% endif %}
  <figure>{{ part.curve }}
    <p class="caption">Calibration: of the clips predicted with a probability of 0.8, 80% should be right (the diagonal). The
      expected calibration error is {{ num(part.error) }}.</p>
    <p class="marks">{{ mark(part.source) }}</p>
  </figure>
  </div>
</div>
{% endfor %}
</div>
</div>
"""


def render(context):
    """None where no run has been scored."""
    numbers, details = {}, context.details()
    several = labels.render(context, {name: found for name, found in details.items() if "per_label" in found})
    parts = [_part(context, name, found, numbers) for name, found in details.items() if "per_label" not in found]
    if not parts:
        return several or None
    leaky = [part for part in parts if part["leaky"]]
    tests = context.state.settings.get("cross_tests") or {}
    own = [part for part in parts if part["name"] not in tests]
    for part in parts:
        same = [other | {"twins": []} for other in own if other["reading"] == part["reading"]]
        part["twins"] = [other for other in same if other["leaky"] != part["leaky"]]
    honest = [part for part in own if part not in leaky]
    ladders = [_ladder(context, part, parts) for part in honest]
    return context.fill(TEMPLATE, parts=parts, leaky=leaky, ladders=ladders) + several


def _ladder(context, part, parts):
    """A picture of an honest run's score between those of its leaky twins and of its tests on other datasets; "" without any."""
    tests = context.state.settings.get("cross_tests") or {}
    rows = [part | {"what": "other groups of the same dataset"}]
    for other in parts:
        if tests.get(other["name"], {}).get("run") == part["name"]:
            rows.append(other | {"what": f"another dataset, {other['dataset']}"})
    rows.sort(key=lambda row: -row["lead"]["value"])
    rows = [twin | {"what": "clips at random, so that groups stand on both sides"} for twin in part["twins"]] + rows
    ticks = [(25 * n, f"{n / 4:g}") for n in range(5)]
    return (
        context.fill(Path(__file__).with_name("ladder.html.j2"), part=part, rows=rows, ticks=ticks)
        if len(rows) > 1
        else ""
    )


def _part(context, name, found, numbers):
    confusion, calibration, source = found["confusion"], found["calibration"], context.lineage.mark(paths.scores(name))
    about = read_json(paths.scores(name) / "about.json")
    rows = [
        (label, [(count, charts.shade(count, sum(counts))) for count in counts])
        for label, counts in zip(confusion["classes"], confusion["counts"], strict=True)
    ]
    bins = calibration["bins"]
    curve = [
        {"name": "calibrated", "colour": 7, "x": [0, 1], "y": [0, 1], "mark": None},
        {
            "name": name,
            "colour": 0,
            "x": [one["confidence"] for one in bins],
            "y": [one["accuracy"] for one in bins],
            "mark": None,
        },
    ]
    return {
        "name": name,
        "leaky": found["split"] == "random",
        "split": _split(found),
        "folds": [one | {"words": _in_words(one["parameters"])} for one in found.get("folds", [])],
        "model": found["model"],
        "parameters": _in_words(found["parameters"]),
        "lead": next(iter(context.task.scores[name].values())),
        "classes": found["per_class"],
        "labels": confusion["classes"],
        "rows": rows,
        "pairs": found["pairs"],
        "error": calibration["expected_error"],
        "curve": charts.lines(curve, "confidence", "accuracy", f"accuracy by confidence of {name}"),
        "source": source,
        "explained": explanations.render(context, name, found, source, numbers),
        "dataset": about["dataset"],
        # what two runs share that differ in their split alone
        "reading": [about[key] for key in ("dataset", "model", "reads")] + [about["options"]["target"]],
        "table": {
            "columns": ["class", "clips", *EACH[1:]],
            "rows": [[label, *(one.get(key) for key in EACH)] for label, one in found["per_class"].items()],
        },
    }


def _split(found):
    folds = len(found.get("folds", []))
    return f"{folds} folds of whole groups" if folds else f"{found['split']} split"


def _in_words(parameters):
    """ "epochs 16, augment (mixup 0.4)": an empty table is left out."""
    told = {
        key: f"({_in_words(value)})" if isinstance(value, dict) else value
        for key, value in parameters.items()
        if value != {}
    }
    return ", ".join(f"{key} {value}" for key, value in told.items())
