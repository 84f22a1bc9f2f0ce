"""A trace as OpenLineage run events (https://openlineage.io, spec 2-0-2), a JSON line each, for a catalogue such as Marquez.

Each stage is a job, and its entry in dvc.lock a run. dvc.lock has no times: if the run is unknown (`runs/made_by.py`), both
events, START and COMPLETE, have the time of the commit that recorded the entry, or of the revision if no commit did.

Consumers join jobs by a dataset's exact name, so an input has the name that the job that made it used: for a folder filled by
several jobs its parts, for a file inside an output that output, with the file as a subset.
"""

import json
import uuid

from pipelines.ops.runs import made_by

NAMESPACE = "conservatory"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
RECORD = ("commit", "cut_off", "ran", "again", "figures")
FACETS = "https://openlineage.io/spec/facets/"


def render(found: dict) -> str:
    """The events of a trace (`trace.trace`), a line each, in the order of the work."""
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events(found))


def events(found: dict) -> list[dict]:
    """`[event, ...]`. The same trace gives the same events: a run's id is made of its stage's inputs and outputs."""
    return [_event(found, name, kind) for name in found["stages"] for kind in ("START", "COMPLETE")]


def _event(found: dict, name: str, kind: str) -> dict:
    stage, producer = found["stages"][name], f"urn:conservatory:{found['revision']['commit'] or 'uncommitted'}"

    def facet(content: dict, schema: str) -> dict:
        return {"_producer": producer, "_schemaURL": schema, **content}

    def standard(content: dict, version: str, file: str, kind: str = "") -> dict:
        return facet(content, f"{FACETS}{version}/{file}.json#/$defs/{kind or file}")

    def dataset(path: str, md5: str | None) -> dict:
        version = standard({"datasetVersion": md5 or ""}, "1-0-1", "DatasetVersionDatasetFacet")
        return {"namespace": NAMESPACE, "name": path, "facets": {"version": version}}

    outputs = []
    for out in stage["outputs"]:
        counts = {"size": out["bytes"], "fileCount": out["files"]}
        known = {key: count for key, count in counts.items() if count is not None}  # the schema allows no null
        size = standard(known, "1-0-2", "OutputStatisticsOutputDatasetFacet")
        outputs.append(dataset(out["path"], out["md5"]) | {"outputFacets": {"outputStatistics": size}})
        music = next((source for source in found["sources"].values() if source["manifest"] == out["path"]), None)
        if music and music["files"] is not None:
            clips = {"clips": music["clips"], "bytes": music["bytes"], "licences": music["licences"]}
            outputs[-1]["facets"]["conservatory_music"] = facet(clips, SPEC + "DatasetFacet")
    consumed = []
    for dep in stage["inputs"]:
        for path, md5, part in _as_made(found, dep["path"], dep["md5"]):
            where = {"inputCondition": {"type": "location", "locations": [part]}}
            subset = standard(where, "1-0-0", "BaseSubsetDatasetFacet", "InputSubsetInputDatasetFacet")
            consumed.append(dataset(path, md5) | {"inputFacets": {"subset": subset} if part else {}})
    identity = json.dumps([name, stage["command"], stage["inputs"], stage["outputs"], stage["code"]], sort_keys=True)
    none = {"file": found["environment"]["file"], "sha256": None, "packages": {}}
    environment = found["environments"].get(stage["environment"], none)
    return {
        "eventType": kind,
        "eventTime": _time(found, stage, kind),
        "producer": producer,
        "schemaURL": SPEC + "RunEvent",
        "run": {
            "runId": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
            "facets": {
                "conservatory_parameters": facet({"parameters": stage["parameters"]}, SPEC + "RunFacet"),
                "conservatory_environment": facet(environment, SPEC + "RunFacet"),
                "conservatory_record": facet(
                    {key: stage["run" if key == "commit" else key] for key in RECORD},
                    SPEC + "RunFacet",
                ),
            },
        },
        "job": {
            "namespace": NAMESPACE,
            "name": name,
            "facets": {
                "jobType": standard(
                    {"processingType": "BATCH", "integration": "DVC", "jobType": "STAGE"}, "2-0-4", "JobTypeJobFacet"
                ),
                "conservatory_code": facet(
                    {"command": stage["command"], "version": stage["code_version"], "files": stage["code"]},
                    SPEC + "JobFacet",
                ),
            },
        },
        "inputs": consumed if kind == "COMPLETE" else [],
        "outputs": outputs if kind == "COMPLETE" else [],
    }


def _as_made(found: dict, path: str, md5: str | None) -> list[tuple[str, str | None, str]]:
    """(path, md5, the part that is read or "") of a stage's input, each as the stage that made it names it."""
    made_here = {out["path"]: out["md5"] for stage in found["stages"].values() for out in stage["outputs"]}
    if path in made_here:
        return [(path, md5, "")]
    if around := [out for out in made_here if path.startswith(f"{out}/")]:
        return [(out, made_here[out], path) for out in around]
    inside = [out for out in made_here if out.startswith(f"{path}/")]
    return [(out, made_here[out], "") for out in inside] or [(path, md5, "")]


def _time(found: dict, stage: dict, kind: str) -> str:
    ran = stage["ran"]
    if not ran:
        return (stage["run"] or found["revision"])["date"]
    return ran["time"] if kind == "COMPLETE" else made_by.began(ran)
