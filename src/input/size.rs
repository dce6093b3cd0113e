//! Sizes of files in messages.

/// A size with its unit, such as `1.2 KiB`.
pub fn bytes(size: u64) -> String {
    indicatif::BinaryBytes(size).to_string()
}
