//! Priorities, queues and nodes on the real Volcano and the real kube-scheduler.
//!
//! Where Spark itself is not the point, a driver is a small script, or a pod of a simulated node that only
//! says it runs.

#[path = "../support/mod.rs"]
mod support;

mod deadlock;
mod nodes;
mod priority;
mod waits;
