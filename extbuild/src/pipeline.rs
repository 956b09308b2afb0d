//! How an extension is built: the whole story.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use catalog::{Descriptor, NewExtension, Reference, Store};
use kabi::SignatureRule;
use spec::artifact::ExtensionConfig;
use spec::manifest::Manifest;
use spec::{Arch, Diagnose, Outcome, Reason, yaml};
use squash::{BlockSize, Packed};
use terminal::{Failure, Place};

use crate::base_dir::Base;
use crate::ground::Facts;
use crate::kernel::Kernel;
use crate::packing::Packing;
use crate::plan::{Plan, Target};
use crate::root_hash::RootHashApproval;
use crate::source::SearchPath;

/// What to build, and for what.
#[derive(Debug)]
pub struct Request {
    /// `extension.yaml`.
    pub manifest: PathBuf,
    /// The kernel that modules are for: unpacked, or a profile of it.
    pub kernel: Option<PathBuf>,
    /// The base that the extension will be laid over.
    pub base: Option<PathBuf>,
    /// Extensions that will be there too.
    pub with: Vec<Reference>,
    /// Which modules the kernel loads.
    pub signatures: SignatureRule,
    /// Where sources are looked for besides the manifest's directory.
    pub source_dirs: Vec<PathBuf>,
    /// The architecture; the kernel's, else this machine's, where it is not given.
    pub arch: Option<Arch>,
}

/// An extension that is in a store.
#[derive(Debug)]
pub struct Built {
    /// Its manifest.
    pub manifest: Descriptor,
    /// The image inside.
    pub image: Packed,
    /// What is worth a second look, though it fits.
    pub notes: Vec<Reason>,
}

/// Decides everything and writes nothing.
pub(crate) fn plan(request: &Request) -> Result<Plan, Failure> {
    let manifest = read_manifest(&request.manifest)?;
    let target = open_target(request)?;
    let search = search_path(&request.manifest, &request.source_dirs);
    Plan::resolve(&manifest, &target, &search)
}

/// Builds the extension into the OCI layout at `output`, with a signature for the kernel if there is one. `progress` hears how many bytes of content are packed, and of
/// how many.
pub fn build(
    request: &Request,
    packing: &Packing,
    approval: Option<&RootHashApproval>,
    output: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Built, Failure> {
    let plan = plan(request)?;
    let (mut file, image) = pack(&plan, packing, progress)?;
    let signed = approval.zip(image.verity.as_ref()).map(|(approval, facts)| approval.of(facts));
    let root_hash_signature = signed.transpose()?;
    let config = ExtensionConfig { verity: image.verity, root_hash_signature, ..plan.config };
    let store = Store::create_or_open(output)?;
    let modules = plan.modules.as_ref().map(kabi::Record::to_json);
    let manifest = store.assemble(NewExtension {
        config: &config,
        image: &mut file,
        image_digest: image.digest,
        image_size: image.size,
        paths: &plan.paths,
        kabi: modules.as_deref(),
    })?;
    Ok(Built { manifest, image, notes: plan.notes })
}

/// The image is made in a file without a name: what fails half-way leaves nothing behind.
fn pack(
    plan: &Plan,
    packing: &Packing,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(File, Packed), Failure> {
    let temporary = || Place::cannot("use a temporary file in", std::env::temp_dir());
    let mut file = tempfile::tempfile().map_err(temporary())?;
    let all = plan.config.content.bytes;
    let options = packing.options(BlockSize::suited_to(&plan.tree));
    let packed =
        squash::pack(&plan.tree, &options, packing.means(), &mut file, &mut |done| progress(done, all))?;
    file.rewind().map_err(temporary())?;
    Ok((file, packed))
}

fn read_manifest(path: &Path) -> Result<Manifest, Failure> {
    let text = read_text(path)?;
    Ok(Manifest::parse(&text, &path.display().to_string())?)
}

/// Reads a text file of the user's.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    // One byte more than a document may have, so that the parser says that it is too large.
    let bytes = terminal::read_regular(path, yaml::MAX_BYTES as u64 + 1);
    let not_text = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(not_text));
    Ok(text.map_err(Place::cannot("read", path))?)
}

fn open_target(request: &Request) -> Result<Target, Failure> {
    let kernel = request.kernel.as_deref().map(Kernel::open).transpose()?;
    let base = request.base.as_deref().map(Base::open).transpose()?;
    let of_kernel = kernel.as_ref().map(|kernel| kernel.arch);
    let of_base = base.as_ref().map(|base| base.description.arch);
    let arch = request.arch.or(of_kernel).or(of_base).or(Arch::of_this_program());
    let with = Facts::of_all(&request.with)?;
    Ok(Target { arch: arch.ok_or(NoArch)?, kernel, base, with, signatures: request.signatures })
}

/// Sources lie beside the manifest or in the directories that were given.
pub(crate) fn search_path(manifest: &Path, others: &[PathBuf]) -> SearchPath {
    let beside = manifest.parent().map(Path::to_owned).unwrap_or_default();
    SearchPath { manifest: beside, others: others.to_vec() }
}

/// The machine's architecture has no extensions.
#[derive(Debug, thiserror::Error)]
#[error("this machine is neither amd64 nor arm64")]
struct NoArch;

impl Diagnose for NoArch {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        Some("say which one is meant with --arch".into())
    }
}
