//! From a profile to its bytes.

use std::collections::{BTreeMap, BTreeSet};

use spec::ModuleName;

use super::list::{FrontCoded, number};
use super::tokens::Tokens;
use super::{ALIGN, GPL, HEADER, MAGIC, NOWHERE, Table, VERSION};
use crate::profile::exports::module_path;
use spec::BuildId;

use crate::profile::{KernelExport, Owner, Profile, TrustedKey};
use crate::{Crc, InfoText};

/// The bytes of the profile: the same for the same profile.
pub(crate) fn write(profile: &Profile) -> Vec<u8> {
    let modules = modules(profile);
    let namespaces: BTreeSet<&InfoText> = namespaces(profile).map(|(_, namespace)| namespace).collect();
    let mut lists = [
        FrontCoded::new(namespaces.iter().map(|namespace| namespace.as_str())),
        FrontCoded::new(modules.keys().map(String::as_str)),
        FrontCoded::new(profile.builtins().map(ModuleName::as_str)),
        FrontCoded::new(profile.exports().map(|(symbol, _)| symbol.as_str())),
    ];
    let tokens = shorten(&mut lists);
    let text = |text: &str| text.as_bytes().to_vec();
    let [namespace_list, module_list, builtin_list, symbol_list] = lists.map(|list| list.to_bytes());
    // In the order of `Table`.
    let tables = [
        text(profile.release.as_str()),
        text(profile.vermagic().map_or("", InfoText::as_str)),
        text(profile.build_id().map_or("", BuildId::as_str)),
        tokens.to_bytes(),
        namespace_list,
        module_list,
        builtin_list,
        symbol_list,
        versions(profile),
        owners(profile, &modules),
        scopes(profile, &namespaces),
        keys(profile.keys()),
    ];
    assemble(profile, tables)
}

/// The modules that export something, by the text that stands for them.
fn modules(profile: &Profile) -> BTreeMap<String, &ModuleName> {
    let owners = profile.exports.owners.iter();
    owners.map(|(name, directory)| (module_path(directory.as_ref(), name), name)).collect()
}

/// The number of each export that is in a namespace, and the namespace.
fn namespaces(profile: &Profile) -> impl Iterator<Item = (usize, &InfoText)> {
    let exports = profile.exports().enumerate();
    exports.filter_map(|(index, (_, known))| Some((index, known.export.namespace.as_ref()?)))
}

/// All lists have the same tokens.
fn shorten(lists: &mut [FrontCoded; 4]) -> Tokens {
    let mut all: Vec<Vec<u8>> = lists.iter_mut().flat_map(|list| list.rest.drain(..)).collect();
    let tokens = Tokens::shorten(&mut all);
    let mut all = all.into_iter();
    for list in lists {
        list.rest = all.by_ref().take(list.common.len()).collect();
    }
    tokens
}

fn versions(profile: &Profile) -> Vec<u8> {
    let crc = |crc: Option<Crc>| crc.map_or(0, Crc::value).to_le_bytes();
    profile.exports().flat_map(|(_, known)| crc(known.export.crc)).collect()
}

fn owners(profile: &Profile, modules: &BTreeMap<String, &ModuleName>) -> Vec<u8> {
    let numbers: BTreeMap<&ModuleName, u16> = modules.values().copied().zip(1..).collect();
    let owner = |known: &KernelExport| {
        let number = match &known.owner {
            Owner::Kernel => 0,
            Owner::Module(name) => numbers[name],
        };
        let gpl = if known.export.gpl { GPL } else { 0 };
        (number | gpl).to_le_bytes()
    };
    profile.exports().flat_map(|(_, known)| owner(known)).collect()
}

fn scopes(profile: &Profile, namespaces: &BTreeSet<&InfoText>) -> Vec<u8> {
    let numbers: BTreeMap<&InfoText, usize> = namespaces.iter().copied().zip(0..).collect();
    let scope = |(symbol, namespace): (usize, &InfoText)| [symbol, numbers[namespace]].map(number).concat();
    self::namespaces(profile).flat_map(scope).collect()
}

fn keys(keys: &[TrustedKey]) -> Vec<u8> {
    let mut bytes = number(keys.len()).to_vec();
    for TrustedKey { subject, issuer, serial, key_id, spki } in keys {
        let (issuer, key_id) = (issuer.to_string(), key_id.as_ref().map_or("", |id| id.as_str()));
        let texts = [subject.as_str(), &issuer, serial.as_str(), key_id];
        for field in texts.map(str::as_bytes).into_iter().chain([spki.as_slice()]) {
            bytes.extend(number(field.len()));
            bytes.extend(field);
        }
    }
    bytes
}

/// The header and the tables.
fn assemble(profile: &Profile, contents: [Vec<u8>; Table::ALL.len()]) -> Vec<u8> {
    let mut places = Vec::new();
    let mut tables = Vec::new();
    for content in contents {
        places.extend([HEADER + tables.len(), content.len()].map(number).concat());
        tables.extend(content);
        tables.resize(tables.len().next_multiple_of(ALIGN), 0);
    }
    let [known, on] = profile.facts.options.bits();
    let layout = profile.layout();
    let offset = |offset: Option<u32>| offset.unwrap_or(NOWHERE);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(u32::from(profile.arch.elf_machine()).to_le_bytes());
    bytes.extend(known.to_le_bytes());
    bytes.extend(on.to_le_bytes());
    bytes.extend(layout.map_or(0, |layout| layout.size).to_le_bytes());
    bytes.extend(offset(layout.and_then(|layout| layout.init)).to_le_bytes());
    bytes.extend(offset(layout.and_then(|layout| layout.exit)).to_le_bytes());
    bytes.extend(number(HEADER + tables.len()));
    bytes.extend(places);
    bytes.extend(tables);
    bytes
}
