//! What solc appends to code for people: CBOR metadata, which says nothing of what the code does.

/// solc ends the code with CBOR metadata and its length in two bytes.
pub fn without_metadata(code: &[u8]) -> &[u8] {
    let Some((body, length)) = code.split_last_chunk::<2>() else {
        return code;
    };
    let length = usize::from(u16::from_be_bytes(*length));
    let Some(start) = body.len().checked_sub(length) else {
        return code;
    };
    if metadata_starts(&code[start..]) {
        &code[..start]
    } else {
        code
    }
}

/// A CBOR map whose first key is one that solc writes.
fn metadata_starts(bytes: &[u8]) -> bool {
    const KEYS: [&[u8]; 5] = [
        b"\x64ipfs",
        b"\x65bzzr0",
        b"\x65bzzr1",
        b"\x64solc",
        b"\x6cexperimental",
    ];
    bytes.split_first().is_some_and(|(map, rest)| {
        (0xa1..=0xa4).contains(map) && KEYS.iter().any(|k| rest.starts_with(k))
    })
}

/// Metadata inside the code (of a contract that it creates): its length, the two bytes of the length included.
pub fn metadata_inside(bytes: &[u8]) -> Option<usize> {
    if !metadata_starts(bytes) {
        return None;
    }
    let longest = bytes.len().min(128).saturating_sub(1);
    (6..longest)
        .find(|end| usize::from(u16::from_be_bytes([bytes[*end], bytes[end + 1]])) == *end)
        .map(|end| end + 2)
}
