//! `extension.yaml` and `base.yaml`: what goes into an image, as its author writes it.
//!
//! A manifest names no kernel and no architecture: templates such as `${kernel.release}` are filled in per build.

mod error;
#[cfg(test)]
mod tests;
mod written;

use std::collections::BTreeMap;

use crate::artifact::Requirement;
use crate::template::Template;
use crate::{Arch, Digest, ExtensionName, Grant, Load, ModuleName, Probe, TreePath, Version, yaml};

pub use error::ManifestError;
use written::{BaseFragment, ExtensionFragment, check_header, declared, payload, template};

/// An extension, before it is bound to a kernel and an architecture.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file it came from, for errors.
    pub file: String,
    /// What the extension is called.
    pub name: ExtensionName,
    /// Its version.
    pub version: Version,
    /// Upstream's version of what it carries.
    pub upstream: Option<Template>,
    /// One line for people.
    pub description: String,
    /// SPDX licence expression.
    pub license: Option<String>,
    /// Architectures that it can be built for; empty means all.
    pub architectures: Vec<Arch>,
    /// Extensions that must be there too.
    pub requires: Vec<Requirement>,
    /// Where files come from and where they go.
    pub payload: Payload,
    /// Kernel modules to ship, with all that they need and the base lacks.
    pub modules: Vec<ModuleName>,
    /// Modules to load at boot, in order.
    pub load: Vec<Load>,
    /// What shows that it works.
    pub probes: Vec<Probe>,
    /// Modules that may be loaded by force: they do not say what kernel they were built for.
    pub force: Vec<ModuleName>,
    /// The upstream release that it is a part of.
    pub group: Option<Group>,
    /// What it carries that can run or steer something, each once.
    pub grants: Vec<Declared>,
    /// Security generations by component.
    pub generations: BTreeMap<ExtensionName, u64>,
}

/// A grant as its author declares it.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The grant.
    pub grant: Grant,
    /// Line and column in the manifest, for errors.
    pub place: String,
}

/// A release that comes in parts which work only together.
#[derive(Debug, Clone)]
pub struct Group {
    /// What the parts are parts of.
    pub name: ExtensionName,
    /// The exact version, in upstream's words.
    pub version: Template,
}

/// A base OS, before it is bound to a kernel and an architecture.
#[derive(Debug, Clone)]
pub struct BaseManifest {
    /// The file it came from, for errors.
    pub file: String,
    /// What the base is called.
    pub name: ExtensionName,
    /// Its version.
    pub version: Version,
    /// Where files come from and where they go.
    pub payload: Payload,
    /// Modules of the root file system, besides those for boot.
    pub modules: Vec<ModuleName>,
    /// Modules that the initramfs loads to find the root file system.
    pub boot_modules: Vec<ModuleName>,
    /// Empty directories to make, for mounts.
    pub directories: Vec<TreePath>,
}

/// Where files come from and where they go.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    /// The sources by name.
    pub sources: BTreeMap<String, Source>,
    /// What is taken from them.
    pub contents: Vec<Content>,
}

/// Something that files can be taken from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its kind, and the file or directory.
    pub origin: Origin,
    /// Line and column in the manifest, for errors.
    pub place: String,
}

/// The kinds of sources. Files are pinned by digest; a directory is the author's own and lies beside the manifest.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A directory, relative to the manifest.
    Dir(Template),
    /// One file.
    File(Pinned),
    /// A tar archive, plain or compressed.
    Tar(Pinned),
    /// A Debian package.
    Deb(Pinned),
    /// An image in an OCI layout: the directory, and the digest of the image's manifest.
    Oci(Pinned),
}

/// Something whose bytes are known beforehand.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The name of the file or layout, looked for beside the manifest and in the source directories.
    pub file: Template,
    /// Its digest.
    pub digest: Digest,
}

/// One thing that is taken from a source.
#[derive(Debug, Clone)]
pub struct Content {
    /// The source.
    pub from: String,
    /// The file or directory inside it; the root for a source of one file.
    pub path: Template,
    /// Where it goes in the image.
    pub to: Template,
    /// Its regular files are programs, whatever their source says: they get mode 0755. A source of one file, such as a
    /// download, has no mode of its own and gives a file of mode 0644 otherwise.
    pub executable: bool,
    /// Line and column in the manifest, for errors.
    pub place: String,
}

impl Manifest {
    /// Reads an `extension.yaml`. `file` names the text in errors.
    pub fn parse(text: &str, file: &str) -> Result<Manifest, ManifestError> {
        let fragment: ExtensionFragment = yaml::parse(text, file)?;
        let ExtensionFragment {
            api_version,
            kind,
            name,
            version,
            upstream,
            description,
            license,
            architectures,
            requires,
            sources,
            contents,
            modules,
            load,
            probes,
            force,
            group,
            grants,
            generations,
        } = fragment;
        check_header(&api_version, &kind, "Extension", file)?;
        Ok(Manifest {
            file: file.to_owned(),
            name,
            version,
            upstream: upstream.map(|text| template(text, file)),
            description,
            license,
            architectures,
            requires,
            payload: payload(sources, contents, file)?,
            modules,
            load,
            probes,
            force,
            group: group.map(|group| Group { name: group.name, version: template(group.version, file) }),
            grants: declared(grants, file)?,
            generations,
        })
    }
}

impl BaseManifest {
    /// Reads a `base.yaml`. `file` names the text in errors.
    pub fn parse(text: &str, file: &str) -> Result<BaseManifest, ManifestError> {
        let fragment: BaseFragment = yaml::parse(text, file)?;
        let BaseFragment {
            api_version,
            kind,
            name,
            version,
            sources,
            contents,
            modules,
            boot_modules,
            directories,
        } = fragment;
        check_header(&api_version, &kind, "Base", file)?;
        Ok(BaseManifest {
            file: file.to_owned(),
            name,
            version,
            payload: payload(sources, contents, file)?,
            modules,
            boot_modules,
            directories,
        })
    }
}
