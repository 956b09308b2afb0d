//! Module.symvers, the list of exports that the build of a kernel leaves (scripts/mod/modpost.c, write_dump).

use spec::{Diagnose, ModuleName, Outcome};

use super::exports::{Exports, ExportsError, VMLINUX};
use super::{KernelExport, Owner};
use crate::{Crc, Export, InfoText, SymbolName, TextError};

/// The text is not a Module.symvers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Module.symvers, line {line}: {complaint}")]
pub struct SymversError {
    line: usize,
    complaint: String,
}

impl Diagnose for SymversError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

impl Exports {
    /// Reads a Module.symvers: one line an export.
    pub fn from_symvers(text: &str) -> Result<Exports, SymversError> {
        let mut exports = Exports::default();
        for (index, line) in text.lines().enumerate() {
            let wrong = |complaint| SymversError { line: index + 1, complaint };
            let (symbol, known, directory) = read_line(line).map_err(wrong)?;
            let added = exports.add(symbol, known, directory.as_ref());
            added.map_err(|error: ExportsError| wrong(error.to_string()))?;
        }
        Ok(exports)
    }
}

fn read_line(line: &str) -> Result<(SymbolName, KernelExport, Option<InfoText>), String> {
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
    let said = |error: TextError| error.to_string();
    let crc = Crc::parse_field(crc).map_err(|error| error.to_string())?;
    let namespace = match namespace {
        "" => None,
        name => Some(name.parse().map_err(said)?),
    };
    let symbol: SymbolName = symbol.parse().map_err(said)?;
    let (owner, directory) = read_owner(module)?;
    let directory = directory.map(str::parse).transpose().map_err(said)?;
    Ok((symbol, KernelExport { export: Export { crc, gpl, namespace }, owner }, directory))
}

/// The third field is the path of the module in the build, without an ending: `net/ipv4/udp_tunnel`.
fn read_owner(module: &str) -> Result<(Owner, Option<&str>), String> {
    let (directory, name) = match module.rsplit_once('/') {
        Some((directory, name)) => (Some(directory), name),
        None => (None, module),
    };
    if name == VMLINUX {
        return Ok((Owner::Kernel, None));
    }
    let name: ModuleName = name.parse().map_err(|error: spec::kernel::ModuleNameError| error.to_string())?;
    Ok((Owner::Module(name), directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::symbol;

    const SYMVERS: &str = "0x7140de40\tinit_uts_ns\tvmlinux\tEXPORT_SYMBOL_GPL\t\n\
        0x0e2a6f1c\tudp_tunnel_xmit_skb\tnet/ipv4/udp-tunnel\tEXPORT_SYMBOL_GPL\t\n\
        0x00000000\tplain\tdrivers/a\tEXPORT_SYMBOL\n\
        0x84b45156\tinsert_resource_expand_to_fit\tvmlinux\tEXPORT_SYMBOL_GPL\tCXL\n";

    #[test]
    fn every_field_is_read() {
        let exports = Exports::from_symvers(SYMVERS).unwrap();
        let owner = |name| exports.by_symbol[&symbol(name)].owner.to_string();
        assert_eq!(owner("init_uts_ns"), "vmlinux");
        assert_eq!(owner("udp_tunnel_xmit_skb"), "udp_tunnel");
        let directory = exports.owners[&"udp_tunnel".parse().unwrap()].as_ref();
        assert_eq!(directory.unwrap().as_str(), "net/ipv4");
        let plain = &exports.by_symbol[&symbol("plain")].export;
        assert_eq!((plain.crc, plain.gpl, &plain.namespace), (None, false, &None));
        let cxl = &exports.by_symbol[&symbol("insert_resource_expand_to_fit")].export;
        assert_eq!(cxl.crc.unwrap().to_string(), "0x84b45156");
        assert_eq!(cxl.namespace.as_ref().unwrap().as_str(), "CXL");
    }

    #[test]
    fn errors_name_the_line() {
        for (line, part) in [
            ("", "fields"),
            ("0x1\ta\tvmlinux\tEXPORT_SYMBOL\t", "0x1"),
            ("0x00000001\ta b\tvmlinux\tEXPORT_SYMBOL\t", "a b"),
            ("0x00000001\ta\t\tvmlinux\tEXPORT_SYMBOL", "fourth field"),
            ("0x00000001\ta\tx/\tEXPORT_SYMBOL\t", "not a module name"),
            ("0x00000001\tplain\tvmlinux\tEXPORT_SYMBOL\t", "plain is exported by a and by vmlinux"),
            ("0x00000001\tb\tnet/a\tEXPORT_SYMBOL\t", "the same name: drivers/a and net/a"),
        ] {
            let error = Exports::from_symvers(&format!("{SYMVERS}{line}\n")).unwrap_err().to_string();
            assert!(error.starts_with("Module.symvers, line 5: ") && error.contains(part), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(
            text in r"(0x[0-9a-f]{8}|\PC|\t|vmlinux|EXPORT_SYMBOL|\n){0,40}",
        ) {
            let _ = Exports::from_symvers(&text);
        }
    }
}
