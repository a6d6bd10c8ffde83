#include "gemm.cuh"
#include "gemm_mma.cuh"

// dx = base + dy · w + du · a in float, with du [rows, rank] and a [rank, in]; base is null, or like dx and may be dx itself.
KERNEL(256) nf4_lora_linear_gradient(const float *dy, const unsigned char *codes, const float *absmax,
                                     const unsigned char *absmax_codes, const float *map, const float *nested,
                                     const float *offset, int shift, const float *du, const float *a, const float *base,
                                     int rows, int out, int in, int rank, float *dx) {
  __shared__ GemmRoom room;
  Nf4Weight weight = {codes, absmax, absmax_codes, map, nested, offset, in, shift};
  float sums[4][4] = {};
  gemm_add(Matrix<float>{dy, out, 1}, transposed(weight), rows, in, out, sums, room);
  gemm_add(Matrix<float>{du, rank, 1}, Matrix<float>{a, 1, in}, rows, in, rank, sums, room);
  gemm_store(sums, rows, in, 1.0f, base, dx);
}

// The same on tensor cores. rank is a multiple of 4.
KERNEL(256) nf4_lora_linear_gradient_mma(const float *dy, const unsigned char *codes, const float *absmax,
                                         const unsigned char *absmax_codes, const float *map, const float *nested,
                                         const float *offset, int shift, const float *du, const float *a,
                                         const float *base, int rows, int out, int in, int rank, float *dx) {
  __shared__ MmaNf4LoraRoom<true, float> room;
  __shared__ float values[16];
  gemm_nf4_lora_mma<true, float>(dy, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, du, a, rows, out, rank,
                                 base, dx, values, room);
}

// The same with activations in BF16.
KERNEL(256) nf4_lora_linear_gradient_mma_bf16(const Bf16 *dy, const unsigned char *codes, const float *absmax,
                                              const unsigned char *absmax_codes, const float *map, const float *nested,
                                              const float *offset, int shift, const float *du, const float *a,
                                              const Bf16 *base, int rows, int out, int in, int rank, Bf16 *dx) {
  __shared__ MmaNf4LoraRoom<true, Bf16> room;
  __shared__ float values[16];
  gemm_nf4_lora_mma<true, Bf16>(dy, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, du, a, rows, out, rank,
                                base, dx, values, room);
}
