//! Specs with other seeds than their file says.

use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::Origin;
use crate::spec::schema::validate;
use crate::spec::{Spec, SpecError};

impl Spec {
    /// The same spec with seeds `0..count`.
    ///
    /// # Errors
    /// If `count` is 0 or more than 10,000.
    pub fn with_seeds(mut self, count: u64) -> Result<Self, SpecError> {
        self.seeds = validate::counted_seeds(count).map_err(|error| {
            let origin = Origin {
                key: error.key,
                ..Origin::default()
            };
            SpecError::new(&self.path, &Diagnostic::said(&error.message).at(&origin))
        })?;
        Ok(self)
    }

    /// The same spec with at least `count` seeds: those after the last one are one larger each.
    #[must_use]
    pub fn with_more_seeds(mut self, count: usize) -> Self {
        let first = self.seeds.iter().max().map_or(0, |largest| largest + 1);
        let missing = count.saturating_sub(self.seeds.len()) as u64;
        if missing > 0 {
            let changes = &mut self.changes;
            let in_file = changes.seeds_in_file.take();
            changes.seeds_in_file = Some(in_file.unwrap_or_else(|| self.seeds.clone()));
        }
        self.seeds.extend(first..first + missing);
        self
    }
}
