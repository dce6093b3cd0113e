//! `sparkctl submit job.yaml`: runs an Apache Spark application on Kubernetes.
//!
//! ```text
//! job file ──┐
//!            ├─► Job ──► Manifests ──► submit ──► observe ──► State ──► report ──► exit code
//! flags ─────┘   (typed)  (pure)       (cluster)  (watches)   (pure)    (text, live, JSON)
//! ```

mod manifests;

fn main() {}
