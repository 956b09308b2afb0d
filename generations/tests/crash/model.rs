//! A file system in memory that remembers what is durable and what is not yet.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::rc::Rc;

use generations::disk::{Disk, DiskError, Kind};
use rustix::io::Errno;

/// What is on a disk after a power cut: nothing of it is pending.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Node {
    File(Vec<u8>),
    Dir(BTreeMap<String, Node>),
}

/// All that is there, by number; the top is number 0.
#[derive(Debug, Clone)]
pub(crate) struct FileSystem(pub(crate) Vec<Inode>);

#[derive(Debug, Clone)]
pub(crate) enum Inode {
    /// Its durable bytes, and what was written since: where, and what.
    File { durable: Vec<u8>, pending: Vec<(usize, Vec<u8>)> },
    /// Its durable names, and what was done to them since.
    Dir { durable: BTreeMap<String, usize>, pending: Vec<Change> },
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Link(String, usize),
    Unlink(String),
    Rename(String, String, usize),
}

impl Change {
    pub(crate) fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Change::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Change::Unlink(name) => {
                names.remove(name);
            }
            Change::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }
}

/// Writes over what is there, and makes it longer where it must be.
pub(crate) fn write_at(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.resize(bytes.len().max(at + new.len()), 0);
    bytes[at..at + new.len()].copy_from_slice(new);
}

impl FileSystem {
    fn names(&self, dir: usize) -> Result<Cow<'_, BTreeMap<String, usize>>, Errno> {
        let Inode::Dir { durable, pending } = &self.0[dir] else { return Err(Errno::NOTDIR) };
        let mut names = Cow::Borrowed(durable);
        pending.iter().for_each(|change| change.apply(names.to_mut()));
        Ok(names)
    }

    fn bytes(&self, file: usize) -> Result<Cow<'_, [u8]>, Errno> {
        let Inode::File { durable, pending } = &self.0[file] else { return Err(Errno::ISDIR) };
        let mut bytes = Cow::Borrowed(&durable[..]);
        pending.iter().for_each(|(at, new)| write_at(bytes.to_mut(), *at, new));
        Ok(bytes)
    }

    fn find(&self, path: &str) -> Result<usize, Errno> {
        let names = path.split('/').filter(|name| *name != ".");
        names.into_iter().try_fold(0, |dir, name| self.names(dir)?.get(name).copied().ok_or(Errno::NOENT))
    }

    fn parent<'a>(&self, path: &'a str) -> Result<(usize, &'a str), Errno> {
        let (dir, name) = path.rsplit_once('/').unwrap_or((".", path));
        Ok((self.find(dir)?, name))
    }

    fn change(&mut self, dir: usize, change: Change) -> Result<(), Errno> {
        match &mut self.0[dir] {
            Inode::Dir { pending, .. } => pending.push(change),
            Inode::File { .. } => return Err(Errno::NOTDIR),
        }
        Ok(())
    }

    fn link(&mut self, path: &str, inode: Inode) -> Result<usize, Errno> {
        let (dir, name) = self.parent(path)?;
        if self.names(dir)?.contains_key(name) {
            return Err(Errno::EXIST);
        }
        self.0.push(inode);
        let number = self.0.len() - 1;
        self.change(dir, Change::Link(name.to_owned(), number))?;
        Ok(number)
    }

    fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        let (dir, name) = self.parent(path)?;
        self.change(dir, Change::Unlink(name.to_owned()))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let ((dir, from), (to_dir, to)) = (self.parent(from)?, self.parent(to)?);
        assert_eq!(dir, to_dir, "only renames within a directory are modelled");
        let inode = *self.names(dir)?.get(from).ok_or(Errno::NOENT)?;
        if let Some(there) = self.names(dir)?.get(to)
            && self.names(*there).is_ok_and(|names| !names.is_empty())
        {
            return Err(Errno::NOTEMPTY);
        }
        self.change(dir, Change::Rename(from.to_owned(), to.to_owned(), inode))
    }

    fn write(&mut self, file: usize, at: usize, new: &[u8]) {
        if let Inode::File { pending, .. } = &mut self.0[file] {
            pending.push((at, new.to_owned()));
        }
    }

    fn sync(&mut self, number: usize) {
        match &mut self.0[number] {
            Inode::File { durable, pending } => {
                pending.drain(..).for_each(|(at, new)| write_at(durable, at, &new));
            }
            Inode::Dir { durable, pending } => {
                pending.drain(..).for_each(|change| change.apply(durable));
            }
        }
    }

    /// What programs see, as if nothing could be lost.
    pub(crate) fn seen(&self) -> Node {
        self.seen_at(0)
    }

    fn seen_at(&self, number: usize) -> Node {
        match self.names(number) {
            Ok(names) => {
                Node::Dir(names.iter().map(|(name, inode)| (name.clone(), self.seen_at(*inode))).collect())
            }
            Err(_) => Node::File(self.bytes(number).unwrap_or_default().into_owned()),
        }
    }
}

