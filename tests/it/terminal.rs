//! The live view on a terminal that is resized, suspended and resumed.

use crate::support::Namespace;
use crate::support::jobs::job;
use crate::support::terminal::Terminal;

/// Prints some lines longer than a narrow terminal is wide, then waits until it is called.
const DRIVER: &str = "for i in 1 2 3 4; do echo a line of the log that is longer than a narrow terminal is wide, number $i; done; nc -l -p 9999 >/dev/null";

/// Submits an application in a terminal, and waits for the live view with the driver and an executor running.
fn begin(ns: &Namespace, name: &str) -> Terminal {
    let job = job(ns, name, DRIVER);
    let terminal = Terminal::begin(&ns.command(), 30, 100);
    ns.wait_for("a prompt", || terminal.has_prompt().then_some(()));
    terminal.types(&format!("sparkctl() {{ '{}' \"$@\"; }}\n", env!("CARGO_BIN_EXE_sparkctl")));
    terminal.types(&format!("sparkctl submit {}\n", job.display()));
    ns.wait_for("the driver", || (terminal.count(&format!("{name}  running  on node")) == 1).then_some(()));
    ns.add_executor(1, "sleep 1000");
    ns.wait_for("the view", || is_whole(&terminal, name).then_some(()));
    terminal
}

/// Whether the terminal shows the view once, with the end of the log, below the messages before it.
fn is_whole(terminal: &Terminal, name: &str) -> bool {
    let head = format!("{name}  running  on node");
    terminal.count(&head) == 1
        && terminal.count("  executors  1 of 1 running") == 1
        && terminal.count("  | a line of the log") == 3
        && terminal.count("  kill    sparkctl delete") == 1
}

/// The lines of the view that are on the screen.
fn left_over(terminal: &Terminal, name: &str) -> Vec<String> {
    let marks = [format!("{name}  running"), "executors  1".into(), "| a line".into()];
    let mut lines = terminal.lines();
    lines.retain(|line| marks.iter().any(|mark| line.contains(mark)));
    lines
}

/// The duration that the view shows.
fn clock(terminal: &Terminal, name: &str) -> Option<String> {
    let head = terminal.lines().into_iter().find(|line| line.contains(&format!("{name}  running")))?;
    head.split_whitespace().last().map(str::to_owned)
}

#[test]
fn the_live_view_fits_a_resized_terminal() {
    let ns = Namespace::new("resized");
    let terminal = begin(&ns, "resized");
    eprintln!("{}", terminal.lines().join("\n"));
    for (rows, columns) in [(30, 40), (30, 130), (12, 60), (30, 33), (30, 100)] {
        terminal.resize(rows, columns);
        let before = clock(&terminal, "resized");
        ns.wait_for("the view, drawn anew", || (clock(&terminal, "resized") != before).then_some(()));
        ns.wait_for(&format!("the view on {columns} columns"), || is_whole(&terminal, "resized").then_some(()));
    }
    ns.call("resized-driver");
    ns.wait_for("the end", || terminal.has_prompt().then_some(()));
    assert_eq!(left_over(&terminal, "resized"), Vec::<String>::new());
    assert_eq!(terminal.count("resized succeeded: queued "), 1, "{:#?}", terminal.lines());
    assert!(terminal.shows_cursor());
    terminal.types("echo code=$?\n");
    ns.wait_for("the exit code", || (terminal.count("code=0") == 1).then_some(()));
    eprintln!("{}", terminal.lines().join("\n"));
}

#[test]
fn the_live_view_makes_way_for_ctrl_z_and_ctrl_c() {
    let ns = Namespace::new("stopped");
    let terminal = begin(&ns, "stopped");
    terminal.types("\x1a");
    ns.wait_for("the shell", || (terminal.count("Stopped") == 1 && terminal.has_prompt()).then_some(()));
    assert_eq!(left_over(&terminal, "stopped"), Vec::<String>::new());
    assert!(terminal.shows_cursor());
    terminal.types("echo still $((40 + 2)); stty -a | grep -o ' echo \\|onlcr'\n");
    ns.wait_for("a shell with its usual modes", || {
        let has_line = |text: &str| terminal.lines().iter().any(|line| line == text);
        (has_line("still 42") && has_line(" echo") && has_line("onlcr")).then_some(())
    });
    terminal.types("fg\n");
    ns.wait_for("the view again", || is_whole(&terminal, "stopped").then_some(()));
    terminal.types("\x03");
    ns.wait_for("the shell", || terminal.has_prompt().then_some(()));
    assert_eq!(left_over(&terminal, "stopped"), Vec::<String>::new());
    assert_eq!(terminal.count("interrupted: stopped is still running in the cluster"), 1);
    // Once after the submission, once after the interrupt.
    assert_eq!(terminal.count("attach  sparkctl attach stopped -n "), 2);
    assert!(terminal.shows_cursor());
    terminal.types("echo code=$?\n");
    ns.wait_for("the exit code", || (terminal.count("code=130") == 1).then_some(()));
    eprintln!("{}", terminal.lines().join("\n"));
}
