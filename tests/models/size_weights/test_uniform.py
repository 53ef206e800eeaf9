import torch

from etram_pipeline.models.size_weights.uniform import Config


def test_all_sizes_count_alike() -> None:
    areas = torch.tensor([0.0, 1.0, 1e9], dtype=torch.float64)
    weights = Config().weigh(areas)
    assert weights.tolist() == [1, 1, 1]
    assert weights.dtype == torch.float64
