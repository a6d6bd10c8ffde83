#include "gemm.cuh"

// y = base + scale · u · bᵀ with u [rows, rank] and b [out, rank]; y may be base.
KERNEL(256) lora_linear(const float *base, const float *u, const float *b, int rows, int out, int rank, float scale,
                        float *y) {
  __shared__ GemmRoom room;
  gemm(Matrix<float>{u, rank, 1}, Matrix<float>{b, rank, 1}, rows, out, rank, scale, base, y, room);
}
