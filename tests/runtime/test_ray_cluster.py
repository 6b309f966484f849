import importlib.util
import json
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.runtime import ray_cluster as cluster
from cclearn.runtime.ray_cluster import WorkerError, errors_for_the_user, ray_cluster


def test_an_error_of_ours_keeps_its_words_on_the_way() -> None:
    with pytest.raises(WorkerError) as error, errors_for_the_user():
        raise DataError("notes.jsonl", "no such file", 3)
    assert str(error.value) == "notes.jsonl:3: no such file"
    error.value.args = ("Ray Data puts advice here.",)
    assert str(pickle.loads(pickle.dumps(error.value))) == "notes.jsonl:3: no such file"


def test_of_another_error_the_text_stays_behind() -> None:
    with pytest.raises(WorkerError) as error, errors_for_the_user():
        raise ValueError("the note's words")
    line = test_of_another_error_the_text_stays_behind.__code__.co_firstlineno + 2
    assert str(error.value) == (
        f"a worker failed: ValueError in runtime/test_ray_cluster.py:{line}. Report it."
    )
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("ray://head:10001", "does not run through the Ray client"),
        ("head", "Use local, auto or HOST:PORT"),
        ("head:port", "Use local, auto or HOST:PORT"),
        ("head:99999", "Use local, auto or HOST:PORT"),
    ],
)
def test_what_is_no_address_is_refused(address: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why), ray_cluster(address):
        pass


def test_ray_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"Install cclearn\[ray\]"), ray_cluster("local"):
        pass


@pytest.fixture
def web_server() -> Iterator[str]:
    """The address of a server that speaks another protocol."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_another_server_is_no_head(web_server: str) -> None:
    with pytest.raises(CclearnError, match="is not a head of Ray"), ray_cluster(web_server):
        pass


def test_nothing_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = ["build", "icd10cm", "variants=1", "--out", "out", "--ray", f"127.0.0.1:{port}"]
    ran = subprocess.run(
        [sys.executable, "-m", "cclearn", *command], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 2
    assert ran.stderr == (
        f"ray (address = 127.0.0.1:{port}): nothing answers there."
        " Start the head (`ray start --head`), or name another address.\n"
    )


@pytest.mark.parametrize(
    ("address", "error", "why"),
    [
        ("auto", ConnectionError("Could not find any"), "no cluster runs on this machine"),
        ("head:6379", RuntimeError("Version mismatch:\n Ray: 2.59"), "Version mismatch: Ray: 2.59"),
        (
            "head:6379",
            ConnectionError("no"),
            r"the connection failed \(ConnectionError in runtime/",
        ),
    ],
)
def test_why_a_connection_fails_is_one_line(address: str, error: Exception, why: str) -> None:
    def init(*_: object, **__: object) -> None:
        raise error

    with pytest.raises(CclearnError, match=why) as caught:
        cluster._connect(SimpleNamespace(init=init), address, {})
    assert "\n" not in str(caught.value)


_SCRIPT = """
import os
import subprocess
import sys
from pathlib import Path
from cclearn.cli import main as cli
from cclearn.runtime.ray_cluster import LOST_WORKERS, errors_for_the_user, ray_cluster
from cclearn.errors import DataError

class Doubled:
    def __call__(self, batch):
        with errors_for_the_user():
            if FAILS:
                raise DataError("notes.jsonl", "no such file", 3)
        return {"item": batch["item"] * 2}

FAILS = "fails" in sys.argv

def main():
    with ray_cluster("local") as ray:
        (folder,) = Path(os.environ["RAY_TMPDIR"]).iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        if "stranger" in sys.argv:
            address = ray.get_runtime_context().gcs_address
            theirs = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
            code = f"import ray; ray.init({address!r}); ray.get(ray.remote(len).remote('ab'))"
            joined = subprocess.run([sys.executable, "-c", code], env=theirs, capture_output=True)
            print(joined.returncode, b"AuthenticationError" in joined.stderr)
            return
        rows = ray.data.from_items(list(range(20)), override_num_blocks=5)
        compute = ray.data.ActorPoolStrategy(size=1)
        for row in rows.map_batches(Doubled, compute=compute, **LOST_WORKERS).iter_rows():
            print(row["item"])

cli.app = main
cli.main()
"""


def run_script(folder: Path, *arguments: str) -> Any:
    script = folder / "script.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    (folder / "ray").mkdir()
    environment = {**os.environ, "RAY_TMPDIR": str(folder / "ray")}
    ran = subprocess.run(
        [sys.executable, str(script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert list((folder / "ray").iterdir()) == []
    return ran


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short name: a socket's has at most 107 characters."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as name:
        yield Path(name)


@pytest.mark.slow
def test_a_cluster_of_this_machine_is_quiet_and_keeps_the_order(short_folder: Path) -> None:
    ran = run_script(short_folder)
    assert ran.stderr == ""
    assert [json.loads(line) for line in ran.stdout.splitlines()] == list(range(0, 40, 2))


@pytest.mark.slow
def test_a_workers_error_is_one_line(short_folder: Path) -> None:
    ran = run_script(short_folder, "fails")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "notes.jsonl:3: no such file\n"


@pytest.mark.slow
def test_a_local_cluster_is_joined_by_none_but_its_own_processes(short_folder: Path) -> None:
    ran = run_script(short_folder, "stranger")
    assert (ran.returncode, ran.stdout) == (0, "1 True\n")
