"""Where gradients come from: written by hand, by autograd, by an equivalent `nn.Module`, or from the user.

All of them return (f, gradient) of the same `MemoryProblem`, and the tests hold them to agree to rounding.

    "hand"       gradient = c J(theta)' (w * loss'(y, eta)),  J from the predictor, loss' from the loss       (1)
    "autograd"   torch.autograd.grad of the same forward pass
    "module"     an nn.Module with the same parameters: zero_grad(), loss.backward(), .grad
    a function   of (parameters, x, y): checked before the first step
"""

from thalweg.derivatives.autograd import BY_AUTOGRAD, ByAutograd
from thalweg.derivatives.base import Derivative
from thalweg.derivatives.given import Given
from thalweg.derivatives.hand import BY_HAND, ByHand
from thalweg.derivatives.module import BY_MODULE, ByModule
from thalweg.derivatives.named import DERIVATIVES, derivative_of

__all__ = [
    "BY_AUTOGRAD",
    "BY_HAND",
    "BY_MODULE",
    "DERIVATIVES",
    "ByAutograd",
    "ByHand",
    "ByModule",
    "Derivative",
    "Given",
    "derivative_of",
]
