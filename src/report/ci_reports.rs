use k8s_openapi::jiff::SignedDuration;

use super::clean::{clean, clean_line};
use super::failure::{self, FailureReport};
use crate::exit_code::ExitCode;
use crate::state::{Attempt, Durations, Ending, PastAttempt, State};

/// How a command that follows an application ended, for test reports and CI systems.
#[derive(Clone, Debug, Default)]
pub struct End {
    pub app: String,
    pub namespace: String,
    /// `Succeeded`, `Failed`, …; or `Refused`, `Detached`, `Deleted` if sparkctl ended before the application.
    pub outcome: String,
    pub exit_code: ExitCode,
    pub message: String,
    pub exception: Option<String>,
    pub hint: Option<String>,
    pub durations: Durations,
    /// The attempt, if the cluster may retry the application.
    pub attempt: Option<Attempt>,
    /// The end of the driver's log.
    pub log: Option<String>,
}

impl End {
    /// The end of an application that was followed to its end.
    pub fn of(report: &FailureReport, namespace: &str, state: &State, exit_code: ExitCode) -> End {
        let FailureReport { app, outcome, exception, logs, .. } = report;
        End {
            app: app.clone(),
            namespace: namespace.to_owned(),
            outcome: outcome.ending.word().into(),
            exit_code,
            message: outcome.message.clone(),
            exception: exception.clone(),
            hint: outcome.hint.clone(),
            durations: state.durations,
            attempt: state.attempt.clone(),
            log: logs.driver.clone(),
        }
    }

    pub fn succeeded(&self) -> bool {
        self.exit_code == ExitCode::Succeeded
    }

    /// Message, exception and hint, one per line.
    fn explained(&self) -> Vec<String> {
        let exception = self.exception.as_ref().map(|text| clean(text));
        let hint = self.hint.as_ref().map(|text| format!("hint: {}", clean(text)));
        std::iter::once(clean(&self.message)).chain(exception).chain(hint).collect()
    }

    /// The drivers before the last one, in the elements that Maven and Gradle write for reruns of a test; readers that
    /// do not know these elements see the last attempt only.
    fn reruns(&self) -> String {
        let element = if self.succeeded() { "flakyFailure" } else { "rerunFailure" };
        let earlier = self.attempt.iter().flat_map(|attempt| &attempt.earlier);
        let failed = earlier.filter(|earlier| earlier.ending != Ending::Succeeded);
        let rerun = |earlier: &PastAttempt| {
            let kind = earlier.ending.word();
            let message = escaped(&clean(&format!("{}: {}", earlier.describe(), earlier.reason)));
            let exit_code = earlier.exit_code.map(|code| format!("\nexit code {code}")).unwrap_or_default();
            let ended = earlier.ended.map(|at| format!("\nended {at}")).unwrap_or_default();
            let trace = format!("{message}\npod {}{exit_code}{ended}", escaped(&earlier.pod));
            format!(
                "    <{element} type=\"{kind}\" message=\"{message}\"><stackTrace>{trace}</stackTrace></{element}>\n"
            )
        };
        let gone = self.attempt.as_ref().filter(|attempt| attempt.gone.failed + attempt.gone.lost > 0);
        let gone = gone.and_then(Attempt::describe_gone).map(|words| {
            format!("    <{element} type=\"Gone\" message=\"{words}\"><stackTrace>{words}</stackTrace></{element}>\n")
        });
        gone.into_iter().chain(failed.map(rerun)).collect()
    }
}

