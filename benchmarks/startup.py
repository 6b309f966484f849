"""Duration of commands in the shell, and of loading the code system.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import save, seconds

NOTE = "Admitted with acute on chronic systolic heart failure. No evidence of pneumonia.\n"
LOAD = """
import time
started = time.perf_counter()
from cclearn.codes import CodeSystem
CodeSystem.load()
print(time.perf_counter() - started)
"""
PACKAGE = LOAD.replace(
    "from cclearn.codes import CodeSystem\nCodeSystem.load()", "import simple_icd_10_cm"
)


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name) / "cache"
        note = Path(name) / "note.txt"
        note.write_text(NOTE)
        environment = {**os.environ, "CCLEARN_CACHE": str(cache)}

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, *arguments], env=environment, capture_output=True, check=True
            )
            return done.stdout.decode()

        def code() -> None:
            run("-m", "cclearn.cli.main", "code", str(note))

        def code_without_cache() -> None:
            shutil.rmtree(cache, ignore_errors=True)
            code()

        figures = {
            "help": seconds(lambda: run("-m", "cclearn.cli.main", "--help")),
            "code_one_note_first_time": seconds(code_without_cache, runs=3),
            "code_one_note": seconds(code),
        }
        loads = sorted(float(run("-c", LOAD)) for _ in range(7))
        imports = sorted(float(run("-c", PACKAGE)) for _ in range(7))
        figures["load_code_system"] = {"median": loads[3], "maximum": loads[-1]}
        figures["import_simple_icd_10_cm"] = {"median": imports[3], "maximum": imports[-1]}
        figures["load_to_import_ratio"] = {"median": loads[3] / imports[3]}
    save("startup", {"seconds": figures})


if __name__ == "__main__":
    main()
