//! `/init` of an initramfs, or a tool; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The kernel starts /init with its path as first argument. In a container a tool may be process 1, too.
    let program = std::env::args_os().next().unwrap_or_default();
    if std::process::id() == 1 && program == spec::boot::initramfs::INIT {
        extruntime::init()
    }
    extruntime::run(std::env::args_os().skip(1))
}
