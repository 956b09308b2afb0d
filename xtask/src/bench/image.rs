//! `cargo xtask bench image`: our writer and its peers, on the same tree in the same hour.

mod report;

use std::fs;
use std::path::Path;
use std::process::Command;

use super::contenders::{Contender, ErofsZstd, Places, Settings, Who};
use super::inputs::{self, Extent, Inputs};
use super::measure::{Usage, measured};
use super::table::{Table, megabytes};
use super::{PAGE, generated, page};
use crate::progress::Task;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{Error, cache, command, packages, programs};

/// A contender and what its runs took.
#[derive(Debug)]
struct Measured {
    contender: Contender,
    runs: Vec<Usage>,
    image_bytes: u64,
}

pub(super) fn run(steps: &mut Steps, workspace: &Workspace, runs: usize) -> Result<(), Error> {
    steps.run("system packages", || packages::ensure(&[packages::BENCH]))?;
    let inputs = steps.run("real inputs", || inputs::prepare(workspace))?;
    let extbuild = steps.run("our program", || programs::build_extbuild(workspace))?;
    let (tree, out) = (inputs.tree(), inputs.dir().join("image"));
    let places = Places { extbuild: &extbuild, tree: &tree, out: &out };
    let extent = steps.run("what is packed", || inputs::count_and_read(&tree))?;
    let (settings, mut all) = steps.run("settings", || prepare(&places))?;
    steps.run("measured runs", || measure_all(&mut all, &inputs, &places, runs))?;
    steps.run("contents", || check(&all, extent))?;
    steps.run("same bytes", || same_with_cache(&inputs, &places))?;
    let memory = steps.run("memory", || memory(&inputs, &places, settings))?;
    steps.run("page", || {
        let text = report::text(&all, extent, &memory, runs)?;
        println!("\n{text}");
        page::refresh(&workspace.root().join(PAGE), "bench image", &text)
    })
}

/// Empties the directory of results, learns the settings of our own image, and fills the cache that stays.
fn prepare(places: &Places) -> Result<(Settings, Vec<Measured>), Error> {
    cache::remove_dir(places.out)?;
    fs::create_dir_all(places.out).map_err(Error::file("create", places.out))?;
    let first = places.tenon_rebuild();
    command::read(&mut places.command(&first))?;
    let superblock = command::read(Command::new("unsquashfs").arg("-s").arg(&first.image))?;
    let settings = Settings::from_unsquashfs(&superblock)
        .ok_or_else(|| Error::Bench("unsquashfs -s does not tell the settings of our image".to_owned()))?;
    // It prints its help with an exit code of its own.
    let help = command::capture(Command::new("mkfs.erofs").arg("--help"))?;
    let contenders = places.all(settings, ErofsZstd::from_help(&command::said(&help)));
    let all = contenders.into_iter().map(|contender| Measured { contender, runs: vec![], image_bytes: 0 });
    Ok((settings, all.collect()))
}

/// Runs all contenders in rounds, each round in another order, so that no one has the machine's best hour.
fn measure_all(all: &mut [Measured], inputs: &Inputs, places: &Places, rounds: usize) -> Result<(), Error> {
    for round in 0..rounds {
        let (later, first) = all.split_at_mut(round % all.len());
        for Measured { contender, runs, image_bytes } in first.iter_mut().chain(later) {
            let task = Task::spin(format!("{}/{rounds} {}", round + 1, contender.name));
            match contender.who {
                Who::TenonEmptyCache => cache::remove_dir(&places.cold_cache())?,
                Who::TenonRebuild => inputs.change(1 + round as u64)?,
                _ => {}
            }
            let usage = pack(places, contender)?;
            let meta = contender.image.metadata().map_err(Error::file("read", &contender.image))?;
            *image_bytes = meta.len();
            runs.push(usage);
            task.finish(&format!(
                "{:.2} s, {:.2} s of processors, {} MB",
                usage.wall,
                usage.cpu,
                megabytes(meta.len())
            ));
        }
    }
    Ok(())
}

fn pack(places: &Places, contender: &Contender) -> Result<Usage, Error> {
    remove_file(&contender.image)?;
    measured(&places.command(contender), places.out)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// A writer that leaves something out is fast: each image must hold as many entries as the tree.
fn check(all: &[Measured], extent: Extent) -> Result<(), Error> {
    for Measured { contender, image_bytes, .. } in all {
        let entries = entries_of(&contender.image)?;
        if entries != extent.entries {
            return Err(Error::Bench(format!(
                "the image of {} has {entries} entries, the tree {}",
                contender.name, extent.entries
            )));
        }
        if !(extent.bytes / 20..extent.bytes).contains(image_bytes) {
            return Err(Error::Bench(format!("the image of {} has {image_bytes} bytes", contender.name)));
        }
    }
    Ok(())
}

/// How many entries an image has, its top counted, as the tools of its own format say.
fn entries_of(image: &Path) -> Result<u64, Error> {
    if image.extension().is_some_and(|end| end == "erofs") {
        let text = command::read(Command::new("dump.erofs").arg("-s").arg(image))?;
        return inodes(&text).ok_or_else(|| Error::Bench("dump.erofs does not count inodes".to_owned()));
    }
    command::read(Command::new("unsquashfs").arg("-l").arg(image)).map(|list| listed(&list))
}

/// What `dump.erofs -s` says. None of the packages has hard links, so there are as many inodes as entries.
fn inodes(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("Filesystem inode count:")?.trim().parse().ok())
}

/// What `unsquashfs -l` lists, below the name that it gives the top.
fn listed(text: &str) -> u64 {
    text.lines().filter(|line| line.starts_with("squashfs-root")).count() as u64
}

/// After one more change: what the cache gave must be what work gives.
fn same_with_cache(inputs: &Inputs, places: &Places) -> Result<(), Error> {
    inputs.change(u64::MAX)?;
    let (with, without) = (places.tenon_rebuild(), places.tenon());
    for contender in [&with, &without] {
        remove_file(&contender.image)?;
        command::read(&mut places.command(contender))?;
    }
    command::read(Command::new("cmp").arg(&with.image).arg(&without.image)).map(drop)
}

/// Peak memory on a tree of another shape, each writer once.
fn memory(inputs: &Inputs, places: &Places, settings: Settings) -> Result<Table, Error> {
    let tree = generated::prepare(inputs.dir())?;
    let places = Places { tree: &tree, ..*places };
    let mut table = Table::new(&["writer", "wall s", "CPU s", "peak MB", "size MB"]);
    for contender in [places.tenon(), places.mksquashfs(settings)] {
        let task = Task::spin(format!("{}: {}", contender.name, generated::WHAT));
        let usage = pack(&places, &contender)?;
        let meta = contender.image.metadata().map_err(Error::file("read", &contender.image))?;
        let mut row = vec![contender.name];
        row.extend([usage.wall, usage.cpu].map(|seconds| format!("{seconds:.2}")));
        row.extend([usage.peak, meta.len()].map(megabytes));
        table.push(row);
        task.finish(&format!("{} MB at the peak", megabytes(usage.peak)));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_as_the_tools_print_them() {
        let list =
            "Parallel unsquashfs: Using 2 processors\nsquashfs-root\nsquashfs-root/a\nsquashfs-root/a/b\n";
        assert_eq!(listed(list), 3);
        let superblock = "Filesystem blocks:                            12\n\
            Filesystem inode count:                       8129\nFilesystem created:                           x\n";
        assert_eq!(inodes(superblock), Some(8129));
        assert_eq!(inodes("usage: [options] IMAGE"), None);
    }
}
