//! What a tag of a layout names: the manifest of an extension, or, once there are several architectures of that
//! version, the index of their manifests.
//!
//! The manifests of an index are listed too, without a tag: whoever looks for an extension by name and version finds
//! them. An index from elsewhere may be signed, and is kept byte for byte.

use spec::artifact::media;

use crate::descriptor::Descriptor;
use crate::document::Index;
use crate::error::CatalogError;
use crate::layout::Layout;
use crate::platforms::Platforms;
use crate::store::Store;

impl Layout {
    /// Refuses a tag that names something else. A manifest does not take the place of another one for the same
    /// platform; an index must list whatever had the tag. `manifests` is what the new document stands for.
    pub(crate) fn check_tag_free(
        &self,
        new: &Descriptor,
        manifests: &[Descriptor],
    ) -> Result<(), CatalogError> {
        for holder in self.holders_of(new).filter(|holder| holder.digest != new.digest) {
            for old in self.stands_for(holder)? {
                let kept = manifests.iter().any(|new| new.digest == old.digest);
                let elsewhere = new.media_type == media::MANIFEST && !shares_platform(&old, new);
                if !kept && !elsewhere {
                    return Err(CatalogError::TagTaken {
                        dir: self.dir().to_owned(),
                        tag: new.tag().unwrap_or_default().to_owned(),
                        holder: old.digest,
                    });
                }
            }
        }
        Ok(())
    }

    fn holders_of<'a>(&'a self, new: &'a Descriptor) -> impl Iterator<Item = &'a Descriptor> {
        self.index().manifests.iter().filter(|old| old.tag().is_some() && old.tag() == new.tag())
    }

    /// The manifests that a tagged document stands for.
    fn stands_for(&self, holder: &Descriptor) -> Result<Vec<Descriptor>, CatalogError> {
        match holder.media_type == media::INDEX {
            true => Ok(self.platforms(holder)?.manifests().to_vec()),
            false => Ok(vec![holder.clone().untagged()]),
        }
    }
}

impl Store {
    /// Lists the manifest of an extension under its tag, beside those for other architectures that have it, and in the
    /// place of one for the same. The caller holds the lock.
    pub(crate) fn list_extension(&self, new: Descriptor) -> Result<(), CatalogError> {
        let layout = self.layout()?;
        let mut others = Vec::new();
        let mut index = layout.index().clone();
        for holder in layout.holders_of(&new) {
            let manifests = layout.stands_for(holder)?;
            if manifests.iter().any(|old| old.digest == new.digest) && holder.media_type == media::INDEX {
                index.list(new.clone().untagged());
                return self.replace_index(&index);
            }
            forget(&mut index, holder, &manifests);
            others.extend(manifests.into_iter().filter(|old| !shares_platform(old, &new)));
        }
        match others.is_empty() {
            true => index.list(new),
            false => {
                others.push(new.clone().untagged());
                let platforms = Platforms::of(others.clone());
                let bytes = platforms.to_bytes();
                self.put_blob(&bytes)?;
                list_index(&mut index, new.as_index(&bytes), others);
            }
        }
        self.replace_index(&index)
    }

    /// Lists an index from elsewhere under its tag, and `manifests` of those that it lists. All are in the store; the
    /// caller holds the lock and has asked whether the tag is free.
    pub(crate) fn list_platforms(
        &self,
        new: Descriptor,
        manifests: Vec<Descriptor>,
    ) -> Result<(), CatalogError> {
        let layout = self.layout()?;
        let mut index = layout.index().clone();
        for holder in layout.holders_of(&new) {
            // What had the tag is listed by the new index too.
            if holder.media_type == media::MANIFEST {
                index.list(holder.clone().untagged());
            }
        }
        list_index(&mut index, new, manifests);
        self.replace_index(&index)
    }
}

/// Takes a tagged document and what it stands for off the list.
fn forget(index: &mut Index, holder: &Descriptor, manifests: &[Descriptor]) {
    index.manifests.retain(|listed| {
        let of_holder = listed.tag().is_none() && manifests.iter().any(|old| old.digest == listed.digest);
        listed != holder && !of_holder
    });
}

fn list_index(index: &mut Index, new: Descriptor, manifests: Vec<Descriptor>) {
    index.list(new);
    manifests.into_iter().for_each(|manifest| index.list(manifest));
}

/// Are both for the same machines? One that does not say for which may be for any.
fn shares_platform(old: &Descriptor, new: &Descriptor) -> bool {
    old.platform.is_none() || old.platform == new.platform
}
