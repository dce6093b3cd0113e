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

use super::request::in_time;
use super::{Cluster, Failure, Refusal};
use crate::state;
use crate::time::Backoff;

/// How far a resumed stream reaches back: the times of a container's two outputs are taken apart, so
/// that lines may be out of order by a moment, and the server takes whole seconds.
const OVERLAP: SignedDuration = SignedDuration::from_secs(2);
/// Pauses before a broken stream is opened again. They stay short: a log that is not read may be rotated away.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(5)];
/// A stream that ended while its container runs is opened again after this.
const REOPEN: Duration = Duration::from_millis(200);
/// An answer that has not begun to come by then is taken for lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A stream that brings nothing for so long after the container's end is dead: the end of its log is there.
const DEAD_AFTER_END: Duration = Duration::from_secs(2);
/// How long the rest of a log is asked for after the container's end.
const REST: Duration = Duration::from_secs(60);

/// One line of a log, as the container wrote it, with its newline.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub at: Option<Timestamp>,
    pub text: Vec<u8>,
}

/// What reading a log brings.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEvent {
    Line(Line),
    /// Why there is no log, or no more of it.
    Trouble(String),
    /// The log has been shown to its end.
    End,
}

/// Logs of containers, followed through reconnections with no line lost or repeated.
pub struct Logs {
    cluster: Cluster,
    sender: mpsc::Sender<(Source, LogEvent)>,
    heard: mpsc::Receiver<(Source, LogEvent)>,
    /// Tells each stream of its container's end, by the name of the pod.
    streams: BTreeMap<String, watch::Sender<bool>>,
    /// How many streams have not come to their end.
    open: usize,
}

/// Whose log a line is of: the driver's or an executor's short name.
pub type Source = Arc<str>;

impl Logs {
    pub fn of(cluster: &Cluster) -> Logs {
        let (sender, heard) = mpsc::channel(1024);
        Logs { cluster: cluster.clone(), sender, heard, streams: BTreeMap::new(), open: 0 }
    }

    /// Begins to read the log of a pod's Spark container from its first line.
    pub fn begin(&mut self, source: &str, pod: &Pod) {
        let (ended, is_ended) = watch::channel(false);
        let (pods, name) = place(&self.cluster, pod);
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
        tokio::spawn(reading.read_on());
        self.streams.insert(name, ended);
        self.open += 1;
    }

    pub fn has(&self, pod: &str) -> bool {
        self.streams.contains_key(pod)
    }

    /// How many logs are being read.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Tells of pods that are gone: what their streams still bring is the end of their logs.
    pub fn all_but_ended(&self, is_there: impl Fn(&str) -> bool) {
        for (_, ended) in self.streams.iter().filter(|(pod, _)| !is_there(pod)) {
            ended.send_replace(true);
        }
    }

    /// The next line of any. May be dropped and called again.
    pub async fn next(&mut self) -> (Source, LogEvent) {
        loop {
            match self.heard.recv().await {
                Some((_, LogEvent::End)) => self.open = self.open.saturating_sub(1),
                Some(heard) => return heard,
                None => std::future::pending().await,
            }
        }
    }

    /// The next line as long as there are any to come.
    pub async fn rest(&mut self) -> Option<(Source, LogEvent)> {
        while self.open > 0 {
            match self.heard.recv().await? {
                (_, LogEvent::End) => self.open -= 1,
                heard => return Some(heard),
            }
        }
        None
    }

    /// Tells that a container has ended: from then on the end of its stream is the end of its log.
    pub fn container_ended(&self, pod: &str) {
        if let Some(ended) = self.streams.get(pod) {
            ended.send_replace(true);
        }
    }

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
    /// A stream that is silent for so long is taken up anew: its connection may be dead.
    silence: Duration,
    resume: Resume,
    sender: mpsc::Sender<(Source, LogEvent)>,
    ended: watch::Receiver<bool>,
    /// Whether a stream was ever opened.
    was_read: bool,
}

impl Reading {
    /// Reads until the container has ended and its log with it, or nobody listens.
    async fn read_on(mut self) {
        self.read().await;
        self.tell(LogEvent::End).await;
    }

