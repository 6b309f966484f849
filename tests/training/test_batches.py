from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from cclearn.errors import ConfigurationError
from cclearn.rows import EncodedRow
from cclearn.training.batches import GroupCollator, RowSampler, group_rows, make_dataset
from cclearn.training.dry_run import dry_run
from cclearn.training.sft import run_sft
from tests.training.runs import ROOT, losses, script, tiny_recipe


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, ...]:
    """Arguments that launch two processes on the CPU."""
    config = (ROOT / "recipes" / "accelerate" / "ddp.yaml").read_text()
    path = tmp_path / "ddp.yaml"
    path.write_text(config.replace("use_cpu: false", "use_cpu: true"))
    return ("--config_file", str(path))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


def assert_close(one: Path, other: Path) -> None:
    assert [step for step, _ in losses(one)] == [step for step, _ in losses(other)]
    for (_, first), (_, second) in zip(losses(one), losses(other), strict=True):
        assert first == pytest.approx(second, rel=1e-3)
    for name, weight in weights(one).items():
        torch.testing.assert_close(weights(other)[name], weight, atol=1e-3, rtol=1e-2)


def test_accumulated_batches_are_one_batch_with_unequal_lengths(data: Path, tmp_path: Path) -> None:
    settings = [
        "training.batching=padded",
        "training.batch_tokens=null",
        "training.optimizer=adamw",
        "training.learning_rate=1e-3",
    ]
    at_once = run_sft(tiny_recipe(data, tmp_path / "a", *settings, "training.batch_size=8"))
    accumulated = (*settings, "training.batch_size=1", "training.accumulation=8")
    one_by_one = run_sft(tiny_recipe(data, tmp_path / "b", *accumulated))
    assert_close(at_once, one_by_one)
    tokens = [
        json.loads((folder / "manifest.json").read_text())["tokens_seen"]
        for folder in (at_once, one_by_one)
    ]
    assert tokens[0] == tokens[1]


