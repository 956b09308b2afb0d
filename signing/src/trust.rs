//! Trust: a policy that is pinned in the boot image, and what its keys have signed since.
//!
//! A policy N is followed by N + 1 if the root keys of both say so, each in the number that it demands (The Update
//! Framework, specification 1.0, section 5.3, on the rotation of root metadata). Revocations and sets are signed by operators. Of each
//! the highest version is in force, and no floor or denied digest of an earlier one is ever lost. What is not believed changes
//! nothing and is noted.

use std::collections::{BTreeMap, BTreeSet};

use spec::defence::{self, Threat};
use spec::{Digest, ExtensionName, sentence};

use crate::envelope::{Bundle, Message};
use crate::moment::Moment;
use crate::policy::{OnExpiry, TrustPolicy, TrustedKey};
use crate::revocation::Revocation;
use crate::set::ExtensionSet;
use crate::statement::{DocumentKind, Purpose, Statement};

/// Documents and bundles that are looked at: more than a few dozen years of policies make.
pub const UPDATES_MAX: usize = 256;

/// What lies beside the pinned policy. Nothing in it is believed yet.
#[derive(Debug, Clone, Default)]
pub struct Updates {
    /// Policies, revocations and sets.
    pub documents: Vec<Update>,
    /// Signatures of them, in any order.
    pub bundles: Vec<Vec<u8>>,
}

impl Updates {
    /// Tells documents from signatures by their names: signatures end with `.json`.
    pub fn of_files(files: Vec<(String, Vec<u8>)>) -> Updates {
        let (bundles, documents): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(file, _)| file.ends_with(".json"));
        Updates {
            documents: documents.into_iter().map(|(file, bytes)| Update { file, bytes }).collect(),
            bundles: bundles.into_iter().map(|(_, bytes)| bytes).collect(),
        }
    }
}

/// One document that lies beside the pinned policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Where it was found, for errors.
    pub file: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// When trust is asked for, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// By somebody with a clock that is right: what is past its date is not trusted.
    Online(Moment),
    /// By a machine that boots: its clock may be anything. What seems to be past its date is noted, and the policy says
    /// what comes of it.
    Boot(Option<Moment>),
}

/// What is trusted at present. Only [`Trust::establish`] makes one out of more than a policy.
#[derive(Debug, Clone)]
pub struct Trust {
    policy: TrustPolicy,
    floors: BTreeMap<ExtensionName, u64>,
    denied: BTreeSet<Digest>,
    revocation: Option<Revocation>,
    set: Option<ExtensionSet>,
    expired: Option<String>,
    notes: Vec<String>,
    history: Updates,
}

impl Trust {
    /// Finds out what is trusted. The order of the updates does not matter.
    pub fn establish(pinned: TrustPolicy, updates: &Updates, occasion: Occasion) -> Trust {
        let mut notes = Notes::default();
        let evidence = Evidence::of(updates, &mut notes);
        let chain = evidence.succession(pinned, &mut notes);
        let (mut floors, mut denied) = (BTreeMap::new(), BTreeSet::new());
        let mut revocation = None;
        for policy in &chain {
            rise(&mut floors, policy.generations());
            denied.extend(policy.denied());
            let revocations = evidence.revocations(policy, &mut notes);
            for revoked in &revocations {
                rise(&mut floors, &revoked.generations);
                denied.extend(&revoked.denied);
            }
            revocation = revocations.into_iter().chain(revocation).max_by_key(|revoked| revoked.version);
        }
        let history = evidence.history(&chain);
        let policy = chain.into_iter().next_back().expect("the pinned policy is the first of the chain");
        let set = evidence.set(&policy, &mut notes);
        evidence.note_unsigned(&policy, &mut notes);
        let expired = expiry(&policy, set.as_ref(), occasion, &mut notes);
        if let Some(developer) = policy.developer() {
            let names: Vec<String> = developer.extensions.iter().map(ToString::to_string).collect();
            let (name, names) = (&developer.name, names.join(", "));
            notes.add(format!("developer override {name}: {names} may be active without a signature"));
        }
        Trust { policy, floors, denied, revocation, set, expired, notes: notes.0, history }
    }

    /// The policy in force: the pinned one, or the last of those that followed it.
    pub fn policy(&self) -> &TrustPolicy {
        &self.policy
    }

    /// The revocation in force.
    pub fn revocation(&self) -> Option<&Revocation> {
        self.revocation.as_ref()
    }

    /// The set in force, where the policy demands one.
    pub fn set(&self) -> Option<&ExtensionSet> {
        self.set.as_ref()
    }

    /// What is past its date, where that counts.
    pub fn expired(&self) -> Option<&str> {
        self.expired.as_deref()
    }

    /// What a person should know: updates that are not believed, dates that have passed, a developer override.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds something that a person should know.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// What must not be forgotten, wherever else it is lost: the policies and revocations that are believed, with the
    /// signatures that make them so.
    pub fn history(&self) -> &Updates {
        &self.history
    }

