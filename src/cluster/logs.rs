use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures_util::{AsyncBufReadExt, AsyncReadExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp, Unit};
use kube::Api;
use kube::api::LogParams;
use tokio::sync::{mpsc, watch};

use super::connect::told;
use super::{Cluster, Failure, Refusal};
use crate::manifests::Application;

/// How far a resumed stream reaches back: the times of a container's two outputs are taken apart, so
/// that lines may be out of order by a moment, and the server takes whole seconds.
const OVERLAP: SignedDuration = SignedDuration::from_secs(2);
/// Pauses between attempts, the last one repeated.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10)];

/// One line of a log, as the container wrote it, with its newline.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub at: Option<Timestamp>,
    pub text: Vec<u8>,
}

/// A driver's log, followed through reconnections with no line lost or repeated.
pub struct LogStream {
    lines: mpsc::Receiver<Line>,
    ended: watch::Sender<bool>,
}

impl LogStream {
    /// Begins to read the log of the driver's `container` from its first line.
    pub fn begin(cluster: &Cluster, application: &Application, container: &str) -> LogStream {
        let (sender, lines) = mpsc::channel(1024);
        let (ended, is_ended) = watch::channel(false);
        let pods = Api::namespaced(cluster.client.clone(), &application.namespace);
        let (pod, container) = (application.driver.clone(), container.to_owned());
        tokio::spawn(Reading { pods, pod, container, resume: Resume::default(), sender }.read_on(is_ended));
        LogStream { lines, ended }
    }

    /// The next line, or the end of the log. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Line> {
        self.lines.recv().await
    }

    /// Tells that the container has ended: from then on the end of the stream is the end of the log.
    pub fn container_ended(&self) {
        self.ended.send_replace(true);
    }
}

struct Reading {
    pods: Api<Pod>,
    pod: String,
    container: String,
    resume: Resume,
    sender: mpsc::Sender<Line>,
}

impl Reading {
    /// Reads until the container has ended and its log with it, or nobody listens.
    async fn read_on(mut self, mut ended: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            let was_ended = *ended.borrow();
            match self.once(was_ended).await {
                // Opened after the container's end, such a stream has shown everything. While the
                // container runs, a rotation or a restarted kubelet ends a stream as well.
                Stream::Ended if was_ended => return,
                Stream::Unheard => return,
                Stream::Ended => failures = 0,
                Stream::Broken if was_ended && failures > PAUSES.len() => return,
                Stream::Broken => failures += 1,
            }
            let pause = PAUSES[failures.min(PAUSES.len() - 1)];
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = ended.wait_for(|ended| *ended), if !was_ended => {}
            }
        }
    }

    /// One stream from where the last one ended.
    async fn once(&mut self, container_ended: bool) -> Stream {
        let params = LogParams {
            follow: true,
            timestamps: true,
            container: Some(self.container.clone()),
            since_time: self.resume.since(),
            ..LogParams::default()
        };
        let Ok(mut stream) = self.pods.log_stream(&self.pod, &params).await else {
            return Stream::Broken;
        };
        loop {
            let mut raw = Vec::new();
            match stream.read_until(b'\n', &mut raw).await {
                Ok(0) => return Stream::Ended,
                // Half a line: it comes again whole, or as the last one of a container that has ended.
                Ok(_) if !raw.ends_with(b"\n") && !container_ended => return Stream::Ended,
                Ok(_) => {}
                Err(_) => return Stream::Broken,
            }
            if let Some(line) = self.resume.take(&raw)
                && self.sender.send(line).await.is_err()
            {
                return Stream::Unheard;
            }
        }
    }
}

/// How a stream came to its end.
enum Stream {
    Ended,
    Broken,
    /// Nobody wants its lines any more.
    Unheard,
}

/// Where a log was left, so that it can be taken up again: the lines of the last moments.
#[derive(Default)]
struct Resume {
    latest: Option<Timestamp>,
    /// Time and hash of each line within [`OVERLAP`] before the latest.
    recent: VecDeque<(Timestamp, u64)>,
    /// How many of each recent line the present stream has yet to repeat.
    repeats: HashMap<(Timestamp, u64), usize>,
}

impl Resume {
    /// From when a new stream must start, in whole seconds; what it will repeat is expected from now on.
    fn since(&mut self) -> Option<Timestamp> {
        let latest = self.latest?;
        self.repeats.clear();
        for line in &self.recent {
            *self.repeats.entry(*line).or_default() += 1;
        }
        // The client rounds to the nearest second: a whole one stays as it is.
        let since = latest.checked_sub(OVERLAP / 2).unwrap_or(latest);
        let whole = since.round(Unit::Second).unwrap_or(since);
        if whole > since { whole.checked_sub(SignedDuration::from_secs(1)).ok() } else { Some(whole) }
    }

