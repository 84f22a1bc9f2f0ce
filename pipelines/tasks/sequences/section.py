"""Losses of all sides in one unit, what generated pieces copy beside people's pieces, their statistics, and piano rolls."""

import numpy as np
import pandas as pd

from pipelines.core.files import read_json
from pipelines.report import charts, pictures, players
from pipelines.symbolic import render as sounds

TITLE, ORDER = "Likelihood, originality, and generated pieces", 10
STEP_S = 0.1875  # of what is drawn and played: 80 quarters a minute
SHOWN_S = 8 * 16 * STEP_S
SAMPLE_RATE, LEVEL_DBFS, ORGAN = 16_000, -20.0, 19  # a church organ, in General MIDI
GRAMS = (8, 16, 24)
STATISTICS = {
    "polyphony": "pitches at once",
    "onsets_per_bar": "notes a bar",
    "pitch_class_entropy": "pitch classes, bits",
    "distinct": "distinct pieces",
}
TEMPLATE = """<div class="sequences">
{% from "macros.html.j2" import mark, num, pct, interval, export, hear %}
<p class="lead">{{ best.name }} has the lowest test loss, {{ num(best.test) }} nats a step: the four voices of a 16th together,
given all steps before.
{% if ngram and ngram.test > best.test %}
  The best n-gram model, {{ ngram.name }}, needs {{ num(ngram.test) }}.
{% endif %}
{% if copier %}
  {{ copier.name }} shares longer runs with the training pieces than people’s held-out pieces do: it copies.
{% else %}
  No model shares longer runs with the training pieces than people’s held-out pieces do.
{% endif %}
</p>
<p class="heading">Nats a step, four voices together; lower is better
{% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
<div class="scroll"><table class="figures" data-table="losses">
  <thead><tr><th>run</th><th>model</th><th>training</th><th>validation</th><th>test</th><th>95% interval</th>
    <th>test, a cell</th></tr></thead>
  <tbody>
{% for part in parts %}
  <tr><th>{{ part.name }}</th><td>{{ part.model }}</td><td>{{ num(part.losses.train.nats_per_step) }}</td>
    <td>{{ num(part.losses.validation.nats_per_step) }}</td><td>{{ num(part.test) }}</td><td>{{ interval(part.ci95) }}</td>
    <td>{{ num(part.losses.test.nats_per_cell) }}</td></tr>
{% endfor %}
  </tbody>
</table></div>
<p class="caption">Intervals are over groups (works), of one training. A cell is one voice at one step: a quarter of a step. The
  gap between training and test loss says how much of its training pieces a model remembers.</p>
{{ export("losses", losses) }}

<p class="heading">What is shared with the training pieces {% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
<div class="scroll"><table class="figures" data-table="originality">
  <thead><tr><th>pieces</th><th>longest shared run, notes</th><th>95% interval</th><th>longest of all</th>
{% for n in grams %}
    <th>{{ n }}-grams that are new</th>
{% endfor %}
  </tr></thead>
  <tbody>
{% for row in rows %}
  <tr><th>{{ row.name }}</th><td>{{ num(row.longest.mean, 1) }}</td><td>{{ interval(row.longest.ci95, 1) }}</td>
    <td>{{ row.longest.most }}</td>
{% for n in grams %}
    {% set absent = row["absent_%d"|format(n)].mean %}
    <td>{% if absent is none %}–{% else %}{{ pct(absent) }}{% endif %}</td>
{% endfor %}
  </tr>
{% endfor %}
  </tbody>
</table></div>
<p class="caption">Notes as (interval, length) in each voice, so that a copy in another key is found. People’s pieces are the
  held-out ones, cut to the length of the generated ones: works of one style share much, and only what goes beyond that is copying
  (Yin et al. 2021).</p>
{{ export("originality", shared) }}

<p class="heading">What a model gives back of a piece whose beginning it is given
{% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
<div class="scroll"><table class="figures" data-table="extraction">
  <thead><tr><th>run</th><th>of training pieces</th><th>95% interval</th><th>of held-out pieces</th><th>95% interval</th>
  </tr></thead>
  <tbody>
{% for part in parts %}
  <tr><th>{{ part.name }}</th>
{% for found in (part.extraction.training, part.extraction.held_out) %}
    <td>{{ num(found.cells) }}</td><td>{{ interval(found.ci95) }}</td>
{% endfor %}
  </tr>
{% endfor %}
  </tbody>
</table></div>
<p class="caption">The share of the cells of bars 3 and 4 that are the piece’s own when the model is given bars 1 and 2 and takes
  the likeliest cell each time, which is often a held one. Far more of training pieces than of held-out ones: the model remembers
  them.</p>

<p class="heading">Statistics {% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
<div class="scroll"><table class="figures" data-table="statistics">
  <thead><tr><th>pieces</th>{% for title in statistics.values() %}<th>{{ title }}</th>{% endfor %}</tr></thead>
  <tbody>
{% for name, found in measured %}
  <tr><th>{{ name }}</th>{% for key in statistics %}<td>{{ num(found[key], 2) }}</td>{% endfor %}</tr>
{% endfor %}
  </tbody>
</table></div>

<div class="tabs" data-label="run">
{% for part in parts %}
<div class="pane" data-tab="{{ part.name }}">
  {% if parts|length > 1 %}<h4>{{ part.name }}</h4>{% endif %}

  {% if part.drawn %}
  <figure>{{ part.drawn }}
    <p class="caption">Losses while it was trained, nats a step: of the excerpts since the last point, with dropout, and of the
      validation pieces.</p>
    <p class="marks">{{ mark(part.source) }}</p>
  </figure>
  {% endif %}
{% for title, roll in part.rolls if roll %}
  <p class="sub">{{ title }}{% if loop.first and part.sound is not none %} {{ hear(part.sound, "play it") }}{% endif %}</p>
  <div class="picture roll">
    <div class="y">{% for label, place in roll.ticks %}<i style="bottom:{{ place }}">{{ label }}</i>{% endfor %}</div>
    <div class="plot">{{ roll.svg }}</div>
  </div>
{% endfor %}
  <p class="caption">The first 8 bars; a colour a voice. More pieces:
    <code>conservatory generate {{ part.name }} -o piece.mid --wav piece.wav</code></p>
  <p class="marks">{{ mark(part.source) }}</p>
</div>
{% endfor %}
</div>
</div>
"""


