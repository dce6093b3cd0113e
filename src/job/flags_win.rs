//! Flags win over the same setting in the file's `sparkConf` and in `--conf`: a walk through all flags of a job.

use clap::{Args, Command, FromArgMatches};
use serde_json::json;

use super::{Job, Overrides, Variables};
use crate::manifests::{self, Submission};
use crate::spark::catalog;

/// Flags that correspond to no setting of Spark.
const WITHOUT_SETTING: [&str; 14] = [
    "--name",
    "--spark-version",
    "--type",
    "--main-file",
    "--class",
    "--conf",
    "--queue",
    "--priority-class",
    "--node",
    "--driver-node",
    "--executor-node",
    "--spread",
    "--toleration",
    "",
];

/// A value for each flag, and another one for the setting behind it. A `KEY` belongs to a family of settings.
const SAMPLES: &[(&[&str], &str)] = &[
    (&["--archives", "local:///flag.zip"], "local:///other.zip"),
    (&["--driver-cores", "2"], "3"),
    (&["--driver-memory", "2g"], "3g"),
    (&["--driver-memory-overhead", "500m"], "600m"),
    (&["--driver-core-limit", "4"], "5"),
    (&["--executors", "2"], "3"),
    (&["--executor-cores", "2"], "3"),
    (&["--executor-memory", "2g"], "3g"),
    (&["--executor-memory-overhead", "500m"], "600m"),
    (&["--executor-core-limit", "4"], "5"),
    (&["--env", "KEY=flag"], "other:x"),
    (&["--files", "local:///flag.txt"], "local:///other.txt"),
    (&["--image", "flag:4.1.4"], "other:4.1.4"),
    (&["--image-pull-policy", "Always"], "Never"),
    (&["--jars", "local:///flag.jar"], "local:///other.jar"),
    (&["--label", "KEY=flag"], "other"),
    (&["--packages", "a:b:1"], "c:d:2"),
    (&["--protect-driver"], "true"),
    (&["--py-files", "local:///flag.py"], "local:///other.py"),
    (&["--scheduler", "kueue", "--queue", "q"], "other"),
    (&["--scheduler", "default"], "other"),
    (&["--scheduler", "volcano"], "other"),
    (&["--service-account", "flag"], "other"),
];

fn flags() -> Vec<String> {
    let command = Overrides::augment_args(Command::new("x"));
    command.get_arguments().map(|flag| flag.get_long().map(|long| format!("--{long}")).unwrap_or_default()).collect()
}

/// The objects of a job with `settings` in its file, changed by `flags`.
fn objects(settings: &[(&str, &str)], flags: &[&str]) -> String {
    let conf: serde_json::Map<_, _> = settings.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let document = json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {"name": "a"},
        "spec": {
            "sparkVersion": "4.1.4",
            "image": "file:4.1.4",
            "mainClass": "a.B",
            "mainApplicationFile": "local:///a.jar",
            "sparkConf": conf,
        },
    });
    let (jobs, problems) = super::read(&document.to_string(), &Variables::default());
    assert_eq!(problems, []);
    let command = Overrides::augment_args(Command::new("x")).no_binary_name(true);
    let matches = command.try_get_matches_from(flags).unwrap_or_else(|error| panic!("{error}"));
    let overrides = Overrides::from_arg_matches(&matches).unwrap_or_else(|error| panic!("{error}"));
    let job: Job = jobs[0].clone().with(overrides);
    let submission = Submission { id: "0123456789ab7def8123456789abcdef".into(), user: "u".into(), key: None };
    let (manifests, _) = manifests::of(&job, "default", &submission).unwrap_or_else(|problem| panic!("{problem:?}"));
    let objects: Vec<String> =
        std::iter::once(&manifests.carrier).chain(&manifests.owned).map(|object| object.0.to_string()).collect();
    objects.join("\n")
}

#[test]
fn every_flag_has_a_setting_or_is_listed_without_one() {
    let flags = flags();
    let unknown: Vec<&String> = flags
        .iter()
        .filter(|flag| catalog::set_by(flag).next().is_none() != WITHOUT_SETTING.contains(&flag.as_str()))
        .collect();
    assert_eq!(unknown, [""; 0]);
    let strange: Vec<&str> =
        catalog::flags().into_iter().filter(|flag| !flags.iter().any(|known| known == flag)).collect();
    assert_eq!(strange, [""; 0], "flags of the catalogue that do not exist");
}

#[test]
fn every_flag_wins_over_its_settings_wherever_they_are_given() {
    let mut lost = Vec::new();
    for flag in catalog::flags() {
        let samples: Vec<_> = SAMPLES.iter().filter(|(sample, _)| sample[0] == flag).collect();
        assert!(!samples.is_empty(), "{flag} has no sample");
        for ((sample, other), row) in
            samples.into_iter().flat_map(|sample| catalog::set_by(flag).map(move |row| (sample, row)))
        {
            let key = row.key.replace('*', "KEY");
            let expected = objects(&[], sample);
            if objects(&[(&key, other)], sample) != expected {
                lost.push(format!("{flag} loses to `{key}` in sparkConf"));
            }
            let conf = format!("{key}={other}");
            if objects(&[], &[sample, &["--conf", &conf][..]].concat()) != expected {
                lost.push(format!("{flag} loses to --conf {key}"));
            }
        }
    }
    assert_eq!(lost, [""; 0]);
}

/// The label that names a queue is the scheduler's own, so that only `--queue` with that scheduler sets it.
#[test]
fn the_queue_of_a_flag_wins_over_its_label() {
    for (scheduler, label) in [("kueue", "kueue.x-k8s.io/queue-name"), ("yunikorn", "queue")] {
        for role in ["driver", "executor"] {
            let key = format!("spark.kubernetes.{role}.label.{label}");
            let flags = ["--scheduler", scheduler, "--queue", "flag"];
            assert_eq!(objects(&[(&key, "other")], &flags), objects(&[], &flags), "{key} in sparkConf");
            let conf = format!("{key}=other");
            assert_eq!(objects(&[], &[&flags[..], &["--conf", &conf]].concat()), objects(&[], &flags), "--conf {key}");
        }
    }
    let volcano = ["--scheduler", "volcano", "--queue", "flag"];
    assert!(objects(&[("spark.kubernetes.driver.label.queue", "mine")], &volcano).contains(r#""queue":"mine""#));
}

/// Spark sets an executor's variables after those of its template, where the flag puts its own.
#[test]
fn an_environment_variable_of_a_flag_wins_over_other_fields() {
    let job = |role: &str| {
        let text = format!(
            "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {{name: a}}\n\
             spec: {{sparkVersion: 4.1.4, image: i, {role}: {{envVars: {{X: file}}, envSecretKeyRefs: {{X: {{name: s, key: k}}}}}}}}\n"
        );
        let (jobs, _) = super::read(&text, &Variables::default());
        let overrides = Overrides { env: vec![("X".into(), "flag".into())], ..Overrides::default() };
        jobs[0].clone().with(overrides).settings("default")
    };
    for role in ["driver", "executor"] {
        let settings = job(role);
        let left: Vec<_> = settings.iter().filter(|(key, _)| key.ends_with(".X")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
