"""The recursion's kernels, interpreted, against plain torch; `test_functional_interpreted` runs this file."""

import torch
from test_functional_blocked import block_of

from mmvsolvers_nn.functional._blocked import recursion as plain
from mmvsolvers_nn.functional._blocked import row_recursion as plain_rows
from mmvsolvers_nn.functional._triton import recursion as kernels
from mmvsolvers_nn.functional._triton import row_recursion as row_kernels

for B, M, dtype, bound in (
    (5, 3, torch.complex128, torch.inf),
    (8, 1, torch.complex128, 0.3),
    (6, 4, torch.complex64, 0.3),
    (1, 2, torch.complex128, torch.inf),
):
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.complex64 else {"rtol": 1e-9, "atol": 1e-12}
    rows, *rest, _ = block_of(B, M, dtype, bound)
    gram = rows @ rows.mH
    steps = plain.decide(gram, *rest)
    assert steps.abs().max() > 0
    torch.testing.assert_close(kernels.decide(gram, *rest), steps, **tolerance)
    for found, expected in zip(kernels.eliminate(gram, steps), plain.eliminate(gram, steps), strict=True):
        torch.testing.assert_close(found, expected, **tolerance)
    gradient = torch.linspace(-1.0, 1.0, 2 * B, dtype=steps.dtype).reshape(2, B)
    correlations, value, *priors = rest
    after = torch.where(steps == priors[1] - value, priors[1], value + steps)
    back = [module.decide_backward(gradient, gram, correlations, after, *priors, steps) for module in (kernels, plain)]
    for found, expected in zip(*back, strict=True):
        torch.testing.assert_close(found, expected, **tolerance)
    generator = torch.Generator().manual_seed(M)
    before, correlations, gradient = (torch.randn(B, 2, M, dtype=dtype, generator=generator) for _ in range(3))
    given = gram[0], 5.0 * correlations, before, torch.tensor([2.0, 20.0], dtype=steps.dtype)
    expected = plain_rows.threshold(*given)
    assert expected.abs().max() > 0
    torch.testing.assert_close(row_kernels.threshold(*given), expected, **tolerance)
    back = [one.threshold_backward(gradient, gram[0], expected, given[3]) for one in (row_kernels, plain_rows)]
    torch.testing.assert_close(*back, **tolerance)
