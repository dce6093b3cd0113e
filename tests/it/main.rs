//! Runs the real binary against a real API server, and real Spark in real pods.

#[path = "../support/mod.rs"]
mod support;

mod admission;
mod completions;
mod doctor;
mod doctor_faults;
mod executors;
mod files;
mod heartbeat;
mod in_cluster;
mod json;
mod killed;
mod logs;
mod lost_node;
mod missing;
mod observe;
mod overlap;
mod pipelines;
mod preempted;
mod reachability;
mod recipes;
mod runs;
#[cfg(feature = "upload")]
mod stores;
mod submission;
mod supervision;
mod terminal;
mod transcripts;
mod translation;
