"""The report: self-contained HTML pages of the results.

`front` makes the front page, `dataset_page` the page of a study from the modules of `sections/`, `task_page` the page of a family
of tasks; `shell` is the frame of all of them. `state` reads the outputs of the stages; `headline`, `charts`, `maps`, `players`,
`pictures` and `provenance` prepare them for display; `lineage` gives the source of each figure; `templates` fills the templates.
No score is computed here: every number on a page is in a file that another stage wrote, and its mark names that file's hash.

Templates (`*.html.j2`), `style.css` and scripts of pages (`*.js`) are beside the modules. Names of clips, classes and files are
untrusted: they reach a page through Jinja's autoescape, `tojson` or `markupsafe.escape` only.
"""
