//! The kernel profile: everything that a kernel and its modules export.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use spec::{Arch, Diagnose, KernelRelease, ModuleName, Outcome};

use crate::{Crc, Export, SymbolName};

/// The version of the text form that is written and read.
const FORMAT: &str = "1";

/// What modpost writes for the kernel itself (scripts/mod/modpost.c).
const VMLINUX: &str = "vmlinux";

/// The exports of a kernel, by symbol.
///
/// The text form, `kabi.db`, has three lines of header (`tenon-kabi 1`, `release R`, `arch A`) and then a line per
/// export as in Module.symvers, sorted by symbol: `CRC TAB symbol TAB module TAB EXPORT_SYMBOL[_GPL] TAB namespace`,
/// where the module is its name, or `vmlinux`, and the namespace may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    release: KernelRelease,
    arch: Arch,
    exports: BTreeMap<SymbolName, KernelExport>,
}

/// An export of the kernel or of one of its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelExport {
    /// How it is exported.
    pub export: Export,
    /// Who exports it.
    pub owner: Owner,
}

/// Who exports a symbol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The kernel image: always there.
    Kernel,
    /// A module: there if the base or an extension ships it.
    Module(ModuleName),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Kernel => f.write_str(VMLINUX),
            Owner::Module(name) => name.fmt(f),
        }
    }
}

/// The text is not a Module.symvers or not a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {complaint}")]
pub struct ProfileError {
    file: &'static str,
    line: usize,
    complaint: String,
}

impl Diagnose for ProfileError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

impl Profile {
    /// The profile of a kernel from the Module.symvers of its build.
    pub fn from_symvers(text: &str, release: KernelRelease, arch: Arch) -> Result<Profile, ProfileError> {
        let exports = read_exports("Module.symvers", 1, text)?;
        Ok(Profile { release, arch, exports })
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Profile, ProfileError> {
        let file = "kernel profile";
        let wrong = |line, complaint| ProfileError { file, line, complaint };
        let mut lines = text.splitn(4, '\n');
        let mut header = |line, key: &str| {
            let value = lines.next().and_then(|text| text.strip_prefix(key));
            value.ok_or_else(|| wrong(line, format!("the line does not start with {key:?}")))
        };
        let format = header(1, "tenon-kabi ")?;
        if format != FORMAT {
            return Err(wrong(1, format!("the profile has format {format:?}; expected {FORMAT}")));
        }
        let release = header(2, "release ")?.parse();
        let release = release.map_err(|error: spec::kernel::ReleaseError| wrong(2, error.to_string()))?;
        let arch = header(3, "arch ")?.parse();
        let arch = arch.map_err(|error: spec::arch::ArchError| wrong(3, error.to_string()))?;
        let exports = read_exports(file, 4, lines.next().unwrap_or_default())?;
        Ok(Profile { release, arch, exports })
    }

    /// The text form: the same bytes for the same exports.
    pub fn to_text(&self) -> String {
        let header = format!("tenon-kabi {FORMAT}\nrelease {}\narch {}\n", self.release, self.arch);
        self.exports.iter().fold(header, |text, (symbol, known)| text + &export_line(symbol, known))
    }

    /// The kernel, as `uname -r` says.
    pub fn release(&self) -> &KernelRelease {
        &self.release
    }

    /// Its architecture.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The export of a symbol.
    pub fn get(&self, symbol: &SymbolName) -> Option<&KernelExport> {
        self.exports.get(symbol)
    }

    /// Who exports a symbol.
    pub fn owner(&self, symbol: &SymbolName) -> Option<&Owner> {
        self.get(symbol).map(|known| &known.owner)
    }

    /// All exports, sorted by symbol.
    pub fn exports(&self) -> impl Iterator<Item = (&SymbolName, &KernelExport)> {
        self.exports.iter()
    }

    /// The profile of a base that ships only these of the kernel's modules.
    pub fn restricted_to(&self, modules: &BTreeSet<ModuleName>) -> Profile {
        let is_there = |owner: &Owner| match owner {
            Owner::Kernel => true,
            Owner::Module(name) => modules.contains(name),
        };
        let exports = self.exports.iter().filter(|(_, known)| is_there(&known.owner));
        let exports = exports.map(|(symbol, known)| (symbol.clone(), known.clone())).collect();
        Profile { release: self.release.clone(), arch: self.arch, exports }
    }
}

/// A symbol that is there twice is refused: the kernel would refuse the second exporter, too.
fn read_exports(
    file: &'static str,
    first_line: usize,
    text: &str,
) -> Result<BTreeMap<SymbolName, KernelExport>, ProfileError> {
    let mut exports = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = |complaint| ProfileError { file, line: first_line + index, complaint };
        let (symbol, known) = read_line(line).map_err(wrong)?;
        if exports.contains_key(&symbol) {
            return Err(wrong(format!("symbol {symbol} is there twice")));
        }
        exports.insert(symbol, known);
    }
    Ok(exports)
}

fn read_line(line: &str) -> Result<(SymbolName, KernelExport), String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let (crc, symbol, module, kind, namespace) = match fields[..] {
        [crc, symbol, module, kind] => (crc, symbol, module, kind, ""),
        [crc, symbol, module, kind, namespace] => (crc, symbol, module, kind, namespace),
        _ => return Err(format!("expected 4 or 5 fields separated by tabs, found {}", fields.len())),
    };
    // Some older kernels have the namespace as the third field, so that the fourth is a path.
    let gpl = match kind {
        "EXPORT_SYMBOL" => false,
        "EXPORT_SYMBOL_GPL" => true,
        _ => {
            return Err(format!("the fourth field is {kind:?}; expected EXPORT_SYMBOL or EXPORT_SYMBOL_GPL"));
        }
    };
    let crc = Crc::parse_field(crc).map_err(|error| error.to_string())?;
    let namespace = match namespace {
        "" => None,
        name => Some(name.parse().map_err(|error: crate::TextError| error.to_string())?),
    };
    let symbol: SymbolName = symbol.parse().map_err(|error: crate::TextError| error.to_string())?;
    Ok((symbol, KernelExport { export: Export { crc, gpl, namespace }, owner: read_owner(module)? }))
}

