"""Small preprocessed recordings: `train/a`, `train/b` and `val/c`."""

import pytest
from tests.preprocessing.recordings import preprocess, write_recordings

from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LabelStore:
    """Labelled frames of the three recordings."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_recordings(folder / "raw")
    preprocess(folder / "raw", folder / "store")
    return LabelStore(folder / "store")


@pytest.fixture(scope="module")
def histograms(store: LabelStore) -> RepresentationStore:
    """Their representations."""
    return RepresentationStore(store.root)
