//! The build id among ELF notes (elf(5), Notes): `struct elf64_nhdr { u32 namesz, descsz, type }`, name, description.

use spec::BuildId;

/// `NT_GNU_BUILD_ID` (linux/elf.h, glibc's elf.h), in notes of the owner `GNU`.
const NT_GNU_BUILD_ID: u32 = 3;
const OWNER: &[u8] = b"GNU\0";

/// Names and descriptions are filled up to whole words.
const ALIGN: usize = 4;

/// The first build id among these notes, such as those of a running kernel in `/sys/kernel/notes`.
pub fn build_id(mut notes: &[u8]) -> Option<BuildId> {
    loop {
        let (owner, rest) = word(notes)?;
        let (length, rest) = word(rest)?;
        let (kind, rest) = word(rest)?;
        let (owner, rest) = field(rest, owner)?;
        let (description, rest) = field(rest, length)?;
        if kind == NT_GNU_BUILD_ID && owner == OWNER {
            return BuildId::from_bytes(description);
        }
        notes = rest;
    }
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*word), rest))
}

/// A field of that many bytes, and what follows it; the last field of all may lack what fills it up.
fn field(bytes: &[u8], length: u32) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(length).ok()?;
    let field = bytes.get(..length)?;
    Some((field, bytes.get(length.next_multiple_of(ALIGN)..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], kind: u32, description: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for number in [owner.len() as u32, description.len() as u32, kind] {
            note.extend(number.to_le_bytes());
        }
        for field in [owner, description] {
            note.extend(field);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let notes = [
            note(b"Linux\0", 0x100, b"salt\0"),
            note(b"Xen\0", 3, b"other"),
            note(b"GNU\0", 3, &[0xab, 0xcd, 0xef]),
        ];
        let notes = notes.concat();
        assert_eq!(build_id(&notes).unwrap().as_str(), "abcdef");
        for length in 0..notes.len() - 1 {
            assert_eq!(build_id(&notes[..length]), None, "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_notes_make_the_reader_panic_or_loop(notes in proptest::collection::vec(0u8..20, 0..200)) {
            let _ = build_id(&notes);
        }
    }
}
