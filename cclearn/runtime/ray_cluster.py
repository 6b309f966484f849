"""The only module that connects to Ray: a cluster for one command, and the errors of its workers."""

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

from cclearn.errors import CclearnError, ConfigurationError, type_and_location

_PACKAGES = ("cclearn", "data_builders")
"""Packages that are sent to the workers of a cluster, so that they run the code of this process."""

LOST_WORKERS = {"max_restarts": -1, "max_task_retries": 3}
"""Arguments of `map_batches`: a lost worker is replaced, and its rows are tried again three times. Ray
Data's default is to try for ever, and rows that exhaust the memory once do so each time."""

_TIMEOUT = 5.0
"""Seconds to wait for the answer of a head node."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # The C++ code writes to the terminal, whatever the levels of the Python loggers are.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # The behaviour of later releases. Ray 2.60 recommends it at each start.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

_START = "Start the head (`ray start --head`), or name another address."


class WorkerError(CclearnError):
    """An error in a worker, as the one line that the user sees.

    Other errors of this package take several arguments, and cannot be unpickled.

    Attributes:
        line: The line. Ray Data adds advice to the arguments of an error, but not to this attribute.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        super().__init__(line)

    def __str__(self) -> str:
        return self.line


@contextmanager
def ray_cluster(address: str) -> Iterator[Any]:
    """Connect to Ray for the length of a block, without output on the terminal.

    Ray Data keeps the order of rows. Its input should be ready when actors start (`from_items`), because
    reading needs a core too, and waits forever if actors occupy all of them.

    The logs and spilled objects of a local cluster may contain text of notes. They are in a folder
    that only its owner can read, and that is removed at the end. Nobody can connect to a local
    cluster without a token that only its processes know (Ray 2.52 or later). A running cluster is
    sent the code of this package, and uses its own libraries.

    Args:
        address: `local` starts Ray on the cores of this machine. `auto` joins the cluster that runs on
            this machine. `HOST:PORT` joins another cluster by the address of its head node.

    Yields:
        The module `ray`.

    Raises:
        ConfigurationError: Ray is not installed, or the address is not valid.
        CclearnError: Nothing answers at the address, or a worker failed in the block.
    """
    _refuse_impossible(address)
    # Ray installs its own handler, which would leave partial folders behind.
    handler = signal.getsignal(signal.SIGTERM)
    with _environment(address), _arguments(address) as arguments, warnings.catch_warnings():
        import ray

        try:
            _connect(ray, address, arguments)
            signal.signal(signal.SIGTERM, handler)
            _prepare_data(ray)
            yield ray
        except Exception as error:
            shown = _error_for_the_user(error, address)
            if shown is error:
                raise
            raise shown from None
        finally:
            signal.signal(signal.SIGTERM, handler)
            ray.shutdown()


def count_other_machines(ray: Any) -> int:
    """Return the number of machines of a connected cluster, without the one that this process runs on.

    Args:
        ray: The module that `ray_cluster` yields.
    """
    this_machine = ray.util.get_node_ip_address()
    addresses = {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    return len(addresses - {this_machine})


@contextmanager
def errors_for_the_user() -> Iterator[None]:
    """Turn every error in a worker into an error that reaches the user as one line.

    Use it where rows are processed, and not in the constructor of an actor: Ray restarts an actor whose
    constructor fails again and again. An actor should load what it needs with its first rows.

    An error of this package keeps its message. For any other error the message contains its type and its
    location in the source, and never its text, which may quote a note and which Ray would log.

    Raises:
        WorkerError: Any error was raised in the block.
    """
    try:
        yield
    except CclearnError as error:
        raise WorkerError(str(error)) from None
    except Exception as error:
        line = f"a worker failed: {type_and_location(error)}. Report it."
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
        problem = f"ray (address = {address}): it is not valid. Use local, auto or HOST:PORT."
        raise ConfigurationError([problem])
    _probe(host.strip("[]"), int(port), address)


def _probe(host: str, port: int, address: str) -> None:
    """Raise CclearnError unless a gRPC server answers. Ray itself would try for more than a minute.

    An HTTP/2 client begins with a preface and a SETTINGS frame, and receives one (RFC 9113, 3.4).
    """
    settings = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT) as connection:
            if os.environ.get("RAY_USE_TLS") == "1":
                return
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
            answer = connection.recv(len(settings))
    except OSError:
        raise CclearnError(f"ray (address = {address}): nothing answers there. {_START}") from None
    if len(answer) < 4 or answer[3] != 4:
        problem = f"ray (address = {address}): the server there is not a head of Ray. {_START}"
        raise CclearnError(problem)


@cache
def _token() -> str:
    """Return a token for the local clusters of this process. Ray reads it once in each process."""
    return secrets.token_hex(32)


@contextmanager
def _environment(address: str) -> Iterator[None]:
    """Set the variables that the user has not set, for this process and the processes that it starts."""
    wanted = dict(_ENVIRONMENT)
    if address == "local":
        # Ray listens on every address of the machine. Whoever can connect can read notes and run code.
        wanted |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _arguments(address: str) -> Iterator[dict[str, Any]]:
    """Yield the arguments of `ray.init`. The folder that they name is removed at the end."""
    if address != "local":
        specifications = filter(None, map(importlib.util.find_spec, _PACKAGES))
        folders = [next(iter(found.submodule_search_locations or ())) for found in specifications]
        yield {"runtime_env": {"py_modules": folders}}
        return
    # Not `tempfile.gettempdir()`: the path of a socket in it may have at most 107 characters.
    folder = tempfile.mkdtemp(prefix="cclearn-ray-", dir=os.environ.get("RAY_TMPDIR", "/tmp"))  # noqa: S108
    try:
        yield {
            "num_cpus": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
            "include_dashboard": False,
            # A subfolder, because Ray makes the folder that it is given readable for everyone.
            "_temp_dir": str(Path(folder, "ray")),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _connect(ray: Any, address: str, arguments: dict[str, Any]) -> None:
    """Connect to a cluster. Raise CclearnError if that fails."""
    try:
        with _silent_standard_error():
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **arguments)
    except Exception as error:
        why = "".join(traceback.format_exception(error))
        if "AuthenticationError" in why:
            problem = (
                "it asks for a token. Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH if the"
                " cluster's token is not in ~/.ray/auth_token."
            )
        elif "ersion mismatch" in why:
            problem = " ".join(str(error).split()) + " Install the versions of the cluster."
        elif address == "auto" and isinstance(error, ConnectionError):
            problem = f"no cluster runs on this machine. {_START}"
        else:
            problem = f"the connection failed ({type_and_location(error)}). {_START}"
        raise CclearnError(f"ray (address = {address}): {problem}") from None


@contextmanager
def _silent_standard_error() -> Iterator[None]:
    """Discard what the C++ code writes to standard error while it starts."""
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
    """Let Ray Data keep the order of rows, without progress bars and logs, which contain data."""
    from ray.data import DataContext

    # The arguments in `LOST_WORKERS` are deprecated, and nothing replaces them.
    warnings.simplefilter("ignore", ray.util.annotations.RayDeprecationWarning)
    # Messages about workers go to standard output, whatever `log_to_driver` is. Ray's own debugger turns
    # them off in the same way.
    ray._private.worker._worker_logs_enabled = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    context.raise_original_map_exception = True  # Otherwise its type and location are lost.


def _error_for_the_user(error: Exception, address: str) -> Exception:
    """Return the error that is shown to the user."""
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
