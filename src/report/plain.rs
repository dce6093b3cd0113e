use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::clean::clean;
use super::style::{BAD, DOUBTFUL, FAINT};
use super::wording::span;
use crate::state::{Executors, LINGERS, LINGERS_HINT, State, Status};

/// When to repeat an unchanged wait, in seconds since it began; later every ten minutes.
const REMINDERS: [i64; 3] = [30, 120, 300];
const LAST_REMINDER: i64 = 600;
/// How often to report a wait of which only the details change, such as nodes and counts.
const WORDS: SignedDuration = SignedDuration::from_secs(10);
/// How often to report the number of executors: a thousand that start must not print a thousand lines.
const COUNTS: SignedDuration = SignedDuration::from_secs(2);

/// Plain lines: one for each change, and a few reminders of a wait.
#[derive(Debug)]
pub struct Plain {
    began: Timestamp,
    zone: TimeZone,
    driver: Topic,
    executors: Topic,
    /// Hints given on the driver's current wait.
    advised: Vec<String>,
    /// Hints given on the executors.
    hinted: Vec<String>,
}

/// The last report on one topic.
#[derive(Debug, Default)]
struct Topic {
    kind: String,
    /// All texts reported for this kind: a scheduler alternates between two messages for the same wait.
    texts: Vec<String>,
    /// When this kind began.
    since: Option<Timestamp>,
    reported: Option<Timestamp>,
}

impl Plain {
    /// `began` is the time that ages are counted from.
    pub fn new(began: Timestamp, zone: TimeZone) -> Plain {
        Plain {
            began,
            zone,
            driver: Topic::default(),
            executors: Topic::default(),
            advised: Vec::new(),
            hinted: Vec::new(),
        }
    }

    /// Counts ages from another time.
    pub fn count_from(&mut self, began: Timestamp) {
        self.began = began;
    }

    /// The lines to print for a state.
    pub fn lines(&mut self, state: &State, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        let waits = matches!(state.status, Status::Waiting(_)) || state.lingers.is_some();
        if let Some((kind, text, hint)) = driver(state) {
            if self.driver.kind != kind {
                self.advised.clear();
            }
            let news = self.driver.news(&kind, &text, now, SignedDuration::ZERO, waits);
            if let Some(reminder) = &news {
                lines.push(self.line("driver", &format!("{}{}", styled(state, &kind, &text), reminder), now));
            }
            // A lookup may have found a hint since the wait was reported.
            if let Some(hint) = hint.filter(|hint| !self.advised.contains(hint)) {
                lines.push(format!("{:18} {FAINT}hint:{FAINT:#} {}", "", clean(&hint)));
                self.advised.push(hint);
            }
        }
        let Executors { running, pending, failed, refused, .. } = &state.executors;
        let kind = format!("{running} {pending} {failed} {}", refused.is_some());
        if let Some(text) = executor_words(state)
            && let Some(reminder) = self.executors.news(&kind, &text, now, COUNTS, refused.is_some())
        {
            lines.push(self.line("executors", &format!("{text}{reminder}"), now));
        }
        if matches!(state.status, Status::Running)
            && let Some(hint) = state.executors.hint.as_ref().filter(|hint| !self.hinted.contains(hint))
        {
            lines.push(format!("{:18} {FAINT}hint:{FAINT:#} {}", "", clean(hint)));
            self.hinted.push(hint.clone());
        }
        lines
    }

    /// Formats any other line in the same way.
    pub fn line(&self, topic: &str, text: &str, now: Timestamp) -> String {
        let clock = now.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let age = format!("+{}", span(now.duration_since(self.began)));
        format!("{FAINT}{clock} {age:<8}{FAINT:#} {topic:<9}  {text}")
    }
}