    async fn read(&mut self) {
        let mut backoff = Backoff::new(&PAUSES);
        let mut rest_until = None;
        loop {
            let was_ended = *self.ended.borrow();
            if was_ended && rest_until.is_none() {
                rest_until = Some(Instant::now() + REST);
            }
            let pause = match self.once(was_ended).await {
                // Opened after the container's end, such a stream has shown everything. While the
                // container runs, a rotation or a restarted kubelet ends a stream as well.
                Stream::Ended if was_ended => return,
                Stream::Unheard => return,
                Stream::Ended | Stream::Silent => {
                    backoff.reset();
                    REOPEN
                }
                // The pod is gone, and its log with it.
                Stream::Broken(failure) if failure.code() == 404 && was_ended => return,
                Stream::Broken(failure) if failure.code() == 403 && !self.was_read => {
                    let what = format!("the log of {} cannot be read: {failure}", self.pod);
                    return self.tell(LogEvent::Trouble(what)).await;
                }
                Stream::Broken(failure) if rest_until.is_some_and(|until| Instant::now() > until) => {
                    let what = format!("the rest of the log of {} does not come: {failure}", self.pod);
                    return self.tell(LogEvent::Trouble(what)).await;
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

    async fn tell(&self, heard: LogEvent) {
        // That nobody listens any more is the end of it as well.
        let _ = self.sender.send((self.source.clone(), heard)).await;
    }

    /// One stream from where the last one ended.
    async fn once(&mut self, was_ended: bool) -> Stream {
        let params =
            LogParams { follow: true, timestamps: true, since_time: self.resume.since(), ..log_of(&self.container) };
        let mut stream = match in_time(ANSWER_TIMEOUT, self.pods.log_stream(&self.pod, &params)).await {
            Ok(stream) => stream,
            Err(failure) => return Stream::Broken(failure),
        };
        self.was_read = true;
        loop {
            let mut raw = Vec::new();
            let read = tokio::select! {
                read = stream.read_until(b'\n', &mut raw) => read,
                () = dead(self.ended.clone(), self.silence) => return Stream::Silent,
                () = self.sender.closed() => return Stream::Unheard,
            };
            match read {
                Ok(0) => return Stream::Ended,
                // Half a line: it comes again whole, or as the last one of a container that has ended.
                Ok(_) if !raw.ends_with(b"\n") && !was_ended => return Stream::Ended,
                Ok(_) => {}
                Err(error) => return Stream::Broken(Failure::NoAnswer(error.to_string())),
            }
            if let Some(line) = self.resume.take(&raw)
                && self.sender.send((self.source.clone(), LogEvent::Line(line))).await.is_err()
            {
                return Stream::Unheard;
            }
        }
    }
}

/// Waits for as long as a stream may be silent: not for long after the container's end.
async fn dead(mut ended: watch::Receiver<bool>, silence: Duration) {
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

/// How a stream came to its end.
enum Stream {
    Ended,
    Broken(Failure),
    /// Nothing came for a long time, and the connection may be dead.
    Silent,
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

/// How much of a log's end is read to explain a failure.
const TAIL: usize = 64 * 1024;

/// The last lines of the log of a pod's Spark container: at most `lines`, and at most 64 KiB. What is not UTF-8 is
/// replaced: a program may print what it likes.
///
/// # Errors
/// The pod is gone, its log is not readable, or there is no answer.
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
    /// The last lines only.
    pub tail: Option<i64>,
    /// The log of the container's run before its present one.
    pub previous: bool,
}

/// Copies the log of a pod's Spark container as it is so far, as long as somebody takes it.
///
/// # Errors
/// The log cannot be read, or taken.
pub async fn whole_log(
    cluster: &Cluster,
    pod: &Pod,
    part: Part,
    take: impl FnMut(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    copy(cluster, pod, part, cluster.watch_timeout, take).await
}

/// Hands on a part of a log as it comes; when nothing comes for so long, that is an error.
async fn copy(
    cluster: &Cluster,
    pod: &Pod,
    part: Part,
    silence: Duration,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let container = telling_container(pod);
    let params = LogParams { tail_lines: part.tail, previous: part.previous, ..log_of(container) };
    let (pods, pod) = place(cluster, pod);
    let mut stream = in_time(ANSWER_TIMEOUT, pods.log_stream(&pod, &params))
        .await
        .map_err(|failure| Refusal::new(format!("reading the log of {pod}"), failure, &cluster.namespace))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::time::timeout(silence, stream.read(&mut buffer));
        match read.await.with_context(|| format!("reading the log of {pod}: nothing more comes"))?? {
            0 => return Ok(()),
            read if take(&buffer[..read])? => {}
            _ => return Ok(()),
        }
    }
}

/// Spark's own container, or the init container for whose failure that was not started.
fn telling_container(pod: &Pod) -> &str {
    state::failed_init(pod).unwrap_or_else(|| state::spark_container(pod))
}

fn log_of(container: &str) -> LogParams {
    LogParams { container: Some(container.to_owned()), ..LogParams::default() }
}

/// Where a pod is, and its name there.
pub(super) fn place(cluster: &Cluster, pod: &Pod) -> (Api<Pod>, String) {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or(&cluster.namespace);
    (Api::namespaced(cluster.client.clone(), namespace), pod.metadata.name.clone().unwrap_or_default())
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
