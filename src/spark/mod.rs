//! Spark's own rules: its settings, its units, its names, its properties file.

pub mod catalog;
pub mod command_line;
pub mod conf;
pub mod conf_dir;
pub mod memory;
mod names;
pub mod properties;
pub mod stores;
