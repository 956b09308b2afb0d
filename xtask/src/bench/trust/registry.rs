//! A registry of this machine, empty when it starts and gone when it ends.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, cache};

/// How long it may take until it listens.
const START: Duration = Duration::from_secs(30);

/// A process of `docker-registry`, of Debian's package of that name.
pub(super) struct Registry {
    address: SocketAddr,
    process: Child,
    dir: PathBuf,
}

impl Registry {
    /// Starts one that keeps its blobs below `dir`.
    ///
    /// # Errors
    /// [`Error::File`], and [`Error::Bench`] if it does not listen.
    pub(super) fn start(dir: &Path) -> Result<Registry, Error> {
        let dir = dir.join("registry");
        cache::remove_dir(&dir)?;
        fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
        let any = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = any.map_err(|error| Error::Bench(format!("there is no free port: {error}")))?;
        let config = dir.join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n",
            dir.join("storage").display()
        );
        fs::write(&config, text).map_err(Error::file("write", &config))?;
        let mut command = Command::new("docker-registry");
        let process = command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.map_err(|error| Error::Bench(format!("docker-registry: {error}")))?;
        let registry = Registry { address, process, dir };
        registry.wait()?;
        Ok(registry)
    }

    fn wait(&self) -> Result<(), Error> {
        let due = Instant::now() + START;
        while TcpStream::connect(self.address).is_err() {
            if Instant::now() > due {
                return Err(Error::Bench(format!("docker-registry does not listen on {}", self.address)));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Whatever stays is taken away when the next one starts.
        let _ = (self.process.kill(), self.process.wait());
        let _ = fs::remove_dir_all(&self.dir);
    }
}
