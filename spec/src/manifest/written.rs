//! The documents as written, and what becomes of their parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{Content, Declared, ManifestError, Origin, Payload, Pinned, Source};
use crate::artifact::Requirement;
use crate::machine::API_VERSION;
use crate::template::Template;
use crate::{Arch, Digest, ExtensionName, Grant, Load, ModuleName, Probe, TreePath, Version};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExtensionFragment {
    pub(super) api_version: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) name: ExtensionName,
    pub(super) version: Version,
    pub(super) upstream: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) license: Option<String>,
    #[serde(default)]
    pub(super) architectures: Vec<Arch>,
    #[serde(default)]
    pub(super) requires: Vec<Requirement>,
    #[serde(default)]
    pub(super) sources: BTreeMap<String, Spanned<SourceFragment>>,
    #[serde(default)]
    pub(super) contents: Vec<ContentFragment>,
    #[serde(default)]
    pub(super) modules: Vec<ModuleName>,
    #[serde(default)]
    pub(super) load: Vec<Load>,
    #[serde(default)]
    pub(super) probes: Vec<Probe>,
    #[serde(default)]
    pub(super) force: Vec<ModuleName>,
    pub(super) group: Option<GroupFragment>,
    #[serde(default)]
    pub(super) grants: Vec<Spanned<Grant>>,
    #[serde(default)]
    pub(super) generations: BTreeMap<ExtensionName, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupFragment {
    pub(super) name: ExtensionName,
    pub(super) version: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BaseFragment {
    pub(super) api_version: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) name: ExtensionName,
    pub(super) version: Version,
    #[serde(default)]
    pub(super) sources: BTreeMap<String, Spanned<SourceFragment>>,
    #[serde(default)]
    pub(super) contents: Vec<ContentFragment>,
    #[serde(default)]
    pub(super) modules: Vec<ModuleName>,
    #[serde(default)]
    pub(super) boot_modules: Vec<ModuleName>,
    #[serde(default)]
    pub(super) directories: Vec<TreePath>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceFragment {
    pub(super) dir: Option<Spanned<String>>,
    pub(super) file: Option<Spanned<String>>,
    pub(super) tar: Option<Spanned<String>>,
    pub(super) deb: Option<Spanned<String>>,
    pub(super) oci: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "hex_digest")]
    pub(super) sha256: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContentFragment {
    pub(super) from: Spanned<String>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) to: Spanned<String>,
    #[serde(default)]
    pub(super) executable: bool,
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

pub(super) fn template(spanned: Spanned<String>, file: &str) -> Template {
    let place = place(&spanned, file);
    Template::new(spanned.value, place)
}

/// The grants, each once.
pub(super) fn declared(grants: Vec<Spanned<Grant>>, file: &str) -> Result<Vec<Declared>, ManifestError> {
    let mut all: Vec<Declared> = Vec::new();
    for grant in grants {
        let place = place(&grant, file);
        if all.iter().any(|earlier| earlier.grant == grant.value) {
            let problem = format!("the grant {} is declared twice", grant.value);
            return Err(ManifestError::At { place, problem, hint: "take one of them out".into() });
        }
        all.push(Declared { grant: grant.value, place });
    }
    Ok(all)
}

pub(super) fn check_header(
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

pub(super) fn payload(
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
