import torch
from trompe.core.numerics import log_odds
from trompe.core.check import check_name
def test_a(tiny):
    print(log_odds(torch.zeros(2,3)))
    import pytest
    with pytest.raises(Exception) as e:
        log_odds(torch.zeros(3))
    print(type(e.value), type(e.value).__mro__, str(e.value)[:300])
