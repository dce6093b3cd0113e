//! The program; `lib.rs` has the map of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sparkctl::main()
}
