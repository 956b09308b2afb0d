//! The files `auth.json` and `config.json`: entries by registry, and which program has more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::{Credentials, CredentialsError, helper};
use crate::reference::RegistryReference;

/// Longest file that is read, in bytes: thousands of entries.
const FILE_MAX: u64 = 1 << 20;
/// Docker Hub as references name it, as files do, and as helpers are asked for it
/// (github.com/docker/cli, cli/config/configfile).
const HUB: &str = "docker.io";
const HUB_INDEX: &str = "index.docker.io";
const HUB_SERVER: &str = "https://index.docker.io/v1/";

/// What is read of a file; the tools keep more in it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AuthFile {
    auths: Option<BTreeMap<String, Entry>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Reads a file; `None` where there is none and none must be.
pub(super) fn read(path: &Path, named: bool) -> Result<Option<AuthFile>, CredentialsError> {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !named => return Ok(None),
        Err(source) => return Err(CredentialsError::Read { path: path.to_owned(), source }),
    };
    // The parser's own message may quote a secret.
    let malformed = |error: serde_json::Error| CredentialsError::Malformed {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
    };
    serde_json::from_slice(&text).map(Some).map_err(malformed)
}

fn read_text(path: &Path) -> io::Result<Vec<u8>> {
    // A link is fine: people keep such files elsewhere. A pipe would never end.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut text)?;
    match text.len() as u64 > FILE_MAX {
        true => Err(io::Error::other(format!("it has more than {FILE_MAX} bytes"))),
        false => Ok(text),
    }
}

