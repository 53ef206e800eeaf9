"""Texts of HDF5 objects, read past HDF5, compared with what HDF5 reads."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from etram_pipeline.events.formats.hdf5_attributes import read_texts

TEXTS = {
    "geometry": "1280x720",
    "format": "EVT3;height=720;width=1280",
    "a long one": "x" * 3000,
    "empty": "",
    "fixed": np.bytes_("of fixed length"),
}


def write(path: Path, version: str, texts: dict[str, object]) -> int:
    with h5py.File(path, "w", libver=version) as file:
        file.attrs["number"] = 5
        file.attrs["numbers"] = np.arange(4.0)
        for name, text in texts.items():
            file.attrs[name] = text
        return int(h5py.h5o.get_info(file.id).addr)


@pytest.mark.parametrize("version", ["earliest", "v110", "latest"])
def test_texts_are_those_that_were_written(version: str, tmp_path: Path) -> None:
    address = write(tmp_path / "file", version, dict(TEXTS))

    found = read_texts(tmp_path / "file", address)

    assert found == {**TEXTS, "fixed": "of fixed length"}


def test_headers_that_go_on_elsewhere_are_followed(tmp_path: Path) -> None:
    texts: dict[str, object] = {f"name {number}": "text " * number for number in range(100)}
    address = write(tmp_path / "file", "earliest", texts)

    assert read_texts(tmp_path / "file", address) == texts


def test_no_damage_hangs_or_crashes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    address = write(path, "earliest", dict(TEXTS))
    content = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)

    for trial in range(1500):
        damaged = content.copy()
        places = rng.integers(0, min(len(content), 6000), rng.integers(1, 8))
        damaged[places] = rng.choice([0, 1, 0x10, 0x7F, 0x80, 0xFF], len(places))
        length = rng.integers(len(content)) if trial % 4 == 0 else len(content)
        path.write_bytes(damaged[:length].tobytes())
        assert all(len(text) < 2**17 for text in read_texts(path, address).values())


@pytest.mark.parametrize("address", [0, 1, 17, 2**40, 2**63 - 1])
def test_an_address_of_nothing_has_no_texts(address: int, tmp_path: Path) -> None:
    write(tmp_path / "file", "earliest", dict(TEXTS))

    assert read_texts(tmp_path / "file", address) == {}
