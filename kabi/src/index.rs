//! The module index: what depmod would write about the modules of a base and its extensions together.

use std::collections::{BTreeMap, BTreeSet};

use spec::{Diagnose, KernelRelease, ModuleName, Outcome, TreePath};

use crate::{Module, Record, SymbolName};

/// The text files of a module index, by name, to be put into `/usr/lib/modules/RELEASE`.
///
/// busybox's modprobe reads these. kmod's reads `modules.softdep` as text and all else in its own `.bin` form, which
/// is not made here. `modules.builtin*` and `modules.order` belong to the kernel and stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleIndex {
    /// Contents of `modules.dep`, `modules.alias`, `modules.softdep` and `modules.symbols`.
    pub files: BTreeMap<&'static str, String>,
}

/// Why there is no index of these modules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// A module is where modprobe does not look.
    #[error("module {path} is not below {directory}")]
    Outside {
        /// Its path.
        path: TreePath,
        /// Where modules of this kernel are.
        directory: String,
    },
    /// Two modules have the same name.
    #[error("module {name} is there twice: {first} and {second}")]
    Duplicate {
        /// The name.
        name: ModuleName,
        /// One file.
        first: TreePath,
        /// The other.
        second: TreePath,
    },
}

impl Diagnose for IndexError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// The directory that modprobe looks into for modules of a kernel.
pub(crate) fn directory(release: &KernelRelease) -> String {
    format!("/usr/lib/modules/{release}")
}

/// The path of a module inside the directory of its kernel, if it is there.
pub(crate) fn inside_release<'a>(path: &'a TreePath, release: &KernelRelease) -> Option<&'a str> {
    path.as_str().strip_prefix(&directory(release))?.strip_prefix('/')
}

/// The index of the modules of a base and of extensions.
pub fn build(
    release: &KernelRelease,
    base: &Record,
    extensions: &[&Record],
) -> Result<ModuleIndex, IndexError> {
    let modules = merged(release, base, extensions)?;
    let dependencies = Dependencies::of(&modules);
    let files = BTreeMap::from([
        ("modules.dep", dep(&modules, &dependencies)),
        ("modules.alias", alias(&modules)),
        ("modules.softdep", softdep(&modules)),
        ("modules.symbols", symbols(&modules)),
    ]);
    Ok(ModuleIndex { files })
}

/// A module and its path inside the directory of its kernel.
struct Entry<'a> {
    module: &'a Module,
    path: &'a str,
}

fn merged<'a>(
    release: &KernelRelease,
    base: &'a Record,
    extensions: &[&'a Record],
) -> Result<Vec<Entry<'a>>, IndexError> {
    let mut modules: BTreeMap<&ModuleName, Entry<'a>> = BTreeMap::new();
    for module in [base].iter().chain(extensions).flat_map(|record| record.modules()) {
        let Some(path) = inside_release(&module.path, release) else {
            return Err(IndexError::Outside { path: module.path.clone(), directory: directory(release) });
        };
        if let Some(first) = modules.insert(&module.name, Entry { module, path }) {
            let (first, second) = (first.module.path.clone(), module.path.clone());
            return Err(IndexError::Duplicate { name: module.name.clone(), first, second });
        }
    }
    Ok(modules.into_values().collect())
}

/// Which modules need which, by their place in the list of all modules.
struct Dependencies {
    direct: Vec<BTreeSet<usize>>,
    /// The place of each module in an order in which every module comes before those that it needs.
    rank: Vec<usize>,
}

