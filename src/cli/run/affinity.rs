//! The option about the key of affinity cookies, which `explain` has too.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::pool::AffinityKey;

/// The key of affinity cookies.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct AffinityOptions {
    /// A file with the key of affinity cookies, at least 16 bytes; replicas share it [default: a key of this process alone]
    #[arg(long, value_name = "FILE", env = "STEADYGATE_AFFINITY_KEY_FILE")]
    pub(in crate::cli) affinity_key_file: Option<PathBuf>,
}

/// Reads the key. White space at its end does not count. Without a file, cookies hold for this process alone: other replicas, and this one
/// after a restart, choose another member and set another cookie.
///
/// # Errors
/// The file can't be read, or the key is too short.
pub(in crate::cli) fn read_key(file: Option<&Path>) -> anyhow::Result<Option<AffinityKey>> {
    let Some(file) = file else { return Ok(None) };
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        // The Secret of a pod may be made later.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            tracing::warn!(
                file = %file.display(),
                remedy = "make the Secret with the key (openssl rand -hex 32) and restart",
                "there is no key of affinity cookies, so other replicas do not know the cookies of this one"
            );
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| format!("can't read {} (--affinity-key-file)", file.display()));
        }
    };
    let key = AffinityKey::new(bytes.trim_ascii_end());
    Ok(Some(key.with_context(|| format!("{} (--affinity-key-file)", file.display()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_too_short_is_refused_and_one_that_is_not_there_yet_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("key");
        assert!(read_key(None).expect("no file is asked for").is_none());
        assert!(read_key(Some(&file)).expect("it may come").is_none());
        std::fs::write(&file, "fifteen bytes..\n \n").expect("written");
        let error = format!("{:#}", read_key(Some(&file)).expect_err("too short"));
        assert!(
            error.contains("--affinity-key-file") && error.contains("at least 16 bytes, and this one has 15"),
            "{error}"
        );
        std::fs::write(&file, "sixteen bytes...\n").expect("written");
        assert!(read_key(Some(&file)).expect("long enough").is_some());
        assert!(read_key(Some(dir.path())).is_err(), "a directory is no key");
    }
}
