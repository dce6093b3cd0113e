//! Kubernetes' own rules, none of this program's: quantities, names, kinds, pods, and in what objects differ.

pub mod difference;
pub mod kinds;
pub mod names;
mod object;
pub mod pod;
pub mod quantity;

pub use object::Object;
