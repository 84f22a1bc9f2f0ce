"""Hash everything that a trace names again, and report differences to dvc.lock and the manifests.

Compared are: every output (the file here, and its copy in DVC's cache unless it is a link to the same bytes; at another revision
the cache, or git), the hash that each stage read with the hash that the earlier stage wrote, code and parameters with the
revision, each clip's file with its manifest, constraints.txt, and for the working tree the installed packages with it. Commands
are not compared; `dvc status` reports whether they changed."""

import hashlib
import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from pipelines import recipe
from pipelines.harness.progress import progress
from pipelines.ops.lineage import runs
from pipelines.ops.lineage.revision import ENVIRONMENT, Revision, git, object_path

PURGED = "registry/purged.json"
BLOCK = 1 << 20


def verify(revision: Revision, found: dict) -> dict:
    """`{"checked": {kind: count}, "wrong": [{"kind", "path", "stage", "problem"}], "other_pins"}` of a trace. other_pins: the
    stages recorded with another constraints.txt than the one that the installed packages were compared with."""
    purged.cache_clear()
    stages = found["stages"]
    outs = [(name, out["path"], path, md5) for name, stage in stages.items() for out in stage["outputs"]
            for path, md5 in revision.files(out["path"]).items()]  # fmt: skip
    digests: dict[str, tuple[str, str] | None] = {}
    checked, wrong = Counter(), []

    def note(kind: str, path: str, problem: str | None, stage: str = "") -> None:
        checked[kind] += 1
        if problem:
            wrong.append({"kind": kind, "path": path, "stage": stage, "problem": problem})

    for name, _, path, md5 in progress(outs, "verify", unit="file"):
        digests[path] = _digests(revision, path, md5)
        note("output", path, _output(revision, path, md5, digests[path]), name)
    for name, path, problem in _folders(revision, stages):
        note("output", path, problem, name)
    for name, stage in stages.items():
        for dep in stage["inputs"]:
            note("link", dep["path"], _link(revision, dep), name)
        for key, value in stage["parameters"].items():
            note("parameter", f"params.yaml#{key}", _parameter(revision, key, value), name)
    for path, problem in _code(revision, stages):
        note("code", path, problem)
    for dataset, source in found["sources"].items():
        if source["files"] is None:
            note("clip", source["manifest"] or dataset, "the manifest is not available, so no clip can be checked")
        for clip in progress(source["files"] or [], f"verify {dataset}"):
            had = digests.get(clip["path"]) or _digests(revision, clip["path"], revision.hash(clip["path"]))
            note("clip", clip["path"], _problem(had, clip["sha256"], 1))
    if any(found["environments"]) or _committed_pins(revision):
        note("environment", ENVIRONMENT, _pins(revision, found))
    if not revision.name:
        for package, version in found["environment"]["packages"].items():
            note("package", package, _package(package, version))
    now = found["environment"]["sha256"]
    other = [name for name, stage in stages.items() if stage["environment"] != now and not stage["cut_off"]]
    return {"checked": dict(checked), "wrong": wrong, "other_pins": other if checked["package"] else []}


def lines(result: dict) -> Iterator[str]:
    """The lines of a result."""
    plural = {"output": "files", "link": "links", "parameter": "parameters", "code": "code files", "clip": "clips",
              "environment": "list of pins", "package": "installed packages"}  # fmt: skip
    counts = ", ".join(f"{count} {plural[kind]}" for kind, count in result["checked"].items())
    if other := result.get("other_pins"):
        yield f"Packages were compared with the present pins; recorded with other pins: {', '.join(other)}"
    if not result["wrong"]:
        yield f"Verified: {counts}. Everything is as recorded."
        return
    yield f"Checked {counts}. {len(result['wrong'])} differ:"
    for row in result["wrong"]:
        yield f"  {row['kind']} {row['path']}{' of ' + row['stage'] if row['stage'] else ''}: {row['problem']}"


def _digests(revision: Revision, path: str, md5: str | None) -> tuple[str, str] | None:
    """(md5, SHA-256) of a file at this revision, read once; None if it does not exist."""
    here, kept = Path(path), object_path(md5) if md5 else None
    if revision.name and md5 and not kept.is_file():
        content = revision.read(path) if not Path(path).is_absolute() else None
        return content and (hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest())
    file = next((file for file in ([] if revision.name and md5 else [here]) + [kept] if file and file.is_file()), None)
    return _hashes(file) if file else None


def _hashes(file: Path) -> tuple[str, str] | None:
    """(md5, SHA-256) of a file; None if it cannot be read."""
    md5_of, sha256_of = hashlib.md5(), hashlib.sha256()
    try:
        with open(file, "rb") as content:
            for block in iter(partial(content.read, BLOCK), b""):
                md5_of.update(block)
                sha256_of.update(block)
    except OSError:
        return None
    return md5_of.hexdigest(), sha256_of.hexdigest()


def _output(revision: Revision, path: str, md5: str, had: tuple[str, str] | None) -> str | None:
    """What is wrong with a file of an output (`had`: its hashes), here and in DVC's cache. Either copy may be damaged; the
    cache's is checked out and pushed."""
    here, kept = Path(path), object_path(md5)
    problem = _problem(had, md5, 0)
    if revision.name or not here.is_file() or not kept.is_file():
        return f"in DVC's cache {problem}" if problem and had and kept.is_file() else problem
    if here.samefile(kept):
        return f"here and in DVC's cache, which are one file, {problem}" if problem else None
    copy = _hashes(kept)
    damaged = "it cannot be read" if copy is None else _problem(copy, md5, 0)
    if problem and damaged:
        return f"here {problem}; in DVC's cache {damaged}"
    if problem:
        return f"here {problem}; DVC's cache has it as recorded"
    return f"in DVC's cache {damaged}; here it is as recorded" if damaged else None


