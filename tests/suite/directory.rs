//! Edits of a real directory, and the inputs that the source sends for each.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use steadygate::report::Reason;
use steadygate::source::directory::{DirectoryWatch, read, watch};
use steadygate::source::{Input, Inputs, Key};
use steadygate::translate::{Options, translate};
use tempfile::TempDir;

/// Time limit of every wait: long, since the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory under watch.
struct Site {
    dir: TempDir,
    _watch: DirectoryWatch,
    inputs: Inputs,
}

/// A ConfigMap called `name` that holds `value`.
fn map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: {value}\n")
}

fn object(input: &Input, name: &str) -> Option<Arc<ConfigMap>> {
    input.snapshot.config_maps.get(&Key::new("default", name)).cloned()
}

fn value(input: &Input, name: &str) -> Option<String> {
    object(input, name)?.data.as_ref()?.get("value").cloned()
}

fn has(input: &Input, name: &str, expected: &str) -> bool {
    value(input, name).as_deref() == Some(expected)
}

impl Site {
    async fn new(files: &[(&str, String)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("written");
        }
        let watch = watch(dir.path()).expect("watched");
        let mut inputs = watch.inputs();
        inputs.wait_for(Option::is_some).await.expect("a first input");
        Self { inputs, _watch: watch, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file as editors do: under another name, then renamed into place.
    fn replace(&self, name: &str, text: &str) {
        let beside = self.path(&format!(".{name}.new"));
        fs::write(&beside, text).expect("written");
        fs::rename(&beside, self.path(name)).expect("renamed");
    }

    async fn until(&self, what: &str, condition: impl Fn(&Input) -> bool) -> Input {
        let mut inputs = self.inputs.clone();
        let waited = inputs.wait_for(|input| input.as_ref().is_some_and(&condition));
        match tokio::time::timeout(PATIENCE, waited).await {
            Ok(input) => input.expect("the source lives").clone().expect("just seen"),
            Err(_) => panic!("never {what}: {:?}", self.inputs.borrow()),
        }
    }
}

/// All values of the ConfigMap `name` in the inputs, until it is `last`.
async fn seen(mut inputs: Inputs, name: &'static str, last: &'static str) -> Vec<Option<String>> {
    let mut seen = Vec::new();
    loop {
        let now = inputs.borrow_and_update().as_ref().and_then(|input| value(input, name));
        let done = now.as_deref() == Some(last);
        seen.push(now);
        if done {
            seen.dedup();
            return seen;
        }
        tokio::time::timeout(PATIENCE, inputs.changed()).await.expect("in time").expect("the source lives");
    }
}

#[tokio::test]
async fn a_rename_into_place_is_seen_at_once() {
    let site = Site::new(&[("a.yaml", map("a", "one")), ("b.yaml", map("b", "one"))]).await;
    let before = site.until("read", |input| has(input, "a", "one")).await;
    let start = Instant::now();
    site.replace("a.yaml", &map("a", "two"));
    let after = site.until("replaced", |input| has(input, "a", "two")).await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let (old, new) = (object(&before, "b").expect("there"), object(&after, "b").expect("there"));
    assert!(Arc::ptr_eq(&old, &new), "what did not change is the same object");
}

#[tokio::test]
async fn a_file_written_in_slow_pieces_is_seen_whole_or_not_at_all() {
    let site = Site::new(&[("a.yaml", map("a", "one"))]).await;
    let seen = tokio::spawn(seen(site.inputs.clone(), "a", "whole"));
    let path = site.path("a.yaml");
    let text = map("a", "whole");
    let mut file = fs::File::create(path).expect("truncated");
    for piece in text.as_bytes().chunks(12) {
        // Each pause is longer than the source waits for quiet.
        tokio::time::sleep(Duration::from_millis(60)).await;
        file.write_all(piece).expect("written");
    }
    drop(file);
    assert_eq!(seen.await.expect("seen"), [Some("one".to_owned()), Some("whole".to_owned())]);
}

#[tokio::test]
async fn a_new_file_written_in_slow_pieces_is_seen_whole() {
    let site = Site::new(&[]).await;
    let seen = tokio::spawn(seen(site.inputs.clone(), "a", "whole thing"));
    let path = site.path("a.yaml");
    let mut file = fs::File::create(path).expect("created");
    for piece in [map("a", "whole").trim_end(), " thing\n"] {
        file.write_all(piece.as_bytes()).expect("written");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(file);
    assert_eq!(seen.await.expect("seen"), [None, Some("whole thing".to_owned())]);
}

#[tokio::test]
async fn truncating_and_then_writing_never_empties() {
    let site = Site::new(&[("a.yaml", map("a", "n0"))]).await;
    let seen = tokio::spawn(seen(site.inputs.clone(), "a", "last"));
    for n in 1..50 {
        fs::write(site.path("a.yaml"), map("a", &format!("n{n}"))).expect("written");
        fs::write(site.path(&format!("other{n}.yaml")), map(&format!("o{n}"), "x")).expect("written");
        tokio::time::sleep(Duration::from_millis(n % 15)).await;
    }
    fs::write(site.path("a.yaml"), map("a", "last")).expect("written");
    let seen = seen.await.expect("seen");
    assert!(seen.iter().all(Option::is_some), "{seen:?}");
}

#[tokio::test]
async fn an_emptied_file_holds_nothing_once_it_is_closed() {
    let site = Site::new(&[("a.yaml", map("a", "one"))]).await;
    fs::write(site.path("a.yaml"), "").expect("written");
    site.until("emptied", |input| object(input, "a").is_none()).await;
}

#[tokio::test]
async fn a_deleted_file_takes_its_objects_with_it() {
    let site = Site::new(&[("a.yaml", map("a", "one")), ("b.yaml", map("b", "one"))]).await;
    fs::remove_file(site.path("a.yaml")).expect("removed");
    let input = site.until("removed", |input| object(input, "a").is_none()).await;
    assert!(has(&input, "b", "one"));
    fs::write(site.path("a.yaml"), map("a", "again")).expect("written");
    site.until("there again", |input| has(input, "a", "again")).await;
}

#[tokio::test]
async fn the_last_good_version_outlives_mistakes() {
    let text = format!("{}---\n{}", map("a", "one"), map("b", "one"));
    let site = Site::new(&[("a.yaml", text)]).await;

    site.replace("a.yaml", &format!("{}---\nkind: [\n", map("a", "two")));
    let input = site.until("reported", |input| !input.reports.is_empty()).await;
    assert!(has(&input, "a", "one") && has(&input, "b", "one"), "syntax error");
    let location = input.origins.locator().locate(&input.reports[0]).expect("located");
    assert_eq!((location.file.as_path(), location.document), (Path::new("a.yaml"), 2));
    assert_eq!(input.reports[0].object.name(), "a.yaml");

    let refused = map("b", "two").replace("\ndata:", "\ndta:");
    site.replace("a.yaml", &format!("{}---\n{refused}", map("a", "two")));
    let input = site.until("named", |input| input.reports[0].object.name() == "b").await;
    assert!(has(&input, "a", "one") && has(&input, "b", "one"), "refused object");
    assert_eq!(input.reports[0].field, "dta");
    assert_eq!(input.origins.locator().locate(&input.reports[0]).expect("located").line, 12);

    site.replace("a.yaml", &map("a", "two"));
    let input = site.until("mended", |input| has(input, "a", "two")).await;
    assert!(input.reports.is_empty() && object(&input, "b").is_none());
}

#[tokio::test]
async fn the_good_objects_of_a_file_that_never_was_good_are_served() {
    let bad = map("b", "one").replace("\ndata:", "\ndta:");
    let site = Site::new(&[("a.yaml", format!("{}---\n{bad}", map("a", "one")))]).await;
    let input = site.until("read", |input| has(input, "a", "one")).await;
    assert_eq!(input.reports.len(), 1);
    site.replace("a.yaml", &format!("{}---\n{bad}---\n{{", map("a", "two")));
    site.until("edited", |input| has(input, "a", "two") && input.reports.len() == 2).await;
    site.replace("a.yaml", "{");
    let input = site.until("broken", |input| input.reports.len() == 1).await;
    assert!(has(&input, "a", "two"));
}

#[tokio::test]
async fn of_two_files_with_one_object_the_first_keeps_it() {
    let site = Site::new(&[("a.yaml", map("x", "of a")), ("b.yaml", map("x", "of b"))]).await;
    let input = site.until("read", |input| has(input, "x", "of a")).await;
    assert_eq!(input.reports[0].reason, Reason::DuplicateObject);
    let location = input.origins.locator().locate(&input.reports[0]).expect("located");
    assert_eq!((location.file.as_path(), location.line), (Path::new("b.yaml"), 4));
    fs::remove_file(site.path("a.yaml")).expect("removed");
    let input = site.until("passed on", |input| has(input, "x", "of b")).await;
    assert!(input.reports.is_empty());
}

#[tokio::test]
async fn a_mounted_config_map_is_swapped_as_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let version = |n: u32| {
        let new = path(&format!("..v{n}"));
        fs::create_dir(&new).expect("created");
        for name in ["a", "b"] {
            fs::write(new.join(format!("{name}.yaml")), map(name, &format!("v{n}"))).expect("written");
        }
        symlink(format!("..v{n}"), path("..data_tmp")).expect("linked");
        fs::rename(path("..data_tmp"), path("..data")).expect("swapped");
    };
    version(1);
    for name in ["a.yaml", "b.yaml"] {
        symlink(Path::new("..data").join(name), path(name)).expect("linked");
    }
    let watch = watch(dir.path()).expect("watched");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let site = Site { inputs: watch.inputs(), _watch: watch, dir: elsewhere };
    for n in 1..6 {
        if n > 1 {
            version(n);
            fs::remove_dir_all(path(&format!("..v{}", n - 1))).expect("removed");
        }
        let expected = format!("v{n}");
        let input = site.until("swapped", |input| has(input, "a", &expected)).await;
        assert!(
            has(&input, "b", &expected),
            "both at once: {:?} {:?}, not {expected}",
            value(&input, "b"),
            input.reports
        );
        assert!(input.reports.is_empty(), "{:?}", input.reports);
    }
}

#[tokio::test]
async fn a_directory_behind_a_link_is_followed_when_the_link_is_swapped() {
    let root = tempfile::tempdir().expect("a directory");
    for n in ["v1", "v2"] {
        fs::create_dir(root.path().join(n)).expect("created");
        fs::write(root.path().join(n).join("a.yaml"), map("a", n)).expect("written");
    }
    symlink("v1", root.path().join("current")).expect("linked");
    let watch = watch(&root.path().join("current")).expect("watched");
    let site = Site { inputs: watch.inputs(), _watch: watch, dir: root };
    site.until("read", |input| has(input, "a", "v1")).await;
    symlink("v2", site.path("next")).expect("linked");
    fs::rename(site.path("next"), site.path("current")).expect("swapped");
    site.until("swapped", |input| has(input, "a", "v2")).await;
}

#[tokio::test]
async fn subdirectories_come_and_go() {
    let site = Site::new(&[("a.yaml", map("a", "one"))]).await;
    fs::create_dir_all(site.path("sub/deep")).expect("created");
    fs::write(site.path("sub/deep/b.yml"), map("b", "one")).expect("written");
    site.until("found", |input| has(input, "b", "one")).await;
    site.replace("c.json", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"value":"j"}}"#);
    site.until("found", |input| has(input, "c", "j")).await;
    fs::rename(site.path("sub"), site.path("renamed")).expect("renamed");
    fs::write(site.path("renamed/deep/b.yml"), map("b", "two")).expect("written");
    site.until("followed", |input| has(input, "b", "two")).await;
    fs::remove_dir_all(site.path("renamed")).expect("removed");
    site.until("gone", |input| object(input, "b").is_none() && has(input, "a", "one")).await;
}

#[tokio::test]
async fn a_directory_that_is_away_for_a_while_keeps_being_served() {
    let root = tempfile::tempdir().expect("a directory");
    let dir = root.path().join("site");
    fs::create_dir(&dir).expect("created");
    fs::write(dir.join("a.yaml"), map("a", "one")).expect("written");
    let watch = watch(&dir).expect("watched");
    let site = Site { inputs: watch.inputs(), _watch: watch, dir: root };
    site.until("read", |input| has(input, "a", "one")).await;
    fs::rename(&dir, site.path("away")).expect("renamed");
    let input = site.until("missed", |input| !input.reports.is_empty()).await;
    assert!(has(&input, "a", "one"));
    fs::create_dir(&dir).expect("created");
    fs::write(dir.join("a.yaml"), map("a", "two")).expect("written");
    let input = site.until("back", |input| has(input, "a", "two")).await;
    assert!(input.reports.is_empty());
    fs::write(dir.join("a.yaml"), map("a", "three")).expect("written");
    site.until("watched again", |input| has(input, "a", "three")).await;
}

#[tokio::test]
async fn a_file_that_can_not_be_read_keeps_being_served() {
    let site = Site::new(&[("a.yaml", map("a", "one"))]).await;
    fs::remove_file(site.path("a.yaml")).expect("removed");
    symlink("nowhere", site.path("b.yaml")).expect("linked");
    let input = site.until("reported", |input| input.reports.iter().any(|r| r.reason == Reason::Unreadable)).await;
    assert_eq!(input.reports[0].object.name(), "b.yaml");
    fs::write(site.path("nowhere"), map("b", "somewhere")).expect("written");
    site.until("found", |input| has(input, "b", "somewhere") && input.reports.is_empty()).await;
}

#[tokio::test]
async fn what_is_no_regular_file_any_more_keeps_being_served_and_stops_nothing() {
    let site = Site::new(&[("a.yaml", map("a", "one"))]).await;
    let fifo = |name: &str| {
        let made = std::process::Command::new("mkfifo").arg(site.path(name)).status();
        assert!(made.expect("mkfifo runs").success());
    };
    // A file and a FIFO take turns, so that now and then a FIFO is opened that was a file when it was looked at.
    for round in 0..200 {
        site.replace("turns.yaml", &map("turns", &round.to_string()));
        fifo(".fifo");
        fs::rename(site.path(".fifo"), site.path("turns.yaml")).expect("renamed");
        // Not in step with the source, which waits for some milliseconds.
        tokio::time::sleep(Duration::from_micros(500 * (round % 13))).await;
    }
    fifo(".fifo");
    fs::rename(site.path(".fifo"), site.path("a.yaml")).expect("renamed");
    site.replace("later.yaml", &map("later", "two"));
    let is_reported = |input: &Input| input.reports.iter().any(|report| report.object.name() == "a.yaml");
    site.until("seen", |input| has(input, "later", "two") && has(input, "a", "one") && is_reported(input)).await;
}

#[tokio::test]
async fn equal_text_and_files_of_editors_send_nothing() {
    let mut site = Site::new(&[("a.yaml", map("a", "one"))]).await;
    site.inputs.borrow_and_update();
    fs::write(site.path("a.yaml"), map("a", "one")).expect("written");
    site.replace("a.yaml", &map("a", "one"));
    for name in [".a.yaml.swp", "a.yaml~", "a.yaml.bak", "#a.yaml#", ".hidden.yaml", "README.md"] {
        fs::write(site.path(name), map("dropping", "x")).expect("written");
    }
    fs::create_dir(site.path(".git")).expect("created");
    fs::write(site.path(".git/x.yaml"), map("hidden", "x")).expect("written");
    // What comes after all of these is the first that is sent.
    fs::write(site.path("z.yaml"), map("z", "fence")).expect("written");
    site.inputs.changed().await.expect("sent");
    let input = site.inputs.borrow_and_update().clone().expect("an input");
    assert!(has(&input, "z", "fence"));
    assert_eq!(input.snapshot.config_maps.len(), 2);
}

#[tokio::test]
async fn one_edit_among_a_thousand_files_is_seen_at_once() {
    let files: Vec<_> = (0..1_000).map(|n| (format!("f{n:04}.yaml"), map(&format!("m{n}"), "one"))).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let site = Site::new(&files).await;
    let before = site.until("read", |input| input.snapshot.config_maps.len() == 1_000).await;
    let mut took = Duration::ZERO;
    for n in 0..20 {
        let text = format!("n{n}");
        let start = Instant::now();
        fs::write(site.path("f0500.yaml"), map("m500", &text)).expect("written");
        site.until("edited", |input| has(input, "m500", &text)).await;
        took += start.elapsed();
    }
    let after = site.until("edited", |input| has(input, "m500", "n19")).await;
    assert!(Arc::ptr_eq(&object(&before, "m1").expect("there"), &object(&after, "m1").expect("there")));
    assert!(took < Duration::from_secs(5), "{took:?}");
    for n in 0..1_000 {
        fs::write(site.path(&format!("f{n:04}.yaml")), map(&format!("m{n}"), "all")).expect("written");
    }
    site.until("all edited", |input| (0..1_000).all(|n| has(input, &format!("m{n}"), "all"))).await;
}

#[test]
fn reading_once_finds_what_watching_finds() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("a.yaml"), map("a", "one")).expect("written");
    symlink(".", dir.path().join("loop")).expect("linked");
    let input = read(dir.path()).expect("read");
    assert!(has(&input, "a", "one") && input.reports.is_empty());
    assert_eq!((input.origins.files(), input.origins.objects().count()), (1, 1));
    assert!(read(&dir.path().join("nowhere")).is_err());
    assert!(watch(&dir.path().join("a.yaml")).is_err());
}

