"""A trace as W3C PROV-JSON (https://www.w3.org/submissions/prov-json/).

Entities are data (with md5 and size), clips (with SHA-256, source, licence), code, parameters and the pinned environment;
activities are the runs of stages; agents are the authors of commits and the project's software.
"""

import json
from typing import Any
from urllib.parse import quote

from pipelines.ops.lineage.text import CUT_OFF
from pipelines.ops.runs.made_by import began

PREFIXES = {
    name: f"urn:conservatory:{name}:" for name in ("data", "clip", "code", "parameters", "environment", "run", "agent")
}
PREFIXES["conservatory"] = "urn:conservatory:"
SOFTWARE = "agent:conservatory"


def document(found: dict) -> dict[str, Any]:
    """The PROV-JSON document of a trace (`trace.trace`)."""
    made: dict[str, dict[str, dict]] = {"prefix": PREFIXES, "entity": {}, "activity": {}, "agent": {}}
    made["agent"][SOFTWARE] = {"prov:type": _name("prov:SoftwareAgent"), "prov:label": "Conservatory"}

    def entity(prefix: str, name: str, md5: str | None = None, **attributes: Any) -> str:
        label = {"prov:label": name} | ({"conservatory:md5": md5} if md5 else {})
        said = {f"conservatory:{key}": value for key, value in attributes.items() if value is not None}
        # two versions of a file are two entities: code may change between runs
        key = f"{prefix}:{_safe(name)}{'@' + md5[:12] if md5 else ''}"
        made["entity"].setdefault(key, {}).update(label | said)
        return key

    def relation(kind: str, **ends: str) -> None:
        some = made.setdefault(kind, {})
        some[f"_:{kind}{len(some)}"] = {f"prov:{end}": name for end, name in ends.items()}

    environments = {
        sha256: entity("environment", f"{pins['file']}@{sha256[:12]}", sha256=sha256)
        for sha256, pins in found["environments"].items()
    }
    for name, stage in found["stages"].items():
        run = f"run:{_safe(name)}"
        made["activity"][run] = {
            "prov:label": name,
            "conservatory:command": stage["command"],
            "conservatory:code_version": stage["code_version"],
        }
        if stage["run"]:
            made["activity"][run] |= {f"conservatory:recorded_{key}": stage["run"][key] for key in ("commit", "date")}
            author = f"agent:{_safe(stage['run']['author'])}"
            made["agent"].setdefault(author, {"prov:type": _name("prov:Person"), "prov:label": stage["run"]["author"]})
            relation("wasAssociatedWith", activity=run, agent=author)
        if stage["cut_off"]:
            made["activity"][run]["conservatory:recorded"] = CUT_OFF
        if stage["ran"]:
            times = {"prov:startTime": began(stage["ran"]), "prov:endTime": stage["ran"]["time"]}
            made_by = {f"conservatory:{key}": stage["ran"][key] for key in ("run", "door", "host")}
            made["activity"][run] |= times | made_by
        relation("wasAssociatedWith", activity=run, agent=SOFTWARE)
        for dep in stage["inputs"]:
            relation("used", activity=run, entity=entity("data", dep["path"], dep["md5"]))
        for dep in stage["code"]:
            relation("used", activity=run, entity=entity("code", dep["path"], dep["md5"]))
        if stage["parameters"]:
            values = json.dumps(stage["parameters"], sort_keys=True, ensure_ascii=False)
            relation("used", activity=run, entity=entity("parameters", name, value=values))
        if stage["environment"]:
            relation("used", activity=run, entity=environments[stage["environment"]])
        for out in stage["outputs"]:
            made_now = entity("data", out["path"], out["md5"], bytes=out["bytes"], files=out["files"])
            relation("wasGeneratedBy", entity=made_now, activity=run)
    _parts(found, entity, relation)
    for source in found["sources"].values():
        for clip in source["files"] or []:
            facts = {key: clip[key] for key in ("path", "sha256", "source", "licence")}
            member = entity("clip", clip["clip_id"], **facts)
            relation("hadMember", collection=entity("data", source["manifest"], source["md5"]), entity=member)
    return made


def _parts(found: dict, entity, relation) -> None:
    """A stage may read a folder of several outputs, or a file in one: the input is derived from the outputs."""
    for stage in found["stages"].values():
        for dep in stage["inputs"]:
            for maker in (
                dep["made_by"] if not dep["now"] else []
            ):  # an output made again since is not the one that was read
                for out in found["stages"].get(maker, {"outputs": []})["outputs"]:
                    near = out["path"].startswith(dep["path"] + "/") or dep["path"].startswith(out["path"] + "/")
                    if near:
                        relation("wasDerivedFrom", generatedEntity=entity("data", dep["path"], dep["md5"]),
                                 usedEntity=entity("data", out["path"], out["md5"]))  # fmt: skip


def _safe(name: str) -> str:
    return quote(name, safe="/@~")


def _name(qualified: str) -> dict:
    return {"$": qualified, "type": "prov:QUALIFIED_NAME"}
