//! What is going to be done to the system, as a value: every choice is made here, and doing it is dull.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use kabi::index::{IndexError, Inputs};
use kabi::{ModuleIndex, Record};
use spec::listing::Kind;
use spec::{Diagnose, ExtensionName, ModuleName, Outcome, TreePath};

use crate::admit::Admitted;
use crate::facts::{BaseFacts, BuildFiles};
use crate::places::Run;

/// Where the root of the running system is put together.
pub(crate) const SYSROOT: &str = "/sysroot";
/// What is laid over a root that is in use, one by one: all that extensions may have.
pub(crate) const HIERARCHIES: [&str; 2] = [INDEXED, "opt"];
/// The one with the modules, and so with their index.
pub(crate) const INDEXED: &str = "usr";

/// Where extensions are to appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A root that is being put together: everything is laid over the base as a whole.
    NewRoot,
    /// The root of a system that has its own mounts: `/usr` and `/opt` in it are laid over.
    InPlace {
        /// The root.
        root: PathBuf,
        /// What is laid there now.
        present: Present,
    },
}

/// What earlier activations left on a running system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// The hierarchies that are covered.
    pub covered: Vec<&'static str>,
    /// The sets whose layers are still mounted.
    pub sets: Vec<Run>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Keep sight of a directory of the base, which is going to be covered.
    Keep {
        /// The directory.
        directory: PathBuf,
        /// Where it stays visible.
        at: PathBuf,
    },
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
    /// Lay directories over each other, the first on top, read-only. Nobody sees it yet.
    Overlay {
        /// The layers.
        layers: Vec<Below>,
        /// What they are going to be seen as.
        at: PathBuf,
    },
    /// Show all overlays.
    Show {
        /// Where, in the order in which they were made.
        at: Vec<PathBuf>,
        /// Those of them where an overlay of ours goes in the same moment.
        instead: Vec<PathBuf>,
    },
    /// Take an overlay away, so that the base shows again.
    Uncover {
        /// Where the overlay is.
        at: PathBuf,
        /// Where what it covered was kept in sight.
        kept: PathBuf,
    },
    /// Let the layers of a set go that nothing shows any more.
    Forget {
        /// Where they are.
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
    /// A directory of the image of an admitted extension.
    Extension {
        /// Its place among them.
        extension: usize,
        /// Its name, for people.
        name: ExtensionName,
        /// The directory, from the root of the image.
        directory: &'static str,
    },
    /// A directory that nobody but us can have changed.
    Directory(PathBuf),
}

/// A module that is to be loaded once everything is in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loadable {
    /// The extension that asks for it, or for one that needs it.
    pub extension: ExtensionName,
    /// The module.
    pub name: ModuleName,
    /// Its file.
    pub path: TreePath,
    /// What it is told.
    pub parameters: String,
}

/// The steps from a base to a system with extensions, and the modules that are loaded then, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    steps: Vec<Step>,
    modules: Vec<Loadable>,
}

impl Activation {
    /// Plans base and extensions. Extensions are above the base, for those that replace a file of it; among each other
    /// their order decides nothing, since no two have a file in common. The index is on top: it replaces that of the base.
    pub fn plan<L>(
        base: &BaseFacts,
        admitted: &[&Admitted<L>],
        target: &Target,
        run: Run,
    ) -> Result<Activation, ActivationError> {
        let mut steps = Vec::new();
        for (extension, admitted) in admitted.iter().enumerate() {
            let at = run.layer(extension);
            steps.push(Step::Attach { extension, name: admitted.name().clone(), at });
        }
        match target {
            Target::NewRoot => {
                steps.push(index(base, admitted, run)?);
                let extensions = layers(admitted, ".", |_| true);
                let layers =
                    [vec![Below::Directory(run.index())], extensions, vec![Below::Directory(Run::base())]];
                let at = PathBuf::from(SYSROOT);
                steps.push(Step::Overlay { layers: layers.concat(), at: at.clone() });
                steps.push(Step::Show { at: vec![at], instead: Vec::new() });
            }
            Target::InPlace { root, present } => {
                steps.extend(in_place(base, admitted, root, present, run)?);
            }
        }
        Ok(Activation { steps, modules: modules(base, admitted)? })
    }