impl Topic {
    /// Returns what to append to the line if it is to be printed: nothing, or how long a wait has lasted. A new kind is not
    /// reported sooner than `pause` after the last report.
    fn news(&mut self, kind: &str, text: &str, now: Timestamp, pause: SignedDuration, remind: bool) -> Option<String> {
        let quiet_for = self.reported.map(|reported| now.duration_since(reported));
        if self.kind != kind {
            if quiet_for.is_some_and(|quiet| quiet < pause) {
                return None;
            }
            *self = Topic { kind: kind.into(), texts: vec![text.into()], since: Some(now), reported: Some(now) };
            return Some(String::new());
        }
        let is_new = self.texts.iter().all(|reported| reported != text);
        if is_new && quiet_for.is_none_or(|quiet| quiet >= WORDS) {
            self.texts.push(text.into());
            self.reported = Some(now);
            return Some(String::new());
        }
        let (since, reported) = (self.since?, self.reported?);
        let due = next_reminder(reported.duration_since(since));
        if remind && now.duration_since(since) >= due {
            self.reported = Some(now);
            return Some(format!(" (for {})", span(now.duration_since(since))));
        }
        None
    }
}

/// The age at which the next reminder is due for a wait that was last reported at this age.
fn next_reminder(said_at: SignedDuration) -> SignedDuration {
    let seconds = said_at.as_secs();
    let due = REMINDERS.into_iter().find(|due| *due > seconds);
    SignedDuration::from_secs(due.unwrap_or((seconds / LAST_REMINDER + 1) * LAST_REMINDER))
}

/// The driver's state as a word, the details, and a hint; none for an end, which the summary reports.
fn driver(state: &State) -> Option<(String, String, Option<String>)> {
    let on = state.node.as_ref().map(|node| format!("on node {node}"));
    let attempt = state.attempt.as_ref().and_then(|attempt| attempt.words());
    let on = on.into_iter().chain(attempt).collect::<Vec<_>>().join(", ");
    let (word, text) = match &state.status {
        Status::Unseen | Status::Ended(_) => return None,
        Status::Held => ("held", "until all its objects exist".to_owned()),
        Status::Waiting(waiting) => {
            let kind = format!("waiting  {}", waiting.reason.word());
            return Some((kind, waiting.message.clone(), waiting.hint.clone()));
        }
        Status::Starting(step) if on.is_empty() => ("starting", step.clone()),
        Status::Starting(step) => ("starting", format!("{on}: {step}")),
        Status::Running if state.lingers.is_some() => {
            return Some(("running  Stopped".into(), LINGERS.into(), Some(LINGERS_HINT.into())));
        }
        Status::Running => ("running", on),
        Status::Stopping(why) => ("stopping", why.clone()),
    };
    Some((word.to_owned(), text, None))
}

/// The driver's state in one line for the live view, and a hint.
pub fn words(state: &State) -> (String, Option<String>) {
    match driver(state) {
        Some((kind, text, hint)) => (format!("{kind}  {text}").trim_end().to_owned(), hint),
        None if state.status == Status::Unseen => ("looking for its driver".to_owned(), None),
        None => (state.status.word().to_lowercase(), None),
    }
}

fn styled(state: &State, kind: &str, text: &str) -> String {
    let style = match &state.status {
        Status::Waiting(_) | Status::Stopping(_) => DOUBTFUL,
        Status::Running if state.lingers.is_some() => DOUBTFUL,
        _ => anstyle::Style::new(),
    };
    let separator = if kind.contains("  ") { ": " } else { "  " };
    format!("{style}{kind}{style:#}{separator}{}", clean(text)).trim_end().to_owned()
}

