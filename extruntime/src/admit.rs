//! Admission: which extensions of the store may be laid over the base.
//!
//! [`judge`] is the one judge: at boot and for `extruntime plan`. It reads, and changes nothing; what differs is the
//! door through which images come, which is an argument.

mod examine;
mod objection;
mod paths;
mod set;

use std::fs::File;
use std::sync::Arc;

use catalog::Layout;
use kabi::{Fits, Record};
use signing::{Approval, Cleared, Trust, Verified};
use spec::artifact::ExtensionConfig;
use spec::listing::Listing;
use spec::machine::{ExtensionsConfig, Wanted};
use spec::{Digest, ExtensionName, Grant, Reason, ReasonCode, Version};
use squash::Promise;

use crate::content::Expected;
use crate::crew;
use crate::facts::BaseFacts;
use crate::image::ImageError;

use examine::{Examined, Sound};
use set::Member;

/// All that a judgement rests on.
#[derive(Debug)]
pub struct Grounds {
    /// What the machine is to run.
    pub config: ExtensionsConfig,
    /// The artifacts that are there.
    pub store: Layout,
    /// What is trusted.
    pub trust: Trust,
    /// The base.
    pub base: Arc<BaseFacts>,
}

/// An image that has been approved and not been opened.
#[derive(Debug)]
pub struct Unopened<'a> {
    /// The extension, for people.
    pub name: &'a ExtensionName,
    /// The file of the image; its bytes are not checked yet.
    pub file: File,
    /// What the bytes must be.
    pub expected: Expected,
    /// What must be in it.
    pub promise: Promise<'a>,
    /// What it may hold that can run or steer something.
    pub grants: &'a [Grant],
}

/// An extension that may be laid over the base: signed by a trusted key, unchanged, and fitting base, kernel and the
/// other extensions. Only [`judge`] makes one. `L` is what its image became at the door.
///
/// ```compile_fail,E0451
/// fn forge<L>(other: extruntime::admit::Admitted<L>, layer: L) -> extruntime::admit::Admitted<L> {
///     extruntime::admit::Admitted { layer, ..other }
/// }
/// ```
#[derive(Debug)]
pub struct Admitted<L> {
    cleared: Cleared,
    config: ExtensionConfig,
    listing: Listing,
    record: Record,
    fits: Fits,
    layer: L,
}

impl<L> Admitted<L> {
    /// Its name.
    pub fn name(&self) -> &ExtensionName {
        self.fits.extension()
    }

    /// Its manifest, and by whose word it is believed.
    pub fn approval(&self) -> &Verified<Approval> {
        self.cleared.approval()
    }

    /// Its signed facts.
    pub fn config(&self) -> &ExtensionConfig {
        &self.config
    }

    /// Its paths.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Its modules.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What is worth a second look, though it fits.
    pub fn notes(&self) -> &[Reason] {
        self.fits.notes()
    }

    /// Its opened image.
    pub fn layer(&self) -> &L {
        &self.layer
    }
}

/// An extension that stays out.
#[derive(Debug)]
pub struct Refused {
    /// The name that the machine config gives.
    pub name: ExtensionName,
    /// The artifact that was chosen, if there was one.
    pub chosen: Option<Chosen>,
    /// Why it stays out: at least one reason.
    pub reasons: Vec<Reason>,
}

/// The artifact that stands for an extension of the machine config.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Its version, as the index of the store says.
    pub version: Version,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// The keys that signed it, once they are known.
    pub signers: Vec<String>,
}

/// What became of one extension of the machine config.
#[derive(Debug)]
pub enum Verdict<L> {
    /// It is in.
    Admitted(Box<Admitted<L>>),
    /// It is out.
    Refused(Box<Refused>),
}

/// The verdicts.
#[derive(Debug)]
pub struct Judgement<L> {
    /// In the order of the machine config.
    verdicts: Vec<Verdict<L>>,
    /// The extension without which the set is worth nothing, and that is refused.
    lacking: Option<ExtensionName>,
}

