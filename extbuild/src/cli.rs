//! The command line: every argument, and which command gets it.

mod key;
mod trust;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use catalog::{Reference, Repository};
use clap::{Args, CommandFactory, Parser, Subcommand};
use kabi::{SignatureRule, SymbolName};
use spec::{Arch, TreePath};
use terminal::{Failure, Generate};

use crate::commands::{
    self, base, build, check, copy, fits, image, inspect, kernel, module, pull, push, sign, verify,
};
use crate::packing::{PackingArgs, byte_size};
use crate::pipeline::Request;
use crate::registry_args::RegistryArgs;
use crate::root_hash::RootHashArgs;

pub(crate) use key::{KeyCommand, KeyExportArgs, KeyImportArgs, KeyNewArgs, KeyShowArgs, SignerArgs};

pub(crate) use trust::{
    TrustAddArgs, TrustArgs, TrustCommand, TrustExplainArgs, TrustInitArgs, TrustKeyArgs, TrustRevokeArgs,
    TrustRotateArgs, TrustSetArgs, TrustSignArgs,
};

/// Build, sign and publish system extensions for immutable Linux
#[derive(Debug, Parser)]
#[command(name = "extbuild", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 refused or found wanting, 2 could not look.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build an extension into an OCI layout
    Build(BuildArgs),
    /// Say whether a manifest would build, and what the image would hold
    Check(CheckArgs),
    /// Build a base OS into a directory
    Base(BaseArgs),
    /// Say whether extensions fit kernels, all of them together
    ///
    /// Each KERNEL is the directory of a base, the directory of a kernel, or a kernel profile (extbuild kernel profile).
    Fits(FitsArgs),
    /// Show what a kernel module says about itself: a .ko file, compressed or not
    Module(ModuleArgs),
    /// Show what an extension is and what it holds
    ///
    /// Of a version for several architectures, the list of them is shown.
    Inspect(InspectArgs),
    /// Pack, check and read images by themselves, of this builder or any other
    #[command(subcommand)]
    Image(ImageCommand),
    /// Say what a kernel exports, how it was configured, and what differs between two
    #[command(subcommand)]
    Kernel(KernelCommand),
    /// Make, show, import and export keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make, change, sign and explain trust policies, revocations and sets
    #[command(subcommand)]
    Trust(TrustCommand),
    /// Sign an extension
    ///
    /// Of a version for several architectures, every manifest is signed and so is their index.
    Sign(SignArgs),
    /// Say whether a trust policy admits an extension
    ///
    /// Of a version for several architectures, every manifest must be good that is there, and their index too.
    Verify(VerifyArgs),
    /// Send an extension and its signatures from a layout to a registry
    ///
    /// A version that the layout has for several architectures is sent as a whole: every manifest, and their index under
    /// the tag. One for a single architecture is a manifest under the tag.
    Push(PushArgs),
    /// Bring an extension and its signatures from a registry into a layout
    Pull(PullArgs),
    /// Copy an extension and its signatures: between layouts, between registries, and from one to the other
    Copy(CopyArgs),
    #[command(flatten)]
    Generate(Generate),
}

/// A manifest and what to bind it to, the kernel aside.
#[derive(Debug, Clone, Args)]
pub(crate) struct TargetArgs {
    /// The manifest: extension.yaml
    manifest: PathBuf,
    /// The base that the extension will be laid over, as `extbuild base` wrote it
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// An extension that will be there too, oci:DIR:TAG: its modules need not be shipped again; may be given several times
    #[arg(long = "with", value_name = "REF")]
    with: Vec<Reference>,
    /// Look for sources here too; may be given several times
    #[arg(long = "source-dir", value_name = "DIR")]
    source_dirs: Vec<PathBuf>,
    /// The architecture: amd64 or arm64 [default: the kernel's, else this machine's]
    #[arg(long)]
    arch: Option<Arch>,
    #[command(flatten)]
    signatures: SignatureArgs,
}

/// What is known of the machines besides their kernel.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct SignatureArgs {
    /// The kernels will load signed modules only: module.sig_enforce=1, or lockdown
    #[arg(long)]
    sig_enforce: bool,
}

impl SignatureArgs {
    /// Which modules the kernels load.
    pub(crate) fn rule(self) -> SignatureRule {
        if self.sig_enforce { SignatureRule::Enforced } else { SignatureRule::AsBuilt }
    }
}

