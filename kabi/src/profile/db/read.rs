//! From bytes to a profile. Whoever wrote them is a stranger: every number, order and name is checked.

use std::collections::BTreeMap;

use spec::{Arch, ModuleName};

use super::list::{List, TokenTable};
use super::part::{Part, parse};
use super::{ALIGN, GPL, HEADER, KEYS_MAX, MAGIC, NOWHERE, ProfileError, Table, VERSION};
use crate::profile::{Exports, KernelExport, KernelFacts, KernelOptions, Owner, Profile, TrustedKey};
use crate::{Crc, Export, InfoText, StructLayout, SymbolName};

/// Reads a profile.
pub(crate) fn read(bytes: &[u8]) -> Result<Profile, ProfileError> {
    let file = File::open(bytes)?;
    let tokens = TokenTable::read(file.table(Table::Tokens))?;
    let facts = KernelFacts {
        vermagic: file.table(Table::Vermagic).text()?,
        build_id: file.table(Table::BuildId).text()?,
        layout: file.layout,
        options: file.options,
        builtins: List::read(file.table(Table::Builtins), &tokens)?.parse(module_name)?.into_iter().collect(),
        keys: keys(file.table(Table::Keys))?,
    };
    let release = file.table(Table::Release);
    let release = release.text()?.ok_or_else(|| release.wrong("there is none".to_owned()))?;
    Ok(Profile { release, arch: file.arch, exports: exports(&file, &tokens)?, facts })
}

/// The header, and the tables where it says that they are.
struct File<'a> {
    arch: Arch,
    options: KernelOptions,
    layout: Option<StructLayout>,
    tables: [Part<'a>; Table::ALL.len()],
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Result<File<'a>, ProfileError> {
        let mut header = Part::new("header", 0, bytes);
        if header.take(MAGIC.len()).ok() != Some(MAGIC) {
            return Err(ProfileError::Magic);
        }
        let version = header.number()?;
        if version != VERSION {
            return Err(ProfileError::Version(version));
        }
        let arch = arch(&mut header)?;
        let options = options(&mut header)?;
        let layout = layout(&mut header)?;
        let place = header;
        if header.number()? as usize != bytes.len() {
            return Err(
                place.wrong(format!("the file has {} bytes; it should have another number", bytes.len()))
            );
        }
        Ok(File { arch, options, layout, tables: tables(&mut header, bytes)? })
    }

    fn table(&self, table: Table) -> Part<'a> {
        self.tables[table as usize]
    }
}

fn arch(header: &mut Part<'_>) -> Result<Arch, ProfileError> {
    let place = *header;
    let machine = header.number()?;
    let arch = [Arch::Amd64, Arch::Arm64].into_iter().find(|arch| u32::from(arch.elf_machine()) == machine);
    arch.ok_or_else(|| place.wrong(format!("machine {machine} is neither 62 (amd64) nor 183 (arm64)")))
}

fn options(header: &mut Part<'_>) -> Result<KernelOptions, ProfileError> {
    let place = *header;
    let [known, on] = [header.long()?, header.long()?];
    let options = KernelOptions::from_bits(known, on);
    options.ok_or_else(|| place.wrong("an option is on that is not known".to_owned()))
}

fn layout(header: &mut Part<'_>) -> Result<Option<StructLayout>, ProfileError> {
    let place = *header;
    let [size, init, exit] = [header.number()?, header.number()?, header.number()?];
    let field = |offset: u32| (offset != NOWHERE).then_some(offset);
    if [init, exit].into_iter().filter_map(field).any(|offset| offset >= size) {
        return Err(place.wrong(format!("struct module has {size} bytes and a field outside")));
    }
    Ok((size > 0).then_some(StructLayout { size, init: field(init), exit: field(exit) }))
}

/// The tables, which follow each other without gaps but for zeros up to where the next may start.
fn tables<'a>(header: &mut Part<'a>, bytes: &'a [u8]) -> Result<[Part<'a>; Table::ALL.len()], ProfileError> {
    let mut rest = Part::new("header", 0, bytes);
    rest.take(HEADER)?;
    let mut tables = [rest; Table::ALL.len()];
    for table in Table::ALL {
        let place = *header;
        let [offset, length] = [header.number()? as usize, header.number()? as usize];
        if offset != rest.at() {
            return Err(place.wrong(format!("table {} must start at {:#x}", table.name(), rest.at())));
        }
        tables[table as usize] = Part::new(table.name(), offset, rest.take(length)?);
        let fill = rest.at().next_multiple_of(ALIGN) - rest.at();
        if rest.take(fill)?.iter().any(|byte| *byte != 0) {
            return Err(rest.wrong(format!("there is something behind table {}", table.name())));
        }
    }
    rest.end()?;
    Ok(tables)
}

/// A name in the one form that it is written in.
fn module_name(text: &str) -> Result<ModuleName, String> {
    let name: ModuleName = parse(text)?;
    match name.as_str() == text {
        true => Ok(name),
        false => Err(format!("module {text} must be written {name}")),
    }
}

