//! A model of a disk whose power is cut.
//!
//! The content of a file is safe up to its last sync, and the entries of a folder are safe as of the last sync
//! of the folder. Of everything later, any part may have reached the disk: each write up to any byte, and each
//! new, renamed or removed name or not, in any order.

use crate::files::faults::Done;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file: what is safe, and what a program sees.
#[derive(Clone, Debug, Default)]
struct Content {
    safe: Vec<u8>,
    seen: Vec<u8>,
}

/// A disk with files below a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    root: PathBuf,
    contents: Vec<Content>,
    /// Names, with the number of their content; `None` for a folder.
    safe: BTreeMap<PathBuf, Option<usize>>,
    seen: BTreeMap<PathBuf, Option<usize>>,
}

impl Disk {
    /// The disk with all that is below `root`, safe.
    pub(super) fn of(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            ..Self::default()
        };
        disk.add(root);
        disk.safe = disk.seen.clone();
        disk
    }

    fn add(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.seen.insert(path.clone(), None);
                self.add(&path);
            } else {
                let bytes = fs::read(&path).unwrap();
                self.insert(&path, bytes.clone());
                self.contents.last_mut().unwrap().safe = bytes;
            }
        }
    }

    fn insert(&mut self, path: &Path, seen: Vec<u8>) {
        self.seen.insert(path.to_owned(), Some(self.contents.len()));
        let safe = Vec::new();
        self.contents.push(Content { safe, seen });
    }

    /// The file `path`, which is created if it is missing, as opening a journal does.
    fn content(&mut self, path: &Path) -> &mut Content {
        if !self.seen.contains_key(path) {
            self.insert(path, Vec::new());
        }
        let number = self.seen[path].expect("a file");
        &mut self.contents[number]
    }

    pub(super) fn perform(&mut self, call: &Done) {
        match call {
            Done::Open => {}
            Done::Create(path) => self.insert(path, Vec::new()),
            Done::Write(path, bytes) => self.content(path).seen.extend(bytes),
            Done::Cut(path, len) => self.content(path).seen.truncate(*len as usize),
            Done::Sync(path) => {
                let content = self.content(path);
                content.safe.clone_from(&content.seen);
            }
            Done::Rename(from, to) => {
                let content = self.seen.remove(from).expect("a file");
                self.seen.insert(to.clone(), content);
            }
            Done::Remove(path) => drop(self.seen.remove(path)),
            Done::CreateFolder(path) => drop(self.seen.insert(path.clone(), None)),
            Done::SyncFolder(folder) => {
                let inside = |path: &PathBuf| path.parent() == Some(folder);
                self.safe.retain(|path, _| !inside(path));
                let seen = self.seen.iter().filter(|(path, _)| inside(path));
                self.safe
                    .extend(seen.map(|(path, content)| (path.clone(), *content)));
            }
        }
    }

    /// Writes what is left after the power is cut into the empty folder `to`. `share` says how much of what is
    /// not safe survives, from 0 to 1, for a name (`true`) or for the content of a file.
    pub(super) fn cut(&self, to: &Path, mut share: impl FnMut(bool) -> f64) {
        let mut left = self.safe.clone();
        let changed = self
            .seen
            .iter()
            .filter(|(path, content)| self.safe.get(*path) != Some(content));
        for (path, content) in changed {
            if share(true) >= 0.5 {
                left.insert(path.clone(), *content);
            }
        }
        for path in self
            .safe
            .keys()
            .filter(|path| !self.seen.contains_key(*path))
        {
            if share(true) >= 0.5 {
                left.remove(path);
            }
        }
        for (path, content) in &left {
            let place = to.join(path.strip_prefix(&self.root).unwrap());
            // A file in a folder that did not survive is lost with it.
            let is_lost = |above: &Path| above != self.root && !left.contains_key(above);
            if path
                .ancestors()
                .skip(1)
                .take_while(|above| above.starts_with(&self.root))
                .any(is_lost)
            {
                continue;
            }
            match content {
                None => fs::create_dir_all(&place).unwrap(),
                Some(number) => {
                    fs::create_dir_all(place.parent().unwrap()).unwrap();
                    fs::write(&place, self.contents[*number].after(share(false))).unwrap();
                }
            }
        }
    }
}

impl Content {
    /// The content if `share` of what is not safe survives: for a file that grew, the start of the addition.
    fn after(&self, share: f64) -> Vec<u8> {
        match self.seen.strip_prefix(&self.safe[..]) {
            Some(more) => {
                let kept = (share * more.len() as f64) as usize;
                [&self.safe[..], &more[..kept]].concat()
            }
            None if share >= 0.5 => self.seen.clone(),
            None => self.safe.clone(),
        }
    }
}
