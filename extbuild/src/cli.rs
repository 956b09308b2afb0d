//! The command line: every argument, and which command gets it.

use std::path::PathBuf;
use std::process::ExitCode;

use catalog::Reference;
use clap::{Args, CommandFactory, Parser, Subcommand};
use spec::{Arch, TreePath};
use terminal::{Failure, Generate};

use crate::commands::{base, build, check, image, inspect, key, pull, push, sign, verify};
use crate::packing::PackingArgs;
use crate::pipeline::Request;

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
    /// Show what an extension is and what it holds
    Inspect(InspectArgs),
    /// Pack, check and read images by themselves, of this builder or any other
    #[command(subcommand)]
    Image(ImageCommand),
    /// Make and show keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign an extension
    Sign(SignArgs),
    /// Say whether a trust policy admits an extension
    Verify(VerifyArgs),
    /// Send an extension and its signatures from a layout to a registry
    Push(PushArgs),
    /// Bring an extension and its signatures from a registry into a layout
    Pull(PullArgs),
    #[command(flatten)]
    Generate(Generate),
}

/// A manifest and what to bind it to.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The manifest: extension.yaml
    manifest: PathBuf,
    /// The kernel that modules are for: image and headers packages, unpacked into one directory
    #[arg(long, value_name = "DIR")]
    kernel: Option<PathBuf>,
    /// The base that the extension will be laid over, as `extbuild base` wrote it
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Look for sources here too; may be given several times
    #[arg(long = "source-dir", value_name = "DIR")]
    source_dirs: Vec<PathBuf>,
    /// The architecture: amd64 or arm64 [default: the kernel's, else this machine's]
    #[arg(long)]
    arch: Option<Arch>,
}

impl TargetArgs {
    pub(crate) fn into_request(self) -> Request {
        let TargetArgs { manifest, kernel, base, source_dirs, arch } = self;
        Request { manifest, kernel, base, source_dirs, arch }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// The layout to build into: oci:DIR
    #[arg(short, long, value_name = "REF")]
    pub output: Reference,
    /// Print the outcome as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub packing: PackingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub target: TargetArgs,
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
pub(crate) struct InspectArgs {
    /// The extension: oci:DIR:TAG
    pub reference: Reference,
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
pub(crate) enum KeyCommand {
    /// Make an Ed25519 key pair: FILE and FILE.pub
    New {
        /// The file for the private key (PKCS#8 PEM)
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Print the public key (SPKI PEM) of a private or public key
    Show {
        /// The key
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The extension: oci:DIR:TAG
    pub reference: Reference,
    /// The private key (PKCS#8 PEM)
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The extension: oci:DIR:TAG
    pub reference: Reference,
    /// The trust policy: trust.yaml
    #[arg(long, value_name = "FILE")]
    pub trust: PathBuf,
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
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// The extension: HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…
    pub from: Reference,
    /// The layout to bring it into: oci:DIR
    #[arg(short, long, value_name = "REF")]
    pub output: Reference,
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
        Command::Inspect(args) => inspect::run(args),
        Command::Image(command) => image::run(command),
        Command::Key(command) => key::run(command),
        Command::Sign(args) => sign::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Push(args) => push::run(args),
        Command::Pull(args) => pull::run(args),
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
