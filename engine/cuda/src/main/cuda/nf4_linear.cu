#include "gemm.cuh"
#include "gemm_mma.cuh"

// y = x · wᵀ in float.
KERNEL(256) nf4_linear(const float *x, const unsigned char *codes, const float *absmax, const unsigned char *absmax_codes,
                       const float *map, const float *nested, const float *offset, int shift, int rows, int out, int in,
                       float *y) {
  __shared__ GemmRoom room;
  Nf4Weight weight = {codes, absmax, absmax_codes, map, nested, offset, in, shift};
  gemm(Matrix<float>{x, in, 1}, weight, rows, out, in, 1.0f, nullptr, y, room);
}

// The same for one row.
KERNEL(128) nf4_linear_row(const float *x, const unsigned char *codes, const float *absmax,
                           const unsigned char *absmax_codes, const float *map, const float *nested, const float *offset,
                           int shift, int out, int in, float *y) {
  Nf4Weight weight = {codes, absmax, absmax_codes, map, nested, offset, in, shift};
  gemv(x, weight, out, in, y);
}

// y = x · wᵀ on tensor cores.
KERNEL(256) nf4_linear_mma(const float *x, const unsigned char *codes, const float *absmax,
                           const unsigned char *absmax_codes, const float *map, const float *nested, const float *offset,
                           int shift, int rows, int out, int in, float *y) {
  __shared__ MmaNf4Room<false, float> room;
  __shared__ float values[16];
  gemm_nf4_mma<false, float>(x, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, rows, out, y, values, room);
}

// The same with activations in BF16.
KERNEL(256) nf4_linear_mma_bf16(const Bf16 *x, const unsigned char *codes, const float *absmax,
                                const unsigned char *absmax_codes, const float *map, const float *nested, const float *offset,
                                int shift, int rows, int out, int in, Bf16 *y) {
  __shared__ MmaNf4Room<false, Bf16> room;
  __shared__ float values[16];
  gemm_nf4_mma<false, Bf16>(x, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, rows, out, y, values, room);
}
