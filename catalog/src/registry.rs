//! Extensions to and from a registry (OCI distribution-spec 1.1).
//!
//! A registry is a stranger that may be hostile: every answer is bounded in size, everything that is stored was
//! named by a digest first, and a tag is looked up once. It learns who we are when it asks, and where credentials for
//! it are; nobody else does. TLS is spoken with all but this machine (`localhost`, `127.0.0.0/8`, `[::1]`), unless a user
//! says otherwise ([`Access`]).
//!
//! What passes by itself is tried again, with growing waits, and a transfer that broke off goes on where it was
//! ([`Patience`]). Who gets credentials is in `token.rs`, where redirects lead in `place.rs`.
//!
//! The HTTP client is asynchronous; nothing else here is, so each call runs it on a runtime of its own and
//! blocks. Do not call from within an asynchronous runtime.

mod access;
mod answer;
mod challenge;
mod content;
mod credentials;
mod error;
mod link;
mod meter;
mod place;
mod proxy;
mod pull;
mod push;
mod range;
mod receive;
mod referrers;
mod retry;
mod send;
mod session;
mod simple;
mod subject;
mod tls;
mod token;

use std::path::Path;
use std::time::Duration;

use spec::Arch;

use crate::descriptor::Descriptor;
use crate::error::CatalogError;
use crate::layout::Layout;
use crate::platforms::Found;
use crate::reference::{RegistryReference, Repository};
pub use access::{Access, Patience};
pub use credentials::{CredentialFiles, CredentialsError};
pub use error::RegistryError;
pub use proxy::Proxies;
use session::{Purpose, Session};
pub use subject::Subject;

/// How many blobs are on their way at a time. An extension has four at most; each takes a few pieces of memory.
const TRANSFERS: usize = 4;

/// How long is waited for threads whose work is over or worth nothing any more.
const ENDING: Duration = Duration::from_secs(1);

/// A repository of a registry, for one artifact. Making one does not connect.
#[derive(Debug, Clone)]
pub struct Registry {
    reference: RegistryReference,
    access: Access,
    mount_from: Option<Repository>,
    only: Option<Arch>,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that have been moved, or were there already.
    pub done: u64,
    /// Bytes of all blobs of the extension, for all architectures that are moved.
    pub total: u64,
}

/// What a pull has brought.
#[derive(Debug)]
pub struct Pulled {
    /// The manifest or index as the store lists it.
    pub descriptor: Descriptor,
    /// How many signatures came with it, those of the manifests of an index among them.
    pub signatures: usize,
    /// Signatures that the registry lists and that are broken.
    pub skipped: Vec<CatalogError>,
}

/// What a push has sent.
#[derive(Debug)]
pub struct Pushed {
    /// How many signatures went with the extension.
    pub signatures: usize,
    /// Signatures in the layout that are broken and stayed behind.
    pub skipped: Vec<CatalogError>,
}

impl Registry {
    /// The artifact at `reference`, reached as `access` says.
    pub fn new(reference: RegistryReference, access: Access) -> Registry {
        Registry { reference, access, mount_from: None, only: None }
    }

    /// Has a pull take only the manifest for `arch`, and of an index the index itself.
    pub fn only(self, arch: Option<Arch>) -> Registry {
        Registry { only: arch, ..self }
    }

    /// Lets a push take blobs over from another repository of the same registry, where it has them, and not send them.
    pub fn mounting_from(self, repository: Option<Repository>) -> Registry {
        Registry { mount_from: repository, ..self }
    }

    /// Sends what was found in `layout` and its signatures; what the registry has already is not sent again.
    ///
    /// The manifest, or the index of several, gets the tag of the reference, `latest` without one; the manifests of an
    /// index are there before it is.
    pub fn push(
        &self,
        layout: &Layout,
        found: &Found,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Pushed, RegistryError> {
        let mount_from = self.mount_from.as_ref();
        self.run(Purpose::Push { mount_from }, async |session| {
            push::push(session, layout, found, progress).await
        })
    }

    /// Brings an extension and its signatures into the layout at `dir`, where it gets the tag `NAME-VERSION` of its
    /// config. A tag that names another manifest for the same platform is refused: the registry chose the config. Of an
    /// index all manifests come, or [`only`](Registry::only) one, and the index itself as it is.
    ///
    /// The layout is opened, or made as by [`Store::create_or_open`](crate::Store::create_or_open), once the registry
    /// has given the manifest and the config of an extension. Nothing is added to it until all blobs are there and
    /// right. Whether the signatures are good is not looked at.
    pub fn pull(&self, dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Pulled, RegistryError> {
        self.run(Purpose::Pull, async |session| pull::pull(session, dir, self.only, progress).await)
    }

    fn run<T>(
        &self,
        purpose: Purpose<'_>,
        work: impl AsyncFnOnce(&Session<'_>) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        // Fails only where the program has chosen a provider already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| RegistryError::setup(Subject::artifact(&self.reference), source))?;
        let result = runtime.block_on(async {
            let session = Session::new(&self.reference, &self.access, purpose)?;
            work(&session).await
        });
        // A thread that writes takes its file away; one that looks up a name cannot be cancelled, and must not delay the
        // error for long.
        runtime.shutdown_timeout(ENDING);
        result
    }
}
