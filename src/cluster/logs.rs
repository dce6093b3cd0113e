//! Logs of containers: followed across reconnections without a line lost or repeated, or copied as they are.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{AsyncBufReadExt, AsyncReadExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp, Unit};
use kube::Api;
use kube::api::LogParams;
use tokio::sync::{mpsc, watch};

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::request::in_time;
use crate::state;
use crate::time::Backoff;

/// How far a resumed stream reaches back. Lines may be slightly out of order, because stdout and stderr are timestamped
/// separately, and the server accepts whole seconds only.
const OVERLAP: SignedDuration = SignedDuration::from_secs(2);
/// Pauses before a broken stream is opened again. They stay short: a log that is not read may be rotated away.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(5)];
/// A stream that ended while its container runs is opened again after this.
const REOPEN: Duration = Duration::from_millis(200);
/// An answer that has not begun within this is lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A stream that is silent for this long after the container's end is dead: all of the log was written by then.
const DEAD_AFTER_END: Duration = Duration::from_secs(2);
/// How long to try to read the rest of a log after the container's end.
const REST: Duration = Duration::from_secs(60);

/// One line of a log, as the container wrote it, with its newline.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub at: Option<Timestamp>,
    pub text: Vec<u8>,
}

/// What reading a log reports.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEvent {
    Line(Line),
    /// Why there is no log, or no more of it.
    Trouble(String),
    /// The log has been read to its end.
    End,
}

/// Logs of several containers, followed across reconnections without a line lost or repeated.
pub struct Logs {
    cluster: Cluster,
    sender: mpsc::Sender<(Source, LogEvent)>,
    receiver: mpsc::Receiver<(Source, LogEvent)>,
    /// Signals the container's end to each stream, by the name of the pod.
    streams: BTreeMap<String, watch::Sender<bool>>,
    /// How many streams have not ended.
    open: usize,
}

/// The short name of the driver or executor that a line is from.
pub type Source = Arc<str>;

impl Logs {
    /// Follows no log yet.
    pub fn of(cluster: &Cluster) -> Logs {
        let (sender, receiver) = mpsc::channel(1024);
        Logs { cluster: cluster.clone(), sender, receiver, streams: BTreeMap::new(), open: 0 }
    }

    /// Starts to follow the log of a pod's Spark container, from its first line.
    pub fn follow(&mut self, source: &str, pod: &Pod) {
        let (ended, is_ended) = watch::channel(false);
        let (pods, name) = self.cluster.api_of(pod);
        let reading = Reading {
            source: Source::from(source),
            pods,
            pod: name.clone(),
            container: state::spark_container(pod).to_owned(),
            silence: self.cluster.watch_timeout,
            resume: Resume::default(),
            sender: self.sender.clone(),
            ended: is_ended,
            was_read: false,
        };
        tokio::spawn(reading.run());
        self.streams.insert(name, ended);
        self.open += 1;
    }

    /// Whether the log of a pod is or was followed.
    pub fn has(&self, pod: &str) -> bool {
        self.streams.contains_key(pod)
    }

    /// How many logs are being followed.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Notes which pods are gone: the end of their streams is the end of their logs.
    pub fn end_missing(&self, exists: impl Fn(&str) -> bool) {
        for (_, ended) in self.streams.iter().filter(|(pod, _)| !exists(pod)) {
            ended.send_replace(true);
        }
    }

    /// The next line of any log. Cancel safe.
    pub async fn next(&mut self) -> (Source, LogEvent) {
        loop {
            match self.receiver.recv().await {
                Some((_, LogEvent::End)) => self.open = self.open.saturating_sub(1),
                Some(event) => return event,
                None => std::future::pending().await,
            }
        }
    }

    /// The next line; `None` once all logs have ended.
    pub async fn next_remaining(&mut self) -> Option<(Source, LogEvent)> {
        while self.open > 0 {
            match self.receiver.recv().await? {
                (_, LogEvent::End) => self.open -= 1,
                event => return Some(event),
            }
        }
        None
    }

    /// Notes that a container has ended: the end of its stream is the end of its log.
    pub fn container_ended(&self, pod: &str) {
        if let Some(ended) = self.streams.get(pod) {
            ended.send_replace(true);
        }
    }

    /// Notes that all containers have ended.
    pub fn all_ended(&self) {
        for ended in self.streams.values() {
            ended.send_replace(true);
        }
    }
}

struct Reading {
    source: Source,
    pods: Api<Pod>,
    pod: String,
    container: String,
    /// A stream that is silent for this long is reopened: its connection may be dead.
    silence: Duration,
    resume: Resume,
    sender: mpsc::Sender<(Source, LogEvent)>,
    ended: watch::Receiver<bool>,
    /// Whether a stream was ever opened.
    was_read: bool,
}

