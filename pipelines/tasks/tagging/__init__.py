"""Tag clips: any number of labels each, by the taggers of params.yaml.

A tagger is a run of this family without an entry in `runs`: its entry is in `taggers`, because the stages export and embed loop
over those too. The stage train fits it, embed makes its predictions, and the stage tagging scores them like those of any run.
"""

OPTIONS: dict = {}
