//! The first steps of `/init`: kernel file systems, standard streams, modules.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::system::finit_module;
use spec::ModuleName;
use spec::boot::initramfs;

use crate::cannot::{Cannot, cannot};
use crate::log::Log;
use crate::module_parameters::ModuleParameters;
use crate::mounts;

/// Mounts `/proc`, `/sys`, `/dev` and `/run`; flags as systemd and dracut have them. And securityfs, which says what
/// lockdown there is, where the kernel has it.
pub(crate) fn mount_kernel_file_systems() -> Result<(), Cannot> {
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mounts::kernel("proc", "/proc", quiet, "")?;
    mounts::kernel("sysfs", "/sys", quiet, "")?;
    let _ = mounts::kernel("securityfs", "/sys/kernel/security", quiet, "");
    mounts::kernel("devtmpfs", "/dev", MountFlags::NOSUID, "mode=0755")?;
    mounts::kernel("tmpfs", "/run", MountFlags::NOSUID | MountFlags::NODEV, "mode=0755")
}

/// Gives us, and the init after us, the console as standard streams: the kernel could not open it for an initramfs
/// that has no device node. On a machine without any console they lead nowhere.
pub(crate) fn take_console() -> Result<(), Cannot> {
    let failed = |errno: Errno| cannot("redirect to", "/dev/console")(errno);
    let open = |path| File::options().read(true).write(true).open(path);
    let console = open("/dev/console").or_else(|_| open("/dev/null")).map_err(cannot("open", "/dev/null"))?;
    rustix::stdio::dup2_stdin(&console).map_err(failed)?;
    rustix::stdio::dup2_stdout(&console).map_err(failed)?;
    rustix::stdio::dup2_stderr(&console).map_err(failed)
}

/// Loads the modules that reaching the medium needs. One that does not load is reported and passed over: not every
/// machine has the device, and if it was needed, the search for the medium says so.
pub(crate) fn load_modules(names: &[ModuleName], log: &Log) {
    let said = ModuleParameters::running();
    for name in names {
        let file = Path::new(initramfs::MODULES).join(format!("{name}.ko"));
        if let Err(error) = load(&file, &said.after("", name)) {
            log.say(&format!("warning: {}", spec::sentence(&error)));
        }
    }
}

fn load(path: &Path, parameters: &str) -> Result<(), Cannot> {
    let failed = |error: std::io::Error| cannot("load the module", path.display())(error);
    let file = File::open(path).map_err(failed)?;
    let parameters = CString::new(parameters).map_err(|error| failed(error.into()))?;
    match finit_module(&file, &parameters, 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(failed(error.into())),
    }
}

/// Reads a small file of the initramfs or of the kernel.
pub(crate) fn read(path: &str) -> Result<String, Cannot> {
    fs::read_to_string(path).map_err(cannot("read", path))
}