/// Module.symvers has the path of the module in the build, without an ending: `net/ipv4/udp_tunnel`.
fn read_owner(module: &str) -> Result<Owner, String> {
    match module.rsplit('/').next() {
        Some(VMLINUX) => Ok(Owner::Kernel),
        name => {
            let name = name.unwrap_or_default().parse();
            name.map(Owner::Module).map_err(|error: spec::kernel::ModuleNameError| error.to_string())
        }
    }
}

fn export_line(symbol: &SymbolName, known: &KernelExport) -> String {
    let KernelExport { export: Export { crc, gpl, namespace }, owner } = known;
    let kind = if *gpl { "EXPORT_SYMBOL_GPL" } else { "EXPORT_SYMBOL" };
    let namespace = namespace.as_ref().map_or("", |name| name.as_str());
    format!("{}\t{symbol}\t{owner}\t{kind}\t{namespace}\n", Crc::field(*crc))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{profile, symbol};

    const SYMVERS: &str = "0x7140de40\tinit_uts_ns\tvmlinux\tEXPORT_SYMBOL_GPL\t\n\
        0x0e2a6f1c\tudp_tunnel_xmit_skb\tnet/ipv4/udp-tunnel\tEXPORT_SYMBOL_GPL\t\n\
        0x00000000\tplain\tdrivers/a\tEXPORT_SYMBOL\n\
        0x84b45156\tinsert_resource_expand_to_fit\tvmlinux\tEXPORT_SYMBOL_GPL\tCXL\n";

    #[test]
    fn symvers_gives_crc_owner_kind_and_namespace() {
        let profile = profile(SYMVERS);
        let owner = |name| profile.owner(&symbol(name)).map(Owner::to_string);
        assert_eq!(owner("init_uts_ns").as_deref(), Some("vmlinux"));
        assert_eq!(owner("udp_tunnel_xmit_skb").as_deref(), Some("udp_tunnel"));
        assert_eq!(owner("nothing"), None);
        let plain = &profile.get(&symbol("plain")).unwrap().export;
        assert_eq!((plain.crc, plain.gpl, &plain.namespace), (None, false, &None));
        let cxl = &profile.get(&symbol("insert_resource_expand_to_fit")).unwrap().export;
        assert_eq!(cxl.crc.unwrap().to_string(), "0x84b45156");
        assert_eq!(cxl.namespace.as_ref().unwrap().as_str(), "CXL");
    }

    #[test]
    fn the_text_form_is_sorted_and_reads_back() {
        let profile = profile(SYMVERS);
        let text = profile.to_text();
        let start = "tenon-kabi 1\nrelease 6.1.0-test\narch amd64\n0x7140de40\tinit_uts_ns\tvmlinux\t";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(Profile::parse(&text), Ok(profile));
    }

    #[test]
    fn a_restricted_profile_keeps_the_kernels_own_exports() {
        let only = profile(SYMVERS).restricted_to(&BTreeSet::from(["udp_tunnel".parse().unwrap()]));
        let left: Vec<_> = only.exports().map(|(symbol, _)| symbol.as_str()).collect();
        assert_eq!(left, ["init_uts_ns", "insert_resource_expand_to_fit", "udp_tunnel_xmit_skb"]);
    }

    #[test]
    fn errors_name_the_line() {
        let broken = |line: &str| {
            let text = format!("{SYMVERS}{line}\n");
            Profile::from_symvers(&text, "6.1.0-test".parse().unwrap(), Arch::Amd64).unwrap_err().to_string()
        };
        for (line, part) in [
            ("", "fields"),
            ("0x1\ta\tvmlinux\tEXPORT_SYMBOL\t", "0x1"),
            ("0x00000001\ta b\tvmlinux\tEXPORT_SYMBOL\t", "a b"),
            ("0x00000001\ta\t\tvmlinux\tEXPORT_SYMBOL", "fourth field"),
            ("0x00000001\ta\tx/\tEXPORT_SYMBOL\t", "not a module name"),
            ("0x00000001\tplain\tvmlinux\tEXPORT_SYMBOL\t", "plain is there twice"),
        ] {
            let error = broken(line);
            assert!(error.starts_with("Module.symvers, line 5: ") && error.contains(part), "{error}");
        }
        let text = profile(SYMVERS).to_text();
        for (from, to, line) in [
            ("tenon-kabi 1\n", "tenon-kabi 12\n", 1),
            ("release 6", "release /", 2),
            ("arch amd64", "arch vax", 3),
            ("0x7140de40", "7140de40", 4),
        ] {
            let error = Profile::parse(&text.replace(from, to)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("kernel profile, line {line}: ")), "{error}");
        }
        assert!(Profile::parse("").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(
            text in r"(tenon-kabi 1\n)?(release 6\n)?(arch amd64\n)?(0x[0-9a-f]{8}|\PC|\t|vmlinux|EXPORT_SYMBOL|\n){0,40}",
        ) {
            let _ = Profile::from_symvers(&text, crate::testing::release(), Arch::Amd64);
            if let Ok(profile) = Profile::parse(&text) {
                prop_assert_eq!(Profile::parse(&profile.to_text()), Ok(profile));
            }
        }
    }
}
