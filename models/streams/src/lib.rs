//! Named random streams: every random draw of the project has an address and depends on nothing else.
//!
//! A value is a pure function of (seed, purpose, path, step, index), without shared state. So removing
//! a bias does not change other weights, a stacked replica draws the same values as alone, and the
//! bits are the same for every device and number of threads.
//!
//! The generator is Threefry-4x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3", SC 2011, section 3.3). Its key is the first 16 bytes of
//! SHA-256 over `seed (8 bytes, little endian) | purpose | 0x00 | path`.

mod draws;
mod half_words;
mod purpose;
mod stream;
mod threefry;

pub use draws::{Indices, Normals, Uniforms, Words};
pub use purpose::Purpose;
pub use stream::Stream;
pub use threefry::{ROTATIONS, key_schedule, threefry4x32};
