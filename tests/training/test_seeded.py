"""One thread and one seed, and all as before afterwards."""

import pytest
import torch

from pipelines.training.seeded import seeded


def test_equal_seeds_draw_alike_and_leave_no_trace():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        torch.manual_seed(1)
        expected = torch.rand(2)
        torch.manual_seed(1)
        drawn = []
        for seed in (7, 7, 8):
            with seeded(seed):
                assert torch.get_num_threads() == 1
                drawn.append(torch.rand(4))
        assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
        with pytest.raises(ZeroDivisionError), seeded(9):
            _ = torch.rand(1) / (1 // 0)
        assert torch.get_num_threads() == 3 and torch.equal(torch.rand(2), expected)
    finally:
        torch.set_num_threads(threads)
