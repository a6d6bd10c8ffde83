#include "rms_norm.cuh"

// r[row] = 1 / √(mean(x²) + ε), a block a row.
KERNEL(256) rms_norm_inverse(const float *x, int width, float epsilon, float *r) {
  __shared__ float room[8];
  float inverse = inverse_rms(x + static_cast<long long>(blockIdx.x) * width, width, epsilon, room);
  if (threadIdx.x == 0) {
    r[blockIdx.x] = inverse;
  }
}

// dw = Σ dy · x · r over the rows in order, a thread a column.
template <class T>
static __device__ __forceinline__ void weight_gradient(const float *x, const T *dy, const float *r, int rows, int width,
                                                       float *dw) {
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= width) {
    return;
  }
  float sum = 0;
  for (int row = 0; row < rows; row++) {
    long long at = static_cast<long long>(row) * width + column;
    sum += to_float(dy[at]) * x[at] * r[row];
  }
  dw[column] = sum;
}

KERNEL(256) rms_norm_weight_gradient_f32(const float *x, const float *dy, const float *r, int rows, int width, float *dw) {
  weight_gradient(x, dy, r, rows, width, dw);
}

KERNEL(256) rms_norm_weight_gradient_bf16(const float *x, const Bf16 *dy, const float *r, int rows, int width, float *dw) {
  weight_gradient(x, dy, r, rows, width, dw);
}
