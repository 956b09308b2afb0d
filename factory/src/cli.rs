//! The command line of `extfactory`: arguments in, library called, words out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::SystemTime;

use clap::{Args, CommandFactory, Parser, Subcommand};
use serde_json::json;
use signer::{OutputSignerArgs, Sign, with_signer};
use signing::{Moment, Occasion, Signer};
use spec::{Diagnose, Outcome};
use terminal::{Failure, Generate, Progress, Table};

use crate::{Composed, Inputs, Plan, SecureBoot, Selected, Step, signature};

/// Where Debian's package systemd-boot-efi has the stub.
const DEBIAN_STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
/// 1980-01-01, the earliest date that every file system of a medium can hold (FAT counts from there).
const EARLIEST: u32 = 315_532_800;

/// Compose bootable media from a base OS and extensions
#[derive(Debug, Parser)]
#[command(name = "extfactory", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 refused or found wanting, 2 could not look.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compose a bootable ISO image from a schematic
    Compose(Box<ComposeArgs>),
    #[command(flatten)]
    Generate(Generate),
}

#[derive(Debug, Args)]
struct ComposeArgs {
    /// What to compose: schematic.yaml
    schematic: PathBuf,
    /// The image to write
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Merge a file over the machine config; may be given several times
    #[arg(long, value_name = "@FILE")]
    config_patch: Vec<Patch>,
    /// The boot program, linked statically [default: extruntime beside this program]
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// systemd's UEFI stub
    #[arg(long, value_name = "FILE", default_value = DEBIAN_STUB)]
    stub: PathBuf,
    /// Sign the kernel for UEFI Secure Boot with this private key (PEM), by sbsign
    #[arg(long, value_name = "FILE", requires = "secure_boot_cert", help_heading = "Secure Boot")]
    secure_boot_key: Option<PathBuf>,
    /// The certificate of that key (PEM), which the machines have in db
    #[arg(long, value_name = "FILE", requires = "secure_boot_key", help_heading = "Secure Boot")]
    secure_boot_cert: Option<PathBuf>,
    /// The date of all files on the medium, in seconds since 1970
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS", default_value_t = EARLIEST)]
    epoch: u32,
    /// Refuse to compose if the machine would refuse an extension
    #[arg(long)]
    strict: bool,
    /// Print what the medium would hold and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    signer: OutputSignerArgs,
}

/// `@FILE`, as talosctl users write it.
#[derive(Debug, Clone)]
struct Patch(PathBuf);

impl FromStr for Patch {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Patch, &'static str> {
        match text.strip_prefix('@') {
            Some(file) if !file.is_empty() => Ok(Patch(file.into())),
            _ => Err("write @ and the name of a file"),
        }
    }
}

/// Parses the arguments and runs the command to its exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    terminal::run(|| match cli.command {
        Command::Compose(args) => compose(*args),
        Command::Generate(what) => Ok(terminal::generate(&what, Cli::command())?),
    })
}

fn compose(args: ComposeArgs) -> Result<(), Failure> {
    let ComposeArgs { schematic, output, config_patch, runtime, stub, epoch, strict, dry_run, json, .. } =
        args;
    let secure_boot = args.secure_boot_key.zip(args.secure_boot_cert);
    let secure_boot = secure_boot.map(|(key, certificate)| SecureBoot { key, certificate });
    if let Some(SecureBoot { key, .. }) = &secure_boot {
        signer::key_file::check_secret(key)?;
    }
    let inputs = Inputs {
        schematic,
        patches: config_patch.into_iter().map(|patch| patch.0).collect(),
        runtime: runtime.map_or_else(runtime_beside_us, Ok)?,
        stub,
        secure_boot,
        output: output.unwrap_or_default(),
        occasion: Moment::of(SystemTime::now()).map_or(Occasion::Boot(None), Occasion::Online),
    };
    let progress = Progress::steps(&Step::Read.to_string());
    let plan = crate::plan(&inputs)?;
    drop(progress);
    for note in &plan.notes {
        terminal::note(note);
    }
    warn(&plan.extensions);
    if strict {
        demand_all(&plan.extensions)?;
    }
    if dry_run {
        return if json {
            Ok(terminal::json(&describe(&plan))?)
        } else {
            Ok(terminal::text(&plan.to_string())?)
        };
    }
    let output = Output { plan, path: inputs.output, epoch, json };
    match args.signer.chosen() {
        // Who signs is found out first: a wrong passphrase is better known before all the work.
        Some(signer) => with_signer(signer, output),
        None => output.write(),
    }
}

/// What is left to do once everything is planned.
struct Output {
    plan: Plan,
    path: PathBuf,
    epoch: u32,
    json: bool,
}

