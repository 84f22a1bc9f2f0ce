"""Print a trace: the tree, then the music, the code and the environment."""

import json
from collections import Counter
from collections.abc import Iterator

from pipelines.ops.lineage import verify
from pipelines.ops.lineage.trace import outdated, tree
from pipelines.ops.runs.progress import duration

CUT_OFF = "in an unknown commit: this is a shallow clone (git fetch --unshallow)"


def lines(found: dict) -> Iterator[str]:
    """The lines of a trace (`trace.trace`)."""
    yield title(found["target"])
    revision = found["revision"]
    changed = f", with {len(revision['changed'])} changed files" if revision["changed"] else ""
    yield f"at {revision['name']}, commit {(revision['commit'] or 'none')[:12]}{changed}"
    yield ""
    yield from _tree(found)
    yield from _sources(found)
    yield from _code(found)
    if notes := list(environments(found)):
        yield ""
        yield from notes
    if notes := outdated(found):
        yield ""
        yield from notes
    if "verification" in found:
        yield ""
        yield from verify.lines(found["verification"])


def title(target: dict) -> str:
    """The target, in a line."""
    if target["kind"] == "figure":
        beside = "".join(f", {key} {_short(value)}" for key, value in target["beside"].items())
        copied = target["from"]
        source = f"\n  copied from {copied['path']}#{copied['key']}: it has the same value" if copied else ""
        return f"{target['asked']} = {_short(target['value'])}{beside}{source}"
    if target["kind"] == "clip":
        clip = target["clip"]
        also = "".join(f"\n  also in {other['dataset']}: {other['path']}" for other in target["also"])
        return (
            f"Clip {clip['clip_id']}: {clip['title']}\n  file {clip['path']}, {clip['n_bytes']:,} bytes, sha256 {clip['sha256']}"
            f"\n  source {clip['source']}\n  licence {clip['licence']}\n  split {clip['split']}, group {clip['group']}{also}"
        )
    if "commit" in target:
        changed = (
            f"last changed {target['commit']['date'][:10]} in {target['commit']['commit'][:10]}: {target['commit']['subject']}"
            if target["commit"]
            else f"last changed {CUT_OFF}"
            if target["cut_off"]
            else "in no commit yet"
        )
        value = f" = {_short(target['value'])}" if "value" in target else ""
        return f"{target['asked']}{value}  md5 {target['md5']}, {changed}\n  Used by: conservatory impact {target['asked']}"
    return f"{target['path']}  md5 {target['md5'] or 'of several outputs'}"


def _tree(found: dict) -> Iterator[str]:
    def walk(node: dict, stem: str, last: bool) -> Iterator[str]:
        known = f"  (of {node['stage']}, above)" if node["seen"] else ""
        yield f"{stem}{'└─ ' if last else '├─ '}{node['path']}  {_hash(node['md5'])}{known}{newer(node)}"
        if known or node["stage"] is None:
            return
        below, stage = stem + ("   " if last else "│  "), found["stages"][node["stage"]]
        yield f"{below}made by {node['stage']}, {_run(stage)}; code {stage['code_version']}"
        if stage["ran"]:
            yield f"{below}by {ran(stage['ran'])}"
        if stage["again"]:
            yield f"{below}{again(stage['again'])}"
        for key, value in stage["parameters"].items():
            yield f"{below}  {key}: {_short(value)}"
        for number, child in enumerate(node["made_from"]):
            yield from walk(child, below, number == len(node["made_from"]) - 1)
        others = sum(not dep["followed"] for dep in stage["inputs"])
        if others:
            yield f"{below}(and {others} other inputs, which this figure was not copied from)"

    nodes = tree(found)
    for number, node in enumerate(nodes):
        yield from walk(node, "", number == len(nodes) - 1)


