"""The bootable EFI partition image, made by the project's own builder."""

import subprocess
from pathlib import Path

MKIMAGE = Path(__file__).resolve().parents[2] / "out" / "mkimage"


def build(target: Path, efi: Path, files: dict) -> Path:
    """Writes `target`: the EFI program and, under godwit/, the boot files."""
    contents = {"EFI/BOOT/BOOTX64.EFI": efi}
    contents.update({f"godwit/{name}": path for name, path in files.items()})
    subprocess.run([str(MKIMAGE), str(target),
                    *(f"{name}={path}" for name, path in contents.items())],
                   check=True)
    return target
