"""audio: decode every clip once into 16 kHz mono PCM shards."""

import pandas as pd

from pipelines.audio import shards
from pipelines.core import cache, max_quarantined, params, paths, splits
from pipelines.core.manifest import MANIFEST, QUARANTINE
from pipelines.core.pcm import INDEX
from pipelines.core.plain import one_line
from pipelines.core.record import write_record
from pipelines.core.tables import read_table, write_table
from pipelines.harness import command
from pipelines.harness.logging import start

CLIPPED = 0.05
"""Share of a clip's samples at full scale: more is a warning, and sounds like it."""


def main(dataset: str) -> None:
    log = start(f"audio {dataset}")
    settings = params.read()
    manifest = read_table(paths.manifest(dataset), MANIFEST)
    before = read_table(paths.manifest_quarantine(dataset), QUARANTINE)
    folder = paths.audio(dataset)
    wanted = settings["audio"] | {"cache": settings["cache"]["limit_gb"] > 0}
    index, refused = shards.build(manifest, folder, wanted, settings["executor"], f"audio {dataset}")
    cache.prune(settings["cache"]["limit_gb"] * 1e9)
    quarantine = pd.concat([before, refused], ignore_index=True)
    write_table(quarantine, folder / "quarantine.parquet", QUARANTINE)
    for row in refused.head(20).itertuples():
        log.warning("quarantined %s: %s", one_line(row.path), one_line(row.reason))
    reasons, bad = quarantine["reason"], max_quarantined.faults(quarantine)
    max_quarantined.refuse("audio", dataset, bad, len(index), settings, f"{folder}/quarantine.parquet")
    write_table(index, folder / "index.parquet", INDEX)
    lost = splits.lost_classes(manifest, manifest[manifest["clip_id"].isin(index["clip_id"])])
    if lost:
        log.warning("no clip is left of: %s", one_line(", ".join(lost)))
    clipped = int((index["clipped"] > CLIPPED * index["length"]).sum())
    rate = settings["audio"]["sample_rate"]
    counts = reasons.map(max_quarantined.kind).value_counts()
    write_record(
        "audio",
        dataset,
        figures={
            "clips": len(index),
            "quarantined": len(quarantine),
            "hours": round(float(index["length"].sum()) / rate / 3600, 3),
            "sample rate, Hz": rate,
            "shards": int(index["shard"].nunique()),
            "clips with samples at full scale": int((index["clipped"] > 0).sum()),
        },
        table=folder / "index.parquet",
        checks={
            "every clip accounted for": (
                len(index) + len(refused) == len(manifest),
                f"{len(index)} decoded + {len(refused)} quarantined = {len(manifest)} in the manifest",
            ),
            "no class lost every clip": (not lost, ", ".join(lost) or "each class of the manifest has clips"),
            "no clip clipped throughout": (
                not clipped,
                f"{clipped} clips have more than {CLIPPED:.0%} of their samples at full scale",
            ),
            "nothing quarantined": (
                bad == 0,
                f"{bad} of {bad + len(index)} clips" + (": see the table of reasons" * (bad > 0)),
            ),
        },
        note="| reason | files |\n| --- | --- |\n" + "\n".join(f"| {r} | {n} |" for r, n in counts.items())
        if len(counts)
        else "",
    )
    log.info("%d clips, %d quarantined in all", len(index), len(quarantine))


if __name__ == "__main__":
    command.run(main, __doc__)
