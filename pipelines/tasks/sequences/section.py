"""Losses of all sides in one unit, what generated pieces copy beside people's pieces, their statistics, and piano rolls."""

from pipelines.core.files import read_json
from pipelines.report import charts, comparison, four_parts

TITLE, ORDER = "Likelihood, originality, and generated pieces", 10
BAR = 16  # steps
SHOWN, BESIDE = 8 * BAR, 4 * BAR  # of the first piece; of a shared run at least, which begins a bar in
GRAMS = (8, 16, 24)
NEWEST = "comparison"  # a run that was scored before it existed is named, and not shown until it is scored again
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
{% if old %}
<p class="caption">Scored by an earlier version, not shown here until they are run again: {{ old|join(", ") }}.</p>
{% endif %}
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
{% if orders %}
<figure>{{ orders }}
  <p class="caption">Test loss by n of the n-grams, in cells: four are a step, so n = 5 reads the voice’s own last cell, n = 9 its
    last two. Where the line is flat, longer contexts tell nothing of unseen pieces.</p>
  <p class="marks">{% for part in parts if part.kind == "kneser_ney" %}{{ mark(part.source) }}{% endfor %}</p>
</figure>
{% endif %}

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
  <thead><tr><th>pieces</th>{% for title in statistics.values() %}<th>{{ title }}</th>{% endfor %}
    <th>overlap with people’s</th></tr></thead>
  <tbody>
{% for name, found, alike in measured %}
  <tr><th>{{ name }}</th>{% for key in statistics %}<td>{% if found %}{{ num(found[key], 2) }}{% endif %}</td>{% endfor %}
    <td>{{ num(alike, 2) }}</td></tr>
{% endfor %}
  </tbody>
</table></div>
<p class="caption">Overlap with people’s: how alike the pieces are to held-out ones, a mean over
  {{ parts[0].comparison.mean_overlap.n }} statistics, which each run’s table below has. Training pieces are people’s too, and are
  the most to be expected; random pieces, drawn cell by cell, are the least.</p>

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
{% for title, roll, sound in part.rolls if roll %}
  <p class="sub">{{ title }}{% if sound is not none %} {{ hear(sound, "play it") }}{% endif %}
    {% if loop.first %}<a href="{{ part.midi }}" download="{{ part.name }}.mid">MIDI file</a>{% endif %}</p>
  <div class="picture roll">
    <div class="y">{% for label, place in roll.ticks %}<i style="bottom:{{ place }}">{{ label }}</i>{% endfor %}</div>
    <div class="plot">{{ roll.svg }}</div>
  </div>
{% endfor %}
  <p class="caption">A colour a voice; of the first piece 8 bars, of the others those around the notes that they share, which
    have an outline. More pieces:
    <code>conservatory generate {{ part.name }} -o piece.mid --wav piece.wav</code></p>
  {{ part.compared }}
  <p class="marks">{{ mark(part.source) }}</p>
</div>
{% endfor %}
</div>
</div>
"""


def render(context):
    """None where no run has been scored."""
    details = context.details()
    parts = [_part(context, name, found) for name, found in details.items() if NEWEST in found]
    if not parts:
        return None
    best = min(parts, key=lambda part: part["test"])
    ngrams = [part for part in parts if part["kind"] == "kneser_ney"]
    rows = _rows(parts)
    copiers = [part for part in parts if _copies(part["originality"])]
    return context.fill(
        TEMPLATE,
        parts=parts,
        best=best,
        old=[name for name, found in details.items() if NEWEST not in found],
        ngram=min(ngrams, key=lambda part: part["test"], default=None),
        copier=max(copiers, key=lambda part: part["originality"]["generated"]["longest"]["mean"], default=None),
        rows=rows,
        grams=GRAMS,
        measured=_measured(parts),
        orders=_orders(parts),
        statistics=STATISTICS,
        losses=_losses(parts),
        shared=_shared(rows),
    )


def _measured(parts):
    """(pieces, their statistics or None, mean overlap with people's) of the runs, and of what they are read against."""
    found = [
        (part["name"], part["statistics"]["generated"], part["comparison"]["mean_overlap"]["generated"])
        for part in parts
    ]
    for each in _of_each_corpus(parts):
        corpus, alike = each["dataset"], each["comparison"]["mean_overlap"]
        found.append((f"held-out pieces of {corpus}", each["statistics"]["held_out"], None))
        found.append((f"training pieces of {corpus}", each["statistics"]["training"], alike["training"]))
        found.append((f"random pieces after {corpus}", None, alike["random"]))
    return found


def _orders(parts):
    """Test loss over n of n-gram models, a line for each corpus and whether other keys are read; "" where no line has two."""
    lines = {}
    for part in (part for part in parts if part["kind"] == "kneser_ney"):
        name = part["dataset"] + (", other keys too" if part["options"]["transpose"] else "")
        lines.setdefault(name, {})[part["options"]["n"]] = part["test"]
    series = [
        {"name": name, "colour": place, "x": sorted(found), "y": [found[n] for n in sorted(found)], "mark": None}
        for place, (name, found) in enumerate(lines.items())
        if len(found) > 1
    ]
    return charts.lines(series, "n, cells", "nats a step", "test loss by n")


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


def _part(context, name, found):
    about = read_json(f"data/scores/{name}/about.json")
    lead, options, worst = context.task.scores[name]["nats_per_step"], found["options"], found["originality"]["worst"]
    told = {"kneser_ney": ("n",), "ngram_mlp": ("n", "preset"), "hmm": ("states",), "unigram": ()}.get(
        found["model"], ("preset",)
    )
    shown = [f"{key} {options[key]}" for key in told] + (
        [f"in keys up to {options['transpose']} away"] if options["transpose"] else []
    )
    return found | {
        "name": name,
        "dataset": about["dataset"],
        "kind": found["model"],
        "model": ", ".join([found["model"].replace("_", " "), *shown]),
        "test": lead["value"],
        "ci95": lead["ci95"],
        "rolls": _rolls(context, name, found["rolls"], worst),
        "midi": four_parts.midi(found["rolls"]["first"]),
        "drawn": _curve(found["curve"]),
        "compared": comparison.render(context.fill, name, found["comparison"]),
        "source": context.lineage.mark(f"data/scores/{name}"),
    }


def _rolls(context, name, rolls, worst):
    """(title, piano roll, number of the player) of the first generated piece, and of the one that shares most with a training
    piece beside that piece, from a bar before the shared notes on."""
    title = "The first generated piece"
    found = [(title, *_shown(context, f"{name}, generated", rolls["first"], 0, SHOWN))]
    if worst["run"]:
        steps = min(SHOWN, max(BESIDE, worst["run"][2] - worst["run"][1] + 2 * BAR))
        copied = f"The one with the longest run shared with training, {worst['longest']} notes"
        for key, run, title in (
            ("worst", worst["run"], copied),
            ("source", worst["source"], f"Its source, {worst['title']}"),
        ):
            first = max(0, run[1] - BAR)
            found.append((title, *_shown(context, f"{name}, {key}", rolls[key], first, steps, run)))
    return found


def _shown(context, title, notes, first, steps, run=None):
    return four_parts.roll(notes, first, steps, run), four_parts.hear(context, title, notes, first, steps)


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
