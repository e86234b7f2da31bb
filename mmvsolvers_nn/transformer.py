"""A transformer that reads pilots and sample covariance, after [1]_: a rival to the unrolled solvers.

What is taken from the paper: two kinds of tokens, one for every device, made of its pilot, and one for the received
signals, made of the sample covariance, with weights of their own in every product (hence "heterogeneous"); five layers
of width 128 with 8 heads; a last attention in which the received signals look at all devices; scores
10 tanh(xᵀW x_n/√width), the log-odds of device n, and their cross-entropy as the loss. The answer does not depend on
the order of the devices, and the same weights serve any N.

What was chosen here, or not checked against the paper's text: a device's token is made of a aᴴ, which is all that the
covariance has of a pilot a, and learns faster than one made of a; the covariance is divided by its mean diagonal entry,
whose logarithm is one more feature; feed-forward parts are four times as wide as tokens; features are normalised
within a token, before each part, not over batches; attention has no biases. Large-scale fading, by which the paper
scales pilots, is not told. A training here is for one matrix of pilots, which may themselves be learned.

References
----------
.. [1] Y. Li, Z. Chen, Y. Wang, C. Yang, Y.-C. Wu, "Heterogeneous transformer: a scale adaptable neural network
   architecture for device activity detection", arXiv 2112.10086, 2021.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from mmvsolvers.prepared_pilots import as_pilots
from mmvsolvers.validation import as_count
from mmvsolvers_nn.autoencoders import AutoEncoder, encoder_of, support_decoder
from mmvsolvers_nn.layers import ApproximationPart, Covariance, Network

HEADS = 8
_WIDTH, _HIDDEN = 128, 4
# Largest log-odds of a device.
_LARGEST = 10.0


class Attention(nn.Module):
    """Attention of several heads among two kinds of tokens, with weights of their own.

    Parameters
    ----------
    width : int
        Features of a token, a multiple of 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.device, self.received = (nn.Linear(width, 3 * width, bias=False) for _ in range(2))
        self.device_out, self.received_out = (nn.Linear(width, width) for _ in range(2))

    def forward(self, devices: Tensor, received: Tensor) -> tuple[Tensor, Tensor]:
        """Return what devices, (T, N, width), and received signals, (T, 1, width), find in all of them."""
        tokens = torch.cat([self.device(devices), self.received(received)], dim=-2)
        query, key, value = (_by_head(part) for part in tokens.chunk(3, dim=-1))
        found = _attend(query, key, value)
        return self.device_out(found[..., :-1, :]), self.received_out(found[..., -1:, :])


class EncodingLayer(nn.Module):
    """Attention, then a feed-forward network, each added to its input; normalised before.

    Parameters
    ----------
    width : int
        Features of a token, a multiple of 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = Attention(width)
        self.device_norm, self.received_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.device_network, self.received_network = _feed_forward(width), _feed_forward(width)

    def forward(self, devices: Tensor, received: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens of the next layer: devices, (T, N, width), and received signals, (T, 1, width)."""
        of_devices, of_received = self.attention(self.device_norm(devices), self.received_norm(received))
        devices, received = devices + of_devices, received + of_received
        return devices + self.device_network(devices), received + self.received_network(received)


