"""Is a split honest? Checks of a manifest that become asset checks."""

import pandas as pd

MIN_CLIPS = 5  # a class with fewer test clips gets a warning: its F1 means little


def audit(manifest: pd.DataFrame) -> dict[str, tuple[bool, str]]:
    """Name -> (passed, sentence): no group and no exact copy on two sides, and no class nearly empty."""
    sides = manifest.groupby("group")["split"].nunique()
    leaks = sides[sides > 1].index.tolist()
    copies = manifest.groupby("sha256")["split"].nunique()
    doubled = int((copies > 1).sum())
    checks = {
        "no group in two splits": (
            not leaks,
            f"{len(leaks)} of {len(sides)} groups are on two sides {leaks[:3] or ''}",
        ),
        "no exact copy in two splits": (not doubled, f"{doubled} files have an exact copy on another side"),
    }
    scored = manifest[manifest["split"].isin(["test", "all"])]
    for column in manifest.columns[manifest.columns.str.startswith("target_")]:
        counts = scored[column].value_counts()
        thin = counts[counts < MIN_CLIPS]
        checks[f"class balance of {column.removeprefix('target_')}"] = (
            thin.empty,
            f"{len(counts)} classes of {counts.min() if len(counts) else 0} to {counts.max() if len(counts) else 0} "
            f"scored clips{'; fewer than ' + str(MIN_CLIPS) + ': ' + ', '.join(thin.index[:5]) if len(thin) else ''}",
        )
    return checks
