#include "gemm.cuh"
#include "gemm_mma.cuh"

// dx = dy · w in float.
KERNEL(256) nf4_linear_gradient(const float *dy, const unsigned char *codes, const float *absmax,
                                const unsigned char *absmax_codes, const float *map, const float *nested,
                                const float *offset, int shift, int rows, int out, int in, float *dx) {
  __shared__ GemmRoom room;
  Nf4Weight weight = {codes, absmax, absmax_codes, map, nested, offset, in, shift};
  gemm(Matrix<float>{dy, out, 1}, transposed(weight), rows, in, out, 1.0f, nullptr, dx, room);
}

// dx = dy · w on tensor cores.
KERNEL(256) nf4_linear_gradient_mma(const float *dy, const unsigned char *codes, const float *absmax,
                                    const unsigned char *absmax_codes, const float *map, const float *nested,
                                    const float *offset, int shift, int rows, int out, int in, float *dx) {
  __shared__ MmaNf4Room<true, float> room;
  __shared__ float values[16];
  gemm_nf4_mma<true, float>(dy, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, rows, out, dx, values, room);
}

// The same with activations in BF16.
KERNEL(256) nf4_linear_gradient_mma_bf16(const Bf16 *dy, const unsigned char *codes, const float *absmax,
                                         const unsigned char *absmax_codes, const float *map, const float *nested,
                                         const float *offset, int shift, int rows, int out, int in, Bf16 *dx) {
  __shared__ MmaNf4Room<true, Bf16> room;
  __shared__ float values[16];
  gemm_nf4_mma<true, Bf16>(dy, {codes, absmax, absmax_codes, map, nested, offset, in, shift}, rows, out, dx, values, room);
}
