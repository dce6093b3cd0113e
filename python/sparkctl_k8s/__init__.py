"""Runs Apache Spark applications on Kubernetes, by the sparkctl binary that comes with this package.

    from sparkctl_k8s import submit

    result = submit("job.yaml", arguments=["2026-11-24"], on_event=print)
    print(result.durations)

What sparkctl needs (kubeconfig, SPARKCTL_* variables) is taken from the environment, as on a command line.
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
"""A job file's path, or its content."""


@dataclass(frozen=True)
class Event:
    """One line of what sparkctl tells: a state, a line of the driver's log, or a note."""

    kind: str
    """`state`, `log`, `note` or `result`."""
    time: str
    application: Optional[str]
    """None in the result of a submission that was refused: there is none."""
    state: Optional[str] = None
    """Of a state: `Waiting`, `Running`, …"""
    message: Optional[str] = None
    line: Optional[str] = None
    """Of a log: what the driver wrote."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All that was told, by its names in the JSON."""


@dataclass(frozen=True)
class Result:
    """How a submission ended."""

    outcome: str
    """`Succeeded`, `Failed`, `CouldNotStart`, `Lost`, `Unknown`; `Submitted` or `Detached` if it goes on."""
    exit_code: int
    """sparkctl's own."""
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
    """Nothing was submitted: a wrong job file, a cluster that refuses or cannot be reached."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Failed(Exception):
    """The application did not succeed."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"{result.application}: {result.exception or result.message}")
        self.result = result


class Run:
    """A submission under way: its events in their order, and its result at the end.

    Leaving it before the end (`close`, or the end of a `with`) does what Ctrl-C does: sparkctl leaves, and an
    application in a cluster goes on.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", said: Any) -> None:
        self._process = process
        self._said = said
        self._result: Optional[Result] = None

    def __iter__(self) -> Iterator[Event]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if told["kind"] == "result" and told["app"] is not None:
                self._result = _result(told)
            yield Event(
                kind=told["kind"],
                time=told["ts"],
                application=told["app"],
                state=told.get("state"),
                message=told.get("message"),
                line=told.get("line"),
                raw=told,
            )

    def result(self) -> Result:
        """Waits for the end.

        Raises `Refused` if nothing was submitted.
        """
        for _ in self:
            pass
        code = self._process.wait()
        if self._result is None:
            raise Refused(code, self._words() or f"sparkctl ended with exit code {code}")
        return self._result

    def close(self) -> None:
        """Leaves it, if it has not ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _words(self) -> str:
        self._said.seek(0)
        return str(self._said.read().decode(errors="replace")).strip()


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
    """Submits a job, and returns while it runs.

    `variables` are the values of `${NAME}` in the job file, `conf` settings of Spark. `local` runs it on this
    machine, on all cores or so many. `logs` makes lines of the driver's log events. `timeout` is a time such as
    `90m`. `flags` are further ones, as `sparkctl submit --help` has them.
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
    # A pipe that nobody reads would stop sparkctl when it is full.
    said = tempfile.TemporaryFile()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE if document is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=said,
    )
    if document is not None and process.stdin is not None:
        try:
            process.stdin.write(document)
            process.stdin.close()
        except BrokenPipeError:
            pass
    return Run(process, said)


def submit(job: Job, *, on_event: Optional[Callable[[Event], object]] = None, check: bool = True, **options: Any) -> Result:
    """Submits a job and waits for its end. `options` are those of `start`.

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


def _result(told: Mapping[str, Any]) -> Result:
    return Result(
        outcome=told["outcome"],
        exit_code=told["exitCode"],
        application=told["app"],
        namespace=told["namespace"],
        id=told["id"],
        message=told.get("message") or "",
        driver_exit_code=told.get("driverExitCode"),
        retryable=bool(told.get("retryable")),
        exception=told.get("exception"),
        hint=told.get("hint"),
        durations=told.get("durations") or {},
        raw=told,
    )


def _binary() -> str:
    """The binary of this package, wherever pip puts scripts; else the one on PATH."""
    for folder in (sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")):
        path = Path(folder) / "sparkctl"
        if path.is_file():
            return str(path)
    # `pip install --target` has it beside the packages.
    beside = Path(__file__).parent.parent / "bin" / "sparkctl"
    found = str(beside) if beside.is_file() else shutil.which("sparkctl")
    if found is None:
        raise FileNotFoundError("sparkctl is not installed beside this package, nor on PATH")
    return found