#[test]
fn each_directory_is_looked_through_once() {
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..=25 {
        let inner = dir.path().join(format!("d{n}"));
        fs::create_dir(&inner).expect("created");
        symlink(format!("../d{}", n + 1), inner.join("left")).expect("linked");
        symlink(format!("../d{}", n + 1), inner.join("right")).expect("linked");
    }
    fs::write(dir.path().join("d25/a.yaml"), map("a", "one")).expect("written");
    symlink("d25", dir.path().join("a-link")).expect("linked");
    let start = Instant::now();
    let input = read(dir.path()).expect("read");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(has(&input, "a", "one") && input.reports.is_empty(), "{:?}", input.reports);
    assert_eq!(input.origins.files(), 1);
}

#[test]
fn more_directories_than_are_looked_through_are_reported() {
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..10_000 {
        fs::create_dir(dir.path().join(n.to_string())).expect("created");
    }
    let input = read(dir.path()).expect("read");
    assert_eq!(input.reports.len(), 1, "{:?}", input.reports);
    assert!(input.reports[0].message.contains("more than 10000 directories"), "{:?}", input.reports);
}

#[test]
fn a_refused_class_is_a_class() {
    let dir = tempfile::tempdir().expect("a directory");
    let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\nspec: {contoller: x}\n";
    let service = "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}\n";
    let ingress = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, \
                   spec: {ingressClassName: nginx, defaultBackend: {service: {name: s, port: {number: 80}}}}}\n";
    fs::write(dir.path().join("a.yaml"), format!("{class}---\n{service}---\n{ingress}")).expect("written");
    let input = read(dir.path()).expect("read");
    let options = Options { everything_without_class: true, ..Options::default() };
    let translation = translate(&input.snapshot, &options);
    assert!(translation.model.listeners.is_empty(), "{:?}", translation.model);
    let told = |text: &str| translation.reports.iter().any(|report| report.message.contains(text));
    assert!(told("\"nginx\" is refused"), "{:?}", translation.reports);
}

#[tokio::test]
async fn an_object_deleted_from_a_file_that_never_was_good_is_gone() {
    let bad = |name: &str| map(name, "[]");
    let text = |objects: &[String]| objects.join("---\n");
    let never_good = text(&[map("a", "one"), map("b", "one"), map("c", "one"), bad("bad")]);
    let site = Site::new(&[("a.yaml", never_good)]).await;
    site.until("read", |input| has(input, "b", "one")).await;
    site.replace("a.yaml", &text(&[bad("a"), bad("bad"), map("c", "two")]));
    let input = site.until("replaced", |input| has(input, "c", "two")).await;
    assert!(has(&input, "a", "one"), "it is there, and refused");
    assert!(object(&input, "b").is_none(), "it is deleted");
    site.replace("a.yaml", &text(&[bad("a"), "a: [\n".to_owned(), "b: [\n".to_owned(), map("d", "one")]));
    let input = site.until("replaced", |input| has(input, "d", "one")).await;
    assert!(has(&input, "c", "two"), "its document can't be read");
}
