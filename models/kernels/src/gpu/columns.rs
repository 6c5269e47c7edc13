//! Sums of every column over the rows, in a fixed order: cubes sum chunks of rows, and the same
//! kernel sums their results.

use super::functions::{NormFunction, norm_input};
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::reshape;
use burn_cubecl::tensor::CubeTensor;

/// Largest number of units per cube.
const UNITS: usize = 256;
/// Largest number of units along a row: with vectors of four values, 512 bytes.
const MAX_COLUMNS: usize = 32;
/// Number of cubes that occupies a large GPU.
const CUBES: usize = 512;
/// Smallest number of rows per unit.
const MIN_ROWS: usize = 16;

/// Shape of a cube: units along `columns` take vectors of the same row, units along `rows` take
/// different rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CubeShape {
    pub(super) columns: usize,
    /// A power of two.
    pub(super) rows: usize,
}

/// Division of sums over `[replicas, rows, columns]` into cubes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReductionGrid {
    pub(super) cube: CubeShape,
    replicas: usize,
    /// Cubes along a row.
    blocks: usize,
    /// Rows per chunk; the last may have fewer.
    pub(super) rows: usize,
    /// Chunks of rows, one per cube.
    pub(super) chunks: usize,
}

impl ReductionGrid {
    /// The grid for `vectors` vectors per row.
    pub(super) fn new([replicas, rows, vectors]: [usize; 3]) -> Self {
        let columns = vectors.clamp(1, MAX_COLUMNS);
        // The largest power of two that fits.
        let cube_rows = 1 << (UNITS / columns).ilog2();
        let blocks = vectors.div_ceil(columns);
        let wanted = (CUBES / (replicas * blocks).max(1)).max(1);
        let chunks = wanted.min(rows.div_ceil(cube_rows * MIN_ROWS)).max(1);
        let rows_each = rows.div_ceil(chunks).max(1);
        Self {
            cube: CubeShape {
                columns,
                rows: cube_rows,
            },
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
        CubeDim::new_1d((self.cube.columns * self.cube.rows) as u32)
    }
}

/// An uninitialized tensor on the device of `like`.
pub(super) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), DType::F32)
}

/// Largest number of channels per vector.
pub(super) fn vector_size(tensor: &CubeTensor, channels: usize) -> usize {
    let sizes = tensor.client.io_optimized_vector_sizes(size_of::<f32>());
    let fitting = sizes.filter(|&size| channels.is_multiple_of(size));
    fitting.max().unwrap_or(1)
}

/// `factor` times the column sums of the norm's input, or with `mean` of its squared differences from
/// the mean.
///
/// # Shapes
/// - `x`: `[replicas, rows, columns]`
/// - `mean` and output: `[replicas, columns]`
pub(super) fn sum(
    x: CubeTensor,
    mean: Option<CubeTensor>,
    function: NormFunction,
    factor: f32,
) -> CubeTensor {
    let x = into_contiguous(x);
    let [r, rows, c] = x.meta.shape().dims();
    let vector = vector_size(&x, c);
    let grid = ReductionGrid::new([r, rows, c / vector]);
    let sums = empty(&x, [r, grid.chunks, c]);
    // The factor is applied in the last sum.
    let now = if grid.chunks == 1 { factor } else { 1.0 };
    sum_columns::launch(
        &x.client,
        grid.cubes(),
        grid.cube_dim(),
        x.required_address_type(),
        vector,
        x.clone().into_tensor_arg(),
        mean.map(CubeTensor::into_buffer_arg).into(),
        sums.clone().into_tensor_arg(),
        rows,
        grid.rows,
        c / vector,
        now,
        function,
        grid.cube,
    );
    finish(sums, factor)
}

/// Sums the results of the chunks, `[replicas, chunks, columns]`.
pub(super) fn finish(sums: CubeTensor, factor: f32) -> CubeTensor {
    let [r, chunks, c] = sums.meta.shape().dims();
    if chunks > 1 {
        return sum(sums, None, NormFunction::IDENTITY, factor);
    }
    reshape(sums, Shape::new([r, c]))
}

