//! How registries are reached: what the command line chooses, and where credentials are.

use std::path::PathBuf;

use catalog::Access;
use catalog::registry::{CredentialFiles, Proxies};
use clap::Args;

/// What `push` and `pull` have in common.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct RegistryArgs {
    /// Take name and password from this file [default: where podman login and docker login leave them]
    #[arg(long, value_name = "FILE", env = "REGISTRY_AUTH_FILE")]
    auth_file: Option<PathBuf>,
    /// Trust these certificate authorities (PEM) besides the system's, with the loopback interface too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Speak plain HTTP, without credentials; anybody between here and there can listen
    #[arg(long, conflicts_with = "ca_file")]
    plain_http: bool,
}

impl RegistryArgs {
    /// The same in the words of the room that does it.
    pub(crate) fn access(self) -> Access {
        let RegistryArgs { auth_file, ca_file, plain_http } = self;
        let uid = rustix::process::getuid().as_raw();
        let credentials = match auth_file {
            Some(file) => CredentialFiles::only(file),
            None => CredentialFiles::usual(|name| std::env::var_os(name), uid),
        };
        let proxies = Proxies::of_variables(|name| std::env::var_os(name));
        Access { credentials, ca_file, plain_http, proxies, ..Access::default() }
    }
}
