//! A kube-apiserver of our own making, and the etcd that it keeps its objects in: nobody ships the server as a program
//! that runs by itself, but Debian has its source and everything that it is built with.
//!
//! The packages are unpacked, not installed. Building takes a few minutes once; what is kept is two programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Cache, debian};
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;

/// The release of Debian whose Go builds that source.
const DEBIAN: &str = "bookworm";

/// What the API server is built with, and etcd.
const PACKAGES: [&str; 4] =
    ["etcd-server", "golang-1.19-go", "golang-1.19-src", "golang-github-modern-go-reflect2-dev"];

/// The release that Debian's source package holds.
const RELEASE: &str = "v1.20.2";

/// The programs of a control plane.
#[derive(Debug)]
pub(crate) struct Kubernetes {
    pub(crate) apiserver: PathBuf,
    pub(crate) etcd: PathBuf,
}

/// The API server, built once, and etcd.
pub(crate) fn kubernetes(cache: &Cache) -> Outcome<Kubernetes> {
    let home = cache.install(&format!("kubernetes-{}", RELEASE.trim_start_matches('v')), |folder, log| {
        let build = folder.join("build");
        std::fs::create_dir_all(&build).at("create", &build)?;
        let list = build.join("sources.list");
        std::fs::write(&list, sources()?).at("write", &list)?;
        debian::downloaded(&build.join("apt"), Some(&list), log, |apt, packages| {
            process::logged(apt().args(["-q", "download"]).args(PACKAGES), log)?;
            process::logged(apt().args(["-q", "source", "--download-only", "kubernetes"]), log)?;
            debian::unpack(packages, &build, log)?;
            let source = file_that_ends(packages, ".orig.tar.gz")?;
            let tree = build.join("go/src/k8s.io/kubernetes");
            std::fs::create_dir_all(&tree).at("create", &tree)?;
            let mut tar = Command::new("tar");
            tar.arg("xzf").arg(source).args(["--strip-components=1", "-C"]).arg(&tree);
            process::logged(&mut tar, log)
        })?;
        Build { folder: &build, log }.server(&folder.join("kube-apiserver"))?;
        let etcd = folder.join("etcd");
        std::fs::rename(build.join("usr/bin/etcd"), &etcd).at("rename", &etcd)?;
        std::fs::remove_dir_all(&build).at("remove", &build)
    })?;
    Ok(Kubernetes { apiserver: home.join("kube-apiserver"), etcd: home.join("etcd") })
}

