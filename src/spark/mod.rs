//! Spark's own rules: its settings, its units, its names, its properties file.

mod allocation;
pub mod catalog;
pub mod command_line;
pub mod conf;
pub mod conf_dir;
pub mod containers;
pub mod credentials;
pub mod labels;
mod language;
pub mod memory;
mod names;
mod ports;
pub mod properties;
pub mod resources;
mod role;
mod setting_error;
pub mod stores;
pub mod version;
pub mod volumes;

pub use allocation::Allocation;
pub use command_line::CommandLine;
pub use conf::Conf;
pub use language::Language;
pub use memory::Memory;
pub use names::{EXECUTOR_PREFIX, app_name_label, resource_name_prefix};
pub use ports::Ports;
pub use role::Role;
pub use setting_error::SettingError;
pub use version::{Change, Version};
