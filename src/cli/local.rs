use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::job::Job;
use crate::job::spec::Language;
use crate::local::{self, Ended, Environment, LocalJob};
use crate::report::talk;

/// Running on this machine.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Local {
    /// Run on this machine with Spark's own local master, on N cores or all; no cluster is needed
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "0", value_parser = clap::value_parser!(u32))]
    local: Option<u32>,
}

impl Local {
    /// The cores to run on, none for all; nothing at all when the cluster is meant.
    pub fn cores(&self) -> Option<Option<u32>> {
        self.local.map(|cores| (cores > 0).then_some(cores))
    }

    pub async fn run(&self, jobs: &[Job], cores: Option<u32>) -> Result<u8> {
        let [job] = jobs else { bail!("--local runs one job, and here are {}", jobs.len()) };
        let environment = Environment::of_this_process(std::io::stderr().is_terminal())?;
        let outcome = local::run(local_job(job, cores), environment, Arc::new(talk::line)).await?;
        let on = outcome.ran_on.map_or_else(String::new, |on| format!(" ({on})"));
        let took = outcome.took.as_secs_f64();
        match outcome.ended {
            Ended::Exited(0) => talk::line(&format!("{} succeeded in {took:.1}s{on}", job.title())),
            Ended::Exited(code) => {
                talk::line(&format!("{} failed with exit code {code} after {took:.1}s{on}", job.title()))
            }
            Ended::Killed(signal) => {
                talk::line(&format!("{} was killed by signal {signal} after {took:.1}s{on}", job.title()))
            }
            Ended::Interrupted(_) => talk::line(&format!("{} was interrupted after {took:.1}s", job.title())),
        }
        Ok(outcome.ended.code())
    }
}

fn local_job(job: &Job, cores: Option<u32>) -> LocalJob {
    let conf = job.settings("default");
    let list = |key: &str| conf.list(key).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let env = &job.spec.driver.role;
    let plain =
        env.env.iter().filter_map(|env| Some((env.text("name").to_owned(), env.json["value"].as_str()?.to_owned())));
    LocalJob {
        name: job.title().to_owned(),
        spark_version: Some(job.spark_version().to_owned()),
        language: match job.language() {
            Language::Java => local::Language::Java,
            Language::Scala => local::Language::Scala,
            Language::Python => local::Language::Python,
            Language::R => local::Language::R,
        },
        main_class: job.spec.main_class.clone(),
        main_file: job.spec.main_application_file.clone().unwrap_or_default(),
        arguments: job.spec.arguments.clone(),
        conf: conf.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        env: env.env_vars.clone().into_iter().chain(plain).collect(),
        jars: list("spark.jars"),
        py_files: list("spark.submit.pyFiles"),
        files: list("spark.files"),
        archives: list("spark.archives"),
        packages: list("spark.jars.packages"),
        exclude_packages: list("spark.jars.excludes"),
        repositories: list("spark.jars.repositories"),
        driver_memory: conf.given("spark.driver.memory").map(str::to_owned),
        executor_memory: conf.given("spark.executor.memory").map(str::to_owned),
        cores,
    }
}
