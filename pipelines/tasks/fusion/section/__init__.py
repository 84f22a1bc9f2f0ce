"""Each run alone beside the fusions of them, on the same clips, and what happens to clips that a run has no answer to."""

from pipelines.core import paths

TITLE, ORDER = "Each run alone, and together", 10
TEMPLATE = """<div class="fusion">
{% from "macros.html.j2" import mark, num, interval, signed, export %}
<p class="lead">A fusion is worth its effort where it is better than the best of its runs alone, on the same clips: the whole
  interval of the difference lies above zero. The runs’ own scores are of the clips that they answer.</p>
<div class="scroll"><table class="figures changes" data-table="fusion">
  <thead><tr><th>run alone</th><th>clips</th><th>without an answer</th><th>macro F1 alone</th><th>fused, same clips</th>
    <th>fused − alone</th></tr></thead>
  <tbody>
{% for part in parts %}{% for name, one in part.alone.items() %}
{% set ends = one.difference.ci95 %}
  <tr><th>{{ name|soft }}<small>in {{ part.name }}, {{ part.model }}</small></th><td>{{ one.n }}</td><td>{{ one.missing }}</td>
    <td>{{ num(one.value) }}<small>{{ interval(one.ci95) }}</small></td><td>{{ num(one.fused) }}</td>
    <td>{% if one.difference.value is none %}–{% else %}{{ signed(one.difference.value) }}{% endif %}
    {% if ends %}<small>[{{ signed(ends[0]) }}, {{ signed(ends[1]) }}]</small>{% endif %}</td></tr>
{% endfor %}{% endfor %}
  </tbody>
</table></div>
{{ export("fusion", table) }}
<p class="sub">Where a run has no answer to a clip (a song without words), mean and vote take the others alone, and stacking the
  run’s mean over the validation clips. Stacking was fitted on validation clips.</p>
<p class="marks">{% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
</div>
"""


def render(context):
    """None where no fusion has been scored."""
    parts = [
        {"name": name, "source": context.lineage.mark(paths.scores(name)), **found}
        for name, found in context.details().items()
    ]
    rows = [[part["name"], name, *_numbers(one)] for part in parts for name, one in part["alone"].items()]
    columns = ["fusion", "run", "clips", "missing", "alone", "alone low", "alone high", "fused"]
    columns += ["difference", "difference low", "difference high"]
    return context.fill(TEMPLATE, parts=parts, table={"columns": columns, "rows": rows}) if parts else None


def _numbers(one):
    difference, none = one["difference"], (None, None)
    own = [one["n"], one["missing"], one["value"], *(one["ci95"] or none), one["fused"]]
    return [*own, difference["value"], *(difference["ci95"] or none)]
