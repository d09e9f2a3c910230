"""Makes a Linux guest from Debian's packages: a kernel and an initramfs.

    guest_linux.py cloud general

Each flavour becomes out/linux/FLAVOUR-vmlinuz and out/linux/FLAVOUR-initrd. The
kernel is the one that Debian's package holds, untouched, and unpacked once more
as FLAVOUR-vmlinux, if Python's library can; the initramfs is busybox, the virtio
modules of that kernel, and what lies in tests/linux, its programs linked
statically. The packages are fetched with apt-get (nothing is installed, no root
is needed) and kept in out/linux/packages.
"""

import functools
import gzip
import io
import lzma
import re
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "linux"
PACKAGES = OUT / "packages"
SOURCES = ROOT / "tests" / "linux"

# What the metapackage depends on is the kernel of the day.
FLAVOURS = {"cloud": "linux-image-cloud-amd64", "general": "linux-image-amd64"}
MODULES = ["virtio_pci", "virtio_net", "virtio_console", "virtio-rng"]


def run(*command: str, cwd: Path = ROOT, check: bool = True) -> str:
    """A command's output; what it complained of, if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@functools.lru_cache(maxsize=None)
def apt_options() -> tuple:
    """Machines without package lists get their own, which needs no root."""
    if "Depends:" in run("apt-cache", "depends", "--no-suggests",
                         FLAVOURS["cloud"], check=False):
        return ()
    lists, cache = OUT / "apt/lists", OUT / "apt/cache"
    for folder in (lists / "partial", cache / "archives/partial"):
        folder.mkdir(parents=True, exist_ok=True)
    options = ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}")
    print("guest_linux: fetching package lists", flush=True)
    run("apt-get", *options, "update")
    return options


def kernel_package(flavour: str) -> str:
    """The versioned package behind a metapackage."""
    text = run("apt-cache", *apt_options(), "depends", FLAVOURS[flavour])
    found = re.findall(r"Depends: (linux-image-\S+)", text)
    if not found:
        raise RuntimeError(f"apt knows no {FLAVOURS[flavour]}: is this Debian?")
    return found[0]


def fetch(package: str) -> Path:
    """The package's file, downloaded once."""
    PACKAGES.mkdir(parents=True, exist_ok=True)
    found = sorted(PACKAGES.glob(f"{package}_*.deb"))
    if not found:
        print(f"guest_linux: fetching {package}", flush=True)
        run("apt-get", *apt_options(), "download", package, cwd=PACKAGES)
        found = sorted(PACKAGES.glob(f"{package}_*.deb"))
    return found[-1]


def contents(deb: Path) -> tarfile.TarFile:
    """The files in a package."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)],
                          check=True, capture_output=True).stdout
    return tarfile.open(fileobj=io.BytesIO(data))


def find(tar: tarfile.TarFile, pattern: str) -> dict:
    """Files whose name matches, by the pattern's group."""
    found = {}
    for member in tar:
        match = re.search(pattern, member.name)
        if match and member.isfile():
            found[match.group(1)] = member
    return found


