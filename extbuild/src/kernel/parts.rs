//! The files that say something about a kernel, and the profile that they make together.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use kabi::{Exports, ImageError, InfoText, KernelFacts, KernelImage, KernelOptions, Profile, StructLayout};
use spec::artifact::limits;
use spec::{Arch, KernelRelease, ModuleName};

use super::{KernelError, ModuleDir};

/// Where packages put modules, newest habit first.
const MODULE_ROOTS: [&str; 2] = ["usr/lib/modules", "lib/modules"];

/// Files about one kernel besides its modules, as far as they are there.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// vmlinuz or vmlinux.
    pub image: Option<PathBuf>,
    /// Module.symvers.
    pub symvers: Option<PathBuf>,
    /// The kernel's configuration.
    pub config: Option<PathBuf>,
}

impl Parts {
    /// Those of the one kernel that packages have brought into `dir`, and its modules.
    pub(crate) fn in_directory(dir: &Path) -> Result<(ModuleDir, Parts), KernelError> {
        let modules = ModuleDir::open(&find_modules(dir)?)?;
        let release = modules.release().clone();
        let find = |places: &[PathBuf]| places.iter().find(|path| path.is_file()).cloned();
        let parts = Parts {
            image: find(&[dir.join(format!("boot/vmlinuz-{release}")), modules.path().join("vmlinuz")]),
            symvers: find(&[
                dir.join(format!("usr/src/linux-headers-{release}/Module.symvers")),
                modules.path().join("build/Module.symvers"),
                dir.join("Module.symvers"),
            ]),
            config: find(&[
                dir.join(format!("boot/config-{release}")),
                modules.path().join("config"),
                modules.path().join("build/.config"),
            ]),
        };
        match parts.symvers.is_some() || parts.image.is_some() {
            true => Ok((modules, parts)),
            false => {
                let what =
                    format!("usr/src/linux-headers-{release}/Module.symvers or boot/vmlinuz-{release}");
                Err(KernelError::Nothing { dir: dir.to_owned(), what })
            }
        }
    }

    /// Reads all of them, and of the modules what is needed.
    pub(crate) fn profile(&self, modules: Option<&ModuleDir>) -> Result<Profile, KernelError> {
        let image = self.read_image()?;
        let (release, arch) = identity(image.as_ref(), modules)?;
        let (vermagic, layout) = modules.map_or(Ok((None, None)), build_facts)?;
        let facts = KernelFacts {
            vermagic,
            build_id: image.as_ref().and_then(|image| image.build_id.clone()),
            layout,
            options: self.read_config()?,
            builtins: modules.map_or(Ok(BTreeSet::new()), read_builtins)?,
            keys: image.as_ref().map(|image| image.keys.clone()).unwrap_or_default(),
        };
        let exports = self.read_exports(image.as_ref(), modules)?;
        Ok(Profile::new(release, arch, exports, facts))
    }

    /// What the build says that is exported, else what image and modules say.
    fn read_exports(
        &self,
        image: Option<&KernelImage>,
        modules: Option<&ModuleDir>,
    ) -> Result<Exports, KernelError> {
        let Some(path) = &self.symvers else { return exports(image, modules) };
        let exports = Exports::from_symvers(&read_text(path)?)
            .map_err(|source| KernelError::Symvers { path: path.clone(), source })?;
        match image.and_then(|image| exports.differs_from_kernel(&image.exports)) {
            None => Ok(exports),
            Some(symbol) => Err(KernelError::OtherBuild { path: path.clone(), symbol: symbol.clone() }),
        }
    }

    /// Some images have no list of exports; beside a Module.symvers they need not.
    fn read_image(&self) -> Result<Option<KernelImage>, KernelError> {
        let Some(path) = &self.image else { return Ok(None) };
        // One byte more than is taken, so that it is seen what is too large.
        let bytes =
            terminal::read_regular(path, KernelImage::MAX_BYTES + 1).map_err(KernelError::read(path))?;
        match KernelImage::parse(&bytes) {
            Ok(image) => Ok(Some(image)),
            Err(ImageError::NoTables(_) | ImageError::Packing(_)) if self.symvers.is_some() => Ok(None),
            Err(source) => Err(KernelError::Image { path: path.clone(), source }),
        }
    }

