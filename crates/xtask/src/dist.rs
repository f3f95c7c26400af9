//! `dist`: what ships. `dist/<architecture>/extensions/lockstep`, and the zip of it that a Lambda layer is made from.

use std::fs;
use std::process::Command;

use crate::failure::{Doing as _, Outcome};
use crate::process;
use crate::size;
use crate::workspace::{ARM64, Workspace, X86_64};

/// The folder's layout in a layer: Lambda unpacks it to `/opt` and starts what is in `/opt/extensions`. The file's name
/// is the extension's name.
const IN_LAYER: &str = "extensions/lockstep";

/// Writes a zip with one executable file. Time and mode are fixed, so that one build gives one zip.
const ZIP: &str = "import sys, zipfile\n\
                   out, source, name = sys.argv[1:]\n\
                   entry = zipfile.ZipInfo(name)\n\
                   entry.compress_type = zipfile.ZIP_DEFLATED\n\
                   entry.external_attr = 0o100755 << 16\n\
                   with zipfile.ZipFile(out, 'w', compresslevel=9) as layer, open(source, 'rb') as file:\n    \
                       layer.writestr(entry, file.read())\n";

/// Builds the layer for x86_64; with `deep` for arm64 too.
pub(crate) fn run(workspace: &Workspace, deep: bool) -> Outcome {
    size::run(workspace, deep)?;
    layer(workspace, X86_64, "x86_64")?;
    if deep {
        layer(workspace, ARM64, "arm64")?;
    }
    Ok(())
}

fn layer(workspace: &Workspace, target: &str, architecture: &str) -> Outcome {
    let built = size::extension(workspace, target)?;
    let dist = workspace.root().join("dist");
    let file = dist.join(architecture).join(IN_LAYER);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).at("create", folder)?;
    }
    fs::copy(&built, &file).at("copy", &built)?;
    let zip = dist.join(format!("lockstep-extension-{architecture}.zip"));
    process::run(Command::new("python3").args(["-c", ZIP]).args([&zip, &file]).arg(IN_LAYER))?;
    let size = fs::metadata(&zip).at("read", &zip)?.len();
    println!("layer: {size} bytes zipped, {}", zip.display());
    Ok(())
}
