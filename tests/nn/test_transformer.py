import numpy as np
import pytest
import torch

from mmvsolvers import draw_pilots
from mmvsolvers_nn.transformer import HeterogeneousTransformer, TransformerNN

L, N, M, T, WIDTH = 4, 9, 3, 5, 16


@pytest.fixture
def pilots():
    return draw_pilots(np.random.default_rng(0), L, N).astype(np.complex64)


@pytest.fixture
def received():
    rng = np.random.default_rng(1)
    return (rng.standard_normal((T, L, M)) + 1j * rng.standard_normal((T, L, M))).astype(np.complex64)


def made(A, U=2):
    torch.manual_seed(0)
    return TransformerNN(A, U=U, width=WIDTH, learn_pilots=False).double().eval()


def normalised(x, weights, name):
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0.0)


def attended(query, key, value):
    found = np.empty((len(query), WIDTH))
    for head in range(8):
        part = slice(head * WIDTH // 8, (head + 1) * WIDTH // 8)
        weight = np.exp(query[:, part] @ key[:, part].T / np.sqrt(WIDTH // 8))
        found[:, part] = weight @ value[:, part] / weight.sum(axis=1, keepdims=True)
    return found


def network(x, weights, name):
    hidden = linear(normalised(x, weights, f"{name}.0"), weights, f"{name}.1")
    return linear(np.maximum(hidden, 0), weights, f"{name}.3")


def by_hand(weights, U, A, Y):
    """Return the scores of one sample, token by token."""
    covariance = Y @ Y.conj().T / M
    power = np.trace(covariance).real / L
    features = np.concatenate([covariance.real.ravel() / power, covariance.imag.ravel() / power, [np.log(power)]])
    outer = [np.outer(a, a.conj()) for a in A.T]
    x = linear(np.array([[*p.real.ravel(), *p.imag.ravel()] for p in outer]), weights, "device_input")
    y = linear(features[np.newaxis], weights, "received_input")
    for u in range(U):
        name = f"layers.{u}"
        x_in = linear(normalised(x, weights, f"{name}.device_norm"), weights, f"{name}.attention.device")
        y_in = linear(normalised(y, weights, f"{name}.received_norm"), weights, f"{name}.attention.received")
        found = attended(*np.split(np.concatenate([x_in, y_in]), 3, axis=1))
        x = x + linear(found[:-1], weights, f"{name}.attention.device_out")
        y = y + linear(found[-1:], weights, f"{name}.attention.received_out")
        x, y = x + network(x, weights, f"{name}.device_network"), y + network(y, weights, f"{name}.received_network")
    x, y = normalised(x, weights, "device_norm"), normalised(y, weights, "received_norm")
    key, value = np.split(linear(x, weights, "keys"), 2, axis=1)
    context = linear(attended(linear(y, weights, "query"), key, value), weights, "context") + linear(y, weights, "own")
    return 10 * np.tanh(x @ linear(context, weights, "score")[0] / np.sqrt(WIDTH))


@torch.no_grad()
def test_the_scores_are_those_of_the_formulas(pilots, received):
    model = made(pilots)
    weights = {name: value.numpy() for name, value in model.decoder.approximation.state_dict().items()}
    found = model.decode(torch.from_numpy(received).to(torch.complex128)).score
    wanted = [by_hand(weights, 2, pilots.astype(complex), Y.astype(complex)) for Y in received]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_devices_are_scored_alike_in_any_order_and_number(pilots, received):
    part = made(pilots).decoder.approximation
    A, Y = (torch.from_numpy(x).to(torch.complex128) for x in (pilots, received))
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(part(A[:, order], Y), part(A, Y)[:, order])
    assert part(A[:, :3], Y).shape == (T, 3)


@torch.no_grad()
def test_a_pilots_phase_and_the_antennas_order_do_not_matter(pilots, received):
    part = made(pilots).decoder.approximation
    A, Y = (torch.from_numpy(x).to(torch.complex128) for x in (pilots, received))
    phase = torch.exp(1j * torch.arange(N, dtype=torch.float64))
    torch.testing.assert_close(part(A * phase, Y[..., [2, 0, 1]]), part(A, Y))


@torch.no_grad()
def test_a_batch_is_a_loop_of_singles_and_silence_has_scores(pilots, received):
    part = made(pilots).decoder.approximation
    A, Y = (torch.from_numpy(x).to(torch.complex128) for x in (pilots, received))
    torch.testing.assert_close(part(A, Y), torch.stack([part(A, one) for one in Y]))
    assert part(A, torch.zeros_like(Y)).isfinite().all()


def test_training_rounds_products_and_deciding_does_not(pilots, received):
    model = TransformerNN(pilots, U=2, width=WIDTH)
    Y = torch.from_numpy(received)
    rounded = model.decode(Y).score
    exact = model.eval().decode(Y).score
    assert rounded.dtype == exact.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, atol=0.3, rtol=0)


def test_fewer_layers_are_the_first_ones(pilots, received):
    long, short = made(pilots, U=2), made(pilots, U=1)
    short.load_state_dict(long.state_dict(), strict=False)
    long.decoder.approximation.U = 1
    Y = torch.from_numpy(received).to(torch.complex128)
    torch.testing.assert_close(long.decode(Y).score, short.decode(Y).score)


def test_a_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="width must be a multiple of the 8 heads; got 20"):
        HeterogeneousTransformer(2, 4, 20)
