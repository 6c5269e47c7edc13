//! What the fuzz targets share: a limit on memory, and files in memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts the bytes that are allocated.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    let live = LIVE.fetch_add(bytes, SeqCst) + bytes;
    PEAK.fetch_max(live, SeqCst);
}

// SAFETY: all calls go to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may exist while the content is copied.
        grow(size);
        LIVE.fetch_sub(layout.size(), SeqCst);
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a parser may allocate for an input.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Bytes per byte of input.
    pub per_byte: usize,
    /// Bytes for any input.
    pub constant: usize,
}

/// Bytes in a MiB.
pub const MIB: usize = 1 << 20;

impl Limit {
    /// The limit of parsers that have no reason for another.
    pub const USUAL: Self = Self {
        per_byte: 64,
        constant: 4 * MIB,
    };

    /// Calls `parse`.
    ///
    /// # Panics
    /// If it allocates more at a time than an input of `bytes` bytes may.
    pub fn hold(self, bytes: usize, parse: impl FnOnce()) {
        let before = LIVE.load(SeqCst);
        PEAK.store(before, SeqCst);
        parse();
        let peak = PEAK.load(SeqCst).saturating_sub(before);
        let most = self.constant + self.per_byte * bytes;
        assert!(
            peak <= most,
            "{bytes} bytes of input took {peak} bytes of memory, more than {most}"
        );
    }
}

/// The path of a file in a folder of this process, below the folder for temporary files.
pub fn path(name: &str) -> PathBuf {
    static FOLDER: LazyLock<PathBuf> =
        LazyLock::new(|| std::env::temp_dir().join(format!("ablate-fuzz-{}", std::process::id())));
    FOLDER.join(name)
}

/// Writes a file for a parser that reads files.
///
/// # Panics
/// If that fails.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = path(name);
    if std::fs::write(&path, bytes).is_err() {
        std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("memory for a file");
    }
    path
}
