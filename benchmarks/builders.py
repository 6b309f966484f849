"""Building all span pairs of ICD-10-CM with variants: time and memory on one core, and scaling.

With `--ray`, one process is compared with two workers of a Ray cluster instead.

python benchmarks/builders.py [--ray]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import save

from cclearn.runtime.files import sha256_of_file

VARIANTS = 8
WORKERS = 8
NOTES = 100_000
RAY_WORKERS = 2
_COMMAND = "from cclearn.cli.main import main; main()"


def build(
    folder: Path,
    cores: int | None = None,
    builder: str = "icd10cm",
    options: tuple[str, ...] = (),
    **settings: object,
) -> dict[str, float]:
    """Run `cclearn build` in a separate process, and return its figures.

    Args:
        folder: Output folder.
        cores: Number of cores of the process. None means all.
        builder: Name of the builder.
        options: Options of the command.
        settings: Settings of the builder.
    """

    def limit_cores() -> None:
        if cores is not None:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

    arguments = [f"{name}={value}" for name, value in settings.items()]
    command = [sys.executable, "-c", _COMMAND, "build", builder, *arguments, "--out", str(folder)]
    command += options
    started = time.perf_counter()
    process = subprocess.Popen(
        command, preexec_fn=limit_cores, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
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
    """Return the SHA-256 of each file of a folder."""
    return {file.name: sha256_of_file(file) for file in sorted(folder.iterdir())}


def compare_with_ray(folder: Path, name: str, **arguments: object) -> dict[str, object]:
    """Compare a build in one process with `--ray local`, on as many cores as Ray has workers."""
    one = build(folder / f"{name}-local", RAY_WORKERS, name, **arguments)
    on_cluster = build(folder / f"{name}-ray", RAY_WORKERS, name, ("--ray", "local"), **arguments)
    return {
        "one_process": one,
        f"ray_{RAY_WORKERS}_workers": on_cluster,
        "times_as_fast": round(one["seconds"] / on_cluster["seconds"], 2),
        "same_bytes": hashes(folder / f"{name}-local") == hashes(folder / f"{name}-ray"),
    }


def on_ray() -> None:
    """Measure builds on a Ray cluster."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "pairs", variants=0)
        source = folder / "pairs" / "pairs.jsonl"
        save(
            "builders_ray",
            {
                f"icd10cm_variants_{VARIANTS}": compare_with_ray(
                    folder, "icd10cm", variants=VARIANTS
                ),
                f"template_notes_{NOTES}": compare_with_ray(
                    folder, "template_notes", pairs=source, notes=NOTES
                ),
                f"joined_spans_{NOTES}": compare_with_ray(
                    folder, "joined_spans", pairs=source, rows=NOTES
                ),
            },
        )


def main() -> None:
    """Measure builds in one process and in several."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "warm", variants=0)
        plain = build(folder / "none", cores=1, variants=0)
        one = build(folder / "one", cores=1, variants=VARIANTS)
        several = build(folder / "several", variants=VARIANTS, workers=WORKERS)
        same = hashes(folder / "one") == hashes(folder / "several")
        ten = build(folder / "ten", cores=1, variants=10 * VARIANTS)
    save(
        "builders",
        {
            "variants_0": plain,
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ray", action="store_true", help="compare with a Ray cluster")
    on_ray() if parser.parse_args().ray else main()
