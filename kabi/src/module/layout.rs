//! `struct module` as the module was built with it: a kernel that lays it out otherwise reads and writes past its fields.

use object::LittleEndian as LE;
use serde::{Deserialize, Serialize};

use super::problem::ModuleProblem;
use crate::elf::{Elf, SymbolTable};

/// The section that holds it. Without it the loader says "No module found in object" (kernel/module/main.c).
const SECTION: &str = ".gnu.linkonce.this_module";

/// What can be seen of the layout of `struct module` (linux/module.h) in a module file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StructLayout {
    /// Its size in bytes.
    pub size: u32,
    /// Where in it the address of the function is that starts the module; none if there is no such function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<u32>,
    /// The same for the function that ends it; none in modules that stay until the machine stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u32>,
}

impl StructLayout {
    pub(super) fn read(elf: &Elf<'_>, table: &SymbolTable<'_>) -> Result<StructLayout, ModuleProblem> {
        let (number, data) = elf.section(SECTION)?.ok_or(ModuleProblem::SectionMissing(SECTION))?;
        let mut layout = StructLayout { size: narrow(data.len() as u64)?, init: None, exit: None };
        for relocation in elf.relocations(number, SECTION)? {
            // The names that module_init() and module_exit() give to any function (linux/module.h).
            let field = match table.name_of(relocation.r_sym(LE, false)) {
                Some(b"init_module") => &mut layout.init,
                Some(b"cleanup_module") => &mut layout.exit,
                _ => continue,
            };
            *field = Some(narrow(relocation.r_offset.get(LE))?);
        }
        Ok(layout)
    }
}

fn narrow(bytes: u64) -> Result<u32, ModuleProblem> {
    u32::try_from(bytes).map_err(|_| ModuleProblem::Text {
        place: format!("section {SECTION}"),
        complaint: format!("{bytes:#x} lies outside any struct module"),
    })
}
