//! `extbuild kernel profile`

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kabi::Profile;
use sources::EntryKind;
use spec::artifact::limits;
use spec::{Diagnose, Outcome, TreePath};
use tempfile::TempDir;
use terminal::{Failure, Place};

use crate::cli::KernelProfileArgs;
use crate::commands::size;
use crate::kernel::{ModuleDir, Parts};

pub(crate) fn run(args: KernelProfileArgs) -> Result<(), Failure> {
    let KernelProfileArgs { inputs, modules, symvers, config, output } = args;
    let input = Input::of(inputs)?;
    let (found_modules, found) = input.parts()?;
    let modules = modules.as_deref().map(ModuleDir::open).transpose()?.or(found_modules);
    let parts =
        Parts { image: found.image, symvers: symvers.or(found.symvers), config: config.or(found.config) };
    let profile = parts.profile(modules.as_ref())?;
    let bytes = profile.to_bytes();
    write(&bytes, &output)?;
    warn(&profile, &parts, modules.is_some());
    terminal::success(&format!(
        "{} has {} exports of {} in {}",
        output.display(),
        profile.exports().count(),
        profile.release(),
        size(bytes.len() as u64)
    ));
    Ok(())
}

/// What was named.
enum Input {
    Directory(PathBuf),
    Image(PathBuf),
    /// Packages, unpacked into a directory that vanishes.
    Packages(TempDir),
}

impl Input {
    fn of(mut inputs: Vec<PathBuf>) -> Result<Input, Failure> {
        let is_package = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "deb");
        if inputs.iter().all(is_package) {
            let dir = tempfile::tempdir().map_err(Place::cannot("write in", std::env::temp_dir()))?;
            inputs.iter().try_for_each(|package| unpack(package, dir.path()))?;
            return Ok(Input::Packages(dir));
        }
        match (inputs.pop(), inputs.is_empty()) {
            (Some(path), true) if path.is_dir() => Ok(Input::Directory(path)),
            (Some(path), true) => Ok(Input::Image(path)),
            _ => Err(Several.into()),
        }
    }

    fn parts(&self) -> Result<(Option<ModuleDir>, Parts), Failure> {
        let dir = match self {
            Input::Image(path) => return Ok((None, Parts { image: Some(path.clone()), ..Parts::default() })),
            Input::Directory(dir) => dir,
            Input::Packages(dir) => dir.path(),
        };
        let (modules, parts) = Parts::in_directory(dir)?;
        Ok((Some(modules), parts))
    }
}

/// Writes those files of a package that say something about a kernel.
fn unpack(package: &Path, dir: &Path) -> Result<(), Failure> {
    let copy = sources::private_copy(package, limits::IMAGE)?;
    for entry in sources::list_deb(copy.file, package)? {
        let EntryKind::File { content, .. } = &entry.kind else { continue };
        if !is_about_kernel(&entry.path) {
            continue;
        }
        let path = dir.join(entry.path.as_str().trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap_or(dir)).map_err(Place::cannot("make", dir))?;
        let copied = content.open().and_then(|mut from| io::copy(&mut from, &mut File::create(&path)?));
        copied.map_err(Place::cannot("write", &path))?;
    }
    Ok(())
}

fn is_about_kernel(path: &TreePath) -> bool {
    let is_in = |directory: &str| path.as_str().starts_with(directory);
    ["/boot/", "/lib/modules/", "/usr/lib/modules/"].into_iter().any(is_in)
        || (is_in("/usr/src/") && path.file_name() == Some("Module.symvers"))
}

/// The profile appears whole or not at all, and for everybody to read.
fn write(bytes: &[u8], output: &Path) -> Result<(), Failure> {
    let cannot = || Place::cannot("write", output);
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(cannot())?;
    file.write_all(bytes).map_err(cannot())?;
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(cannot())?;
    file.persist(output).map_err(|error| cannot()(error.error))?;
    Ok(())
}

/// What is not in a profile is not judged by it.
fn warn(profile: &Profile, parts: &Parts, has_modules: bool) {
    if parts.symvers.is_none() && !has_modules {
        terminal::warning(
            "what the kernel's modules export is not in the profile; give --modules or --symvers",
        );
    }
    if parts.config.is_none() {
        terminal::warning("how the kernel was configured is not in the profile; give --config");
    }
    if profile.layout().is_none() {
        terminal::warning("vermagic and struct module are not in the profile; give --modules");
    }
    if profile.keys().is_empty() {
        terminal::note("no keys were found in the kernel image; signatures of modules cannot be judged");
    }
}

/// More than one thing was named that is no package.
#[derive(Debug, thiserror::Error)]
#[error("a profile is made from one directory, one kernel image, or Debian packages of one kernel")]
struct Several;

impl Diagnose for Several {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }
}