impl Reading {
    /// Reads until the log has ended, or the receiver is gone.
    async fn run(mut self) {
        self.read().await;
        self.send(LogEvent::End).await;
    }

    async fn read(&mut self) {
        let mut backoff = Backoff::new(&PAUSES);
        let mut rest_until = None;
        loop {
            let was_ended = *self.ended.borrow();
            if was_ended && rest_until.is_none() {
                rest_until = Some(Instant::now() + REST);
            }
            let pause = match self.stream(was_ended).await {
                // A stream that was opened after the container's end has everything. While the container runs, a log
                // rotation or a kubelet restart ends a stream as well.
                Stream::Ended if was_ended => return,
                Stream::Closed => return,
                Stream::Ended | Stream::Silent => {
                    backoff.reset();
                    REOPEN
                }
                // The pod is gone, and its log with it.
                Stream::Broken(failure) if failure.code() == 404 && was_ended => return,
                Stream::Broken(failure) if failure.code() == 403 && !self.was_read => {
                    let what = format!("cannot read the log of {}: {failure}", self.pod);
                    return self.send(LogEvent::Trouble(what)).await;
                }
                Stream::Broken(failure) if rest_until.is_some_and(|until| Instant::now() > until) => {
                    let what = format!("cannot read the rest of the log of {}: {failure}", self.pod);
                    return self.send(LogEvent::Trouble(what)).await;
                }
                Stream::Broken(_) => backoff.next_pause_or_last(),
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.ended.wait_for(|ended| *ended), if !was_ended => {}
                () = self.sender.closed() => return,
            }
        }
    }

    async fn send(&self, event: LogEvent) {
        // An error means that the receiver is gone, which ends the stream as well.
        let _ = self.sender.send((self.source.clone(), event)).await;
    }

    /// Reads one stream, from where the last one ended.
    async fn stream(&mut self, was_ended: bool) -> Stream {
        let params =
            LogParams { follow: true, timestamps: true, since_time: self.resume.since(), ..params(&self.container) };
        let mut stream = match in_time(ANSWER_TIMEOUT, self.pods.log_stream(&self.pod, &params)).await {
            Ok(stream) => stream,
            Err(failure) => return Stream::Broken(failure),
        };
        self.was_read = true;
        loop {
            let mut raw = Vec::new();
            let read = tokio::select! {
                read = stream.read_until(b'\n', &mut raw) => read,
                () = silent(self.ended.clone(), self.silence) => return Stream::Silent,
                () = self.sender.closed() => return Stream::Closed,
            };
            match read {
                Ok(0) => return Stream::Ended,
                // Part of a line: it is repeated as a whole, or as the last line after the container's end.
                Ok(_) if !raw.ends_with(b"\n") && !was_ended => return Stream::Ended,
                Ok(_) => {}
                Err(error) => return Stream::Broken(Failure::NoAnswer(error.to_string())),
            }
            if let Some(line) = self.resume.take(&raw)
                && self.sender.send((self.source.clone(), LogEvent::Line(line))).await.is_err()
            {
                return Stream::Closed;
            }
        }
    }
}

/// Waits for as long as a stream may be silent, which is not long after the container's end.
async fn silent(mut ended: watch::Receiver<bool>, silence: Duration) {
    let after_end = async {
        let is_ended = ended.wait_for(|ended| *ended).await.is_ok();
        if is_ended {
            tokio::time::sleep(DEAD_AFTER_END).await;
        } else {
            std::future::pending().await
        }
    };
    tokio::select! {
        () = after_end => {}
        () = tokio::time::sleep(silence) => {}
    }
}

/// How a stream ended.
enum Stream {
    Ended,
    Broken(Failure),
    /// Nothing was received for a long time: the connection may be dead.
    Silent,
    /// The receiver is gone.
    Closed,
}

/// The position in a log from which to resume: the lines of the last moments.
#[derive(Default)]
struct Resume {
    latest: Option<Timestamp>,
    /// Time and hash of each line within [`OVERLAP`] before the latest.
    recent: VecDeque<(Timestamp, u64)>,
    /// How often the current stream still has to repeat each recent line.
    repeats: HashMap<(Timestamp, u64), usize>,
}

impl Resume {
    /// The time from which a new stream must start, in whole seconds. From now on, repeated lines are expected.
    fn since(&mut self) -> Option<Timestamp> {
        let latest = self.latest?;
        self.repeats.clear();
        for line in &self.recent {
            *self.repeats.entry(*line).or_default() += 1;
        }
        // The client rounds to the nearest second, so that it is given a whole one.
        let since = latest.checked_sub(OVERLAP / 2).unwrap_or(latest);
        let whole = since.round(Unit::Second).unwrap_or(since);
        if whole > since { whole.checked_sub(SignedDuration::from_secs(1)).ok() } else { Some(whole) }
    }

