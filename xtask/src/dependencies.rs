//! In which order modules of a kernel can be loaded one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use spec::ModuleName;

use crate::{Error, command};

/// What each module needs, as depmod finds it.
#[derive(Debug, Default)]
pub(crate) struct Dependencies(BTreeMap<ModuleName, Vec<String>>);

impl Dependencies {
    /// Asks depmod about the modules of a release below `tree`, in `lib/modules`.
    ///
    /// # Errors
    /// Those of depmod.
    pub(crate) fn of(tree: &Path, release: &str) -> Result<Dependencies, Error> {
        let mut depmod = Command::new("depmod");
        depmod.args(["--show", "--basedir"]).arg(tree).arg(release);
        Ok(Dependencies::parse(&command::read(&mut depmod)?))
    }

    /// Reads the lines of modules.dep(5), `PATH: PATH…`, in what `depmod --show` prints; it prints more.
    fn parse(text: &str) -> Dependencies {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let modules = lines.filter_map(|(path, needs)| {
            // modprobe loads what a module needs from the last to the first, and then the module.
            let mut chain: Vec<String> = needs.split_whitespace().rev().map(str::to_owned).collect();
            chain.push(path.to_owned());
            let (_, file) = path.rsplit_once('/')?;
            Some((ModuleName::from_file_name(file)?, chain))
        });
        Dependencies(modules.collect())
    }

    /// The paths of these modules and all that they need, each once, in an order in which they can be loaded.
    ///
    /// # Errors
    /// [`Error::NoModule`] for one that is not there.
    pub(crate) fn order(&self, wanted: &[&str]) -> Result<Vec<String>, Error> {
        let chains = wanted.iter().map(|name| {
            let chain = name.parse().ok().and_then(|name: ModuleName| self.0.get(&name));
            chain.ok_or_else(|| Error::NoModule((*name).to_owned()))
        });
        Ok(each_once(chains.collect::<Result<Vec<_>, _>>()?))
    }

    /// The paths of all modules, each once, in an order in which they can be loaded.
    #[cfg(feature = "truth")]
    pub(crate) fn order_of_all(&self) -> Vec<String> {
        each_once(self.0.values())
    }
}

fn each_once<'a>(chains: impl IntoIterator<Item = &'a Vec<String>>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    chains.into_iter().flatten().filter(|path| seen.insert(*path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "\
kernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko kernel/crypto/crc32c_generic.ko
kernel/crypto/crc32c_generic.ko:
kernel/drivers/md/dm-crypt.ko: kernel/drivers/md/dm-mod.ko
kernel/net/nf-tables.ko: kernel/lib/libcrc32c.ko kernel/crypto/crc32c_generic.ko
# Aliases extracted from modules themselves.
alias fs-xfs xfs
alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci
";

    #[test]
    fn each_module_comes_after_what_it_needs_and_once() {
        let order = Dependencies::parse(SHOWN).order(&["xfs", "nf_tables"]).unwrap();
        let files: Vec<&str> = order.iter().filter_map(|path| path.rsplit('/').next()).collect();
        assert_eq!(files, ["crc32c_generic.ko", "libcrc32c.ko", "xfs.ko", "nf-tables.ko"]);
    }

    #[test]
    fn a_module_that_the_kernel_lacks_is_named() {
        let error = Dependencies::parse(SHOWN).order(&["dm_crypt", "zfs"]).unwrap_err();
        assert!(error.to_string().ends_with("no module zfs"), "{error}");
    }
}