    /// The lowest generations that may run: the highest that the policies and revocations say.
    pub fn floors(&self) -> &BTreeMap<ExtensionName, u64> {
        &self.floors
    }

    /// May this manifest not be used, whoever has signed it?
    pub fn denies(&self, manifest: &Digest) -> bool {
        self.denied.contains(manifest)
    }
}

/// Floors only rise.
fn rise(floors: &mut BTreeMap<ExtensionName, u64>, more: &BTreeMap<ExtensionName, u64>) {
    for (component, floor) in more {
        let known = floors.entry(component.clone()).or_default();
        *known = (*known).max(*floor);
    }
}

/// What is past its date: as a reason to trust nothing, or as a note.
fn expiry(
    policy: &TrustPolicy,
    set: Option<&ExtensionSet>,
    occasion: Occasion,
    notes: &mut Notes,
) -> Option<String> {
    let (now, counts) = match occasion {
        Occasion::Online(now) => (now, true),
        Occasion::Boot(Some(now)) => (now, policy.on_expiry() == OnExpiry::Deny),
        Occasion::Boot(None) => return None,
    };
    let dates = [
        (format!("version {} of the trust policy", policy.version()), policy.expires()),
        ("the set".to_owned(), set.and_then(|set| set.expires)),
    ];
    let past = dates.into_iter().filter_map(|(what, date)| Some((what, date.filter(|date| *date <= now)?)));
    let sentences: Vec<String> = past.map(|(what, date)| format!("{what} expired at {date}")).collect();
    let said = (!sentences.is_empty()).then(|| sentences.join(", and "))?;
    match counts {
        true => Some(said),
        false => {
            notes.add(said);
            None
        }
    }
}

