"""Stem by stem: each run between its floors and ceilings by every definition of SDR, and the loss by step."""

from pipelines.core import paths
from pipelines.report import charts

TITLE, ORDER = "Stem by stem", 10
TEMPLATE = """<div class="separation">
{% from "macros.html.j2" import mark, num, export %}
<div class="tabs" data-label="run">
{% for part in parts %}
<div class="pane" data-tab="{{ part.name }}">
  {% if parts|length > 1 %}<h4>{{ part.name }}</h4>{% endif %}
  <p class="sub">Medians over the test clips in dB. The mixture itself, and divided by the number of stems, are floors; ideal
    masks, which know the stems, are ceilings of what a mask can reach. Figures of different definitions cannot be compared.</p>
  {% for table in part.tables %}
  <p class="heading">{{ table.name }}: {{ table.definition }} {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures" data-table="{{ table.name }}">
    <thead><tr><th>estimate</th>{% for stem in part.stems %}<th>{{ stem }}</th>{% endfor %}<th>mean</th></tr></thead>
    <tbody>
{% for row in table.rows %}
    <tr><th>{{ row[0] }}</th>{% for value in row[1:] %}<td>{{ num(value, 2) }}</td>{% endfor %}</tr>
{% endfor %}
    </tbody>
  </table></div>
  {% endfor %}
  {{ export("separation-%s"|format(part.name), part.table) }}
  {% if part.silent.n %}
  <p class="sub">{{ part.silent.n }} stems are silent throughout a test clip and have no SDR; their estimates are
    {{ num(part.silent.median_level_db, 1) }} dB beside the mixture (median). {{ mark(part.source) }}</p>
  {% endif %}
  <figure>{{ part.curve }}
    <p class="caption">Training loss by step, of the first training.</p>
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
    columns = [*found["stems"], "mean"]
    tables = [
        {
            "name": key,
            "definition": definition,
            "rows": [[answer, *(values[one][key] for one in columns)] for answer, values in found["table"].items()],
        }
        for key, definition in found["definitions"].items()
    ]
    steps, losses = zip(*found["history"], strict=True)
    line = {"name": name, "colour": 0, "x": list(steps), "y": list(losses), "mark": None}
    return {
        "name": name,
        "stems": found["stems"],
        "tables": tables,
        "silent": found["silent"],
        "curve": charts.lines([line], "step", "loss", f"training loss by step of {name}"),
        "source": context.lineage.mark(paths.scores(name)),
        "table": {
            "columns": ["definition", "estimate", *columns],
            "rows": [[table["name"], *row] for table in tables for row in table["rows"]],
        },
    }