def environments(found: dict) -> Iterator[str]:
    """The pinned packages when the stages were recorded: one line if all are the same, else one for each."""
    now, stages = found["environment"], found["stages"]
    if cut := [name for name, stage in stages.items() if stage["cut_off"]]:
        yield f"Environment: unknown for {', '.join(cut)}: recorded {CUT_OFF}"
    by_lock: dict[str | None, list[str]] = {}
    for name, stage in stages.items():
        if stage["cut_off"]:
            continue
        by_lock.setdefault(stage["environment"], []).append(name)
    for sha256, names in by_lock.items() or ([] if cut else [(now["sha256"], [])]):
        pins = found["environments"].get(sha256) or now
        said = (
            f"{len(pins['packages'])} packages pinned in {pins['file']}, sha256 {sha256[:16]}"
            if sha256
            else "nothing pinned"
        )
        several = len(by_lock) > 1 or bool(cut)
        of = f", as recorded with {', '.join(names)}" if several else ""
        if sha256 or several:
            yield f"Environment: {said}{of}"
    if by_lock and not cut and now["sha256"] not in by_lock and now["sha256"]:
        yield f"  none of these stages was recorded with {now['file']} as it is there now, sha256 {now['sha256'][:16]}"


def newer(node: dict) -> str:
    """A note if the stage that made an input has run again since it was read."""
    if not node["now"]:
        return ""
    read, now = (node["md5"] or "")[:8], node["now"][:8]
    return f"  (read {read}; {node['stage']} has made {now} since: the lines below are of the newer one)"


def ran(run: dict) -> str:
    """A run, in words."""
    took = f", {duration(run['seconds'])}" if run["seconds"] is not None else ""
    return f"run {run['run']} ({run['door']}) on {run['host']}, finished {run['time'][:19].replace('T', ' ')} UTC{took}"


def again(later: dict) -> str:
    """Later runs with the same result, in words."""
    times = f"{later['times']} times, last " if later["times"] > 1 else ""
    return f"made again {times}by {ran(later['last'])}"


def _run(stage: dict) -> str:
    if stage["cut_off"]:
        return f"recorded {CUT_OFF}"
    run = stage["run"]
    return f"recorded {run['date'][:16].replace('T', ' ')} in {run['commit'][:10]}" if run else "in no commit yet"


def _sources(found: dict) -> Iterator[str]:
    for name, source in found["sources"].items():
        yield ""
        if source["files"] is None:
            yield f"Music of {name}: {source['manifest']} ({_hash(source['md5'])}) is not available; `dvc pull` fetches it"
            continue
        refused = f", {source['quarantined']} quarantined" if source["quarantined"] else ""
        yield f"Music of {name}: {source['clips']} files, {source['bytes'] / 1e6:,.0f} MB{refused}; --json lists each"
        for part in source["licences"]:
            more = f" and {part['sources'] - 1} more sources" if part["sources"] > 1 else ""
            yield f"  {part['clips']:6d}  {part['source']}{more}: {part['licence']}"


def _code(found: dict) -> Iterator[str]:
    files = {dep["path"]: dep["md5"] for stage in found["stages"].values() for dep in stage["code"]}
    if not files:
        return
    yield ""
    commits = Counter(
        "not known" if stage["cut_off"] else stage["run"]["commit"][:10] if stage["run"] else "no commit"
        for stage in found["stages"].values()
    )
    yield f"Code: {len(files)} files and folders; stages by the commit that recorded them: " + ", ".join(
        f"{commit} ({count})" for commit, count in commits.items()
    )
    for path in sorted(files):
        other = [name for name, stage in found["stages"].items() for dep in stage["code"]
                 if dep["path"] == path and dep["in_commit"] is False]  # fmt: skip
        yield f"  {_hash(files[path])}  {path}" + (f"  (not as in the commit: {', '.join(other)})" if other else "")


def _hash(md5: str | None) -> str:
    return (md5 or "?")[:12] + (".dir" if (md5 or "").endswith(".dir") else "")


def _short(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:157] + "..."
