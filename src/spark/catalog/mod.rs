//! What sparkctl knows about Spark's settings, one row per setting.

mod rows;

#[cfg(test)]
pub use rows::flags;
pub use rows::set_by;