/// A module behind its directory.
fn module_path(text: &str) -> Result<(ModuleName, Option<InfoText>), String> {
    match text.rsplit_once('/') {
        Some((directory, name)) => Ok((module_name(name)?, Some(parse(directory)?))),
        None => Ok((module_name(text)?, None)),
    }
}

fn exports(file: &File<'_>, tokens: &TokenTable<'_>) -> Result<Exports, ProfileError> {
    let symbols = List::read(file.table(Table::Symbols), tokens)?.parse(parse::<SymbolName>)?;
    let versions = file.table(Table::Versions).entries(symbols.len())?;
    let modules = List::read(file.table(Table::Modules), tokens)?.parse(module_path)?;
    let owners = owners(file.table(Table::Owners), symbols.len(), &modules)?;
    let namespaces = List::read(file.table(Table::Namespaces), tokens)?.parse(parse::<InfoText>)?;
    let mut scopes = scopes(file.table(Table::Scopes), symbols.len(), &namespaces)?.into_iter().peekable();

    let rows = symbols.into_iter().zip(versions).zip(owners).enumerate();
    let by_symbol = rows.map(|(index, ((symbol, crc), (owner, gpl)))| {
        let namespace = scopes.next_if(|(export, _)| *export == index).map(|(_, namespace)| namespace);
        let export = Export { crc: Crc::new(u32::from_le_bytes(*crc)), gpl, namespace };
        (symbol, KernelExport { export, owner })
    });
    let by_symbol = by_symbol.collect();
    Ok(Exports { by_symbol, owners: places(file.table(Table::Modules), modules)? })
}

/// The owner of each export, and whether it is for GPL-compatible modules only. Every module owns something.
fn owners(
    part: Part<'_>,
    exports: usize,
    modules: &[(ModuleName, Option<InfoText>)],
) -> Result<Vec<(Owner, bool)>, ProfileError> {
    let mut owns = vec![false; modules.len()];
    let mut owners = Vec::with_capacity(exports);
    for word in part.entries(exports)? {
        let word = u16::from_le_bytes(*word);
        let owner = match usize::from(word & !GPL).checked_sub(1) {
            None => Owner::Kernel,
            Some(number) => {
                let module = modules.get(number);
                let (name, _) = module.ok_or_else(|| part.wrong(format!("there is no module {number}")))?;
                owns[number] = true;
                Owner::Module(name.clone())
            }
        };
        owners.push((owner, word & GPL != 0));
    }
    match owns.iter().position(|owns| !owns) {
        None => Ok(owners),
        Some(number) => Err(part.wrong(format!("module {} exports nothing", modules[number].0))),
    }
}

/// Where the modules are, of which each has a name of its own.
fn places(
    part: Part<'_>,
    modules: Vec<(ModuleName, Option<InfoText>)>,
) -> Result<BTreeMap<ModuleName, Option<InfoText>>, ProfileError> {
    let count = modules.len();
    let places: BTreeMap<_, _> = modules.into_iter().collect();
    match places.len() == count {
        true => Ok(places),
        false => Err(part.wrong("two modules have the same name".to_owned())),
    }
}

/// The namespaces of exports, each with the number of the export, in order.
fn scopes(
    mut part: Part<'_>,
    exports: usize,
    namespaces: &[InfoText],
) -> Result<Vec<(usize, InfoText)>, ProfileError> {
    let mut scopes: Vec<(usize, InfoText)> = Vec::new();
    while !part.is_at_end() {
        let place = part;
        let [export, namespace] = [part.number()? as usize, part.number()? as usize];
        let namespace = namespaces.get(namespace).filter(|_| export < exports);
        let namespace =
            namespace.ok_or_else(|| place.wrong("there is no such export or namespace".to_owned()))?;
        if scopes.last().is_some_and(|(last, _)| *last >= export) {
            return Err(place.wrong("the export does not come after the one before it".to_owned()));
        }
        scopes.push((export, namespace.clone()));
    }
    Ok(scopes)
}

fn keys(mut part: Part<'_>) -> Result<Vec<TrustedKey>, ProfileError> {
    let count = part.number()?;
    if count > KEYS_MAX {
        return Err(part.wrong(format!("there are {count} keys; at most {KEYS_MAX} are read")));
    }
    let mut keys = Vec::new();
    for _ in 0..count {
        let place = part;
        let mut text = || {
            let length = part.number()? as usize;
            str::from_utf8(part.take(length)?).map_err(|_| place.wrong("the key is not UTF-8".to_owned()))
        };
        let [subject, issuer, serial, key_id] = [text()?, text()?, text()?, text()?];
        let wrong = |complaint| place.wrong(complaint);
        let key_id = Some(key_id).filter(|id| !id.is_empty()).map(parse).transpose().map_err(wrong)?;
        let (subject, serial) = (parse(subject).map_err(wrong)?, parse(serial).map_err(wrong)?);
        let issuer = parse(issuer).map_err(wrong)?;
        let length = part.number()? as usize;
        keys.push(TrustedKey { subject, issuer, serial, key_id, spki: part.take(length)?.to_vec() });
    }
    part.end()?;
    Ok(keys)
}
