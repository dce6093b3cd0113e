//! What to do about a failure or a wait, by the wording of logs, refusals, registries and schedulers.

pub mod image;
pub mod log;
pub mod memory;
pub mod refusal;
pub mod scheduling;
