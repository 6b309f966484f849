"""Builds that ask a server in batches, through the command line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cclearn.cli.main import app
from cclearn.engines import batch_files
from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.jsonl import read_coded_notes, write_rows
from tests.engines.batch_server import BatchServer, batches

pytestmark = pytest.mark.usefixtures("openai_environment")


def notes(folder: Path, count: int, origin: str = "synthetic") -> None:
    rows = [
        CodedNote(
            id=f"secret-{n}",
            text=f"Asthma {n}.",
            origin=origin,  # type: ignore[arg-type]
            codes=[AssignedCode(code="J45.909")],
        )
        for n in range(count)
    ]
    write_rows(folder / "notes.jsonl", rows)


def run(folder: Path, server: BatchServer, *options: str, **engine: Any) -> tuple[int, str]:
    """Run the build of silver evidence. Return the exit code and what it printed."""
    settings = {"base_url": server.url, "cache": str(folder / "answers.sqlite"), **engine}
    arguments = ["build", "silver", f"notes={folder / 'notes.jsonl'}", "model=openai:tiny"]
    arguments += [f"engine={json.dumps(settings)}", "--out", str(folder / "out"), *options]
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.output


def reply(request: dict[str, Any]) -> str | int | None:
    text = request["body"]["messages"][-1]["content"].rpartition("Note:\n")[2]
    if text == "Asthma 3.":
        return 500
    if text == "Asthma 4.":
        return None
    return "- Asthma => J45.909"


def test_a_batch_fills_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_files, "MAX_REQUESTS", 4)
    notes(tmp_path, 10)
    with batches(reply) as server:
        code, printed = run(tmp_path, server, "--dry-run", prompt_price=1.0)
        assert code == 0
        assert "10 new, 0 answered in the cache" in printed
        assert not (tmp_path / "out.batch").exists()
        assert not server.batches

        code, printed = run(tmp_path, server, "--batch", "submit")
        assert (code, len(server.batches)) == (0, 3)
        assert [len(server.requests(f"batch-{n}")) for n in (1, 2, 3)] == [4, 4, 2]
        request = server.requests("batch-1")[0]
        assert set(request) == {"custom_id", "method", "url", "body"}
        assert request["body"]["model"] == "tiny"
        assert "secret" not in json.dumps(request)
        files = sorted((tmp_path / "out.batch").glob("requests-*.jsonl"))
        assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 3

        # What is waiting is not submitted twice.
        assert run(tmp_path, server, "--batch", "submit")[0] == 0
        assert len(server.batches) == 3

        server.status = "in_progress"
        code, printed = run(tmp_path, server, "--batch", "status")
        assert Counter(word for word in printed.split() if word == "submitted")["submitted"] == 3
        server.status = "completed"
        code, printed = run(tmp_path, server, "--batch", "collect")
        assert code == 0
        assert "8 answers kept, 2 missing, 80 tokens read and 32 written" in printed
        assert "1  http_500" in printed

        # Only what is missing is submitted again.
        assert run(tmp_path, server, "--batch", "submit")[0] == 0
        assert len(server.batches) == 4
        assert len(server.requests("batch-4")) == 2

        (tmp_path / "answers").mkdir()
        code, printed = run(tmp_path, server, retries=0)
        assert code == 0
        cited = [
            bool(note.codes[0].evidence)
            for note in read_coded_notes(tmp_path / "out" / "notes.jsonl")
        ]
        assert cited == [True] * 3 + [False] * 2 + [True] * 5


def test_restricted_notes_are_in_no_batch(tmp_path: Path) -> None:
    notes(tmp_path, 2, "restricted")
    with batches(reply) as server:
        permissions = {"send_restricted": True, "may_send_restricted": True}
        code, printed = run(tmp_path, server, "--batch", "submit", **permissions)
        assert code != 0
        assert not server.batches
        # Files for a server on this machine may contain them.
        assert run(tmp_path, server, "--batch", "write")[0] == 0
        (path,) = (tmp_path / "out.batch").glob("requests-*.jsonl")
        # They are not uploaded with other notes either.
        private = (tmp_path / "notes.jsonl").read_bytes()
        notes(tmp_path, 1)
        assert run(tmp_path, server, "--batch", "submit")[0] != 0
        assert not server.files
        (tmp_path / "notes.jsonl").write_bytes(private)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        answers = [
            {
                "custom_id": line["custom_id"],
                "response": {
                    "status_code": 200,
                    "body": {
                        "id": "x",
                        "object": "chat.completion",
                        "created": 0,
                        "model": "tiny",
                        "choices": [
                            {
                                "index": 0,
                                "finish_reason": "stop",
                                "message": {"role": "assistant", "content": "- Asthma => J45.909"},
                            }
                        ],
                    },
                },
                "error": None,
            }
            for line in [*lines, {"custom_id": "another"}]
        ]
        local = tmp_path / "out.batch" / "answers-1.jsonl"
        local.write_text("".join(json.dumps(row) + "\n" for row in answers))
        code, printed = run(tmp_path, server, "--batch", "collect")
        assert "2 answers kept, 0 missing" in printed
        assert "1  not a request of this folder" in printed
        assert run(tmp_path, server)[0] == 0
        found = read_coded_notes(tmp_path / "out" / "notes.jsonl")
        assert all(note.codes[0].evidence for note in found)


def test_the_estimate_is_held_against_the_budget(tmp_path: Path) -> None:
    notes(tmp_path, 5)
    with batches(reply) as server:
        code, _ = run(
            tmp_path, server, "--batch", "submit", prompt_price=1e6, answer_price=1e6, cost=1.0
        )
        assert code != 0
        assert not server.batches
        estimate = 5 * 460
        code, _ = run(tmp_path, server, "--batch", "submit", tokens=estimate)
        assert (code, len(server.batches)) == (0, 1)
        # The requests that wait count once.
        assert run(tmp_path, server, "--batch", "submit", tokens=estimate)[0] == 0
        notes(tmp_path, 10)
        assert run(tmp_path, server, "--batch", "submit", tokens=estimate)[0] != 0
        assert len(server.batches) == 1


def test_counting_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    notes(tmp_path, 3)
    path = tmp_path / "notes.jsonl"
    settings = [
        f"notes={path}",
        "model=openai:some-model",
        "engine={base_url: http://a.invalid/v1}",
    ]
    arguments = ["build", "silver", *settings, "--out", str(tmp_path / "out")]
    counted = CliRunner().invoke(app, [*arguments, "--dry-run"])
    assert counted.exit_code == 0
    assert "3 new, 0 answered in the cache" in counted.output
    built = CliRunner().invoke(app, arguments)
    assert built.exit_code == 1
    assert "OPENAI_API_KEY (server = a.invalid): it is not set." in str(built.exception)
