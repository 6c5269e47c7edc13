//! Matrix products.

mod dense;
mod operands;
mod pack;
mod pattern;
mod problem;
mod sparse;
mod tile;

pub(crate) use dense::product;
pub(crate) use operands::{Addend, LeftOperand, Strided};
pub(crate) use pattern::SparsityPattern;
pub(crate) use sparse::sparse_product;
