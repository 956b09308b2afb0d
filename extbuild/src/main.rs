//! `extbuild`: see the library, where everything happens.

use std::process::ExitCode;

fn main() -> ExitCode {
    extbuild::cli::run()
}
