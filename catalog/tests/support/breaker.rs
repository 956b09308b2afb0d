//! A wire to a registry that breaks.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes connections on to a registry.
pub(crate) struct Breaker {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    upward: AtomicUsize,
    downward: AtomicUsize,
    broken: AtomicUsize,
}

impl Breaker {
    /// Breaks connections that carry more than `most` bytes in one direction, `times` of them.
    pub(crate) fn start(registry: SocketAddr, most: usize, times: usize) -> Breaker {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, counts) = (listener.local_addr().unwrap(), Arc::new(Counts::default()));
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(registry).unwrap();
                for up in [true, false] {
                    let (from, to) = if up { (&client, &server) } else { (&server, &client) };
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let counts = Arc::clone(&shared);
                    std::thread::spawn(move || counts.pass(up, from, to, most, times));
                }
            }
        });
        Breaker { address, counts }
    }

    /// Bytes towards the registry, of requests and their bodies.
    pub(crate) fn upward(&self) -> usize {
        self.counts.upward.load(Ordering::Relaxed)
    }

    /// Bytes from the registry.
    pub(crate) fn downward(&self) -> usize {
        self.counts.downward.load(Ordering::Relaxed)
    }

    /// Connections that were broken.
    pub(crate) fn broken(&self) -> usize {
        self.counts.broken.load(Ordering::Relaxed)
    }
}

impl Counts {
    fn pass(&self, up: bool, mut from: TcpStream, mut to: TcpStream, most: usize, times: usize) {
        let total = if up { &self.upward } else { &self.downward };
        let (mut passed, mut chunk) = (0, vec![0; 4096]);
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            if to.write_all(&chunk[..count]).is_err() {
                break;
            }
            passed += count;
            total.fetch_add(count, Ordering::Relaxed);
            if passed > most && self.broken.load(Ordering::Relaxed) < times {
                self.broken.fetch_add(1, Ordering::Relaxed);
                // What has been passed on arrives; then both ends see the end.
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}
