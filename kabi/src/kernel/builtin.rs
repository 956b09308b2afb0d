//! modules.builtin: what could be a module and is a part of the kernel image (Documentation/kbuild/kbuild.rst).

use std::collections::BTreeSet;

use spec::{Diagnose, ModuleName, Outcome};

/// The text is not a modules.builtin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text:?} is not the path of a module")]
pub struct BuiltinError {
    line: usize,
    text: String,
}

impl Diagnose for BuiltinError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

/// Reads a modules.builtin: the path that each would have as a module, one a line.
pub fn read_builtins(text: &str) -> Result<BTreeSet<ModuleName>, BuiltinError> {
    let name = |(index, line): (usize, &str)| {
        let file = line.rsplit('/').next().unwrap_or(line);
        let wrong = || BuiltinError { line: index + 1, text: line.chars().take(80).collect() };
        ModuleName::from_file_name(file).ok_or_else(wrong)
    };
    text.lines().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_module() {
        let found =
            read_builtins("kernel/fs/binfmt_script.ko\nkernel/arch/x86/crypto/libblake2s-x86_64.ko\n");
        let names: Vec<String> = found.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["binfmt_script", "libblake2s_x86_64"]);
        let error = read_builtins("kernel/a.ko\nall: b\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2: \"all: b\" is not the path of a module");
    }
}
