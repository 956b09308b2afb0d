//! Servers that speak TLS, with certificates that openssl makes for the test.

#![allow(dead_code, reason = "not every test uses everything")]

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::server::{Answer, Request, serve_on};

/// A certificate authority, and a certificate of it for this machine.
pub(crate) struct Authority {
    dir: TempDir,
}

/// What the certificate is for.
pub(crate) const HERE: &str = "IP:127.0.0.1,DNS:localhost";

impl Authority {
    pub(crate) fn new(names: &str) -> Authority {
        let authority = Authority { dir: tempfile::tempdir().unwrap() };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        authority.openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
        authority.openssl(&format!("req {key} -keyout leaf.key -out leaf.csr -subj /CN=leaf"));
        std::fs::write(authority.dir.path().join("names"), format!("subjectAltName={names}\n")).unwrap();
        authority.openssl(
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out leaf.pem",
        );
        authority
    }

    fn openssl(&self, args: &str) {
        let output = Command::new("openssl").args(args.split(' ')).current_dir(&self.dir).output().unwrap();
        assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a client must trust.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub(crate) fn serve(
        &self,
        answer: impl Fn(&Request, &mut dyn Read) -> Answer + Send + Sync + 'static,
    ) -> SocketAddr {
        let chain = CertificateDer::pem_file_iter(self.dir.path().join("leaf.pem")).unwrap();
        let chain = chain.map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(self.dir.path().join("leaf.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let config = Arc::new(config);
        let wrap =
            move |tcp| Some(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp));
        serve_on(wrap, answer)
    }
}
