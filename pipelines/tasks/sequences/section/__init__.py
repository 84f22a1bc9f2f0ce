"""Losses of all sides in one unit, what generated pieces copy beside people's pieces, their statistics, and piano rolls."""

import functools
from pathlib import Path

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.report import charts, voices
from pipelines.tasks.sequences.section import comparison, contexts, copies, latent, losses

TITLE, ORDER = "Likelihood, originality, and generated pieces", 10
BAR = 16  # steps
SHOWN, BESIDE = 8 * BAR, 4 * BAR  # of the first piece; of a shared run at least, which begins a bar in
NEWEST = "voices"  # a run that was scored before it existed is named, and not shown until it is scored again
STATISTICS = {
    "polyphony": "pitches at once",
    "onsets_per_bar": "notes a bar",
    "pitch_class_entropy": "pitch classes, bits",
    "distinct": "distinct pieces",
}
TOLD = {
    "kneser_ney": ("n",),
    "ngram_mlp": ("n", "preset"),
    "ngram_cnn": ("n", "preset"),
    "hmm": ("states",),
    "unigram": (),
}
LEADS = {"exact": "nats_per_step", "bound": "bound_per_step"}
CURVES = {
    "exact": (
        "nats a step",
        "Losses while it was trained: of excerpts since the last point, with dropout, and of validation pieces.",
    ),
    "bound": (
        "bound on nats a step",
        "Bounds while it was trained: of excerpts since the last point, with dropout and free bits, and of validation pieces.",
    ),
    "none": (
        "critic’s distance",
        "The critic’s estimate of the Wasserstein distance from generated windows to training and to validation windows. It "
        "has no unit, and a stronger critic sees a greater distance: it is no loss.",
    ),
}
TEMPLATE = """<div class="sequences">
{% from "macros.html.j2" import mark, num, interval, hear %}
<p class="lead">
{% for best, ngram in best_of_corpora %}
  {{ best.name }} has the lowest test loss of {{ best.dataset }}, {{ num(best.test) }} nats a step:
  {{ "the voices of a 16th together" if best.voices > 1 else "the melody’s 16th" }}, given all steps before.
{% if ngram and ngram.test > best.test %}
  The best n-gram model, {{ ngram.name }}, needs {{ num(ngram.test) }}.
{% endif %}
{% else %}
  No run here has a loss in nats.
{% endfor %}
{% if copier %}
  {{ copier.name }} shares longer runs with the training pieces than people’s held-out pieces do: it copies.
{% else %}
  No model shares longer runs with the training pieces than people’s held-out pieces do.
{% endif %}
</p>
{% if old %}
<p class="caption">Scored by an earlier version, not shown here until they are run again: {{ old|join(", ") }}.</p>
{% endif %}
{{ losses }}
{% if orders %}
<figure>{{ orders }}
  <p class="caption">Test loss by n of the n-grams, in cells, a cell a voice: of four voices n = 5 reads the voice’s own last
    cell, n = 9 its last two. Where a line is flat, longer contexts tell nothing of unseen pieces. Lines of different corpora have
    different music and may have other numbers of voices: compare their shapes alone.</p>
  <p class="marks">{% for part in parts if part.kind == "kneser_ney" %}{{ mark(part.source) }}{% endfor %}</p>
</figure>
{% endif %}
{{ experiment }}

{{ copies }}

<p class="heading">Statistics {% for part in parts %}{{ mark(part.source) }}{% endfor %}</p>
<div class="scroll"><table class="figures" data-table="statistics">
  <thead><tr><th>pieces</th>{% for title in statistics.values() %}<th>{{ title }}</th>{% endfor %}
    <th>overlap with people’s</th><th>95% interval</th></tr></thead>
  <tbody>
{% for name, found, alike, alike_ci95 in measured %}
  <tr><th>{{ name }}</th>{% for key in statistics %}<td>{% if found %}{{ num(found[key], 2) }}{% endif %}</td>{% endfor %}
    <td>{{ num(alike, 2) }}</td><td>{{ interval(alike_ci95, 2) }}</td></tr>
{% endfor %}
  </tbody>
</table></div>
<p class="caption">Overlap with people’s: how alike the pieces are to held-out ones, a mean over
  {{ parts[0].comparison.mean_overlap.n }} statistics, which each run’s table below has. Training pieces are people’s too, and are
  the most to be expected; random pieces, drawn cell by cell, are the least. Intervals: people’s groups and the other pieces are
  drawn anew.</p>

<div class="tabs" data-label="run">
{% for part in parts %}
<div class="pane" data-tab="{{ part.name }}">
  {% if parts|length > 1 %}<h4>{{ part.name }}</h4>{% endif %}

  {% if part.drawn %}
  <figure>{{ part.drawn }}
    <p class="caption">{{ part.curve_caption }} <span class="key"><i class="dot c1"></i> training</span>
      <span class="key"><i class="dot c0"></i> validation</span></p>
    <p class="marks">{{ mark(part.source) }}</p>
  </figure>
  {% endif %}
{% for title, roll, sound in part.rolls if roll %}
  <p class="sub">{{ title }}{% if sound is not none %} {{ hear(sound, "play it") }}{% endif %}
    {% if loop.first %} <a href="{{ part.midi }}" download="{{ part.name }}.mid">MIDI file</a>{% endif %}</p>
  <div class="picture roll">
    <div class="y">{% for label, place in roll.ticks %}<i style="bottom:{{ place }}">{{ label }}</i>{% endfor %}</div>
    <div class="plot">{{ roll.svg }}</div>
  </div>
{% endfor %}
  <p class="caption">A colour a voice; of the first piece 8 bars, of the others those around the notes that they share, which
    have an outline. More pieces:
    <code>conservatory generate {{ part.name }} -o piece.mid --wav piece.wav</code></p>
  {{ part.latent_units }}
  {{ part.compared }}
  <p class="marks">{{ mark(part.source) }}</p>
</div>
{% endfor %}
</div>
</div>
"""


