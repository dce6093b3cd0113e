//! The terminal: messages, data on stdout, the live view, and signals.

pub mod messages;
mod signals;
pub mod stdout;
mod view;

pub use signals::{Interrupt, Signal, Signals, remove_view_on_stop};
use view::View;
