//! Loading the modules that extensions ask for, and what the kernel says to that.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::Path;

use rustix::io::Errno;
use rustix::system::finit_module;
use spec::TreePath;
use spec::status::ModuleStatus;

use crate::activation::Loadable;
use crate::module_parameters::ModuleParameters;

/// `MODULE_INIT_COMPRESSED_FILE` (linux/module.h): the kernel is to decompress the file, if it can
/// (CONFIG_MODULE_DECOMPRESS, since Linux 5.17).
const COMPRESSED: i32 = 4;

/// `firmware_class.path`: where the kernel looks for firmware first.
const FIRMWARE_PATH: &str = "/sys/module/firmware_class/parameters/path";

/// The kernel's answer about one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) asked: &'a Loadable,
    pub(crate) status: ModuleStatus,
}

/// Loads modules in order from the system at `root`. One that does not load is told of, and those after it are tried.
pub(crate) fn load<'a>(modules: &'a [Loadable], root: &Path) -> Vec<Answer<'a>> {
    let _firmware = (!modules.is_empty()).then(|| FirmwareOf::root(root));
    let said = ModuleParameters::running();
    modules.iter().map(|module| Answer { asked: module, status: load_one(module, &said, root) }).collect()
}

/// Makes the kernel look for firmware in a root that is not its own, until this is dropped.
struct FirmwareOf(Option<String>);

impl FirmwareOf {
    fn root(root: &Path) -> FirmwareOf {
        if root == Path::new("/") {
            return FirmwareOf(None);
        }
        let before = fs::read_to_string(FIRMWARE_PATH).ok();
        let _ = fs::write(FIRMWARE_PATH, root.join("usr/lib/firmware").as_os_str().as_encoded_bytes());
        FirmwareOf(before)
    }
}

impl Drop for FirmwareOf {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // The kernel takes an empty line for no path (drivers/base/firmware_loader/main.c, `fw_path_para`).
            let line = if before.trim().is_empty() { "\n" } else { before };
            let _ = fs::write(FIRMWARE_PATH, line);
        }
    }
}

fn load_one(module: &Loadable, said: &ModuleParameters, root: &Path) -> ModuleStatus {
    let Loadable { name, path, parameters, .. } = module;
    let parameters = said.after(parameters, name);
    let answer = open(root, path).and_then(|file| {
        let parameters = CString::new(parameters.as_bytes()).map_err(|_| Errno::INVAL)?;
        let flags = if path.as_str().ends_with(".ko") { 0 } else { COMPRESSED };
        finit_module(&file, &parameters, flags)
    });
    let error = match answer {
        Ok(()) | Err(Errno::EXIST) => None,
        Err(errno) => Some(sentence(errno)),
    };
    ModuleStatus { name: name.clone(), parameters, error }
}

fn open(root: &Path, path: &TreePath) -> Result<File, Errno> {
    let file = root.join(path.as_str().trim_start_matches('/'));
    File::open(file).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// What an error number means when a module is loaded (kernel/module/main.c).
fn sentence(errno: Errno) -> String {
    let meaning = match errno {
        Errno::NODEV => "the driver finds no device",
        Errno::NOEXEC => {
            "the kernel does not take it: it was built for another one, or wants a symbol of another version"
        }
        Errno::NOENT => "it needs a symbol that nobody exports, or its file is missing",
        Errno::KEYREJECTED => "the kernel wants a signature by one of its keys",
        Errno::INVAL => "the kernel does not take its parameters, or cannot decompress it",
        Errno::PERM => "the kernel loads no more modules, or this process may not",
        _ => return errno.to_string(),
    };
    format!("{meaning} ({errno})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_load_is_told_and_stops_nothing() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("rubbish.ko"), "no module at all").unwrap();
        let loadable = |name: &str| Loadable {
            extension: "test".parse().unwrap(),
            name: name.parse().unwrap(),
            path: format!("/{name}.ko").parse().unwrap(),
            parameters: "x=1".into(),
        };
        let modules = [loadable("absent"), loadable("rubbish")];
        let answers = load(&modules, root.path());
        let errors: Vec<&str> =
            answers.iter().map(|answer| answer.status.error.as_deref().unwrap_or_default()).collect();
        assert!(errors[0].contains("its file is missing"), "{errors:?}");
        assert!(!errors[1].is_empty() && answers[1].status.parameters == "x=1", "{errors:?}");
    }
}
