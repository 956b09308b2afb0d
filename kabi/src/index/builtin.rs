//! What the kernel itself has built in, from two files of the base that its build writes.

use spec::ModuleName;

use super::IndexError;
use super::trie::{Entry, pattern};
use crate::read_builtins;

/// The names in `modules.builtin`.
pub(super) fn names(list: &str) -> Result<Vec<Entry<'static>>, IndexError> {
    let names = read_builtins(list).map_err(IndexError::Builtin)?;
    Ok(names.into_iter().map(|name| Entry::new(name.to_string(), 0, "")).collect())
}

/// The aliases in `modules.builtin.modinfo`, which has strings with a NUL behind each: `ext4.alias=fs-ext4`.
pub(super) fn aliases(modinfo: &[u8]) -> Result<Vec<Entry<'_>>, IndexError> {
    let mut aliases = Vec::new();
    for (index, entry) in modinfo.split(|byte| *byte == 0).enumerate() {
        let wrong = |wanted| {
            let found = entry[..entry.len().min(80)].escape_ascii().to_string();
            IndexError::BuiltinInfo { entry: index + 1, found, wanted }
        };
        if entry.is_empty() {
            continue;
        }
        let dot = entry.iter().position(|byte| *byte == b'.').ok_or_else(|| wrong("MODULE.KEY=VALUE"))?;
        let (module, rest) = entry.split_at(dot);
        if let Some(alias) = rest.strip_prefix(b".alias=") {
            let module = str::from_utf8(module).ok().filter(|name| name.parse::<ModuleName>().is_ok());
            let module = module.ok_or_else(|| wrong("of a module"))?;
            let alias = str::from_utf8(alias).ok().filter(|alias| is_printable(alias));
            let alias = alias.ok_or_else(|| wrong("an alias in printable ASCII"))?;
            aliases.extend(pattern(alias).map(|pattern| Entry::new(pattern, 0, module)));
        }
    }
    Ok(aliases)
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
