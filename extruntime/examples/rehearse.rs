//! For tests: boots the medium in a root directory as far as it goes without becoming its init, and prints the status.
//!
//! `rehearse ROOT` changes root into ROOT, which has what an initramfs has and the medium where it would be mounted. It
//! is to be run in a mount namespace of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for tests")]

use std::process::ExitCode;

use spec::{Diagnose, Outcome};

fn main() -> ExitCode {
    let root = std::env::args_os().nth(1).expect("the first argument is the root directory");
    rustix::process::chroot(&root).expect("root may change root");
    rustix::process::chdir("/").expect("the new root can be entered");
    match extruntime::rehearse() {
        Ok(status) => {
            println!("{}", serde_json::to_string(&status).expect("a status always has a JSON form"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", spec::sentence(&error));
            let refused = error.outcome() == Outcome::Refused;
            ExitCode::from(if refused { 1 } else { 2 })
        }
    }
}
