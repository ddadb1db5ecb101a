//! Many bytes looked at together, by vector instructions.

use wide::u8x16;

/// How many.
pub(super) const BLOCK: usize = 64;

/// Looks at the first bytes, with zeros where there are too few. Tells what stands behind them:
/// `None` where the end of the bytes stands within the block.
#[inline]
pub(super) fn first_block<T>(bytes: &[u8], look: impl Fn(&[u8; BLOCK]) -> T) -> (T, Option<&[u8]>) {
    if let Some((block, rest)) = bytes.split_first_chunk() {
        return (look(block), Some(rest));
    }
    let mut block = [0; BLOCK];
    block[..bytes.len()].copy_from_slice(bytes);
    (look(&block), None)
}

/// A bit for each byte that is one of the two, the first byte's the lowest.
#[inline]
pub(super) fn bits(block: &[u8; BLOCK], [one, other]: [u8; 2]) -> u64 {
    let (one, other) = (u8x16::splat(one), u8x16::splat(other));
    let (quarters, _) = block.as_chunks::<16>();
    let quarters = quarters.iter().map(|quarter| {
        let bytes = u8x16::new(*quarter);
        (bytes.simd_eq(one) | bytes.simd_eq(other)).to_bitmask()
    });
    quarters
        .rev()
        .fold(0, |bits, quarter| bits << 16 | u64::from(quarter))
}
