"""Stem by stem: each run between its floors and ceilings by every definition of SDR, curves of training, guards, and excerpts."""

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.report import charts, pictures
from pipelines.tasks.separation.section import listening

TITLE, ORDER = "Stem by stem", 10
GUARD = "guards: "
TEMPLATE = """<div class="separation">
{% from "macros.html.j2" import mark, num, export, hear %}
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
  <div class="curves">{% if part.curve %}<figure>{{ part.curve }}</figure>{% endif %}
    {% if part.validation %}<figure>{{ part.validation }}</figure>{% endif %}</div>
  <p class="caption">Training loss by step, and SDR of the validation clips (median over clips, mean over stems), of the first
    training.</p>
  <p class="marks">{{ mark(part.source) }}</p>
  <p class="heading">Guards {{ mark(part.source) }}</p>
  <ul class="plain">
{% for guard, (passed, said) in part.guards.items() %}
    <li>{{ {true: "✓", false: "✗", none: "?"}[passed] }} {{ guard }}: {{ said }}</li>
{% endfor %}
  </ul>
{% for one in part.excerpts %}
  <p class="heading">{{ one.title }} {{ mark(part.source) }}</p>
  <p class="sub">{{ hear(one.mixture.number, "mixture") }}<br>
    <img src="{{ one.mixture.src }}" alt="" width="240" height="100"></p>
  <div class="scroll"><table class="figures" data-table="excerpts">
    <thead><tr><th>stem</th>{% for way in ways %}<th>{{ way }}</th>{% endfor %}</tr></thead>
    <tbody>
{% for stem, cells in one.rows %}
    <tr><th>{{ stem }}</th>{% for cell in cells %}<td>{{ hear(cell.number, stem) }}<br>
      <img src="{{ cell.src }}" alt="spectrogram of {{ stem }}, {{ ways[loop.index0] }}" width="240" height="100"></td>
    {% endfor %}</tr>
{% endfor %}
    </tbody>
  </table></div>
  <p class="caption">The middle of the clip; pictures from 0 to {{ highest }} Hz, down to {{ range_db }} dB below the loudest of
    the mixture. The ideal mask is that of amplitude.</p>
{% endfor %}
</div>
{% endfor %}
</div>
</div>
"""


def render(context):
    """None where no run has been scored."""
    parts = [_part(context, name, found) for name, found in context.details().items()]
    shown = {"ways": listening.WAYS, "highest": listening.HIGHEST_HZ, "range_db": pictures.RANGE_DB}
    return context.fill(TEMPLATE, parts=parts, **shown) if parts else None


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
    checks = read_json(paths.scores(name) / "checks.json")
    return {
        "name": name,
        "stems": found["stems"],
        "tables": tables,
        "silent": found["silent"],
        "curve": _curve(name, found["history"], "loss"),
        "validation": _curve(name, found["validation_sdr"], "SDR, dB"),
        "guards": {key.removeprefix(GUARD): check for key, check in checks.items() if key.startswith(GUARD)},
        "excerpts": listening.excerpts(context, name, found),
        "source": context.lineage.mark(paths.scores(name)),
        "table": {
            "columns": ["definition", "estimate", *columns],
            "rows": [[table["name"], *row] for table in tables for row in table["rows"]],
        },
    }


def _curve(name, points, what):
    """`points`: (step, value); "" for none."""
    steps, values = zip(*points, strict=True) if points else ((), ())
    line = {"name": name, "colour": 0, "x": list(steps), "y": list(values), "mark": None}
    return charts.lines([line], "step", what, f"{what} by step of {name}")
