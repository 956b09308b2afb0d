//! Where things lie in the checkout.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout that the chores work on.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout that holds the running `xtask`.
    ///
    /// `cargo run` sets `CARGO_MANIFEST_DIR` (the Cargo book, "Environment variables"); the value of compile time
    /// would be wrong after the checkout has moved. A program started by hand works in the current directory.
    pub fn find() -> Workspace {
        let of_cargo = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = of_cargo.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        Workspace { root: root.unwrap_or_else(|| PathBuf::from(".")) }
    }

    /// The top directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `target/` of the checkout: what the chores make themselves, wherever cargo builds.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Where cargo builds: `CARGO_TARGET_DIR`, or `target/`.
    pub fn cargo_target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.target(), |dir| self.root.join(dir))
    }

    /// The cache of real inputs; `TENON_INPUTS` of the tests.
    pub fn inputs(&self) -> PathBuf {
        self.target().join("inputs")
    }

    /// What the benchmarks pack and write.
    pub fn bench(&self) -> PathBuf {
        self.target().join("bench")
    }

    /// `cargo …`, of the toolchain that runs us, in the top directory.
    ///
    /// What `cargo run` tells us about our own package is no business of the inner cargo: build scripts that look at
    /// it would run again after each change between `cargo xtask` and plain `cargo`.
    pub fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in
            names.filter(|name| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of| name.starts_with(of)))
        {
            command.env_remove(name);
        }
        command.args(args).current_dir(&self.root);
        command
    }
}
