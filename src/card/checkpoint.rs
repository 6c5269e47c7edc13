//! Checkpoints of a training on disk.
//!
//! A folder holds one file of tensors and `checkpoint.json`, which names it. The tensors are written first
//! and the old ones removed last, so a process that is killed at any moment leaves a whole checkpoint.

use super::CardError;
use crate::files::{FileError, read, sha256, write_atomic};
use crate::train::Checkpoint;
use ablate_models::interchange::Weights;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file that names the tensors.
const STATE: &str = "checkpoint.json";

/// The folder of the checkpoint of a training.
#[derive(Clone, Debug)]
pub struct CheckpointFolder(PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Name of the file of tensors.
    tensors: String,
    /// SHA-256 of its bytes.
    sha256: String,
    checkpoint: Checkpoint,
}

impl CheckpointFolder {
    /// The checkpoint of the net `name` in `folder`.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self(folder.join(format!("{name}.checkpoint")))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the checkpoint; `None` if there is none.
    ///
    /// # Errors
    /// If it is damaged or was written by another version.
    pub fn load(&self) -> Result<Option<(Checkpoint, Weights)>, CardError> {
        let path = self.0.join(STATE);
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::of("read", &path)(error).into()),
        };
        let damaged = |message: String| CardError::Weights {
            path: self.0.clone(),
            message: format!("the checkpoint is damaged ({message}); start again with `--fresh`"),
        };
        let state: State = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
        if state.tensors.contains(['/', '\\']) {
            return Err(damaged("it names a file elsewhere".to_owned()));
        }
        let path = self.0.join(&state.tensors);
        let bytes = read(&path).map_err(FileError::of("read", &path))?;
        if sha256(&bytes) != state.sha256 {
            return Err(damaged("its tensors have another hash".to_owned()));
        }
        let tensors = Weights::from_safetensors(&bytes).map_err(|e| damaged(e.to_string()))?;
        Ok(Some((state.checkpoint, tensors)))
    }

    /// Replaces the checkpoint.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, checkpoint: Checkpoint, tensors: &Weights) -> Result<(), CardError> {
        let failed = |message: String| CardError::Weights {
            path: self.0.clone(),
            message,
        };
        let bytes = tensors
            .to_safetensors()
            .map_err(|e| failed(e.to_string()))?;
        let name = format!("tensors-{}.safetensors", checkpoint.evaluations);
        let state = State {
            tensors: name.clone(),
            sha256: sha256(&bytes),
            checkpoint,
        };
        let text = serde_json::to_string(&state).map_err(|e| failed(e.to_string()))?;
        write_atomic(&self.0.join(&name), &bytes)?;
        write_atomic(&self.0.join(STATE), text.as_bytes())?;
        self.remove_tensors(&name)
    }

    /// Removes the checkpoint.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn remove(&self) -> Result<(), CardError> {
        let path = self.0.join(STATE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(FileError::of("remove", &path)(error).into());
            }
            _ => {}
        }
        self.remove_tensors("")
    }

    /// Removes the files of tensors except the one called `kept`.
    fn remove_tensors(&self, kept: &str) -> Result<(), CardError> {
        let entries = fs::read_dir(&self.0).map_err(FileError::of("list", &self.0))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("tensors-") && name != kept {
                let path = entry.path();
                fs::remove_file(&path).map_err(FileError::of("remove", &path))?;
            }
        }
        Ok(())
    }
}