/// Where this machine has its packages from, with their sources: most machines ask for none of those.
fn sources() -> Outcome<String> {
    let mut ask = Command::new("apt-get");
    ask.args(["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]);
    let list = with_sources(&process::capture(&mut ask)?);
    if list.is_empty() {
        return Err(Failure::new(format!("apt knows no archive of Debian's {DEBIAN}: it has what is needed here")));
    }
    Ok(list)
}

/// A list of apt's for these places, packages and sources, from lines of address, release and component.
fn with_sources(places: &str) -> String {
    let of_debian = |line: &&str| line.split(' ').nth(1).is_some_and(|release| release.starts_with(DEBIAN));
    let mut places: Vec<&str> = places.lines().filter(of_debian).collect();
    places.sort_unstable();
    places.dedup();
    places.iter().flat_map(|place| ["deb ", place, "\ndeb-src ", place, "\n"]).collect()
}

/// A GOPATH with the source in it, and the Go that was unpacked beside it.
struct Build<'a> {
    folder: &'a Path,
    log: &'a Path,
}

impl Build<'_> {
    fn tree(&self) -> PathBuf {
        self.folder.join("go/src/k8s.io/kubernetes")
    }

    fn command(&self, program: &Path) -> Command {
        let go = self.folder.join("usr/lib/go-1.19");
        let mut path = vec![go.join("bin")];
        path.extend(std::env::split_paths(&crate::workspace::variable("PATH").unwrap_or_default()));
        let mut command = Command::new(program);
        command.current_dir(self.tree());
        for (name, value) in
            [("GOROOT", go), ("GOPATH", self.folder.join("go")), ("GOCACHE", self.folder.join("cache"))]
        {
            command.env(name, value);
        }
        for (name, value) in [("GO111MODULE", "off"), ("CGO_ENABLED", "0"), ("GOFLAGS", "")] {
            command.env(name, value);
        }
        if let Ok(path) = std::env::join_paths(path) {
            command.env("PATH", path);
        }
        command
    }

    fn go_build(&self, package: &str, flags: &str, to: &Path) -> Outcome {
        let mut command = self.command(&self.folder.join("usr/lib/go-1.19/bin/go"));
        command.args(["build", "-trimpath", "-ldflags", &format!("-s -w {flags}"), "-o"]).arg(to).arg(package);
        process::logged(&mut command, self.log)
    }

    fn server(&self, to: &Path) -> Outcome {
        // The vendored one reads Go's maps as they were before Go 1.18: every read of a Secret would panic.
        let vendored = self.tree().join("vendor/github.com/modern-go/reflect2");
        std::fs::remove_dir_all(&vendored).at("remove", &vendored)?;
        let debians = self.folder.join("usr/share/gocode/src/github.com/modern-go/reflect2");
        process::logged(Command::new("cp").arg("-rL").arg(debians).arg(&vendored), self.log)?;
        // The one generated file that is not in the source. The server does not start without it.
        let generator = self.folder.join("openapi-gen");
        self.go_build("k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen", "", &generator)?;
        let mut generate = self.command(&generator);
        generate.args(["--go-header-file", "hack/boilerplate/boilerplate.generatego.txt"]);
        generate.args(["-p", "k8s.io/kubernetes/pkg/generated/openapi", "-O", "zz_generated.openapi", "-r"]);
        generate.arg(self.folder.join("violations")).arg("--output-base").arg(self.folder.join("go/src"));
        process::logged(generate.arg("-i").arg(self.described()?.join(",")), self.log)?;
        let version = format!("-X k8s.io/component-base/version.gitVersion={RELEASE}");
        self.go_build("k8s.io/kubernetes/cmd/kube-apiserver", &version, to)
    }

    /// The packages whose types the generator is to describe: they say so themselves.
    fn described(&self) -> Outcome<Vec<String>> {
        let mut search = Command::new("grep");
        search.args(["-rl", "--include=*.go", "--exclude-dir=_examples", "^// +k8s:openapi-gen=true"]);
        let found = process::capture(search.args(["pkg", "staging/src"]).current_dir(self.tree()))?;
        let mut packages: Vec<String> = found.lines().filter_map(import_path).collect();
        packages.sort_unstable();
        packages.dedup();
        if packages.is_empty() { Err(Failure::new("the source of Kubernetes has no API types")) } else { Ok(packages) }
    }
}

/// How Go names the package of a file of the source.
fn import_path(file: &str) -> Option<String> {
    let (folder, _) = file.rsplit_once('/')?;
    Some(match folder.strip_prefix("staging/src/") {
        Some(staged) => format!("k8s.io/kubernetes/vendor/{staged}"),
        None => format!("k8s.io/kubernetes/{folder}"),
    })
}

fn file_that_ends(folder: &Path, end: &str) -> Outcome<PathBuf> {
    let found = std::fs::read_dir(folder)
        .at("read", folder)?
        .filter_map(Result::ok)
        .map(|file| file.path())
        .find(|path| path.to_string_lossy().ends_with(end));
    found.ok_or_else(|| Failure::new(format!("apt-get brought no file that ends in {end}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_asked_for_where_the_packages_of_this_debian_are() {
        let places = "http://mirror/debian/ bookworm main\nhttp://mirror/debian/ bookworm main\n\
                      https://other/ nodistro main\nhttp://mirror/security/ bookworm-security main\n";
        let expected = "deb http://mirror/debian/ bookworm main\ndeb-src http://mirror/debian/ bookworm main\n\
                        deb http://mirror/security/ bookworm-security main\n\
                        deb-src http://mirror/security/ bookworm-security main\n";
        assert_eq!(with_sources(places), expected);
    }

    #[test]
    fn a_package_is_named_by_its_folder_and_staged_ones_are_vendored() {
        assert_eq!(
            import_path("staging/src/k8s.io/api/core/v1/doc.go").unwrap(),
            "k8s.io/kubernetes/vendor/k8s.io/api/core/v1"
        );
        assert_eq!(import_path("pkg/apis/abac/v0/doc.go").unwrap(), "k8s.io/kubernetes/pkg/apis/abac/v0");
        assert_eq!(import_path("doc.go"), None);
    }
}
