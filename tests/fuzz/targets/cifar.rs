//! CIFAR-100 in its binary form: an even first byte puts the rest into files of a folder, an odd one into an archive.
#![no_main]

use ablate::data::locate::SearchPath;
use ablate::data::status::check_in;
use ablate::recipe::{DataConfig, DataName};
use ablate_fuzz::{Limit, MIB, file, path};
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use std::io::Write;

const LIMIT: Limit = Limit {
    per_byte: 64,
    constant: 4 * MIB,
};

fn check() {
    let base = path("");
    let search = SearchPath::from_variables(|name| {
        (name == "ABLATE_DATA_DIR").then(|| base.clone().into_os_string())
    });
    let _ = check_in(&DataConfig::whole(DataName::Cifar100), &search);
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let folder = path("cifar-100");
    if first % 2 == 0 {
        let half = rest.len() / 2;
        file("cifar-100/train.bin", &rest[..half]);
        file("cifar-100/test.bin", &rest[half..]);
    } else {
        let _ = std::fs::remove_dir_all(&folder);
        let mut archive = GzEncoder::new(Vec::new(), Compression::none());
        archive.write_all(rest).unwrap();
        file("cifar-100-binary.tar.gz", &archive.finish().unwrap());
    }
    LIMIT.hold(rest.len(), check);
});
