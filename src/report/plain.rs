use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::style::{BAD, DOUBTFUL, FAINT};
use super::{clean, span};
use crate::state::{Executors, LINGERS, LINGERS_HINT, State, Status};

/// An unchanged wait is said again after these, counted from its beginning; then each ten minutes.
const REMINDERS: [i64; 3] = [30, 120, 300];
const LAST_REMINDER: i64 = 600;
/// A wait whose words alone change (other nodes, other counts) is not said more often than this.
const WORDS: SignedDuration = SignedDuration::from_secs(10);
/// A thousand executors that start are not a thousand lines.
const COUNTS: SignedDuration = SignedDuration::from_secs(2);

/// Plain lines: a thing is said once, when it changes, with sparse reminders of a wait.
#[derive(Debug)]
pub struct Plain {
    began: Timestamp,
    zone: TimeZone,
    driver: Topic,
    executors: Topic,
    /// What was hinted of the driver's present wait.
    advised: Vec<String>,
    /// What was hinted of the executors.
    hinted: Vec<String>,
}

/// What was last said of one thing.
#[derive(Debug, Default)]
struct Topic {
    kind: String,
    /// All that was said of this kind: a scheduler goes back and forth between two words for the same wait.
    texts: Vec<String>,
    /// When this kind began.
    since: Option<Timestamp>,
    said: Option<Timestamp>,
}

impl Plain {
    /// `began`: what ages are counted from.
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

    /// The lines that a state is worth now.
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
            // More may be known of a wait after a look at what is around it.
            if let Some(hint) = hint.filter(|hint| !self.advised.contains(hint)) {
                lines.push(format!("{:18} {FAINT}hint:{FAINT:#} {}", "", clean(&hint)));
                self.advised.push(hint);
            }
        }
        let Executors { running, pending, failed, .. } = &state.executors;
        if let Some(text) = executor_words(state)
            && self.executors.news(&format!("{running} {pending} {failed}"), &text, now, COUNTS, false).is_some()
        {
            lines.push(self.line("executors", &text, now));
        }
        if matches!(state.status, Status::Running)
            && let Some(hint) = state.executors.hint.as_ref().filter(|hint| !self.hinted.contains(hint))
        {
            lines.push(format!("{:18} {FAINT}hint:{FAINT:#} {}", "", clean(hint)));
            self.hinted.push(hint.clone());
        }
        lines
    }

    /// Any other line in the same form.
    pub fn line(&self, topic: &str, text: &str, now: Timestamp) -> String {
        let clock = now.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let age = format!("+{}", span(now.duration_since(self.began)));
        format!("{FAINT}{clock} {age:<8}{FAINT:#} {topic:<9}  {text}")
    }
}

impl Topic {
    /// Whether to speak; with what to add, which is nothing but for a reminder. Another kind is not said sooner than `pause`
    /// after the last.
    fn news(&mut self, kind: &str, text: &str, now: Timestamp, pause: SignedDuration, remind: bool) -> Option<String> {
        let quiet_for = self.said.map(|said| now.duration_since(said));
        if self.kind != kind {
            if quiet_for.is_some_and(|quiet| quiet < pause) {
                return None;
            }
            *self = Topic { kind: kind.into(), texts: vec![text.into()], since: Some(now), said: Some(now) };
            return Some(String::new());
        }
        let is_new = self.texts.iter().all(|said| said != text);
        if is_new && quiet_for.is_none_or(|quiet| quiet >= WORDS) {
            self.texts.push(text.into());
            self.said = Some(now);
            return Some(String::new());
        }
        let (since, said) = (self.since?, self.said?);
        let due = next_reminder(said.duration_since(since));
        if remind && now.duration_since(since) >= due {
            self.said = Some(now);
            return Some(format!(" (for {})", span(now.duration_since(since))));
        }
        None
    }
}

/// When the next reminder is due for a wait that was last spoken of at this age.
fn next_reminder(said_at: SignedDuration) -> SignedDuration {
    let seconds = said_at.as_secs();
    let due = REMINDERS.into_iter().find(|due| *due > seconds);
    SignedDuration::from_secs(due.unwrap_or((seconds / LAST_REMINDER + 1) * LAST_REMINDER))
}

/// What the driver does: in one word, in the cluster's words, and what to try. Its end is for the
/// summary to tell.
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

/// The same in one line, for a view; with what to try.
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

/// `2 running, 1 pending (no node of 3 fits: …)`; nothing as long as there are none, or after the end,
/// when Spark takes them down one by one.
pub fn executor_words(state: &State) -> Option<String> {
    let executors = &state.executors;
    if executors.pending + executors.running + executors.failed == 0 || !matches!(state.status, Status::Running) {
        return None;
    }
    let mut parts = vec![format!("{} running", executors.running)];
    if executors.pending > 0 {
        let why = executors.blocked.as_ref().map(|why| format!(" ({})", clean(why))).unwrap_or_default();
        parts.push(format!("{} pending{why}", executors.pending));
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

    fn said_at(seconds: std::ops::Range<i64>, message: &str) -> Vec<i64> {
        let mut plain = Plain::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let at = |second: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        seconds.filter(|second| !plain.lines(&waiting(message), at(*second)).is_empty()).collect()
    }

    #[test]
    fn says_an_unchanged_wait_again_at_growing_distances() {
        assert_eq!(said_at(0..1900, "x"), [0, 30, 120, 300, 600, 1200, 1800]);
    }

    #[test]
    fn a_wait_that_is_told_now_so_now_so_is_said_once_in_each_way() {
        let mut plain = Plain::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let mut said = Vec::new();
        for second in 0..100 {
            let mut state = waiting(if second % 2 == 0 { "5 didn't match" } else { "3 had a taint; 2 didn't match" });
            let Status::Waiting(wait) = &mut state.status else { unreachable!() };
            wait.hint = Some(format!("hint {}", second % 2));
            let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            said.extend(plain.lines(&state, at).iter().map(|line| (second, line.contains("hint:"))));
        }
        // A line and its hint; the other hint; the other line, no sooner than that is done; a reminder.
        assert_eq!(said, [(0, false), (0, true), (1, true), (11, false), (30, false)]);
    }

    #[test]
    fn executors_that_wait_are_told_once_for_each_reason() {
        let mut plain = Plain::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let mut said = Vec::new();
        for second in 0..3600 {
            let blocked = Some(format!("no node of 3 fits: {}", second % 2));
            let executors =
                Executors { running: 1, pending: if second < 9 { 2 } else { 1 }, blocked, ..Executors::default() };
            let state = State { status: Status::Running, executors, ..waiting("") };
            let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            let lines = plain.lines(&state, at);
            said.extend(lines.iter().filter(|line| line.contains("executors")).map(|_| second));
        }
        assert_eq!(said, [0, 9, 20]);
    }

    #[test]
    fn writes_time_age_and_reason() {
        let mut plain = Plain::new(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let lines = plain.lines(&waiting("no node of 3 fits"), Timestamp::UNIX_EPOCH + SignedDuration::from_secs(12));
        let bare: Vec<String> = lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(bare, ["00:00:12 +12s     driver     waiting  Unschedulable: no node of 3 fits"]);
    }
}
