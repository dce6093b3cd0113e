//! Checks a job as a whole: what is missing, what contradicts, what has no effect.

mod application;
mod phrases;
mod pod;
#[cfg(test)]
mod real_settings;
mod schedule;
mod scheduling;
mod settings;

use std::collections::BTreeSet;

use super::{FLAG, Job, placement};
use crate::diagnostic::Problem;
use crate::spark::Role;

impl Job {
    /// Checks the job as a whole, flags included. A problem that two checks find is reported once.
    pub fn check(&self, namespace: &str) -> Vec<Problem> {
        let of_application = of_application(self, namespace).into_iter().map(|problem| self.located(problem));
        let of_schedule = schedule::problems(self).into_iter().map(|problem| self.placed(problem));
        let mut problems = Vec::new();
        for problem in of_application.chain(of_schedule) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems
    }
}

/// All problems of the application. Paths begin with `spec`, wherever the document has it.
fn of_application(job: &Job, namespace: &str) -> Vec<Problem> {
    let conf = job.resolved(namespace);
    let mut problems = application::problems(job, &conf);
    problems.extend(schedule::retries(job));
    problems.extend(pod::problems(job, Role::Driver, &conf));
    problems.extend(pod::problems(job, Role::Executor, &conf));
    problems.extend(scheduling::problems(job));
    problems.extend(placement::problems(job));
    problems.extend(settings::problems(job, namespace, &conf));
    without_echoes(problems)
}

/// Drops warnings about a setting that there is an error about, too: one mistake has one message.
fn without_echoes(problems: Vec<Problem>) -> Vec<Problem> {
    let refused: BTreeSet<String> =
        problems.iter().filter(|problem| problem.is_error()).map(|problem| problem.path.clone()).collect();
    let is_echo = |problem: &Problem| {
        let of_setting = problem.path.starts_with("spec.sparkConf.") || problem.path.starts_with(FLAG);
        !problem.is_error() && of_setting && refused.contains(&problem.path)
    };
    problems.into_iter().filter(|problem| !is_echo(problem)).collect()
}

#[cfg(test)]
mod tests {
    use crate::job::{Variables, read};

    /// The paths of labels that are refused as Spark's own.
    fn refused(version: &str, role: &str) -> Vec<String> {
        let names = ["spark-app-selector", "spark-role", "spark-exec-id", "spark-app-name", "spark-version", "team"];
        let labels = names.map(|name| format!("{name}: x")).join(", ");
        let text = format!(
            "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {{name: a}}\n\
             spec: {{sparkVersion: {version}, {role}: {{labels: {{{labels}}}}}}}\n"
        );
        let (jobs, _) = read(&text, &Variables::default());
        let problems = jobs[0].check("default").into_iter().filter(|problem| problem.message.contains("Spark's own"));
        problems.map(|problem| problem.path.rsplit('.').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn settings_that_refer_to_each_other_in_a_circle_are_refused() {
        let text = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\n\
                    spec:\n  sparkConf:\n    spark.x: ${spark.y}\n    spark.y: ${spark.x}\n    spark.z: ${spark.x}\n";
        let (jobs, _) = read(&text.replace('$', "$$"), &Variables::default());
        let problems = jobs[0].check("default").into_iter().filter(|problem| problem.message.contains("circular"));
        let lines: Vec<_> = problems.map(|problem| problem.place.map(|place| place.line)).collect();
        assert_eq!(lines, [Some(6), Some(7)]);
    }

    /// What is wrong with a value is checked where its form is known, and where memory is added up.
    #[test]
    fn one_mistake_has_one_message() {
        let head = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\n\
                    spec:\n  sparkVersion: 4.1.4\n  image: i\n  mainApplicationFile: local:///a.py\n";
        for (key, value) in [
            ("spark.executor.memory", "1.5g"),
            ("spark.executor.memoryOverhead", "1Gi"),
            ("spark.driver.memory", "lots"),
            ("spark.driver.memoryOverheadFactor", "much"),
            ("spark.kubernetes.memoryOverheadFactor", "much"),
            ("spark.executor.instances", "0"),
            ("spark.executor.cores", "two"),
            ("spark.driver.resource.gpu.amount", "two"),
            ("spark.kubernetes.driver.limit.cores", "two"),
            ("spark.kubernetes.driver.label.team", "a b"),
            ("spark.kubernetes.executor.label.team", "{{APP_ID}} {{EXECUTOR_ID}}"),
        ] {
            let (jobs, _) = read(&format!("{head}  sparkConf:\n    {key}: \"{value}\"\n"), &Variables::default());
            let problems = jobs[0].check("default");
            let texts: Vec<String> = problems.iter().map(|problem| problem.text("f", "")).collect();
            assert_eq!(texts.len(), 1, "{texts:?}");
            assert_eq!(texts[0].matches(key).count(), 1, "{texts:?}");
            let mut job = read(head, &Variables::default()).0.remove(0);
            job.conf.insert(key.into(), value.into());
            let texts: Vec<String> = job.check("default").iter().map(|problem| problem.text("f", "")).collect();
            assert_eq!(texts.len(), 1, "{texts:?}");
            assert!(texts[0].starts_with(&format!("error: f: --conf {key}: ")), "{texts:?}");
        }
    }

    #[test]
    fn labels_are_refused_that_spark_puts_on_pods_of_that_role_and_version() {
        let driver = ["spark-app-selector", "spark-role", "spark-app-name", "spark-version"];
        assert_eq!(refused("4.1.4", "driver"), driver);
        assert_eq!(refused("3.2.4", "driver"), driver[..2]);
        assert_eq!(refused("3.2.4", "executor"), ["spark-app-selector", "spark-role", "spark-exec-id"]);
    }
}
