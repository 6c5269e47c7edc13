//! Data sets that are folders of images or tables on this machine.

use super::locate::SearchPath;
use super::registered::{self, Kind};
use super::{folder, table};
use crate::recipe::DataName;
use std::path::Path;

/// Makes every folder of images and every table on the search path that has the name of no other data set a
/// data set of its own. Nothing is searched before a name is read that is not known, or all data sets are
/// listed.
pub fn register_found() {
    DataName::find_by(search);
}

fn search() {
    let search_path = SearchPath::from_env();
    let (folders, cache) = (search_path.folders(), search_path.cache());
    for (name, path) in folder::candidates(&folders) {
        let (cache, source) = (cache.map(Path::to_owned), path.display().to_string());
        let load = {
            let name = name.clone();
            move |reading: &registered::Reading| {
                folder::load(&name, &path, cache.as_deref(), reading.corrupt)
            }
        };
        registered::register_found(&name, Kind::Images, source, Box::new(load));
    }
    for (name, files) in table::candidates(&folders) {
        let source = files.place().display().to_string();
        let load = move |reading: &registered::Reading| table::load(&files, reading);
        registered::register_found(&name, Kind::Table, source, Box::new(load));
    }
}
