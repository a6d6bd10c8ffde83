#include "rms_norm.cuh"

// y = x / √(mean(x²) + ε) · w, a block a row; y may be x.
KERNEL(256) rms_norm(const float *x, const float *w, int width, float epsilon, float *y) {
  __shared__ float room[8];
  const float *row = x + static_cast<long long>(blockIdx.x) * width;
  float *to = y + static_cast<long long>(blockIdx.x) * width;
  float r = inverse_rms(row, width, epsilon, room);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    to[i] = row[i] * r * w[i];
  }
}
