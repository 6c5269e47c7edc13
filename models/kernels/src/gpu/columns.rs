//! Sums over the rows of every column, in a fixed order: cubes add chunks of rows, and the same
//! kernel adds what they found.

use super::functions::{Epilogue, seen};
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::reshape;
use burn_cubecl::tensor::CubeTensor;

/// Units of a cube at most.
const UNITS: usize = 256;
/// Units beside each other at most: with vectors of four numbers, 512 bytes of a row.
const WIDE: usize = 32;
/// Cubes that keep a large GPU busy.
const CUBES: usize = 512;
/// Rows for each unit of a chunk at least.
const ROWS: usize = 16;

/// How a cube lies over the columns: units beside each other take vectors of one row, those below
/// each other rows in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cube {
    pub(super) wide: usize,
    /// A power of two.
    pub(super) high: usize,
}

/// How sums over `[replicas, rows, columns]` are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) cube: Cube,
    replicas: usize,
    /// Cubes beside each other.
    blocks: usize,
    /// Rows of a chunk; the last may have fewer.
    pub(super) rows: usize,
    /// Cubes below each other.
    pub(super) chunks: usize,
}

impl Cut {
    /// `vectors` is the number of vectors of a row.
    pub(super) fn new([replicas, rows, vectors]: [usize; 3]) -> Self {
        let wide = vectors.clamp(1, WIDE);
        // The largest power of two that fits.
        let high = 1 << (UNITS / wide).ilog2();
        let blocks = vectors.div_ceil(wide);
        let wanted = (CUBES / (replicas * blocks).max(1)).max(1);
        let chunks = wanted.min(rows.div_ceil(high * ROWS)).max(1);
        let rows_each = rows.div_ceil(chunks).max(1);
        Self {
            cube: Cube { wide, high },
            replicas,
            blocks,
            rows: rows_each,
            chunks: rows.div_ceil(rows_each).max(1),
        }
    }

    pub(super) fn cubes(&self) -> CubeCount {
        CubeCount::Static(self.chunks as u32, self.blocks as u32, self.replicas as u32)
    }

    pub(super) const fn cube_dim(&self) -> CubeDim {
        CubeDim::new_1d((self.cube.wide * self.cube.high) as u32)
    }
}

/// An uninitialized tensor beside `like`.
pub(super) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), DType::F32)
}

/// The most channels that one unit takes.
pub(super) fn vector_size(tensor: &CubeTensor, channels: usize) -> usize {
    let sizes = tensor.client.io_optimized_vector_sizes(size_of::<f32>());
    let fitting = sizes.filter(|&size| channels.is_multiple_of(size));
    fitting.max().unwrap_or(1)
}

/// `factor` times the sum of each column of `x`, `[replicas, rows, columns]`, as the norm of `epilogue`
/// sees it; with `mean`, `[replicas, columns]`, of its squared distances from that. The result is
/// `[replicas, columns]`.
pub(super) fn sum(
    x: CubeTensor,
    mean: Option<CubeTensor>,
    epilogue: Epilogue,
    factor: f32,
) -> CubeTensor {
    let x = into_contiguous(x);
    let [r, rows, c] = x.meta.shape().dims();
    let vector = vector_size(&x, c);
    let cut = Cut::new([r, rows, c / vector]);
    let sums = empty(&x, [r, cut.chunks, c]);
    // The last sum takes the factor.
    let now = if cut.chunks == 1 { factor } else { 1.0 };
    sum_columns::launch(
        &x.client,
        cut.cubes(),
        cut.cube_dim(),
        x.required_address_type(),
        vector,
        x.clone().into_tensor_arg(),
        mean.map(CubeTensor::into_buffer_arg).into(),
        sums.clone().into_tensor_arg(),
        rows,
        cut.rows,
        c / vector,
        now,
        epilogue,
        cut.cube,
    );
    finish(sums, factor)
}

/// What is left to add of the sums of chunks, `[replicas, chunks, columns]`.
pub(super) fn finish(sums: CubeTensor, factor: f32) -> CubeTensor {
    let [r, chunks, c] = sums.meta.shape().dims();
    if chunks > 1 {
        return sum(sums, None, Epilogue::NONE, factor);
    }
    reshape(sums, Shape::new([r, c]))
}

