//! Priorities, queues and nodes on the real Volcano and the real kube-scheduler.
//!
//! Most drivers are small scripts instead of Spark, or pods on simulated nodes, which only report that they run.

#[path = "../support/mod.rs"]
mod support;

mod deadlock;
mod nodes;
mod priority;
mod waits;
