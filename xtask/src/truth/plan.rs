//! Which kernels are asked what, under which conditions.

use std::num::NonZeroUsize;
use std::path::Path;

use super::condition::Condition;
use super::job::{Group, Job};
use super::kernel::{InTree, Kernel};
use super::question::{After, Purpose, Question};
use super::{craft, out_of_tree};
use crate::Error;

/// Modules that others need, and that do not start in the machine. It lacks the hardware of the first three: Hyper-V, a
/// processor that measures its energy, Xen. The last asks for modprobe, which is not there.
const NOT_STARTING: [&str; 4] = ["hv_vmbus", "intel_rapl_common", "xen_privcmd", "nf_conntrack_amanda"];

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// Everything; with a module that was built for the first kernel from other sources.
    All { built: &'a Path },
    /// About so many modules of each kernel, and what can be crafted.
    Sample(NonZeroUsize),
}

impl Scope<'_> {
    /// Signatures do not depend on the module, so that crafted ones are sample enough of them.
    fn has(self, condition: Condition, group: Group) -> bool {
        match (self, condition) {
            (Scope::All { .. }, _) | (Scope::Sample(_), Condition::AsBuilt) => true,
            (Scope::Sample(_), Condition::SigEnforce | Condition::Lockdown) => group == Group::Crafted,
        }
    }

    fn modules(self, kernel: &Kernel) -> Result<Vec<&InTree>, Error> {
        match self {
            Scope::All { .. } => Ok(kernel.modules().iter().collect()),
            Scope::Sample(size) => kernel.sample(size.get()),
        }
    }
}

/// What a kernel is asked, about modules of another one too: a machine for each condition and each origin of modules.
/// Variants are written below `dir`.
///
/// # Errors
/// [`Error::Truth`], [`Error::NoModule`], [`Error::File`], those of openssl.
pub(super) fn jobs<'a>(
    kernel: &'a Kernel,
    other: &Kernel,
    scope: Scope<'_>,
    dir: &Path,
) -> Result<Vec<Job<'a>>, Error> {
    let mut groups = vec![
        (Group::Crafted, craft::questions(kernel, dir)?),
        (Group::Foreign, foreign(&scope.modules(other)?)),
        (Group::InTree, in_tree(kernel, &scope.modules(kernel)?, dir)?),
    ];
    if let Scope::All { built } = scope {
        groups.push((Group::OutOfTree, built_elsewhere(kernel, built)?));
    }
    let all = groups.into_iter().flat_map(|group| Condition::ALL.map(|condition| (condition, group.clone())));
    let asked = all.filter(|(condition, (group, _))| scope.has(*condition, *group));
    Ok(asked.map(|(condition, (group, questions))| Job { kernel, condition, group, questions }).collect())
}

/// Each module of the kernel's own, after those that it depends on, all of which stay.
fn in_tree(kernel: &Kernel, modules: &[&InTree], dir: &Path) -> Result<Vec<Question>, Error> {
    let mut questions = Vec::new();
    for module in modules {
        questions.push(Question { after: After::Keep, ..shipped(module) });
        if NOT_STARTING.contains(&module.name.as_str()) {
            let file = craft::without_start(kernel, module.name.as_str(), dir)?;
            let name = format!("{} without start", module.name);
            questions.push(Question { name, file, ..needed(module) });
        }
    }
    Ok(questions)
}

/// Each module alone.
fn foreign(modules: &[&InTree]) -> Vec<Question> {
    modules.iter().map(|module| shipped(module)).collect()
}

/// A module that is not the kernel's own, after those that it needs.
fn built_elsewhere(kernel: &Kernel, file: &Path) -> Result<Vec<Question>, Error> {
    let needs = kernel.with_dependencies(&out_of_tree::NEEDS)?;
    let mut questions: Vec<Question> = needs.into_iter().map(needed).collect();
    questions.push(Question::new(out_of_tree::name()?, file.to_owned()));
    Ok(questions)
}

fn needed(module: &InTree) -> Question {
    Question { after: After::Keep, purpose: Purpose::Prepare, ..shipped(module) }
}

fn shipped(module: &InTree) -> Question {
    Question::new(module.name.clone(), module.file.clone())
}
