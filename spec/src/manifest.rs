//! `extension.yaml` and `base.yaml`: what goes into an image, as its author writes it.
//!
//! A manifest names no kernel and no architecture: templates such as `${kernel.release}` are filled in per build.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use crate::artifact::Requirement;
use crate::machine::API_VERSION;
use crate::template::Template;
use crate::yaml::{self, YamlError};
use crate::{Arch, Diagnose, Digest, ExtensionName, ModuleName, Outcome, TreePath, Version};

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
    pub load: Vec<ModuleName>,
    /// Modules that may be loaded by force: they do not say what kernel they were built for.
    pub force: Vec<ModuleName>,
    /// The upstream release that it is a part of.
    pub group: Option<Group>,
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
            force,
            group,
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
            force,
            group: group.map(|group| Group { name: group.name, version: template(group.version, file) }),
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExtensionFragment {
    api_version: Spanned<String>,
    kind: Spanned<String>,
    name: ExtensionName,
    version: Version,
    upstream: Option<Spanned<String>>,
    #[serde(default)]
    description: String,
    license: Option<String>,
    #[serde(default)]
    architectures: Vec<Arch>,
    #[serde(default)]
    requires: Vec<Requirement>,
    #[serde(default)]
    sources: BTreeMap<String, Spanned<SourceFragment>>,
    #[serde(default)]
    contents: Vec<ContentFragment>,
    #[serde(default)]
    modules: Vec<ModuleName>,
    #[serde(default)]
    load: Vec<ModuleName>,
    #[serde(default)]
    force: Vec<ModuleName>,
    group: Option<GroupFragment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFragment {
    name: ExtensionName,
    version: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BaseFragment {
    api_version: Spanned<String>,
    kind: Spanned<String>,
    name: ExtensionName,
    version: Version,
    #[serde(default)]
    sources: BTreeMap<String, Spanned<SourceFragment>>,
    #[serde(default)]
    contents: Vec<ContentFragment>,
    #[serde(default)]
    modules: Vec<ModuleName>,
    #[serde(default)]
    boot_modules: Vec<ModuleName>,
    #[serde(default)]
    directories: Vec<TreePath>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceFragment {
    dir: Option<Spanned<String>>,
    file: Option<Spanned<String>>,
    tar: Option<Spanned<String>>,
    deb: Option<Spanned<String>>,
    oci: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "hex_digest")]
    sha256: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentFragment {
    from: Spanned<String>,
    path: Option<Spanned<String>>,
    to: Spanned<String>,
    #[serde(default)]
    executable: bool,
}

fn hex_digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong =
        || serde::de::Error::custom(format!("\"{text}\" is not a sha256: expected 64 lower-case hex digits"));
    Digest::from_hex(&text).map(Some).map_err(|_| wrong())
}

fn place<T>(spanned: &Spanned<T>, file: &str) -> String {
    format!("{file}:{}:{}", spanned.referenced.line(), spanned.referenced.column())
}

fn template(spanned: Spanned<String>, file: &str) -> Template {
    let place = place(&spanned, file);
    Template::new(spanned.value, place)
}

fn check_header(
    api_version: &Spanned<String>,
    kind: &Spanned<String>,
    wanted: &str,
    file: &str,
) -> Result<(), ManifestError> {
    let expect = |found: &Spanned<String>, key: &str, wanted: &str| match found.value == wanted {
        true => Ok(()),
        false => Err(ManifestError::At {
            place: place(found, file),
            problem: format!("{key} is \"{}\"", found.value),
            hint: format!("write {key}: {wanted}"),
        }),
    };
    expect(api_version, "apiVersion", API_VERSION)?;
    expect(kind, "kind", wanted)
}

fn payload(
    sources: BTreeMap<String, Spanned<SourceFragment>>,
    contents: Vec<ContentFragment>,
    file: &str,
) -> Result<Payload, ManifestError> {
    let sources: BTreeMap<String, Source> = sources
        .into_iter()
        .map(|(name, fragment)| source(&name, fragment, file).map(|source| (name, source)))
        .collect::<Result<_, _>>()?;
    let contents =
        contents.into_iter().map(|fragment| content(fragment, &sources, file)).collect::<Result<_, _>>()?;
    Ok(Payload { sources, contents })
}

fn source(name: &str, fragment: Spanned<SourceFragment>, file: &str) -> Result<Source, ManifestError> {
    let place = place(&fragment, file);
    let wrong =
        |problem: String, hint: &str| ManifestError::At { place: place.clone(), problem, hint: hint.into() };
    let SourceFragment { dir, file: single, tar, deb, oci, sha256 } = fragment.value;
    let pinned = |name: Spanned<String>, hint: &str| match sha256 {
        Some(digest) => Ok(Pinned { file: template(name, file), digest }),
        None => Err(wrong(format!("the source \"{}\" has no sha256", name.value), hint)),
    };
    let of_file = "add sha256: with the 64 hex digits that `sha256sum` prints for the file";
    let of_image = "add sha256: with the 64 hex digits of the digest of the image's manifest";
    let origin = match (dir, single, tar, deb, oci) {
        (Some(_), None, None, None, None) if sha256.is_some() => {
            return Err(wrong(
                format!("the source \"{name}\" is a directory and has a sha256"),
                "take it away",
            ));
        }
        (Some(dir), None, None, None, None) => Origin::Dir(template(dir, file)),
        (None, Some(single), None, None, None) => Origin::File(pinned(single, of_file)?),
        (None, None, Some(tar), None, None) => Origin::Tar(pinned(tar, of_file)?),
        (None, None, None, Some(deb), None) => Origin::Deb(pinned(deb, of_file)?),
        (None, None, None, None, Some(oci)) => Origin::Oci(pinned(oci, of_image)?),
        _ => {
            let problem =
                format!("the source \"{name}\" must have exactly one of dir, file, tar, deb and oci");
            return Err(wrong(problem, "name a source for each file or directory"));
        }
    };
    Ok(Source { origin, place })
}

fn content(
    fragment: ContentFragment,
    sources: &BTreeMap<String, Source>,
    file: &str,
) -> Result<Content, ManifestError> {
    let ContentFragment { from, path, to, executable } = fragment;
    let place = place(&from, file);
    if !sources.contains_key(&from.value) {
        let names: Vec<_> = sources.keys().map(String::as_str).collect();
        let hint = match names.is_empty() {
            true => "there are no sources: add it under sources:".to_owned(),
            false => format!("there are {}", names.join(", ")),
        };
        return Err(ManifestError::At {
            place,
            problem: format!("\"{}\" is not a source", from.value),
            hint,
        });
    }
    Ok(Content {
        from: from.value,
        path: path.map_or_else(|| Template::literal("/"), |path| template(path, file)),
        to: template(to, file),
        executable,
        place,
    })
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not the YAML that it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It says something that cannot be.
    #[error("{place}: {problem}")]
    At {
        /// File, line and column.
        place: String,
        /// The complaint.
        problem: String,
        /// What to do; may be empty.
        hint: String,
    },
}

impl Diagnose for ManifestError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            ManifestError::Yaml(error) => error.hint(),
            ManifestError::At { hint, .. } => Some(hint.clone()).filter(|hint| !hint.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
apiVersion: v1alpha1
kind: Extension
name: wireguard-tools
version: 1.0.0
upstream: \"wg for ${kernel.release}\"
sources:
  tools:
    deb: wireguard-tools.deb
    sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
contents:
  - from: tools
    path: /usr/bin/wg
    to: /usr/bin/wg
";

    #[track_caller]
    fn refused(text: &str, message: &str) {
        assert_eq!(Manifest::parse(text, "e.yaml").unwrap_err().to_string().lines().next(), Some(message));
    }

    #[test]
    fn a_manifest_is_read_and_filled_in() {
        let manifest = Manifest::parse(GOOD, "e.yaml").unwrap();
        assert_eq!(manifest.upstream.unwrap().place(), "e.yaml:5:11");
        assert_eq!(manifest.payload.contents[0].to.as_str(), "/usr/bin/wg");
    }

    #[test]
    fn an_image_is_pinned_by_the_digest_of_its_manifest() {
        let manifest = Manifest::parse(&GOOD.replace("deb: ", "oci: "), "e.yaml").unwrap();
        let Origin::Oci(image) = &manifest.payload.sources["tools"].origin else { panic!("{manifest:?}") };
        assert_eq!(image.digest, Digest::of(b"abc"));
    }

    #[test]
    fn a_content_is_executable_only_where_it_says_so() {
        let executable = |text: &str| Manifest::parse(text, "e.yaml").unwrap().payload.contents[0].executable;
        assert!(!executable(GOOD));
        assert!(executable(&format!("{GOOD}    executable: true\n")));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        refused(&GOOD.replace("from: tools", "from: tool"), "e.yaml:11:11: \"tool\" is not a source");
        refused(&GOOD.replace("kind: Extension", "kind: Base"), "e.yaml:2:7: kind is \"Base\"");
        refused(
            &GOOD.replace("    deb: ", "    dir: x\n    deb: "),
            "e.yaml:8:5: the source \"tools\" must have exactly one of dir, file, tar, deb and oci",
        );
        let digest = GOOD.lines().find(|line| line.contains("sha256")).unwrap();
        refused(
            &GOOD.replace(&format!("{digest}\n"), ""),
            "e.yaml:8:5: the source \"wireguard-tools.deb\" has no sha256",
        );
        refused(
            &GOOD.replace("ba78", "xa78"),
            "e.yaml:9:13: \"xa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\" is not a sha256: expected 64 lower-case hex digits",
        );
    }
}
