#include "rms_norm.cuh"

// dx = r · (g - x · r² · mean(g · x)) with g = dy · w and r = 1 / √(mean(x²) + ε), a block a row; dx may be dy.
template <class T>
static __device__ __forceinline__ void input_gradient(const float *x, const float *w, const T *dy, int width,
                                                      float epsilon, float *dx, float *room) {
  long long first = static_cast<long long>(blockIdx.x) * width;
  float r = inverse_rms(x + first, width, epsilon, room);
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += to_float(dy[first + i]) * w[i] * x[first + i];
  }
  float factor = r * r * (block_sum(sum, room) / width);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    dx[first + i] = r * (to_float(dy[first + i]) * w[i] - x[first + i] * factor);
  }
}

KERNEL(256) rms_norm_gradient_f32(const float *x, const float *w, const float *dy, int width, float epsilon, float *dx) {
  __shared__ float room[8];
  input_gradient(x, w, dy, width, epsilon, dx, room);
}

KERNEL(256) rms_norm_gradient_bf16(const float *x, const float *w, const Bf16 *dy, int width, float epsilon, float *dx) {
  __shared__ float room[8];
  input_gradient(x, w, dy, width, epsilon, dx, room);
}
