//! What differs between two kernels, as far as modules see it.

use std::collections::{BTreeMap, BTreeSet};

use spec::ModuleName;

use crate::{KernelExport, KernelOption, Owner, Profile, SymbolName};

/// What differs between two kernels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff<'a> {
    /// The exports that differ, by the part of the kernel that they are in: its directory in the sources (`net/ipv4`), its
    /// module where that is not known, or `vmlinux`.
    pub exports: BTreeMap<String, Vec<ExportChange<'a>>>,
    /// The options that differ; of those that are not known of one kernel, nothing is said.
    pub options: Vec<(KernelOption, bool)>,
    /// Modules that have become parts of the kernel image.
    pub now_builtin: Vec<&'a ModuleName>,
    /// Modules that are no longer parts of the kernel image.
    pub no_longer_builtin: Vec<&'a ModuleName>,
}

/// An export that differs. One of the two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportChange<'a> {
    /// What is exported.
    pub symbol: &'a SymbolName,
    /// In the first kernel.
    pub old: Option<&'a KernelExport>,
    /// In the second.
    pub new: Option<&'a KernelExport>,
}

/// A way in which an export differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It is no longer there: modules that need it do not load.
    Gone,
    /// It was not there.
    New,
    /// Its CRC is another one: modules that need it must be built again.
    Crc,
    /// It is now for GPL-compatible modules only, or no longer.
    Gpl,
    /// It is in another namespace.
    Namespace,
    /// It is in another module.
    Owner,
}

impl ExportChange<'_> {
    /// In which ways it differs.
    pub fn kinds(&self) -> Vec<ChangeKind> {
        let (old, new) = match (self.old, self.new) {
            (Some(old), Some(new)) => (old, new),
            (old, _) => return vec![if old.is_some() { ChangeKind::Gone } else { ChangeKind::New }],
        };
        let ways = [
            (ChangeKind::Crc, old.export.crc != new.export.crc),
            (ChangeKind::Gpl, old.export.gpl != new.export.gpl),
            (ChangeKind::Namespace, old.export.namespace != new.export.namespace),
            (ChangeKind::Owner, old.owner != new.owner),
        ];
        ways.into_iter().filter_map(|(kind, differs)| differs.then_some(kind)).collect()
    }
}

/// What differs from `old` to `new`.
pub fn diff<'a>(old: &'a Profile, new: &'a Profile) -> Diff<'a> {
    let symbols: BTreeSet<&SymbolName> =
        old.exports().chain(new.exports()).map(|(symbol, _)| symbol).collect();
    let mut exports = BTreeMap::<_, Vec<_>>::new();
    for symbol in symbols {
        let change = ExportChange { symbol, old: old.get(symbol), new: new.get(symbol) };
        let place = match (change.old, change.new) {
            (before, after) if before == after => continue,
            (_, Some(after)) => part(new, &after.owner),
            (Some(before), None) => part(old, &before.owner),
            (None, None) => continue,
        };
        exports.entry(place).or_default().push(change);
    }
    let differs = |option: &KernelOption| {
        let (before, after) = (old.option(*option)?, new.option(*option)?);
        (before != after).then_some((*option, after))
    };
    Diff {
        exports,
        options: KernelOption::ALL.iter().filter_map(differs).collect(),
        now_builtin: new.builtins().filter(|name| !old.is_builtin(name)).collect(),
        no_longer_builtin: old.builtins().filter(|name| !new.is_builtin(name)).collect(),
    }
}

fn part(profile: &Profile, owner: &Owner) -> String {
    match owner {
        Owner::Kernel => owner.to_string(),
        Owner::Module(name) => profile.directory(name).map_or_else(|| name.to_string(), ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::profile;

    const OLD: &str = "0x00000001\tstays\tvmlinux\tEXPORT_SYMBOL\t\n\
        0x00000002\tvanishes\tnet/ipv4/tunnel\tEXPORT_SYMBOL\t\n\
        0x00000003\tchanges\tfs/a\tEXPORT_SYMBOL\t\n\
        0x00000004\tmoves\tfs/a\tEXPORT_SYMBOL\t\n";
    const NEW: &str = "0x00000001\tstays\tvmlinux\tEXPORT_SYMBOL\t\n\
        0x00000013\tchanges\tfs/a\tEXPORT_SYMBOL_GPL\tINNER\n\
        0x00000004\tmoves\tvmlinux\tEXPORT_SYMBOL\t\n\
        0x00000005\tcomes\tlonely\tEXPORT_SYMBOL\t\n";

    #[test]
    fn every_way_to_differ_is_found_where_it_is() {
        let (old, new) = (profile(OLD), profile(NEW));
        let diff = diff(&old, &new);
        let found: Vec<_> = diff
            .exports
            .iter()
            .flat_map(|(part, changes)| changes.iter().map(move |change| (part.as_str(), change)))
            .map(|(part, change)| (part, change.symbol.as_str(), change.kinds()))
            .collect();
        assert_eq!(
            found,
            [
                ("fs", "changes", vec![ChangeKind::Crc, ChangeKind::Gpl, ChangeKind::Namespace]),
                ("lonely", "comes", vec![ChangeKind::New]),
                ("net/ipv4", "vanishes", vec![ChangeKind::Gone]),
                ("vmlinux", "moves", vec![ChangeKind::Owner]),
            ]
        );
    }

    #[test]
    fn a_kernel_does_not_differ_from_itself() {
        let profile = profile(OLD);
        let Diff { exports, options, now_builtin, no_longer_builtin } = diff(&profile, &profile);
        assert!(exports.is_empty() && options.is_empty());
        assert!(now_builtin.is_empty() && no_longer_builtin.is_empty());
    }
}
