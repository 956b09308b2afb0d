//! What a medium is made from, read and checked at the door.

use std::io;
use std::path::{Path, PathBuf};

use catalog::Layout;
use extruntime::plan::Request;
use kabi::SignatureRule;
use spec::machine::{self, ExtensionsConfig};
use spec::status::ExtensionStatus;

use crate::base::Base;
use crate::error::ComposeError;
use crate::runtime;
use crate::schematic::{KernelArg, Schematic};
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
    /// The ISO image to write.
    pub output: PathBuf,
}

/// The inputs as values. The root image and the images of extensions stay where they are.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) base: Base,
    pub(crate) machine: ExtensionsConfig,
    pub(crate) trust: String,
    pub(crate) layout: Layout,
    pub(crate) extensions: Vec<Selected>,
    pub(crate) runtime: Vec<u8>,
    pub(crate) stub: Stub,
    pub(crate) kernel_args: Vec<KernelArg>,
}

pub(crate) fn load(inputs: &Inputs) -> Result<Loaded, ComposeError> {
    let Inputs { schematic, patches, runtime, stub, output: _ } = inputs;
    let schematic = Schematic::parse(&read_text(schematic)?, schematic)?;
    let Schematic { base, machine_config, trust, extensions, kernel_args } = schematic;
    let machine = read_machine(&machine_config, patches)?;
    let layout = Layout::open(extensions)?;
    let (base_dir, base) = (&base, Base::open(&base)?);
    let arch = base.description.arch;
    let entries = select::select(&layout, &machine, arch)?;
    let fates = judge(&machine, &layout, base_dir, &trust, &kernel_args)?;
    let extensions = entries.into_iter().zip(fates).map(|(entry, fate)| Selected { entry, fate }).collect();
    let trust = read_text(&trust)?;
    let program = read(runtime)?;
    runtime::check(&program, arch)
        .map_err(|source| ComposeError::Runtime { path: runtime.clone(), source })?;
    let stub =
        Stub::parse(read(stub)?, arch).map_err(|source| ComposeError::Stub { path: stub.clone(), source })?;
    Ok(Loaded { base, machine, trust, layout, extensions, runtime: program, stub, kernel_args })
}

/// Judges the extensions as the boot program will, in the order of the machine config.
fn judge(
    machine: &ExtensionsConfig,
    layout: &Layout,
    base: &Path,
    trust: &Path,
    kernel_args: &[KernelArg],
) -> Result<Vec<ExtensionStatus>, ComposeError> {
    let request = Request {
        config: machine.clone(),
        store: layout.dir().to_owned(),
        base: base.to_owned(),
        trust: trust.to_owned(),
        kernel: None,
        signatures: signature_rule(kernel_args),
    };
    Ok(extruntime::plan::plan(&request)?.status.extensions)
}

/// What the command line of the medium says about signatures of modules (admin-guide/kernel-parameters). To the kernel,
/// `-` and `_` are the same in names (kernel/params.c, `dash2underscore`).
fn signature_rule(kernel_args: &[KernelArg]) -> SignatureRule {
    let enforces = |arg: &KernelArg| {
        let (name, value) = arg.as_str().split_once('=').unwrap_or((arg.as_str(), "1"));
        match name.replace('-', "_").as_str() {
            "module.sig_enforce" => is_true(value),
            "lockdown" => matches!(value, "integrity" | "confidentiality"),
            _ => false,
        }
    };
    match kernel_args.iter().any(enforces) {
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
    let Schematic { base, machine_config, trust, extensions, kernel_args: _ } =
        Schematic::parse(&read_text(schematic)?, schematic)?;
    let Ok(file) = file.canonicalize() else { return Ok(false) };
    let holds = |input: PathBuf| input.canonicalize().is_ok_and(|input| file.starts_with(input));
    Ok([base, machine_config, trust, extensions].into_iter().any(holds))
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