    /// A line with its timestamp, without it; nothing if it was shown before.
    fn take(&mut self, raw: &[u8]) -> Option<Line> {
        let Some((at, text)) = timestamped(raw) else {
            return Some(Line { at: None, text: raw.to_vec() });
        };
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let line = (at, hasher.finish());
        if let Some(count) = self.repeats.get_mut(&line) {
            *count -= 1;
            if *count == 0 {
                self.repeats.remove(&line);
            }
            return None;
        }
        self.latest = self.latest.max(Some(at));
        self.recent.push_back(line);
        let kept_from = self.latest.and_then(|latest| latest.checked_sub(OVERLAP).ok());
        while self.recent.front().is_some_and(|(at, _)| Some(*at) < kept_from) {
            self.recent.pop_front();
        }
        Some(Line { at: Some(at), text: text.to_vec() })
    }
}

/// `2026-11-24T04:00:00.123456789Z text` in its two parts.
fn timestamped(raw: &[u8]) -> Option<(Timestamp, &[u8])> {
    let space = raw.iter().position(|byte| *byte == b' ')?;
    let at = std::str::from_utf8(&raw[..space]).ok()?.parse().ok()?;
    Some((at, &raw[space + 1..]))
}

/// The last lines of a driver's log: at most `lines`, and at most 64 KiB.
///
/// # Errors
/// The pod is gone, its log is not readable, or there is no answer.
pub async fn log_tail(
    cluster: &Cluster,
    application: &Application,
    container: &str,
    lines: i64,
) -> Result<String, Failure> {
    let params = LogParams { tail_lines: Some(lines), ..log_of(container) };
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &application.namespace);
    let tail = pods.logs(&application.driver, &params).await.map_err(failure)?;
    let from = tail.len().saturating_sub(64 * 1024);
    let from = (from..=tail.len()).find(|at| tail.is_char_boundary(*at)).unwrap_or_default();
    Ok(tail[from..].to_owned())
}

/// Copies a driver's log as it is so far.
///
/// # Errors
/// The log cannot be read, or the writer fails.
pub async fn whole_log(
    cluster: &Cluster,
    application: &Application,
    container: &str,
    out: &mut impl std::io::Write,
) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &application.namespace);
    let mut stream = pods.log_stream(&application.driver, &log_of(container)).await.map_err(|error| {
        let doing = format!("reading the log of {}", application.driver);
        Refusal::new(doing, failure(error), &application.namespace)
    })?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            read => out.write_all(&buffer[..read])?,
        }
    }
}

fn log_of(container: &str) -> LogParams {
    LogParams { container: Some(container.to_owned()), ..LogParams::default() }
}

fn failure(error: kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) => Failure::Refused(status),
        other => Failure::NoAnswer(told(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::Resume;

    fn shown(resume: &mut Resume, lines: &[&str]) -> Vec<String> {
        let lines = lines.iter().filter_map(|line| resume.take(line.as_bytes()));
        lines.map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
    }

    const A: &str = "2026-11-24T04:00:00.900000001Z a\n";
    const B: &str = "2026-11-24T04:00:01.000000001Z b\n";
    const C: &str = "2026-11-24T04:00:01.000000001Z c\n";
    const LATE: &str = "2026-11-24T04:00:00.999999999Z late\n";

    #[test]
    fn repeats_nothing_that_was_shown() {
        let mut resume = Resume::default();
        assert_eq!(shown(&mut resume, &[A, B]), ["a\n", "b\n"]);
        resume.since();
        assert_eq!(shown(&mut resume, &[A, B, C]), ["c\n"]);
    }

    #[test]
    fn loses_nothing_that_came_out_of_order() {
        let mut resume = Resume::default();
        assert_eq!(shown(&mut resume, &[A, B]), ["a\n", "b\n"]);
        resume.since();
        assert_eq!(shown(&mut resume, &[A, LATE, B]), ["late\n"]);
    }

    #[test]
    fn counts_equal_lines_of_the_same_instant() {
        let mut resume = Resume::default();
        assert_eq!(shown(&mut resume, &[C, C]).len(), 2);
        resume.since();
        assert_eq!(shown(&mut resume, &[C, C, C]), ["c\n"]);
    }

    #[test]
    fn starts_again_at_a_whole_second_not_after_the_overlap() {
        let mut resume = Resume::default();
        shown(&mut resume, &["2026-11-24T04:00:07.800000000Z x\n"]);
        let since = resume.since().map(|since| since.to_string());
        assert_eq!(since.as_deref(), Some("2026-11-24T04:00:06Z"));
    }
}
