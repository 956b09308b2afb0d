//! Registries to talk to: the real one of Debian, and one that answers whatever a test wants.

#![allow(dead_code, reason = "not every test uses everything")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// `docker-registry` on a port of the loopback interface; it ends with the value.
pub(crate) struct RealRegistry {
    pub(crate) address: SocketAddr,
    process: Child,
    _dir: TempDir,
}

impl RealRegistry {
    pub(crate) fn start() -> RealRegistry {
        RealRegistry::start_with(|_| String::new())
    }

    /// One that `somebody` gets into with the password `open sesame`.
    pub(crate) fn start_with_password() -> RealRegistry {
        RealRegistry::start_with(|dir| {
            let file = dir.join("htpasswd");
            // bcrypt by crypt(3) of glibc.
            std::fs::write(&file, "somebody:$2b$04$SHgScrewOL8G3IebPfYBGO7LiSsYPpPMwcQahlR8Igpvnefsw9a2q\n")
                .unwrap();
            format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", file.display())
        })
    }

    fn start_with(settings: impl FnOnce(&Path) -> String) -> RealRegistry {
        let dir = tempfile::tempdir().unwrap();
        let unpacked = dir.path().join("deb");
        let status = Command::new("dpkg").arg("-x").arg(package()).arg(&unpacked).status().unwrap();
        assert!(status.success(), "dpkg -x failed");
        let address = free_port();
        let config = dir.path().join("config.yml");
        let storage = dir.path().join("storage");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n{}",
            storage.display(),
            settings(dir.path())
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new(unpacked.join("usr/bin/docker-registry"))
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = RealRegistry { address, process, _dir: dir };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "docker-registry does not listen on {address}");
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn package() -> PathBuf {
    let inputs = std::env::var("TENON_INPUTS").expect(
        "TENON_INPUTS is not set: run `cargo xtask test`, which fetches the packages that tests need",
    );
    let debs = PathBuf::from(inputs).join("debs");
    let mut names = std::fs::read_dir(&debs).unwrap().map(|entry| entry.unwrap().path());
    let is_registry =
        |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("docker-registry_");
    names.find(is_registry).unwrap_or_else(|| panic!("no docker-registry_*.deb in {}", debs.display()))
}

/// An address on which nobody listens.
pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// One answer of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// With its length announced.
    Whole(Vec<u8>),
    /// The first half of what is announced.
    Cut(Vec<u8>),
    /// Without its length: the end of the connection is its end.
    Unannounced(Vec<u8>),
    /// The bytes again and again, until the client has had enough.
    Endless(Vec<u8>),
    /// The bytes one at a time, with a pause after each.
    Trickle(Vec<u8>, Duration),
    /// No answer at all, for so long.
    Silence(Duration),
}

impl Answer {
    pub(crate) fn ok(media_type: &str, bytes: &[u8]) -> Answer {
        Answer {
            status: "200 OK",
            headers: vec![("Content-Type", media_type.to_owned())],
            body: Body::Whole(bytes.to_vec()),
        }
    }

    pub(crate) fn status(status: &'static str) -> Answer {
        Answer { status, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Answer {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The connection ends without an answer.
    pub(crate) fn hang_up() -> Answer {
        Answer { body: Body::Silence(Duration::ZERO), ..Answer::status("") }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// With their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Serves what `answer` says, for as long as the test process lives.
pub(crate) fn serve(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> SocketAddr {
    serve_with_bodies(move |request, _| answer(request))
}

/// The same for an `answer` that reads the body of the request, as far as it likes.
pub(crate) fn serve_with_bodies(
    answer: impl Fn(&Request, &mut dyn Read) -> Answer + Send + Sync + 'static,
) -> SocketAddr {
    serve_on(Some, answer)
}

/// The same on connections that `wrap` has made ready.
pub(crate) fn serve_on<C: Read + Write>(
    wrap: impl Fn(TcpStream) -> Option<C> + Send + Sync + 'static,
    answer: impl Fn(&Request, &mut dyn Read) -> Answer + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new((wrap, answer));
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let (wrap, answer) = shared.as_ref();
                // The client may hang up at any time.
                wrap(connection).map(|connection| respond(connection, answer))
            });
        }
    });
    address
}

fn respond(
    mut connection: impl Read + Write,
    answer: &dyn Fn(&Request, &mut dyn Read) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut connection);
    let request = read_request(&mut reader)?;
    if request.path.is_empty() {
        return Ok(());
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let Answer { status, headers, body } = answer(&request, &mut reader.take(length));
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Body::Whole(bytes) | Body::Cut(bytes) | Body::Trickle(bytes, _) = &body {
        head += &format!("Content-Length: {}\r\n", bytes.len());
    }
    if let Body::Silence(time) = body {
        std::thread::sleep(time);
        return Ok(());
    }
    connection.write_all(format!("{head}\r\n").as_bytes())?;
    match body {
        _ if request.method == "HEAD" => {}
        Body::Whole(bytes) | Body::Unannounced(bytes) => connection.write_all(&bytes)?,
        Body::Cut(bytes) => connection.write_all(&bytes[..bytes.len() / 2])?,
        Body::Endless(bytes) => loop {
            connection.write_all(&bytes)?;
        },
        Body::Trickle(bytes, pause) => {
            for byte in bytes {
                connection.write_all(&[byte])?;
                connection.flush()?;
                std::thread::sleep(pause);
            }
        }
        Body::Silence(_) => {}
    }
    connection.flush()
}

fn read_request(connection: &mut impl BufRead) -> std::io::Result<Request> {
    let mut lines = connection.lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    Ok(Request { method, path, headers })
}
