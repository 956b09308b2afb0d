//! Signed extensions of a given size, and the policy that trusts them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::Programs;
use crate::progress::Task;
use crate::{Error, command};

/// Files of an extension; as many in a small one as in a large one, because looking at each takes time.
const FILES: u64 = 10;

/// A store of extensions that differ in their names only.
#[derive(Debug)]
pub(super) struct Set {
    /// Everything lies below it.
    pub(super) dir: PathBuf,
    /// Bytes of the image of each extension.
    pub(super) image_bytes: Vec<u64>,
    images: Vec<PathBuf>,
}

impl Set {
    /// Makes `count` extensions with so many bytes of noise, which no compression makes any smaller.
    pub(super) fn make(
        programs: &Programs,
        dir: &Path,
        name: &str,
        count: usize,
        content: u64,
    ) -> Result<Set, Error> {
        let mut set = Set { dir: dir.join(name), image_bytes: Vec::new(), images: Vec::new() };
        let noise = set.dir.join("noise");
        fs::create_dir_all(&noise).map_err(Error::file("create", &noise))?;
        (0..FILES).try_for_each(|file| make_noise(&noise.join(file.to_string()), content / FILES))?;
        set.trust_a_key(programs)?;
        let task = Task::spin(format!("{count} extensions of {} MB", content / 1_000_000));
        for extension in 0..count {
            set.add(programs, &Set::name(extension))?;
        }
        task.finish("signed");
        crate::cache::remove_dir(&noise)?;
        Ok(set)
    }

    /// What an extension is called.
    pub(super) fn name(extension: usize) -> String {
        format!("bench-{extension:02}")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    pub(super) fn trust(&self) -> PathBuf {
        self.dir.join("trust.yaml")
    }

    fn key(&self) -> PathBuf {
        self.dir.join("key.pem")
    }

    /// The images of the first extensions, by name.
    pub(super) fn images(&self, count: usize) -> impl Iterator<Item = (String, &Path)> {
        self.images.iter().take(count).enumerate().map(|(place, image)| (Set::name(place), image.as_path()))
    }

    /// A machine config that wants the first extensions.
    pub(super) fn config(&self, count: usize) -> Result<PathBuf, Error> {
        let path = self.dir.join(format!("machine-{count}.yaml"));
        let wanted: String = (0..count).map(|place| format!("  - name: {}\n", Set::name(place))).collect();
        let wanted =
            if count == 0 { "extensions: []\n".to_owned() } else { format!("extensions:\n{wanted}") };
        fs::write(&path, format!("apiVersion: v1alpha1\nkind: ExtensionsConfig\n{wanted}"))
            .map_err(Error::file("write", &path))?;
        Ok(path)
    }

    fn trust_a_key(&self, programs: &Programs) -> Result<(), Error> {
        let (key, trust) = (self.key(), self.trust());
        let mut public = key.clone().into_os_string();
        public.push(".pub");
        command::read(extbuild(programs).args(["key", "new", "--no-passphrase", "-o"]).arg(&key))?;
        let mut init = extbuild(programs);
        init.args(["trust", "init"]).arg(trust).args(["--name", "bench", "--public-key"]).arg(public);
        command::read(init.args(["--extensions", "bench-*"])).map(drop)
    }

    fn add(&mut self, programs: &Programs, name: &str) -> Result<(), Error> {
        let manifest = self.dir.join("extension.yaml");
        fs::write(&manifest, manifest_of(name)).map_err(Error::file("write", &manifest))?;
        let store = format!("oci:{}", self.store().display());
        let reference = format!("{store}:{name}-1.0.0");
        let mut build = extbuild(programs);
        // All have the same content, so all but the first find it in the cache.
        build.arg("build").arg(&manifest).arg("--cache-dir").arg(self.dir.join("cache"));
        command::read(build.arg("--source-dir").arg(&self.dir).args(["-o", &store]))?;
        command::read(extbuild(programs).args(["sign", &reference, "--key"]).arg(self.key()))?;
        let facts = command::read(extbuild(programs).args(["inspect", "--json", &reference]))?;
        let (digest, bytes) = image_of(&facts)
            .ok_or_else(|| Error::Bench(format!("extbuild inspect says nothing of the image of {name}")))?;
        self.images.push(self.store().join("blobs/sha256").join(digest));
        self.image_bytes.push(bytes);
        Ok(())
    }
}

fn extbuild(programs: &Programs) -> Command {
    Command::new(&programs.extbuild)
}

/// Below `/usr`, which systemd-sysext merges as well.
fn manifest_of(name: &str) -> String {
    format!(
        "apiVersion: v1alpha1\nkind: Extension\nname: {name}\nversion: 1.0.0\ndescription: Noise\n\
         license: CC0-1.0\narchitectures: [amd64]\nsources:\n  noise: {{dir: noise}}\ncontents:\n  \
         - {{from: noise, to: /usr/share/{name}}}\n"
    )
}

fn make_noise(path: &Path, bytes: u64) -> Result<(), Error> {
    let urandom = Path::new("/dev/urandom");
    let source = File::open(urandom).map_err(Error::file("open", urandom))?;
    let mut file = File::create(path).map_err(Error::file("create", path))?;
    io::copy(&mut source.take(bytes), &mut file).map(drop).map_err(Error::file("write", path))
}

/// Digest without its algorithm, and size, in what `extbuild inspect --json` prints.
fn image_of(facts: &str) -> Option<(String, u64)> {
    let facts: serde_json::Value = serde_json::from_str(facts).ok()?;
    let digest = facts["image"]["digest"].as_str()?.strip_prefix("sha256:")?;
    Some((digest.to_owned(), facts["image"]["size"].as_u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read_as_they_are_meant() {
        let manifest = spec::manifest::Manifest::parse(&manifest_of("bench-07"), "extension.yaml").unwrap();
        assert_eq!(manifest.name.as_str(), "bench-07");
        assert_eq!(manifest.payload.contents.len(), 1);
    }

    #[test]
    fn the_image_is_found_among_the_facts() {
        let facts = r#"{"image": {"digest": "sha256:ab12", "size": 4096}}"#;
        assert_eq!(image_of(facts), Some(("ab12".to_owned(), 4096)));
        assert_eq!(image_of(r#"{"image": {"digest": "ab12", "size": 4096}}"#), None);
        assert_eq!(image_of("{"), None);
    }
}