    /// Splits the timestamp from a line; `None` if the line was read before.
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

/// Splits `2026-11-24T04:00:00.123456789Z text` into its two parts.
fn timestamped(raw: &[u8]) -> Option<(Timestamp, &[u8])> {
    let space = raw.iter().position(|byte| *byte == b' ')?;
    let at = std::str::from_utf8(&raw[..space]).ok()?.parse().ok()?;
    Some((at, &raw[space + 1..]))
}

/// How much of a log's end is kept to explain a failure.
const TAIL: usize = 64 * 1024;

/// The last lines of the log of a pod's Spark container: at most `lines`, and at most 64 KiB. Bytes that are not UTF-8
/// are replaced.
///
/// # Errors
/// The pod is gone, its log cannot be read, or there is no answer.
pub async fn log_tail(cluster: &Cluster, pod: &Pod, lines: usize) -> anyhow::Result<String> {
    let part = Part { tail: i64::try_from(lines).ok(), previous: false };
    let mut tail = Vec::new();
    let take = |piece: &[u8]| {
        tail.extend_from_slice(piece);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
        Ok(true)
    };
    copy(cluster, pod, part, ANSWER_TIMEOUT, take).await?;
    Ok(String::from_utf8_lossy(&tail).into_owned())
}

/// Which part of a container's log to copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// Only this many of the last lines.
    pub tail: Option<i64>,
    /// The log of the container's previous run.
    pub previous: bool,
}

/// Copies the log of a pod's Spark container up to now, until `take` returns `false`.
///
/// # Errors
/// The log cannot be read, or `take` fails.
pub async fn copy_log(
    cluster: &Cluster,
    pod: &Pod,
    part: Part,
    take: impl FnMut(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    copy(cluster, pod, part, cluster.watch_timeout, take).await
}

/// Passes a part of a log to `take`. Silence for longer than `silence` is an error.
async fn copy(
    cluster: &Cluster,
    pod: &Pod,
    part: Part,
    silence: Duration,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let container = logged_container(pod);
    let params = LogParams { tail_lines: part.tail, previous: part.previous, ..params(container) };
    let (pods, pod) = cluster.api_of(pod);
    let mut stream = in_time(ANSWER_TIMEOUT, pods.log_stream(&pod, &params))
        .await
        .map_err(|failure| Refusal::new(format!("reading the log of {pod}"), failure, &cluster.namespace))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::time::timeout(silence, stream.read(&mut buffer));
        match read.await.with_context(|| format!("reading the log of {pod}: timed out"))?? {
            0 => return Ok(()),
            read if take(&buffer[..read])? => {}
            _ => return Ok(()),
        }
    }
}

/// Spark's container, or the init container that failed before it was started.
fn logged_container(pod: &Pod) -> &str {
    state::failed_init(pod).unwrap_or_else(|| state::spark_container(pod))
}

fn params(container: &str) -> LogParams {
    LogParams { container: Some(container.to_owned()), ..LogParams::default() }
}

#[cfg(test)]
mod tests {
    use super::Resume;

    fn read(resume: &mut Resume, lines: &[&str]) -> Vec<String> {
        let lines = lines.iter().filter_map(|line| resume.take(line.as_bytes()));
        lines.map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
    }

    const A: &str = "2026-11-24T04:00:00.900000001Z a\n";
    const B: &str = "2026-11-24T04:00:01.000000001Z b\n";
    const C: &str = "2026-11-24T04:00:01.000000001Z c\n";
    const LATE: &str = "2026-11-24T04:00:00.999999999Z late\n";

    #[test]
    fn repeats_no_line() {
        let mut resume = Resume::default();
        assert_eq!(read(&mut resume, &[A, B]), ["a\n", "b\n"]);
        resume.since();
        assert_eq!(read(&mut resume, &[A, B, C]), ["c\n"]);
    }

    #[test]
    fn loses_no_line_that_is_out_of_order() {
        let mut resume = Resume::default();
        assert_eq!(read(&mut resume, &[A, B]), ["a\n", "b\n"]);
        resume.since();
        assert_eq!(read(&mut resume, &[A, LATE, B]), ["late\n"]);
    }

    #[test]
    fn counts_equal_lines_of_the_same_instant() {
        let mut resume = Resume::default();
        assert_eq!(read(&mut resume, &[C, C]).len(), 2);
        resume.since();
        assert_eq!(read(&mut resume, &[C, C, C]), ["c\n"]);
    }

    #[test]
    fn resumes_at_a_whole_second_before_the_overlap() {
        let mut resume = Resume::default();
        read(&mut resume, &["2026-11-24T04:00:07.800000000Z x\n"]);
        let since = resume.since().map(|since| since.to_string());
        assert_eq!(since.as_deref(), Some("2026-11-24T04:00:06Z"));
    }
}
