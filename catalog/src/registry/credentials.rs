//! Who we are to a registry, from where `podman login` and `docker login` leave it (containers-auth.json(5); Docker's
//! cli/config/configfile): files, and the helper programs that they name.
//!
//! Nothing is read, and no program runs, before a registry has asked.

mod file;
mod helper;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use spec::{Diagnose, Outcome};

use crate::reference::RegistryReference;

/// The files in which to look for credentials, in order; the first that knows the registry decides.
#[derive(Debug, Clone, Default)]
pub struct CredentialFiles {
    files: Vec<PathBuf>,
    /// Were they named, so that a missing one is an error?
    named: bool,
}

/// What a file or a program says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A name and a password.
    Password { user: String, password: String },
    /// A token that the token service of the registry takes in place of both (OAuth 2, RFC 6749 section 6).
    Identity(String),
    /// A token that the registry itself takes.
    Registry(String),
}

/// What is wrong with what a user keeps for registries. No message holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("cannot read the credentials in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what the tools write.
    #[error("{}:{line}:{column} is not a file of credentials", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where the parser stopped.
        line: usize,
        /// Where the parser stopped.
        column: usize,
    },
    /// An entry has no name and password in it.
    #[error("the entry {key} in {} is not the Base64 form of NAME:PASSWORD", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The key of the entry.
        key: String,
    },
    /// A helper program did not do its work.
    #[error("the credential helper {program} that {} names {trouble}", path.display())]
    Helper {
        /// The file.
        path: PathBuf,
        /// The name of the program.
        program: String,
        /// What it did.
        trouble: String,
    },
}

impl CredentialFiles {
    /// The places of Podman and Docker for the user `uid` with these environment variables.
    pub fn usual(variable: impl Fn(&str) -> Option<OsString>, uid: u32) -> CredentialFiles {
        let dir = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = |rest: &str| dir("HOME").map(|home| home.join(rest));
        let run = dir("XDG_RUNTIME_DIR").map(|dir| dir.join("containers"));
        let run = run.unwrap_or_else(|| PathBuf::from(format!("/run/containers/{uid}")));
        let config = dir("XDG_CONFIG_HOME").or_else(|| home(".config")).map(|dir| dir.join("containers"));
        let docker = dir("DOCKER_CONFIG").or_else(|| home(".docker"));
        let files = [Some(run.join("auth.json"))]
            .into_iter()
            .chain([config.map(|dir| dir.join("auth.json")), docker.map(|dir| dir.join("config.json"))])
            .flatten();
        CredentialFiles { files: files.collect(), named: false }
    }

    /// This file and no other.
    pub fn only(file: impl Into<PathBuf>) -> CredentialFiles {
        CredentialFiles { files: vec![file.into()], named: true }
    }

    /// What there is for a repository. Runs helper programs, and waits for them.
    pub(super) fn find(
        &self,
        reference: &RegistryReference,
    ) -> Result<Option<Credentials>, CredentialsError> {
        for path in &self.files {
            let Some(file) = file::read(path, self.named)? else { continue };
            if let Some(found) = file.find(path, reference)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl Credentials {
    /// Who it is, for people.
    pub(super) fn user(&self) -> &str {
        match self {
            Credentials::Password { user, .. } => user,
            Credentials::Identity(_) | Credentials::Registry(_) => "the owner of the token",
        }
    }
}

impl CredentialsError {
    fn helper(path: &Path, program: &str, trouble: impl Into<String>) -> CredentialsError {
        let (path, program) = (path.to_owned(), program.to_owned());
        CredentialsError::Helper { path, program, trouble: trouble.into() }
    }
}

impl Diagnose for CredentialsError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            CredentialsError::Read { .. } => "make it readable, or name another one: --auth-file FILE".into(),
            CredentialsError::Malformed { .. } | CredentialsError::Entry { .. } => {
                "log in again: podman login, or docker login".into()
            }
            CredentialsError::Helper { program, .. } => {
                format!(
                    "try it: echo HOST | docker-credential-{program} get; or name a file without it: --auth-file FILE"
                )
            }
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Password { .. } => "Password(…)",
            Credentials::Identity(_) => "Identity(…)",
            Credentials::Registry(_) => "Registry(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> Vec<String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let files = CredentialFiles::usual(find, 7).files;
        files.iter().map(|file| file.display().to_string()).collect()
    }

    #[test]
    fn the_places_are_those_of_the_manual_in_its_order() {
        assert_eq!(
            places(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/user/7")]),
            ["/run/user/7/containers/auth.json", "/h/.config/containers/auth.json", "/h/.docker/config.json"]
        );
        assert_eq!(
            places(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("DOCKER_CONFIG", "/d")]),
            ["/run/containers/7/auth.json", "/c/containers/auth.json", "/d/config.json"]
        );
        assert_eq!(places(&[("XDG_RUNTIME_DIR", "")]), ["/run/containers/7/auth.json"]);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = || "hunter2".to_owned();
        let password = Credentials::Password { user: secret(), password: secret() };
        for credentials in [password, Credentials::Identity(secret()), Credentials::Registry(secret())] {
            assert!(!format!("{credentials:?}").contains("hunter2"));
        }
    }
}