impl Dependencies {
    /// A module needs those that export what it imports, weak or not; the CRC does not count here.
    fn of(modules: &[Entry<'_>]) -> Dependencies {
        let mut owners: BTreeMap<&SymbolName, usize> = BTreeMap::new();
        for (index, entry) in modules.iter().enumerate() {
            for symbol in entry.module.exports.keys() {
                owners.entry(symbol).or_insert(index);
            }
        }
        let needs = |(index, entry): (usize, &Entry<'_>)| {
            let owners = entry.module.imports.keys().filter_map(|symbol| owners.get(symbol).copied());
            owners.filter(|&owner| owner != index).collect()
        };
        let direct: Vec<BTreeSet<usize>> = modules.iter().enumerate().map(needs).collect();
        let rank = rank(&direct);
        Dependencies { direct, rank }
    }

    /// Everything that a module needs, each before what it needs itself: modprobe loads from the end.
    fn all(&self, module: usize) -> Vec<usize> {
        let mut reached = BTreeSet::from([module]);
        let mut waiting = vec![module];
        while let Some(next) = waiting.pop() {
            waiting.extend(self.direct[next].iter().filter(|&&needed| reached.insert(needed)));
        }
        reached.remove(&module);
        let mut needed: Vec<usize> = reached.into_iter().collect();
        needed.sort_by_key(|&module| self.rank[module]);
        needed
    }
}

/// Ranks by depth-first search: a module is done after all that it needs, and what is done last ranks first. Modules
/// that need each other in a circle, which no kernel can load, get some rank.
fn rank(direct: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut rank = vec![0; direct.len()];
    let mut free = direct.len();
    let mut seen = vec![false; direct.len()];
    for root in 0..direct.len() {
        let mut path = Vec::new();
        if !std::mem::replace(&mut seen[root], true) {
            path.push((root, direct[root].iter()));
        }
        while let Some((module, needs)) = path.last_mut() {
            match needs.next() {
                Some(&needed) if seen[needed] => {}
                Some(&needed) => {
                    seen[needed] = true;
                    path.push((needed, direct[needed].iter()));
                }
                None => {
                    free -= 1;
                    rank[*module] = free;
                    path.pop();
                }
            }
        }
    }
    rank
}

/// `PATH: NEEDED NEEDED`, one line a module, sorted by path.
fn dep(modules: &[Entry<'_>], dependencies: &Dependencies) -> String {
    let mut lines = BTreeSet::new();
    for (index, entry) in modules.iter().enumerate() {
        let needed = dependencies.all(index).into_iter().map(|needed| format!(" {}", modules[needed].path));
        lines.insert(format!("{}:{}\n", entry.path, needed.collect::<String>()));
    }
    lines.into_iter().collect()
}

fn alias(modules: &[Entry<'_>]) -> String {
    lines("Aliases extracted from the modules themselves.", modules, |module| {
        module.aliases.iter().map(|alias| format!("alias {alias} {}\n", module.name)).collect()
    })
}

fn softdep(modules: &[Entry<'_>]) -> String {
    lines("Soft dependencies extracted from the modules themselves.", modules, |module| {
        module.softdeps.iter().map(|softdep| format!("softdep {} {softdep}\n", module.name)).collect()
    })
}

fn symbols(modules: &[Entry<'_>]) -> String {
    lines("Aliases for the symbols that modules export, for symbol_request().", modules, |module| {
        module.exports.keys().map(|symbol| format!("alias symbol:{symbol} {}\n", module.name)).collect()
    })
}

fn lines(comment: &str, modules: &[Entry<'_>], of: impl Fn(&Module) -> String) -> String {
    let start = format!("# {comment}\n");
    modules.iter().fold(start, |text, entry| text + &of(entry.module))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ModuleFile, module, record, release};

    fn file(name: &str, base: &[Module], extensions: &[&Record]) -> String {
        let mut index = build(&release(), &record(base), extensions).unwrap();
        index.files.remove(name).unwrap()
    }

    #[test]
    fn a_line_has_everything_a_module_needs_last_loaded_first() {
        let base = [
            module("core", &[], &[("core_call", 1)]),
            module("mid", &[("core_call", 1)], &[("mid_call", 1)]),
        ];
        let top = record(&[module("a-top", &[("core_call", 1), ("mid_call", 1), ("elsewhere", 1)], &[])]);
        let wanted = "kernel/a-top.ko: kernel/mid.ko kernel/core.ko\n\
            kernel/core.ko:\n\
            kernel/mid.ko: kernel/core.ko\n";
        assert_eq!(file("modules.dep", &base, &[&top]), wanted);
    }

    #[test]
    fn aliases_softdeps_and_symbols_have_a_line_each() {
        let sound = ModuleFile::new("snd-card")
            .info("alias", "pci:v*")
            .info("alias", "char-major-116-*")
            .info("softdep", "pre: snd-hda")
            .export("b", 1)
            .gpl_export("a", 1)
            .parse();
        let lines = |name| {
            let text = file(name, std::slice::from_ref(&sound), &[]);
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines("modules.alias"), ["alias pci:v* snd_card", "alias char-major-116-* snd_card"]);
        assert_eq!(lines("modules.softdep"), ["softdep snd_card pre: snd-hda"]);
        assert_eq!(lines("modules.symbols"), ["alias symbol:a snd_card", "alias symbol:b snd_card"]);
    }

    #[test]
    fn a_circle_of_modules_does_not_hang() {
        let a = module("a", &[("from_b", 1)], &[("from_a", 1)]);
        let b = module("b", &[("from_a", 1)], &[("from_b", 1)]);
        let wanted = "kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\n";
        assert_eq!(file("modules.dep", &[a, b], &[]), wanted);
    }

    #[test]
    fn a_long_chain_is_listed_whole_and_in_order() {
        let symbol = |index| format!("s{index}");
        let link =
            |index: usize| module(&format!("m{index}"), &[(&symbol(index + 1), 1)], &[(&symbol(index), 1)]);
        let chain: Vec<Module> = (0..300).map(link).collect();
        let text = file("modules.dep", &chain, &[]);
        let first = text.lines().find(|line| line.starts_with("kernel/m0.ko:")).unwrap();
        let wanted: String = (1..300).map(|index| format!(" kernel/m{index}.ko")).collect();
        assert_eq!(first, format!("kernel/m0.ko:{wanted}"));
    }

    #[test]
    fn modules_twice_or_elsewhere_are_refused() {
        let one = record(&[module("a", &[], &[])]);
        let error = build(&release(), &one, &[&one]).unwrap_err();
        assert!(matches!(error, IndexError::Duplicate { .. }), "{error}");
        let error = build(&"6.1.0".parse().unwrap(), &one, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "module /usr/lib/modules/6.1.0-test/kernel/a.ko is not below /usr/lib/modules/6.1.0"
        );
    }
}
