"""The taggers tag by tag, and their training curves."""

from pipelines.core import paths, training_clips
from pipelines.report import charts
from pipelines.report.state import ordered

TITLE, ORDER = "The taggers", 10
CURVES = (
    ("loss", "training loss (BCE)", None),
    ("validation_roc_auc", "validation ROC-AUC", 0.5),
    ("validation_pr_auc", "validation PR-AUC", None),
)
"""Column of history.csv, what it is, and its chance level."""
TEMPLATE = """<div class="taggers">
{% from "macros.html.j2" import mark, num, interval, axis, export %}
<p class="lead">The taggers were trained to predict the tags of <b>{{ dataset }}</b>. The scores above are means over the
  {{ tags|length }} tags that some test clips have and others have not. Test clips were used neither in training nor to choose a
  checkpoint
  {%- if left_out != "nothing" %}, and classes left out of training ({{ left_out }}) are not among them{% endif %}.
{% if missing > 0 %}
  {{ missing }} more {{ "tag was" if missing == 1 else "tags were" }} learned but cannot be scored: none of the test clips has
  {{ "it" if missing == 1 else "them" }}, or all have.
{% endif %}
</p>
<figure>
  <figcaption><b>ROC-AUC of each tag</b>
    <span class="quiet">the probability that a clip with the tag gets a higher score than one without</span></figcaption>
  <div class="dots tags">
{% for tag in tags %}
{% set first = tag.scores|select|first %}
    <span class="name">{{ tag.name }}{% if first.support < thin %}<small>{{ first.support }} clips</small>{% endif %}</span>
    <span class="track"><i class="ref" style="left:50%"></i>
{%- for found in tag.scores %}{% if found %}
<i class="dot c{{ loop.index0 % 8 }}" style="left:{{ percent(found.roc_auc) }}"
  title="{{ names[loop.index0] }}: {{ num(found.roc_auc) }}"></i>
{%- endif %}{% endfor %}</span>
    <span class="value">
{%- for found in tag.scores %}
<span class="ink{{ loop.index0 % 8 }}">{{ num(found.roc_auc if found else none, 2) }}</span>{{ " " }}
{%- endfor %}</span>
{% endfor %}
    {{ axis([(0, "0"), (25, "0.25"), (50, "0.5"), (75, "0.75"), (100, "1")], "ROC-AUC of each tag") }}
  </div>
  <p class="caption">
{%- for name in names %}<span class="key"><i class="dot c{{ loop.index0 % 8 }}"></i> {{ name }}</span> {% endfor -%}
    <span class="key"><i class="ref-key"></i> chance</span></p>
  <p class="marks">{% for source in sources %}{{ mark(source) }}{% endfor %}</p>
</figure>
<details><summary>The exact figures of each tag</summary>
<p class="heading">Each tag {% for source in sources %}{{ mark(source) }}{% endfor %}</p>
<div class="scroll"><table class="figures" data-table="per-tag">
  <thead><tr><th>tag</th><th>clips with it</th>
{%- for name in names %}<th>{{ name }} ROC-AUC</th><th>{{ name }} PR-AUC</th>{% endfor %}</tr></thead>
  <tbody>
{% for tag in tags %}
  <tr><th>{{ tag.name }}</th><td>{{ (tag.scores|select|first).support }}</td>
{%- for found in tag.scores %}{% for key in ("roc_auc", "pr_auc") -%}
  <td>{{ num(found[key] if found else none) }}
{%- if found %} <span class="quiet">{{ interval(found[key ~ "_ci95"]) }}</span>{% endif %}</td>
{%- endfor %}{% endfor %}</tr>
{% endfor %}
  </tbody>
</table></div>
{{ export("tags", table) }}
</details>

<h3>Training</h3>
<div class="curves">{% for curve in curves %}<figure>{{ curve }}</figure>{% endfor %}</div>
<p class="caption">
{%- for name in names %}<span class="key"><i class="dot c{{ loop.index0 % 8 }}"></i> {{ name }}</span> {% endfor -%}
  <span class="key">○ the epoch that was kept, by validation</span></p>
<p class="marks">{% for source in sources %}{{ mark(source) }}{% endfor %}</p>
<div class="scroll"><table class="figures" data-table="trained">
  <thead><tr><th>tagger</th><th>reads</th><th>parameters</th><th><abbr title="1 is the published network">width</abbr></th>
    <th>epochs</th><th>kept</th><th>validation ROC-AUC</th><th>precision</th></tr></thead>
  <tbody>
{% for one in trained %}
  <tr><th>{{ one.name }}</th><td>{{ one.reads }}</td>
    <td>{{ "{:,}".format(one.figures.parameters) if one.figures.parameters is defined else "–" }}</td>
    <td>{{ one.width }}</td><td>{{ one.figures.get("epochs", "–") }}</td>
    <td>{{ one.figures.get("best epoch", "–") }}</td><td>{{ num(one.figures.get("validation ROC-AUC")) }}</td>
    <td>{{ one.figures.get("precision", "–") }}</td></tr>
{% endfor %}
  </tbody>
</table></div>
</div>
"""


def render(context):
    """None where no tagger has been scored; published ones have tags of their own and no scores."""
    names = ordered(context.state, context.task.scores)
    if not names:
        return None
    details = context.details()
    found = {name: details[name] for name in names}
    scores = {name: one["per_tag"] for name, one in found.items()}
    tags = sorted(
        {tag for per_tag in scores.values() for tag in per_tag},
        key=lambda tag: (-max(per_tag[tag]["roc_auc"] for per_tag in scores.values() if tag in per_tag), tag),
    )
    learned = {tag for one in found.values() for tag in one["config"]["tags"]}
    training = context.state.settings["training"]
    return context.fill(
        TEMPLATE,
        names=names,
        dataset=training["dataset"],
        left_out=training_clips.in_words(training.get("leave_out")),
        tags=[{"name": tag, "scores": [per_tag.get(tag) for per_tag in scores.values()]} for tag in tags],
        missing=len(learned - set(tags)),
        sources=[context.lineage.mark(paths.scores(name)) for name in names],
        trained=[{"name": name, **one["config"]} for name, one in found.items()],
        curves=_curves(found),
        table=_table(scores, tags),
    )


def _table(scores, tags):
    columns = ["tagger", "tag", "clips with it", "roc_auc", "roc_auc_low", "roc_auc_high"]
    columns += ["pr_auc", "pr_auc_low", "pr_auc_high"]
    rows = []
    for name, per_tag in scores.items():
        for tag in tags:
            if one := per_tag.get(tag):
                intervals = {key: one[f"{key}_ci95"] or (None, None) for key in ("roc_auc", "pr_auc")}
                numbers = [number for key, ends in intervals.items() for number in (one[key], *ends)]
                rows.append([name, tag, one["support"], *numbers])
    return {"columns": columns, "rows": rows}


def _curves(found):
    """A chart a quantity of history.csv, a line a tagger, a ring at the epoch that was kept."""
    drawn = []
    for key, label, floor in CURVES:
        series = [
            {
                "name": name,
                "colour": place,
                "x": one["history"]["epoch"],
                "y": one["history"][key],
                "mark": one["config"]["figures"].get("best epoch"),
            }
            for place, (name, one) in enumerate(found.items())
            if key in one["history"]
        ]
        drawn.append(charts.lines(series, "epoch", label, f"{label} by epoch of {', '.join(found)}", floor))
    return drawn
