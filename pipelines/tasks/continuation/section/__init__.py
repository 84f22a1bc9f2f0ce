"""Each kind of other window beside the continuations: ROC-AUC with intervals, ROC curves, guards, and pairs to hear."""

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.report import charts, voices
from pipelines.tasks.continuation import NAMES

TITLE, ORDER = "By kind of other window", 10
GUARD = "guards: "
COUNTS = ("continuations", "called so", "others", "called continuations")
TEMPLATE = """<div class="continuation">
{% from "macros.html.j2" import mark, num, pct, interval, axis, export, hear %}
<p class="lead">{{ best.name }} tells continuations best: its ROC-AUC is
{% for kind, name in names.items() %}
  {{ num(best.scores[kind].value) }} against {{ name }}{{ ", " if not loop.last else "." }}
{% endfor %}
  Asked which of {{ best.rounds }} windows, one a work, continues A, it is right for {{ pct(best.retrieved.value) }} of the A; by
  one-to-one matching, which uses that each window continues exactly one A, for {{ pct(best.matched.value) }}.</p>
<figure>
  <figcaption><b>ROC-AUC by kind of other window</b>
    <span class="quiet">the probability that a continuation gets a higher score than another window</span></figcaption>
  <div class="dots tags">
{% for kind, name in names.items() %}
    <span class="name">{{ name }}</span>
    <span class="track"><i class="ref" style="left:50%"></i>
{%- for part in parts %}{% set found = part.scores[kind] %}
<i class="dot c{{ loop.index0 % 8 }}" style="left:{{ percent(found.value) }}"
  title="{{ part.name }}: {{ num(found.value) }}"></i>
{%- endfor %}</span>
    <span class="value"></span>
{% endfor %}
    {{ axis([(0, "0"), (25, "0.25"), (50, "0.5"), (75, "0.75"), (100, "1")], "ROC-AUC") }}
  </div>
  <p class="caption">
{%- for part in parts %}<span class="key"><i class="dot c{{ loop.index0 % 8 }}"></i> {{ part.name }}</span> {% endfor -%}
    <span class="key"><i class="ref-key"></i> chance</span></p>
  <p class="marks">{% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
</figure>
<p class="heading">ROC-AUC and 95% interval {% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
<div class="scroll"><table class="figures" data-table="kinds">
  <thead><tr><th>run</th>{% for name in names.values() %}<th>{{ name }}</th><th>95% interval</th>{% endfor %}</tr></thead>
  <tbody>
{% for part in parts %}
  <tr><th>{{ part.name }}</th>{% for kind in names %}<td>{{ num(part.scores[kind].value) }}</td>
    <td>{{ interval(part.scores[kind].ci95) }}</td>{% endfor %}</tr>
{% endfor %}
  </tbody>
</table></div>
<p class="caption">Intervals are over groups (works) of A. With balanced negatives every window is once the continuation and once
  of each other kind, so that B alone tells nothing, and a window of another piece has the same place in its piece.
  “{{ names.other_piece_in_key }}” is the window of “{{ names.other_piece }}”, transposed.</p>
{{ export("kinds", table) }}

<h3>ROC curves</h3>
<div class="curves">{% for name, curve in curves %}<figure><figcaption>{{ name }}</figcaption>{{ curve }}</figure>
{%- endfor %}</div>
<p class="caption">Of the first training.
{%- for part in parts %} <span class="key"><i class="dot c{{ loop.index0 % 8 }}"></i> {{ part.name }}</span>{% endfor %}
  <span class="key"><i class="dot c-1"></i> chance</span></p>
<p class="marks">{% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>

<h3>Each run</h3>
<div class="tabs" data-label="run">
{% for part in parts %}
<div class="pane" data-tab="{{ part.name }}">
  {% if parts|length > 1 %}<h4>{{ part.name }}</h4>{% endif %}
  <p class="heading">Pairs called continuations, at the threshold that is best on the validation pairs {{ mark(part.source) }}</p>
  <div class="scroll"><table class="figures" data-table="counts">
    <thead><tr><th>kind</th>{% for name in counts %}<th>{{ name }}</th>{% endfor %}</tr></thead>
    <tbody>
{% for kind, name in names.items() %}
    <tr><th>{{ name }}</th>{% for count in counts %}<td>{{ part.kinds[kind].counts[count] }}</td>{% endfor %}</tr>
{% endfor %}
    </tbody>
  </table></div>
  <p class="heading">Guards {{ mark(part.source) }}</p>
  <ul class="plain">
{% for guard, (passed, said) in part.guards.items() %}
    <li>{{ {true: "✓", false: "✗", none: "?"}[passed] }} {{ guard }}: {{ said }}</li>
{% endfor %}
  </ul>
{% if part.drawn %}
  <figure>{{ part.drawn }}
    <p class="caption">Losses while it was trained: of the batches since the last point, and of the validation pairs
      {%- if part.model == "siamese" %} (1 − ROC-AUC){% endif %}.</p>
    <p class="marks">{{ mark(part.source) }}</p>
  </figure>
{% endif %}
{% for one in part.examples %}
  <p class="sub">{{ one.title }}{% if one.sound is not none %} {{ hear(one.sound, "play it") }}{% endif %}<br>
    <span class="quiet">A: {{ one.a }}. B: {{ one.b }}{{ one.moved }}.</span></p>
{% if one.roll %}
  <div class="picture roll">
    <div class="y">{% for label, place in one.roll.ticks %}<i style="bottom:{{ place }}">{{ label }}</i>{% endfor %}</div>
    <div class="plot">{{ one.roll.svg }}
      <i style="position:absolute;top:0;bottom:0;left:50%;border-left:2px dashed var(--quiet)"></i></div>
  </div>
{% endif %}
{% endfor %}
  <p class="caption">A, then B after the line; a colour a voice. {{ part.left_out }}
    <span class="marks">{{ mark(part.source) }}</span></p>
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
    return context.fill(
        TEMPLATE,
        parts=parts,
        best=max(parts, key=lambda part: part["lead"]),
        names=NAMES,
        counts=COUNTS,
        curves=[(name, _curve(parts, kind, name)) for kind, name in NAMES.items()],
        table=_table(parts),
    )


def _part(context, name, found):
    scores, folder = context.task.scores[name], paths.scores(name)
    guards = {key: one for key, one in read_json(folder / "checks.json").items() if key.startswith(GUARD)}
    return found | {
        "name": name,
        "lead": scores["roc_auc"]["value"],
        "scores": {kind: scores[f"roc_auc_{kind}"] for kind in NAMES},
        "retrieved": scores["retrieved"],
        "matched": scores["matched_transductive"],
        "rounds": round(1 / scores["retrieved"]["chance"]),
        "guards": {key.removeprefix(GUARD): one for key, one in guards.items()},
        "drawn": _losses(found["curve"], name),
        "left_out": _left_out(found),
        "examples": [_example(context, name, number, one) for number, one in enumerate(found["examples"])],
        "source": context.lineage.mark(folder),
    }


def _example(context, run, number, one):
    heard = "a continuation" if one["kind"] not in NAMES else f"from {NAMES[one['kind']]}"
    title = ("The continuation with the highest score", "The continuation with the lowest score")[number : number + 1]
    title = title[0] if title else f"The highest score of windows {heard}"
    said = "called a continuation" if one["said"] else "not called a continuation"
    return one | {
        "title": f"{title}, {said}",
        "moved": f", {one['shift']:+d} semitones".replace("-", "−") if one["shift"] else "",
        "roll": voices.roll(one["notes"], 0, one["steps"]),
        "sound": voices.hear(context, f"{run}, {heard}", one["notes"], 0, one["steps"]),
    }


def _left_out(found):
    told = [f"{n} pieces {why}" for why, n in found["left_out"].items()]
    if found["without"]:
        told.append(f"{found['without']} test pieces have too few different windows")
    return f"Left out: {'; '.join(told)}." if told else ""


def _curve(parts, kind, name):
    series = [
        {
            "name": part["name"],
            "colour": n % 8,
            "x": part["kinds"][kind]["false"],
            "y": part["kinds"][kind]["true"],
            "mark": None,
        }
        for n, part in enumerate(parts)
    ]
    series.append({"name": "chance", "colour": -1, "x": [0, 1], "y": [0, 1], "mark": None})
    return charts.lines(series, "share of other windows", "share of continuations", f"ROC curves, {name}")


def _losses(curve, name):
    if not curve:
        return ""
    updates, train, validation = zip(*curve, strict=True)
    series = [
        {"name": "training", "colour": 1, "x": updates, "y": train, "mark": None},
        {"name": "validation", "colour": 0, "x": updates, "y": validation, "mark": None},
    ]
    return charts.lines(series, "updates", "loss", f"losses of {name} by update")


def _table(parts):
    columns, rows = ["run", "kind", "roc_auc", "low", "high"], []
    for part in parts:
        for kind in NAMES:
            found = part["scores"][kind]
            rows.append([part["name"], kind, found["value"], *(found["ci95"] or (None, None))])
    return {"columns": columns, "rows": rows}
