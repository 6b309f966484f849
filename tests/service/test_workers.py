"""Coders that fail, processes that end, and stopping."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.service.workers import Worker
from tests.service.served import ROOT, Reply, Served, scripted, scripted_service, serving
from tests.service.test_limits import in_background, sleeping


def note(text: str, name: str = "x") -> dict[str, str]:
    return {"id": name, "text": text}


def test_a_note_that_fails_takes_no_other_down(tight: Served) -> None:
    reply = tight.code([note("good", "a"), note("raise hell", "b"), note("good", "c")])
    assert reply.status == 200
    first, failed, last = reply.json
    assert [code["code"] for code in first["codes"]] == ["I10"]
    problem = "the coder failed (ValueError). The service's log says where."
    assert failed == {"id": "b", "error": {"kind": "error", "problem": problem}}
    assert last["id"] == "c"
    alone = tight.code(note("raise hell"))
    assert (alone.status, alone.detail) == (500, f"note 1: {problem}")
    assert b"ValueError in service/scripted.py:" in tight.log
    assert b"hell" not in tight.log


def test_what_a_coder_may_not_or_cannot_do_is_told(tight: Served) -> None:
    reply = tight.code(note("restricted"))
    assert (reply.status, reply.detail) == (403, "note 1: note: its text is restricted.")
    reply = tight.code([note("refuse", "a"), note("refuse", "b")])
    assert reply.status == 502
    assert "localhost answers 401" in reply.detail
    lines = tight.code([note("refuse", "a"), note("", "b")], accept="application/x-ndjson").lines
    assert lines[0]["error"]["kind"] == "model"
    assert "localhost answers 401" in lines[0]["error"]["problem"]
    assert lines[1]["codes"] == []


def test_a_note_without_a_whole_answer_is_no_coded_note(tight: Served) -> None:
    for flag, status in (("timeout", 504), ("connection", 502), ("refusal", 502)):
        reply = tight.code(note(f"flag {flag}"))
        assert reply.status == status
        assert f"gave no complete answer ({flag})" in reply.detail
    reply = tight.code(note("flag truncated"))
    assert (reply.status, reply.json["flags"]) == (200, ["truncated"])


def test_tokens_are_counted(tight: Served) -> None:
    before = tight.metric("cclearn_prompt_tokens_total")
    tight.code([note("tokens", "a"), note("tokens", "b")])
    assert tight.metric("cclearn_prompt_tokens_total") - before == 6
    assert tight.metric("cclearn_answer_tokens_total") >= 4


def test_a_worker_that_is_killed_is_made_anew_and_nothing_is_lost(system: CodeSystem) -> None:
    with scripted(max_batch=4) as served:
        thread, replies = in_background(served, sleeping(4, 0.3))
        served.wait_for(lambda: served.metric("cclearn_notes_in_progress") == 4)
        (worker,) = served.workers
        worker.kill()
        thread.join()
        assert [row["id"] for row in replies[0].json] == ["n0", "n1", "n2", "n3"]
        assert served.metric("cclearn_workers_lost") == 1
        assert served.metric("cclearn_workers") == 1
        (worker,) = served.workers
        worker.kill()  # While it idles, and nobody asks for it.
        worker.wait(10)
        served.wait_for(lambda: served.metric("cclearn_workers_lost") == 2)
        served.wait_for(lambda: served.metric("cclearn_workers") == 1)
        assert served.code(note("good")).status == 200


def test_a_note_that_kills_the_worker_is_answered_with_an_error(system: CodeSystem) -> None:
    with scripted(max_batch=4) as served:
        reply = served.code([note("good", "a"), note("die", "b"), note("good", "c")])
        problem = "the coder's process was lost twice over it."
        assert [row["id"] for row in reply.json] == ["a", "b", "c"]
        assert reply.json[1] == {"id": "b", "error": {"kind": "worker", "problem": problem}}
        assert served.code(note("die")).status == 503
        assert served.code(note("good")).status == 200
        assert b"Traceback" not in served.log


@pytest.mark.slow
def test_a_worker_that_hangs_is_ended(system: CodeSystem) -> None:
    with scripted(time_limit=0.5) as served:
        assert served.code(note("sleep 600")).status == 504
        (stuck,) = served.workers
        stuck.wait(20)
        served.wait_for(lambda: served.code(note("good")).status == 200)
        assert b"did not answer for 1 s" in served.log


@pytest.mark.slow
def test_a_worker_that_does_not_start_again_is_tried_again(
    system: CodeSystem, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    with scripted(broken=broken) as served:
        broken.touch()
        thread, replies = in_background(served, note("sleep 0.5"))
        served.wait_for(lambda: served.metric("cclearn_notes_in_progress") == 1)
        (worker,) = served.workers
        worker.kill()
        served.wait_for(lambda: b"it is broken" in served.log)
        health = served.ask("GET", "/healthz")
        assert (health.status, health.json["status"]) == (503, "no worker")
        refused = served.code(note("good"))
        assert (refused.status, refused.headers["retry-after"]) == (503, "30")
        broken.unlink()
        thread.join()
        assert replies[0].status == 200
        assert served.ask("GET", "/healthz").status == 200


def test_a_stop_finishes_what_was_taken(system: CodeSystem) -> None:
    with scripted(max_batch=2) as served:
        thread, replies = in_background(served, sleeping(4, 0.4))
        streamed, lines = in_background(
            served, sleeping(2, 0.4, "s"), accept="application/x-ndjson"
        )
        served.wait_for(
            lambda: (
                served.metric("cclearn_notes_in_progress") + served.metric("cclearn_waiting_notes")
                == 6
            )
        )
        (worker,) = served.workers
        served.process.send_signal(signal.SIGTERM)
        worker.terminate()  # As a service manager does to the whole group.
        thread.join()
        streamed.join()
        assert [row["id"] for row in replies[0].json] == ["n0", "n1", "n2", "n3"]
        assert [line["id"] for line in lines[0].lines] == ["s0", "s1"]
        assert all("codes" in row for row in [*replies[0].json, *lines[0].lines])
        assert served.process.wait(20) == 0


@pytest.mark.slow
def test_a_second_signal_stops_at_once(system: CodeSystem) -> None:
    with closing(scripted_service()) as served, served.open(note("sleep 600")):
        served.wait_for(lambda: served.metric("cclearn_notes_in_progress") == 1)
        (worker,) = served.workers
        served.process.send_signal(signal.SIGINT)
        served.wait_for(lambda: b"Shutting down" in served.log)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 1
        assert not worker.is_running()
        assert b"Traceback" not in served.log


@pytest.mark.slow
def test_no_worker_outlives_a_server_that_was_killed(system: CodeSystem) -> None:
    with closing(scripted_service()) as served:
        children = psutil.Process(served.process.pid).children(recursive=True)
        assert served.workers
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def refused(*options: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cclearn", "serve", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


def test_all_that_is_wrong_is_told_at_once() -> None:
    lines = refused(
        *("--model", "lexikon", "--mode", "span-loop", "--limit", "max_batc=3"),
        *("--limit", "time_limit=soon", "--port", "99999"),
    )
    assert len(lines) == 4
    assert "mode" in lines[0]
    assert any("Did you mean 'max_batch'?" in line for line in lines)


@pytest.mark.parametrize(
    "size", ["inf", "0", *(pytest.param(size, marks=pytest.mark.slow) for size in ("nan", "1e308"))]
)
def test_a_size_is_a_number_of_bytes(size: str) -> None:
    (line,) = refused("--limit", f"max_held={size}")
    assert line.startswith("--limit: ")
    assert "max_held" in line


def test_another_address_needs_a_key() -> None:
    (line,) = refused("--host", "0.0.0.0")  # noqa: S104 - refused
    assert "CCLEARN_API_KEY" in line
    (line,) = refused("--host", "0.0.0.0", CCLEARN_API_KEY="secret")  # noqa: S104 - refused
    assert "secret" not in line


@pytest.mark.slow
def test_a_coder_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    (line,) = refused("--port", "0", "--model", str(tmp_path / "missing"))
    assert "there is no such folder" in line
    (line,) = refused("--port", "0", "--pairs", str(tmp_path / "missing.jsonl"))
    assert "no such file" in line


def test_a_process_that_ends_while_it_loads_is_told() -> None:
    async def start() -> None:
        await Worker(partial(os._exit, 3), 1).start()

    with pytest.raises(CclearnError, match="it ended while its coder was loaded"):
        asyncio.run(start())


@pytest.mark.slow
def test_an_address_that_is_taken_is_told(lexicon: Served) -> None:
    (line,) = refused("--port", str(lexicon.port))
    assert line.startswith(f"address (host = 127.0.0.1, port = {lexicon.port}): Address already")


@pytest.mark.slow
def test_several_workers_share_the_notes(system: CodeSystem) -> None:
    with serving("--workers", "2") as served:
        assert len(served.workers) == 2
        replies: list[Reply] = []
        threads = [
            threading.Thread(target=lambda: replies.append(served.code(note("Asthma."))))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [reply.status for reply in replies] == [200] * 8
        assert served.ask("GET", "/healthz").json["workers"] == 2
