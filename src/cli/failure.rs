use crate::cluster::Refusal;
use crate::report::talk;

/// Says what ended a command: the error with its causes, what was taken back, and what to try.
/// Returns sparkctl's exit code: the cluster's refusals have their own, all else is the user's input.
pub fn tell(error: &anyhow::Error) -> u8 {
    talk::error(&format!("{error:#}"));
    let Some(refusal) = error.downcast_ref::<Refusal>() else {
        return 2;
    };
    refusal.undone.iter().for_each(|undone| talk::line(&format!("       {undone}")));
    refusal.hint.iter().for_each(|hint| talk::hint(hint));
    refusal.exit_code()
}
