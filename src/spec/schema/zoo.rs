//! The `[model]` tables of the zoo.

use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::merge::merge;
use crate::spec::parse::node::{Node, Value};
use crate::spec::parse::reader::{read, read_beside_kind};
use crate::spec::schema::tables::NormTable;
use ablate_models::norm::NormConfig;
use ablate_models::zoo::ModelConfig;
use serde::de::DeserializeOwned;

/// Reads a model of the zoo, with the last block merged onto the others. Norms are read separately,
/// because their type has an internal tag, which loses the location of mistakes.
pub(in crate::spec) fn model<T: DeserializeOwned>(
    node: &Node,
    model: fn(T) -> ModelConfig,
) -> Result<ModelConfig, Diagnostic> {
    let mut node = node.clone();
    lay_last_block(&mut node);
    let norms = ["block", "last_block"].map(|block| node.take(&[block, "norm"]));
    let mut model = model(read_beside_kind(&node)?);
    for (block, norm) in model.blocks_mut().into_iter().zip(norms) {
        block.norm = match norm {
            Some(norm) => read::<NormTable>(&norm)?.into(),
            None => NormConfig::None,
        };
    }
    Ok(model)
}

/// Completes `last_block`, which lists changes to `block`, to a whole block.
fn lay_last_block(node: &mut Node) {
    let block = node.get("block").cloned();
    let Value::Table(table) = &mut node.value else {
        return;
    };
    let (Some(mut whole), Some(last)) = (block, table.get_mut("last_block")) else {
        return;
    };
    let changes = std::mem::replace(last, whole.clone());
    merge(&mut whole, changes);
    *last = whole;
}
