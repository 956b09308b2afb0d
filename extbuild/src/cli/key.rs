//! The arguments about keys: `extbuild key`, and who signs.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};

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

/// The passphrase of a key that is read.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// Read the key's passphrase from the first line of this file [default: ask] [env: TENON_PASSPHRASE_FILE=]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// The passphrase of a key that is written.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// Read the key's passphrase from the first line of this file [default: ask twice] [env: TENON_PASSPHRASE_FILE=]
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    pub passphrase_file: Option<PathBuf>,
    /// Write the private key so that whoever can read the file can sign
    #[arg(long)]
    pub no_passphrase: bool,
}

/// Who signs: a key in a file, or a program that knows where the key is.
#[derive(Debug, Args)]
pub(crate) struct SignerArgs {
    /// The private key (PKCS#8 PEM or DER)
    #[arg(long, value_name = "FILE", required_unless_present = "signer_cmd", conflicts_with = "signer_cmd")]
    pub key: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// A program with its arguments that signs: it gets the bytes on stdin and writes 64 bytes to stdout
    ///
    /// The bytes are to be signed as they are, with pure Ed25519. Words are split at blanks; quotes and backslashes keep
    /// blanks in a word; no shell is involved.
    #[arg(long, value_name = "CMD", requires = "public_key")]
    pub signer_cmd: Option<String>,
    /// The public key of the program's signatures (SPKI PEM)
    #[arg(long, value_name = "FILE", requires = "signer_cmd")]
    pub public_key: Option<PathBuf>,
    /// Give up on the program after so many seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "120",
        value_parser = seconds,
        requires = "signer_cmd",
        action = ArgAction::Set
    )]
    pub signer_timeout: Duration,
}

/// A day at most: a person may have to be found who holds the token.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("a number of seconds from 1 to 86400 is needed".into()),
    }
}
