//! The sources of jobs: job files, stdin and flags, and the files on this machine that a job names.

mod configuration_directories;
pub mod local_files;
mod python_zip;
mod size;
pub mod sources;
