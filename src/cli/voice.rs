//! How it is said: the one place that writes, to the terminal, to files, to a pipeline's pages.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write, stdout};

use anyhow::{Context, Result};
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::tz::TimeZone;
use serde_json::Value;

use super::follow_options::FollowOptions;
use super::live::Live;
use super::papers::{Papers, PapersOptions};
use crate::cluster::{Line, Stage};
use crate::manifests::Application;
use crate::report::{self, Card, Ci, End, Json, Output, Plain, talk};
use crate::state::{Ending, State};

/// Name of the section that a pipeline's page folds the log into.
const SECTION: &str = "spark_log";

pub struct Voice {
    application: Application,
    form: Form,
    ci: Ci,
    papers: Papers,
    /// A copy of the log.
    log_file: Option<File>,
    /// Whether lines of a log are said, and not only kept.
    says_log: bool,
    /// Whether the log's section is open.
    in_section: bool,
    /// The reader of stdout has gone: nothing more is written to it.
    unheard: bool,
}

enum Form {
    Text(Plain),
    Live(Live),
    Json(Json),
    Quiet,
}

impl Voice {
    /// With a view that is drawn on the terminal, if it is to be `live`.
    ///
    /// # Errors
    /// The file for the log cannot be made.
    pub fn new(options: &FollowOptions, application: &Application, live: bool) -> Result<Voice> {
        let form = match options.output() {
            Output::Text if live => Form::Live(Live::begin(&application.name)),
            Output::Text => Form::Text(Plain::new(Timestamp::now(), TimeZone::system())),
            Output::Json => Form::Json(Json::new(application)),
            Output::Quiet => Form::Quiet,
        };
        let create = |path: &std::path::PathBuf| {
            File::create(path).with_context(|| format!("creating the log file {}", path.display()))
        };
        let PapersOptions { log_file, .. } = &options.papers;
        Ok(Voice {
            application: application.clone(),
            form,
            ci: options.papers.ci(),
            papers: Papers::of(&options.papers),
            log_file: log_file.as_ref().map(create).transpose()?,
            says_log: options.logs.is_some(),
            in_section: false,
            unheard: false,
        })
    }

    pub fn state(&mut self, state: &State) -> Result<()> {
        let now = Timestamp::now();
        match &mut self.form {
            Form::Text(plain) => plain.lines(state, now).iter().for_each(|line| talk::line(line)),
            Form::Json(json) => {
                if let Some(line) = json.state(state, now) {
                    return self.json(&line);
                }
            }
            Form::Live(live) => live.state(state),
            Form::Quiet => {}
        }
        Ok(())
    }

    /// What Spark says of its stages, for those who see them.
    pub fn stages(&mut self, stages: &[Stage]) {
        if let Form::Live(live) = &mut self.form {
            live.stages(stages);
        }
    }

    /// Whether lines of a log are shown beside, though they are not asked for.
    pub fn is_live(&self) -> bool {
        matches!(self.form, Form::Live(_))
    }

    pub fn note(&mut self, text: &str) -> Result<()> {
        match &self.form {
            Form::Live(_) => talk::line(&report::clean(text)),
            Form::Text(plain) => talk::line(&plain.line("note", &report::clean(text), Timestamp::now())),
            Form::Json(json) => return self.json(&json.note(text, Timestamp::now())),
            Form::Quiet => {}
        }
        Ok(())
    }

    /// A line of a log; `source` is said before it where there are several.
    pub fn log(&mut self, line: &Line, source: Option<&str>) -> Result<()> {
        let prefix = source.map(|source| format!("{source} | ")).unwrap_or_default();
        if let Some(file) = &mut self.log_file {
            file.write_all(prefix.as_bytes())
                .and_then(|()| file.write_all(&line.text))
                .context("writing the log file")?;
        }
        if let (false, Form::Live(live)) = (self.says_log, &mut self.form) {
            live.log(&String::from_utf8_lossy(&line.text));
        }
        if !self.says_log {
            return Ok(());
        }
        if let Form::Json(json) = &self.form {
            let at = line.at.unwrap_or_else(Timestamp::now);
            return self.json(&json.log(&line.text, source.unwrap_or("driver"), at));
        }
        if !self.in_section {
            self.in_section = true;
            let start = self.ci.section_start(SECTION, "Spark's log", Timestamp::now().as_second());
            start.iter().for_each(|start| talk::command(start));
        }
        let line = [prefix.as_bytes(), &line.text].concat();
        self.data(&self.ci.harmless(&line))
    }

