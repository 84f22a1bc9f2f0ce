"""What a trace is exported as can be read by those who define it: W3C's schema for PROV-JSON, OpenLineage's schema and client."""

import datetime
import json
import os
import shlex
import subprocess
import sys
import urllib.parse
import uuid
from pathlib import Path

import jsonschema
import needs
import prov
import pytest
from helpers import PROJECT
from prov.model import ProvDocument

from pipelines.ops.lineage import openlineage, page, trace
from pipelines.ops.lineage import prov as provenance
from pipelines.ops.lineage.revision import Revision

os.environ["OPENLINEAGE_DISABLED"] = "true"
FIGURE = "reports/clustering.json#two.style.short.accuracy"
TARGETS = [FIGURE, "short", "music/x.wav", "data/clusters", "pipelines/kit/one.py"]


@pytest.mark.parametrize("asked", TARGETS)
def test_prov_is_as_its_schema_says_and_reads_back(project, asked):
    document = provenance.document(trace.trace(Revision(), asked))
    schema = json.loads((Path(prov.__file__).parent / "tests/schemas/prov-json.schema.json").read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(document)
    read = ProvDocument.deserialize(content=json.dumps(document), format="json")
    assert len(read.get_records()) == sum(len(part) for kind, part in document.items() if kind != "prefix")


def test_prov_leads_from_the_figure_to_every_clip(project):
    found = trace.trace(Revision(), FIGURE)
    document = provenance.document(found)
    made = {row["prov:entity"]: row["prov:activity"] for row in document["wasGeneratedBy"].values()}
    reached, waiting = set(), [next(name for name in made if name.startswith("data:reports/clustering.json@"))]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [
                row["prov:entity"] for row in document["used"].values() if row["prov:activity"] == made.get(name)
            ]
            derived = document["wasDerivedFrom"].values()
            waiting += [row["prov:usedEntity"] for row in derived if row["prov:generatedEntity"] == name]
            waiting += [row["prov:entity"] for row in document["hadMember"].values() if row["prov:collection"] == name]
    clips = {document["entity"][name]["conservatory:sha256"] for name in reached if name.startswith("clip:")}
    assert (
        clips == {clip["sha256"] for source in found["sources"].values() for clip in source["files"]}
        and len(clips) == 7
    )
    assert any(name.startswith("environment:") for name in reached) and any(
        name.startswith("code:") for name in reached
    )


def openlineage_schema():
    """The validator of a RunEvent. The formats that the schema names are checked with the standard library, as jsonschema leaves
    out those whose checker is not installed."""
    schema = json.loads((Path(__file__).parent / "openlineage.schema.json").read_text())
    formats = jsonschema.FormatChecker(formats=())

    @formats.checks("date-time", ValueError)
    def time(value):
        return datetime.datetime.fromisoformat(value).tzinfo is not None

    @formats.checks("uri", ValueError)
    def uri(value):
        return bool(urllib.parse.urlsplit(value).scheme) and not set(value) & set(' <>"{}|\\^`')

    @formats.checks("uuid", ValueError)
    def identifier(value):
        return str(uuid.UUID(value)) == value

    return jsonschema.Draft202012Validator(schema, format_checker=formats)


@pytest.mark.parametrize("revision", ["", "first"])
@pytest.mark.parametrize("asked", TARGETS)
def test_openlineage_is_as_its_schema_says(project, asked, revision):
    validator = openlineage_schema()
    found = trace.trace(Revision(revision), asked)
    lines = openlineage.render(found).splitlines()
    assert len(lines) == 2 * len(found["stages"])
    for event in map(json.loads, lines):
        validator.validate(event)


def test_sizes_that_dvc_lock_does_not_know_are_left_out_of_openlineage(project):
    """dvc.lock of a DVC before 2.0, or of an import, has none; the schema takes a number or nothing."""
    found = trace.trace(Revision(), "short")
    for stage in found["stages"].values():
        for out in stage["outputs"]:
            out |= {"bytes": None, "files": None}
    for event in openlineage.events(found):
        openlineage_schema().validate(event)
        assert all("size" not in out["outputFacets"].get("outputStatistics", {}) for out in event["outputs"])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("eventTime",), "2026-01-01T00:00:00"),
        (("eventType",), "ENDED"),
        (("run", "runId"), "1"),
        (("run", "facets", "conservatory_record", "_producer"), "a commit"),
        (("job", "facets", "jobType", "processingType"), None),
        (("outputs", 0, "outputFacets", "outputStatistics", "size"), None),
        (("outputs", 0, "facets", "version", "_schemaURL"), None),
    ],
)
def test_the_schema_refuses_what_is_not_as_it_says(project, place, value):
    event = openlineage.events(trace.trace(Revision(), "short"))[-1]
    *way, last = place
    part = event
    for key in way:
        part = part[key]
    part[last] = value
    with pytest.raises(jsonschema.ValidationError):
        openlineage_schema().validate(event)


