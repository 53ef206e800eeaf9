"""What was found in a folder of planted defects."""

import pytest
from tests.defects import paths, write_defects
from tests.labels.conftest import make_labels  # noqa: F401  # a fixture

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.core import etram
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.quality.job import QualityStore, quality_jobs
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.quality.survey import Survey
from etram_pipeline.stores.layout import QUALITY

DATASET = DatasetSettings(height=96, width=128, class_names=etram.CLASSES)


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """A recording for every defect, and two without any."""
    folder = tmp_path_factory.mktemp("planted")
    write_defects(folder / "data")
    jobs = quality_jobs(*paths(folder / "data"), DATASET, QualitySettings())
    build(folder / "quality", QUALITY, jobs, InlineExecutor(), raise_failures=False)
    store = QualityStore(folder / "quality")
    return Survey(
        dict(store), {key: str(failure) for key, failure in store.failed.items()}, DATASET
    )


@pytest.fixture
def healthy(planted: Survey) -> Survey:
    """The two recordings without any defect."""
    own = {key: one for key, one in planted.recordings.items() if "sound" in key}
    return Survey(own, {}, DATASET)