/// Which steps fail, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// The first that fails.
    pub(crate) step: usize,
    /// Do all after it fail as well?
    pub(crate) lasting: bool,
    pub(crate) errno: Errno,
    /// How much of what failed was done all the same.
    pub(crate) done: Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Nothing,
    /// Half of the bytes of a write.
    Half,
    /// All of the bytes of a write, and only its sync failed.
    Written,
}

/// A disk with that file system. What is cloned is the same disk.
#[derive(Debug, Clone)]
pub(crate) struct Model(Rc<RefCell<Machine>>);

#[derive(Debug)]
struct Machine {
    files: FileSystem,
    /// The file system after each step, if it is recorded.
    trace: Option<Vec<FileSystem>>,
    steps: usize,
    fault: Option<Fault>,
    /// Was something written over, and only its sync failed?
    taken_unsynced: bool,
}

impl Model {
    pub(crate) fn new(files: FileSystem) -> Model {
        Model(Rc::new(RefCell::new(Machine {
            files,
            trace: None,
            steps: 0,
            fault: None,
            taken_unsynced: false,
        })))
    }

    pub(crate) fn empty() -> Model {
        Model::of(&Node::Dir(BTreeMap::new()))
    }

    /// A disk that holds this and nothing that is pending.
    pub(crate) fn of(tree: &Node) -> Model {
        let mut inodes = Vec::new();
        plant(tree, &mut inodes);
        Model::new(FileSystem(inodes))
    }

    pub(crate) fn files(&self) -> FileSystem {
        self.0.borrow().files.clone()
    }

    pub(crate) fn record(&self) {
        let mut machine = self.0.borrow_mut();
        machine.trace = Some(vec![machine.files.clone()]);
    }

    /// The file systems that a power cut may have met since [`Model::record`], the last after all was done.
    pub(crate) fn recorded(&self) -> Vec<FileSystem> {
        self.0.borrow_mut().trace.take().unwrap_or_default()
    }

    pub(crate) fn fail(&self, fault: Option<Fault>) {
        let mut machine = self.0.borrow_mut();
        (machine.fault, machine.steps) = (fault, 0);
    }

    /// How many steps there were since [`Model::fail`].
    pub(crate) fn steps(&self) -> usize {
        self.0.borrow().steps
    }

    /// Has the disk taken something that it then did not sync?
    pub(crate) fn has_taken_unsynced(&self) -> bool {
        self.0.borrow().taken_unsynced
    }

    /// One step: what is done to the file system, or, where it is to fail, the part of it that is done all the same.
    fn step<T>(
        &self,
        path: &str,
        act: impl FnOnce(&mut FileSystem) -> Result<T, Errno>,
        fail: impl FnOnce(&mut FileSystem, Done),
    ) -> Result<T, DiskError> {
        let mut machine = self.0.borrow_mut();
        let step = machine.steps;
        machine.steps += 1;
        let failing =
            machine.fault.filter(|fault| step == fault.step || (fault.lasting && step > fault.step));
        let result = match failing {
            Some(fault) => {
                if step == fault.step {
                    fail(&mut machine.files, fault.done);
                }
                Err(fault.errno)
            }
            None => act(&mut machine.files),
        };
        machine.keep();
        result.map_err(|errno| DiskError::at("change", self.name(path))(errno.into()))
    }

    fn ask<T>(&self, path: &str, ask: impl FnOnce(&FileSystem) -> Result<T, Errno>) -> Result<T, DiskError> {
        ask(&self.0.borrow().files).map_err(|errno| DiskError::at("read", self.name(path))(errno.into()))
    }
}

impl Machine {
    fn keep(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.push(self.files.clone());
        }
    }
}

fn plant(tree: &Node, inodes: &mut Vec<Inode>) -> usize {
    let number = inodes.len();
    inodes.push(Inode::File { durable: Vec::new(), pending: Vec::new() });
    inodes[number] = match tree {
        Node::File(bytes) => Inode::File { durable: bytes.clone(), pending: Vec::new() },
        Node::Dir(names) => Inode::Dir {
            durable: names.iter().map(|(name, node)| (name.clone(), plant(node, inodes))).collect(),
            pending: Vec::new(),
        },
    };
    number
}

