"""Matrix products with the same bits on every processor.

OpenBLAS has a kernel for each processor, and each adds in its own order. Here the terms of a sum are added one after the other,
in float64.
"""

import numba
import numpy as np


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a` `(n, m)` times `b` `(m, k)`, in float64: `(n, k)`. For small k: 12 to 128."""
    return _matmul(np.ascontiguousarray(a), np.ascontiguousarray(b), np.zeros((a.shape[0], b.shape[1])))


@numba.njit(nogil=True, cache=True)
def _matmul(a, b, out):
    for row in range(a.shape[0]):
        for term in range(a.shape[1]):
            value = np.float64(a[row, term])
            for column in range(b.shape[1]):  # independent sums: the compiler may do several at once
                out[row, column] += value * np.float64(b[term, column])
    return out
