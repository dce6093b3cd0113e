//! Writes what is reported on an application: to the terminal, to stdout, to files, and for CI systems.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::tz::TimeZone;

use super::live::Live;
use super::options::FollowOptions;
use super::result_files::{ResultFileOptions, ResultFiles};
use crate::cluster::{Line, Stage};
use crate::exit_code::ExitCode;
use crate::manifests::Application;
use crate::report::{self, Ci, End, FailureReport, Json, JsonLine, Output, Plain};
use crate::state::State;
use crate::terminal::messages;

/// Name of the section that a CI system folds the log into.
const SECTION: &str = "spark_log";

pub struct Reporter {
    application: Application,
    form: Form,
    ci: Ci,
    result_files: ResultFiles,
    /// A copy of the log, and whether it ends within a line.
    log_file: Option<(File, bool)>,
    /// Whether log lines are copied to stdout.
    copies_log: bool,
    /// Whether the log's section is open.
    in_section: bool,
    /// Whether the log on stdout ends within a line.
    is_within_line: bool,
    /// Whether writing to stdout has failed, because its reader has exited or the disk is full.
    is_stdout_closed: bool,
}

enum Form {
    Text(Plain),
    Live(Live),
    Json(Json),
    Quiet,
}

impl Reporter {
    /// Reports on an application, with the live view if `live`.
    ///
    /// # Errors
    /// The log file cannot be created.
    pub fn new(options: &FollowOptions, application: &Application, live: bool) -> Result<Reporter> {
        let form = match options.output() {
            Output::Text if live => Form::Live(Live::begin(&application.name)),
            Output::Text => Form::Text(Plain::new(Timestamp::now(), TimeZone::system())),
            Output::Json => Form::Json(Json::new(application)),
            Output::Quiet => Form::Quiet,
        };
        // Several applications of one command share a log file.
        let open = |path: &std::path::PathBuf| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.with_context(|| format!("creating the log file {}", path.display()))
        };
        let ResultFileOptions { log_file, .. } = &options.result_files;
        Ok(Reporter {
            application: application.clone(),
            form,
            ci: options.result_files.ci(),
            result_files: ResultFiles::of(&options.result_files),
            log_file: log_file.as_ref().map(open).transpose()?.map(|file| (file, false)),
            copies_log: options.logs.is_some(),
            in_section: false,
            is_within_line: false,
            is_stdout_closed: false,
        })
    }

    /// Counts ages from the creation of the application, as `status` does.
    pub fn count_from(&mut self, created: Timestamp) {
        if let Form::Text(plain) = &mut self.form {
            plain.count_from(created);
        }
    }

    pub fn state(&mut self, state: &State) {
        let now = Timestamp::now();
        match &mut self.form {
            Form::Text(plain) => plain.lines(state, now).iter().for_each(|line| messages::line(line)),
            Form::Json(json) => {
                if let Some(line) = json.state(state, now) {
                    self.json(&line);
                }
            }
            Form::Live(live) => live.state(state),
            Form::Quiet => {}
        }
    }

    /// Shows Spark's stages in the live view.
    pub fn stages(&mut self, stages: &[Stage]) {
        if let Form::Live(live) = &mut self.form {
            live.stages(stages);
        }
    }

    /// Whether the live view is drawn, which shows log lines that are not copied to stdout.
    pub fn is_live(&self) -> bool {
        matches!(self.form, Form::Live(_))
    }

    pub fn note(&mut self, text: &str) {
        match &self.form {
            Form::Live(_) => messages::line(&report::clean(text)),
            Form::Text(plain) => messages::line(&plain.line("note", &report::clean(text), Timestamp::now())),
            Form::Json(json) => self.json(&json.note(text, Timestamp::now())),
            Form::Quiet => {}
        }
    }

    /// Writes a line of a log, prefixed with its `source` if there are several. An incomplete line is ended before the
    /// next one starts.
    pub fn log(&mut self, line: &Line, source: Option<&str>) {
        let prefix = source.map(|source| format!("{source} | ")).unwrap_or_default();
        let text = [prefix.as_bytes(), &line.text].concat();
        let is_whole = text.ends_with(b"\n");
        let new_line = |was_within: bool| if was_within { "\n".as_bytes() } else { b"" };
        if let Some((file, is_within)) = &mut self.log_file {
            let start = new_line(std::mem::replace(is_within, !is_whole));
            if let Err(error) = file.write_all(&[start, &text].concat()) {
                messages::warn(&format!("writing the log file: {error}; no longer writing to it"));
                self.log_file = None;
            }
        }
        if let (false, Form::Live(live)) = (self.copies_log, &mut self.form) {
            live.log(&String::from_utf8_lossy(&line.text));
        }
        if !self.copies_log {
            return;
        }
        if let Form::Json(json) = &self.form {
            let at = line.at.unwrap_or_else(Timestamp::now);
            return self.json(&json.log(&line.text, source.unwrap_or("driver"), at));
        }
        if !self.in_section {
            self.in_section = true;
            let start = self.ci.section_start(SECTION, "Spark's log", Timestamp::now().as_second());
            start.iter().for_each(|start| messages::command(start));
        }
        // The view starts at the beginning of a line, and would erase an incomplete one.
        let ends = !is_whole && self.is_live() && stdout().is_terminal();
        let start = new_line(std::mem::replace(&mut self.is_within_line, !is_whole && !ends));
        self.data(&[start, &self.ci.harmless(&text), new_line(ends)].concat());
    }

    /// Reports how the application ended.
    pub fn result(&mut self, state: &State, report: &FailureReport, code: ExitCode) {
        self.end_section();
        self.end_view();
        let record = Json::new(&self.application).result(report, state, code, Timestamp::now());
        match &self.form {
            Form::Json(_) => self.json(&record),
            Form::Quiet if report.succeeded() => {}
            Form::Text(_) | Form::Live(_) | Form::Quiet => {
                report.lines().iter().for_each(|line| messages::line(line));
                report::earlier_attempts(state).iter().for_each(|line| messages::line(line));
                messages::line(&report::summary(&self.application, state));
                let hint = report.outcome.hint.iter().filter(|_| report.succeeded());
                hint.for_each(|hint| messages::hint(hint));
            }
        }
        let end = End::of(report, &self.application.namespace, state, code);
        self.record(&record, &end);
    }

    /// Reports an application that is no longer followed although it has not ended, with its last known state.
    pub fn leave(&mut self, outcome: &str, message: &str, lines: &[String], code: ExitCode, state: Option<&State>) {
        self.end_section();
        self.end_view();
        let Application { name, namespace, .. } = &self.application;
        let record = Json::new(&self.application).early_result(outcome, message, code, state, Timestamp::now());
        let end = End {
            app: name.clone(),
            namespace: namespace.clone(),
            outcome: outcome.into(),
            exit_code: code,
            message: message.into(),
            durations: state.map(|state| state.durations).unwrap_or_default(),
            attempt: state.and_then(|state| state.attempt.clone()),
            ..End::default()
        };
        match &self.form {
            Form::Json(_) => self.json(&record),
            Form::Text(_) | Form::Live(_) | Form::Quiet => lines.iter().for_each(|line| messages::line(line)),
        }
        self.record(&record, &end);
    }

    fn record(&self, record: &JsonLine, end: &End) {
        if self.ci == Ci::Github {
            report::annotation(end).iter().for_each(|line| messages::line(line));
        }
        self.result_files.record(record, end);
    }

    /// Removes the live view, so that the following lines remain.
    fn end_view(&mut self) {
        if self.is_live() {
            self.form = Form::Text(Plain::new(Timestamp::now(), TimeZone::system()));
        }
    }

    fn end_section(&mut self) {
        if std::mem::take(&mut self.in_section) {
            // The next message must start on a line of its own.
            if self.is_within_line && (self.ci != Ci::None || stdout_is_stderr()) {
                self.data(b"\n");
            }
            let end = self.ci.section_end(SECTION, Timestamp::now().as_second());
            end.iter().for_each(|end| messages::command(end));
        }
    }

    fn json(&mut self, line: &JsonLine) {
        self.data(format!("{line}\n").as_bytes());
    }

    /// Writes data to stdout. A failure, such as a closed pipe or a full disk, does not stop the following.
    pub fn data(&mut self, bytes: &[u8]) {
        if self.is_stdout_closed {
            return;
        }
        let write = || {
            let mut out = stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        };
        if let Err(error) = messages::aside(write) {
            self.is_stdout_closed = true;
            if error.kind() != ErrorKind::BrokenPipe {
                messages::warn(&format!("writing to stdout: {error}; no longer writing to it"));
            }
        }
    }
}

/// Whether stdout and stderr are the same terminal, pipe or file.
fn stdout_is_stderr() -> bool {
    let place = |fd: BorrowedFd| {
        let metadata = File::from(fd.try_clone_to_owned().ok()?).metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let stdout = place(stdout().as_fd());
    stdout.is_some() && stdout == place(stderr().as_fd())
}
