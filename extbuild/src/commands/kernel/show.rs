//! `extbuild kernel show`

use std::collections::BTreeMap;

use kabi::{Crc, KernelExport, KernelOption, Owner, Profile, SymbolName, TrustedKey};
use serde_json::{Value, json};
use spec::{Diagnose, KernelRelease, Outcome};
use terminal::{Failure, Table};

use crate::cli::KernelShowArgs;
use crate::ground::Ground;

pub(crate) fn run(args: KernelShowArgs) -> Result<(), Failure> {
    let KernelShowArgs { kernel, symbols, json } = args;
    let profile = Ground::open(&kernel)?.profile;
    let found: BTreeMap<&SymbolName, &KernelExport> = match symbols.is_empty() {
        true => profile.exports().collect(),
        false => symbols.iter().filter_map(|symbol| Some((symbol, profile.get(symbol)?))).collect(),
    };
    match (json, symbols.is_empty()) {
        (true, _) => terminal::json(&to_json(&profile, &found))?,
        (false, true) => facts(&profile).print()?,
        (false, false) => exports(&found).print()?,
    }
    match symbols.into_iter().find(|symbol| profile.get(symbol).is_none()) {
        None => Ok(()),
        Some(symbol) => Err(NotExported { symbol, release: profile.release().clone() }.into()),
    }
}

fn facts(profile: &Profile) -> Table {
    let mut table = Table::new(&[]);
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            table.row([name.to_owned(), value]);
        }
    };
    fact("release", profile.release().to_string());
    fact("architecture", profile.arch().to_string());
    fact("build id", profile.build_id().map(ToString::to_string).unwrap_or_default());
    fact("vermagic", profile.vermagic().map(ToString::to_string).unwrap_or_default());
    fact("struct module", layout(profile));
    fact("exports", counts(profile));
    fact("built-in modules", profile.builtins().count().to_string());
    for TrustedKey { subject, serial, .. } in profile.keys() {
        fact("trusted key", format!("{subject}, serial {serial}"));
    }
    for option in KernelOption::ALL {
        let value = profile.option(option).map_or("not known", |is_on| if is_on { "on" } else { "off" });
        fact(option.as_str(), value.to_owned());
    }
    table
}

/// `struct module`, as far as it is known.
pub(super) fn layout(profile: &Profile) -> String {
    let Some(layout) = profile.layout() else { return String::new() };
    let place =
        |name, offset: Option<u32>| offset.map(|offset| format!(", {name} at {offset}")).unwrap_or_default();
    format!("{} bytes{}{}", layout.size, place("init", layout.init), place("exit", layout.exit))
}

fn counts(profile: &Profile) -> String {
    let all = profile.exports().count();
    let of_kernel = profile.exports().filter(|(_, known)| known.owner == Owner::Kernel).count();
    format!("{all}: {of_kernel} of the kernel image, {} of modules", all - of_kernel)
}

fn exports(found: &BTreeMap<&SymbolName, &KernelExport>) -> Table {
    let mut table = Table::new(&["symbol", "crc", "owner", "for", "namespace"]);
    for (symbol, KernelExport { export, owner }) in found {
        let whom = if export.gpl { "GPL only" } else { "all" };
        let namespace = export.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row([
            symbol.to_string(),
            Crc::field(export.crc),
            owner.to_string(),
            whom.to_owned(),
            namespace,
        ]);
    }
    table
}

fn to_json(profile: &Profile, exports: &BTreeMap<&SymbolName, &KernelExport>) -> Value {
    let mut value = facts_json(profile);
    value["exports"] = exports.iter().map(|(symbol, known)| export_json(symbol, known)).collect();
    value
}

/// Everything about a kernel but its exports.
pub(super) fn facts_json(profile: &Profile) -> Value {
    let options = KernelOption::ALL.map(|option| (option.to_string(), json!(profile.option(option))));
    let keys = profile.keys().iter();
    let keys = keys.map(|key| {
        json!({ "subject": key.subject, "issuer": key.issuer, "serial": key.serial, "keyId": key.key_id })
    });
    json!({
        "release": profile.release(),
        "arch": profile.arch(),
        "buildId": profile.build_id().map(ToString::to_string),
        "vermagic": profile.vermagic(),
        "layout": profile.layout(),
        "options": Value::Object(options.into_iter().collect()),
        "builtins": profile.builtins().collect::<Vec<_>>(),
        "keys": keys.collect::<Vec<_>>(),
    })
}

/// One export with all that is known of it.
pub(super) fn export_json(symbol: &SymbolName, known: &KernelExport) -> Value {
    let KernelExport { export, owner } = known;
    json!({
        "symbol": symbol,
        "crc": export.crc,
        "owner": owner.to_string(),
        "gpl": export.gpl,
        "namespace": export.namespace,
    })
}

/// A symbol was asked for that is not there.
#[derive(Debug, thiserror::Error)]
#[error("{release} does not export {symbol}")]
struct NotExported {
    symbol: SymbolName,
    release: KernelRelease,
}

impl Diagnose for NotExported {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }
}