def render(context):
    """None where no run has been scored."""
    parts = [_part(context, name) for name in context.task.scores]
    if not parts:
        return None
    best = min(parts, key=lambda part: part["test"])
    ngrams = [part for part in parts if part["kind"] == "kneser_ney"]
    rows = _rows(parts)
    copiers = [part for part in parts if _copies(part["originality"])]
    measured = [(part["name"], part["statistics"]["generated"]) for part in parts]
    measured += [
        (f"held-out pieces of {each['dataset']}", each["statistics"]["held_out"]) for each in _of_each_corpus(parts)
    ]
    return context.fill(
        TEMPLATE,
        parts=parts,
        best=best,
        ngram=min(ngrams, key=lambda part: part["test"], default=None),
        copier=max(copiers, key=lambda part: part["originality"]["generated"]["longest"]["mean"], default=None),
        rows=rows,
        grams=GRAMS,
        measured=measured,
        statistics=STATISTICS,
        losses=_losses(parts),
        shared=_shared(rows),
    )


def _losses(parts):
    """The table of losses, for export."""
    columns = ["run", "model", "training", "validation", "test", "low", "high", "test_per_cell"]
    rows = []
    for part in parts:
        train, validation = (part["losses"][side]["nats_per_step"] for side in ("train", "validation"))
        low, high = part["ci95"] or (None, None)
        cell = part["losses"]["test"]["nats_per_cell"]
        rows.append([part["name"], part["model"], train, validation, part["test"], low, high, cell])
    return {"columns": columns, "rows": rows}


