//! The arguments of `extbuild key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
pub(crate) use signer::SignerArgs;
use signer::{LockArgs, PassphraseArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make an Ed25519 key pair: FILE and FILE.pub
    New(KeyNewArgs),
    /// Print the public key (SPKI PEM) of a private or public key
    Show(KeyShowArgs),
    /// Take over a private key from elsewhere: FILE and FILE.pub
    ///
    /// It must be an Ed25519 key in PKCS#8 form, PEM or DER, as OpenSSL writes it, with a passphrase or without.
    Import(KeyImportArgs),
    /// Write a key in another form, or only its public half
    Export(KeyExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeyNewArgs {
    /// The file for the private key (PKCS#8 PEM); one that is there is never replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    pub lock: LockArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KeyShowArgs {
    /// The key
    pub file: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// Print the public key and its names as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyImportArgs {
    /// The key to take over
    pub file: PathBuf,
    /// Read the passphrase of the key to take over from the first line of this file [default: ask]
    #[arg(long, value_name = "FILE")]
    pub source_passphrase_file: Option<PathBuf>,
    /// The file for the private key (PKCS#8 PEM); one that is there is never replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    pub lock: LockArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KeyExportArgs {
    /// The key
    pub file: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// The file to write; one that is there is never replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Write only the public half
    #[arg(long, conflicts_with_all = ["no_passphrase", "output_passphrase_file"])]
    pub public: bool,
    /// Write the public half in the form that minisign reads (minisign -V -p FILE)
    #[arg(long, conflicts_with_all = ["public", "der", "no_passphrase", "output_passphrase_file"])]
    pub minisign: bool,
    /// Write DER [default: PEM]
    #[arg(long)]
    pub der: bool,
    /// Read the passphrase for the file to write from the first line of this file [default: ask]
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    pub output_passphrase_file: Option<PathBuf>,
    /// Write the private key so that whoever can read the file can sign
    #[arg(long)]
    pub no_passphrase: bool,
}
