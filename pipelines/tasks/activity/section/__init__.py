"""Class by class: F1 of frames, segments and events beside the class's share and the answer that it always plays."""

from pipelines.core import paths
from pipelines.report import charts

TITLE, ORDER = "Class by class", 10
COLUMNS = {
    "share": "share of test frames",
    "always_f1": "F1 if always active",
    "frame_f1": "F1 of frames",
    "segment_f1": "F1 of segments of 1 s",
    "event_f1": "F1 of events",
    "average_precision": "average precision",
    "threshold": "threshold",
}
TEMPLATE = """<div class="activity">
{% from "macros.html.j2" import mark, num, export %}
<div class="tabs" data-label="run">
{% for part in parts %}
<div class="pane" data-tab="{{ part.name }}">
  {% if parts|length > 1 %}<h4>{{ part.name }}</h4>{% endif %}
  <p class="sub">A class that plays in most frames gets a high F1 from any answer: compare with the F1 of the answer that it
    always plays. The average precision of random answers is the class's share. Of several trainings this is the first.
    Mean average precision {{ num(part.map) }}. {{ mark(part.source) }}</p>
  <p class="heading">Each class {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures" data-table="activity">
    <thead><tr><th>class</th>{% for name in part.columns %}<th>{{ name }}</th>{% endfor %}</tr></thead>
    <tbody>
{% for row in part.table.rows %}
    <tr><th>{{ row[0] }}</th>{% for value in row[1:] %}<td>{{ num(value) }}</td>{% endfor %}</tr>
{% endfor %}
    </tbody>
  </table></div>
  {{ export("activity-%s"|format(part.name), part.table) }}
  <figure>{{ part.curve }}
    <p class="caption">Training loss by epoch.</p>
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
    return context.fill(TEMPLATE, parts=parts) if parts else None


def _part(context, name, found):
    epochs = list(range(1, len(found["losses"]) + 1))
    line = {"name": name, "colour": 0, "x": epochs, "y": found["losses"], "mark": None}
    rows = [[label, *(one[key] for key in COLUMNS)] for label, one in found["per_class"].items()]
    return {
        "name": name,
        "columns": list(COLUMNS.values()),
        "map": found["map"],
        "source": context.lineage.mark(paths.scores(name)),
        "curve": charts.lines([line], "epoch", "loss", f"training loss by epoch of {name}"),
        "table": {"columns": ["class", *COLUMNS], "rows": rows},
    }
