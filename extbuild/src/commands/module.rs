//! `extbuild module`

use std::path::{Path, PathBuf};

use kabi::compress::MAX_BYTES;
use kabi::{Btf, InfoEntry, Module, ModuleProblem};
use serde_json::json;
use spec::path::PathError;
use spec::{Diagnose, Outcome, TreePath};
use terminal::{Failure, Place, Table};

use crate::cli::ModuleArgs;

pub(crate) fn run(args: ModuleArgs) -> Result<(), Failure> {
    let ModuleArgs { file, imports, exports, json } = args;
    let bytes = terminal::read_regular(&file, MAX_BYTES as u64).map_err(Place::cannot("read", &file))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = kabi::decompress(&name, bytes)?;
    let unsound = |problem| Unsound { file: file.clone(), problem };
    let module = Module::parse(&place(&file, &name)?, &bytes).map_err(|error| unsound(error.problem))?;
    let info = Module::info(&bytes).map_err(unsound)?;
    if json {
        let info: Vec<_> = info.iter().map(|InfoEntry { key, value }| json!([key, value])).collect();
        return Ok(terminal::json(&json!({ "module": module, "info": info }))?);
    }
    match (imports, exports) {
        (false, false) => facts(&module, &info).print()?,
        _ => {
            let mut table = Table::new(&["symbol", "", "crc", "namespace"]);
            if imports {
                add_imports(&mut table, &module);
            }
            if exports {
                add_exports(&mut table, &module);
            }
            table.print()?;
        }
    }
    Ok(())
}

/// Where the module would be in an image whose root has it: its own name is all that counts here.
fn place(file: &Path, name: &str) -> Result<TreePath, NoName> {
    format!("/{name}").parse().map_err(|source| NoName { file: file.to_owned(), source })
}

/// What the kernel and modprobe ask of it first, then the rest in its own words.
fn facts(module: &Module, info: &[InfoEntry]) -> Table {
    let mut table = Table::new(&[]);
    let mut fact = |name: &str, value: String| table.row([name.to_owned(), value]);
    fact("module", module.name.to_string());
    fact("architecture", module.arch.to_string());
    if let Some(layout) = module.layout {
        let offset = |offset: Option<u32>| offset.map_or("none".to_owned(), |offset| offset.to_string());
        let (init, exit) = (offset(layout.init), offset(layout.exit));
        fact("struct module", format!("{} bytes, init at {init}, exit at {exit}", layout.size));
    }
    fact("versions of symbols", if module.versioned { "yes" } else { "no" }.to_owned());
    fact(
        "type information",
        match module.btf {
            None => "none",
            Some(Btf::Split) => "for one build of the kernel",
            Some(Btf::Relocatable) => "for any kernel",
        }
        .to_owned(),
    );
    fact("imports", module.imports.len().to_string());
    fact("exports", module.exports.len().to_string());
    fact(
        "signature",
        match &module.signature {
            None => "none".to_owned(),
            Some(signature) => {
                let signer = signature.signer.as_ref().map_or("", |signer| signer.as_str());
                format!("{signer}, key {}, {}", signature.key, signature.hash)
            }
        },
    );
    for InfoEntry { key, value } in info {
        fact(key, value.clone());
    }
    table
}

fn add_imports(table: &mut Table, module: &Module) {
    for (symbol, import) in &module.imports {
        let how = if import.weak { "imports, if it is there" } else { "imports" };
        let crc = import.crc.map(|crc| crc.to_string()).unwrap_or_default();
        table.row([symbol.as_str(), how, &crc, ""]);
    }
}

fn add_exports(table: &mut Table, module: &Module) {
    for (symbol, export) in &module.exports {
        let how = if export.gpl { "exports, GPL only" } else { "exports" };
        let crc = export.crc.map(|crc| crc.to_string()).unwrap_or_default();
        let namespace = export.namespace.as_ref().map_or("", |namespace| namespace.as_str());
        table.row([symbol.as_str(), how, &crc, namespace]);
    }
}

/// The name of the file is none that a module in an image has.
#[derive(Debug, thiserror::Error)]
#[error("{} has a name that no module has", file.display())]
struct NoName {
    file: PathBuf,
    source: PathError,
}

impl Diagnose for NoName {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// The file is not a module that can be judged.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
struct Unsound {
    file: PathBuf,
    problem: ModuleProblem,
}

impl Diagnose for Unsound {
    fn outcome(&self) -> Outcome {
        self.problem.outcome()
    }

    fn hint(&self) -> Option<String> {
        self.problem.hint()
    }
}
