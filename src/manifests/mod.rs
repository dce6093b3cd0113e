//! The objects of an application, before they are sent: one literal for each.

mod application;
mod attempt;
mod batch_job;
mod claims;
mod config_map;
mod credentials;
mod cron_job;
mod driver;
mod executor;
mod executor_template;
mod files;
mod gang;
mod hadoop;
mod labels;
mod names;
mod network_policy;
mod objects;
mod plan;
mod planning;
mod properties;
mod requirements;
mod scratch;
mod service;
mod setup;
mod ui;
#[cfg(test)]
mod version_changes;

pub use application::{Application, Carrier, Manifests, PodGroup};
pub use batch_job::{FAILURES, IGNORED_FAILURES, LOSS_LIMIT, LOSSES, TERMINATED};
pub use cron_job::STAYS_SUSPENDED;
pub use hadoop::HADOOP_DIR;
pub use labels::{EXECUTORS, HOLD, JOB_NAME, MIN_EXECUTORS, NAME_ANNOTATION, RUN_KEY, SPECIFICATION, SUBMISSION};
pub use objects::of;
pub use plan::CONF_DIR;
pub use requirements::Requirements;
pub use setup::{Setup, Submitter, with_preempt};

pub use crate::job::Submission;
pub use crate::kubernetes::kinds::KINDS;
