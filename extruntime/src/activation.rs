//! What is going to be done to the system, as a value: every choice is made here, and doing it is dull.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use kabi::index::{IndexError, Inputs};
use kabi::{ModuleIndex, Record};
use spec::ExtensionName;

use crate::admit::Admitted;
use crate::facts::{BaseFacts, BuildFiles};

/// Where the root of the running system is put together.
pub(crate) const SYSROOT: &str = "/sysroot";
/// Where the base appears by itself.
pub(crate) const BASE: &str = "/run/tenon/base";
/// Where the module index of base and extensions is written, as a layer.
pub(crate) const INDEX: &str = "/run/tenon/index";
/// Where extensions appear by themselves, numbered.
const LAYERS: &str = "/run/tenon/l";
/// Where systemd and others look for modules to load (modules-load.d(5)); `/run` outlives the initramfs.
const LOAD: &str = "/run/modules-load.d/tenon.conf";

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Mount the checked image of an extension.
    Attach {
        /// Its place among the admitted extensions.
        extension: usize,
        /// Its name, for people.
        name: ExtensionName,
        /// The directory.
        at: PathBuf,
    },
    /// Write the module index of the base and everything above it, as a layer of its own.
    Index {
        /// The layer.
        at: PathBuf,
        /// The directory in it.
        directory: PathBuf,
        /// The files by name.
        files: BTreeMap<&'static str, Vec<u8>>,
    },
    /// Tell the init of the running system which modules to load.
    Load {
        /// The file, as modules-load.d(5) has it.
        file: PathBuf,
        /// A name on each line.
        text: String,
    },
    /// Lay layers over each other, the first on top, read-only.
    Overlay {
        /// The layers.
        layers: Vec<Below>,
        /// Where they appear together.
        at: PathBuf,
    },
    /// Show the base as it is.
    Alone {
        /// The new root.
        at: PathBuf,
    },
}

/// A layer of an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    /// The extension at this place among the admitted ones, and its name for people.
    Extension(usize, ExtensionName),
    /// A directory that nobody but us can have changed.
    Directory(PathBuf),
}

/// The steps from a mounted base to the root of the running system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation(Vec<Step>);

impl Activation {
    /// Plans base and extensions. Extensions are above the base, for those that replace a file of it; among each other
    /// their order decides nothing, since no two have a file in common. The index is on top: it replaces that of the base.
    pub fn plan<L>(base: &BaseFacts, admitted: &[&Admitted<L>]) -> Result<Activation, IndexError> {
        let mut steps = Vec::new();
        let mut layers = vec![Below::Directory(INDEX.into())];
        for (extension, admitted) in admitted.iter().enumerate() {
            let at = Path::new(LAYERS).join(extension.to_string());
            let name = admitted.name().clone();
            layers.push(Below::Extension(extension, name.clone()));
            steps.push(Step::Attach { extension, name, at });
        }
        layers.push(Below::Directory(BASE.into()));
        steps.push(index(base, admitted)?);
        steps.push(Step::Overlay { layers, at: PathBuf::from(SYSROOT) });
        steps.extend(load(admitted));
        Ok(Activation(steps))
    }

    /// Plans the base alone: the way out that needs nothing but the base.
    pub fn base_alone() -> Activation {
        Activation(vec![Step::Alone { at: PathBuf::from(SYSROOT) }])
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

fn index<L>(base: &BaseFacts, admitted: &[&Admitted<L>]) -> Result<Step, IndexError> {
    let records: Vec<&Record> = admitted.iter().map(|admitted| admitted.record()).collect();
    let BuildFiles { order, builtin, builtin_modinfo } = &base.build;
    let inputs = Inputs {
        release: &base.kernel.release,
        base: &base.modules,
        extensions: &records,
        order: order.as_deref(),
        builtin: builtin.as_deref(),
        builtin_modinfo: builtin_modinfo.as_deref(),
    };
    let ModuleIndex { files } = kabi::index::build(&inputs)?;
    let directory = PathBuf::from(format!("usr/lib/modules/{}", base.kernel.release));
    Ok(Step::Index { at: PathBuf::from(INDEX), directory, files })
}

fn load<L>(admitted: &[&Admitted<L>]) -> Option<Step> {
    let modules: Vec<_> = admitted.iter().flat_map(|admitted| &admitted.config().load).collect();
    let text: String = modules.iter().map(|module| format!("{module}\n")).collect();
    (!modules.is_empty()).then(|| Step::Load { file: PathBuf::from(LOAD), text })
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            writeln!(f, "{:>3}. {step}", number + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Attach { extension: _, name, at } => write!(f, "mount {name} at {}", at.display()),
            Step::Index { at, directory, files } => {
                let names: Vec<_> = files.keys().copied().collect();
                write!(f, "write {} to {} in {}", names.join(", "), directory.display(), at.display())
            }
            Step::Load { file, text } => {
                write!(f, "ask for modules in {}: {}", file.display(), text.trim_end().replace('\n', ", "))
            }
            Step::Overlay { layers, at } => {
                let layers: Vec<_> = layers.iter().map(Below::to_string).collect();
                write!(f, "overlay {} at {}", layers.join(" over "), at.display())
            }
            Step::Alone { at } => write!(f, "mount the base alone at {}", at.display()),
        }
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Below::Extension(_, name) => write!(f, "{name}"),
            Below::Directory(directory) => write!(f, "{}", directory.display()),
        }
    }
}
