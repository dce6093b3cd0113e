//! Stores of files that are too large for a ConfigMap: real servers of their protocols, started by the tests.

mod clouds;
mod s3;
mod web;
