"""Multi-channel Wiener filter: estimates of all stems refined by expectation maximisation of a Gaussian model.

Each stem j has a power v_j(t, f), the mean over channels of |y_j|^2, and a spatial covariance R_j(f), the mean over frames of
y_j y_j^H over that of v_j. The estimate is y_j = v_j R_j (sum_i v_i R_i)^-1 x (Duong, Vincent, Gribonval 2010, equations 5 to 7;
Nugraha, Liutkus, Vincent 2016, section II). Of one channel R_j is 1, and an iteration multiplies the mixture by the ratios of
powers |y_j|^2 / sum_i |y_i|^2.
"""

import torch
from torch import Tensor

EPSILON = 1e-10
"""Of the power of a mixture of full scale: keeps the inverse finite where all is silent."""
ROUNDINGS = 10


def filtered(estimates: Tensor, mixture: Tensor, iterations: int) -> Tensor:
    """Complex estimates `(stems, channels, frames, bins)` of a mixture `(channels, frames, bins)` after `iterations`."""
    n_channels = len(mixture)
    for _ in range(iterations):
        power = estimates.abs().square().mean(dim=1)  # (stems, frames, bins)
        if n_channels == 1:
            ratios = power / power.sum(dim=0).clamp(min=EPSILON)
            estimates = ratios[:, None] * mixture
            continue
        outer = torch.einsum("jctf,jdtf->jfcd", estimates, estimates.conj())
        spatial = outer / power.sum(dim=1).clamp(min=EPSILON)[..., None, None]
        covariance = torch.einsum("jtf,jfcd->tfcd", power.to(spatial.dtype), spatial)
        # channels that are alike have covariances without an inverse: what is added is above the rounding of the largest
        least = EPSILON + ROUNDINGS * torch.finfo(power.dtype).eps * power.sum(dim=0)[..., None, None]
        covariance = covariance + least * torch.eye(n_channels)
        whitened = torch.linalg.solve(covariance, mixture.permute(1, 2, 0)[..., None])[..., 0]
        estimates = power[:, None] * torch.einsum("jfcd,tfd->jctf", spatial, whitened)
    return estimates
