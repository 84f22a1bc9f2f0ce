"""view: a vector of each clip of a dataset from its words or its notes, where it has any."""

import shutil
from collections.abc import Mapping
from types import ModuleType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import views
from pipelines.core import params, paths
from pipelines.core.files import place
from pipelines.core.manifest import MANIFEST
from pipelines.core.plain import one_line, some
from pipelines.core.record import write_record
from pipelines.core.tables import column, read_table, write_table
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.models.encoders import fingerprints

VIEW = pa.schema([column("clip_id", pa.string(), "the clip; the other columns are its vector", unique=True)])


def main(view: str) -> None:
    log = start(f"view {view}")
    entry = params.read()["views"][view]
    dataset, module = entry["dataset"], views.load(entry["kind"])
    folder = paths.view(dataset, view)
    shutil.rmtree(folder, ignore_errors=True)
    clips = read_table(paths.manifest(dataset), MANIFEST).set_index("clip_id")["path"].to_dict()
    try:
        found, extra, bad = (_own_files if "path" in entry else _of_dataset)(entry, module, clips)
    except (ValueError, OSError) as error:
        raise SystemExit(f"view {view}: {error}") from error
    found = {clip_id: found[clip_id] for clip_id in clips if found.get(clip_id)}  # in the manifest's order
    if not found:
        raise SystemExit(f"view {view}: no clip of {dataset!r} has {entry['kind']}{_reasons(bad)}")
    table = pd.DataFrame(list(found.values()), dtype="float32").assign(clip_id=list(found))
    path = folder / "view.parquet"
    write_table(table, path, VIEW)
    missing = [clips[clip_id] for clip_id in clips if clip_id not in found]
    write_record(
        "view",
        view,
        figures={"clips": len(found), "missing": len(missing), "values a clip": table.shape[1] - 1, "unread": len(bad)},
        table=path,
        checks={
            "every clip has one": (not missing, f"{len(missing)} of {len(clips)} clips have none{some(missing, ': ')}"),
            "every file has a clip": (not extra, f"{len(extra)} files are of no clip of {dataset}{some(extra, ': ')}"),
            "every file can be read": (not bad, f"{len(bad)} files cannot be read{_reasons(bad)}"),
        },
    )
    log.info("%d clips, %d without %s", len(found), len(missing), entry["kind"])
    for name, why in list(bad.items())[:20]:
        log.warning("%s: %s", one_line(name), one_line(why))


def _of_dataset(entry: Mapping, module: ModuleType, clips: Mapping[str, str]) -> tuple[dict, list[str], dict[str, str]]:
    """(clip id -> vector, files of no clip, file -> why it cannot be read) from what the dataset's module has left."""
    raw = paths.raw(entry["dataset"])
    path = raw / module.OWN
    if not path.exists():
        raise ValueError(
            f"dataset {entry['dataset']!r} has no {entry['kind']} of its own ({path}): name your folder of files as `path`"
        )
    vectors = module.from_table(pq.read_table(path).to_pandas())
    by_path = {(raw / name).as_posix(): vector for name, vector in vectors.items()}
    return {clip_id: by_path.get(clip_path) for clip_id, clip_path in clips.items()}, [], {}


def _own_files(entry: Mapping, module: ModuleType, clips: Mapping[str, str]) -> tuple[dict, list[str], dict[str, str]]:
    """The same from a folder of the user's."""
    fingerprints.check(entry.get("fingerprint", ""), entry["path"])
    root = place(entry["path"])
    files, bad = views.files_of(root, module.SUFFIXES)
    of = views.matched(clips, files)
    found = {}
    for clip_id, file in of.items():
        try:
            found[clip_id] = module.from_file(views.content(root / file))
        except ValueError as error:
            bad[str(file)] = str(error)
    return found, sorted(map(str, set(files) - set(of.values()))), bad


def _reasons(bad: Mapping[str, str]) -> str:
    return some([f"{name} ({why})" for name, why in bad.items()], ": ")


if __name__ == "__main__":
    command.run(main, __doc__)
