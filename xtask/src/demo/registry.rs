//! A real registry on this machine, for as long as it is needed: Debian's docker-registry.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// How long it may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running registry; it ends with this value.
#[derive(Debug)]
pub(super) struct LocalRegistry {
    child: Child,
    address: SocketAddr,
}

impl LocalRegistry {
    /// Starts `program` on a free port of the loopback interface, with its data below `dir`.
    pub(super) fn start(program: &Path, dir: &Path) -> Result<LocalRegistry, Error> {
        let address = free_address()?;
        let config = dir.join("registry.yml");
        let data = dir.join("registry");
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n",
            data.display()
        );
        fs::write(&config, text).map_err(Error::file("write", &config))?;
        let mut command = Command::new(program);
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|cause| Error::Start { program: program.display().to_string(), cause })?;
        let registry = LocalRegistry { child, address };
        registry.wait()?;
        Ok(registry)
    }

    /// `HOST:PORT`, as in a reference.
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    fn wait(&self) -> Result<(), Error> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(Error::Demo(format!("the registry does not listen on {} after {START_LIMIT:?}", self.address)))
    }
}

impl Drop for LocalRegistry {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listened on a moment ago.
fn free_address() -> Result<SocketAddr, Error> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.map_err(|error| Error::Demo(format!("no free port on the loopback interface: {error}")))
}
