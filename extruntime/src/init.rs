//! What `/init` is around the boot story: a console before it, and a way out after it.

use std::sync::atomic::{AtomicBool, Ordering};
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
    survive_panics(&arguments);
    for unknown in &arguments.unknown {
        log.say(&format!("warning: the kernel argument {unknown} is not known and changes nothing"));
    }
    let Err(error) = mounted.map_err(BootError::from).and_then(|()| boot::boot(&arguments, &log));
    log.complain(&error);
    leave(&log, arguments.emergency)
}

/// The kernel panics when its first process ends, with a message that hides ours. A bug is no reason to leave a machine
/// dead that has a base: it runs without extensions then, unless that shows a bug too.
fn survive_panics(arguments: &Arguments) {
    let (init, emergency, is_second) = (arguments.init.clone(), arguments.emergency, AtomicBool::new(false));
    std::panic::set_hook(Box::new(move |panic| {
        let (log, bug) = (Log::open(), format!("a bug in extruntime: {panic}"));
        log.say(&format!("error: {bug}"));
        if !is_second.swap(true, Ordering::SeqCst) {
            let Err(error) = boot::without_extensions(&init, &bug, &log);
            log.complain(&error);
        }
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
