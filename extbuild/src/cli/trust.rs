//! The arguments about trust: `extbuild trust`, and what a verdict rests on.

use std::path::PathBuf;

use catalog::Reference;
use clap::{Args, Subcommand};
use signing::{Moment, Role};
use spec::{Digest, ExtensionName, GrantPattern, NamePattern};

use super::SignerArgs;

/// What is trusted: a policy, and what its keys have signed since.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// The trust policy: trust.yaml
    #[arg(long, value_name = "FILE")]
    pub trust: PathBuf,
    /// A directory of what its keys have signed since: policies, revocations, sets, and their signatures
    #[arg(long, value_name = "DIR")]
    pub trust_updates: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Write a trust policy with its first key
    Init(TrustInitArgs),
    /// Add a key to a trust policy that nobody has signed yet
    Add(TrustAddArgs),
    /// Begin the next version of a trust policy, without the keys that are to go
    ///
    /// Machines follow from version N to N + 1 where enough root keys of both have signed the new one: edit it, add keys,
    /// and have it signed with extbuild trust sign.
    Rotate(TrustRotateArgs),
    /// Write the next revocation: generations that must not run any more, and digests
    ///
    /// It keeps all that the last one in the directory has. Operators sign it with extbuild trust sign.
    Revoke(TrustRevokeArgs),
    /// Write the next set: which extensions a class of machines runs, by digest
    ///
    /// Operators sign it with extbuild trust sign. Policies with set: let nothing else in.
    Set(TrustSetArgs),
    /// Sign a trust policy, a revocation or a set
    Sign(TrustSignArgs),
    /// Say what a trust policy means, with all its updates, and who may sign an extension
    Explain(TrustExplainArgs),
}

/// One key of a policy.
#[derive(Debug, Args)]
pub(crate) struct TrustKeyArgs {
    /// What to call the key; status shows it
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// The public key (SPKI PEM)
    #[arg(long, value_name = "FILE")]
    pub public_key: PathBuf,
    /// What it is trusted with: publisher, operator or root; may be given several times [default: publisher]
    #[arg(long = "role", value_name = "ROLE", value_parser = role)]
    pub roles: Vec<Role>,
    /// The extensions that it may sign, as a publisher: a name, or the start of one and *; may be given several times
    #[arg(long = "extensions", value_name = "PATTERN")]
    pub extensions: Vec<NamePattern>,
    /// What they may carry, such as units:acme-* or sysctl; may be given several times [default: modules, firmware, binaries]
    #[arg(long = "may", value_name = "GRANT")]
    pub may: Vec<GrantPattern>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustInitArgs {
    /// The policy to write; one that is there is never replaced
    pub file: PathBuf,
    #[command(flatten)]
    pub key: TrustKeyArgs,
    /// When it is to be replaced: 2030-12-31
    #[arg(long, value_name = "DATE")]
    pub expires: Option<Moment>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustAddArgs {
    /// The policy
    pub file: PathBuf,
    #[command(flatten)]
    pub key: TrustKeyArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TrustRotateArgs {
    /// The policy that is in force
    pub file: PathBuf,
    /// The directory to write policy-N.yaml into
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Leave this key out; may be given several times
    #[arg(long = "drop", value_name = "NAME")]
    pub drops: Vec<String>,
    /// When it is to be replaced: 2030-12-31
    #[arg(long, value_name = "DATE")]
    pub expires: Option<Moment>,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["generations", "deny"])))]
pub(crate) struct TrustRevokeArgs {
    /// The directory with the revocations, to write revocation-N.yaml into
    pub directory: PathBuf,
    /// The lowest generation of a component that may run: nvidia=3; may be given several times
    #[arg(long = "generation", value_name = "COMPONENT=N", value_parser = generation)]
    pub generations: Vec<(ExtensionName, u64)>,
    /// A manifest that must not run, whoever has signed it; may be given several times
    #[arg(long, value_name = "DIGEST")]
    pub deny: Vec<Digest>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustSetArgs {
    /// The directory with the sets, to write set-CLASS-N.yaml into
    pub directory: PathBuf,
    /// The class of machines
    #[arg(long, value_name = "NAME")]
    pub class: ExtensionName,
    /// The extensions: oci:DIR:TAG
    #[arg(value_name = "REF", required = true)]
    pub members: Vec<Reference>,
    /// When it is to be replaced: 2030-12-31
    #[arg(long, value_name = "DATE")]
    pub expires: Option<Moment>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustSignArgs {
    /// The policy, revocation or set; the signature is written beside it
    pub file: PathBuf,
    #[command(flatten)]
    pub signer: SignerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TrustExplainArgs {
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Say who may sign this extension, and what it may carry then
    #[arg(value_name = "EXTENSION")]
    pub extension: Option<ExtensionName>,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

fn role(text: &str) -> Result<Role, String> {
    let roles = [Role::Publisher, Role::Operator, Role::Root];
    let found = roles.into_iter().find(|role| role.to_string() == text);
    found.ok_or_else(|| "expected publisher, operator or root".to_owned())
}

fn generation(text: &str) -> Result<(ExtensionName, u64), String> {
    let (component, number) = text.split_once('=').ok_or("expected COMPONENT=N")?;
    let component = component.parse().map_err(|error: spec::name::NameError| error.to_string())?;
    let number =
        number.parse().map_err(|_| format!("\"{number}\" is not a generation: expected a number"))?;
    Ok((component, number))
}
