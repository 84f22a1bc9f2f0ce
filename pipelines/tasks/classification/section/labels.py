"""Runs with several labels a clip, label by label: average precision beside the label's share, F1, and its threshold."""

from markupsafe import Markup

from pipelines.core import paths
from pipelines.report.context import Context

COLUMNS = {
    "support": "clips",
    "prior": "share in training",
    "threshold": "threshold",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "average precision",
    "roc_auc": "ROC-AUC",
}
"""Key of `per_label` -> heading."""
INTERVALS = ("f1", "average_precision", "roc_auc")
TEMPLATE = """<div class="labels">
{% from "macros.html.j2" import mark, num, interval, whisker, axis, export %}
<h3>Several labels a clip</h3>
<div class="tabs" data-label="run">
{% for part in parts %}
<div class="pane" data-tab="{{ part.name }}">
  {% if parts|length > 1 %}<h4>{{ part.name }}</h4>{% endif %}

  <p class="sub">Model {{ part.model }}{{ ", " ~ part.parameters if part.parameters }}; {{ part.split }} split;
    {{ part.n }} test clips{{ ", %d of them without any label"|format(part.without) if part.without }}. A clip gets a label
    where its score is at least the label’s threshold, which was chosen on validation clips. The answer that every clip has
    “{{ part.most }}” and no other label has a macro F1 of {{ num(part.most_frequent.macro_f1) }} and a micro F1 of
    {{ num(part.most_frequent.micro_f1) }}. Of several trainings this is the first.</p>
  <figure>
    <figcaption><b>Average precision of each label</b>
      <span class="quiet">random scores get the label’s share of the test clips</span></figcaption>
    <div class="dots tags">
{% for label, one in part.ranked %}
      <span class="name">{{ label }}{% if one.support < thin %}<small>{{ one.support }} clips</small>{% endif %}</span>
      {{- whisker(one.average_precision, one.average_precision_ci95, one.support / part.n, "tagger") }}
      <span class="value">{{ num(one.average_precision, 2) }}</span>
{% endfor %}
      {{ axis([(0, "0"), (25, "0.25"), (50, "0.5"), (75, "0.75"), (100, "1")], "average precision") }}
    </div>
    <p class="caption"><span class="key"><i class="dot tagger"></i> {{ part.name }}</span>
      <span class="key"><i class="bar-key"></i> 95% interval</span>
      <span class="key"><i class="ref-key"></i> random scores</span></p>
    <p class="marks">{{ mark(part.source) }}</p>
  </figure>
  <p class="heading">Each label {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures changes" data-table="labels">
    <thead><tr><th>label</th>{% for heading in columns.values() %}<th>{{ heading }}</th>{% endfor %}</tr></thead>
    <tbody>
{% for label, one in part.per_label.items() %}
    <tr{% if one.support < thin %} class="thin"{% endif %}><th>{{ label }}</th>
{%- for key in columns %}
      <td>{% if key == "support" %}{{ one[key] }}{% else %}{{ num(one[key]) }}{% endif %}
{%- if key in intervals and one[key] is not none %}<small>{{ interval(one[key ~ "_ci95"]) }}</small>{% endif %}</td>
{%- endfor %}</tr>
{% endfor %}
    </tbody>
  </table></div>
  {{ export("labels-%s"|format(part.name), part.table) }}
</div>
{% endfor %}
</div>
</div>
"""


def render(context: Context, details: dict[str, dict]) -> Markup:
    """details: run -> what `multilabel_score.details` of classification wrote; nothing of none."""
    if not details:
        return Markup("")
    parts = [_part(context, name, found) for name, found in details.items()]
    return context.fill(TEMPLATE, parts=parts, columns=COLUMNS, intervals=INTERVALS)


def _part(context: Context, name: str, found: dict) -> dict:
    per_label = found["per_label"]
    scored = [(label, one) for label, one in per_label.items() if one["average_precision"] is not None]
    headings = [part for key in COLUMNS for part in ([key, f"{key} low", f"{key} high"] if key in INTERVALS else [key])]
    return {
        "name": name,
        "model": found["model"],
        "parameters": ", ".join(f"{key} {value}" for key, value in found["parameters"].items()),
        "split": found["split"],
        "n": found["n"],
        "without": found["without_labels"],
        "most": max(per_label, key=lambda label: per_label[label]["prior"]),
        "most_frequent": found["most_frequent"],
        "per_label": per_label,
        "ranked": sorted(scored, key=lambda pair: -pair[1]["average_precision"]),
        "source": context.lineage.mark(paths.scores(name)),
        "table": {"columns": ["label", *headings], "rows": [[label, *_row(one)] for label, one in per_label.items()]},
    }


def _row(one: dict) -> list:
    """The numbers of a label as the exported table has them."""
    return [
        number
        for key in COLUMNS
        for number in ([one[key], *(one[f"{key}_ci95"] or (None, None))] if key in INTERVALS else [one[key]])
    ]