    /// Plans the base alone: the way out that needs nothing but the base.
    pub fn base_alone() -> Activation {
        Activation { steps: vec![Step::Alone { at: PathBuf::from(SYSROOT) }], modules: Vec::new() }
    }

    /// Plans the way back to the base of a root that is in use.
    pub fn removal(root: &Path, present: &Present) -> Activation {
        let covered = present.covered.iter().map(|hierarchy| uncover(root, hierarchy));
        let steps = covered.chain(present.sets.iter().map(|set| Step::Forget { at: set.own() })).collect();
        Activation { steps, modules: Vec::new() }
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The modules in order.
    pub fn modules(&self) -> &[Loadable] {
        &self.modules
    }
}

fn in_place<L>(
    base: &BaseFacts,
    admitted: &[&Admitted<L>],
    root: &Path,
    present: &Present,
    run: Run,
) -> Result<Vec<Step>, ActivationError> {
    let mut steps = Vec::new();
    let mut indexed = Vec::new();
    if admitted.iter().any(|admitted| !admitted.record().modules().is_empty()) {
        steps.push(index(base, admitted, run)?);
        indexed.push(Below::Directory(run.index().join(INDEXED)));
    }
    let (mut shown, mut instead, mut uncovered) = (Vec::new(), Vec::new(), Vec::new());
    for hierarchy in HIERARCHIES {
        let (directory, kept) = (root.join(hierarchy), Run::base().join(hierarchy));
        let is_covered = present.covered.contains(&hierarchy);
        let index = if hierarchy == INDEXED { indexed.clone() } else { Vec::new() };
        let above = [index, layers(admitted, hierarchy, |admitted| has(admitted, hierarchy))].concat();
        if above.is_empty() {
            uncovered.extend(is_covered.then(|| uncover(root, hierarchy)));
            continue;
        }
        if base.listing.get(&top(hierarchy)) != Some(Kind::Directory) {
            return Err(ActivationError::NoDirectory(top(hierarchy)));
        }
        match is_covered {
            true => instead.push(directory.clone()),
            false => steps.push(Step::Keep { directory: directory.clone(), at: kept.clone() }),
        }
        let layers = [above, vec![Below::Directory(kept)]].concat();
        steps.push(Step::Overlay { layers, at: directory.clone() });
        shown.push(directory);
    }
    // What can fail is done by now; from here on the set changes.
    steps.extend((!shown.is_empty()).then_some(Step::Show { at: shown, instead }));
    steps.extend(uncovered);
    steps.extend(present.sets.iter().map(|set| Step::Forget { at: set.own() }));
    Ok(steps)
}

fn uncover(root: &Path, hierarchy: &str) -> Step {
    Step::Uncover { at: root.join(hierarchy), kept: Run::base().join(hierarchy) }
}

/// A directory of each extension that has what is asked for.
fn layers<L>(
    admitted: &[&Admitted<L>],
    directory: &'static str,
    has: impl Fn(&Admitted<L>) -> bool,
) -> Vec<Below> {
    let having = admitted.iter().enumerate().filter(|(_, admitted)| has(admitted));
    let layer = |(extension, admitted): (usize, &&Admitted<L>)| {
        let name = admitted.name().clone();
        Below::Extension { extension, name, directory }
    };
    having.map(layer).collect()
}

fn has<L>(admitted: &Admitted<L>, hierarchy: &str) -> bool {
    admitted.listing().get(&top(hierarchy)) == Some(Kind::Directory)
}

fn top(hierarchy: &str) -> TreePath {
    format!("/{hierarchy}").parse().expect("the hierarchies are names of directories")
}

fn index<L>(base: &BaseFacts, admitted: &[&Admitted<L>], run: Run) -> Result<Step, IndexError> {
    let records = records(admitted);
    let ModuleIndex { files } = kabi::index::build(&inputs(base, &records))?;
    let directory = PathBuf::from(format!("usr/lib/modules/{}", base.kernel.release));
    Ok(Step::Index { at: run.index(), directory, files })
}

/// What is asked for, in the order of the machine config, and before each what it needs. A module that two ask for is
/// loaded for the first.
fn modules<L>(base: &BaseFacts, admitted: &[&Admitted<L>]) -> Result<Vec<Loadable>, IndexError> {
    let records = records(admitted);
    let inputs = inputs(base, &records);
    let mut found: Vec<Loadable> = Vec::new();
    for admitted in admitted {
        for load in &admitted.config().load {
            for module in kabi::index::loading(&inputs, &[load.module()])? {
                if found.iter().any(|earlier| earlier.name == module.name) {
                    continue;
                }
                let is_asked_for = module.name == *load.module();
                found.push(Loadable {
                    extension: admitted.name().clone(),
                    name: module.name.clone(),
                    path: module.path.clone(),
                    parameters: if is_asked_for { load.parameters().to_owned() } else { String::new() },
                });
            }
        }
    }
    Ok(found)
}

fn records<'a, L>(admitted: &[&'a Admitted<L>]) -> Vec<&'a Record> {
    admitted.iter().map(|admitted| admitted.record()).collect()
}

