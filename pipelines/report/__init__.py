"""The report: one self-contained page that a person would rather look at than at the JSON.

`state` reads what the stages left behind; `headline`, `charts`, `maps`, `players`, `pictures` and `provenance` turn it into
what is shown; `lineage` says of each figure where it came from; `page` fills the templates. No score is computed here: every
number on the page stands in a file that another stage wrote, and its mark names that file's hash.

Templates (`*.html.j2`), `style.css` and the page's own scripts (`*.js`) lie beside the modules. Names of clips, classes and
files are other people's data: they reach the page through Jinja's autoescape, `tojson` or `markupsafe.escape` only.
"""