/// A suite of a JUnit report, with a case for each phase of the application up to the one that it failed in.
pub fn junit_suite(end: &End) -> String {
    let Durations { queued, starting, ran } = end.durations;
    let submitted = end.outcome != "Refused";
    let steps = [
        ("submit", submitted, None),
        ("schedule", queued.is_some(), queued),
        ("start", starting.is_some(), starting),
        ("run", end.succeeded(), ran),
    ];
    // A phase of a success may have been too short for a duration.
    let steps = steps.map(|(name, passed, span)| (name, passed || end.succeeded(), span));
    let reached = match end.outcome.as_str() {
        "Submitted" => 1,
        _ => steps.iter().position(|(_, passed, _)| !passed).map_or(steps.len(), |failed| failed + 1),
    };
    let failures = usize::from(!end.succeeded());
    let seconds = |span: Option<SignedDuration>| span.map_or(0.0, |span| span.as_secs_f64());
    let total: f64 = steps[..reached].iter().map(|(_, _, span)| seconds(*span)).sum();
    let name = escaped(&end.app);
    let mut xml = format!(
        "<testsuite name=\"{name}\" tests=\"{reached}\" failures=\"{failures}\" errors=\"0\" time=\"{total:.3}\">\n"
    );
    for (index, (step, _, span)) in steps[..reached].iter().enumerate() {
        let time = seconds(*span);
        let case = format!("  <testcase classname=\"{name}\" name=\"{step}\" time=\"{time:.3}\"");
        let mut inside = String::new();
        if index + 1 == reached {
            if !end.succeeded() {
                let message = escaped(&clean(&end.message));
                let text = escaped(&end.explained().join("\n"));
                let kind = escaped(&end.outcome);
                inside = format!("    <failure type=\"{kind}\" message=\"{message}\">{text}</failure>\n");
            }
            inside.push_str(&end.reruns());
        }
        xml.push_str(&match inside.as_str() {
            "" => format!("{case}/>\n"),
            inside => format!("{case}>\n{inside}  </testcase>\n"),
        });
    }
    if let Some(log) = &end.log {
        let lines: Vec<String> = log.lines().map(|line| escaped(&clean_line(line))).collect();
        xml.push_str(&format!("  <system-out>{}</system-out>\n", lines.join("\n")));
    }
    xml.push_str("</testsuite>\n");
    xml
}

/// Escapes a text as XML character data.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The step summary that GitHub shows on a run's page, in Markdown.
pub fn step_summary(end: &End) -> String {
    let mark = if end.succeeded() { "✅" } else { "❌" };
    let cell = |text: &str| clean(text).replace('|', "\\|");
    let mut table = format!("### {mark} Spark application {}: {}\n\n| | |\n| --- | --- |\n", end.app, end.outcome);
    let mut row = |name: &str, text: &str| table.push_str(&format!("| {name} | {} |\n", cell(text)));
    row("namespace", &end.namespace);
    row("exit code", &end.exit_code.number().to_string());
    if let Some(attempt) = &end.attempt {
        row("attempt", &attempt.place());
    }
    let spans = failure::durations(&end.durations);
    if !spans.is_empty() {
        row("durations", &spans);
    }
    if !end.succeeded() {
        row("what happened", &end.message);
        end.exception.iter().for_each(|text| row("exception", text));
        end.hint.iter().for_each(|text| row("hint", text));
    }
    table.push('\n');
    let Some(attempt) = end.attempt.as_ref().filter(|attempt| attempt.has_earlier()) else {
        return table;
    };
    let (untold, latest) = failure::latest(attempt);
    table.push_str("| earlier attempt | outcome | reason | exit code | ended |\n| --- | --- | --- | --- | --- |\n");
    for untold in untold {
        table.push_str(&format!("| | | {untold} | | |\n"));
    }
    for earlier in latest {
        let exit_code = earlier.exit_code.map(|code| code.to_string()).unwrap_or_default();
        let ended = earlier.ended.map(|at| at.to_string()).unwrap_or_default();
        let (outcome, reason) = (earlier.ending.word(), cell(&earlier.reason));
        let number = earlier.number.map(|number| number.to_string()).unwrap_or_default();
        table.push_str(&format!("| {number} | {outcome} | {reason} | {exit_code} | {ended} |\n"));
    }
    table.push('\n');
    table
}

