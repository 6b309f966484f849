from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(file: str) -> dict[str, str]:
    """Return the versions that a file pins, by package."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def needed(requirements: list[str]) -> Iterator[str]:
    """Yield the packages that an installation here consists of, by what the installed ones require."""
    waiting = [(Requirement(line), "") for line in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            below = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        for inner in ("", *sorted(requirement.extras)):
            if (name, inner) not in seen:
                seen.add((name, inner))
                waiting += [(Requirement(line), inner) for line in below]
        yield name


def test_every_package_of_an_installation_is_pinned() -> None:
    pinned = pins("constraints.txt")
    asked = [*PROJECT["dependencies"], *EXTRAS["dev"]]
    names = set(needed(asked))
    assert len(names) > 100
    assert names <= set(pinned)


@pytest.mark.parametrize("file", ["constraints.txt", "requirements.lock"])
def test_pins_are_what_the_project_asks_for(file: str) -> None:
    pinned = pins(file)
    extras = EXTRAS if file == "constraints.txt" else ("fhir", "openai", "serve")
    asked = PROJECT["dependencies"] + [
        line
        for extra in extras
        if extra in ("dev", "fhir", "openai", "ray", "serve")
        for line in EXTRAS[extra]
    ]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])


def test_lock_files_hold_the_versions_of_the_constraints_with_their_hashes() -> None:
    constraints = pins("constraints.txt")
    base, cuda, ray = (pins(f"requirements{layer}.lock") for layer in ("", "-cuda", "-ray"))
    locked = {**base, **cuda, **ray}
    assert len(locked) == len(base) + len(cuda) + len(ray)
    for name in constraints.keys() & locked.keys():
        assert constraints[name] == locked[name]
    assert set(needed(PROJECT["dependencies"] + EXTRAS["serve"] + EXTRAS["openai"])) <= set(base)
    for layer in ("", "-cuda", "-ray"):
        text = (ROOT / f"requirements{layer}.lock").read_text(encoding="utf-8")
        blocks = re.findall(r"^[^\s#].*\n(?:[ \t].*\n)*", text, re.MULTILINE)
        assert len(blocks) == len(pins(f"requirements{layer}.lock"))
        for block in blocks:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), block


def test_the_lock_file_takes_the_cpu_wheels_of_the_pinned_torch() -> None:
    version = pins("requirements.lock")["torch"]
    wheels = re.findall(
        r"^([0-9a-f]{64})  torch-(\S+?)\+cpu-cp311-\S+\.whl$",
        (ROOT / "tools" / "torch_cpu.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert wheels
    for digest, of in wheels:
        assert of == version
        assert f"--hash=sha256:{digest}" in lock


def test_the_image_is_made_of_what_is_fixed_by_hashes() -> None:
    recipe = (ROOT / "examples" / "deployment" / "Containerfile").read_text(encoding="utf-8")
    (base,) = re.findall(r"^ARG BASE=(.*)$", recipe, re.MULTILINE)
    assert re.fullmatch(r"docker\.io/library/python:3\.11\S*@sha256:[0-9a-f]{64}", base)
    assert re.findall(r"^FROM (.*)$", recipe, re.MULTILINE) == ["${BASE}"]
    for line in re.findall(r"pip install (.*)", recipe):
        assert "--require-hashes" in line or {"--no-deps", "--no-build-isolation"} <= set(
            line.split()
        )
    copied = re.findall(r"^COPY (.*) \S+$", recipe, re.MULTILINE)
    allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert name in allowed
