//! The real binary against a real API server, and whole runs of real Spark in real pods.

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod completions;
mod doctor;
mod executors;
mod faults;
mod files;
mod in_cluster;
mod killed;
mod logs;
mod lost_node;
mod missing;
mod observe;
mod overlap;
mod ping;
mod pipelines;
mod preempted;
mod recipes;
mod runs;
#[cfg(feature = "upload")]
mod stores;
mod submission;
mod supervision;
mod terminal;
mod transcripts;
mod translation;
mod way;
