//! Kubernetes' own rules: quantities, names, kinds, pods and what they request, selectors, which nodes a pod fits, network
//! policies, and how objects differ.

pub mod difference;
pub mod kinds;
pub mod names;
pub mod network_policy;
pub mod node_fit;
mod object;
pub mod pod;
pub mod quantity;
pub mod requests;
pub mod selector;

pub use object::Object;
use serde_json::Value;

/// The items of a list; none of anything else.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A value as text: strings without their quotes.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
