//! What the kernel command line says to modules, `MODULE.PARAMETER=VALUE`. The kernel reads that for what is built in; for
//! modules it is the loader's business (modprobe(8), "kernel command line").

use std::fs;

use spec::ModuleName;

use crate::cmdline;

/// The words of a command line that may be for modules.
#[derive(Debug, Default)]
pub(crate) struct ModuleParameters(Vec<(String, String)>);

impl ModuleParameters {
    /// Those that this machine was started with.
    pub(crate) fn running() -> ModuleParameters {
        ModuleParameters::parse(&fs::read_to_string("/proc/cmdline").unwrap_or_default())
    }

    /// Reads the text of `/proc/cmdline`.
    pub(crate) fn parse(text: &str) -> ModuleParameters {
        let for_module = |word: String| {
            let (module, parameter) = word.split_once('.')?;
            // A dot behind the first equals sign is part of a value.
            (!module.contains('=')).then(|| (kernels(module), quoted(parameter)))
        };
        ModuleParameters(cmdline::words(text).into_iter().filter_map(for_module).collect())
    }

    /// `own`, then what the command line says to `module`: the kernel goes by the last of equal parameters.
    pub(crate) fn after(&self, own: &str, module: &ModuleName) -> String {
        let module = kernels(module.as_str());
        let said = self.0.iter().filter(|(name, _)| *name == module).map(|(_, parameter)| parameter.as_str());
        let own = Some(own).filter(|own| !own.is_empty());
        own.into_iter().chain(said).collect::<Vec<_>>().join(" ")
    }
}

/// A name as the kernel has it (kernel/params.c, `dash2underscore`).
fn kernels(name: &str) -> String {
    name.replace('-', "_")
}

/// A parameter as the kernel reads it again: it splits at blanks that are not between quotes (lib/cmdline.c, `next_arg`).
fn quoted(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, value)) if value.contains(char::is_whitespace) => format!("{name}=\"{value}\""),
        _ => parameter.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_gets_its_own_words_after_those_of_its_extension() {
        let line = "quiet dm_verity.require_signatures=1 root=a.b dm-verity.x usb.y=\"a b\" -- usb.z\n";
        let parameters = ModuleParameters::parse(line);
        let after = |own, module: &str| parameters.after(own, &module.parse().unwrap());
        assert_eq!(after("", "dm-verity"), "require_signatures=1 x");
        assert_eq!(after("x=2", "dm_verity"), "x=2 require_signatures=1 x");
        assert_eq!(after("", "usb"), "y=\"a b\"");
        assert_eq!(after("x=2", "root"), "x=2");
    }
}
