"""Building all pairs of ICD-10-CM with variants: seconds and memory on one core, and ten times as many.

python benchmarks/builders.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import save

from cclearn.files import sha256_of_file

VARIANTS = 8
WORKERS = 8
_COMMAND = "from cclearn.cli import main; main()"


def build(folder: Path, cores: int | None = None, **settings: int) -> dict[str, float]:
    """Run `cclearn build icd10cm` in a process of its own, on so many cores."""

    def on_few_cores() -> None:
        if cores is not None:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

    arguments = [f"{name}={value}" for name, value in settings.items()]
    command = [sys.executable, "-c", _COMMAND, "build", "icd10cm", *arguments, "--out", str(folder)]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, preexec_fn=on_few_cores, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    rows = json.loads((folder / "stats.json").read_text())["rows"]
    taken = time.perf_counter() - started
    return {
        "pairs": rows,
        "seconds": round(taken, 1),
        "pairs_per_second": round(rows / taken),
        "peak_mib": round(usage.ru_maxrss / 2**10),
    }


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: sha256_of_file(file) for file in sorted(folder.iterdir())}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "warm", variants=0)
        none = build(folder / "none", cores=1, variants=0)
        one = build(folder / "one", cores=1, variants=VARIANTS)
        several = build(folder / "several", variants=VARIANTS, workers=WORKERS)
        same = hashes(folder / "one") == hashes(folder / "several")
        ten = build(folder / "ten", cores=1, variants=10 * VARIANTS)
    save(
        "builders",
        {
            "variants_0": none,
            f"variants_{VARIANTS}": one,
            f"variants_{VARIANTS}_workers_{WORKERS}": several,
            f"variants_{10 * VARIANTS}": ten,
            "same_bytes_with_several_workers": same,
            "ten_times_the_variants": {
                name: round(ten[name] / one[name], 2) for name in ("pairs", "seconds", "peak_mib")
            },
        },
    )


if __name__ == "__main__":
    main()