#[cube(launch, address_type = "dynamic")]
#[expect(clippy::too_many_arguments, reason = "a kernel takes plain numbers")]
fn sum_columns<N: Size>(
    x: &Tensor<Vector<f32, N>>,
    mean: ComptimeOption<&[Vector<f32, N>]>,
    sums: &mut Tensor<Vector<f32, N>>,
    rows: usize,
    rows_each: usize,
    columns: usize,
    factor: f32,
    #[comptime] epilogue: Epilogue,
    #[comptime] cube: Cube,
) {
    let place = Place::new(rows, rows_each, cube);
    let mut sum = Vector::new(0.0f32);
    if place.column < columns {
        let channel = place.channel(columns);
        let mean: ComptimeOption<Vector<f32, N>> = mean.as_ref().map(|mean| mean[channel]);
        let mut row = place.row;
        while row < place.end {
            let value = seen(x[place.at(row, rows, columns)], epilogue);
            #[comptime]
            match mean {
                ComptimeOption::Some(mean) => {
                    let off = value - mean;
                    sum += off * off;
                }
                ComptimeOption::None => sum += value,
            }
            row += cube.high;
        }
    }
    let sum = add_up(sum, cube) * Vector::new(factor);
    if place.writes(columns, cube) {
        sums[place.output(columns)] = sum;
    }
}

/// Where a unit is in the columns.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Place {
    replica: usize,
    chunk: usize,
    /// The vector of the row.
    pub(super) column: usize,
    /// The first row.
    pub(super) row: usize,
    /// Behind the last row of the chunk.
    pub(super) end: usize,
}

#[cube]
impl Place {
    pub(super) fn new(rows: usize, rows_each: usize, #[comptime] cube: Cube) -> Place {
        let unit = UNIT_POS as usize;
        let chunk = CUBE_POS_X as usize;
        let column = CUBE_POS_Y as usize * cube.wide + unit % cube.wide;
        let row = chunk * rows_each + unit / cube.wide;
        let all = (chunk + 1) * rows_each;
        let end = select(all < rows, all, rows);
        Place {
            replica: CUBE_POS_Z as usize,
            chunk,
            column,
            row,
            end,
        }
    }

    /// Where the unit's vector of `row` lies.
    pub(super) fn at(&self, row: usize, rows: usize, columns: usize) -> usize {
        (self.replica * rows + row) * columns + self.column
    }

    /// Where what belongs to the column, and not to a row, lies.
    pub(super) fn channel(&self, columns: usize) -> usize {
        self.replica * columns + self.column
    }

    /// Where the chunk's sum goes.
    pub(super) fn output(&self, columns: usize) -> usize {
        (self.replica * CUBE_COUNT_X as usize + self.chunk) * columns + self.column
    }

    /// Whether the unit writes its column's sum.
    pub(super) fn writes(&self, columns: usize, #[comptime] cube: Cube) -> bool {
        self.column < columns && (UNIT_POS as usize) < cube.wide
    }
}

/// The sum over the units of a column, for those of the first row.
#[cube]
pub(super) fn add_up<N: Size>(sum: Vector<f32, N>, #[comptime] cube: Cube) -> Vector<f32, N> {
    let mut shared = Shared::<[Vector<f32, N>]>::new_slice(comptime!(cube.wide * cube.high));
    let unit = UNIT_POS as usize;
    shared[unit] = sum;
    sync_cube();
    #[unroll]
    for halving in 0..comptime!(cube.high.ilog2() as usize) {
        let half = comptime!(cube.wide * (cube.high >> (halving + 1)));
        if unit < half {
            let other = shared[unit + half];
            shared[unit] += other;
        }
        sync_cube();
    }
    shared[unit]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_chunk_and_large_sums_occupy_many_cubes() {
        for sizes in [
            [1, 100_352, 8],
            [64, 25_088, 16],
            [3, 1, 1],
            [2, 7, 33],
            [1, 0, 4],
        ] {
            let [replicas, rows, vectors] = sizes;
            let cut = Cut::new(sizes);
            assert!(cut.cube.wide * cut.cube.high <= UNITS && cut.cube.high.is_power_of_two());
            assert!(cut.blocks * cut.cube.wide >= vectors);
            assert!(cut.chunks * cut.rows >= rows, "{sizes:?}: {cut:?}");
            assert!(cut.chunks == 1 || (cut.chunks - 1) * cut.rows < rows);
            assert!(replicas * cut.blocks * cut.chunks <= CUBES.max(replicas * cut.blocks));
        }
        assert!(Cut::new([1, 100_352, 8]).chunks > 128);
        // What is left then is one more sum.
        assert_eq!(Cut::new([1, CUBES, 8]).chunks, 1);
    }
}
