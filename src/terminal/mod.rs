//! The terminal: what is written to it, the view that is drawn on it, and the signals that come from it.

pub mod messages;
mod signals;
pub mod stdout;
mod view;

pub use signals::{Interrupt, Signal, Signals, remove_view_on_stop};
use view::View;
