"""poly(x, k): polynomials up to degree k, orthonormal over the training rows or raw powers.

The orthonormal polynomials satisfy a three-term recurrence [1]_,

    b_{j+1} p_{j+1}(x) = (x - a_j) p_j(x) - b_j p_{j-1}(x),      p_0 = 1 / sqrt(n),      p_{-1} = 0,          (1)

whose a and b are the entries of the Jacobi matrix of the discrete measure that the rows are. They are found by running
(1) itself (Stieltjes' procedure): new rows will go through the same recurrence, so that a and b which make its computed
columns orthonormal serve better than ones nearer to those of exact arithmetic. A degree whose columns would not be
orthonormal to half the digits is refused. Values are shifted to their middle first, where x - shift is exact, so that
x = 1e10 + u costs no digits of u.

Batches are merged without keeping the rows: each is replaced by its Gauss rule with k + 2 nodes, which has the same
moments up to degree 2k + 3, and hence the same a and b; for the rule they are found with reorthogonalization.

References
----------
.. [1] W. Gautschi, Orthogonal Polynomials: Computation and Approximation, Oxford 2004, sections 2.1 and 2.2.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.nodes import Binary, Node, Number
from thalweg.data.transforms.base import Learner, Options, State, Transform, floats, number, real, truth
from thalweg.error_free import Pair, dd_mul

MAX_DEGREE = 100
ORTHONORMAL = 1e-8  # the largest error of X'X = I that is accepted
_CHUNK = 4096  # rows looked at together for distinct values


def check(options: Options) -> None:
    """Refuse a degree that is no small whole number."""
    number(options, "degree", least=1, whole=True)
    truth(options, "raw")
    if int(options["degree"]) > MAX_DEGREE:
        raise ValueError(f"degree must be at most {MAX_DEGREE}")


def jacobi(
    x: Float[Tensor, "n"], weight: Float[Tensor, "n"], count: int, *, reorthogonalize: bool = False
) -> tuple[Float[Tensor, "m"], Float[Tensor, "m"]]:
    """First a_0 .. a_{m-1} and b_1 .. b_m of equation (1); m < count where the measure has fewer points."""
    basis = [weight.sqrt() / weight.sum().sqrt()]
    a: list[Tensor] = []
    b: list[Tensor] = []
    spread = float(x.abs().max()) if x.numel() else 0.0
    for j in range(count):
        moved = x * basis[j]
        a.append(basis[j] @ moved)
        rest = moved - a[j] * basis[j] - (b[j - 1] * basis[j - 1] if j else 0.0)
        if reorthogonalize:
            known = torch.stack(basis)
            rest = rest - (known @ rest) @ known
            rest = rest - (known @ rest) @ known  # twice is enough
        b.append(torch.linalg.vector_norm(rest))
        if float(b[j]) <= 1e-14 * spread:
            b[j] = torch.zeros_like(b[j])
            break
        basis.append(rest / b[j])
    return torch.stack(a), torch.stack(b)


def gauss(a: Float[Tensor, "m"], b: Float[Tensor, "m"], mass: float) -> tuple[Float[Tensor, "m"], Float[Tensor, "m"]]:
    """Nodes and weights of the Gauss rule of a Jacobi matrix (Golub and Welsch 1969)."""
    off = b[:-1]
    nodes, vectors = torch.linalg.eigh(torch.diag(a) + torch.diag(off, 1) + torch.diag(off, -1))
    return nodes, mass * vectors[0].square()


class PolyLearner(Learner):
    """Shift, a, b and the number of rows; or, for raw powers, only that there are enough distinct values."""

    def __init__(self, options: Options) -> None:
        self.degree, self.raw = int(options["degree"]), bool(options["raw"])
        self.distinct = torch.empty(0, dtype=torch.float64)
        self.nodes = self.weights = torch.empty(0, dtype=torch.float64)
        self.count, self.shift = 0, 0.0

    def update(self, x: Float[Tensor, "n"]) -> None:
        x = x.cpu()
        if not self.count and x.numel():
            self.shift = float((x.min() + x.max()) / 2)
        self.count += x.shape[0]
        for i in range(0, x.shape[0], _CHUNK):
            if self.distinct.numel() > self.degree:
                break
            self.distinct = torch.cat([self.distinct, x[i : i + _CHUNK]]).unique()[: self.degree + 1]
        if not self.raw and x.numel():
            self.nodes = torch.cat([self.nodes, x - self.shift])
            self.weights = torch.cat([self.weights, torch.ones_like(x)])
            if self.nodes.numel() > 64 * (self.degree + 2):
                self._compress()

    def _compress(self) -> None:
        a, b = jacobi(self.nodes, self.weights, self.degree + 2, reorthogonalize=True)
        self.nodes, self.weights = gauss(a, b, float(self.weights.sum()))

    def state(self) -> State:
        if self.distinct.numel() <= self.degree:
            raise ValueError(
                f"a polynomial of degree {self.degree} needs more than {self.degree} distinct values,"
                f" and there are {self.distinct.numel()}"
            )
        if self.raw:
            return {}
        a, b = jacobi(self.nodes, self.weights, self.degree)
        if a.numel() < self.degree or not float(b[-1]) > 0:
            raise ValueError(f"its values lie too close together for degree {self.degree} in double precision")
        state = {"shift": self.shift, "a": a.tolist(), "b": b.tolist(), "count": float(self.count)}
        self._check_orthonormal(state)
        return state

    def _check_orthonormal(self, state: State) -> None:
        columns = OrthogonalPoly({"degree": self.degree}, {**state, "shift": 0.0}).values(self.nodes)
        gram = (columns * self.weights[:, None]).T @ columns
        error = (gram - torch.eye(self.degree, dtype=torch.float64)).abs().cummax(dim=0).values.diagonal()
        usable = int((error.cummax(dim=0).values < ORTHONORMAL).sum())
        if usable < self.degree:
            raise ValueError(
                f"its values lie too unevenly for degree {self.degree} in double precision;"
                f" the highest degree that stays orthogonal is {usable}"
            )


class OrthogonalPoly(Transform):
    """p_1 .. p_k of equation (1)."""

    def __init__(self, options: Options, state: State) -> None:
        self.degree = int(options["degree"])
        self.a, self.b = floats(state, "a", self.degree), floats(state, "b", self.degree)
        self.shift = real(state.get("shift", 0.0), "shift")  # the first files have none
        self.count = real(state.get("count"), "count")
        if min(self.b) <= 0 or self.count <= 0:
            raise ValueError("b and count must be positive")

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(str(k) for k in range(1, self.degree + 1))

    def values(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n k"]:
        x = x - self.shift
        before, now = torch.zeros_like(x), torch.full_like(x, 1 / math.sqrt(self.count))
        out = torch.empty(x.shape[0], self.degree, dtype=x.dtype, device=x.device)
        for j in range(self.degree):
            carried = 0.0 if j == 0 else self.b[j - 1] * before
            before, now = now, ((x - self.a[j]) * now - carried) / self.b[j]
            out[:, j] = now
        return out

    def nodes(self, argument: Node) -> list[Node]:
        """Each polynomial by its roots (eigenvalues of the Jacobi matrix), which are real and distinct."""
        return [self._product(argument, k) for k in range(1, self.degree + 1)]

    def _product(self, argument: Node, degree: int) -> Node:
        a, b = (torch.tensor(values[:degree], dtype=torch.float64) for values in (self.a, self.b))
        roots, _ = gauss(a, b, 1.0)
        scale = 1 / math.sqrt(self.count) / math.prod(self.b[:degree])
        node: Node = Number(scale)
        near = abs(self.shift) <= 1000 * float(roots.abs().max())  # adding it to the roots costs at most three digits
        shifted = argument if near else Binary("-", argument, Number(self.shift))
        for root in roots.tolist():
            node = Binary("*", node, Binary("-", shifted, Number(root + self.shift if near else root)))
        return node


class RawPoly(Transform):
    """x, x², .., xᵏ, in two words where they are asked for."""

    def __init__(self, options: Options, state: State) -> None:
        self.degree = int(options["degree"])

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(str(k) for k in range(self.degree))  # from 0, as formulaic names them

    def values(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n k"]:
        return torch.stack([x.pow(k) for k in range(1, self.degree + 1)], dim=1)

    def doubled(self, x: Pair) -> tuple[Tensor, Tensor | None]:
        powers = [x]
        for k in range(2, self.degree + 1):
            powers.append(dd_mul(powers[(k + 1) // 2 - 1], powers[k // 2 - 1]))
        return torch.stack([high for high, _ in powers], dim=1), torch.stack([low for _, low in powers], dim=1)

    def nodes(self, argument: Node) -> list[Node]:
        return [argument if k == 1 else Binary("**", argument, Number(float(k))) for k in range(1, self.degree + 1)]
