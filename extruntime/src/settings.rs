//! Settings of the kernel that extensions bring, and what the kernel says to them.
//!
//! An init that reads sysctl.d itself applies the same files after us, those of the base among them, and so it has the last
//! word; one that does not would leave them without effect.

use std::fs;
use std::io::Read;
use std::path::Path;

use grants::{SettingKey, settings};
use spec::listing::Kind;
use spec::status::SettingStatus;
use spec::{ExtensionName, TreePath};

use crate::admit::Admitted;
use crate::layer::Layer;

/// Where the kernel has its settings.
pub(crate) const KERNEL: &str = "/proc/sys";
/// The directories of extensions from which settings are taken (sysctl.d(5)).
const DIRECTORIES: [&str; 2] = ["/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d"];

/// A file with settings that an extension may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingsFile {
    extension: ExtensionName,
    path: TreePath,
    text: String,
}

/// What became of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) extension: ExtensionName,
    pub(crate) status: SettingStatus,
}

/// The files of all extensions, by their names as sysctl.d(5) has it. Their content was held against what is granted when
/// they were admitted, and comes from the same mounted bytes.
pub(crate) fn files(admitted: &[&Admitted<Layer>]) -> Vec<SettingsFile> {
    let of_one = |admitted: &&Admitted<Layer>| {
        let paths = admitted.listing().iter().filter(|(path, kind)| *kind == Kind::Leaf && is_read(path));
        let read = |path: &TreePath| {
            let text = read(admitted.layer(), path)?;
            Some(SettingsFile { extension: admitted.name().clone(), path: path.clone(), text })
        };
        paths.filter_map(|(path, _)| read(path)).collect::<Vec<_>>()
    };
    let mut files: Vec<SettingsFile> = admitted.iter().flat_map(of_one).collect();
    files.sort_by(|one, other| one.path.file_name().cmp(&other.path.file_name()));
    files
}

fn is_read(path: &TreePath) -> bool {
    let is_in = path.parent().is_some_and(|parent| DIRECTORIES.contains(&parent.as_str()));
    is_in && path.file_name().is_some_and(|name| name.ends_with(".conf"))
}

/// What cannot be read was no text when grants were looked for, or is a link that leads nowhere: it sets nothing.
fn read(layer: &Layer, path: &TreePath) -> Option<String> {
    let mut text = String::new();
    layer.open_file(path).ok()?.take(grants::FILE_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Makes the settings, in order. One that the kernel does not take is told of, and those after it are made.
pub(crate) fn apply(files: &[SettingsFile], kernel: &Path) -> Vec<Answer> {
    let mut answers = Vec::new();
    for SettingsFile { extension, text, .. } in files {
        for setting in settings(text) {
            let Some((key, value)) = setting.key.parse::<SettingKey>().ok().zip(setting.value) else {
                continue;
            };
            let error = fs::write(kernel.join(key.path()), format!("{value}\n")).err();
            if error.is_some() && setting.may_fail {
                continue;
            }
            let status = SettingStatus {
                key: key.to_string(),
                value: value.to_owned(),
                error: error.map(|error| error.to_string()),
            };
            answers.push(Answer { extension: extension.clone(), status });
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SettingsFile {
        let (extension, path) = ("test".parse().unwrap(), path.parse().unwrap());
        SettingsFile { extension, path, text: text.into() }
    }

    #[test]
    fn settings_are_made_and_the_answer_is_kept() {
        let kernel = tempfile::tempdir().unwrap();
        fs::create_dir_all(kernel.path().join("net/core")).unwrap();
        let files = [
            file("/usr/lib/sysctl.d/a.conf", "net.core.bpf_jit_harden = 1\nno.such.key=2\n-no.such.key=3\n"),
            file("/usr/lib/sysctl.d/b.conf", "# later\nnet/core/bpf_jit_harden=2\n-net.core.x\n"),
        ];
        let said: Vec<String> = apply(&files, kernel.path())
            .into_iter()
            .map(|answer| {
                format!("{}={} {}", answer.status.key, answer.status.value, answer.status.error.is_some())
            })
            .collect();
        let expected =
            ["net.core.bpf_jit_harden=1 false", "no.such.key=2 true", "net.core.bpf_jit_harden=2 false"];
        assert_eq!(said, expected);
        assert_eq!(fs::read_to_string(kernel.path().join("net/core/bpf_jit_harden")).unwrap(), "2\n");
        assert!(!kernel.path().join("no").exists());
    }

    #[test]
    fn only_files_are_read_that_an_init_would_read() {
        let is_read = |path: &str| is_read(&path.parse().unwrap());
        assert!(is_read("/usr/lib/sysctl.d/x.conf") && is_read("/usr/local/lib/sysctl.d/x.conf"));
        assert!(!is_read("/usr/lib/sysctl.d/x") && !is_read("/usr/lib/sysctl.d/a/x.conf"));
        assert!(!is_read("/usr/share/sysctl.d/x.conf"));
    }
}
