#include "gemm.cuh"
#include "gemm_mma.cuh"

// y = x · wᵀ + u · bᵀ in float, with u [rows, rank] and b [out, rank]: the adapter's product goes on with the sums.
KERNEL(256) nf4_lora_linear(const float *x, const unsigned char *codes, const float *absmax,
                            const unsigned char *absmax_codes, const float *map, const float *nested, const float *offset,
                            int shift, const float *u, const float *b, int rows, int out, int in, int rank, float *y) {
  __shared__ GemmRoom room;
  Nf4Weight weight = {codes, absmax, absmax_codes, map, nested, offset, in, shift};
  float sums[4][4] = {};
  gemm_add(Matrix<float>{x, in, 1}, weight, rows, out, in, sums, room);
  gemm_add(Matrix<float>{u, rank, 1}, Matrix<float>{b, rank, 1}, rows, out, rank, sums, room);
  gemm_store(sums, rows, out, 1.0f, nullptr, y);
}

// The same on tensor cores. rank is a multiple of 4.
KERNEL(256) nf4_lora_linear_mma(const float *x, const unsigned char *codes, const float *absmax,
                                const unsigned char *absmax_codes, const float *map, const float *nested,
                                const float *offset, int shift, const float *u, const float *b, int rows, int out, int in,
                                int rank, float *y) {
  __shared__ MmaNf4LoraRoom<false> room;
  __shared__ float values[16];
  float sums[2][4][4] = {};
  nf4_mma_add<false>(x, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, rows, out, sums, values, room.weight);
  __syncthreads();
  mma_add(MmaMatrix<float, MMA_ROWS>{u, rows, rank, false}, MmaMatrix<float, MMA_COLUMNS>{b, out, rank, false}, rank, sums,
          room.adapter);
  mma_store(sums, rows, out, 1.0f, nullptr, y);
}
