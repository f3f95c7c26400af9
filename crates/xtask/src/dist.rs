//! `dist`: what ships. Each program in its place below `dist/<architecture>/<name>/`, and the zip that Lambda takes.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Doing as _, Outcome};
use crate::process;
use crate::size;
use crate::workspace::{ARM64, Workspace, X86_64};

/// The folder's layout in a layer: Lambda unpacks it to `/opt` and starts what is in `/opt/extensions`. The file's name
/// is the extension's name.
const EXTENSION: &str = "extensions/lockstep";
/// What Lambda starts of a function without a runtime of its own.
const FUNCTION: &str = "bootstrap";

/// Writes a zip with one executable file. Time and mode are fixed, so that one build gives one zip.
const ZIP: &str = "import sys, zipfile\n\
                   out, source, name = sys.argv[1:]\n\
                   entry = zipfile.ZipInfo(name)\n\
                   entry.compress_type = zipfile.ZIP_DEFLATED\n\
                   entry.external_attr = 0o100755 << 16\n\
                   with zipfile.ZipFile(out, 'w', compresslevel=9) as layer, open(source, 'rb') as file:\n    \
                       layer.writestr(entry, file.read())\n";

/// The functions, each a program of this name.
const FUNCTIONS: [&str; 3] = ["lockstep-resolve", "lockstep-on-rotation", "lockstep-rotator"];

/// Builds the layer and the functions for x86_64; with `deep` for arm64 too.
pub(crate) fn run(workspace: &Workspace, deep: bool) -> Outcome {
    size::run(workspace, deep)?;
    package(workspace, X86_64, "x86_64")?;
    if deep {
        package(workspace, ARM64, "arm64")?;
    }
    Ok(())
}

fn package(workspace: &Workspace, target: &str, architecture: &str) -> Outcome {
    let extension = size::extension(workspace, target)?;
    zip(workspace, architecture, &extension, EXTENSION, "lockstep-extension")?;
    for name in FUNCTIONS {
        size::release(workspace, target, &["--package", name])?;
        let function = workspace.target().join(target).join("release").join(name);
        zip(workspace, architecture, &function, FUNCTION, name)?;
    }
    Ok(())
}

fn zip(workspace: &Workspace, architecture: &str, built: &Path, place: &str, name: &str) -> Outcome {
    let dist = workspace.root().join("dist");
    let file = dist.join(architecture).join(name).join(place);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).at("create", folder)?;
    }
    fs::copy(built, &file).at("copy", built)?;
    let zip = dist.join(format!("{name}-{architecture}.zip"));
    process::run(Command::new("python3").args(["-c", ZIP]).args([&zip, &file]).arg(place))?;
    let size = fs::metadata(&zip).at("read", &zip)?.len();
    println!("{name}: {size} bytes zipped, {}", zip.display());
    Ok(())
}
