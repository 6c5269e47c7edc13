//! Weights of the cells of an experiment.

use super::WEIGHTS_EXTENSION;
use crate::files::write_atomic;
use crate::train::KeepWeights;
use crate::trainer::JobCell;
use std::path::PathBuf;

/// Name of the files of a cell, without extension, such as `relu-seed3-rate0.01-0123456789abcdef`.
pub fn cell_name(arm: &str, cell: &JobCell) -> String {
    let rate = cell.learning_rate;
    let rate = rate.map_or(String::new(), |rate| format!("-rate{rate}"));
    format!("{arm}-seed{}{rate}-{}", cell.seed, cell.id)
}

/// Writes the weights of every cell into `folder`, as safetensors.
pub fn keep_in(folder: PathBuf) -> KeepWeights {
    KeepWeights::new(move |job, cell, weights| {
        let bytes = weights
            .to_safetensors()
            .map_err(|error| error.to_string())?;
        let name = format!("{}.{WEIGHTS_EXTENSION}", cell_name(&job.arm, cell));
        write_atomic(&folder.join(name), &bytes).map_err(|error| error.to_string())?;
        Ok(())
    })
}