    pub fn result(&mut self, state: &State, card: &Card, log: Option<&str>, code: u8) -> Result<()> {
        self.end_section();
        self.end_view();
        let now = Timestamp::now();
        let succeeded = card.outcome.ending == Ending::Succeeded;
        let record = Json::new(card.application).result(card.outcome, state, card.exception, code, now);
        match &self.form {
            Form::Json(_) => self.json(&record)?,
            Form::Quiet if succeeded => {}
            Form::Text(_) | Form::Live(_) if succeeded => {
                report::earlier_attempts(state).iter().for_each(|line| talk::line(line));
                talk::line(&report::summary(card.application, state));
                card.outcome.hint.iter().for_each(|hint| talk::hint(hint));
            }
            Form::Text(_) | Form::Live(_) | Form::Quiet => {
                card.lines().iter().for_each(|line| talk::line(line));
                report::earlier_attempts(state).iter().for_each(|line| talk::line(line));
                talk::line(&report::summary(card.application, state));
            }
        }
        let end = End {
            app: card.application.name.clone(),
            namespace: card.application.namespace.clone(),
            outcome: card.outcome.ending.word().into(),
            exit_code: code,
            message: card.outcome.message.clone(),
            exception: card.exception.map(Into::into),
            hint: card.outcome.hint.clone(),
            durations: state.durations,
            attempt: state.attempt.clone(),
            log: log.map(Into::into),
        };
        self.hand_in(&record, &end)
    }

    /// Leaves an application that has not ended, with what it had come to so far as that is known.
    pub fn left(
        &mut self,
        outcome: &str,
        message: &str,
        lines: &[String],
        code: u8,
        state: Option<&State>,
    ) -> Result<()> {
        self.end_section();
        self.end_view();
        let Application { name, namespace, .. } = &self.application;
        let record = Json::new(&self.application).left(outcome, message, code, state, Timestamp::now());
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
            Form::Json(_) => self.json(&record)?,
            Form::Text(_) | Form::Live(_) | Form::Quiet => lines.iter().for_each(|line| talk::line(line)),
        }
        self.hand_in(&record, &end)
    }

    fn hand_in(&self, record: &Value, end: &End) -> Result<()> {
        if self.ci == Ci::Github {
            report::annotation(end).iter().for_each(|line| talk::line(line));
        }
        self.papers.hand_in(record, end)
    }

    /// Ends a view, so that what is said now remains.
    fn end_view(&mut self) {
        if self.is_live() {
            self.form = Form::Text(Plain::new(Timestamp::now(), TimeZone::system()));
        }
    }

    fn end_section(&mut self) {
        if std::mem::take(&mut self.in_section) {
            let end = self.ci.section_end(SECTION, Timestamp::now().as_second());
            end.iter().for_each(|end| talk::command(end));
        }
    }

    fn json(&mut self, line: &Value) -> Result<()> {
        self.data(format!("{line}\n").as_bytes())
    }

    /// Data, on stdout. A reader that has seen enough does not end the application's following.
    pub fn data(&mut self, bytes: &[u8]) -> Result<()> {
        if self.unheard {
            return Ok(());
        }
        // A log's last line may be a part of one, which the view, drawn at the beginning of its line, would erase.
        let end: &[u8] = if self.is_live() && !bytes.ends_with(b"\n") && stdout().is_terminal() { b"\n" } else { b"" };
        let write = || {
            let mut out = stdout().lock();
            out.write_all(bytes).and_then(|()| out.write_all(end)).and_then(|()| out.flush())
        };
        match talk::aside(write) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.unheard = true;
                Ok(())
            }
            written => written.context("writing to stdout"),
        }
    }
}