/// The outputs that later steps of a GitHub job read as `steps.ID.outputs`, in the format of `GITHUB_OUTPUT`.
pub fn step_outputs(end: &End) -> String {
    let rows = [
        ("app", end.app.clone()),
        ("namespace", end.namespace.clone()),
        ("outcome", end.outcome.clone()),
        ("exit-code", end.exit_code.number().to_string()),
        ("message", clean(&end.message)),
    ];
    rows.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// The annotation that GitHub shows beside a job's steps.
pub fn annotation(end: &End) -> Option<String> {
    if end.succeeded() {
        return None;
    }
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let title =
        data(&format!("Spark application {}: {}", end.app, end.outcome)).replace(':', "%3A").replace(',', "%2C");
    Some(format!("::error title={title}::{}", data(&end.explained().join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Count;

    fn failed() -> End {
        End {
            app: "pi".into(),
            namespace: "jobs".into(),
            outcome: "Failed".into(),
            exit_code: ExitCode::Failed,
            message: "the driver exited with code 1: 50% <done>".into(),
            exception: Some("ValueError: a|b".into()),
            hint: Some("look, there".into()),
            durations: Durations {
                queued: Some(SignedDuration::from_secs(2)),
                starting: Some(SignedDuration::from_secs(3)),
                ran: Some(SignedDuration::from_secs(41)),
            },
            attempt: None,
            log: Some("a \"b\"\nc\n".into()),
        }
    }

    /// The third of four attempts, after a failure and after a loss.
    fn third() -> Attempt {
        let earlier = |number: usize, ending: Ending, reason: &str, exit_code: Option<i32>| PastAttempt {
            number: Some(number),
            pod: format!("pi-0-{number}"),
            ending,
            reason: reason.into(),
            exit_code,
            ended: exit_code.and_then(|_| "2026-11-24T04:00:46Z".parse().ok()),
        };
        let lost = earlier(2, Ending::Lost, "its node is gone", None);
        let failed = [earlier(1, Ending::Failed, "a|b <c>", Some(3)), earlier(2, Ending::Failed, "d", Some(4))];
        let [first, second] = failed;
        Attempt { number: 3, of: Some(4), earlier: vec![first, lost, second], gone: Count::default() }
    }

    #[test]
    fn a_failure_is_a_failed_case_after_those_that_passed() {
        assert_eq!(
            junit_suite(&failed()),
            r#"<testsuite name="pi" tests="4" failures="1" errors="0" time="46.000">
  <testcase classname="pi" name="submit" time="0.000"/>
  <testcase classname="pi" name="schedule" time="2.000"/>
  <testcase classname="pi" name="start" time="3.000"/>
  <testcase classname="pi" name="run" time="41.000">
    <failure type="Failed" message="the driver exited with code 1: 50% &lt;done&gt;">the driver exited with code 1: 50% &lt;done&gt;
ValueError: a|b
hint: look, there</failure>
  </testcase>
  <system-out>a &quot;b&quot;
c</system-out>
</testsuite>
"#
        );
    }

    #[test]
    fn phases_that_were_not_reached_are_no_cases() {
        let refused = End {
            outcome: "Refused".into(),
            exit_code: ExitCode::Refused,
            durations: Durations::default(),
            ..failed()
        };
        assert!(junit_suite(&refused).contains("tests=\"1\" failures=\"1\""));
        assert!(junit_suite(&refused).contains("name=\"submit\""));
        let unplaced = End { outcome: "CouldNotStart".into(), ..refused };
        assert!(junit_suite(&unplaced).contains("tests=\"2\""));
    }

    #[test]
    fn a_success_has_four_cases_and_no_annotation() {
        let end = End { outcome: "Succeeded".into(), exit_code: ExitCode::Succeeded, log: None, ..failed() };
        assert!(junit_suite(&end).contains("tests=\"4\" failures=\"0\""));
        assert_eq!(annotation(&end), None);
    }

    #[test]
    fn earlier_attempts_are_runs_of_the_case_that_passed_or_failed_in_the_end() {
        let failed = End { attempt: Some(third()), log: None, ..failed() };
        let xml = junit_suite(&failed);
        assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"0\""), "{xml}");
        let reruns = r#"
hint: look, there</failure>
    <rerunFailure type="Failed" message="attempt 1: a|b &lt;c&gt;"><stackTrace>attempt 1: a|b &lt;c&gt;
pod pi-0-1
exit code 3
ended 2026-11-24T04:00:46Z</stackTrace></rerunFailure>
    <rerunFailure type="Lost" message="attempt 2: its node is gone"><stackTrace>attempt 2: its node is gone
pod pi-0-2</stackTrace></rerunFailure>
    <rerunFailure type="Failed" message="attempt 2: d"><stackTrace>attempt 2: d
pod pi-0-2
exit code 4
ended 2026-11-24T04:00:46Z</stackTrace></rerunFailure>
  </testcase>
"#;
        assert!(xml.contains(reruns), "{xml}");
        let succeeded = End { outcome: "Succeeded".into(), exit_code: ExitCode::Succeeded, ..failed };
        let xml = junit_suite(&succeeded);
        assert!(xml.contains("tests=\"4\" failures=\"0\" errors=\"0\""), "{xml}");
        let run = "name=\"run\" time=\"41.000\">\n    <flakyFailure type=\"Failed\" message=\"attempt 1: ";
        assert!(xml.contains(run) && !xml.contains("<failure") && !xml.contains("<rerunFailure"), "{xml}");
    }

    #[test]
    fn a_success_before_is_no_failed_run() {
        let mut attempt = third();
        attempt.earlier[0].ending = Ending::Succeeded;
        let xml = junit_suite(&End { attempt: Some(attempt), ..failed() });
        assert_eq!(xml.matches("<rerunFailure").count(), 2, "{xml}");
    }

    #[test]
    fn an_annotation_is_one_line_with_githubs_escapes() {
        assert_eq!(
            annotation(&failed()).as_deref(),
            Some(
                "::error title=Spark application pi%3A Failed::the driver exited with code 1: 50%25 <done>%0AValueError: a|b%0Ahint: look, there"
            )
        );
    }

    #[test]
    fn a_summary_is_a_table() {
        assert_eq!(
            step_summary(&failed()),
            "### ❌ Spark application pi: Failed\n\n| | |\n| --- | --- |\n| namespace | jobs |\n| exit code | 1 |\n\
             | durations | queued 2s, starting 3s, ran 41s |\n\
             | what happened | the driver exited with code 1: 50% <done> |\n\
             | exception | ValueError: a\\|b |\n| hint | look, there |\n\n"
        );
    }

    #[test]
    fn attempts_without_pods_are_reported_as_the_job_counted_them() {
        let mut attempt = third();
        attempt.earlier.drain(..2);
        attempt.gone = Count { failed: 1, ..Count::default() };
        let end = End { attempt: Some(attempt), ..failed() };
        let words = "attempt 1: its pod is gone; the Job counted 1 failure";
        let rerun = format!("<rerunFailure type=\"Gone\" message=\"{words}\"><stackTrace>{words}</stackTrace>");
        assert!(junit_suite(&end).contains(&rerun), "{}", junit_suite(&end));
        let rows = format!("| --- |\n| | | {words} | | |\n| 2 | Failed | d | 4 |");
        assert!(step_summary(&end).contains(&rows), "{}", step_summary(&end));
    }

    #[test]
    fn a_summary_has_a_table_of_the_earlier_attempts() {
        let attempt = third();
        let summary = step_summary(&End { attempt: Some(attempt.clone()), ..failed() });
        assert!(summary.contains("| exit code | 1 |\n| attempt | 3 of 4 |\n"), "{summary}");
        let table = "| earlier attempt | outcome | reason | exit code | ended |\n| --- | --- | --- | --- | --- |\n\
                     | 1 | Failed | a\\|b <c> | 3 | 2026-11-24T04:00:46Z |\n\
                     | 2 | Lost | its node is gone |  |  |\n\
                     | 2 | Failed | d | 4 | 2026-11-24T04:00:46Z |\n\n";
        assert!(summary.ends_with(table), "{summary}");
        let many = Attempt { earlier: vec![attempt.earlier[0].clone(); 13], ..attempt };
        let summary = step_summary(&End { attempt: Some(many), ..failed() });
        assert!(summary.contains("| --- |\n| | | 3 more | | |\n| 1 | Failed |"), "{summary}");
        assert_eq!(summary.matches("| Failed |").count(), 10, "{summary}");
    }

    #[test]
    fn outputs_are_lines_of_names_and_values() {
        assert!(step_outputs(&failed()).starts_with("app=pi\nnamespace=jobs\noutcome=Failed\nexit-code=1\nmessage="));
    }
}
