//! A registry in memory that takes what it is given (distribution-spec 1.1), with a list of referrers or without.

#![allow(dead_code, reason = "not every test uses everything")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use catalog::descriptor::Descriptor;
use catalog::document::{Index, Manifest};
use spec::Digest;
use spec::artifact::media;

use crate::server::{Answer, Body, Request, serve_with_bodies};

pub(crate) struct Memory {
    pub(crate) address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
}

/// What the registry has, each by `REPOSITORY/KIND/NAME`.
#[derive(Default)]
pub(crate) struct Shelf {
    /// Manifests and indexes, with their media types.
    pub(crate) documents: BTreeMap<String, (String, Vec<u8>)>,
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// Blobs that were taken over from another repository.
    pub(crate) mounted: Vec<String>,
    /// Does it keep the lists of referrers itself?
    pub(crate) has_api: bool,
    /// How many referrers are on a page of their list; all where it is not said.
    pub(crate) page: Option<usize>,
    /// What the header `Link` says in place of the truth, from the page on that begins at this number.
    pub(crate) link: Option<(usize, String)>,
    /// What another writer puts into the place of the next list of referrers.
    pub(crate) rivals: Vec<Vec<u8>>,
}

impl Memory {
    pub(crate) fn without_api() -> Memory {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let served = Arc::clone(&shelf);
        let address = serve_with_bodies(move |request, body| {
            let mut bytes = Vec::new();
            body.read_to_end(&mut bytes).unwrap();
            served.lock().unwrap().answer(request, bytes)
        });
        Memory { address, shelf }
    }

    pub(crate) fn with_api() -> Memory {
        let memory = Memory::without_api();
        memory.shelf().has_api = true;
        memory
    }

    pub(crate) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// The index under a name; none where there is nothing.
    pub(crate) fn index(&self, repository: &str, name: &str) -> Option<Index> {
        let shelf = self.shelf();
        let (media_type, bytes) = shelf.documents.get(&format!("{repository}/manifests/{name}"))?;
        Some(Index::parse(bytes, &Descriptor::of(media_type, bytes)).unwrap())
    }
}

impl Shelf {
    fn answer(&mut self, request: &Request, body: Vec<u8>) -> Answer {
        let path = request.path.strip_prefix("/v2/").unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let of = |kind: &str| path.split_once(kind);
        match request.method.as_str() {
            "POST" => self.start(path, query),
            "PATCH" => {
                self.blobs.insert(path.to_owned(), body);
                Answer::status("202 Accepted").header("Location", &request.path)
            }
            "PUT" if path.contains("/blobs/uploads/") => self.finish(path, query),
            "PUT" => self.put(path, request.header("content-type").unwrap(), body),
            _ if of("/blobs/").is_some() => found(self.blobs.get(path), "application/octet-stream"),
            _ => match of("/referrers/") {
                Some((repository, subject)) if self.has_api => self.referrers(repository, subject, query),
                _ => match self.documents.get(path) {
                    Some((media_type, bytes)) => found(Some(bytes), media_type),
                    None => Answer::status("404 Not Found"),
                },
            },
        }
    }

    fn start(&mut self, path: &str, query: &str) -> Answer {
        let repository = path.strip_suffix("/blobs/uploads/").unwrap();
        let asked: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        if let (Some(digest), Some(from)) = (asked.get("mount"), asked.get("from"))
            && let Some(bytes) = self.blobs.get(&format!("{from}/blobs/{digest}")).cloned()
        {
            self.blobs.insert(format!("{repository}/blobs/{digest}"), bytes);
            self.mounted.push((*digest).to_owned());
            return Answer::status("201 Created");
        }
        let session = format!("/v2/{path}{}", self.blobs.len());
        self.blobs.insert(session.trim_start_matches("/v2/").to_owned(), Vec::new());
        Answer::status("202 Accepted").header("Location", session)
    }

    fn finish(&mut self, path: &str, query: &str) -> Answer {
        let digest = query.strip_prefix("digest=").unwrap().replace("%3A", ":");
        let bytes = self.blobs.remove(path).unwrap();
        assert_eq!(Digest::of(&bytes).to_string(), digest);
        let (repository, _) = path.split_once("/blobs/").unwrap();
        self.blobs.insert(format!("{repository}/blobs/{digest}"), bytes);
        Answer::status("201 Created")
    }

    /// As real ones do, it refuses a document that names what it does not have.
    fn put(&mut self, path: &str, media_type: &str, body: Vec<u8>) -> Answer {
        let (repository, name) = path.split_once("/manifests/").unwrap();
        let described = Descriptor::of(media_type, &body);
        let has_all = match media_type == media::INDEX {
            true => Index::parse(&body, &described).unwrap().manifests.iter().all(|listed| {
                self.documents.contains_key(&format!("{repository}/manifests/{}", listed.digest))
            }),
            false => {
                let Manifest { config, layers, .. } = Manifest::parse(&body, &described).unwrap();
                let has = |blob: &Descriptor| {
                    self.blobs.contains_key(&format!("{repository}/blobs/{}", blob.digest))
                };
                has(&config) && layers.iter().all(has)
            }
        };
        if !has_all {
            return Answer::status("400 Bad Request");
        }
        let document = match name.starts_with("sha256-") && !self.rivals.is_empty() {
            true => self.rivals.remove(0),
            false => body.clone(),
        };
        self.documents.insert(path.to_owned(), (media_type.to_owned(), document));
        let by_digest = format!("{repository}/manifests/{}", described.digest);
        self.documents.insert(by_digest, (media_type.to_owned(), body));
        Answer::status("201 Created")
    }

    fn referrers(&self, repository: &str, subject: &str, query: &str) -> Answer {
        let prefix = format!("{repository}/manifests/sha256:");
        let mut list = Vec::new();
        for (_, (media_type, bytes)) in self.documents.iter().filter(|(path, _)| path.starts_with(&prefix)) {
            let described = Descriptor::of(media_type, bytes);
            let Ok(manifest) = Manifest::parse(bytes, &described) else { continue };
            if manifest.subject.is_some_and(|found| found.digest.to_string() == subject) {
                list.push(Descriptor { artifact_type: manifest.artifact_type, ..described });
            }
        }
        self.page_of(&list, query.strip_prefix("from=").map_or(0, |from| from.parse().unwrap()))
    }

    /// The part of a list that begins at `from`, with the address of the next one relative to its own.
    fn page_of(&self, list: &[Descriptor], from: usize) -> Answer {
        let rest = &list[from..];
        let size = self.page.unwrap_or(rest.len()).min(rest.len());
        let answer = Answer::ok(media::INDEX, &index_of(&rest[..size]));
        match &self.link {
            Some((since, link)) if from >= *since => answer.header("Link", link),
            _ if size < rest.len() => answer.header("Link", format!("<?from={}>; rel=\"next\"", from + size)),
            _ => answer,
        }
    }
}

/// The bytes of an index.
pub(crate) fn index_of(list: &[Descriptor]) -> Vec<u8> {
    let list = serde_json::to_string(list).unwrap();
    format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":{list}}}"#, media::INDEX).into_bytes()
}

fn found(bytes: Option<&Vec<u8>>, media_type: &str) -> Answer {
    match bytes {
        Some(bytes) => Answer { body: Body::Whole(bytes.clone()), ..Answer::ok(media_type, b"") },
        None => Answer::status("404 Not Found"),
    }
}
