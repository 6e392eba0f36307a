"""The lessons as beginners write them in PyTorch: what benchmarks/descent.py times Thalweg against."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# --- the lessons' data ----------------------------------------------------------------------------------------------


def line_data() -> tuple[Tensor, Tensor, Tensor]:
    """x, y and the start (b, w) of the first two lessons."""
    g = torch.Generator().manual_seed(10)
    x = torch.rand(8, generator=g) * 20
    y = 2 * x + 3 * (1 + torch.randn(8, generator=g))
    return x, y, torch.tensor([0.0, float(torch.rand(1, generator=g))])


def exact_line() -> tuple[Tensor, Tensor, Tensor]:
    """x, y = 2x + 1 and a start (b, w)."""
    x = torch.arange(11.0)
    return x, 2 * x + 1, torch.tensor([0.3, -0.2])


def sine() -> tuple[Tensor, Tensor, Tensor]:
    """x, sin x and a start (a, b, c, d)."""
    x = torch.linspace(-torch.pi, torch.pi, 2000)
    return x, torch.sin(x), torch.randn(4, generator=torch.Generator().manual_seed(0))


def clouds() -> tuple[Tensor, Tensor]:
    """Points (200, 2) and their labels."""
    g = torch.Generator().manual_seed(0)
    two = [torch.normal(mean, 1.0, (100, 2), generator=g) for mean in (2.0, -2.0)]
    return torch.cat(two), torch.cat([torch.zeros(100), torch.ones(100)])


# --- the lessons, written directly ----------------------------------------------------------------------------------


def line_by_hand(steps: int) -> Tensor:
    x, y, (b, w) = line_data()
    shown = []
    for step in range(steps):
        error = w * x + b - y
        dw, db = (x * error).sum(), error.sum()
        w, b = w - 0.001 * dw, b - 0.001 * db
        if step % 1000 == 0:
            shown.append((w.item(), b.item()))
    return torch.stack([b, w])


def line_by_autograd(steps: int) -> Tensor:
    x, y, start = line_data()
    b, w = (value.clone().requires_grad_() for value in start)
    shown = []
    for step in range(steps):
        loss = 0.5 * ((w * x + b - y) ** 2).sum()
        loss.backward()
        with torch.no_grad():
            w -= 0.001 * w.grad
            b -= 0.001 * b.grad
            w.grad.zero_()
            b.grad.zero_()
        if step % 1000 == 0:
            shown.append((w.item(), b.item()))
    return torch.stack([b.detach(), w.detach()])


def line_by_module(steps: int) -> Tensor:
    x, y, start = exact_line()
    x, y = x[:, None], y[:, None]
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.bias.copy_(start[:1])
        layer.weight.copy_(start[1:, None])
    criterion, optimizer = nn.MSELoss(), torch.optim.SGD(layer.parameters(), lr=0.01)
    shown = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = criterion(layer(x), y)
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            shown.append(loss.item())
    return torch.cat([layer.bias.detach(), layer.weight.detach()[0]])


def cubic(steps: int) -> Tensor:
    x, y, (a, b, c, d) = sine()
    shown = []
    for step in range(steps):
        predicted = a + b * x + c * x**2 + d * x**3
        if step % 100 == 99:
            shown.append(((predicted - y) ** 2).sum().item())
        slope = 2.0 * (predicted - y)
        a = a - 1e-6 * slope.sum()
        b = b - 1e-6 * (slope * x).sum()
        c = c - 1e-6 * (slope * x**2).sum()
        d = d - 1e-6 * (slope * x**3).sum()
    return torch.stack([a, b, c, d])


def boundary(steps: int) -> Tensor:
    points, labels = clouds()
    w, b = torch.ones(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    shown = []
    for _ in range(steps):
        probability = torch.sigmoid(w * points[:, 0] + b - points[:, 1])
        loss = ((probability - labels) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.02 * w.grad
            b -= 0.02 * b.grad
            w.grad.zero_()
            b.grad.zero_()
        shown.append(loss.item())
    return torch.cat([b.detach(), w.detach()])


def elementwise(steps: int) -> Tensor:
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([115.0, 21.0])
    w, b = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor(0.0, requires_grad=True)
    shown = []
    for step in range(steps):
        loss = ((w * x + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.01 * w.grad
            b -= 0.01 * b.grad
            w.grad.zero_()
            b.grad.zero_()
        if step % 100 == 0:
            shown.append(loss.item())
    return torch.cat([w.detach(), b.detach()[None]])
