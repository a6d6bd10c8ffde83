#include "gemm.cuh"
#include "gemm_mma.cuh"

// y = base + scale · u · bᵀ with u [rows, rank] and b [out, rank]; y may be base.
KERNEL(256) lora_linear(const float *base, const float *u, const float *b, int rows, int out, int rank, float scale,
                        float *y) {
  __shared__ GemmRoom room;
  gemm(Matrix<float>{u, rank, 1}, Matrix<float>{b, rank, 1}, rows, out, rank, scale, base, y, room);
}

// The same on tensor cores. rank is a multiple of 4.
KERNEL(256) lora_linear_mma(const float *base, const float *u, const float *b, int rows, int out, int rank, float scale,
                            float *y) {
  __shared__ MmaRoom<MmaMatrix<float, MMA_ROWS>, MmaMatrix<float, MMA_COLUMNS>> room;
  gemm_mma(MmaMatrix<float, MMA_ROWS>{u, rows, rank, false}, MmaMatrix<float, MMA_COLUMNS>{b, out, rank, false}, rows, out,
           rank, scale, base, y, room);
}

// The same with activations in BF16.
KERNEL(256) lora_linear_mma_bf16(const Bf16 *base, const float *u, const float *b, int rows, int out, int rank,
                                 float scale, Bf16 *y) {
  __shared__ MmaRoom<MmaMatrix<float, MMA_ROWS>, MmaMatrix<float, MMA_COLUMNS>> room;
  gemm_mma(MmaMatrix<float, MMA_ROWS>{u, rows, rank, false}, MmaMatrix<float, MMA_COLUMNS>{b, out, rank, false}, rows, out,
           rank, scale, base, y, room);
}
