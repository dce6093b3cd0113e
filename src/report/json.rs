use std::fmt::{self, Display, Formatter};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::clean::clean;
use super::failure::FailureReport;
use crate::exit_code::ExitCode;
use crate::manifests::Application;
use crate::state::{Attempt, Count, Durations, Executors, LINGERS, LINGERS_HINT, State, Status};

/// One line of JSON on stdout: an object with its version `v`, the time `ts` and its `kind`, then the fields of that
/// kind. Fields are added, never changed or removed, while `v` is 1.
///
/// Every command that prints JSON lines prints these, so that a script can tell lines apart by `kind` alone.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonLine(Map<String, Value>);

impl JsonLine {
    /// `body` is an object. A `kind` of its own, as Kubernetes' objects have, is kept.
    pub fn new(kind: &str, body: Value, now: Timestamp) -> JsonLine {
        let envelope = [("v", json!(1)), ("ts", json!(now.to_string())), ("kind", json!(kind))];
        let mut line: Map<String, Value> = envelope.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
        if let Value::Object(body) = body {
            line.extend(body);
        }
        JsonLine(line)
    }
}

impl Display for JsonLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.0).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// The JSON lines about one application: one for each change, the last one its result.
#[derive(Debug)]
pub struct Json {
    app: String,
    namespace: String,
    id: String,
    last: Option<Value>,
}

impl Json {
    pub fn new(application: &Application) -> Json {
        Json {
            app: application.name.clone(),
            namespace: application.namespace.clone(),
            id: application.id.clone(),
            last: None,
        }
    }

    /// A line for a state, if it differs from the last one.
    pub fn state(&mut self, state: &State, now: Timestamp) -> Option<JsonLine> {
        if state.status == Status::Unseen {
            return None;
        }
        let body = body(state);
        if self.last.as_ref() == Some(&body) {
            return None;
        }
        self.last = Some(body.clone());
        Some(self.line("state", body, now))
    }

    /// A line of the driver's or an executor's log.
    pub fn log(&self, text: &[u8], source: &str, now: Timestamp) -> JsonLine {
        let text = String::from_utf8_lossy(text);
        self.line("log", json!({ "source": source, "line": text.trim_end_matches(['\n', '\r']) }), now)
    }

    /// A note beside the states.
    pub fn note(&self, message: &str, now: Timestamp) -> JsonLine {
        self.line("note", json!({ "message": clean(message) }), now)
    }

    /// The last line, for an application that has ended.
    pub fn result(&self, report: &FailureReport, state: &State, exit_code: ExitCode, now: Timestamp) -> JsonLine {
        let outcome = &report.outcome;
        let body = json!({
            "outcome": outcome.ending.word(),
            "exitCode": exit_code.number(),
            "driverExitCode": outcome.driver_exit_code,
            "retryable": outcome.ending.exit_code().is_retryable(),
            "message": clean(&outcome.message),
            "exception": report.exception.as_deref().map(clean),
            "hint": outcome.hint.as_deref().map(clean),
            "attempt": state.attempt.as_ref().map(attempt),
            "executors": executors(&state.executors),
            "durations": durations(&state.durations),
        });
        self.line("result", body, now)
    }

    /// The last line of a command that ends before the application, with the application's last state if it was followed.
    pub fn early_result(
        &self,
        outcome: &str,
        message: &str,
        exit_code: ExitCode,
        state: Option<&State>,
        now: Timestamp,
    ) -> JsonLine {
        let mut body = json!({
            "outcome": outcome,
            "exitCode": exit_code.number(),
            "driverExitCode": null,
            "retryable": false,
            "message": clean(message),
        });
        if let Some(state) = state {
            body["attempt"] = json!(state.attempt.as_ref().map(attempt));
            body["executors"] = executors(&state.executors);
            body["durations"] = durations(&state.durations);
        }
        self.line("result", body, now)
    }

    fn line(&self, kind: &str, body: Value, now: Timestamp) -> JsonLine {
        let mut line = json!({ "app": self.app, "namespace": self.namespace, "id": self.id });
        if let (Value::Object(line), Value::Object(body)) = (&mut line, body) {
            line.extend(body);
        }
        JsonLine::new(kind, line, now)
    }
}

fn body(state: &State) -> Value {
    let lingers = LINGERS.to_owned();
    let (reason, message, hint) = match &state.status {
        Status::Waiting(waiting) => (Some(waiting.reason.word()), Some(&waiting.message), waiting.hint.as_deref()),
        Status::Starting(step) => (None, Some(step), None),
        Status::Stopping(why) => (None, Some(why), None),
        Status::Ended(outcome) => (None, Some(&outcome.message), outcome.hint.as_deref()),
        Status::Running if state.lingers.is_some() => (Some("Stopped"), Some(&lingers), Some(LINGERS_HINT)),
        Status::Unseen | Status::Held | Status::Running => (None, None, None),
    };
    json!({
        "state": state.status.word(),
        "reason": reason,
        "message": message.map(|message| clean(message)),
        "hint": hint.map(clean),
        "node": state.node,
        "attempt": state.attempt.as_ref().map(attempt),
        "executors": executors(&state.executors),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let earlier = attempt.earlier.iter().map(|earlier| {
        json!({
            "number": earlier.number,
            "pod": earlier.pod,
            "outcome": earlier.ending.word(),
            "reason": clean(&earlier.reason),
            "exitCode": earlier.exit_code,
            "ended": earlier.ended.map(|at| at.to_string()),
        })
    });
    let Count { failed, succeeded, lost } = attempt.gone;
    json!({
        "number": attempt.number,
        "of": attempt.of,
        "earlier": earlier.collect::<Vec<_>>(),
        "gone": { "failed": failed, "succeeded": succeeded, "lost": lost },
    })
}

fn executors(executors: &Executors) -> Value {
    let blocked = executors.blocked.as_ref().or(executors.refused.as_ref());
    json!({
        "wanted": executors.wanted,
        "pending": executors.pending,
        "running": executors.running,
        "failed": executors.failed,
        "blocked": blocked.map(|why| clean(why)),
        "hint": executors.hint.as_deref().map(clean),
        "lastFailure": executors.last_failure.as_ref().map(|last| {
            json!({ "pod": last.name, "exitCode": last.exit_code, "reason": clean(&last.reason) })
        }),
    })
}

/// Durations in whole seconds, the precision of the cluster's own times.
fn durations(durations: &Durations) -> Value {
    let seconds = |duration: Option<SignedDuration>| duration.map(|duration| duration.as_secs());
    json!({
        "queued": seconds(durations.queued),
        "starting": seconds(durations.starting),
        "ran": seconds(durations.ran),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_version_time_and_kind_before_its_own_fields() {
        let line = JsonLine::new("check", json!({ "subject": "pi" }), Timestamp::UNIX_EPOCH);
        assert_eq!(line.to_string(), r#"{"v":1,"ts":"1970-01-01T00:00:00Z","kind":"check","subject":"pi"}"#);
    }

    #[test]
    fn an_object_of_kubernetes_keeps_its_kind() {
        let line = JsonLine::new("Event", json!({ "apiVersion": "v1", "kind": "Event" }), Timestamp::UNIX_EPOCH);
        assert_eq!(line.to_string(), r#"{"v":1,"ts":"1970-01-01T00:00:00Z","kind":"Event","apiVersion":"v1"}"#);
    }
}
