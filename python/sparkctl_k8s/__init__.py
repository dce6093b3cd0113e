"""Run Apache Spark applications on Kubernetes, with the sparkctl binary in this package.

    from sparkctl_k8s import submit

    result = submit("job.yaml", arguments=["2026-11-24"], on_event=print)
    print(result.durations)

sparkctl reads the kubeconfig and SPARKCTL_* variables from the environment, as on a command line.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence, Union

__all__ = ["Event", "Failed", "Refused", "Result", "Run", "start", "submit"]

Job = Union[str, "os.PathLike[str]", Mapping[str, Any]]
"""The path of a job file, or its content."""


@dataclass(frozen=True)
class Event:
    """A line of sparkctl's JSON output: a state, a line of the driver's log, a note, or the result."""

    kind: str
    """`state`, `log`, `note` or `result`."""
    time: str
    application: Optional[str]
    """None in the result of a submission that was refused."""
    state: Optional[str] = None
    """For `state`: `Waiting`, `Running`, …"""
    message: Optional[str] = None
    line: Optional[str] = None
    """For `log`: what the driver printed."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The whole JSON object."""


@dataclass(frozen=True)
class Result:
    """How a submission ended."""

    outcome: str
    """`Succeeded`, `Failed`, `CouldNotStart`, `Lost`, `Unknown`; `Submitted` or `Detached` if it is still running."""
    exit_code: int
    """The exit code of sparkctl."""
    application: str
    namespace: str
    id: str
    message: str = ""
    driver_exit_code: Optional[int] = None
    retryable: bool = False
    exception: Optional[str] = None
    hint: Optional[str] = None
    durations: Mapping[str, Optional[int]] = field(default_factory=dict)
    """Seconds: `queued`, `starting`, `ran`."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0


class Refused(Exception):
    """Nothing was submitted: the job file is invalid, or the cluster refused or could not be reached."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Failed(Exception):
    """The application did not succeed."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"{result.application}: {result.exception or result.message}")
        self.result = result


class Run:
    """An active submission: an iterator of its events, and the result at its end.

    Leaving it before its end (`close`, or the end of a `with` block) works like Ctrl-C: sparkctl detaches, and an
    application in a cluster keeps running.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", stderr: Any) -> None:
        self._process = process
        self._stderr = stderr
        self._result: Optional[Result] = None

    def __iter__(self) -> Iterator[Event]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            data = json.loads(line)
            if data["kind"] == "result" and data["app"] is not None:
                self._result = _result(data)
            yield Event(
                kind=data["kind"],
                time=data["ts"],
                application=data["app"],
                state=data.get("state"),
                message=data.get("message"),
                line=data.get("line"),
                raw=data,
            )

    def result(self) -> Result:
        """Wait for the end, and return the result.

        Raises `Refused` if nothing was submitted.
        """
        for _ in self:
            pass
        code = self._process.wait()
        if self._result is None:
            raise Refused(code, self._error() or f"sparkctl ended with exit code {code}")
        return self._result

    def close(self) -> None:
        """Detach, if it has not ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _error(self) -> str:
        self._stderr.seek(0)
        return str(self._stderr.read().decode(errors="replace")).strip()


def start(
    job: Job,
    *,
    arguments: Sequence[str] = (),
    variables: Optional[Mapping[str, str]] = None,
    conf: Optional[Mapping[str, str]] = None,
    namespace: Optional[str] = None,
    context: Optional[str] = None,
    local: Union[bool, int] = False,
    logs: bool = False,
    detach: bool = False,
    timeout: Optional[str] = None,
    flags: Sequence[str] = (),
) -> Run:
    """Submit a job, and return while it runs.

    `variables` are the values of `${NAME}` in the job file, `conf` are Spark settings. `local` runs the job on this
    machine, on all cores or the given number. `logs` yields the lines of the driver's log as events. `timeout` is a
    duration such as `90m`. `flags` are more flags of `sparkctl submit`.
    """
    command = [_binary(), "submit", "--output", "json"]
    for name, value in (variables or {}).items():
        command += ["--set", f"{name}={value}"]
    for key, value in (conf or {}).items():
        command += ["--conf", f"{key}={value}"]
    for flag, text in (("--namespace", namespace), ("--context", context), ("--timeout", timeout)):
        command += [flag, text] if text is not None else []
    if local is True:
        command.append("--local")
    elif local:
        command.append(f"--local={local}")
    command += [flag for flag, given in (("--logs", logs), ("--detach", detach)) if given]
    command += flags
    document = None if isinstance(job, (str, os.PathLike)) else json.dumps(job).encode()
    command.append("-" if document is not None else os.fspath(job))  # type: ignore[arg-type]
    if arguments:
        command += ["--", *arguments]
    # Not a pipe: sparkctl would block once it is full, as nobody reads it.
    stderr = tempfile.TemporaryFile()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE if document is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )
    if document is not None and process.stdin is not None:
        try:
            process.stdin.write(document)
            process.stdin.close()
        except BrokenPipeError:
            pass
    return Run(process, stderr)


def submit(job: Job, *, on_event: Optional[Callable[[Event], object]] = None, check: bool = True, **options: Any) -> Result:
    """Submit a job and wait for its end. `options` are those of `start`.

    Raises `Refused` if nothing was submitted, and, unless `check` is false, `Failed` if the application did not
    succeed.
    """
    with start(job, **options) as run:
        if on_event is not None:
            for event in run:
                on_event(event)
        result = run.result()
    if check and not result.succeeded:
        raise Failed(result)
    return result


def _result(data: Mapping[str, Any]) -> Result:
    return Result(
        outcome=data["outcome"],
        exit_code=data["exitCode"],
        application=data["app"],
        namespace=data["namespace"],
        id=data["id"],
        message=data.get("message") or "",
        driver_exit_code=data.get("driverExitCode"),
        retryable=bool(data.get("retryable")),
        exception=data.get("exception"),
        hint=data.get("hint"),
        durations=data.get("durations") or {},
        raw=data,
    )


def _binary() -> str:
    """The binary that pip installed with this package, or else the one on PATH."""
    for folder in (sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")):
        path = Path(folder) / "sparkctl"
        if path.is_file():
            return str(path)
    # `pip install --target` puts it next to the packages.
    beside = Path(__file__).parent.parent / "bin" / "sparkctl"
    found = str(beside) if beside.is_file() else shutil.which("sparkctl")
    if found is None:
        raise FileNotFoundError("sparkctl is neither installed with this package nor on PATH")
    return found
