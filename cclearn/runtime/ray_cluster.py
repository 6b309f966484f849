"""The only place that connects to Ray: a cluster for the length of a command, its workers' errors."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cclearn.errors import CclearnError, ConfigurationError, type_and_place

_PACKAGES = ("cclearn", "data_builders")
"""What a cluster's workers are sent, so that they run the code that this process runs."""

LOST_WORKERS = {"max_restarts": -1, "max_task_retries": 3}
"""Of `map_batches`: a worker that was lost is replaced, and its rows are tried again. Ray Data's own
answer is to try for ever, and rows that use up the memory once do so each time."""

_PATIENCE = 5.0
"""Seconds within which a head answers."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # The C++ side writes to the terminal whatever the levels of Python's loggers are.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # The behaviour of later releases, which 2.60 recommends at each start.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

_START = "Start the head (`ray start --head`), or name another address."


class WorkerError(CclearnError):
    """What went wrong in a worker, as the one line that the user sees.

    Other errors of ours take several arguments, which a pickle would not give back.

    Attributes:
        line: The line; Ray Data adds advice of its own to the arguments of an error.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        super().__init__(line)

    def __str__(self) -> str:
        return self.line


@contextmanager
def ray_cluster(address: str) -> Iterator[Any]:
    """Connect to Ray for the length of a block, quietly, and give its module `ray`.

    Ray Data keeps the order of rows. Its input should be there when actors start (`from_items`): reading
    needs a core too, and waits for ever where actors hold them all.

    A local cluster's logs and spilled objects, which may hold text of notes, lie in a folder that its
    owner alone can read and that is removed at the end, and nobody can connect to it without a token
    that only its processes know (Ray 2.52 or later). A cluster that runs already is sent this
    package's code; the libraries are its own.

    Args:
        address: `local` starts Ray on the cores of this machine; `auto` joins the cluster that runs on
            it, `HOST:PORT` any other by its head.

    Raises:
        ConfigurationError: Ray is not installed, or the address cannot be one.
        CclearnError: Nothing answers at the address; or, out of the block, a worker failed.
    """
    _refuse_impossible(address)
    # Ray puts a handler of its own there, which would leave half-written folders behind.
    when_stopped = signal.getsignal(signal.SIGTERM)
    with _environment(address), _arguments(address) as arguments, warnings.catch_warnings():
        import ray

        try:
            _connect(ray, address, arguments)
            signal.signal(signal.SIGTERM, when_stopped)
            _prepare_data(ray)
            yield ray
        except Exception as error:
            told = _told(error, address)
            if told is error:
                raise
            raise told from None
        finally:
            signal.signal(signal.SIGTERM, when_stopped)
            ray.shutdown()


def count_other_machines(ray: Any) -> int:
    """Return how many machines of a connected cluster are not the one that this process runs on.

    Args:
        ray: The module that `ray_cluster` gives.
    """
    here = ray.util.get_node_ip_address()
    addresses = {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    return len(addresses - {here})


@contextmanager
def errors_for_the_user() -> Iterator[None]:
    """In a worker, turn every error into one that reaches the user as one line.

    It belongs where rows are worked on: Ray starts an actor whose constructor fails again and again.
    What an actor loads, it loads with its first rows.

    An error of ours keeps its words. Of any other the type and the place are told, never the text, which
    may quote a note; Ray would log it.

    Raises:
        WorkerError: In the place of any other.
    """
    try:
        yield
    except CclearnError as error:
        raise WorkerError(str(error)) from None
    except Exception as error:
        line = f"a worker failed: {type_and_place(error)}. Report it."
        raise WorkerError(line) from None


def _refuse_impossible(address: str) -> None:
    if importlib.util.find_spec("ray") is None:
        raise ConfigurationError(["ray is not installed. Install cclearn[ray]."])
    if address.startswith("ray://"):
        problem = (
            f"ray (address = {address}): Ray Data does not run through the Ray client. Run the command"
            " on a machine of the cluster, with `auto` or the head's own HOST:PORT."
        )
        raise ConfigurationError([problem])
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        problem = f"ray (address = {address}): it is none. Use local, auto or HOST:PORT."
        raise ConfigurationError([problem])
    _probe(host.strip("[]"), int(port), address)


def _probe(host: str, port: int, address: str) -> None:
    """Raise CclearnError unless a gRPC server answers: Ray itself would try for more than a minute.

    A client opens HTTP/2 with a preface and a SETTINGS frame, and is sent one (RFC 9113, 3.4).
    """
    settings = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE) as connection:
            if os.environ.get("RAY_USE_TLS") == "1":
                return
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
            answer = connection.recv(len(settings))
    except OSError:
        raise CclearnError(f"ray (address = {address}): nothing answers there. {_START}") from None
    if len(answer) < 4 or answer[3] != 4:
        problem = f"ray (address = {address}): what answers there is no head of Ray. {_START}"
        raise CclearnError(problem)