def _shared(rows):
    """The table of what is shared with training, for export."""
    columns = ["pieces", "n", "longest", "low", "high", "most", *(f"absent_{n}" for n in GRAMS)]
    found = []
    for row in rows:
        low, high = row["longest"]["ci95"] or (None, None)
        absent = [row[f"absent_{n}"]["mean"] for n in GRAMS]
        found.append([row["name"], row["n"], row["longest"]["mean"], low, high, row["longest"]["most"], *absent])
    return {"columns": columns, "rows": found}


def _part(context, name):
    found, about = (read_json(f"data/scores/{name}/{file}.json") for file in ("details", "about"))
    lead, options, worst = context.task.scores[name]["nats_per_step"], found["options"], found["originality"]["worst"]
    told = {"kneser_ney": ("n",), "ngram_mlp": ("n", "preset"), "hmm": ("states",), "unigram": ()}.get(
        found["model"], ("preset",)
    )
    shown = [f"{key} {options[key]}" for key in told] + (
        [f"in keys up to {options['transpose']} away"] if options["transpose"] else []
    )
    copied = f"The one with the longest run shared with training: {worst['longest']} notes of {worst['title']}"
    return found | {
        "name": name,
        "dataset": about["dataset"],
        "kind": found["model"],
        "model": ", ".join([found["model"].replace("_", " "), *shown]),
        "test": lead["value"],
        "ci95": lead["ci95"],
        "rolls": [
            (title, _roll(found["rolls"][key]))
            for key, title in (("first", "The first generated piece"), ("worst", copied))
        ],
        "sound": _sound(context, name, found["rolls"]["first"]),
        "drawn": _curve(found["curve"]),
        "source": context.lineage.mark(f"data/scores/{name}"),
    }


def _curve(points):
    """Training and validation loss over updates; "" of a model without."""
    if not points:
        return ""
    updates, train, validation = zip(*points, strict=True)
    series = [
        {"name": "training", "colour": 1, "x": updates, "y": train, "mark": None},
        {"name": "validation", "colour": 0, "x": updates, "y": validation, "mark": None},
    ]
    return charts.lines(series, "updates", "nats a step", "losses by update")


def _of_each_corpus(parts):
    """The first run of each corpus: what it says of people's pieces is what the others say."""
    return {part["dataset"]: part for part in reversed(parts)}.values()


def _rows(parts):
    people = [
        {"name": f"people’s, held out, {part['dataset']}", **part["originality"]["people"]}
        for part in _of_each_corpus(parts)
    ]
    return people + [{"name": part["name"], **part["originality"]["generated"]} for part in parts]


def _copies(found):
    """Does the interval of the longest shared run lie above that of people's pieces?"""
    ours, theirs = (found[of]["longest"]["ci95"] for of in ("generated", "people"))
    return bool(ours and theirs and ours[0] > theirs[1])


def _roll(notes):
    """The first 8 bars, as the report draws notes."""
    return pictures.piano_roll(_table(notes), 0.0, SHOWN_S)


def _sound(context, name, notes):
    """The number of the player of the first 8 bars, None of a piece without notes."""
    table = _table(notes)
    table = table[table["onset_s"] < SHOWN_S]
    if table.empty:
        return None
    samples = sounds.mix(table.to_records(index=False), SAMPLE_RATE, SHOWN_S + 1.0, LEVEL_DBFS)
    return players.hear(context, f"{name}, generated", (samples * 32767).astype(np.int16), SAMPLE_RATE)


def _table(notes):
    table = pd.DataFrame(notes, columns=["voice", "pitch", "onset_s", "duration_s"]).assign(program=ORGAN, velocity=64)
    table[["onset_s", "duration_s"]] *= STEP_S
    return table
