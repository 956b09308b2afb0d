//! The arguments about who signs, and with which passphrase.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

/// The passphrase of a key that is read.
#[derive(Debug, Args)]
pub struct PassphraseArgs {
    /// Read the key's passphrase from the first line of this file [default: ask] [env: TENON_PASSPHRASE_FILE=]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// The passphrase of a key that is written.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// Read the key's passphrase from the first line of this file [default: ask twice] [env: TENON_PASSPHRASE_FILE=]
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    pub passphrase_file: Option<PathBuf>,
    /// Write the private key so that whoever can read the file can sign
    #[arg(long)]
    pub no_passphrase: bool,
}

/// Who signs: a key in a file, or a program that knows where the key is.
#[derive(Debug, Args)]
pub struct SignerArgs {
    /// The private key (PKCS#8 PEM or DER)
    #[arg(long, value_name = "FILE", required_unless_present = "signer_cmd", conflicts_with = "signer_cmd")]
    pub key: Option<PathBuf>,
    /// The passphrase of the key.
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

/// The same where a signature is one of several outputs, and need not be.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signature")]
pub struct OutputSignerArgs {
    /// Sign the output with this private key (PKCS#8 PEM or DER)
    #[arg(long, value_name = "FILE", conflicts_with = "signer_cmd")]
    pub sign_key: Option<PathBuf>,
    /// The passphrase of the key.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// Sign the output with a program: it gets the bytes on stdin and writes 64 bytes to stdout
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

impl OutputSignerArgs {
    /// Who signs, if anybody does.
    pub fn chosen(self) -> Option<SignerArgs> {
        let OutputSignerArgs { sign_key: key, passphrase, signer_cmd, public_key, signer_timeout } = self;
        let signs = key.is_some() || signer_cmd.is_some();
        signs.then_some(SignerArgs { key, passphrase, signer_cmd, public_key, signer_timeout })
    }
}

/// A day at most: a person may have to be found who holds the token.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("a number of seconds from 1 to 86400 is needed".into()),
    }
}
