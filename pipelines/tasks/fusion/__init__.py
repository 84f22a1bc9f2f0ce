"""Fuse the answers of several runs to the same clips, each from its own view of them: audio, notes, words (late fusion).

    late: {task: fusion, dataset: scores, from: answers, reads: classification, model: mean, seeds: 1, runs: [audio, words]}

`reads` is the family whose runs are fused, `runs` some of its runs on this dataset. A clip is scored where any of them answers
it; a run that has no answer to a clip (a song without words) is left out for that clip, and the record counts such clips.

Models: `mean` of the probabilities; `vote` of the likeliest classes, ties decided by the mean; `stacking`, a logistic regression
on the runs' log-probabilities. What is fitted is fitted on the answers to validation clips, never on test clips. Answers to
training clips would not do: a model knows them too well. Training n of a fusion takes training n of each run; where a run has
fewer, it begins again with its first.
"""

FROM = ("answers",)
OPTIONS = {"runs": (None, "words")}
