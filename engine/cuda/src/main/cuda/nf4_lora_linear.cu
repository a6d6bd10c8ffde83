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
  __shared__ MmaNf4LoraRoom<false, float> room;
  __shared__ float values[16];
  gemm_nf4_lora_mma<false, float>(x, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, u, b, rows, out, rank,
                                  nullptr, y, values, room);
}

// The same with activations in BF16.
KERNEL(256) nf4_lora_linear_mma_bf16(const Bf16 *x, const unsigned char *codes, const float *absmax,
                                     const unsigned char *absmax_codes, const float *map, const float *nested,
                                     const float *offset, int shift, const float *u, const float *b, int rows, int out,
                                     int in, int rank, Bf16 *y) {
  __shared__ MmaNf4LoraRoom<false, Bf16> room;
  __shared__ float values[16];
  gemm_nf4_lora_mma<false, Bf16>(x, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, u, b, rows, out, rank,
                                 nullptr, y, values, room);
}