def _problem(digests: tuple[str, str] | None, wanted: str, which: int) -> str | None:
    if digests is None:
        if which == 0 and (path := purged().get(wanted)):
            return f"it was purged because it contains a withdrawn clip: it is in {PURGED} ({path}){_when(wanted)}"
        return "it is missing here and in DVC's cache (`dvc pull` fetches it if a remote has it)"
    return None if digests[which] == wanted else f"its hash is {digests[which][:16]}, the recorded one {wanted[:16]}"


@cache
def purged() -> dict[str, str]:
    """Hash -> path of the files purged because of a withdrawn clip, which are not fetched again."""
    try:
        found = json.loads(Path(PURGED).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _when(md5: str) -> str:
    """The commit that recorded it, since the file has no times."""
    log = git("log", "-1", "--format=%H %as in %h: %s", f"-S{md5}", "--", PURGED) or ""
    commit, _, said = log.strip().partition(" ")
    if commit in runs.boundaries():  # of a shallow clone: it may have been any earlier commit
        return ""
    return f", since {said}" if said else ", in no commit yet"


def _folders(revision: Revision, stages: dict) -> Iterator[tuple[str, str, str | None]]:
    """(stage, folder, problem): has each listing its hash, and has no folder additional files?"""
    for name, stage in stages.items():
        for out in stage["outputs"]:
            if not out["md5"].endswith(".dir"):
                continue
            listed = revision.listing(out["path"])
            if not listed and not object_path(out["md5"]).is_file():
                there = runs.folder_here(out["path"]) if not revision.name else {}
                same = there and recipe.folder_hash(there) == out["md5"]
                yield (
                    name,
                    out["path"],
                    None
                    if same
                    else "DVC's cache has no listing of this folder, and the folder here differs from the recorded one",
                )
            elif recipe.folder_hash(listed) != out["md5"]:
                yield name, out["path"], "its listing in DVC's cache has another hash than in dvc.lock"
            else:
                folder = Path(out["path"])
                more = [] if revision.name else [file for file in sorted(folder.rglob("*")) if file.is_file()
                        and file.relative_to(folder).as_posix() not in listed]  # fmt: skip
                yield name, out["path"], f"{len(more)} additional files, the first is {more[0]}" if more else None


def _link(revision: Revision, dep: dict) -> str | None:
    """Did the stage read the hash that the earlier stage's entry has?"""
    if not dep["made_by"]:
        return None
    made = revision.made(dep["path"])
    if made in (None, dep["md5"]):  # None: a listing is missing, which is reported for that output
        return None
    return f"{' and '.join(dep['made_by'])} made {made[:16]}, but {(dep['md5'] or '')[:16]} was read: run it again"


def _parameter(revision: Revision, key: str, value: object) -> str | None:
    now = revision.settings
    if key in now:
        now = now[key]
    else:
        for part in key.split("."):
            if not isinstance(now, dict) or part not in now:
                return "it does not exist any more"
            now = now[part]
    return None if now == value else f"it is {str(now)[:80]}; the stage ran with {str(value)[:80]}"


def _code(revision: Revision, stages: dict) -> Iterator[tuple[str, str | None]]:
    """(path, problem): is the code at this revision the code that ran?"""
    for path, md5 in {(dep["path"], dep["md5"]): None for stage in stages.values() for dep in stage["code"]}:
        if revision.name:
            now = runs.hashes(revision.commit, {path: md5})[path]
        elif md5.endswith(".dir"):
            now = runs.code_folder(revision, path)
        else:
            content = revision.read(path)
            now = content and hashlib.md5(content).hexdigest()
        yield path, None if now == md5 else f"its hash is {(now or 'none')[:12]}; the stage ran with {md5[:12]}"


def _pins(revision: Revision, found: dict) -> str | None:
    """What is wrong with constraints.txt. Committed changes of it are no error: `other_pins` names them."""
    now, committed = found["environment"], _committed_pins(revision)
    of = f"commit {(revision.commit or '')[:10]}" if committed else "the commit that recorded this"
    if now["sha256"] is None:
        return f"it is missing; {of} has it"
    if not now["packages"] and any(pins["packages"] for pins in (*found["environments"].values(), committed or now)):
        return f"it pins no package; {of} pins some"
    if committed and committed["sha256"] != now["sha256"]:
        return f"its hash is {now['sha256'][:16]}; in {of} it is {committed['sha256'][:16]}"
    return None


def _committed_pins(revision: Revision) -> dict | None:
    """The pins (`runs.environment`) of the revision's commit; None if it has none, or there is no commit."""
    there = runs.environment(Revision(revision.commit)) if revision.commit else None
    return there if there and there["sha256"] else None


def _package(name: str, version: str) -> str | None:
    """What is wrong with an installed package. A pinned package that is not installed is no error."""
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    same = installed == version or installed.partition("+")[0] == version  # torch 2.13.0+cpu
    return None if same else f"{installed} is installed, {version} is pinned"
