"""The report: self-contained pages that a person would rather look at than at the JSON.

`front` makes the front page, `dataset_page` the page of a study from the modules of `sections/`, `task_page` the page of a family
of tasks; `shell` is the frame of all of them. `state` reads what the stages left behind; `headline`, `charts`, `maps`, `players`,
`pictures` and `provenance` turn it into what is shown; `lineage` says of each figure where it came from; `templates` fills the
templates. No score is computed here: every number on a page stands in a file that another stage wrote, and its mark names
that file's hash.

Templates (`*.html.j2`), `style.css` and the pages' own scripts (`*.js`) lie beside the modules. Names of clips, classes and
files are other people's data: they reach a page through Jinja's autoescape, `tojson` or `markupsafe.escape` only.
"""