@pytest.mark.parametrize("asked", TARGETS)
def test_openlineage_is_read_by_its_client(project, asked):
    needs.package("openlineage.client", "dev")
    from openlineage.client import event_v2, facet_v2
    from openlineage.client.serde import Serde

    standard = {
        "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
        "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
        "jobType": facet_v2.job_type_job.JobTypeJobFacet,
        "subset": facet_v2.base_subset_dataset.InputSubsetInputDatasetFacet,
    }

    def facets(found):
        for name, facet in found.items():
            assert facet["_producer"] and facet["_schemaURL"].startswith("https://openlineage.io/spec/")
            if name in standard:
                read = standard[name](**{key: value for key, value in facet.items() if key[0] != "_"})
                assert read._get_schema() == facet["_schemaURL"]
            else:
                assert name.startswith("conservatory_"), "a facet of one's own has a prefix"
        return found

    found = trace.trace(Revision(), asked)
    lines = openlineage.render(found).splitlines()
    assert len(lines) == 2 * len(found["stages"])
    for event in map(json.loads, lines):
        job, run = event["job"], event["run"]
        read = event_v2.RunEvent(
            eventTime=event["eventTime"],
            producer=event["producer"],
            eventType=event_v2.RunState[event["eventType"]],
            run=event_v2.Run(runId=run["runId"], facets=facets(run["facets"])),
            job=event_v2.Job(namespace=job["namespace"], name=job["name"], facets=facets(job["facets"])),
            inputs=[
                event_v2.InputDataset(
                    **row | {"facets": facets(row["facets"]), "inputFacets": facets(row["inputFacets"])}
                )
                for row in event["inputs"]
            ],
            outputs=[
                event_v2.OutputDataset(
                    **row | {"facets": facets(row["facets"]), "outputFacets": facets(row["outputFacets"])}
                )
                for row in event["outputs"]
            ],
        )
        assert json.loads(Serde.to_json(read)) == Serde.remove_nulls_and_enums(event)


def test_exports_are_the_same_twice_and_differ_where_the_run_did(project):
    first, again, other = (openlineage.events(trace.trace(Revision(rev), "short")) for rev in ("", "", "first"))
    assert first == again
    ids = [{event["job"]["name"]: event["run"]["runId"] for event in events} for events in (first, other)]
    assert {name for name in ids[0] if ids[0][name] != ids[1][name]} == {"train@short"}


def test_the_page_escapes_what_strangers_wrote_and_loads_nothing(project, call):
    status, _, errors = call(
        "trace", FIGURE, "--html", "out/trace.html", "--openlineage", "o.jsonl", "--prov", "p.json"
    )
    assert status == 0 and all(f"Written: {file}\n" in errors for file in ("out/trace.html", "o.jsonl", "p.json"))
    text = Path("out/trace.html").read_text()
    assert "the &lt;b&gt;test&lt;/b&gt;" in text and "<b>test" not in text
    assert "http" not in text and "src=" not in text
    found = trace.trace(Revision(), FIGURE)
    for name, stage in found["stages"].items():
        assert name in text and all(out["md5"] in text for out in stage["outputs"])
    assert page.render(found) == text
    assert len(Path("o.jsonl").read_text().splitlines()) == 2 * len(found["stages"]) and json.loads(
        Path("p.json").read_text()
    )


@pytest.mark.parametrize("option", ["--json", "--html", "--openlineage", "--prov", "--card"])
def test_what_goes_to_standard_output_is_what_a_file_holds(project, call, option):
    status, out, errors = call("trace", "short", option, "-")
    assert status == 0 and "Written" not in errors and not Path("-").exists()
    assert call("trace", "short", option, "file")[0] == 0
    assert out == Path("file").read_text()
    status, out, errors = call(
        "trace", "short", option, "-", *(("--prov", "-") if option != "--prov" else ("--html", "-"))
    )
    assert status == 2 and not out and "cannot be printed together" in errors


def test_json_of_the_other_commands_is_said_to_be_written(project, call):
    for command in (("impact", "short"), ("diff", "first")):
        assert "Written: found.json" in call(*command, "--json", "found.json")[2]


@pytest.mark.parametrize("asked", [FIGURE, "short", "reports/index.html"])
def test_a_consumer_that_joins_by_name_reaches_every_job(project, asked):
    """As Marquez walks back: from a job to its inputs, from an input to the job with an output of exactly that name."""
    found = trace.trace(Revision(), asked)
    ended = [event for event in openlineage.events(found) if event["eventType"] == "COMPLETE"]
    jobs = {event["job"]["name"]: event for event in ended}
    maker = {(out["namespace"], out["name"]): name for name, event in jobs.items() for out in event["outputs"]}
    last = list(jobs)[-1]
    reached, waiting = {last}, [last]
    while waiting:
        for given in jobs[waiting.pop()]["inputs"]:
            name = maker.get((given["namespace"], given["name"]))
            if name and name not in reached:
                reached.add(name)
                waiting.append(name)
    assert reached == set(jobs)
    for event in ended:
        for given in event["inputs"]:
            for part in given["inputFacets"].get("subset", {}).get("inputCondition", {}).get("locations", []):
                assert part.startswith(given["name"] + "/")


def test_a_reader_that_leaves_early_leaves_the_files(project):
    """`conservatory trace ... | head -1`."""
    command = f"{shlex.quote(sys.executable)} -m pipelines.cli trace {FIGURE} --json j.json --html h.html 2>/dev/null | head -1"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(command, shell=True, cwd=project, capture_output=True, text=True, env=environment)
    assert done.stdout and json.loads((project / "j.json").read_text()) and (project / "h.html").read_text()
