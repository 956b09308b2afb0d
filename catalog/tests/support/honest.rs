//! Pushing and pulling as tests do it, and a registry that is honest unless a test changes an answer of it.

#![allow(dead_code, reason = "not every test uses everything")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::descriptor::Descriptor;
use catalog::registry::{Patience, Pulled, Pushed};
use catalog::{
    Access, CatalogError, Found, Reference, Registry, RegistryError, RegistryReference, Store, Tag,
};
use spec::artifact::media;
use spec::{Diagnose, Digest, Outcome};

use crate::server::{Answer, Body, Request, serve};
use crate::support::{BUNDLE, add, files_besides_index, new_store};

/// Waits that a test can afford.
pub(crate) const PATIENCE: Patience = Patience {
    tries: 5,
    first_wait: Duration::from_millis(5),
    longest_wait: Duration::from_secs(2),
    stall: Duration::from_secs(10),
    total: Duration::from_secs(15),
};

pub(crate) fn access() -> Access {
    Access { patience: PATIENCE, ..Access::default() }
}

pub(crate) fn reference(address: SocketAddr, rest: &str) -> RegistryReference {
    match format!("{address}/{rest}").parse() {
        Ok(Reference::Registry(reference)) => reference,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn push(
    store: &Store,
    extension: &Descriptor,
    to: &RegistryReference,
) -> Result<Pushed, RegistryError> {
    let registry = Registry::new(to.clone(), access());
    registry.push(&store.layout().unwrap(), &Found::manifest(extension.clone()), &mut |_| {})
}

pub(crate) fn pull(from: &RegistryReference, store: &Store) -> Result<Pulled, RegistryError> {
    Registry::new(from.clone(), access()).pull(store.dir(), &mut |_| {})
}

/// What an honest registry answers for one signed extension, by path, for a test to change.
pub(crate) struct Honest {
    pub(crate) answers: BTreeMap<String, Answer>,
    pub(crate) manifest: Descriptor,
    pub(crate) image: Descriptor,
    pub(crate) config: Descriptor,
}

pub(crate) const REPOSITORY: &str = "/v2/ext/hello";

impl Honest {
    pub(crate) fn new() -> Honest {
        let (_dir, store) = new_store();
        let manifest = add(&store, "hello", "1.0.0");
        let signature = store.attach_signature(&manifest, BUNDLE).unwrap();
        let layout = store.layout().unwrap();
        let parts = layout.read_parts(&manifest).unwrap();
        let bytes = |blob: &Descriptor| layout.blob(blob, 1 << 30).unwrap();
        let tag = Tag::of_referrers(&manifest.digest);
        let list = layout.index().manifests.iter().find(|listed| listed.tag() == Some(tag.as_str())).unwrap();

        let mut answers = BTreeMap::new();
        let mut put = |path: String, answer| answers.insert(format!("{REPOSITORY}/{path}"), answer);
        put("manifests/1.0.0".into(), Answer::ok(media::MANIFEST, &bytes(&manifest)));
        put(format!("manifests/{}", manifest.digest), Answer::ok(media::MANIFEST, &bytes(&manifest)));
        put(format!("manifests/{tag}"), Answer::ok(media::INDEX, &bytes(list)));
        put(format!("manifests/{}", signature.digest), Answer::ok(media::MANIFEST, &bytes(&signature)));
        put(format!("blobs/{}", Digest::of(BUNDLE)), Answer::ok("application/octet-stream", BUNDLE));
        for blob in parts.blobs() {
            put(format!("blobs/{}", blob.digest), Answer::ok("application/octet-stream", &bytes(blob)));
        }
        Honest { answers, manifest, image: parts.image, config: parts.config }
    }

    pub(crate) fn change(mut self, path: &str, change: impl FnOnce(&mut Answer)) -> Honest {
        change(self.answers.get_mut(&format!("{REPOSITORY}/{path}")).unwrap());
        self
    }

    pub(crate) fn serve(self) -> SocketAddr {
        serve(move |request| self.answer(request))
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        self.answers.get(&request.path).cloned().unwrap_or_else(|| Answer::status("404 Not Found"))
    }

    /// Serves, but the image as `image` says, which is given its bytes; the second result has all requests for it.
    pub(crate) fn serve_image(
        self,
        image: impl Fn(&Request, &[u8]) -> Answer + Send + Sync + 'static,
    ) -> (SocketAddr, Arc<Mutex<Vec<Request>>>) {
        let path = format!("{REPOSITORY}/blobs/{}", self.image.digest);
        let bytes = bytes_of(&self.answers[&path]);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let address = serve(move |request| {
            if request.path != path {
                return self.answer(request);
            }
            log.lock().unwrap().push(request.clone());
            image(request, &bytes)
        });
        (address, asked)
    }
}

pub(crate) fn bytes_of(answer: &Answer) -> Vec<u8> {
    match &answer.body {
        Body::Whole(bytes)
        | Body::Cut(bytes)
        | Body::Unannounced(bytes)
        | Body::Endless(bytes)
        | Body::Trickle(bytes, _) => bytes.clone(),
        Body::Silence(_) => Vec::new(),
    }
}

/// Pulls from a registry that lies; nothing may stay in the store, and it must not take long.
pub(crate) fn refused(address: SocketAddr, rest: &str) -> RegistryError {
    refused_with(access(), address, rest)
}

pub(crate) fn refused_with(access: Access, address: SocketAddr, rest: &str) -> RegistryError {
    let started = Instant::now();
    let (_dir, store) = new_store();
    let registry = Registry::new(reference(address, rest), access);
    let error = registry.pull(store.dir(), &mut |_| {}).expect_err("the lie was believed");
    assert_eq!(files_besides_index(store.dir()), [""; 0]);
    assert!(store.layout().unwrap().index().manifests.is_empty());
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(error.hint().is_some(), "{error}");
    error
}

pub(crate) fn sent(error: &RegistryError) -> &CatalogError {
    assert_eq!(error.outcome(), Outcome::Refused, "{error}");
    match error {
        RegistryError::Sent { source, .. } => source,
        other => panic!("{other:?}"),
    }
}
