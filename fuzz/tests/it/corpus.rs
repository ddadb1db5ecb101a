//! The inputs that are kept.

use std::fs;
use std::path::Path;

use postback_fuzz::mutation;

/// An input and the name of its file.
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// All inputs of a target, by name.
pub(crate) fn inputs(target: &str) -> Vec<Kept> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let files = fs::read_dir(&folder).expect("a folder of inputs");
    let mut inputs: Vec<Kept> = files
        .map(|file| {
            let path = file.unwrap().path();
            Kept {
                name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                bytes: fs::read(&path).unwrap(),
            }
        })
        .collect();
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!inputs.is_empty(), "no inputs for {target}");
    inputs
}

/// The words of a target.
pub(crate) fn words(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(folder.join(format!("{target}.dict"))).unwrap();
    mutation::words(&text).expect("a dictionary")
}