@pytest.mark.slow
def test_two_processes_train_like_one(data: Path, tmp_path: Path, two: tuple[str, ...]) -> None:
    settings = [
        "training.batching=padded",
        "training.batch_tokens=null",
        "training.optimizer=adamw",
        "training.learning_rate=1e-3",
    ]
    done = subprocess.run(
        script(
            data,
            tmp_path / "two",
            "--processes=2",
            *settings,
            "training.batch_size=4",
            accelerate=two,
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 processes on cpu, effective batch 8 rows." in done.stderr
    assert done.stdout.count("The model is in") == 1
    assert json.loads((tmp_path / "two" / "manifest.json").read_text())["processes"] == 2
    alone = run_sft(tiny_recipe(data, tmp_path / "one", *settings, "training.batch_size=8"))
    assert_close(alone, tmp_path / "two")


@pytest.mark.slow
def test_another_number_of_processes_is_refused(data: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        script(data, tmp_path / "run", "--processes=2"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "--processes (2): the launcher started 1." in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_killed_rank_ends_the_run_and_leaves_no_output(
    data: Path, tmp_path: Path, two: tuple[str, ...]
) -> None:
    process = subprocess.Popen(
        script(
            data, tmp_path / "run", "training.steps=100000", "training.save_every=5", accelerate=two
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    checkpoints = tmp_path / "run.checkpoints"
    deadline = time.monotonic() + 180
    while not list(checkpoints.glob("step-*/complete.json")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.1)
    launcher = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    ranks = launcher.read_text().split()
    assert len(ranks) == 2
    os.kill(int(ranks[-1]), signal.SIGKILL)
    try:
        _, errors = process.communicate(timeout=120)
    finally:
        for rank in ranks:
            with suppress(ProcessLookupError):
                os.kill(int(rank), signal.SIGKILL)
        process.kill()
        process.wait()
    assert process.returncode != 0
    assert "SIGKILL" in errors or "Signal 9" in errors
    assert not (tmp_path / "run").exists()


def rows(count: int, kind: str, length: int) -> list[EncodedRow]:
    return [
        EncodedRow(f"{kind}{n}", kind, [n] * (length + n % 3), [0] + [1] * (length + n % 3 - 1))  # type: ignore[arg-type]
        for n in range(count)
    ]


def test_packs_contain_every_row_once_and_uncut(data: Path, tmp_path: Path) -> None:
    training = tiny_recipe(data, tmp_path, "training.max_length=20").training
    phases = [rows(50, "span", 4), rows(5, "document", 15)]
    dataset, sizes = make_dataset(phases, training)
    assert len(dataset) == sum(sizes) < 55
    found: Counter[tuple[int, ...]] = Counter()
    for number, pack in enumerate(dataset):
        assert len(pack["input_ids"]) <= 20
        start = 0
        for length in pack["seq_lengths"]:
            ids = pack["input_ids"][start : start + length]
            assert pack["labels"][start : start + length] == [-100, *ids[1:]]
            found[tuple(ids)] += 1
            # Packs of one phase hold rows of that phase alone.
            assert (length >= 15) == (number >= sizes[0])
            start += length
    assert found == Counter(tuple(row.input_ids) for phase in phases for row in phase)


def test_phases_follow_each_other() -> None:
    sampler = RowSampler([4, 2], seed=0, rounds=2)
    order = list(sampler)
    assert len(order) == len(sampler) == 12
    assert [sorted(order[:4]), sorted(order[4:8])] == [[0, 1, 2, 3]] * 2
    assert [sorted(order[8:10]), sorted(order[10:])] == [[4, 5]] * 2
    assert order == list(sampler)
    assert order != list(RowSampler([4, 2], seed=1, rounds=2))


@given(size=st.integers(1, 60), epoch=st.integers(0, 3))
def test_an_order_depends_only_on_seed_and_epoch(size: int, epoch: int) -> None:
    sampler = RowSampler([size], 7)
    torch.manual_seed(epoch)  # The global seed must not matter.
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert sorted(order) == list(range(size))
    again = RowSampler([size], 7)
    list(again)
    again.set_epoch(epoch)
    assert list(again) == order


@given(lengths=st.lists(st.integers(1, 100), min_size=1, max_size=200), most=st.integers(100, 300))
def test_groups_hold_every_row_once_and_no_more_tokens_than_allowed(
    lengths: list[int], most: int
) -> None:
    made = [
        EncodedRow(str(n), "span", [1] * length, [1] * length) for n, length in enumerate(lengths)
    ]
    groups = group_rows(made, most)
    assert sorted(row.id for group in groups for row in group) == sorted(row.id for row in made)
    for group in groups:
        sizes = [len(row.input_ids) for row in group]
        assert max(sizes) * len(sizes) <= most
    # A group is full, if the next row could not be added.
    for group, following in pairwise(groups):
        widest = max(len(row.input_ids) for row in (*group, following[0]))
        assert widest * (len(group) + 1) > most


def test_rows_of_a_group_have_similar_lengths() -> None:
    rng = random.Random(0)
    made = [
        EncodedRow(str(n), "span", [1] * length, [1] * length)
        for n, length in enumerate(rng.choices(range(20, 1_000), k=3_000))
    ]
    groups = group_rows(made, 2_048)
    useful = sum(len(row.input_ids) for row in made)
    padded = sum(max(len(row.input_ids) for row in group) * len(group) for group in groups)
    assert useful / padded > 0.94
    # Copies of a row that are far apart are in different groups.
    twice = group_rows([*made, *made], 2_048)
    together = sum(len({row.id for row in group}) < len(group) for group in twice)
    assert together < 0.1 * len(twice)


def test_a_batch_smaller_than_the_longest_row_is_refused(data: Path, tmp_path: Path) -> None:
    training = tiny_recipe(data, tmp_path, "training.batch_tokens=40").training
    with pytest.raises(ConfigurationError) as caught:
        make_dataset([rows(3, "document", 41)], training)
    (problem,) = caught.value.problems
    assert problem.startswith(
        "training.batch_tokens (batch_tokens = 40): the longest row has 43 tok"
    )


def test_groups_are_collated_with_padding(data: Path, tmp_path: Path) -> None:
    training = tiny_recipe(data, tmp_path, "training.batching=grouped").training
    dataset, _ = make_dataset([rows(7, "span", 4)], training)
    (batch,) = [GroupCollator(pad=0)([dataset[0]])]
    assert batch["input_ids"].shape == batch["labels"].shape == (7, 6)
    assert batch["attention_mask"].sum() == sum(map(len, dataset[0]["input_ids"]))
    assert (batch["labels"] == -100).sum() == 7 + (batch["attention_mask"] == 0).sum()


@pytest.mark.slow
def test_spans_come_before_documents(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cclearn.training import sft

    seen: list[int] = []

    class Spy(sft._Trainer):  # type: ignore[misc]
        def training_step(
            self, model: object, inputs: dict[str, torch.Tensor], *args: object
        ) -> object:
            seen.append(int(inputs["input_ids"].shape[-1]))
            return super().training_step(model, inputs, *args)

    monkeypatch.setattr(sft, "_Trainer", Spy)
    settings = ["rows.order=span_then_document", "training.steps=null", "training.epochs=2"]
    settings += ["training.batching=padded", "training.batch_tokens=null"]
    recipe = tiny_recipe(data, tmp_path / "run", *settings)
    span, document = dry_run(recipe).epoch_rows
    run_sft(recipe)
    assert (span.kind, document.kind) == ("span", "document")
    assert len(seen) == 2 * (span.rows + document.rows)
    assert sum(seen[: 2 * span.rows]) == 2 * span.tokens
    assert sum(seen[2 * span.rows :]) == 2 * document.tokens


def test_shares_are_those_of_the_epoch_in_either_order(data: Path, tmp_path: Path) -> None:
    shares = ["rows.sources.0.share=0.5", "rows.sources.1.share=0.5"]
    shares += ["rows.sources.0.repeats=100", "rows.sources.1.repeats=100"]
    shares += ["training.steps=null", "training.epochs=1"]
    mixed, ordered = (
        dry_run(tiny_recipe(data, tmp_path / "run", *shares, f"rows.order={order}")).epoch_rows
        for order in ("mixed", "span_then_document")
    )
    assert [(part.kind, part.rows) for part in mixed] == [(p.kind, p.rows) for p in ordered]
    first, second = (part.tokens for part in ordered)
    assert first == pytest.approx(second, rel=0.1)


def test_missing_packages_are_reported_together(data: Path, tmp_path: Path) -> None:
    settings = ["training.liger=true", "training.attention=flash_attention_2"]
    settings += ["training.report_to=trackio"]
    with pytest.raises(ConfigurationError) as error:
        run_sft(tiny_recipe(data, tmp_path / "run", *settings))
    assert [problem.split(":")[0].split(" ")[0] for problem in error.value.problems] == [
        "training.liger",
        "training.attention",
        "training.report_to",
    ]
    assert list(tmp_path.iterdir()) == []
