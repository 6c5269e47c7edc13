//! The block function of the generator.

/// Rotations of the two word pairs in each round, in bits; they repeat after eight rounds.
pub const ROTATIONS: [[u32; 2]; 8] = [
    [10, 26],
    [11, 21],
    [13, 27],
    [23, 5],
    [6, 20],
    [17, 11],
    [25, 10],
    [18, 20],
];

/// The Threefry-4x32 block function with 20 rounds.
#[inline(always)]
pub fn threefry4x32(key: [u32; 4], counter: [u32; 4]) -> [u32; 4] {
    let ks = key_schedule(key);
    let mut x = [0u32; 4];
    for i in 0..4 {
        x[i] = counter[i].wrapping_add(ks[i]);
    }
    for round in 0..20 {
        let [a, b] = ROTATIONS[round % 8];
        let (lo, hi) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        x[0] = x[0].wrapping_add(x[lo]);
        x[lo] = x[lo].rotate_left(a) ^ x[0];
        x[2] = x[2].wrapping_add(x[hi]);
        x[hi] = x[hi].rotate_left(b) ^ x[2];
        if round % 4 == 3 {
            let inject = round / 4 + 1;
            for i in 0..4 {
                x[i] = x[i].wrapping_add(ks[(inject + i) % 5]);
            }
            x[3] = x[3].wrapping_add(inject as u32);
        }
    }
    x
}

/// The key schedule: the key and its parity word.
#[inline(always)]
pub fn key_schedule(key: [u32; 4]) -> [u32; 5] {
    let parity = 0x1BD1_1BDA ^ key[0] ^ key[1] ^ key[2] ^ key[3];
    [key[0], key[1], key[2], key[3], parity]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution for threefry4x32 with 20 rounds.
    #[test]
    fn threefry_gives_published_answers() {
        assert_eq!(
            threefry4x32([0; 4], [0; 4]),
            [0x9c6c_a96a, 0xe17e_ae66, 0xfc10_ecd4, 0x5256_a7d8]
        );
        assert_eq!(
            threefry4x32([u32::MAX; 4], [u32::MAX; 4]),
            [0x2a88_1696, 0x5701_2287, 0xf6c7_446e, 0xa16a_6732]
        );
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let key = [0xa409_3822, 0x299f_31d0, 0x082e_fa98, 0xec4e_6c89];
        assert_eq!(
            threefry4x32(key, pi),
            [0x59cd_1dbb, 0xb887_9579, 0x86b5_d00c, 0xac8b_6d84]
        );
    }
}