impl TargetArgs {
    /// The same for one kernel, or none.
    pub(crate) fn request(&self, kernel: Option<&Path>) -> Request {
        let TargetArgs { manifest, base, with, source_dirs, arch, signatures } = self.clone();
        let (kernel, signatures) = (kernel.map(Path::to_owned), signatures.rule());
        Request { manifest, kernel, base, with, signatures, source_dirs, arch }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// The kernel that modules are for: image and headers packages, unpacked into one directory, or, where none of its own
    /// modules are taken, a kernel profile
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<PathBuf>,
    /// The layout to build into: oci:DIR
    #[arg(short, long, value_name = "REF")]
    pub output: Reference,
    /// Print the outcome as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub packing: PackingArgs,
    #[command(flatten)]
    pub root_hash: RootHashArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// The kernel that modules are for, as for `extbuild build`; may be given several times
    #[arg(long = "kernel", value_name = "KERNEL")]
    pub kernels: Vec<PathBuf>,
    /// Print the artifact's config and its paths as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BaseArgs {
    /// The manifest: base.yaml
    pub manifest: PathBuf,
    /// The kernel: image and headers packages, unpacked into one directory
    #[arg(long, value_name = "DIR")]
    pub kernel: PathBuf,
    /// Look for sources here too; may be given several times
    #[arg(long = "source-dir", value_name = "DIR")]
    pub source_dirs: Vec<PathBuf>,
    /// The directory to write; a base that is there is replaced
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Print the outcome as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub packing: PackingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FitsArgs {
    /// The extensions: oci:DIR:TAG
    #[arg(required = true, value_name = "REF")]
    pub references: Vec<Reference>,
    /// What to hold them against: a base, a kernel or a profile; may be given several times
    #[arg(long = "kernel", required = true, value_name = "KERNEL")]
    pub kernels: Vec<PathBuf>,
    #[command(flatten)]
    pub signatures: SignatureArgs,
    /// Print the verdicts with all reasons as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModuleArgs {
    /// The module: NAME.ko, .ko.xz, .ko.zst or .ko.gz
    pub file: PathBuf,
    /// List the symbols that it takes, with their CRCs
    #[arg(long)]
    pub imports: bool,
    /// List the symbols that it gives, with their CRCs and namespaces
    #[arg(long)]
    pub exports: bool,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

/// Kernels that an extension must fit before something is done with it.
#[derive(Debug, Args)]
pub(crate) struct RequireFitArgs {
    /// Refuse unless the extension fits: a base, a kernel or a profile; may be given several times
    #[arg(long = "require-fit", value_name = "KERNEL")]
    pub kernels: Vec<PathBuf>,
    /// An extension that will be there too, oci:DIR:TAG; may be given several times
    #[arg(long = "with", value_name = "REF", requires = "kernels")]
    pub with: Vec<Reference>,
    /// Those kernels will load signed modules only: module.sig_enforce=1, or lockdown
    #[arg(long, requires = "kernels")]
    pub sig_enforce: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The extension: oci:DIR:TAG
    pub reference: Reference,
    /// Show the manifest for this architecture
    #[arg(long)]
    pub arch: Option<Arch>,
    /// List what the image holds, read from the image itself
    #[arg(long)]
    pub files: bool,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Pack a directory, tar archive or Debian package into an image
    ///
    /// Files keep their permissions, directories get mode 0755, and everything belongs to root.
    Pack(ImagePackArgs),
    /// Say which rules an image breaks
    Check(ImageCheckArgs),
    /// Print a file of an image
    Cat(ImageCatArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ImagePackArgs {
    /// A directory, a tar archive of any usual compression, or a Debian package
    pub source: PathBuf,
    /// The image to write; one that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Leave out the verity area, by which the kernel can check the image
    #[arg(long)]
    pub no_verity: bool,
    /// Print the outcome as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub packing: PackingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImageCheckArgs {
    /// The image, from whatever program
    pub image: PathBuf,
    /// List what it holds too
    #[arg(long)]
    pub files: bool,
    /// Read all content too, and not only what is known about it
    #[arg(long)]
    pub data: bool,
    /// How much the files may hold together, in bytes, or MiB and GiB with M and G
    #[arg(long, value_name = "SIZE", value_parser = byte_size, default_value = "4G")]
    pub max_content: u64,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageCatArgs {
    /// The image, from whatever program
    pub image: PathBuf,
    /// The file in it: /usr/bin/tool
    pub path: TreePath,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KernelCommand {
    /// Make a kernel profile: all that decides whether modules fit, in one small file
    ///
    /// A directory is one that image and headers packages were unpacked into. A kernel image alone does not know its
    /// modules or its configuration.
    Profile(KernelProfileArgs),
    /// Show a kernel, or how it exports symbols
    Show(KernelShowArgs),
    /// Show what differs between two kernels, as far as modules see it
    Diff(KernelDiffArgs),
    /// Write what depmod writes about modules, byte for byte
    ///
    /// The directory may hold modules of anybody, below kernel, updates or extra.
    Index(KernelIndexArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KernelProfileArgs {
    /// The kernel: a directory, a vmlinuz or vmlinux, or Debian packages of its image and headers
    #[arg(required = true, value_name = "KERNEL")]
    pub inputs: Vec<PathBuf>,
    /// Its modules: lib/modules/RELEASE
    #[arg(long, value_name = "DIR")]
    pub modules: Option<PathBuf>,
    /// What its build says that it exports: Module.symvers [default: what image and modules say]
    #[arg(long, value_name = "FILE")]
    pub symvers: Option<PathBuf>,
    /// Its configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The profile to write; one that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct KernelShowArgs {
    /// A kernel profile, the directory of a kernel, or a base
    pub kernel: PathBuf,
    /// Show these exports [default: facts about the kernel]
    #[arg(value_name = "SYMBOL")]
    pub symbols: Vec<SymbolName>,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KernelIndexArgs {
    /// The modules: lib/modules/RELEASE
    #[arg(value_name = "DIR")]
    pub modules: PathBuf,
    /// The directory to write modules.dep and the others into; files that are there are replaced
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct KernelDiffArgs {
    /// A kernel profile, the directory of a kernel, or a base
    pub old: PathBuf,
    /// Another
    pub new: PathBuf,
    /// List everything that differs and not only how much it is
    #[arg(long)]
    pub all: bool,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The extension: oci:DIR:TAG
    pub reference: Reference,
    #[command(flatten)]
    pub signer: SignerArgs,
    /// Sign in an older form of cosign too, for skopeo, podman and CRI-O: under the name by which they pull it
    ///
    /// Nothing of Tenon takes that form for an approval.
    #[arg(long, value_name = "HOST/REPOSITORY:TAG")]
    pub legacy: Option<Reference>,
    #[command(flatten)]
    pub fit: RequireFitArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The extension: oci:DIR:TAG
    pub reference: Reference,
    /// Look only at the manifest for this architecture
    #[arg(long)]
    pub arch: Option<Arch>,
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Print the verdict as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The extension: oci:DIR:TAG
    pub from: Reference,
    /// Where to: HOST/REPOSITORY:TAG
    pub to: Reference,
    /// Send only the manifest for this architecture
    #[arg(long)]
    pub arch: Option<Arch>,
    #[command(flatten)]
    pub fit: RequireFitArgs,
    /// Another repository of the registry: what it has already is taken over from there and not sent
    #[arg(long, value_name = "REPOSITORY")]
    pub mount_from: Option<Repository>,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// The extension: HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…
    pub from: Reference,
    /// The layout to bring it into: oci:DIR
    #[arg(short, long, value_name = "REF")]
    pub output: Reference,
    /// Bring only the manifest for this architecture, and the index if there is one
    #[arg(long)]
    pub arch: Option<Arch>,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The extension: oci:DIR:TAG or HOST/REPOSITORY:TAG
    pub from: Reference,
    /// Where to: oci:DIR or HOST/REPOSITORY:TAG
    pub to: Reference,
    /// Copy only the manifest for this architecture
    #[arg(long)]
    pub arch: Option<Arch>,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// Parses the arguments and runs the command to its exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    terminal::run(|| dispatch(cli.command))
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Build(args) => build::run(args),
        Command::Check(args) => check::run(args),
        Command::Base(args) => base::run(args),
        Command::Fits(args) => fits::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Module(args) => module::run(args),
        Command::Image(command) => image::run(command),
        Command::Kernel(command) => kernel::run(command),
        Command::Key(command) => commands::key::run(command),
        Command::Trust(command) => commands::trust::run(command),
        Command::Sign(args) => sign::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Push(args) => push::run(args),
        Command::Pull(args) => pull::run(args),
        Command::Copy(args) => copy::run(args),
        Command::Generate(what) => Ok(terminal::generate(&what, Cli::command())?),
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
