"""What the policy keeps, for any rows; and what params.yaml may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ops.retention import policy

NOW = 1_000 * policy.DAY
rows = st.lists(st.tuples(st.floats(0, NOW), st.sampled_from(["", "registered"])), max_size=30).map(
    lambda found: [policy.row("experiment", str(n), when, kept=kept) for n, (when, kept) in enumerate(found)]
)


@given(rows, st.floats(0, 2_000), st.integers(0, 40))
def test_what_goes_is_old_not_among_the_newest_and_nobodys(rows, keep_days, keep_last):
    needed = {row["name"] for row in rows if row["kept"]}
    chosen = policy.choose(rows, keep_days, keep_last, NOW)
    assert {row["name"] for row in chosen} == {row["name"] for row in rows}
    going = [row for row in chosen if not row["kept"]]
    assert not needed & {row["name"] for row in going}
    for row in going:
        assert (NOW - row["when"]) / policy.DAY >= keep_days
        assert sum(other["when"] >= row["when"] for other in rows if other is not row) >= keep_last
    for row in chosen:  # and all that is so goes
        newer = sum(other["when"] > row["when"] for other in rows)
        if (
            row["name"] not in needed
            and (NOW - row["when"]) / policy.DAY >= keep_days
            and newer >= keep_last + len(rows)
        ):
            assert row in going


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("retention: {cashe: {keep_days: 1}}", "retention.cashe in params.yaml is not known; do you mean cache"),
        ("retention: [1]", "must be a table"),
        ("retention: {cache: {keep_last: 1}}", "retention.cache"),
        ("retention: {runs: {keep_days: -1}}", "retention.runs.keep_days .* 0 or more"),
        ("retention: {runs: {keep_days: .nan}}", "retention.runs.keep_days .* 0 or more"),
        ("retention: {runs: 9}", "a table of keep_days, keep_last"),
    ],
)
def test_a_policy_that_is_none_is_refused(tmp_path, text, said):
    (tmp_path / "params.yaml").write_text(f"datasets: {{}}\n{text}\n")
    with pytest.raises(SystemExit, match=said):
        policy.read(tmp_path)


def test_what_is_left_out_is_the_default(tmp_path):
    (tmp_path / "params.yaml").write_text("datasets: {}\nretention: {runs: {keep_days: 3}}\n")
    found = policy.read(tmp_path)
    assert found["runs"] == {"keep_days": 3, "keep_last": 50} and found["experiments"]["keep_days"] == 90
    assert found["automatic"] is False
