//! Which base a generation was verified for.

use std::fmt;

use serde::{Deserialize, Serialize};
use spec::{BuildId, Digest, ExtensionName, KernelRelease, Version};

/// A base as far as generations are bound to it: by what extensions are held against, and not by what it is called. So a
/// system knows itself by what is in its root, and an update that changes nothing of that keeps its sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BaseIdentity {
    /// What the base is called, for people.
    pub name: ExtensionName,
    /// Its version, for people.
    pub version: Version,
    /// Its kernel.
    pub kernel: KernelRelease,
    /// Which build of that kernel, where the kernel says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<BuildId>,
    /// Digest of its facts: its paths and its modules.
    pub facts: Digest,
}

impl BaseIdentity {
    /// What `self`, for which something was made, has otherwise than `running`; nothing where they are the same.
    pub fn difference(&self, running: &BaseIdentity) -> Option<String> {
        let BaseIdentity { name, version, kernel, build_id, facts } = self;
        let is_for = |wanted: &dyn fmt::Display, found: &dyn fmt::Display| {
            Some(format!("it is for {wanted}, and the base has {found}"))
        };
        let build = |id: &Option<BuildId>| id.as_ref().map_or("no build id".to_owned(), BuildId::to_string);
        if *kernel != running.kernel {
            is_for(&format!("kernel {kernel}"), &running.kernel)
        } else if *build_id != running.build_id {
            is_for(&format!("the build {} of kernel {kernel}", build(build_id)), &build(&running.build_id))
        } else if *facts != running.facts {
            let found = format!("{} {}", running.name, running.version);
            Some(format!("it is for {name} {version}, and the base {found} has other paths or modules"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_what_extensions_are_held_against() {
        let base = BaseIdentity {
            name: "debian".parse().unwrap(),
            version: "12.0.0".parse().unwrap(),
            kernel: "6.1.0-56-cloud-amd64".parse().unwrap(),
            build_id: Some("7f76f39f".parse().unwrap()),
            facts: Digest::of(b"facts"),
        };
        assert_eq!(base.difference(&base), None);
        let others = [
            BaseIdentity { kernel: "6.12.1".parse().unwrap(), ..base.clone() },
            BaseIdentity { build_id: None, ..base.clone() },
            BaseIdentity { build_id: Some("00".parse().unwrap()), ..base.clone() },
            BaseIdentity { facts: Digest::of(b"another"), ..base.clone() },
        ];
        for other in &others {
            assert!(base.difference(other).is_some(), "{other:?}");
        }
        let renamed = BaseIdentity { version: "12.1.0".parse().unwrap(), ..base.clone() };
        assert_eq!(base.difference(&renamed), None);
        let changed = BaseIdentity { facts: Digest::of(b"another"), ..renamed };
        assert_eq!(
            base.difference(&changed).as_deref(),
            Some("it is for debian 12.0.0, and the base debian 12.1.0 has other paths or modules")
        );
    }
}