class HeterogeneousTransformer(ApproximationPart):
    """U encoding layers over the tokens of devices and received signals, then a score for every device.

    Parameters
    ----------
    U : int
        Layers; fewer, set later, are the first ones.
    L : int
        Length of the pilots.
    width : int, default 128
        Features of a token, a multiple of 8.

    Raises
    ------
    ValueError
        For a width that the heads cannot share.
    """

    def __init__(self, U: int, L: int, width: int = _WIDTH) -> None:
        super().__init__()
        self.U, self.width = as_count("U", U), as_count("width", width)
        if width % HEADS:
            raise ValueError(f"width must be a multiple of the {HEADS} heads; got {width}")
        self.device_input, self.received_input = nn.Linear(2 * L**2, width), nn.Linear(2 * L**2 + 1, width)
        self.layers = nn.ModuleList(EncodingLayer(width) for _ in range(U))
        self.device_norm, self.received_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.keys = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.own, self.context = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.score = nn.Linear(width, width)

    def forward(self, A: Tensor, Y: Tensor) -> Tensor:
        """Return the log-odds of every device, (..., N), for pilots A, (L, N), and signals Y, (..., L, M)."""
        covariance = _normalised(Covariance()(A, Y.reshape(-1, *Y.shape[-2:])))
        pilots = Covariance()(A, A.mT.unsqueeze(-1))
        # Half the digits make a training on a processor twice as fast or more; nothing is decided by it.
        with torch.autocast(A.device.type, torch.bfloat16, enabled=self.training):
            score = self._scores(pilots, covariance)
        return score.to(covariance.dtype).reshape(*Y.shape[:-2], A.shape[1])

    def _scores(self, pilots: Tensor, covariance: Tensor) -> Tensor:
        """Return log-odds, (T, 1, N), from features of pilots, (N, 2L²), and of covariances, (T, 2L² + 1)."""
        pilots, received = self.device_input(pilots), self.received_input(covariance).unsqueeze(-2)
        devices = pilots.expand(len(received), *pilots.shape)
        for layer in self.layers[: self.U]:
            devices, received = layer(devices, received)
        devices, received = self.device_norm(devices), self.received_norm(received)
        score = self.score(self._context(devices, received)) @ devices.mT
        log_odds: Tensor = _LARGEST * torch.tanh(score / self.width**0.5)
        return log_odds

    def _context(self, devices: Tensor, received: Tensor) -> Tensor:
        """Return what the received signals, (T, 1, width), find in the devices, (T, N, width), and in themselves."""
        key, value = (_by_head(part) for part in self.keys(devices).chunk(2, dim=-1))
        found: Tensor = self.context(_attend(_by_head(self.query(received)), key, value))
        own: Tensor = self.own(received)
        return found + own


class TransformerNN(AutoEncoder):
    """A transformer over pilots and sample covariance that scores devices by log-odds; it needs no correction part.

    Parameters
    ----------
    A : array_like of shape (L, N), complex
        Pilots to start from.
    U : int, default 5
        Encoding layers; with none the correction part sees the sample covariance, as in `CovarianceNN`.
    V : int, default 0
        Layers of the correction part.
    width : int, optional
        Features of a token, a multiple of 8; 128 by default. Without encoding layers that of the correction part.
    residual, learn_pilots, correction
        As in `MAPNN`.

    Examples
    --------
    >>> import numpy as np, mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> A = mmv.draw_pilots(np.random.default_rng(0), 8, 20)
    >>> model = mmvnn.TransformerNN(A, U=2, width=32)
    >>> import torch
    >>> tuple(model.decode(torch.ones(5, 8, 4, dtype=torch.complex64)).score.shape)
    (5, 20)
    """

    def __init__(
        self,
        A: ArrayLike,
        *,
        U: int = 5,
        V: int = 0,
        width: int | None = None,
        residual: bool = True,
        learn_pilots: bool = True,
        correction: Network | None = None,
    ) -> None:
        L = len(as_pilots("A", A))
        approximation = HeterogeneousTransformer(U, L, width or _WIDTH) if U else Covariance()
        super().__init__(encoder_of(A, learn_pilots), support_decoder(A, approximation, V, width, residual, correction))


def _by_head(tokens: Tensor) -> Tensor:
    """Return features (..., S, width) by head, (..., heads, S, width / heads)."""
    return tokens.reshape(*tokens.shape[:-1], HEADS, tokens.shape[-1] // HEADS).transpose(-3, -2)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the mean of the values, weighted by the softmax of query times key, (..., S, width).

    On a processor torch's own function takes five times as long backwards, in heads of this size.
    """
    weights = torch.softmax(query @ key.mT * query.shape[-1] ** -0.5, dim=-1)
    return (weights @ value).transpose(-3, -2).flatten(-2)


def _feed_forward(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, _HIDDEN * width), nn.ReLU(), nn.Linear(_HIDDEN * width, width)
    )


def _normalised(covariance: Tensor) -> Tensor:
    """Return (vec Re Σ̂, vec Im Σ̂), (..., 2L²), by the mean diagonal entry, and the logarithm of that."""
    L = round((covariance.shape[-1] // 2) ** 0.5)
    power = covariance[..., : L * L : L + 1].mean(dim=-1, keepdim=True)
    power = power.clamp_min(torch.finfo(power.dtype).tiny)
    return torch.cat([covariance / power, power.log()], dim=-1)