fn inputs<'a>(base: &'a BaseFacts, extensions: &'a [&'a Record]) -> Inputs<'a> {
    let BuildFiles { order, builtin, builtin_modinfo } = &base.build;
    Inputs {
        release: &base.kernel.release,
        base: &base.modules,
        extensions,
        order: order.as_deref(),
        builtin: builtin.as_deref(),
        builtin_modinfo: builtin_modinfo.as_deref(),
    }
}

/// Why sound extensions cannot be laid over a base.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Their modules make no index.
    #[error("the modules cannot be indexed")]
    Index(#[from] IndexError),
    /// There is nothing to lay them over.
    #[error("an extension has files below {0}, and the base has no such directory to lay them over")]
    NoDirectory(TreePath),
}

impl Diagnose for ActivationError {
    fn outcome(&self) -> Outcome {
        match self {
            ActivationError::Index(error) => error.outcome(),
            ActivationError::NoDirectory(_) => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ActivationError::Index(error) => error.hint(),
            ActivationError::NoDirectory(path) => Some(format!("give the base an empty directory {path}")),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps.iter().map(Step::to_string);
        for (number, step) in steps.chain(self.modules.iter().map(Loadable::to_string)).enumerate() {
            writeln!(f, "{:>3}. {step}", number + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Keep { directory, at } => {
                write!(f, "keep {} of the base at {}", directory.display(), at.display())
            }
            Step::Attach { extension: _, name, at } => write!(f, "mount {name} at {}", at.display()),
            Step::Index { at, directory, files } => {
                let names: Vec<_> = files.keys().copied().collect();
                write!(f, "write {} to {} in {}", names.join(", "), directory.display(), at.display())
            }
            Step::Overlay { layers, at } => {
                let layers: Vec<_> = layers.iter().map(Below::to_string).collect();
                write!(f, "overlay {} for {}", layers.join(" over "), at.display())
            }
            Step::Show { at, instead } => {
                let places: Vec<_> = at.iter().map(|place| place.display().to_string()).collect();
                let before = if instead.is_empty() { "" } else { ", in place of what is laid there" };
                write!(f, "show {}{before}", places.join(", "))
            }
            Step::Uncover { at, .. } => write!(f, "take away what is laid over {}", at.display()),
            Step::Forget { at } => write!(f, "let go what is mounted below {}", at.display()),
            Step::Alone { at } => write!(f, "mount the base alone at {}", at.display()),
        }
    }
}

impl fmt::Display for Loadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loadable { extension, name, path: _, parameters } = self;
        let space = if parameters.is_empty() { "" } else { " " };
        write!(f, "load module {name}{space}{parameters} for {extension}")
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Below::Extension { name, directory: ".", .. } => write!(f, "{name}"),
            Below::Extension { name, directory, .. } => write!(f, "{name}/{directory}"),
            Below::Directory(directory) => write!(f, "{}", directory.display()),
        }
    }
}
