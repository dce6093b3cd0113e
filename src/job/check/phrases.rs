//! Problems that several checks word alike.

use crate::diagnostic::{Problem, nearest};

/// A warning about a field, if it applies.
pub(super) fn warning((applies, path, message): (bool, &str, &str)) -> Option<Problem> {
    applies.then(|| Problem::warning(message).at_field(path))
}

/// The word that was probably meant, or all that are known.
pub(super) fn did_you_mean(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("known: {}", known.join(", ")),
    }
}
