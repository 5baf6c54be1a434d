"""The temporal units against their equations written out in float64."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines.nn.convrnn import UNITS, ConvGRU, ConvLSTM, MeanUnit, mean_of  # noqa: E402
from vipbench.errors import UserError  # noqa: E402

conv = torch.nn.functional.conv2d


def maps(count: int, scale: float = 1.0) -> list[Any]:
    generator = torch.Generator().manual_seed(0)
    return [scale * torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64) for _ in range(count)]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + torch.exp(-x))


def keras(x: Any) -> Any:
    return torch.minimum(torch.maximum(0.2 * x + 0.5, torch.zeros_like(x)), torch.ones_like(x))


GATES = {"sigmoid": sigmoid, "hard_sigmoid": keras}


def random_bias(unit: Any) -> Any:
    torch.nn.init.normal_(unit.input.bias, generator=torch.Generator().manual_seed(1))
    return unit.double()


@pytest.mark.parametrize("gate", GATES)
def test_convgru_is_equation_5_written_out(gate: str) -> None:
    gru, g = random_bias(ConvGRU(3, gate)), GATES[gate]
    wz, wr, wc = gru.input.weight.chunk(3)
    bz, br, bc = gru.input.bias.chunk(3)
    uz, ur = gru.gates.weight.chunk(2)
    sequence = maps(3, 2.0)
    h = (sequence[0] + sequence[1] + sequence[2]) / 3
    for x in sequence:
        z = g(conv(x, wz, bz, padding=1) + conv(h, uz, padding=1))
        r = g(conv(x, wr, br, padding=1) + conv(h, ur, padding=1))
        c = torch.tanh(conv(x, wc, bc, padding=1) + conv(r * h, gru.candidate.weight, padding=1))
        h = h - z * h + z * c
    torch.testing.assert_close(gru(sequence), h, atol=1e-12, rtol=0)


@pytest.mark.parametrize("gate", GATES)
def test_convlstm_written_out(gate: str) -> None:
    lstm, g = random_bias(ConvLSTM(3, gate)), GATES[gate]
    w, b, u = lstm.input.weight.chunk(4), lstm.input.bias.chunk(4), lstm.hidden.weight.chunk(4)
    h = c = torch.zeros(2, 3, 4, 5, dtype=torch.float64)
    sequence = maps(3, 2.0)
    for x in sequence:
        i, f, new, o = (conv(x, w[k], b[k], padding=1) + conv(h, u[k], padding=1) for k in range(4))
        c = g(f) * c + g(i) * torch.tanh(new)
        h = g(o) * torch.tanh(c)
    torch.testing.assert_close(lstm(sequence), h, atol=1e-12, rtol=0)
    assert h.abs().max() < 1


def test_the_lstm_starts_with_forget_bias_one_and_both_with_orthogonal_states() -> None:
    gru, lstm = ConvGRU(2), ConvLSTM(2)
    assert lstm.input.bias is not None
    assert lstm.input.bias.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    for weight in (gru.gates.weight, gru.candidate.weight, lstm.hidden.weight):
        rows = weight.flatten(1)
        torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("count", [1, 3])
def test_a_mean_of_maps_keeps_their_memory_format(count: int) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        some = [torch.randn(2, 3, 4, 5).to(dtype, memory_format=torch.channels_last) for _ in range(count)]
        assert mean_of(some).is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(mean_of(some), torch.stack(some).double().mean(0).to(dtype)) or dtype.itemsize > 2
        torch.testing.assert_close(mean_of(some), torch.stack(some).mean(0))


def test_the_mean_is_the_mean_and_exact_for_equal_maps() -> None:
    sequence = maps(5)
    expected = torch.stack(sequence).sum(0) / 5
    torch.testing.assert_close(MeanUnit(3)(sequence), expected, atol=1e-14, rtol=0)
    still = sequence[0].float()
    assert torch.equal(MeanUnit(3)([still] * 7), still)
    assert not list(MeanUnit(3).parameters())


@pytest.mark.parametrize("name", UNITS)
def test_a_sequence_may_be_run_in_two_parts(name: str) -> None:
    """The state carries over, so that a stream needs only the last one."""
    unit, sequence = UNITS[name](3).double(), maps(4)
    first = unit.run(sequence[:2], unit.start(sequence))
    assert torch.equal(unit(sequence[2:], first), unit(sequence))
    assert unit(sequence).shape == sequence[0].shape


def test_an_unknown_gate_is_named_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"'tanh'.*sigmoid, hard_sigmoid"):
        ConvGRU(3, "tanh")
