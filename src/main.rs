//! The `steadygate` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    steadygate::cli::main()
}