#[cube(launch, address_type = "dynamic")]
#[expect(
    clippy::too_many_arguments,
    reason = "kernels take tensors and scalars only"
)]
fn sum_columns<N: Size>(
    x: &Tensor<Vector<f32, N>>,
    mean: ComptimeOption<&[Vector<f32, N>]>,
    sums: &mut Tensor<Vector<f32, N>>,
    rows: usize,
    rows_each: usize,
    columns: usize,
    factor: f32,
    #[comptime] function: NormFunction,
    #[comptime] cube: CubeShape,
) {
    let position = UnitPosition::new(rows, rows_each, cube);
    let mut sum = Vector::new(0.0f32);
    if position.column < columns {
        let channel = position.channel(columns);
        let mean: ComptimeOption<Vector<f32, N>> = mean.as_ref().map(|mean| mean[channel]);
        let mut row = position.row;
        while row < position.end {
            let value = norm_input(x[position.at(row, rows, columns)], function);
            #[comptime]
            match mean {
                ComptimeOption::Some(mean) => {
                    let difference = value - mean;
                    sum += difference * difference;
                }
                ComptimeOption::None => sum += value,
            }
            row += cube.rows;
        }
    }
    let sum = cube_sum(sum, cube) * Vector::new(factor);
    if position.writes(columns, cube) {
        sums[position.output(columns)] = sum;
    }
}

/// Position of a unit in the matrix.
#[derive(CubeType, Clone, Copy)]
pub(super) struct UnitPosition {
    replica: usize,
    chunk: usize,
    /// Index of the vector in the row.
    pub(super) column: usize,
    /// First row of the unit.
    pub(super) row: usize,
    /// End of the rows of the chunk.
    pub(super) end: usize,
}

#[cube]
impl UnitPosition {
    pub(super) fn new(rows: usize, rows_each: usize, #[comptime] cube: CubeShape) -> UnitPosition {
        let unit = UNIT_POS as usize;
        let chunk = CUBE_POS_X as usize;
        let column = CUBE_POS_Y as usize * cube.columns + unit % cube.columns;
        let row = chunk * rows_each + unit / cube.columns;
        let all = (chunk + 1) * rows_each;
        let end = select(all < rows, all, rows);
        UnitPosition {
            replica: CUBE_POS_Z as usize,
            chunk,
            column,
            row,
            end,
        }
    }

    /// Index of the unit's vector in `row`.
    pub(super) fn at(&self, row: usize, rows: usize, columns: usize) -> usize {
        (self.replica * rows + row) * columns + self.column
    }

    /// Index of the column in a tensor without rows.
    pub(super) fn channel(&self, columns: usize) -> usize {
        self.replica * columns + self.column
    }

    /// Index of the chunk's sum.
    pub(super) fn output(&self, columns: usize) -> usize {
        (self.replica * CUBE_COUNT_X as usize + self.chunk) * columns + self.column
    }

    /// Whether the unit writes the sum of its column.
    pub(super) fn writes(&self, columns: usize, #[comptime] cube: CubeShape) -> bool {
        self.column < columns && (UNIT_POS as usize) < cube.columns
    }
}

/// The sum over the units of a column; valid in units of the first row.
#[cube]
pub(super) fn cube_sum<N: Size>(
    sum: Vector<f32, N>,
    #[comptime] cube: CubeShape,
) -> Vector<f32, N> {
    let mut shared = Shared::<[Vector<f32, N>]>::new_slice(comptime!(cube.columns * cube.rows));
    let unit = UNIT_POS as usize;
    shared[unit] = sum;
    sync_cube();
    #[unroll]
    for halving in 0..comptime!(cube.rows.ilog2() as usize) {
        let half = comptime!(cube.columns * (cube.rows >> (halving + 1)));
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
    fn grid_covers_all_rows_and_uses_many_cubes() {
        for sizes in [
            [1, 100_352, 8],
            [64, 25_088, 16],
            [3, 1, 1],
            [2, 7, 33],
            [1, 0, 4],
        ] {
            let [replicas, rows, vectors] = sizes;
            let grid = ReductionGrid::new(sizes);
            assert!(
                grid.cube.columns * grid.cube.rows <= UNITS && grid.cube.rows.is_power_of_two()
            );
            assert!(grid.blocks * grid.cube.columns >= vectors);
            assert!(grid.chunks * grid.rows >= rows, "{sizes:?}: {grid:?}");
            assert!(grid.chunks == 1 || (grid.chunks - 1) * grid.rows < rows);
            assert!(replicas * grid.blocks * grid.chunks <= CUBES.max(replicas * grid.blocks));
        }
        assert!(ReductionGrid::new([1, 100_352, 8]).chunks > 128);
        // The results of the chunks are one chunk.
        assert_eq!(ReductionGrid::new([1, CUBES, 8]).chunks, 1);
    }
}
