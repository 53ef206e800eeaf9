"""The label sets of the configuration."""

import yaml
from tests.conftest import PROJECT

from etram_pipeline.labels.label_sets import LabelSets

_PARAMETERS = yaml.safe_load((PROJECT / "conf/base/parameters_dataset.yml").read_text())

LABEL_SETS = LabelSets.model_validate(_PARAMETERS["label_sets"])
