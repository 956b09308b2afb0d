//! What a power cut may leave of a file system.
//!
//! What was synced stays. Of what was not, any part may be there: of the changes to a directory any subset, in their order,
//! as only changes to one name depend on each other; of the bytes of a file any number of whole writes, a prefix of the
//! next one, or any subset of its sectors, with the rest old or, in a file that grew, zero.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{FileSystem, Inode, Node, write_at};

/// What a disk writes whole: the sector of the oldest ones, so that newer ones do no worse.
const SECTOR: usize = 512;
/// Most things that are pending in one place and of which all subsets are tried.
const SUBSETS_MAX: usize = 10;
/// Most states of one instant. Those of careful programs are far fewer; those of careless ones are cut off here.
pub(crate) const STATES_MAX: usize = 20_000;

/// All states, up to [`STATES_MAX`].
pub(crate) fn after_power_cut(files: &FileSystem) -> BTreeSet<Node> {
    nodes(files, 0)
}

/// Are those all states, and was nothing left out because there was too much of it?
pub(crate) fn is_complete(files: &FileSystem) -> bool {
    files.0.iter().all(|inode| match inode {
        Inode::File { durable, pending } => {
            let end = pending.iter().map(|(at, new)| at + new.len()).max().unwrap_or_default();
            end.max(durable.len()).div_ceil(SECTOR) <= SUBSETS_MAX || pending.is_empty()
        }
        Inode::Dir { durable: _, pending } => pending.len() <= SUBSETS_MAX,
    })
}

fn nodes(files: &FileSystem, number: usize) -> BTreeSet<Node> {
    match &files.0[number] {
        Inode::File { durable, pending } => contents(durable, pending).into_iter().map(Node::File).collect(),
        Inode::Dir { durable, pending } => {
            let mut found = BTreeSet::new();
            for subset in subsets(pending.len()) {
                let mut names = durable.clone();
                let kept = pending.iter().enumerate().filter(|(place, _)| subset & 1 << place != 0);
                kept.for_each(|(_, change)| change.apply(&mut names));
                // All combinations of what may be under each name.
                let mut partial = vec![BTreeMap::new()];
                for (name, inode) in names {
                    let below = nodes(files, inode);
                    let with = |part: &BTreeMap<String, Node>, node: &Node| {
                        let mut part = part.clone();
                        part.insert(name.clone(), node.clone());
                        part
                    };
                    partial = partial
                        .iter()
                        .flat_map(|part| below.iter().map(move |node| (part, node)))
                        .take(STATES_MAX)
                        .map(|(part, node)| with(part, node))
                        .collect();
                }
                found.extend(partial.into_iter().map(Node::Dir));
                if found.len() >= STATES_MAX {
                    break;
                }
            }
            found
        }
    }
}

/// Which of so many things happened, a bit for each: nothing first, and everything as well where they are too many for all
/// subsets.
fn subsets(count: usize) -> impl Iterator<Item = u64> {
    let all = (count > SUBSETS_MAX).then(|| (1_u64 << count) - 1);
    (0..1_u64 << count.min(SUBSETS_MAX)).chain(all)
}

fn contents(durable: &[u8], pending: &[(usize, Vec<u8>)]) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::from([durable.to_owned()]);
    let mut whole = durable.to_owned();
    for (at, new) in pending {
        let sectors = (0..new.len()).step_by(SECTOR);
        for cut in sectors.chain([1, new.len() / 2, new.len().saturating_sub(1)]) {
            let mut torn = whole.clone();
            write_at(&mut torn, *at, &new[..cut.min(new.len())]);
            found.insert(torn);
        }
        write_at(&mut whole, *at, new);
        found.insert(whole.clone());
    }
    let mut old = durable.to_owned();
    old.resize(whole.len().max(old.len()), 0);
    let differing: Vec<usize> = (0..whole.len())
        .step_by(SECTOR)
        .filter(|at| old[*at..whole.len().min(at + SECTOR)] != whole[*at..whole.len().min(at + SECTOR)])
        .collect();
    for subset in subsets(differing.len()) {
        let mut mixed = old.clone();
        for (_, at) in differing.iter().enumerate().filter(|(place, _)| subset & 1 << place != 0) {
            let end = whole.len().min(at + SECTOR);
            mixed[*at..end].copy_from_slice(&whole[*at..end]);
        }
        found.insert(mixed);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use generations::Disk;

    fn states(act: impl FnOnce(&Model)) -> BTreeSet<Node> {
        let model = Model::empty();
        act(&model);
        after_power_cut(&model.files())
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_vanish() {
        let one = |sync_file: bool, sync_dir: bool| {
            states(|model| {
                let mut file = model.create("a").unwrap();
                model.append(&mut file, b"xy").unwrap();
                if sync_file {
                    model.sync_file(&file).unwrap();
                }
                if sync_dir {
                    model.sync_dir(".").unwrap();
                }
            })
            .len()
        };
        assert_eq!(one(true, true), 1);
        assert_eq!(one(true, false), 2, "there or not");
        assert_eq!(one(false, true), 4, "nothing, x, xy, or two zeros");
    }

    #[test]
    fn a_block_that_is_written_over_may_be_any_mix_of_sectors() {
        let model = Model::empty();
        let mut file = model.create("a").unwrap();
        model.append(&mut file, &[1; 4 * SECTOR]).unwrap();
        model.sync_file(&file).unwrap();
        model.sync_dir(".").unwrap();
        model.record();
        model.overwrite("a", &[2; 4 * SECTOR]).unwrap();
        let trace = model.recorded();
        let counts: Vec<usize> = trace.iter().map(|files| after_power_cut(files).len()).collect();
        // 16 mixes, and two writes that ended within a sector; the half is a mix as well.
        assert_eq!(counts, [1, 18, 1]);
    }

    #[test]
    fn a_rename_may_come_without_the_file_that_it_is_of() {
        let found = states(|model| {
            let mut file = model.create("new").unwrap();
            model.append(&mut file, b"x").unwrap();
            model.rename("new", "name").unwrap();
            model.sync_dir(".").unwrap();
        });
        assert_eq!(found.len(), 3, "empty, a zero, or whole: {found:?}");
    }
}
