//! Dropout masks from counter-based random streams. One unit draws one block of eight numbers;
//! adjacent units write adjacent elements.

use super::arguments::{KEY_WORDS, MaskDraw};
use ablate_streams::ROTATIONS;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

/// Blocks per chunk of [`Stream::half_words`](ablate_streams::Stream::half_words).
const LANES: usize = 16;
/// Numbers per chunk.
const CHUNK: usize = 128;

/// Draws the masks of all replicas; `keys` as for `GpuKernels::zoo_mask`.
pub(super) fn launch(keys: CubeTensor, draw: &MaskDraw) -> CubeTensor {
    let replicas = keys.meta.num_elements() / KEY_WORDS;
    let (client, device) = (keys.client.clone(), keys.device.clone());
    let shape = Shape::new([replicas, draw.columns]);
    let mask = empty_device_contiguous_dtype(client.clone(), device, shape, DType::F32);
    // Block indices have 32 bits.
    let blocks = LANES * draw.columns.div_ceil(CHUNK);
    assert!(
        u32::try_from(blocks).is_ok(),
        "a mask has at most 2^32 blocks"
    );
    let units = replicas * blocks;
    if units == 0 {
        return mask;
    }
    let cube_dim = CubeDim::new(&client, units);
    draw_masks::launch(
        &client,
        calculate_cube_count_elemwise(&client, units, cube_dim),
        cube_dim,
        mask.required_address_type(),
        keys.into_tensor_arg(),
        mask.clone().into_tensor_arg(),
        draw.columns,
        blocks,
        draw.step as u32,
        (draw.step >> 32) as u32,
        draw.threshold,
        draw.kept,
    );
    mask
}

#[cube(launch, address_type = "dynamic")]
#[expect(
    clippy::too_many_arguments,
    reason = "kernels take tensors and scalars only"
)]
fn draw_masks(
    keys: &Tensor<u32>,
    mask: &mut Tensor<f32>,
    columns: usize,
    blocks: usize,
    step_low: u32,
    step_high: u32,
    threshold: u32,
    kept: f32,
) {
    let replica = ABSOLUTE_POS / blocks;
    if replica * columns >= mask.len() {
        terminate!();
    }
    let mut schedule = Sequence::<u32>::new();
    #[unroll]
    for i in 0..KEY_WORDS {
        schedule.push(keys[replica * KEY_WORDS + i]);
    }
    let block = ABSOLUTE_POS % blocks;
    let words = threefry4x32(&schedule, block as u32, step_low, step_high);
    let first = block / LANES * CHUNK + block % LANES;
    #[unroll]
    for word in 0..4usize {
        #[unroll]
        for half in 0..2usize {
            let number = (words[word] >> comptime!(16 * half as u32)) & 0xffff;
            let column = first + comptime!(CHUNK / 2 * half + LANES * word);
            if column < columns {
                mask[replica * columns + column] = select(number < threshold, 0.0f32, kept);
            }
        }
    }
}

/// [`threefry4x32`](ablate_streams::threefry4x32) of the counter (block, 0, step).
#[cube]
fn threefry4x32(
    schedule: &Sequence<u32>,
    block: u32,
    step_low: u32,
    step_high: u32,
) -> Sequence<u32> {
    let mut x0 = block + schedule[0];
    let mut x1 = schedule[1];
    let mut x2 = step_low + schedule[2];
    let mut x3 = step_high + schedule[3];
    #[unroll]
    for round in 0..20usize {
        let a = comptime!(ROTATIONS[round % 8][0]);
        let b = comptime!(ROTATIONS[round % 8][1]);
        if comptime!(round % 2 == 0) {
            x0 += x1;
            x1 = rotate_left(x1, a) ^ x0;
            x2 += x3;
            x3 = rotate_left(x3, b) ^ x2;
        } else {
            x0 += x3;
            x3 = rotate_left(x3, a) ^ x0;
            x2 += x1;
            x1 = rotate_left(x1, b) ^ x2;
        }
        if comptime!(round % 4 == 3) {
            let inject = comptime!(round / 4 + 1);
            x0 += schedule[comptime!(inject % 5)];
            x1 += schedule[comptime!((inject + 1) % 5)];
            x2 += schedule[comptime!((inject + 2) % 5)];
            x3 += schedule[comptime!((inject + 3) % 5)] + comptime!(inject as u32);
        }
    }
    let mut words = Sequence::<u32>::new();
    words.push(x0);
    words.push(x1);
    words.push(x2);
    words.push(x3);
    words
}

#[cube]
fn rotate_left(word: u32, #[comptime] by: u32) -> u32 {
    (word << by) | (word >> comptime!(32 - by))
}
