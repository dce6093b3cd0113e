"""Submits, streams logs, reads results and handles refusals, as a program that launches Spark does."""

import sys

from sparkctl_k8s import Event, Failed, Refused, Result, start, submit

image, version = sys.argv[1:]
job = {
    "apiVersion": "sparkoperator.k8s.io/v1beta2",
    "kind": "SparkApplication",
    "metadata": {"name": "from-python"},
    "spec": {
        "type": "Python",
        "image": image,
        "sparkVersion": version,
        "mainApplicationFile": "local:///opt/spark/examples/src/main/python/pi.py",
        "driver": {"memory": "512m", "serviceAccount": "yippee-spark"},
        "executor": {"memory": "512m", "instances": 1},
    },
}

events: "list[Event]" = []
result = submit(job, arguments=["2"], logs=True, on_event=events.append)
assert isinstance(result, Result) and result.succeeded and result.outcome == "Succeeded", result
assert (result.driver_exit_code, result.application) == (0, "from-python"), result
states = [event.state for event in events if event.kind == "state"]
assert states[-2:] == ["Running", "Succeeded"], states
assert any(event.line and event.line.startswith("Pi is roughly 3.1") for event in events), events
assert events[-1].kind == "result", events[-1]

# The name is taken: nothing is submitted.
events = []
try:
    submit(job, on_event=events.append)
except Refused as refused:
    assert refused.exit_code == 3 and "already exists" in str(refused), refused
    assert [(event.kind, event.application) for event in events] == [("result", None)], events
else:
    raise AssertionError("the same name twice")

job["metadata"] = {"name": "from-python-failing"}
try:
    submit(job, arguments=["ten"])
except Failed as failed:
    assert failed.result.exit_code == 1 and failed.result.driver_exit_code == 1, failed.result
    assert "invalid literal for int()" in (failed.result.exception or ""), failed.result
else:
    raise AssertionError("the failure was not raised")

# Leaving the block stops following; the application keeps running.
job["metadata"] = {"name": "from-python-left"}
with start(job) as run:
    first = next(iter(run))
    assert first.application == "from-python-left", first
print("done")
