"""RVT's checkpoint files: names, layouts and safe reading.

Other packages read checkpoints through the names below; `export` writes them.
"""

from etram_pipeline.models.rvt_format.checkpoint import is_rvt_state_dict, read_rvt
from etram_pipeline.models.rvt_format.unpickling import load_tensors
from etram_pipeline.models.rvt_format.wrappers import unwrapped, weights_in

__all__ = ["is_rvt_state_dict", "load_tensors", "read_rvt", "unwrapped", "weights_in"]