impl Disk for Model {
    type File = usize;
    type Lock = ();

    fn lock(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn make_dir(&self, path: &str) -> Result<(), DiskError> {
        let dir = Inode::Dir { durable: BTreeMap::new(), pending: Vec::new() };
        self.step(path, |files| files.link(path, dir).map(drop), |_, _| {})
    }

    fn create(&self, path: &str) -> Result<usize, DiskError> {
        let file = Inode::File { durable: Vec::new(), pending: Vec::new() };
        self.step(path, |files| files.link(path, file), |_, _| {})
    }

    fn append(&self, file: &mut usize, bytes: &[u8]) -> Result<(), DiskError> {
        let write = |files: &mut FileSystem, bytes: &[u8]| {
            let end = files.bytes(*file)?.len();
            files.write(*file, end, bytes);
            Ok(())
        };
        self.step(
            "a new file",
            |files| write(files, bytes),
            |files, done| {
                if done != Done::Nothing {
                    let _ = write(files, &bytes[..bytes.len() / 2]);
                }
            },
        )
    }

    fn sync_file(&self, file: &usize) -> Result<(), DiskError> {
        self.step(
            "a new file",
            |files| {
                files.sync(*file);
                Ok(())
            },
            |_, _| {},
        )
    }

    fn sync_dir(&self, path: &str) -> Result<(), DiskError> {
        self.step(path, |files| files.find(path).map(|dir| files.sync(dir)), |_, _| {})
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.step(to, |files| files.rename(from, to), |_, _| {})
    }

    /// A step to write and one to sync: the power may fail between them.
    fn overwrite(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let write = |files: &mut FileSystem, bytes: &[u8]| {
            let file = files.find(path)?;
            files.write(file, 0, bytes);
            Ok(file)
        };
        let file = self.step(
            path,
            |files| write(files, bytes),
            |files, done| {
                let count = match done {
                    Done::Nothing => return,
                    Done::Half => bytes.len() / 2,
                    Done::Written => bytes.len(),
                };
                let _ = write(files, &bytes[..count]);
            },
        )?;
        let synced = self.step(
            path,
            |files| {
                files.sync(file);
                Ok(())
            },
            |_, _| {},
        );
        self.0.borrow_mut().taken_unsynced |= synced.is_err();
        synced
    }

    fn sync_written(&self, path: &str) -> Result<(), DiskError> {
        self.step(path, |files| files.find(path).map(|file| files.sync(file)), |_, _| {})
    }

    fn remove_file(&self, path: &str) -> Result<(), DiskError> {
        let act = |files: &mut FileSystem| {
            let file = files.find(path)?;
            files.bytes(file)?;
            files.unlink(path)
        };
        self.step(path, act, |_, _| {})
    }

    fn remove_dir(&self, path: &str) -> Result<(), DiskError> {
        let act = |files: &mut FileSystem| {
            let dir = files.find(path)?;
            match files.names(dir)?.is_empty() {
                true => files.unlink(path),
                false => Err(Errno::NOTEMPTY),
            }
        };
        self.step(path, act, |_, _| {})
    }

    fn list(&self, path: &str) -> Result<Vec<String>, DiskError> {
        self.ask(path, |files| Ok(files.names(files.find(path)?)?.keys().cloned().collect()))
    }

    fn look(&self, path: &str) -> Result<Option<Kind>, DiskError> {
        self.ask(path, |files| match files.find(path) {
            Ok(inode) => Ok(Some(match files.bytes(inode) {
                Ok(bytes) => Kind::File(bytes.len() as u64),
                Err(_) => Kind::Dir,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        })
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + '_>>, DiskError> {
        self.ask(path, |files| match files.find(path) {
            Ok(file) => Ok(Some(Box::new(Cursor::new(files.bytes(file)?.into_owned())) as Box<dyn Read>)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        })
    }

    fn name(&self, path: &str) -> PathBuf {
        PathBuf::from("/model").join(path)
    }
}

/// A directory of the real disk as a tree, to be held against the model.
pub(crate) fn read_tree(path: &std::path::Path) -> io::Result<Node> {
    match path.is_dir() {
        false => Ok(Node::File(std::fs::read(path)?)),
        true => std::fs::read_dir(path)?
            .map(|entry| {
                let entry = entry?;
                Ok((entry.file_name().to_string_lossy().into_owned(), read_tree(&entry.path())?))
            })
            .collect::<io::Result<_>>()
            .map(Node::Dir),
    }
}
