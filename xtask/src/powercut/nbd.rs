//! A disk for QEMU that remembers everything: a server of the NBD protocol with one client (NetworkBlockDevice/nbd,
//! doc/proto.md; the names of the constants are those of that document).

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::disk::Request;

const NBDMAGIC: u64 = 0x4e42_444d_4147_4943;
const IHAVEOPT: u64 = 0x4948_4156_454f_5054;
const NBD_FLAG_FIXED_NEWSTYLE: u16 = 1 << 0;
const NBD_FLAG_NO_ZEROES: u16 = 1 << 1;

const NBD_OPT_EXPORT_NAME: u32 = 1;
const NBD_OPT_ABORT: u32 = 2;
const NBD_OPT_INFO: u32 = 6;
const NBD_OPT_GO: u32 = 7;
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const NBD_REP_ACK: u32 = 1;
const NBD_REP_INFO: u32 = 3;
const NBD_REP_ERR_UNSUP: u32 = (1 << 31) | 1;
const NBD_INFO_EXPORT: u16 = 0;

/// `NBD_FLAG_HAS_FLAGS`, `NBD_FLAG_SEND_FLUSH` and `NBD_FLAG_SEND_FUA`.
const TRANSMISSION: u16 = 1 << 0 | 1 << 2 | 1 << 3;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
const NBD_CMD_READ: u16 = 0;
const NBD_CMD_WRITE: u16 = 1;
const NBD_CMD_DISC: u16 = 2;
const NBD_CMD_FLUSH: u16 = 3;
const NBD_CMD_FLAG_FUA: u16 = 1 << 0;
const NBD_EINVAL: u32 = 22;

/// Longest option and longest request: QEMU's are shorter, and a client must not take our memory.
const OPTION_MAX: u32 = 4096;
const REQUEST_MAX: u32 = 32 << 20;

/// A disk that is served, and all that was asked of it.
#[derive(Debug, Clone)]
pub(super) struct Recorder(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    content: Vec<u8>,
    requests: Vec<Request>,
}

impl Recorder {
    /// Serves `content` at a socket, until whoever connects has gone.
    pub(super) fn serve(content: Vec<u8>, socket: &Path) -> io::Result<Recorder> {
        let listener = UnixListener::bind(socket)?;
        let recorder = Recorder(Arc::new(Mutex::new(Disk { content, requests: Vec::new() })));
        let served = recorder.clone();
        thread::spawn(move || {
            // A client that vanishes or talks rubbish has no disk any more, and nobody else is hurt.
            let _ = listener.accept().and_then(|(client, _)| served.talk(client));
        });
        Ok(recorder)
    }

    /// How many requests there were.
    pub(super) fn count(&self) -> usize {
        self.disk().requests.len()
    }

    /// All requests.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.disk().requests.clone()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn talk(&self, mut client: UnixStream) -> io::Result<()> {
        let size = self.disk().content.len() as u64;
        if !negotiate(&mut client, size)? {
            return Ok(());
        }
        while self.answer(&mut client)? {}
        Ok(())
    }

    /// Answers one request; false if it was the last.
    fn answer(&self, client: &mut (impl Read + Write)) -> io::Result<bool> {
        expect(read_u32(client)? == REQUEST, "this is no request")?;
        let (flags, kind) = (read_u16(client)?, read_u16(client)?);
        let cookie = read_u64(client)?;
        let (offset, length) = (read_u64(client)?, read_u32(client)?);
        expect(length <= REQUEST_MAX, "the request is too long")?;
        let bytes = if kind == NBD_CMD_WRITE { read(client, length)? } else { Vec::new() };
        let done = match kind {
            NBD_CMD_DISC => return Ok(false),
            NBD_CMD_READ => self.disk().read(offset, length),
            NBD_CMD_WRITE => self.disk().write(offset, bytes, flags & NBD_CMD_FLAG_FUA != 0),
            NBD_CMD_FLUSH => {
                self.disk().requests.push(Request::Flush);
                Some(Vec::new())
            }
            _ => None,
        };
        let error = if done.is_some() { 0 } else { NBD_EINVAL };
        let mut reply = [&REPLY.to_be_bytes()[..], &error.to_be_bytes(), &cookie.to_be_bytes()].concat();
        reply.extend(done.unwrap_or_default());
        client.write_all(&reply)?;
        Ok(true)
    }
}

impl Disk {
    fn range(&self, offset: u64, length: u64) -> Option<std::ops::Range<usize>> {
        let end = offset.checked_add(length).filter(|end| *end <= self.content.len() as u64)?;
        Some(offset as usize..end as usize)
    }

    fn read(&self, offset: u64, length: u32) -> Option<Vec<u8>> {
        self.range(offset, length.into()).map(|range| self.content[range].to_vec())
    }

    fn write(&mut self, offset: u64, bytes: Vec<u8>, durable: bool) -> Option<Vec<u8>> {
        let range = self.range(offset, bytes.len() as u64)?;
        let offset = range.start;
        self.content[range].copy_from_slice(&bytes);
        self.requests.push(Request::Write { offset, bytes, durable });
        Some(Vec::new())
    }
}

