//! Tables, from files to examples.

use super::*;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn loaded(folder: &Path, reading: &Reading) -> Result<Loading, String> {
    let (_, files) = candidates(&[folder.to_owned()]).remove(0);
    load(&files, reading)
}

#[test]
fn parts_have_the_same_columns_and_classes() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "iris/train.csv", "a,label,b\n1,10,2\n3,9,4.5\n");
    write(dir.path(), "iris/test.csv", "a,label,b\n-1,9,0\n");
    let Loading {
        images,
        class_names,
    } = loaded(dir.path(), &Reading::default()).unwrap();
    // Whole numbers are sorted by value.
    assert_eq!(class_names, ["9", "10"]);
    assert_eq!((images.shape, images.classes), ([1, 2, 1], 2));
    assert_eq!(
        images.train.values,
        Values::Numbers(vec![1.0, 2.0, 3.0, 4.5])
    );
    assert_eq!(images.train.labels, [1, 0]);
    let test = images.test.unwrap();
    assert_eq!(
        (test.values, test.labels),
        (Values::Numbers(vec![-1.0, 0.0]), vec![0])
    );

    write(dir.path(), "iris/test.csv", "b,label,a\n-1,9,0\n");
    let error = loaded(dir.path(), &Reading::default()).unwrap_err();
    assert!(
        error.contains("column `b` where `train.csv` has `a`"),
        "{error}"
    );
    write(dir.path(), "iris/test.csv", "a,label\n-1,9\n");
    let error = loaded(dir.path(), &Reading::default()).unwrap_err();
    assert!(
        error.contains("has 1 columns of numbers, but `train.csv` has 2"),
        "{error}"
    );
    write(dir.path(), "iris/test.csv", "a,label,b\n-1,11,0\n");
    let error = loaded(dir.path(), &Reading::default()).unwrap_err();
    assert!(error.contains("has the class `11`"), "{error}");
}

#[test]
fn label_column_and_shape_are_chosen_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "pixels.csv",
        "y,p0,p1,p2,p3\ncat,0,255,3,4\nant,9,8,7,6\n",
    );
    let reading = Reading {
        label: Some("y".to_owned()),
        shape: Some([2, 2, 1]),
        ..Reading::default()
    };
    let images = loaded(dir.path(), &reading).unwrap().images;
    assert_eq!(images.train.pixels(), Some(&[0, 255, 3, 4, 9, 8, 7, 6][..]));
    assert_eq!((images.train.labels, images.max_pixel), (vec![1, 0], 255));
    assert!(images.test.is_none());
    let wrong = Reading {
        shape: Some([3, 2, 1]),
        ..reading.clone()
    };
    let error = loaded(dir.path(), &wrong).unwrap_err();
    assert!(error.contains("`data.shape` is 3 x 2 x 1, but"), "{error}");
    assert!(error.ends_with("has 4 columns beside `y`"), "{error}");
    // One fraction, and the values are numbers.
    write(
        dir.path(),
        "pixels.csv",
        "y,p0,p1,p2,p3\ncat,0,255,3,4.5\nant,9,8,7,6\n",
    );
    let images = loaded(dir.path(), &reading).unwrap().images;
    assert_eq!((images.train.pixels(), images.max_pixel), (None, 1));
}

#[test]
fn a_single_class_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "one.csv", "a,label\n1,x\n2,x\n");
    let error = loaded(dir.path(), &Reading::default()).unwrap_err();
    assert!(
        error.contains("has 1 classes in the column `label`"),
        "{error}"
    );
}

#[test]
fn candidates_are_csv_files_and_folders_with_one() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in [
        "iris.csv",
        "wine/train.csv",
        "wine/test.csv",
        "Big.csv",
        "a.tsv",
        "b/c.csv",
    ] {
        write(first.path(), name, "");
    }
    for name in ["iris/train.csv", "wine.csv"] {
        write(second.path(), name, "");
    }
    let folders = [first.path(), second.path()].map(Path::to_owned);
    let found = candidates(&folders);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["iris", "wine"]);
    assert_eq!(found[0].1.place(), first.path().join("iris.csv"));
    assert_eq!(found[1].1.place(), first.path().join("wine"));
    assert_eq!(found[1].1.test, Some(first.path().join("wine/test.csv")));
}
