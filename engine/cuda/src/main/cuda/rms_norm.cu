#include "rms_norm.cuh"

// y = x / √(mean(x²) + ε) · w, a block a row; y may be x.
template <class T>
static __device__ __forceinline__ void normalize(const float *x, const float *w, int width, float epsilon, T *y,
                                                 float *room) {
  const float *row = x + static_cast<long long>(blockIdx.x) * width;
  T *to = y + static_cast<long long>(blockIdx.x) * width;
  float r = inverse_rms(row, width, epsilon, room);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    store(to + i, row[i] * r * w[i]);
  }
}

KERNEL(256) rms_norm_f32(const float *x, const float *w, int width, float epsilon, float *y) {
  __shared__ float room[8];
  normalize(x, w, width, epsilon, y, room);
}

KERNEL(256) rms_norm_bf16(const float *x, const float *w, int width, float epsilon, Bf16 *y) {
  __shared__ float room[8];
  normalize(x, w, width, epsilon, y, room);
}
