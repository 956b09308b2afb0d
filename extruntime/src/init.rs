//! What `/init` is around the boot story: a console before it, and a way out after it.

use std::time::Duration;

use rustix::system::{RebootCommand, reboot};

use crate::boot::{self, BootError};
use crate::cmdline::{Arguments, Emergency};
use crate::early;
use crate::log::Log;

/// How long the last message can be read before the machine starts again.
const READING_TIME: Duration = Duration::from_secs(10);

/// Runs as the first process of an initramfs. There is no shell on any way out: whoever sits at the console of a
/// machine that failed to boot has no more rights than at one that did boot.
pub fn init() -> ! {
    let mounted = early::mount_kernel_file_systems().and_then(|()| early::take_console());
    let log = Log::open();
    let arguments = Arguments::parse(&early::read("/proc/cmdline").unwrap_or_default());
    reboot_on_panic(arguments.emergency);
    for unknown in &arguments.unknown {
        log.say(&format!("warning: the kernel argument {unknown} is not known and changes nothing"));
    }
    let Err(error) = mounted.map_err(BootError::from).and_then(|()| boot::boot(&arguments, &log));
    log.complain(&error);
    leave(&log, arguments.emergency)
}

/// The kernel panics when its first process ends, with a message that hides ours.
fn reboot_on_panic(emergency: Emergency) {
    std::panic::set_hook(Box::new(move |panic| {
        let log = Log::open();
        log.say(&format!("error: a bug in extruntime: {panic}"));
        leave(&log, emergency)
    }));
}

fn leave(log: &Log, emergency: Emergency) -> ! {
    let command = match emergency {
        Emergency::Halt => {
            log.say("halting");
            RebootCommand::Halt
        }
        Emergency::Reboot => {
            log.say(&format!("starting again in {} s", READING_TIME.as_secs()));
            std::thread::sleep(READING_TIME);
            RebootCommand::Restart
        }
    };
    let _ = reboot(command);
    // The kernel said no. There is nothing left to try, and ending would be a panic.
    loop {
        std::thread::park();
    }
}