/// `1 of 3 running, 1 pending (no node of 3 fits: …), 1 refused (exceeded quota: …)`; none where no executors are wanted or
/// known, and when all have ended: after the driver's end, Spark removes them one by one.
pub fn executor_words(state: &State) -> Option<String> {
    let executors = &state.executors;
    let exist = executors.pending + executors.running + executors.failed > 0;
    let are_awaited = executors.missing() > 0 && (!executors.seen || executors.refused.is_some());
    if !matches!(state.status, Status::Running) || !(exist || are_awaited) {
        return None;
    }
    let mut parts = vec![format!("{} running", of_wanted(state))];
    if executors.pending > 0 {
        let why = executors.blocked.as_ref().map(|why| format!(" ({})", clean(why))).unwrap_or_default();
        parts.push(format!("{} pending{why}", executors.pending));
    }
    if let Some(why) = &executors.refused {
        parts.push(format!("{DOUBTFUL}{} refused{DOUBTFUL:#} ({})", executors.missing(), clean(why)));
    }
    if executors.failed > 0 {
        let last = executors.last_failure.as_ref().map(|last| {
            let code = last.exit_code.map(|code| format!("exit code {code}, ")).unwrap_or_default();
            format!(" (last {}: {code}{})", last.name, clean(&last.reason))
        });
        parts.push(format!("{BAD}{} failed{BAD:#}{}", executors.failed, last.unwrap_or_default()));
    }
    Some(parts.join(", "))
}

/// `1 of 3`, or the number that run where no more are wanted, or it is not known how many.
pub fn of_wanted(state: &State) -> String {
    let Executors { wanted, running, .. } = state.executors;
    match wanted.filter(|_| state.outcome().is_none()) {
        Some(wanted) if wanted > 0 && wanted >= running => format!("{running} of {wanted}"),
        _ => running.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Durations, Reason, Waiting};

    fn waiting(message: &str) -> State {
        let waiting = Waiting { reason: Reason::Unschedulable, message: message.into(), hint: None, since: None };
        State {
            status: Status::Waiting(waiting),
            executors: Executors::default(),
            durations: Durations::default(),
            attempt: None,
            node: None,
            lingers: None,
        }
    }

    fn reported_at(seconds: std::ops::Range<i64>, message: &str) -> Vec<i64> {
        let mut plain = Plain::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let at = |second: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        seconds.filter(|second| !plain.lines(&waiting(message), at(*second)).is_empty()).collect()
    }

    #[test]
    fn repeats_an_unchanged_wait_at_growing_intervals() {
        assert_eq!(reported_at(0..1900, "x"), [0, 30, 120, 300, 600, 1200, 1800]);
    }

    #[test]
    fn a_wait_with_alternating_messages_is_reported_once_for_each() {
        let mut plain = Plain::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let mut lines_at = Vec::new();
        for second in 0..100 {
            let mut state = waiting(if second % 2 == 0 { "5 didn't match" } else { "3 had a taint; 2 didn't match" });
            let Status::Waiting(wait) = &mut state.status else { unreachable!() };
            wait.hint = Some(format!("hint {}", second % 2));
            let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            lines_at.extend(plain.lines(&state, at).iter().map(|line| (second, line.contains("hint:"))));
        }
        // A line and its hint; the other hint; the other line, after the interval; a reminder.
        assert_eq!(lines_at, [(0, false), (0, true), (1, true), (11, false), (30, false)]);
    }

    #[test]
    fn waiting_executors_are_reported_once_for_each_reason() {
        let mut plain = Plain::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let mut lines_at = Vec::new();
        for second in 0..3600 {
            let blocked = Some(format!("no node of 3 fits: {}", second % 2));
            let executors =
                Executors { running: 1, pending: if second < 9 { 2 } else { 1 }, blocked, ..Executors::default() };
            let state = State { status: Status::Running, executors, ..waiting("") };
            let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            let lines = plain.lines(&state, at);
            lines_at.extend(lines.iter().filter(|line| line.contains("executors")).map(|_| second));
        }
        assert_eq!(lines_at, [0, 9, 20]);
    }

    #[test]
    fn writes_time_age_and_reason() {
        let mut plain = Plain::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let lines = plain.lines(&waiting("no node of 3 fits"), Timestamp::UNIX_EPOCH + SignedDuration::from_secs(12));
        let bare: Vec<String> = lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(bare, ["00:00:12 +12s     driver     waiting  Unschedulable: no node of 3 fits"]);
    }
}
