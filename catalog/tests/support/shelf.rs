//! A registry that keeps what it is sent, and breaks off where a test wants it to.

#![allow(dead_code, reason = "not every test uses everything")]

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use spec::Digest;
use spec::artifact::media;

use crate::honest::REPOSITORY;
use crate::server::{Answer, Request, serve_with_bodies};

/// What a registry does instead of what the specification says; a request of a kind takes the next of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Takes so many bytes of an upload that is longer, and hangs up.
    Break(usize),
    /// Takes so many bytes of an upload, reads on, and says how many it has.
    Keep(usize),
    /// Answers an upload with this.
    Refuse(Answer),
    /// Stores the finished blob and hangs up without an answer.
    Swallow,
    /// Answers the wish to take a blob over from another repository with this.
    Mount(Answer),
    /// Answers the question how far an upload is with this.
    Progress(Answer),
}

#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) manifests: BTreeMap<String, Vec<u8>>,
    /// Each session of uploads with what it has got.
    pub(crate) uploads: Vec<Vec<u8>>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) requests: Vec<Request>,
    /// Bytes of blobs that were read from the network.
    pub(crate) read: usize,
}

impl Shelf {
    pub(crate) fn serve(faults: impl IntoIterator<Item = Fault>) -> (SocketAddr, Arc<Mutex<Shelf>>) {
        let shelf = Arc::new(Mutex::new(Shelf { faults: faults.into_iter().collect(), ..Shelf::default() }));
        let shared = Arc::clone(&shelf);
        let address = serve_with_bodies(move |request, body| shared.lock().unwrap().answer(request, body));
        (address, shelf)
    }

    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        let is = |request: &&Request| request.method == method && request.path.contains(part);
        self.requests.iter().filter(is).count()
    }

    fn fault<T>(&mut self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let at = self.faults.iter().position(|fault| pick(fault).is_some())?;
        pick(&self.faults.remove(at))
    }

    pub(crate) fn answer(&mut self, request: &Request, body: &mut dyn Read) -> Answer {
        self.requests.push(request.clone());
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let path = path.strip_prefix(REPOSITORY).unwrap().trim_start_matches('/');
        let missing = || Answer::status("404 Not Found");
        match (request.method.as_str(), path.rsplit_once('/').unwrap()) {
            ("HEAD" | "GET", ("blobs", digest)) => {
                self.blobs.get(digest).map_or_else(missing, |bytes| Answer::ok("", bytes))
            }
            ("GET", ("manifests", name)) => {
                let found = self.manifests.get(name);
                found.map_or_else(missing, |bytes| {
                    let is_list = name.starts_with("sha256-");
                    Answer::ok(if is_list { media::INDEX } else { media::MANIFEST }, bytes)
                })
            }
            ("PUT", ("manifests", name)) => {
                let mut bytes = Vec::new();
                body.read_to_end(&mut bytes).unwrap();
                self.manifests.insert(Digest::of(&bytes).to_string(), bytes.clone());
                self.manifests.insert(name.to_owned(), bytes);
                Answer::status("201 Created")
            }
            ("POST", ("blobs/uploads", "")) => {
                let fault = self.fault(|fault| match fault {
                    Fault::Mount(answer) if query.starts_with("mount=sha256:") => Some(answer.clone()),
                    _ => None,
                });
                if let Some(answer) = fault {
                    return answer;
                }
                self.uploads.push(Vec::new());
                session("202 Accepted", self.uploads.len() - 1)
            }
            ("GET", ("blobs/uploads", number)) => self.progress(number.parse().unwrap()),
            ("PATCH", ("blobs/uploads", number)) => self.patch(number.parse().unwrap(), request, body),
            ("PUT", ("blobs/uploads", number)) => self.close(number.parse().unwrap(), query),
            _ => missing(),
        }
    }

    fn progress(&mut self, number: usize) -> Answer {
        let fault = self.fault(|fault| match fault {
            Fault::Progress(answer) => Some(answer.clone()),
            _ => None,
        });
        let last = self.uploads[number].len().saturating_sub(1);
        fault.unwrap_or_else(|| session("204 No Content", number).header("Range", format!("0-{last}")))
    }

    fn patch(&mut self, number: usize, request: &Request, body: &mut dyn Read) -> Answer {
        let (at, length) = (self.uploads[number].len(), request.header("content-length").unwrap());
        let end = at + length.parse::<usize>().unwrap();
        assert_eq!(request.header("content-type"), Some("application/octet-stream"));
        if request.header("content-range") != Some(format!("{at}-{}", end - 1).as_str()) {
            return Answer::status("416 Range Not Satisfiable");
        }
        let fault = self.fault(|fault| {
            let is_here = match fault {
                Fault::Break(most) => at + most < end,
                Fault::Keep(_) | Fault::Refuse(_) => true,
                Fault::Swallow | Fault::Mount(_) | Fault::Progress(_) => false,
            };
            is_here.then(|| fault.clone())
        });
        let mut bytes = Vec::new();
        let most = if let Some(Fault::Break(most)) = fault { most as u64 } else { u64::MAX };
        // A client that gives up hangs up.
        let _ = body.take(most).read_to_end(&mut bytes);
        self.read += bytes.len();
        match fault {
            Some(Fault::Refuse(answer)) => return answer,
            Some(Fault::Keep(most)) => bytes.truncate(most),
            _ => {}
        }
        self.uploads[number].extend(bytes);
        match fault {
            Some(Fault::Break(_)) => Answer::hang_up(),
            _ => {
                let last = self.uploads[number].len() - 1;
                session("202 Accepted", number).header("Range", format!("0-{last}"))
            }
        }
    }

    fn close(&mut self, number: usize, query: &str) -> Answer {
        let digest = query.split('&').find_map(|pair| pair.strip_prefix("digest=")).unwrap();
        let digest = digest.replace("%3A", ":");
        if Digest::of(&self.uploads[number]).to_string() != digest {
            return Answer::status("400 Bad Request");
        }
        self.blobs.insert(digest, self.uploads[number].clone());
        let swallow = self.fault(|fault| (*fault == Fault::Swallow).then_some(()));
        swallow.map_or_else(|| Answer::status("201 Created"), |()| Answer::hang_up())
    }
}

fn session(status: &'static str, number: usize) -> Answer {
    // A relative address, with a query that must be kept.
    Answer::status(status).header("Location", format!("{REPOSITORY}/blobs/uploads/{number}?state=x"))
}

/// The lock, whatever became of the thread that had it.
pub(crate) fn look(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap()
}
