//! `extbuild trust sign`

use std::path::{Path, PathBuf};

use signer::{Sign, with_signer};
use signing::{Bundle, DocumentKind, ExtensionSet, Revocation, Signer, TrustPolicy, sign_document};
use terminal::Failure;

use super::{warn_without_root, write};
use crate::cli::TrustSignArgs;
use crate::pipeline::read_text;

pub(super) fn run(args: TrustSignArgs) -> Result<(), Failure> {
    let TrustSignArgs { file, signer } = args;
    let text = read_text(&file)?;
    let (kind, summary) = summary(&text, &file.display().to_string())?;
    with_signer(signer, SignDocument { file, text, kind, summary })
}

/// A document that is sound, and what a person wants to have seen of it.
struct SignDocument {
    file: PathBuf,
    text: String,
    kind: DocumentKind,
    summary: String,
}

impl Sign for SignDocument {
    fn sign<S: Signer>(self, signer: &S) -> Result<(), Failure>
    where
        S::Error: Send + Sync,
    {
        let SignDocument { file, text, kind, summary } = self;
        terminal::note(&summary);
        let bundle = sign_document(signer, kind, text.as_bytes())?;
        let path = beside(&file, &bundle);
        write(&path, &String::from_utf8_lossy(&bundle.to_json()))?;
        terminal::success(&format!("{} is signed with key {}", file.display(), bundle.hint()));
        Ok(terminal::text(&format!("{}\n", path.display()))?)
    }
}

fn summary(text: &str, file: &str) -> Result<(DocumentKind, String), Failure> {
    let kind = DocumentKind::of(text, file)?;
    let summary = match kind {
        DocumentKind::Policy => {
            let policy = TrustPolicy::parse(text, file)?;
            warn_without_root(&policy, Path::new(file));
            let keys: Vec<&str> = policy.keys().iter().map(|key| key.name()).collect();
            format!("version {} of a trust policy, which trusts {}", policy.version(), keys.join(", "))
        }
        DocumentKind::Revocation => {
            let Revocation { version, generations, denied } = Revocation::parse(text, file)?;
            let (floors, denied) = (generations.len(), denied.len());
            format!(
                "version {version} of a revocation: floors for {floors} components, {denied} digests denied"
            )
        }
        DocumentKind::Set => {
            let ExtensionSet { class, version, members, .. } = ExtensionSet::parse(text, file)?;
            let names: Vec<String> =
                members.iter().map(|(name, member)| format!("{name} {}", member.version)).collect();
            format!("version {version} of the set for the class {class}: {}", names.join(", "))
        }
    };
    Ok((kind, summary))
}

/// Each key has a file of its own beside the document, named by the start of its fingerprint.
fn beside(file: &Path, bundle: &Bundle) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.json", bundle.hint().short()));
    name.into()
}
