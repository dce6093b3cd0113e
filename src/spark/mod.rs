//! Spark's own rules: its settings, its units, its names, its properties file.

pub mod catalog;
pub mod command_line;
pub mod conf;
pub mod conf_dir;
pub mod memory;
mod names;
pub mod properties;
pub mod resources;
mod role;
mod setting_error;
pub mod stores;
pub mod version;

pub use command_line::CommandLine;
pub use conf::Conf;
pub use memory::Memory;
pub use names::{EXECUTOR_PREFIX, app_name_label, resource_name_prefix};
pub use role::Role;
pub use setting_error::SettingError;
pub use version::Version;
