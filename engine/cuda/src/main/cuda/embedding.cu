#include "jqlora.cuh"

// y[row] = table[ids[row]], a block a row; NaN where an id names no row.
template <class T>
static __device__ void gather(const T *table, int rows, const int *ids, int width, float *y) {
  int id = ids[blockIdx.x];
  const T *from = table + static_cast<long long>(id) * width;
  float *to = y + static_cast<long long>(blockIdx.x) * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    to[i] = id >= 0 && id < rows ? to_float(from[i]) : __uint_as_float(0x7fc00000u);
  }
}

KERNEL(256) embedding_f32(const float *table, int rows, const int *ids, int width, float *y) {
  gather(table, rows, ids, width, y);
}

KERNEL(256) embedding_bf16(const Bf16 *table, int rows, const int *ids, int width, float *y) {
  gather(table, rows, ids, width, y);
}

KERNEL(256) embedding_f16(const F16 *table, int rows, const int *ids, int width, float *y) {
  gather(table, rows, ids, width, y);
}
