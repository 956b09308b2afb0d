//! Writing an OCI image layout. Whatever instant the power fails at, the index lists only what is whole: blobs are
//! written first, each under its name at once, and the index is replaced last.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use spec::Digest;
use spec::artifact::{ExtensionConfig, limits, media};
use spec::defence::{self, Threat};
use spec::listing::Listing;

use crate::artifact::{Parts, tag_of};
use crate::blobs;
use crate::descriptor::Descriptor;
use crate::document::Index;
use crate::error::CatalogError;
use crate::layout::{INDEX_FILE, Layout, MARK, MARK_FILE};
use crate::platforms::Platforms;
use crate::reference::Tag;
use crate::referrers::{EMPTY_CONFIG, Referrer};
use crate::staging::{PARTIAL, Staged, sync_dir, write_whole};

/// A layout that can be written to, by several processes at once.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// What an extension is made of.
#[derive(Debug)]
pub struct NewExtension<'a> {
    /// Every fact that a decision needs.
    pub config: &'a ExtensionConfig,
    /// The image file, from its start.
    pub image: &'a mut File,
    /// The digest that whoever wrote the image has computed.
    pub image_digest: Digest,
    /// Its size in bytes.
    pub image_size: u64,
    /// What is in the image.
    pub paths: &'a Listing,
    /// The kernel ABI record, where there are modules.
    pub kabi: Option<&'a [u8]>,
}

