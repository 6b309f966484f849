"""Write `constraints.txt` and the lock files. Run it with `make lock`.

`constraints.txt` pins every package of an installation with the extras below, for each supported Python
and platform. The lock files hold the same versions, with the SHA-256 of every file that PyPI lists:

- `requirements.lock`: the command line and the service, without CUDA;
- `requirements-cuda.lock`: what torch's CUDA build for Linux needs in addition;
- `requirements-ray.lock`: what a Ray cluster needs in addition.

Pinned versions are kept. `--upgrade` and `--upgrade-package NAME` upgrade them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "tools"

PINNED_EXTRAS = ("dev", "fhir", "openai", "ray", "serve")
LOCKED_EXTRAS = ("fhir", "openai", "serve")
RAY = "ray[data,default]"

CUDA = re.compile(r"(cuda|nvidia)-|triton$")
"""Packages that only the CUDA build of torch requires."""

_HEADER = "# Written by `make lock`; do not edit.\n"


def main(options: list[str]) -> None:
    """Write all files.

    Args:
        options: Options of `uv pip compile`, for example `--upgrade`.
    """
    constraints = ROOT / "constraints.txt"
    extras = [f"--extra={name}" for name in PINNED_EXTRAS]
    write(constraints, compile_pins(constraints, ["pyproject.toml", *extras, *options]))

    hashed = ["--generate-hashes", f"--constraints={constraints}", *options]
    locked = ["pyproject.toml", *(f"--extra={name}" for name in LOCKED_EXTRAS)]
    base_file, ray_file = ROOT / "requirements.lock", ROOT / "requirements-ray.lock"
    base = with_cpu_wheels(compile_pins(base_file, [*locked, *hashed]))
    cluster = compile_pins(ray_file, [*locked, "-", *hashed], stdin=RAY)
    cuda_file = ROOT / "requirements-cuda.lock"
    write(base_file, {name: pin for name, pin in base.items() if not CUDA.match(name)})
    write(cuda_file, {name: pin for name, pin in base.items() if CUDA.match(name)})
    write(ray_file, {name: pin for name, pin in cluster.items() if name not in base})

    tools_file = TOOLS / "requirements.lock"
    write(
        tools_file,
        compile_pins(tools_file, ["tools/requirements.in", "--generate-hashes", *options]),
    )


def compile_pins(file: Path, arguments: list[str], stdin: str = "") -> dict[str, str]:
    """Return the pins that uv resolves by package. A pin is a line, and the lines of its hashes.

    Args:
        file: File with the present pins. Their versions are kept if they satisfy the requirements.
        arguments: Sources and options of `uv pip compile`. The source `-` reads `stdin`.
        stdin: Requirements, one on each line.
    """
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version=3.11"]
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    with TemporaryDirectory() as folder:
        pins = Path(folder, file.name)
        # The hashes are removed, because uv would keep them instead of reading them again.
        pins.write_text(re.sub(r" \\$|^ +--hash.*\n", "", before, flags=re.M), encoding="utf-8")
        command += ["--no-header", "--no-annotate", f"--output-file={pins}", *arguments]
        subprocess.run(command, cwd=ROOT, input=stdin, text=True, check=True)  # noqa: S603
        written = pins.read_text(encoding="utf-8")
    # A pin can continue on indented lines.
    blocks = re.findall(r"^[^\s#].*\n(?:[ \t].*\n)*", written, re.MULTILINE)
    return {
        re.split(r"[=\s\[]", block, maxsplit=1)[0]: block
        for block in blocks
        if "sys_platform == 'emscripten'" not in block  # This platform is not supported.
    }


def write(file: Path, pins: dict[str, str]) -> None:
    """Write a file of pins."""
    file.write_text(_HEADER + "".join(pins.values()), encoding="utf-8")


def with_cpu_wheels(pins: dict[str, str]) -> dict[str, str]:
    """Return the pins with the hashes of torch's CPU wheels on the PyTorch index."""
    version = re.search(r"==(\S+)", pins["torch"])
    wheels = re.findall(
        r"^([0-9a-f]{64})  torch-([\d.]+)\+cpu-",
        (TOOLS / "torch_cpu.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    if version is None or {wheel_version for _, wheel_version in wheels} != {version[1]}:
        sys.exit(
            f"tools/torch_cpu.txt does not contain the hashes of {pins['torch'].splitlines()[0]}"
        )
    hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest, _ in wheels)
    return {**pins, "torch": pins["torch"].rstrip("\n") + hashes + "\n"}


if __name__ == "__main__":
    main(sys.argv[1:])