impl Output {
    fn write(self) -> Result<(), Failure> {
        let json = self.json;
        report(&self.compose()?, json)
    }

    fn compose(self) -> Result<Composed, Failure> {
        let progress = Progress::steps("starting");
        let step = &mut |step: Step| progress.now(&step.to_string());
        Ok(crate::write(self.plan, &self.path, self.epoch, step)?)
    }
}

impl Sign for Output {
    fn sign<S: Signer>(self, signer: &S) -> Result<(), Failure>
    where
        S::Error: Send + Sync,
    {
        let Output { epoch, json, .. } = self;
        let composed = self.compose()?;
        let signature = signature::write(signer, &composed.output, epoch)?;
        report(&composed, json)?;
        terminal::success(&format!("{} is its signature, for minisign", signature.display()));
        Ok(())
    }
}

fn runtime_beside_us() -> Result<PathBuf, NoRuntime> {
    let here = std::env::current_exe().unwrap_or_default();
    let beside = here.parent().unwrap_or(Path::new(".")).join("extruntime");
    match beside.is_file() {
        true => Ok(beside),
        false => Err(NoRuntime { beside }),
    }
}

/// How many things are said about one extension; a module for another kernel has hundreds of reasons.
const SHOWN: usize = 5;

/// An extension that the machine will refuse goes onto the medium all the same; nobody should learn it only there.
fn warn(extensions: &[Selected]) {
    for extension in extensions {
        let Selected { entry, fate } = extension;
        for reason in fate.reasons.iter().take(SHOWN) {
            terminal::warning(&format!("the machine will refuse {}: {reason} ({})", entry.name, reason.code));
        }
        for note in fate.notes.iter().take(SHOWN) {
            terminal::note(&format!("{}: {note}", entry.name));
        }
    }
}

/// Will the machine have everything that it asks for?
fn demand_all(extensions: &[Selected]) -> Result<(), Refused> {
    let is_refused = |extension: &&Selected| !extension.fate.reasons.is_empty();
    let refused: Vec<String> =
        extensions.iter().filter(is_refused).map(|extension| extension.entry.name.to_string()).collect();
    match refused.is_empty() {
        true => Ok(()),
        false => Err(Refused { names: refused.join(", ") }),
    }
}

/// With `--strict`, the machine must have everything that it asks for.
#[derive(Debug, thiserror::Error)]
#[error("the machine would refuse {names}; nothing was written")]
struct Refused {
    names: String,
}

impl Diagnose for Refused {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}

fn report(composed: &Composed, json: bool) -> Result<(), Failure> {
    for broken in &composed.skipped {
        terminal::warning(&format!("a signature is broken and was left behind: {broken}"));
    }
    let plan = &composed.plan;
    if json {
        let mut facts = describe(plan);
        facts["image"] = json!({ "path": composed.output, "size": composed.size });
        return Ok(terminal::json(&facts)?);
    }
    let mut table = Table::new(&["extension", "version", "signed by", "at boot"]);
    for extension in &plan.extensions {
        let Selected { entry, fate } = extension;
        let signers = match (&fate.developer, fate.signers.is_empty()) {
            (Some(name), _) => format!("nobody (developer override {name})"),
            (None, true) => "nobody that is trusted".to_owned(),
            (None, false) => fate.signers.join(", "),
        };
        let boots = if fate.reasons.is_empty() { "active" } else { "refused" };
        table.row([entry.name.as_str(), &entry.version.to_string(), &signers, boots]);
    }
    table.print()?;
    let megabytes = composed.size as f64 / 1e6;
    let path = composed.output.display();
    terminal::success(&format!("{path} boots {} {} ({megabytes:.1} MB)", plan.base.name, plan.base.version));
    Ok(())
}

fn describe(plan: &Plan) -> serde_json::Value {
    let extensions: Vec<_> = plan
        .extensions
        .iter()
        .map(|extension| {
            json!({
                "name": extension.entry.name,
                "version": extension.entry.version,
                "digest": extension.entry.descriptor.digest,
                "signers": extension.fate.signers,
                "developer": extension.fate.developer,
                "reasons": extension.fate.reasons,
                "notes": extension.fate.notes,
            })
        })
        .collect();
    json!({ "base": plan.base, "commandLine": plan.command_line, "extensions": extensions })
}

/// The boot program is not where it is looked for.
#[derive(Debug, thiserror::Error)]
#[error("there is no boot program at {}", beside.display())]
struct NoRuntime {
    beside: PathBuf,
}

impl Diagnose for NoRuntime {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        Some("name it with --runtime FILE; it must be linked statically".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