/// Agrees on a disk of this size; false if the client does not want it.
fn negotiate(client: &mut (impl Read + Write), size: u64) -> io::Result<bool> {
    let flags = NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES;
    client
        .write_all(&[&NBDMAGIC.to_be_bytes()[..], &IHAVEOPT.to_be_bytes(), &flags.to_be_bytes()].concat())?;
    let wants_zeroes = read_u32(client)? & u32::from(NBD_FLAG_NO_ZEROES) == 0;
    loop {
        expect(read_u64(client)? == IHAVEOPT, "this is no option")?;
        let (option, length) = (read_u32(client)?, read_u32(client)?);
        expect(length <= OPTION_MAX, "the option is too long")?;
        read(client, length)?;
        let mut reply = |kind: u32, data: &[u8]| {
            let head = [&OPTION_REPLY.to_be_bytes()[..], &option.to_be_bytes(), &kind.to_be_bytes()].concat();
            client.write_all(&[&head[..], &(data.len() as u32).to_be_bytes(), data].concat())
        };
        let facts = [&size.to_be_bytes()[..], &TRANSMISSION.to_be_bytes()].concat();
        match option {
            NBD_OPT_GO | NBD_OPT_INFO => {
                reply(NBD_REP_INFO, &[&NBD_INFO_EXPORT.to_be_bytes()[..], &facts].concat())?;
                reply(NBD_REP_ACK, &[])?;
                if option == NBD_OPT_GO {
                    return Ok(true);
                }
            }
            NBD_OPT_EXPORT_NAME => {
                let zeroes = if wants_zeroes { 124 } else { 0 };
                client.write_all(&[&facts[..], &vec![0; zeroes]].concat())?;
                return Ok(true);
            }
            NBD_OPT_ABORT => {
                reply(NBD_REP_ACK, &[])?;
                return Ok(false);
            }
            _ => reply(NBD_REP_ERR_UNSUP, &[])?,
        }
    }
}

fn expect(sound: bool, otherwise: &'static str) -> io::Result<()> {
    if sound { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, otherwise)) }
}

fn read(client: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_u16(client: &mut impl Read) -> io::Result<u16> {
    let mut bytes = [0; 2];
    client.read_exact(&mut bytes).map(|()| u16::from_be_bytes(bytes))
}

fn read_u32(client: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    client.read_exact(&mut bytes).map(|()| u32::from_be_bytes(bytes))
}

fn read_u64(client: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    client.read_exact(&mut bytes).map(|()| u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that says all of this, and what it hears.
    fn hears(recorder: &Recorder, said: &[u8]) -> (io::Result<()>, Vec<u8>) {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(said).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let outcome = recorder.talk(theirs);
        let mut heard = Vec::new();
        // A server that goes without reading everything is heard to its last word all the same.
        let _ = ours.read_to_end(&mut heard);
        (outcome, heard)
    }

    fn recorder() -> Recorder {
        Recorder(Arc::new(Mutex::new(Disk { content: vec![0; 4096], requests: Vec::new() })))
    }

    fn option(option: u32) -> Vec<u8> {
        [&IHAVEOPT.to_be_bytes()[..], &option.to_be_bytes(), &0_u32.to_be_bytes()].concat()
    }

    fn request(kind: u16, flags: u16, offset: u64, length: u32) -> Vec<u8> {
        let head = [&REQUEST.to_be_bytes()[..], &flags.to_be_bytes(), &kind.to_be_bytes()].concat();
        [&head[..], &7_u64.to_be_bytes(), &offset.to_be_bytes(), &length.to_be_bytes()].concat()
    }

    #[test]
    fn what_is_written_is_remembered_and_read_again() {
        let recorder = recorder();
        let mut said = 3_u32.to_be_bytes().to_vec();
        said.extend([option(8), option(NBD_OPT_GO)].concat());
        said.extend(request(NBD_CMD_WRITE, NBD_CMD_FLAG_FUA, 512, 4));
        said.extend(b"tree");
        said.extend(request(NBD_CMD_FLUSH, 0, 0, 0));
        said.extend(request(NBD_CMD_READ, 0, 511, 6));
        said.extend(request(NBD_CMD_DISC, 0, 0, 0));
        let (outcome, heard) = hears(&recorder, &said);
        outcome.unwrap();
        assert!(heard.ends_with(b"\0tree\0"), "{heard:?}");
        let write = Request::Write { offset: 512, bytes: b"tree".to_vec(), durable: true };
        assert_eq!(recorder.requests(), [write, Request::Flush]);
    }

    #[test]
    fn what_does_not_fit_the_disk_is_refused() {
        let recorder = recorder();
        let mut said = [3_u32.to_be_bytes().to_vec(), option(NBD_OPT_GO)].concat();
        for (offset, length) in [(4095, 2), (u64::MAX, 1), (4097, 0)] {
            said.extend(request(NBD_CMD_READ, 0, offset, length));
        }
        said.extend(request(9, 0, 0, 0));
        let (outcome, heard) = hears(&recorder, &said);
        assert!(outcome.is_err(), "the client went without a word");
        let refusals = heard
            .windows(8)
            .filter(|at| at[..4] == REPLY.to_be_bytes() && at[4..] == NBD_EINVAL.to_be_bytes());
        assert_eq!((refusals.count(), recorder.count()), (4, 0));
    }

    #[test]
    fn rubbish_ends_the_talk() {
        let too_long =
            [&3_u32.to_be_bytes()[..], &IHAVEOPT.to_be_bytes(), &[0, 0, 0, 7], &[0xff; 4]].concat();
        let go = [3_u32.to_be_bytes().to_vec(), option(NBD_OPT_GO)].concat();
        let huge = [go.clone(), request(NBD_CMD_WRITE, 0, 0, u32::MAX)].concat();
        for said in [b"".to_vec(), vec![0xff; 100], too_long, [go, vec![1; 28]].concat(), huge] {
            assert!(hears(&recorder(), &said).0.is_err());
        }
        let abort = [3_u32.to_be_bytes().to_vec(), option(NBD_OPT_ABORT)].concat();
        assert!(hears(&recorder(), &abort).0.is_ok());
    }
}
