"""Names of published outputs: the list in the project, and lists of one's own."""

import pytest

from pipelines.models import tags


def test_the_published_order_is_alphabetical():
    found = tags.read("jamendo")
    assert len(found) == 50 and found == sorted(found)
    assert {name.partition("---")[0] for name in found} == {"genre", "instrument", "mood/theme"}
    assert (found[0], found[-1]) == ("genre---alternative", "mood/theme---relaxing")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a\nb\na\n", "contains 'a' more than once"), (b"# nothing\n\n", "contains no tags"), (b"\xff\xfe", "UTF-8")],
)
def test_a_list_that_cannot_be_used_is_refused(tmp_path, content, message):
    (tmp_path / "tags.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tags.read(str(tmp_path / "tags.txt"))
