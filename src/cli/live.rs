//! The view that is drawn anew on a terminal while an application is followed.

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cluster::Stage;
use crate::report::{clean, executor_words, talk, words};
use crate::state::State;

/// How often the clock and the spinner move.
const TICK: Duration = Duration::from_millis(250);
/// How many of the log's last lines are shown.
const LOG: usize = 3;
/// How many stages are shown.
const STAGES: usize = 4;

/// A few lines at the bottom of the terminal, each cut to its width, whatever that becomes.
pub struct Live {
    name: String,
    all: MultiProgress,
    head: ProgressBar,
    rows: Vec<ProgressBar>,
    state: Vec<String>,
    stages: Vec<String>,
    /// The last lines of the log, unless it is copied to stdout.
    log: VecDeque<String>,
}

impl Live {
    pub fn begin(name: &str) -> Live {
        let all = MultiProgress::new();
        let head = all.add(line("{spinner} {wide_msg} {elapsed}"));
        head.enable_steady_tick(TICK);
        talk::beside(Some(all.clone()));
        let (rows, state, stages, log) = Default::default();
        Live { name: name.to_owned(), all, head, rows, state, stages, log }
    }

    pub fn state(&mut self, state: &State) {
        let (what, hint) = words(state);
        self.head.set_message(clean(&format!("{}  {what}", self.name)));
        let hints = [hint, state.executors.hint.clone()].into_iter().flatten().map(|hint| format!("hint: {hint}"));
        let executors = executor_words(state).map(|words| format!("executors  {words}"));
        self.state = executors.into_iter().chain(hints).collect();
        self.draw();
    }

    pub fn stages(&mut self, stages: &[Stage]) {
        let row = |stage: &Stage| {
            let failed = match stage.num_failed_tasks {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            let Stage { stage_id, num_tasks, num_complete_tasks, name, .. } = stage;
            let done = bar_of(*num_complete_tasks, *num_tasks);
            format!("stage {stage_id:<4} {done} {num_complete_tasks}/{num_tasks} tasks{failed}  {name}")
        };
        self.stages = stages.iter().take(STAGES).map(row).collect();
        self.draw();
    }

    /// A line of the log that is not copied to stdout.
    pub fn log(&mut self, line: &str) {
        self.log.push_back(format!("| {line}"));
        if self.log.len() > LOG {
            self.log.pop_front();
        }
        self.draw();
    }

    fn draw(&mut self) {
        let texts: Vec<&String> = self.state.iter().chain(&self.stages).chain(&self.log).collect();
        while self.rows.len() > texts.len() {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.all.remove(&row);
            }
        }
        while self.rows.len() < texts.len() {
            self.rows.push(self.all.add(line("  {wide_msg}")));
        }
        for (row, text) in self.rows.iter().zip(texts) {
            row.set_message(clean(text));
        }
    }
}

impl Drop for Live {
    /// Takes the view away: what is written from then on remains.
    fn drop(&mut self) {
        talk::beside(None);
        self.rows.iter().chain([&self.head]).for_each(ProgressBar::finish_and_clear);
        // That it cannot be cleared changes nothing of what follows.
        let _ = self.all.clear();
    }
}

fn line(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style)
}

/// `[=====    ]`.
fn bar_of(done: u64, of: u64) -> String {
    const WIDTH: u64 = 20;
    let filled = (done * WIDTH).checked_div(of).unwrap_or_default().min(WIDTH);
    let filled = usize::try_from(filled).unwrap_or_default();
    let rest = usize::try_from(WIDTH).unwrap_or_default() - filled;
    format!("[{}{}]", "=".repeat(filled), " ".repeat(rest))
}

#[cfg(test)]
mod tests {
    use super::bar_of;

    #[test]
    fn a_bar_is_as_full_as_its_stage() {
        assert_eq!(bar_of(0, 8), "[                    ]");
        assert_eq!(bar_of(4, 8), "[==========          ]");
        assert_eq!(bar_of(9, 8), "[====================]");
        assert_eq!(bar_of(0, 0), "[                    ]");
    }
}