impl AuthFile {
    /// What the file at `path` has for a repository: of the program for its registry, or for all; else its own.
    pub(super) fn find(
        &self,
        path: &Path,
        reference: &RegistryReference,
    ) -> Result<Option<Credentials>, CredentialsError> {
        let host = reference.host.to_string();
        let hub = host == HUB;
        let helpers = self.cred_helpers.iter().flatten();
        let helper = helpers.filter(|(key, _)| is_registry(key, &host)).map(|(_, program)| program).next();
        if let Some(program) = helper.or(self.creds_store.as_ref()).filter(|program| !program.is_empty()) {
            let server = if hub { HUB_SERVER } else { &host };
            let found = helper::get(program, server);
            let found =
                found.map_err(|trouble| CredentialsError::helper(path, program, trouble.to_string()))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let mut keys = namespaces(&host, &reference.repository.to_string());
        keys.extend(hub.then(|| HUB_INDEX.to_owned()));
        for wanted in keys {
            for (key, entry) in self.auths.iter().flatten().filter(|(key, _)| normal(key) == wanted) {
                if let Some(found) = entry.credentials(path, key)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

impl Entry {
    /// `None` where the entry only says that a helper has more.
    fn credentials(&self, path: &Path, key: &str) -> Result<Option<Credentials>, CredentialsError> {
        let some = |token: &Option<String>| token.clone().filter(|token| !token.is_empty());
        if let Some(token) = some(&self.identitytoken) {
            return Ok(Some(Credentials::Identity(token)));
        }
        if let Some(token) = some(&self.registrytoken) {
            return Ok(Some(Credentials::Registry(token)));
        }
        let Some(auth) = some(&self.auth) else { return Ok(None) };
        let wrong = || CredentialsError::Entry { path: path.to_owned(), key: key.to_owned() };
        let text = BASE64_STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(wrong)?;
        let (user, password) = text.split_once(':').ok_or_else(wrong)?;
        // Docker pads with zero bytes.
        let password = password.trim_end_matches('\0');
        Ok(Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() }))
    }
}

/// `host/a/b`, `host/a`, `host`: the most special first, as containers-auth.json(5) has it.
fn namespaces(host: &str, repository: &str) -> Vec<String> {
    let mut keys = vec![format!("{host}/{repository}")];
    while let Some((shorter, _)) = keys.last().and_then(|key| key.rsplit_once('/')) {
        let shorter = shorter.to_owned();
        keys.push(shorter);
    }
    keys
}

/// The key of an entry without what Docker puts around a host: a scheme, and `/v1/` or `/v2/`.
fn normal(key: &str) -> &str {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    match bare {
        Some(bare) => bare.split('/').next().unwrap_or(bare),
        None => key.trim_end_matches('/'),
    }
}

fn is_registry(key: &str, host: &str) -> bool {
    normal(key) == host || (host == HUB && normal(key) == HUB_INDEX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference::Reference;

    fn find(json: &str, reference: &str) -> Result<Option<Credentials>, CredentialsError> {
        let Ok(Reference::Registry(reference)) = reference.parse() else { panic!("{reference}") };
        let file: AuthFile = serde_json::from_str(json).unwrap();
        file.find(Path::new("auth.json"), &reference)
    }

    fn password(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Password { user: user.into(), password: password.into() })
    }

    /// Base64 by the tool of the system is `YTpi` for `a:b`.
    #[test]
    fn an_entry_is_found_however_its_key_is_written() {
        for key in
            ["r.example", "https://r.example", "https://r.example/v1/", "http://r.example/v2/", "r.example/"]
        {
            let json = format!(r#"{{"auths": {{"{key}": {{"auth": "YTpi"}}}}}}"#);
            assert_eq!(find(&json, "r.example/x/y:1").unwrap(), password("a", "b"), "{key}");
            for other in ["r.example:444/x", "q.example/x", "r.example.evil.example/x", "xr.example/x"] {
                assert_eq!(find(&json, other).unwrap(), None, "{key} {other}");
            }
        }
    }

    #[test]
    fn docker_hub_is_found_under_each_of_its_names() {
        for key in ["docker.io", "index.docker.io", "https://index.docker.io/v1/"] {
            let json = format!(r#"{{"auths": {{"{key}": {{"auth": "YTpi"}}}}}}"#);
            assert_eq!(find(&json, "docker.io/library/x").unwrap(), password("a", "b"), "{key}");
        }
    }

    #[test]
    fn the_most_special_entry_decides() {
        let json = r#"{"auths": {"r.example": {"auth": "YTpi"}, "r.example/x": {"auth": "Yzpk"},
            "r.example/x/y": {"auth": "ZTpmOmcAAA=="}}, "credHelpers": null, "HttpHeaders": {"a": "b"}}"#;
        assert_eq!(find(json, "r.example/z").unwrap(), password("a", "b"));
        assert_eq!(find(json, "r.example/x/z").unwrap(), password("c", "d"));
        assert_eq!(find(json, "r.example/x/y").unwrap(), password("e", "f:g"));
        assert_eq!(find(json, "r.example/xx").unwrap(), password("a", "b"));
    }

    #[test]
    fn tokens_are_told_apart_and_empty_entries_passed_over() {
        let json = r#"{"auths": {"i.example": {"auth": "YTpi", "identitytoken": "t"},
            "r.example": {"registrytoken": "t"}, "e.example": {}}}"#;
        assert_eq!(find(json, "i.example/x").unwrap(), Some(Credentials::Identity("t".into())));
        assert_eq!(find(json, "r.example/x").unwrap(), Some(Credentials::Registry("t".into())));
        assert_eq!(find(json, "e.example/x").unwrap(), None);
        assert_eq!(find("{}", "e.example/x").unwrap(), None);
        assert_eq!(find(r#"{"auths": null}"#, "e.example/x").unwrap(), None);
    }

    #[test]
    fn what_is_broken_is_named_without_its_secret() {
        for auth in ["hunter2!", "aHVudGVyMg==", "/w=="] {
            let json = format!(r#"{{"auths": {{"r.example": {{"auth": "{auth}"}}}}}}"#);
            let error = find(&json, "r.example/x").unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(
                text.contains("r.example") && !text.contains(auth) && !text.contains("hunter2"),
                "{text}"
            );
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, "{\n \"auths\": {\"r.example\": \"hunter2\"}}").unwrap();
        let Err(error) = read(&path, false) else { panic!("it was read") };
        assert!(error.to_string().contains("config.json:2:"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn only_a_regular_file_of_some_size_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        assert!(read(&path, false).unwrap().is_none());
        assert!(read(&path, true).is_err());
        assert!(read(dir.path(), false).is_err());
        std::fs::write(&path, vec![b' '; FILE_MAX as usize + 1]).unwrap();
        assert!(read(&path, false).is_err());
        std::fs::write(&path, "{}").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read(&link, true).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn any_key_is_compared(key in "\\PC*") {
            let _ = is_registry(&key, "r.example");
        }
    }
}
