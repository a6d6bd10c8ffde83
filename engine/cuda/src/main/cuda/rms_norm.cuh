// Steps that the RMSNorm kernels share; a block of 256 threads works on a row.
#pragma once

#include "jqlora.cuh"

// 1 / √(mean(x²) + ε) of a row.
static __device__ __forceinline__ float inverse_rms(const float *x, int width, float epsilon, float *room) {
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += x[i] * x[i];
  }
  return 1 / sqrtf(block_sum(sum, room) / width + epsilon);
}