@cache
def _token() -> str:
    """Return a token for the local clusters of this process; Ray reads it once in each process."""
    return secrets.token_hex(32)


@contextmanager
def _environment(address: str) -> Iterator[None]:
    """Set what the user has not set, for this process and those that it starts."""
    wanted = dict(_ENVIRONMENT)
    if address == "local":
        # It listens on every address of the machine. Whoever may connect can read notes and run code.
        wanted |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def _arguments(address: str) -> Iterator[dict[str, Any]]:
    """Give the arguments of `ray.init`; what they name is removed at the end."""
    if address != "local":
        specifications = filter(None, map(importlib.util.find_spec, _PACKAGES))
        folders = [next(iter(found.submodule_search_locations or ())) for found in specifications]
        yield {"runtime_env": {"py_modules": folders}}
        return
    # Not `tempfile.gettempdir()`: the path of a socket below it has at most 107 characters.
    folder = tempfile.mkdtemp(prefix="cclearn-ray-", dir=os.environ.get("RAY_TMPDIR", "/tmp"))  # noqa: S108
    try:
        yield {
            "num_cpus": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
            "include_dashboard": False,
            # In it: Ray opens the folder that it is given to everyone.
            "_temp_dir": str(Path(folder, "ray")),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _connect(ray: Any, address: str, arguments: dict[str, Any]) -> None:
    """Connect. Raises CclearnError."""
    try:
        with _nothing_on_the_terminal():
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **arguments)
    except Exception as error:
        why = "".join(traceback.format_exception(error))
        if "AuthenticationError" in why:
            problem = (
                "it asks for a token. Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH where the"
                " cluster's token is not in ~/.ray/auth_token."
            )
        elif "ersion mismatch" in why:
            problem = " ".join(str(error).split()) + " Install the versions of the cluster."
        elif address == "auto" and isinstance(error, ConnectionError):
            problem = f"no cluster runs on this machine. {_START}"
        else:
            problem = f"the connection failed ({type_and_place(error)}). {_START}"
        raise CclearnError(f"ray (address = {address}): {problem}") from None


@contextmanager
def _nothing_on_the_terminal() -> Iterator[None]:
    """Drop what the C++ side writes while it starts, such as that its level was set."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _prepare_data(ray: Any) -> None:
    """Let Ray Data keep the order, and say nothing: neither bars nor logs, which would hold data."""
    from ray.data import DataContext

    # Its `ray_remote_args` have no other name for what `LOST_WORKERS` says.
    warnings.simplefilter("ignore", ray.util.annotations.RayDeprecationWarning)
    # What becomes of workers goes to standard output, whatever `log_to_driver` is; Ray's own debugger
    # turns it off so.
    ray._private.worker._worker_logs_enabled = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    context.raise_original_map_exception = True  # Else its type and place are lost on the way.


def _told(error: Exception, address: str) -> Exception:
    """Return the error that the user is to see."""
    import ray

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ray.exceptions.RayTaskError):
            seen = seen.cause
        elif isinstance(seen, WorkerError):
            return WorkerError(seen.line)
        else:
            seen = seen.__cause__
    if isinstance(error, CclearnError) or not isinstance(error, ray.exceptions.RayError):
        return error
    return CclearnError(
        f"ray (address = {address}): the run was given up ({type(error).__name__}). A worker was lost"
        " again and again, perhaps for want of memory, or the cluster went away."
    )
