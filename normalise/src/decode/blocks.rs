//! Many bytes looked at together, by vector instructions.

use wide::u8x16;

/// How many.
pub(super) const BLOCK: usize = 64;

/// Looks at the bytes from a place on. `look` is given as many as a block has, and how many of them
/// stand before the place; what is behind the end is zero.
#[inline]
pub(super) fn block_at<T>(
    bytes: &[u8],
    place: usize,
    look: impl Fn(&[u8; BLOCK], usize) -> T,
) -> T {
    let behind = &bytes[place..];
    if let Some(block) = behind.first_chunk() {
        return look(block, 0);
    }
    // Bytes that were just copied are waited for: only short ones are.
    if let Some(block) = bytes.last_chunk() {
        return look(block, BLOCK - behind.len());
    }
    let mut block = [0; BLOCK];
    block[..behind.len()].copy_from_slice(behind);
    look(&block, 0)
}

/// A bit for each byte that is one of the two and does not stand `before`; the first one's is the
/// lowest.
#[inline]
pub(super) fn bits(block: &[u8; BLOCK], before: usize, [one, other]: [u8; 2]) -> u64 {
    let (one, other) = (u8x16::splat(one), u8x16::splat(other));
    let (quarters, _) = block.as_chunks::<16>();
    let quarters = quarters.iter().map(|quarter| {
        let bytes = u8x16::new(*quarter);
        (bytes.simd_eq(one) | bytes.simd_eq(other)).to_bitmask()
    });
    let all = quarters.rev();
    let all = all.fold(0, |bits, quarter| bits << 16 | u64::from(quarter));
    if before < BLOCK { all >> before } else { 0 }
}
