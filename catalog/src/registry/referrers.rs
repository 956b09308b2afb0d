//! Reading the list of referrers, which may come in pages (distribution-spec 1.1, "Listing Referrers").

use std::collections::BTreeSet;

use reqwest::Url;
use spec::Digest;
use spec::artifact::{limits, media};

use super::RegistryError;
use super::place::place_of;
use super::receive::{Page, absent};
use super::session::{Result, Session};
use super::subject::Subject;
use crate::document::Index;
use crate::error::CatalogError;
use crate::reference::Tag;

/// How many pages are read. Registries put fifty entries or more on one, so these are more than are looked at.
const PAGES: usize = 64;

/// Does the registry keep the lists of referrers itself?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HasApi {
    Yes,
    No,
}

/// A list of referrers.
pub(super) struct Listed {
    /// What the pages list together.
    pub(super) index: Index,
    pub(super) has_api: HasApi,
    /// Why there may be more than that: what came first counts all the same.
    pub(super) broken: Option<RegistryError>,
}

impl Session<'_> {
    /// Reads the list of referrers of `subject`, from the API or, where there is none, from its tag.
    pub(super) async fn referrers(&self, subject: &Digest) -> Result<Listed> {
        let path = format!("referrers/{subject}");
        let about = Subject::document(self.reference, &path);
        let url = self.address(&path);
        match self.page(&about, &url, &path, media::INDEX, limits::MANIFEST).await? {
            Some(first) => self.all_pages(&about, &path, first).await,
            None => self.tagged_referrers(subject).await,
        }
    }

    async fn tagged_referrers(&self, subject: &Digest) -> Result<Listed> {
        let path = format!("manifests/{}", Tag::of_referrers(subject));
        let index = match self.document(&path, media::INDEX).await? {
            Some((bytes, described)) => {
                Index::parse(&bytes, &described).map_err(|error| self.refuse(error))?
            }
            None => Index::new(),
        };
        Ok(Listed { index, has_api: HasApi::No, broken: None })
    }

    async fn all_pages(&self, about: &Subject, path: &str, first: Page) -> Result<Listed> {
        let refuse = |error| RegistryError::received(about, error);
        let mut index = Index::parse(&first.bytes, &first.described).map_err(refuse)?;
        let mut pages = Pages::new(&self.base, path, &first);
        let broken = loop {
            let next = match pages.next_address() {
                Ok(None) => break None,
                Ok(Some(next)) => next,
                Err(error) => break Some(refuse(error)),
            };
            let page = match self.page(about, next.as_str(), path, media::INDEX, pages.left).await {
                Ok(Some(page)) => page,
                Ok(None) => break Some(refuse(absent(path))),
                Err(error) => break Some(error),
            };
            match Index::parse(&page.bytes, &page.described) {
                Ok(more) => index.manifests.extend(more.manifests),
                Err(error) => break Some(refuse(error)),
            }
            pages.came(&page);
        };
        Ok(Listed { index, has_api: HasApi::Yes, broken })
    }
}

/// How far a list has been read. All pages together may have as many bytes as a list that comes as one.
struct Pages<'a> {
    /// The registry that was asked first.
    home: &'a Url,
    /// What the list is called in errors.
    what: &'a str,
    /// Where pages were read, or are about to be.
    seen: BTreeSet<String>,
    /// Where the last page says that the next is.
    next: Option<(Url, String)>,
    /// How many bytes the rest may have.
    left: u64,
}

impl<'a> Pages<'a> {
    fn new(home: &'a Url, what: &'a str, first: &Page) -> Pages<'a> {
        let seen = BTreeSet::from([first.from.to_string()]);
        let mut pages = Pages { home, what, seen, next: None, left: limits::MANIFEST };
        pages.came(first);
        pages
    }

    fn came(&mut self, page: &Page) {
        self.left = self.left.saturating_sub(page.bytes.len() as u64);
        self.next = page.next.clone().map(|next| (page.from.clone(), next));
    }

    /// The address of the next page, if there is one. It gets our credentials, so it is of the registry itself; and each
    /// is read once.
    fn next_address(&mut self) -> std::result::Result<Option<Url>, CatalogError> {
        let Some((from, next)) = self.next.take() else { return Ok(None) };
        let refuse = |reason: String| Err(CatalogError::malformed(self.what, reason));
        let Ok(mut url) = from.join(&next) else {
            return refuse("the address of its next page is none".into());
        };
        url.set_fragment(None);
        if url.origin() != self.home.origin() || !url.username().is_empty() || url.password().is_some() {
            return refuse(format!("its next page is at {}, and not at the registry", place_of(&url)));
        }
        if !self.seen.insert(url.to_string()) {
            return refuse("its pages lead in a circle".into());
        }
        if self.seen.len() > PAGES {
            return refuse(format!("it has more than {PAGES} pages"));
        }
        Ok(Some(url))
    }
}
