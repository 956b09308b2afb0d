//! Two real Debian kernels, with modpost's Module.symvers as the judge of this room.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::LazyLock;

use kabi::{Candidate, Host, Module, Owner, Profile, Record, Verdict, closure, judge};
use spec::{Arch, ExtensionName, KernelRelease, ModuleName, ReasonCode};

/// Linux 6.1 with plain modules.
static KERNEL: LazyLock<Kernel> = LazyLock::new(|| Kernel::read(inputs::Kernel::plain()));
/// Linux 6.12 with modules in xz.
static OTHER: LazyLock<Kernel> = LazyLock::new(|| Kernel::read(inputs::Kernel::packed()));

struct Kernel {
    inputs: inputs::Kernel,
    release: KernelRelease,
    profile: Profile,
    modules: Vec<Module>,
}

impl Kernel {
    fn read(inputs: inputs::Kernel) -> Kernel {
        let release = inputs.release.clone();
        let symvers = inputs.root.join(format!("usr/src/linux-headers-{release}/Module.symvers"));
        let symvers = std::fs::read_to_string(symvers).unwrap();
        let profile = Profile::from_symvers(&symvers, release.clone(), Arch::Amd64).unwrap();
        Kernel { modules: inputs.modules(), profile, release, inputs }
    }

    fn module(&self, name: &str) -> Module {
        self.inputs.read(self.inputs.file(name))
    }
}

fn name(text: &str) -> ExtensionName {
    text.parse().unwrap()
}

#[test]
fn exports_are_those_that_modpost_saw() {
    for kernel in [&*KERNEL, &*OTHER] {
        let read: BTreeSet<&ModuleName> = kernel.modules.iter().map(|module| &module.name).collect();
        let wanted: BTreeMap<_, _> = kernel
            .profile
            .exports()
            .filter(|(_, known)| matches!(&known.owner, Owner::Module(name) if read.contains(name)))
            .map(|(symbol, known)| (symbol, (known.owner.to_string(), &known.export)))
            .collect();
        let found: BTreeMap<_, _> = kernel
            .modules
            .iter()
            .flat_map(|module| module.exports.iter().map(|export| (module.name.to_string(), export)))
            .map(|(owner, (symbol, export))| (symbol, (owner, export)))
            .collect();
        assert!(wanted.len() > 300 && found == wanted, "{}", kernel.release);
    }
}

#[test]
fn no_module_is_refused_by_its_own_kernel() {
    let extension = name("everything");
    for kernel in [&*KERNEL, &*OTHER] {
        let all = Record::new(kernel.modules.clone()).unwrap();
        let candidate = Candidate::of_modules(&extension, Some(&kernel.release), &all);
        let verdicts = judge(&Host::base(&kernel.profile, &Record::default()), &[candidate]);
        assert!(matches!(&verdicts[..], [Verdict::Fits(_)]), "{verdicts:#?}");
    }

    // The same with all but one of them in the base.
    let (one, rest): (Vec<_>, Vec<_>) =
        KERNEL.modules.iter().cloned().partition(|module| module.name.as_str() == "wireguard");
    let (one, rest) = (Record::new(one).unwrap(), Record::new(rest).unwrap());
    let candidate = Candidate::of_modules(&extension, Some(&KERNEL.release), &one);
    assert!(matches!(&judge(&Host::base(&KERNEL.profile, &rest), &[candidate])[..], [Verdict::Fits(_)]));
}

#[test]
fn a_module_of_the_other_kernel_is_refused_by_its_symbols() {
    let base =
        Record::new(KERNEL.modules.iter().filter(|m| m.name.as_str() != "wireguard").cloned().collect());
    let other = Record::new(vec![OTHER.module("wireguard")]).unwrap();
    let extension = name("wireguard");
    let candidate = Candidate::of_modules(&extension, Some(&OTHER.release), &other);
    let verdict = judge(&Host::base(&KERNEL.profile, &base.unwrap()), &[candidate]).remove(0);
    let Verdict::Unfit(reasons) = verdict else { panic!("it fits") };
    assert_eq!(reasons[0].code, ReasonCode::KernelMismatch);
    assert_eq!(reasons[1].code, ReasonCode::SymbolCrcMismatch);
    assert_eq!(reasons[1].symbol.as_deref(), Some("module_layout"));
    assert!(reasons.len() > 50);
    // What is refused is exactly what differs between the two files of modpost.
    for reason in &reasons[1..] {
        let symbol = reason.symbol.as_deref().unwrap().parse().unwrap();
        let crc = |kernel: &Kernel| kernel.profile.get(&symbol).and_then(|known| known.export.crc);
        assert_ne!(crc(&KERNEL), crc(&OTHER), "{reason}");
        let shown = crc(&OTHER).unwrap().to_string();
        assert!(
            reason.sentence.contains(symbol.as_str())
                && [&reason.found, &reason.wanted].contains(&&Some(shown))
        );
    }
    let differing = OTHER.module("wireguard").imports.into_keys().filter(|symbol| {
        let crc = |kernel: &Kernel| kernel.profile.get(symbol).and_then(|known| known.export.crc);
        crc(&KERNEL) != crc(&OTHER)
    });
    assert_eq!(differing.count(), reasons.len() - 1);
}

#[test]
fn wireguard_takes_along_what_it_needs() {
    let facts_of =
        |name: &ModuleName| Ok::<_, io::Error>(KERNEL.modules.iter().find(|m| m.name == *name).cloned());
    let ship = |base_has: &BTreeSet<ModuleName>| {
        closure(&["wireguard".parse().unwrap()], facts_of, &KERNEL.profile, base_has).unwrap()
    };
    let shipped = ship(&BTreeSet::new());
    for needed in
        ["wireguard", "udp_tunnel", "ip6_udp_tunnel", "libchacha20poly1305", "libchacha", "curve25519_x86_64"]
    {
        assert!(shipped.contains_key(&needed.parse().unwrap()), "{needed}");
    }
    let record = Record::new(shipped.values().cloned().collect()).unwrap();
    let extension = name("wireguard");
    let candidate = Candidate::of_modules(&extension, Some(&KERNEL.release), &record);
    assert!(matches!(
        &judge(&Host::base(&KERNEL.profile, &Record::default()), &[candidate])[..],
        [Verdict::Fits(_)]
    ));

    let base_has = BTreeSet::from(["udp_tunnel".parse().unwrap(), "ip6_udp_tunnel".parse().unwrap()]);
    let fewer = ship(&base_has);
    assert!(fewer.keys().all(|name| !base_has.contains(name)));
    assert_eq!(fewer.len() + base_has.len(), shipped.len());
}

#[test]
fn a_whole_kernel_goes_through_its_documents_unchanged() {
    let record = Record::new(KERNEL.modules.clone()).unwrap();
    let json = record.to_json();
    assert!(json.len() < 8 << 20, "{} bytes", json.len());
    assert_eq!(Record::parse(&json).unwrap(), record);
    let bytes = KERNEL.profile.to_bytes();
    assert_eq!(KERNEL.profile.exports().count(), 14415);
    assert_eq!(Profile::parse(&bytes).unwrap(), KERNEL.profile);
    let kernel_only = KERNEL.profile.restricted_to(&BTreeSet::new());
    assert!(kernel_only.exports().all(|(_, known)| known.owner == Owner::Kernel));
    assert!(kernel_only.exports().count() > 8000);
}