    fn read_config(&self) -> Result<KernelOptions, KernelError> {
        let Some(path) = &self.config else { return Ok(KernelOptions::default()) };
        KernelOptions::from_config(&read_text(path)?)
            .map_err(|source| KernelError::Config { path: path.clone(), source })
    }
}

fn find_modules(dir: &Path) -> Result<PathBuf, KernelError> {
    let mut found: Vec<(KernelRelease, PathBuf)> = Vec::new();
    for root in MODULE_ROOTS.map(|root| dir.join(root)) {
        let Ok(children) = std::fs::read_dir(&root) else { continue };
        for child in children {
            let child = child.map_err(KernelError::read(&root))?;
            let release = child.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(release) = release.filter(|_| child.path().join("kernel").is_dir()) {
                found.push((release, child.path()));
            }
        }
    }
    match found.len() {
        1 => Ok(found.remove(0).1),
        0 => Err(KernelError::Nothing { dir: dir.to_owned(), what: "lib/modules/RELEASE/kernel".into() }),
        _ => {
            let mut releases: Vec<String> = found.iter().map(|(release, _)| release.to_string()).collect();
            releases.sort();
            Err(KernelError::Several { dir: dir.to_owned(), releases })
        }
    }
}

/// Release and architecture: of the image, else of the modules, which must be of the same kernel.
fn identity(
    image: Option<&KernelImage>,
    modules: Option<&ModuleDir>,
) -> Result<(KernelRelease, Arch), KernelError> {
    match (image, modules) {
        (Some(image), Some(modules)) if image.release != *modules.release() => {
            let (image, found) = (image.release.clone(), modules.release().clone());
            Err(KernelError::Mismatch { image, dir: modules.path().to_owned(), modules: found })
        }
        (Some(image), _) => Ok((image.release.clone(), image.arch)),
        // All modules of a kernel are of its architecture: the first one tells.
        (None, Some(modules)) => match modules.read_all().next().transpose()? {
            Some((_, module)) => Ok((modules.release().clone(), module.facts.arch)),
            None => {
                let what = "a module below kernel/".into();
                Err(KernelError::Nothing { dir: modules.path().to_owned(), what })
            }
        },
        (None, None) => Err(KernelError::Nameless),
    }
}

/// What image and modules say themselves that they export.
fn exports(image: Option<&KernelImage>, modules: Option<&ModuleDir>) -> Result<Exports, KernelError> {
    let mut exports = Exports::default();
    if let Some(image) = image {
        exports.add_kernel(image.exports.clone())?;
    }
    for module in modules.into_iter().flat_map(ModuleDir::read_all) {
        let (directory, module) = module?;
        let directory = directory.parse().ok().filter(|directory: &InfoText| !directory.as_str().is_empty());
        exports.add_module(directory.as_ref(), &module.facts)?;
    }
    Ok(exports)
}

/// The vermagic and the layout of `struct module` of a kernel, from the first modules that show all of it: some have no
/// function that ends them.
fn build_facts(modules: &ModuleDir) -> Result<(Option<InfoText>, Option<StructLayout>), KernelError> {
    let is_whole = |layout: &StructLayout| layout.init.is_some() && layout.exit.is_some();
    let (mut vermagic, mut layout) = (None, None);
    for module in modules.read_all() {
        let (_, module) = module?;
        vermagic = vermagic.or(module.facts.vermagic);
        layout = module.facts.layout.filter(is_whole).or(layout).or(module.facts.layout);
        if vermagic.is_some() && layout.as_ref().is_some_and(is_whole) {
            break;
        }
    }
    Ok((vermagic, layout))
}

fn read_builtins(modules: &ModuleDir) -> Result<BTreeSet<ModuleName>, KernelError> {
    let path = modules.path().join("modules.builtin");
    match path.is_file() {
        false => Ok(BTreeSet::new()),
        true => {
            kabi::read_builtins(&read_text(&path)?).map_err(|source| KernelError::Builtin { path, source })
        }
    }
}

fn read_text(path: &Path) -> Result<String, KernelError> {
    let bytes = terminal::read_regular(path, limits::FACTS).map_err(KernelError::read(path))?;
    let not_text = |error| KernelError::read(path)(io::Error::new(io::ErrorKind::InvalidData, error));
    String::from_utf8(bytes).map_err(not_text)
}
