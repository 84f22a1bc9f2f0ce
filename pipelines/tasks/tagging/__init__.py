"""Multi-label tagging of clips, by the taggers of params.yaml.

A tagger is a run of this family without an entry in `runs`: its entry is in `taggers`, because the stages export and embed loop
over those too. The stage train fits it, embed makes its predictions, and the stage tagging scores them like those of any run.
With `seeds: 3` it is trained three times: the first training is the tagger, which is exported and embeds. Scores are means over
all, and state their spread; details are those of the first.
"""

OPTIONS: dict = {}
