use crate::cluster::Refusal;
use crate::terminal::messages;

/// Says what ended a command: the error with its causes, what was taken back, and what to try.
/// Returns sparkctl's exit code: the cluster's refusals have their own, all else is the user's input.
pub fn tell(error: &anyhow::Error) -> u8 {
    messages::error(&format!("{error:#}"));
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        refusal.undone.iter().for_each(|undone| messages::line(&format!("       {undone}")));
        refusal.hint.iter().for_each(|hint| messages::hint(hint));
    }
    exit_code(error)
}

pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<Refusal>().map_or(2, Refusal::exit_code)
}

/// What became of it, in one word for a result.
pub fn outcome(error: &anyhow::Error) -> &'static str {
    match exit_code(error) {
        2 => "Invalid",
        3 => "Refused",
        129 | 130 | 143 => "Interrupted",
        _ => "Unknown",
    }
}