/// The updates, with their signatures read and not verified.
struct Evidence<'a> {
    /// Sorted by digest, so that their order on the medium decides nothing.
    documents: Vec<(Digest, &'a Update)>,
    /// With their bytes.
    bundles: Vec<(Bundle, &'a Vec<u8>)>,
}

impl<'a> Evidence<'a> {
    fn of(updates: &'a Updates, notes: &mut Notes) -> Evidence<'a> {
        let Updates { documents, bundles } = updates;
        for (count, what) in [(documents.len(), "documents"), (bundles.len(), "signatures")] {
            if count > UPDATES_MAX {
                notes.add(format!("of {count} {what} beside the trust policy {UPDATES_MAX} are looked at"));
            }
        }
        let documents = documents.iter().take(UPDATES_MAX);
        let mut documents: Vec<_> = documents.map(|update| (Digest::of(&update.bytes), update)).collect();
        documents.sort_by_key(|(digest, _)| *digest);
        let read = |bytes: &'a Vec<u8>| {
            let broken = |error| notes.add(format!("beside the trust policy: {}", sentence(&error)));
            Bundle::parse(bytes).map_err(broken).ok().map(|bundle| (bundle, bytes))
        };
        Evidence { documents, bundles: bundles.iter().take(UPDATES_MAX).filter_map(read).collect() }
    }

    /// The pinned policy and those that follow from it, step by step.
    fn succession(&self, pinned: TrustPolicy, notes: &mut Notes) -> Vec<TrustPolicy> {
        let mut chain = vec![pinned];
        // Each document is one step at most, since versions only rise.
        for _ in &self.documents {
            let Some(next) = chain.last().and_then(|last| self.successor(last, notes)) else { break };
            chain.push(next);
        }
        chain
    }

    /// Nothing is parsed that the old root keys do not vouch for; the new ones are only known from the text.
    fn successor(&self, policy: &TrustPolicy, notes: &mut Notes) -> Option<TrustPolicy> {
        let parse = |text: &str, file: &str| TrustPolicy::parse(text, file);
        let approved = self.approved(policy, DocumentKind::Policy, parse, notes);
        let follows = |next: &TrustPolicy| Some(next.version()) == policy.version().checked_add(1);
        let next = approved.into_iter().filter(|(_, next)| follows(next) || !defence::stands(Threat::A1));
        for ((digest, update), next) in next {
            if self.voices(&next).approve(DocumentKind::Policy, digest) {
                return Some(next);
            }
            notes.add(format!("{}: too few of its own root keys have signed it", update.file));
        }
        None
    }

    fn revocations(&self, policy: &TrustPolicy, notes: &mut Notes) -> Vec<Revocation> {
        let approved = self.approved(policy, DocumentKind::Revocation, Revocation::parse, notes);
        approved.into_iter().map(|(_, revocation)| revocation).collect()
    }

    /// The set that the policy demands.
    fn set(&self, policy: &TrustPolicy, notes: &mut Notes) -> Option<ExtensionSet> {
        let rule = policy.set()?;
        let approved = self.approved(policy, DocumentKind::Set, ExtensionSet::parse, notes);
        let mut sets = Vec::new();
        for ((_, Update { file, .. }), set) in approved {
            if set.class != rule.class && defence::stands(Threat::A2) {
                notes.add(format!("{file}: the set is for the class {}, not for {}", set.class, rule.class));
            } else if set.version < rule.minimum && defence::stands(Threat::A1) {
                notes.add(format!("{file}: version {} of the set is below {}", set.version, rule.minimum));
            } else {
                sets.push(set);
            }
        }
        sets.into_iter().max_by_key(|set| set.version)
    }

    /// The documents of a kind that enough keys have signed, read. One that is approved and cannot be read
    /// is noted.
    fn approved<T, E: std::error::Error>(
        &self,
        policy: &TrustPolicy,
        kind: DocumentKind,
        parse: impl Fn(&str, &str) -> Result<T, E>,
        notes: &mut Notes,
    ) -> Vec<(&(Digest, &'a Update), T)> {
        let voices = self.voices(policy);
        let approved = self.documents.iter().filter(|(digest, _)| voices.approve(kind, digest));
        let read = |document: &&(Digest, &'a Update)| {
            let (_, Update { file, bytes }) = document;
            let text = str::from_utf8(bytes).map_err(|_| format!("{file}: this is not text"));
            text.and_then(|text| parse(text, file).map_err(|error| sentence(&error)))
        };
        let mut found = Vec::new();
        for document in approved {
            match read(&document) {
                Ok(value) => found.push((document, value)),
                Err(error) => notes.add(error),
            }
        }
        found
    }

    /// Says which documents nobody who may has signed. Those of earlier policies are history and not worth a word.
    fn note_unsigned(&self, policy: &TrustPolicy, notes: &mut Notes) {
        let voices = self.voices(policy);
        for (digest, Update { file, .. }) in &self.documents {
            if !DocumentKind::ALL.into_iter().any(|kind| voices.approve(kind, digest)) {
                notes.add(format!(
                    "{file}: too few keys of the trust policy in force have signed it; it is not used"
                ));
            }
        }
    }

    /// What keys of the policy have really signed.
    fn voices<'p>(&'p self, policy: &'p TrustPolicy) -> Voices<'p> {
        let heard = |bundle: &'p Bundle| {
            let key = policy.key(&bundle.hint())?;
            let message = Message::of(bundle.payload());
            key.public_key().has_signed(&message, bundle.signature()).then_some((key, bundle))
        };
        Voices { policy, signed: self.bundles.iter().filter_map(|(bundle, _)| heard(bundle)).collect() }
    }

    /// What the policies of the chain vouch for and later judgements need. A set is only worth something while it is the
    /// newest.
    fn history(&self, chain: &[TrustPolicy]) -> Updates {
        const KINDS: [DocumentKind; 2] = [DocumentKind::Policy, DocumentKind::Revocation];
        let voices: Vec<Voices<'_>> = chain.iter().map(|policy| self.voices(policy)).collect();
        let is_believed = |digest: &Digest| {
            voices.iter().any(|voices| KINDS.into_iter().any(|kind| voices.approve(kind, digest)))
        };
        let (digests, documents): (BTreeSet<Digest>, Vec<Update>) = self
            .documents
            .iter()
            .filter(|(digest, _)| is_believed(digest))
            .map(|(digest, update)| (*digest, (*update).clone()))
            .unzip();
        let is_about = |bundle: &Bundle| {
            let said = |kind| Statement::parse(bundle.payload(), Purpose::Document(kind));
            KINDS.into_iter().any(|kind| said(kind).is_ok_and(|said| digests.contains(&said.digest)))
        };
        // Signatures of strangers about what is believed add nothing.
        let is_heard = |bundle: &Bundle| {
            voices.iter().flat_map(|voices| &voices.signed).any(|(_, heard)| std::ptr::eq(*heard, bundle))
        };
        let bundles = self.bundles.iter().filter(|(bundle, _)| is_about(bundle) && is_heard(bundle));
        Updates { documents, bundles: bundles.map(|(_, bytes)| (*bytes).clone()).collect() }
    }
}

/// Good signatures by keys of a policy.
struct Voices<'p> {
    policy: &'p TrustPolicy,
    signed: Vec<(&'p TrustedKey, &'p Bundle)>,
}

impl Voices<'_> {
    /// Have enough different keys that may do so signed the document of this digest as one of this kind?
    fn approve(&self, kind: DocumentKind, digest: &Digest) -> bool {
        let says = |bundle: &Bundle| {
            let statement = Statement::parse(bundle.payload(), Purpose::Document(kind));
            statement.is_ok_and(|said| said.digest == *digest && said.name == kind.name())
        };
        let role = kind.role();
        let may = |key: &TrustedKey| key.roles().contains(&role) || !defence::stands(Threat::A1);
        let of_role = self.signed.iter().filter(|(key, _)| may(key));
        // A policy has each key once, and so its names count keys.
        let keys: BTreeSet<&str> =
            of_role.filter(|(_, bundle)| says(bundle)).map(|(key, _)| key.name()).collect();
        match defence::stands(Threat::A1) {
            true => keys.len() >= self.policy.thresholds().of(role),
            false => !keys.is_empty(),
        }
    }
}

/// What a person should know, each sentence once.
#[derive(Debug, Default)]
struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, note: String) {
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }
}