impl Store {
    /// Opens an existing layout.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Store, CatalogError> {
        let store = Store { dir: dir.into() };
        store.layout()?;
        Ok(store)
    }

    /// Opens a layout; makes one where there is no directory or an empty one.
    pub fn create_or_open(dir: impl Into<PathBuf>) -> Result<Store, CatalogError> {
        let store = Store { dir: dir.into() };
        let (dir, mark) = (&store.dir, store.dir.join(MARK_FILE));
        if !mark.exists() {
            fs::create_dir_all(dir).map_err(CatalogError::io("make", dir))?;
            check_empty(dir)?;
            write_whole(dir, &mark, MARK)?;
        }
        let blobs = blobs::dir(dir);
        fs::create_dir_all(&blobs).map_err(CatalogError::io("make", &blobs))?;
        let _lock = store.lock()?;
        if !dir.join(INDEX_FILE).exists() {
            write_whole(dir, &dir.join(INDEX_FILE), &Index::new().to_bytes())?;
        }
        store.layout()?;
        Ok(store)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The layout as it is now.
    pub fn layout(&self) -> Result<Layout, CatalogError> {
        Layout::open(&self.dir)
    }

    /// Stores `bytes` and returns their digest.
    pub(crate) fn put_blob(&self, bytes: &[u8]) -> Result<Digest, CatalogError> {
        let staged = Staged::bytes(&self.dir, bytes)?;
        let digest = staged.digest();
        self.commit([staged])?;
        Ok(digest)
    }

    /// Stores a manifest and lists it as `listed`, whose digest must be that of `bytes`. A tag in `listed` is taken
    /// from whatever had it. The blobs of the manifest must be in the store already.
    pub fn put_manifest(&self, bytes: &[u8], listed: Descriptor) -> Result<Descriptor, CatalogError> {
        if listed.size > limits::MANIFEST {
            let what = format!("manifest {}", listed.digest);
            return Err(CatalogError::TooLarge { what, size: listed.size, limit: limits::MANIFEST });
        }
        blobs::check(&listed, bytes.len() as u64, Digest::of(bytes))?;
        self.put_blob(bytes)?;
        let _lock = self.lock()?;
        self.list([listed.clone()])?;
        Ok(listed)
    }

    /// Stores an extension under the tag `NAME-VERSION` and returns the descriptor of its manifest. The same
    /// extension has the same bytes wherever and whenever it is stored. Where the tag names that version for another
    /// architecture, it names an index of both from now on.
    ///
    /// A build that is repeated moves the tag. What is impossible about the extension is found before a byte is
    /// written.
    pub fn assemble(&self, new: NewExtension<'_>) -> Result<Descriptor, CatalogError> {
        let NewExtension { config, image, image_digest, image_size, paths, kabi } = new;
        let config_bytes = serde_json::to_vec(config)
            .map_err(|source| CatalogError::Json { what: format!("config of {}", config.name), source })?;
        let paths = paths.to_text().into_bytes();
        let parts = Parts {
            config: Descriptor::of(media::CONFIG, &config_bytes),
            image: Descriptor::new(media::IMAGE, image_digest, image_size),
            paths: Descriptor::of(media::PATHS, &paths),
            kabi: kabi.map(|kabi| Descriptor::of(media::KABI, kabi)),
        };
        parts.check_sizes()?;
        let manifest = parts.to_manifest().to_bytes();
        let listed = list_as(&manifest, config)?;
        let mut staged = vec![Staged::bytes(&self.dir, &config_bytes)?, Staged::bytes(&self.dir, &paths)?];
        if let Some(kabi) = kabi {
            staged.push(Staged::bytes(&self.dir, kabi)?);
        }
        staged.push(Staged::copy(&self.dir, &parts.image, image, Path::new("the image"))?);
        self.commit(staged)?;
        self.put_blob(&manifest)?;
        let _lock = self.lock()?;
        self.list_extension(listed.clone())?;
        Ok(listed)
    }

    /// Stores the manifest of an extension from elsewhere, whose blobs are in the store. Its tag is made of what it
    /// says of itself, so it does not get one that another manifest has.
    pub(crate) fn put_foreign(
        &self,
        manifest: &[u8],
        listed: Descriptor,
    ) -> Result<Descriptor, CatalogError> {
        self.put_blob(manifest)?;
        let _lock = self.lock()?;
        self.layout()?.check_tag_free(&listed, std::slice::from_ref(&listed))?;
        self.list_extension(listed.clone())?;
        Ok(listed)
    }

    /// Stores an index from elsewhere, of whose manifests these are in the store.
    pub(crate) fn put_foreign_index(
        &self,
        index: &[u8],
        listed: Descriptor,
        manifests: Vec<Descriptor>,
    ) -> Result<Descriptor, CatalogError> {
        self.put_blob(index)?;
        let _lock = self.lock()?;
        let platforms = Platforms::parse(index, &listed)?;
        self.layout()?.check_tag_free(&listed, platforms.manifests())?;
        self.list_platforms(listed.clone(), manifests)?;
        Ok(listed)
    }

    /// Stores a signature of the manifest `subject`: a sigstore bundle, as bytes. The same one twice is one.
    pub fn attach_signature(&self, subject: &Descriptor, bundle: &[u8]) -> Result<Descriptor, CatalogError> {
        let referrer = Referrer::new(subject, bundle);
        let listed = referrer.listed.clone();
        self.put_referrers(&subject.digest, &[referrer])?;
        Ok(listed)
    }

    /// Stores signatures of `subject` and adds them to its list of referrers.
    pub(crate) fn put_referrers(&self, subject: &Digest, new: &[Referrer]) -> Result<(), CatalogError> {
        if new.is_empty() {
            return Ok(());
        }
        let mut staged = vec![Staged::bytes(&self.dir, EMPTY_CONFIG)?];
        for referrer in new {
            staged.push(Staged::bytes(&self.dir, &referrer.bundle)?);
            staged.push(Staged::bytes(&self.dir, &referrer.manifest)?);
        }
        self.commit(staged)?;
        let _lock = self.lock()?;
        let mut list = self.layout()?.referrers_list(subject)?;
        let entries: Vec<Descriptor> = new.iter().map(|referrer| referrer.listed.clone()).collect();
        if !list.append_new(&entries) {
            return Ok(());
        }
        let bytes = list.to_bytes();
        self.put_blob(&bytes)?;
        self.list([Descriptor::of(media::INDEX, &bytes).tagged(&Tag::of_referrers(subject))])
    }

    /// Is the blob in the store, and are its bytes right? Reads all of them.
    pub(crate) fn has(&self, blob: &Descriptor) -> bool {
        match defence::stands(Threat::A9) {
            true => blobs::check_file(&self.dir, blob).is_ok(),
            false => blobs::open(&self.dir, &blob.digest).is_ok(),
        }
    }

    /// Gives staged blobs their names.
    pub(crate) fn commit(&self, staged: impl IntoIterator<Item = Staged>) -> Result<(), CatalogError> {
        for blob in staged {
            blob.commit(&self.dir)?;
        }
        sync_dir(&blobs::dir(&self.dir))
    }

    /// Rewrites the index with `new` in it. The caller holds the lock.
    pub(crate) fn list(&self, new: impl IntoIterator<Item = Descriptor>) -> Result<(), CatalogError> {
        let mut index = self.layout()?.index().clone();
        for descriptor in new {
            index.list(descriptor);
        }
        self.replace_index(&index)
    }

    /// Writes the index. The caller holds the lock.
    pub(crate) fn replace_index(&self, index: &Index) -> Result<(), CatalogError> {
        let bytes = index.to_bytes();
        let (path, size) = (self.dir.join(INDEX_FILE), bytes.len() as u64);
        if size > limits::MANIFEST {
            let what = path.display().to_string();
            return Err(CatalogError::TooLarge { what, size, limit: limits::MANIFEST });
        }
        write_whole(&self.dir, &path, &bytes)
    }

    /// Waits until no other writer changes the index, and keeps others waiting until the result is dropped.
    ///
    /// The lock is on `oci-layout`, the one file of a layout that is never replaced.
    pub(crate) fn lock(&self) -> Result<File, CatalogError> {
        let path = self.dir.join(MARK_FILE);
        let file = File::open(&path).map_err(CatalogError::io("open", &path))?;
        file.lock().map_err(CatalogError::io("lock", &path))?;
        Ok(file)
    }
}

/// The descriptor under which an index lists the manifest of an extension: by what its config says it is.
pub(crate) fn list_as(manifest: &[u8], config: &ExtensionConfig) -> Result<Descriptor, CatalogError> {
    let tag = tag_of(&config.name, &config.version)?;
    let described = Descriptor::of(media::MANIFEST, manifest);
    Ok(described.of_extension(&config.name, &config.version, config.arch).tagged(&tag))
}

/// Refuses to scatter blobs over a directory that has another purpose.
fn check_empty(dir: &Path) -> Result<(), CatalogError> {
    for entry in fs::read_dir(dir).map_err(CatalogError::io("read", dir))? {
        let name = entry.map_err(CatalogError::io("read", dir))?.file_name();
        // Another process may be making the layout at this moment, or have made it since we looked.
        let of_a_layout = name.to_str().is_some_and(|name| name.starts_with(PARTIAL));
        if !of_a_layout && !dir.join(MARK_FILE).exists() {
            return Err(CatalogError::Occupied { dir: dir.to_owned() });
        }
    }
    Ok(())
}
