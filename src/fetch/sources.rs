//! Where data sets can be downloaded, with the size and SHA-256 of each file.
//!
//! The sizes and hashes are those of TensorFlow Datasets (`url_checksums/`), which downloads the same files.

use crate::recipe::DataName;

/// A file to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its name, here and there.
    pub name: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256, as 64 lower-case hexadecimal digits.
    pub sha256: &'static str,
}

/// The public home of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Address of the folder that holds the files, with `/` at its end.
    pub address: &'static str,
    /// The files.
    pub files: &'static [RemoteFile],
    /// Folder for the files below that of the data sets; empty for an archive.
    pub folder: &'static str,
}

impl Source {
    /// The home of a data set; `None` if it has none, or is embedded.
    pub const fn of(name: DataName) -> Option<&'static Self> {
        match name {
            DataName::Mnist => Some(&MNIST),
            DataName::FashionMnist => Some(&FASHION_MNIST),
            DataName::Kmnist => Some(&KMNIST),
            DataName::Cifar10 => Some(&CIFAR10),
            DataName::Cifar100 => Some(&CIFAR100),
            DataName::Digits | DataName::Registered(_) => None,
        }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> RemoteFile {
    RemoteFile {
        name,
        bytes,
        sha256,
    }
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte.gz";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte.gz";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte.gz";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte.gz";

#[rustfmt::skip]
const MNIST: Source = Source {
    address: "https://storage.googleapis.com/cvdf-datasets/mnist/",
    files: &[
        file(TRAIN_IMAGES, 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        file(TRAIN_LABELS, 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        file(TEST_IMAGES, 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        file(TEST_LABELS, 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ],
    folder: "mnist",
};

#[rustfmt::skip]
const FASHION_MNIST: Source = Source {
    address: "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    files: &[
        file(TRAIN_IMAGES, 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        file(TRAIN_LABELS, 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        file(TEST_IMAGES, 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        file(TEST_LABELS, 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ],
    folder: "fashion-mnist",
};

#[rustfmt::skip]
const KMNIST: Source = Source {
    address: "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    files: &[
        file(TRAIN_IMAGES, 18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        file(TRAIN_LABELS, 29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        file(TEST_IMAGES, 3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        file(TEST_LABELS, 5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ],
    folder: "kmnist",
};

#[rustfmt::skip]
const CIFAR10: Source = Source {
    address: "https://www.cs.toronto.edu/~kriz/",
    files: &[file(
        "cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    )],
    folder: "",
};

#[rustfmt::skip]
const CIFAR100: Source = Source {
    address: "https://www.cs.toronto.edu/~kriz/",
    files: &[file(
        "cifar-100-binary.tar.gz",
        168_513_733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    )],
    folder: "",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_data_set_but_the_digits_has_a_home() {
        for name in DataName::BUILT_IN {
            let Some(source) = Source::of(name) else {
                assert_eq!(name, DataName::Digits);
                continue;
            };
            assert!(source.address.starts_with("https://"), "{name:?}");
            assert!(source.address.ends_with('/'), "{name:?}");
            for file in source.files {
                assert_eq!(file.sha256.len(), 64, "{}", file.name);
            }
        }
    }
}
