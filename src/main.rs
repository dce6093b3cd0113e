//! The `sparkctl` binary. `lib.rs` has the map of its modules.

use std::process::ExitCode;

fn main() -> ExitCode {
    sparkctl::main()
}