def render(context):
    """None where no run has been scored."""
    details = _details(context)
    parts = [_part(context, name, found) for name, found in details.items() if NEWEST in found]
    if not parts:
        return None
    ngrams = [part for part in parts if part["kind"] == "kneser_ney"]
    return context.fill(
        TEMPLATE,
        parts=parts,
        best_of_corpora=_best(parts),
        old=[name for name, found in details.items() if NEWEST not in found],
        copier=copies.copier(parts),
        copies=copies.render(context.fill, parts),
        measured=_measured(parts),
        orders=_orders(parts),
        statistics=STATISTICS,
        losses=losses.render(context.fill, parts),
        experiment=contexts.render(context.fill, ngrams, context.task.differences),
    )


def _best(parts):
    """Of each corpus (the run with the lowest loss in nats, the best n-gram run or None)."""
    found = {}
    for part in parts:
        if part["likelihood"] == "exact":
            found.setdefault(part["dataset"], []).append(part)
    lowest = functools.partial(min, key=lambda part: part["test"], default=None)
    return [(lowest(each), lowest([part for part in each if part["kind"] == "kneser_ney"])) for each in found.values()]


def _details(context):
    """Run -> its details; also of runs that have no score, since their models have no likelihood."""
    scored = read_json("reports/scores.json").get(context.task.name, {}) if Path("reports/scores.json").exists() else {}
    others = {name: paths.scores(name) / "details.json" for name in scored if name not in context.task.scores}
    return context.details() | {name: read_json(path) for name, path in others.items() if path.exists()}


def _measured(parts):
    """(pieces, their statistics or None, mean overlap with people's, its interval) of the runs, and of what they are read
    against."""

    def alike(part, of):
        overlap = part["comparison"]["mean_overlap"]
        return overlap[of], overlap["ci95"][of]

    found = [(part["name"], part["statistics"]["generated"], *alike(part, "generated")) for part in parts]
    for each in copies.of_each_corpus(parts):
        corpus = each["dataset"]
        found.append((f"held-out pieces of {corpus}", each["statistics"]["held_out"], None, None))
        found.append((f"training pieces of {corpus}", each["statistics"]["training"], *alike(each, "training")))
        found.append((f"random pieces after {corpus}", None, *alike(each, "random")))
    return found


def _orders(parts):
    """Test loss over n of n-gram models, a line for each corpus and whether other keys are read; "" where no line has two."""
    lines = {}
    for part in (part for part in parts if part["kind"] == "kneser_ney" and part["options"]["context"] == "all"):
        name = part["dataset"] + (", other keys too" if part["options"]["transpose"] else "")
        lines.setdefault(name, {})[part["options"]["n"]] = part["test"]
    series = [
        {"name": name, "colour": place, "x": sorted(found), "y": [found[n] for n in sorted(found)], "mark": None}
        for place, (name, found) in enumerate(lines.items())
        if len(found) > 1
    ]
    return charts.lines(series, "n, cells", "nats a step", "test loss by n")


def _part(context, name, found):
    about = read_json(paths.scores(name) / "about.json")
    options, worst, kind = found["options"], found["originality"]["worst"], found["likelihood"]
    scores = context.task.scores.get(name, {})
    lead = scores.get(LEADS.get(kind), {"value": None, "ci95": None})
    curve, caption = _curve(found["curve"], kind)
    return found | {
        "name": name,
        "dataset": about["dataset"],
        "kind": found["model"],
        "model": _model(found["model"], options, found["voices"]),
        "test": lead["value"],
        "ci95": lead["ci95"],
        "per_cell": scores.get("nats_per_cell"),
        "rolls": _rolls(context, name, found["rolls"], worst),
        "midi": voices.midi(found["rolls"]["first"]),
        "drawn": curve,
        "curve_caption": caption,
        "latent_units": latent.render(context, name, found["latent"]),
        "compared": comparison.render(context.fill, name, found["comparison"]),
        "source": context.lineage.mark(f"data/scores/{name}"),
    }


def _model(model, options, voices):
    """A model and those of its options that tell it from others, in words; n in cells and in steps."""
    told = TOLD.get(model, ("preset",))
    shown = [f"{key} {options[key]}" for key in told]
    if "n" in told:
        shown[0] += f" cells ({_steps(options['n'] - 1, 1 if options['context'] == 'own' else voices)} before)"
    if model == "kneser_ney" and options["context"] != "all":
        shown.append({"blind": "voice not told", "own": "own cells alone"}[options["context"]])
    if options["transpose"]:
        shown.append(f"in keys up to {options['transpose']} away")
    return ", ".join([model.replace("_", " "), *shown])


def _steps(cells, a_step):
    return "1 step" if cells == a_step else f"{cells / a_step:g} steps"


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
    return voices.roll(notes, first, steps, run), voices.hear(context, title, notes, first, steps)


def _curve(points, kind):
    """(training and validation loss over updates, its caption); "" of a model without."""
    if not points:
        return "", ""
    updates, train, validation = zip(*points, strict=True)
    what, caption = CURVES[kind]
    series = [
        {"name": "training", "colour": 1, "x": updates, "y": train, "mark": None},
        {"name": "validation", "colour": 0, "x": updates, "y": validation, "mark": None},
    ]
    return charts.lines([one for one in series if None not in one["y"]], "updates", what, f"{what} by update"), caption
