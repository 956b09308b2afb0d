//! Reading from a registry, every answer with a bound.

use std::ops::Deref;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use spec::Digest;
use spec::artifact::{limits, media};

use super::RegistryError;
use super::session::{Result, Session};
use crate::blobs;
use crate::descriptor::Descriptor;
use crate::document::Index;
use crate::error::CatalogError;
use crate::reference::Tag;
use crate::referrers::MANIFEST_MAX;
use crate::staging::{Staged, Staging};
use crate::store::Store;

/// Does the registry keep the lists of referrers itself?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HasApi {
    Yes,
    No,
}

impl Session<'_> {
    /// Reads the manifest that the reference names; its digest is that of the reference if that has one.
    pub(super) async fn manifest(&mut self) -> Result<(Vec<u8>, Descriptor)> {
        let name = match &self.reference.select.digest {
            Some(digest) => digest.to_string(),
            None => self.tag(),
        };
        let Some((bytes, described)) = self.document(&format!("manifests/{name}"), media::MANIFEST).await?
        else {
            return Err(RegistryError::status(self.reference, StatusCode::NOT_FOUND));
        };
        match self.reference.select.digest {
            Some(wanted) if wanted != described.digest => {
                Err(self.refuse(CatalogError::WrongDigest { wanted, found: described.digest }))
            }
            _ => Ok((bytes, described)),
        }
    }

    /// Reads the list of referrers of `subject`, from the API or, where there is none, from its tag.
    pub(super) async fn referrers(&mut self, subject: &Digest) -> Result<(Index, HasApi)> {
        if let Some((bytes, described)) = self.document(&format!("referrers/{subject}"), media::INDEX).await?
        {
            let index = Index::parse(&bytes, &described).map_err(|error| self.refuse(error))?;
            return Ok((index, HasApi::Yes));
        }
        let path = format!("manifests/{}", Tag::of_referrers(subject));
        match self.document(&path, media::INDEX).await? {
            Some((bytes, described)) => {
                let index = Index::parse(&bytes, &described).map_err(|error| self.refuse(error))?;
                Ok((index, HasApi::No))
            }
            None => Ok((Index::new(), HasApi::No)),
        }
    }

    /// Reads a manifest or index; `None` where there is none. The media type of the descriptor is what the
    /// registry says, the rest is computed.
    async fn document(&mut self, path: &str, accept: &str) -> Result<Option<(Vec<u8>, Descriptor)>> {
        let Some(response) = self.get(path, accept).await? else { return Ok(None) };
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type =
            media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_owned();
        let bytes = self.body(response, limits::MANIFEST, path).await?;
        let described = Descriptor::of(&media_type, &bytes);
        Ok(Some((bytes, described)))
    }

    /// Reads the manifest of a signature that a list names.
    pub(super) async fn listed_manifest(&mut self, listed: &Descriptor) -> Result<Vec<u8>> {
        self.named("manifests", listed, MANIFEST_MAX).await
    }

    /// Reads a blob of at most `limit` bytes.
    pub(super) async fn small_blob(&mut self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        self.named("blobs", blob, limit).await
    }

    async fn named(&mut self, kind: &str, wanted: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        let path = format!("{kind}/{}", wanted.digest);
        if wanted.size > limit {
            return Err(self.refuse(CatalogError::TooLarge { what: path, size: wanted.size, limit }));
        }
        let response = self.present(&path, &wanted.media_type).await?;
        let bytes = self.body(response, wanted.size, &path).await?;
        blobs::check(wanted, bytes.len() as u64, Digest::of(&bytes)).map_err(|error| self.refuse(error))?;
        Ok(bytes)
    }

    /// Brings a blob of any size to the disk of `store`, not yet under its name.
    pub(super) async fn large_blob(
        &mut self,
        blob: &Descriptor,
        store: &Store,
        mut arrived: impl FnMut(u64),
    ) -> Result<Staged> {
        let mut response = self.present(&format!("blobs/{}", blob.digest), &blob.media_type).await?;
        let mut staging = Staging::new(store.dir())?;
        while let Some(chunk) = self.chunk(&mut response).await? {
            staging.append_of(blob, &chunk).map_err(|error| self.refuse(error))?;
            arrived(chunk.len() as u64);
        }
        staging.finish_as(blob).map_err(|error| self.refuse(error))
    }

    /// Asks for something that a manifest names, so that it must be there.
    async fn present(&mut self, path: &str, accept: &str) -> Result<Response> {
        match self.get(path, accept).await? {
            Some(response) => Ok(response),
            None => {
                Err(self.refuse(CatalogError::malformed(path, "the registry names it and does not have it")))
            }
        }
    }

    pub(super) async fn body(&self, mut response: Response, limit: u64, what: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            let size = bytes.len() as u64 + chunk.len() as u64;
            if size > limit {
                return Err(self.refuse(CatalogError::TooLarge { what: what.to_owned(), size, limit }));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<impl Deref<Target = [u8]> + use<>>> {
        response.chunk().await.map_err(|error| RegistryError::http(self.reference, error))
    }

    /// Asks for `path` under the repository; `None` where there is nothing.
    async fn get(&mut self, path: &str, accept: &str) -> Result<Option<Response>> {
        let mut response = self.ask(path, accept).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.token = self.new_token(&response).await?;
            response = self.ask(path, accept).await?;
        }
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(RegistryError::status(self.reference, status)),
        }
    }

    async fn ask(&self, path: &str, accept: &str) -> Result<Response> {
        let mut request = self.http.get(format!("{}/{path}", self.base)).header(ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await.map_err(|error| RegistryError::http(self.reference, error))
    }
}
