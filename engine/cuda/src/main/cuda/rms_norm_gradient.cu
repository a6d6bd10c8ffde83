#include "rms_norm.cuh"

// dx = r · (g - x · r² · mean(g · x)) with g = dy · w and r = 1 / √(mean(x²) + ε), a block a row; dx may be dy.
KERNEL(256) rms_norm_gradient(const float *x, const float *w, const float *dy, int width, float epsilon, float *dx) {
  __shared__ float room[8];
  long long first = static_cast<long long>(blockIdx.x) * width;
  float r = inverse_rms(x + first, width, epsilon, room);
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += dy[first + i] * w[i] * x[first + i];
  }
  float factor = r * r * (block_sum(sum, room) / width);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    dx[first + i] = r * (dy[first + i] * w[i] - x[first + i] * factor);
  }
}