/// Judges every extension of the machine config. One that is refused takes nothing along but those that require it.
///
/// `open` is called for images whose manifest a trusted key has signed. It reads them, and refuses those whose bytes
/// are not the ones that were signed. That is most of the work, so it is done for several at the same time; what the
/// others are decides nothing before all have been looked at.
pub fn judge<L: Send>(
    grounds: &Grounds,
    open: impl Fn(Unopened<'_>) -> Result<L, ImageError> + Sync,
) -> Judgement<L> {
    let examined = crew::each(&grounds.config.extensions, |wanted| examine::examine(wanted, grounds, &open));
    let judgement = Judgement { verdicts: settle(examined, grounds), lacking: None };
    judgement.taken_together(&grounds.config)
}

fn settle<L>(examined: Vec<Examined<L>>, grounds: &Grounds) -> Vec<Verdict<L>> {
    let names: Vec<&ExtensionName> = grounds.config.extensions.iter().map(|wanted| &wanted.name).collect();
    let members: Vec<Member<'_>> = examined.iter().flatten().map(Sound::member).collect();
    let mut outcomes = set::settle(&members, &names, &grounds.base).into_iter();
    let verdict = |examined: Examined<L>| match examined {
        Err(refused) => Verdict::Refused(refused),
        Ok(sound) => match outcomes.next().expect("there is one outcome for each member") {
            Ok(fits) => Verdict::Admitted(Box::new(sound.admit(fits))),
            Err(reasons) => Verdict::Refused(Box::new(sound.refuse(reasons))),
        },
    };
    examined.into_iter().map(verdict).collect()
}

impl<L> Judgement<L> {
    /// The judgement where there are no grounds for one: everything stays out for the same reason.
    pub(crate) fn all_refused(wanted: &[Wanted], reason: &Reason) -> Judgement<L> {
        let refused = |wanted: &Wanted| Refused {
            name: wanted.name.clone(),
            chosen: None,
            reasons: vec![reason.clone()],
        };
        let verdicts = wanted.iter().map(|wanted| Verdict::Refused(Box::new(refused(wanted)))).collect();
        Judgement {
            verdicts,
            lacking: wanted.iter().find(|wanted| wanted.required).map(|wanted| wanted.name.clone()),
        }
    }

    /// The judgement where nothing is wanted.
    pub(crate) fn of_nothing() -> Judgement<L> {
        Judgement { verdicts: Vec::new(), lacking: None }
    }

    /// The same with everything out that was in, for this reason.
    pub(crate) fn withdrawn(self, reason: &Reason) -> Judgement<L> {
        let withdraw = |verdict| match verdict {
            Verdict::Admitted(admitted) => Verdict::Refused(Box::new(admitted.withdraw(reason.clone()))),
            Verdict::Refused(refused) => Verdict::Refused(refused),
        };
        Judgement { verdicts: self.verdicts.into_iter().map(withdraw).collect(), ..self }
    }

    /// The same with everything out if something is that the machine config cannot do without.
    fn taken_together(self, config: &ExtensionsConfig) -> Judgement<L> {
        let both = config.extensions.iter().zip(&self.verdicts);
        let lacking = both.filter(|(wanted, verdict)| wanted.required && verdict.admitted().is_none());
        let Some(lacking) = lacking.map(|(wanted, _)| wanted.name.clone()).next() else { return self };
        let sentence = format!(
            "the machine config requires {lacking}, which is refused, so nothing of the set is active"
        );
        let reason = Reason::new(ReasonCode::RequirementUnmet, sentence).subject(lacking.as_str());
        let hint = format!("mend {lacking}, or take `required` away from it in the machine config");
        Judgement { lacking: Some(lacking), ..self.withdrawn(&reason.hint(hint)) }
    }

    /// The extension without which the set is worth nothing, and that is refused: nothing else is in then.
    pub fn lacking(&self) -> Option<&ExtensionName> {
        self.lacking.as_ref()
    }

    /// What became of each extension, in the order of the machine config.
    pub fn verdicts(&self) -> &[Verdict<L>] {
        &self.verdicts
    }

    /// The extensions that are in.
    pub fn admitted(&self) -> Vec<&Admitted<L>> {
        self.verdicts.iter().filter_map(Verdict::admitted).collect()
    }
}

impl<L> Verdict<L> {
    fn admitted(&self) -> Option<&Admitted<L>> {
        match self {
            Verdict::Admitted(admitted) => Some(admitted),
            Verdict::Refused(_) => None,
        }
    }
}

impl<L> Admitted<L> {
    fn withdraw(self, reason: Reason) -> Refused {
        let Admitted { cleared, config, .. } = self;
        Refused::known(&cleared, config, vec![reason])
    }
}

impl Refused {
    /// The refusal of an extension whose signed config is known.
    fn known(cleared: &Cleared, config: ExtensionConfig, reasons: Vec<Reason>) -> Refused {
        let approval = cleared.approval();
        let signers = approval.signers().into_iter().map(str::to_owned).collect();
        let chosen = Chosen { version: config.version, manifest: approval.value().manifest, signers };
        Refused { name: config.name, chosen: Some(chosen), reasons }
    }
}
