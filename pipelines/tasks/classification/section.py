"""Class by class: the confusions of every run, the F1 of each class, and the calibration of the probabilities."""

from pipelines.core import paths
from pipelines.report import charts

TITLE, ORDER = "Class by class", 10
TEMPLATE = """<div class="classes">
{% from "macros.html.j2" import mark, num, pct, export %}
{% if leaky and honest %}
<p class="lead">A split that ignores groups makes a classifier look better than it is.
{% for part in leaky %}
  <b>{{ part.name }}</b> was scored on such a split: clips of one group stand on both sides, and its macro F1 of
  {{ num(part.lead.value) }} says how well it recognises what it was trained on.
{% endfor %}
  The other runs keep groups whole; their macro F1 says how well new material is recognised:
{% for part in honest %}
  {{ part.name }} {{ num(part.lead.value) }}{{ "," if not loop.last else "." }}
{% endfor %}
</p>
<p class="marks">{% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
{% endif %}
<div class="tabs" data-label="run">
{% for part in parts %}
<div class="pane" data-tab="{{ part.name }}">
  {% if parts|length > 1 %}<h4>{{ part.name }}</h4>{% endif %}

  <p class="sub">Model {{ part.model }}{{ ", " ~ part.parameters if part.parameters }}; {{ part.split }} split. Rows are a clip’s
    class, columns the predicted class; darker is a larger share of the row. Of several trainings this is the first.</p>
  <figure>
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
            title="{{ share }}% of {{ label }}">{{ count if count }}</td>
{% endfor %}
        </tr>
{% endfor %}
      </tbody>
    </table></div>
    <p class="marks">{{ mark(part.source) }}</p>
  </figure>

  <p class="heading">Each class {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures" data-table="classes">
    <thead><tr><th>class</th><th>clips</th><th>precision</th><th>recall</th><th>F1</th></tr></thead>
    <tbody>
{% for label, one in part.classes.items() %}
    <tr{% if one.support < thin %} class="thin"{% endif %}><th>{{ label }}</th><td>{{ one.support }}</td>
      <td>{{ num(one.precision) }}</td><td>{{ num(one.recall) }}</td>
      <td class="level" style="--s:{{ percent(one.f1) }}">{{ num(one.f1) }}</td></tr>
{% endfor %}
    </tbody>
  </table></div>
  {{ export("classes-%s"|format(part.name), part.table) }}

  {% if part.pairs %}
  <p class="heading">The most frequent confusions {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures" data-table="confusions">
    <thead><tr><th>class</th><th>predicted</th><th>clips</th><th>share of the class</th></tr></thead>
    <tbody>
{% for pair in part.pairs %}
    <tr><th>{{ pair.actual }}</th><td>{{ pair.predicted }}</td><td>{{ pair.clips }}</td><td>{{ pct(pair.share) }}</td></tr>
{% endfor %}
    </tbody>
  </table></div>
  {% endif %}

  <figure>{{ part.curve }}
    <p class="caption">Calibration: of the clips predicted with a probability of 0.8, 80% should be right (the diagonal). The
      expected calibration error is {{ num(part.error) }}.</p>
    <p class="marks">{{ mark(part.source) }}</p>
  </figure>
</div>
{% endfor %}
</div>
</div>
"""


def render(context):
    """None where no run has been scored."""
    parts = [_part(context, name, found) for name, found in context.details().items()]
    if not parts:
        return None
    leaky = [part for part in parts if part["split"] == "random"]
    return context.fill(TEMPLATE, parts=parts, leaky=leaky, honest=[part for part in parts if part not in leaky])


def _part(context, name, found):
    confusion, calibration = found["confusion"], found["calibration"]
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
        "split": found["split"],
        "model": found["model"],
        "parameters": _in_words(found["parameters"]),
        "lead": next(iter(context.task.scores[name].values())),
        "classes": found["per_class"],
        "labels": confusion["classes"],
        "rows": rows,
        "pairs": found["pairs"],
        "error": calibration["expected_error"],
        "curve": charts.lines(curve, "confidence", "accuracy", f"accuracy by confidence of {name}"),
        "source": context.lineage.mark(paths.scores(name)),
        "table": {
            "columns": ["class", "clips", "precision", "recall", "f1"],
            "rows": [
                [label, one["support"], one["precision"], one["recall"], one["f1"]]
                for label, one in found["per_class"].items()
            ],
        },
    }


def _in_words(parameters):
    """ "epochs 16, augment (mixup 0.4)": an empty table is left out."""
    told = {
        key: f"({_in_words(value)})" if isinstance(value, dict) else value
        for key, value in parameters.items()
        if value != {}
    }
    return ", ".join(f"{key} {value}" for key, value in told.items())
