//! Registries to talk to: the real one of Debian, and one that answers whatever a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
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
        let dir = tempfile::tempdir().unwrap();
        let unpacked = dir.path().join("deb");
        let status = Command::new("dpkg").arg("-x").arg(package()).arg(&unpacked).status().unwrap();
        assert!(status.success(), "dpkg -x failed");
        let address = free_port();
        let config = dir.path().join("config.yml");
        let storage = dir.path().join("storage");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n",
            storage.display()
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
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// With its length announced.
    Whole(Vec<u8>),
    /// The first half of what is announced.
    Cut(Vec<u8>),
    /// The bytes again and again, until the client has had enough.
    Endless(Vec<u8>),
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
}

pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) authorization: Option<String>,
}

/// Serves what `answer` says, for as long as the test process lives.
pub(crate) fn serve(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                // The client may hang up at any time.
                let _ = respond(connection, answer.as_ref());
            });
        }
    });
    address
}

fn respond(mut connection: TcpStream, answer: &dyn Fn(&Request) -> Answer) -> std::io::Result<()> {
    let Answer { status, headers, body } = answer(&read_request(&connection)?);
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Body::Whole(bytes) | Body::Cut(bytes) = &body {
        head += &format!("Content-Length: {}\r\n", bytes.len());
    }
    connection.write_all(format!("{head}\r\n").as_bytes())?;
    match body {
        Body::Whole(bytes) => connection.write_all(&bytes),
        Body::Cut(bytes) => connection.write_all(&bytes[..bytes.len() / 2]),
        Body::Endless(bytes) => loop {
            connection.write_all(&bytes)?;
        },
    }
}

fn read_request(connection: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut host, mut authorization) = (String::new(), None);
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                authorization = Some(value.to_owned());
            }
            Some((name, value)) if name.eq_ignore_ascii_case("host") => host = value.to_owned(),
            Some(_) => {}
            None => break,
        }
    }
    Ok(Request { path, host, authorization })
}
