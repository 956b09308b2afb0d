//! What a medium is made from, read and checked at the door.

use std::io;
use std::path::{Path, PathBuf};

use catalog::{Layout, TrustFiles};
use extruntime::plan::Request;
use kabi::SignatureRule;
use signing::Occasion;
use spec::TreePath;
use spec::machine::{self, ExtensionsConfig};

use crate::base::Base;
use crate::error::ComposeError;
use crate::runtime;
use crate::schematic::{KernelArg, Schematic};
use crate::secure_boot::SecureBoot;
use crate::select::{self, Selected};
use crate::uki::Stub;

/// The files that the person who composes names.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The schematic.
    pub schematic: PathBuf,
    /// Patches of the machine config, in order.
    pub patches: Vec<PathBuf>,
    /// The boot program, `extruntime`, linked statically.
    pub runtime: PathBuf,
    /// systemd's UEFI stub.
    pub stub: PathBuf,
    /// Who signs the boot program of the firmware, if anybody.
    pub secure_boot: Option<SecureBoot>,
    /// The ISO image to write.
    pub output: PathBuf,
    /// When the extensions are judged, and with what clock.
    pub occasion: Occasion,
}

/// The inputs as values. The root image and the images of extensions stay where they are.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) base: Base,
    pub(crate) machine: ExtensionsConfig,
    pub(crate) trust: String,
    /// Names and bytes of what the keys of the trust policy have signed since.
    pub(crate) updates: Vec<(String, Vec<u8>)>,
    /// What is to be known about the trust policy and its updates.
    pub(crate) notes: Vec<String>,
    pub(crate) layout: Layout,
    pub(crate) extensions: Vec<Selected>,
    pub(crate) runtime: Vec<u8>,
    pub(crate) stub: Stub,
    pub(crate) secure_boot: Option<SecureBoot>,
    pub(crate) kernel_args: Vec<KernelArg>,
}

pub(crate) fn load(inputs: &Inputs) -> Result<Loaded, ComposeError> {
    let Inputs { schematic, patches, runtime, stub, secure_boot, output: _, occasion } = inputs;
    let schematic = Schematic::parse(&read_text(schematic)?, schematic)?;
    let Schematic { base, machine_config, trust, trust_updates, extensions, kernel_args } = schematic;
    let machine = read_machine(&machine_config, patches)?;
    let layout = Layout::open(extensions)?;
    let (base_dir, base) = (&base, Base::open(&base)?);
    let arch = base.description.arch;
    let request = Request {
        config: machine.clone(),
        store: layout.dir().to_owned(),
        base: base_dir.to_owned(),
        trust: trust.clone(),
        updates: trust_updates.clone().unwrap_or_default(),
        occasion: *occasion,
        kernel: None,
        signatures: signature_rule(&kernel_args, secure_boot.is_some()),
    };
    let judged = extruntime::plan::plan(&request)?.status;
    let extensions = select::select(&layout, &machine, judged.extensions, arch)?;
    let trust = read_text(&trust)?;
    let updates = trust_updates.as_deref().map(read_updates).transpose()?.unwrap_or_default();
    let program = read(runtime)?;
    runtime::check(&program, arch)
        .map_err(|source| ComposeError::Runtime { path: runtime.clone(), source })?;
    let stub =
        Stub::parse(read(stub)?, arch).map_err(|source| ComposeError::Stub { path: stub.clone(), source })?;
    Ok(Loaded {
        base,
        machine,
        trust,
        updates,
        notes: judged.notes,
        layout,
        extensions,
        runtime: program,
        stub,
        secure_boot: secure_boot.clone(),
        kernel_args,
    })
}

/// All files of a directory of trust; whoever composes is told of one that cannot be read.
fn read_updates(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, ComposeError> {
    let TrustFiles { files, skipped } = TrustFiles::read(directory)?;
    match skipped.into_iter().next() {
        Some(error) => Err(error.into()),
        None => files.into_iter().map(|(path, bytes)| Ok((file_name(&path)?, bytes))).collect(),
    }
}

/// The name that a file will have on the medium.
fn file_name(path: &str) -> Result<String, ComposeError> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match TreePath::root().join(name) {
        Ok(_) => Ok(name.to_owned()),
        Err(error) => {
            let unusable = io::Error::new(io::ErrorKind::InvalidInput, error);
            Err(ComposeError::io("put onto the medium", path)(unusable))
        }
    }
}

/// What is to be expected of signatures of modules. Under Secure Boot a kernel locks itself down where distributions have
/// patched it to (Debian: `LOCK_DOWN_IN_EFI_SECURE_BOOT`), and it can be told to on the command line
/// (admin-guide/kernel-parameters). To the kernel, `-` and `_` are the same in names (kernel/params.c, `dash2underscore`).
fn signature_rule(kernel_args: &[KernelArg], secure_boot: bool) -> SignatureRule {
    let enforces = |arg: &KernelArg| {
        let (name, value) = arg.as_str().split_once('=').unwrap_or((arg.as_str(), "1"));
        match name.replace('-', "_").as_str() {
            "module.sig_enforce" => is_true(value),
            "lockdown" => matches!(value, "integrity" | "confidentiality"),
            _ => false,
        }
    };
    match secure_boot || kernel_args.iter().any(enforces) {
        true => SignatureRule::Enforced,
        false => SignatureRule::AsBuilt,
    }
}

/// What the kernel takes for yes: it looks at the start only (lib/kstrtox.c, `kstrtobool`).
fn is_true(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    ["y", "1", "t", "on"].iter().any(|yes| value.starts_with(yes))
}

fn read_machine(file: &Path, patches: &[PathBuf]) -> Result<ExtensionsConfig, ComposeError> {
    let named = |file: &Path| Ok::<_, ComposeError>((read_text(file)?, file.display().to_string()));
    let patches = patches.iter().map(|patch| named(patch)).collect::<Result<Vec<_>, _>>()?;
    let (text, name) = named(file)?;
    Ok(machine::patched(&text, &name, &patches)?)
}

/// Does the schematic name `file`, or a directory that holds it?
pub(crate) fn names(schematic: &Path, file: &Path) -> Result<bool, ComposeError> {
    let Schematic { base, machine_config, trust, trust_updates, extensions, kernel_args: _ } =
        Schematic::parse(&read_text(schematic)?, schematic)?;
    let Ok(file) = file.canonicalize() else { return Ok(false) };
    let holds = |input: PathBuf| input.canonicalize().is_ok_and(|input| file.starts_with(input));
    Ok([base, machine_config, trust, extensions].into_iter().chain(trust_updates).any(holds))
}

/// Largest program, stub or document that goes into the boot partition: more than firmware would load.
const MAX_BYTES: u64 = 1 << 30;

fn read_text(path: &Path) -> Result<String, ComposeError> {
    let not_text = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    String::from_utf8(read(path)?).map_err(not_text).map_err(ComposeError::io("read", path))
}

fn read(path: &Path) -> Result<Vec<u8>, ComposeError> {
    terminal::read_regular(path, MAX_BYTES).map_err(ComposeError::io("read", path))
}