def unpacked(bzimage: bytes) -> bytes:
    """The ELF kernel in a bzImage, b"" if Python cannot unpack it: the protected
    mode part begins after the setup's sectors, the boot protocol's header says
    where in it the payload is, and behind that stands its unpacked size
    (Documentation/x86/boot.rst)."""
    sectors = bzimage[0x1f1] or 4
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = 512 * (sectors + 1) + offset
    payload = bzimage[start:start + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(payload[:-4])
    if payload.startswith(b"\x1f\x8b"):
        return gzip.decompress(payload[:-4])
    return b""


def needs(module: bytes) -> list:
    """What a module says it depends on, in its .modinfo section."""
    match = re.search(rb"\0depends=([^\0]*)\0", module)
    return match.group(1).decode().split(",") if match and match.group(1) else []


def in_order(tar: tarfile.TarFile) -> dict:
    """The modules and those they need, each after what it needs."""
    files = {name.replace("-", "_"): member for name, member in
             find(tar, r"/([^/]+)\.ko$").items()}
    order: dict = {}

    def add(name: str) -> None:
        name = name.replace("-", "_")
        if name in order or name not in files:  # there, or built in
            return
        data = tar.extractfile(files[name]).read()
        for other in needs(data):
            add(other)
        order[name] = data

    for name in MODULES:
        add(name)
    return order


class Archive:
    """A cpio archive of the kind the kernel unpacks ("newc")."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.count = 0

    def add(self, name: str, mode: int, data: bytes = b"",
            device: tuple = (0, 0)) -> None:
        self.count += 1
        fields = [self.count, mode, 0, 0, 1, 0, len(data), 0, 0, *device,
                  len(name) + 1, 0]
        self.data += b"070701" + b"".join(b"%08x" % n for n in fields)
        self.data += name.encode() + b"\0"
        self.pad()
        self.data += data
        self.pad()

    def pad(self) -> None:
        self.data += bytes(-len(self.data) % 4)

    def folder(self, name: str) -> None:
        self.add(name, 0o040755)

    def program(self, name: str, data: bytes) -> None:
        self.add(name, 0o100755, data)

    def finish(self) -> bytes:
        self.add("TRAILER!!!", 0)
        # Quick to unpack matters more than small; no time stamp in it.
        return gzip.compress(bytes(self.data), compresslevel=6, mtime=0)


def programs() -> dict:
    """Those of tests/linux/programs, by their names."""
    folder = OUT / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    built = {}
    for source in sorted((SOURCES / "programs").glob("*.c")):
        target = folder / source.stem
        run("gcc", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror",
            "-o", str(target), str(source))
        built[source.stem] = target.read_bytes()
    return built


def initramfs(busybox: bytes, modules: dict) -> bytes:
    archive = Archive()
    for name in ("bin", "dev", "proc", "sys", "tmp", "modules", "tests"):
        archive.folder(name)
    archive.add("dev/console", 0o020600, device=(5, 1))
    archive.program("bin/busybox", busybox)
    archive.program("init", (SOURCES / "init").read_bytes())
    for path in sorted((SOURCES / "tests").iterdir()):
        archive.program(f"tests/{path.name}", path.read_bytes())
    for name, data in programs().items():
        archive.program(f"bin/{name}", data)
    archive.program("modules/order", "".join(
        f"{name}\n" for name in modules).encode())
    for name, data in modules.items():
        archive.program(f"modules/{name}.ko", data)
    return archive.finish()


def make(flavour: str) -> None:
    """Kernel and initramfs of a flavour, if anything they come from is newer."""
    kernel = fetch(kernel_package(flavour))
    busybox = fetch("busybox-static")
    vmlinuz, initrd = OUT / f"{flavour}-vmlinuz", OUT / f"{flavour}-initrd"
    sources = [kernel, busybox, Path(__file__), *SOURCES.rglob("*")]
    newest = max(path.stat().st_mtime for path in sources)
    if initrd.exists() and initrd.stat().st_mtime >= newest:
        return
    with contents(busybox) as tar:
        program = tar.extractfile(find(tar, r"^./bin/(busybox)$")["busybox"]).read()
    with contents(kernel) as tar:
        image, = find(tar, r"/boot/(vmlinuz)-").values()
        packed = tar.extractfile(image).read()
        vmlinuz.write_bytes(packed)
        plain = unpacked(packed)
        if plain:
            (OUT / f"{flavour}-vmlinux").write_bytes(plain)
        modules = in_order(tar)
    initrd.write_bytes(initramfs(program, modules))
    print(f"guest_linux: {flavour}: {kernel.name}, "
          f"{vmlinuz.stat().st_size >> 10} KiB, initrd "
          f"{initrd.stat().st_size >> 10} KiB", flush=True)


def main() -> int:
    wanted = sys.argv[1:] or ["cloud"]
    for flavour in wanted:
        if flavour not in FLAVOURS:
            print(f"guest_linux: no {flavour}; there are: "
                  + " ".join(FLAVOURS), file=sys.stderr)
            return 1
    try:
        for flavour in wanted:
            make(flavour)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"guest_linux: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
