//! The hash of libkmod's tables (shared/hash.c). depmod goes through such a table in two places, so the order of its
//! output is that of the hashes.

/// SuperFastHash of Paul Hsieh (azillionmonkeys.com/qed/hash.html), with the last mixing step of libkmod, on a
/// little-endian machine.
pub(super) fn superfast(key: &[u8]) -> u32 {
    let pair = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]));
    // Only the low bits of the length count anyway: keys are no longer than 511 bytes.
    let mut hash = key.len() as u32;
    let (fours, rest) = key.as_chunks::<4>();
    for &[a, b, c, d] in fours {
        hash = hash.wrapping_add(pair(a, b));
        hash = (hash << 16) ^ (pair(c, d) << 11) ^ hash;
        hash = hash.wrapping_add(hash >> 11);
    }
    match *rest {
        [a, b, c] => {
            hash = hash.wrapping_add(pair(a, b));
            hash ^= hash << 16;
            hash ^= u32::from(c) << 18;
            hash = hash.wrapping_add(hash >> 11);
        }
        [a, b] => {
            hash = hash.wrapping_add(pair(a, b));
            hash ^= hash << 11;
            hash = hash.wrapping_add(hash >> 17);
        }
        [a] => {
            hash = hash.wrapping_add(u32::from(a));
            hash ^= hash << 10;
            hash = hash.wrapping_add(hash >> 1);
        }
        _ => {}
    }
    hash ^= hash << 3;
    hash = hash.wrapping_add(hash >> 5);
    hash ^= hash << 4;
    hash = hash.wrapping_add(hash >> 17);
    hash ^= hash << 25;
    hash.wrapping_add(hash >> 6)
}
