#include "nf4.cuh"

// The number of halfway points between neighbouring NF4 values that lie below x.
static __device__ __forceinline__ int nearest_nf4(float x) {
  int code = 0;
#pragma unroll
  for (int step = 8; step > 0; step /= 2) {
    int below = code + step - 1;
    if (x > __fadd_rn(NF4_VALUES[below], NF4_VALUES[below + 1]) / 2) {
      code += step;
    }
  }
  return code;
}

// The code of a number in a block of a largest magnitude whose reciprocal may be infinite, where it is below normal numbers.
static __device__ __forceinline__ int code_of(float x, float absmax, float reciprocal) {
  return nearest_nf4(reciprocal <= 3.402823466e38f ? __fmul_rn(x, reciprocal) : absmax > 0 ? __fdiv_rn(x, absmax) : 0.0f);
}

// Two codes a byte, and the largest magnitude of each block of 1 << shift numbers, a warp a block: infinite where one of them
// is not finite. What an odd count leaves of the last byte is the code of 0.
template <class T>
static __device__ __forceinline__ void quantize(const T *x, long long count, int shift, unsigned char *codes,
                                                float *absmax) {
  long long block = first_index() / 32;
  long long first = block << shift;
  if (first >= count) {
    return;
  }
  long long end = min(first + (1ll << shift), count);
  int lane = threadIdx.x % 32;
  float largest = 0;
  for (long long i = first + lane; i < end; i += 32) {
    float magnitude = fabsf(to_float(x[i]));
    largest = fmaxf(largest, magnitude <= 3.402823466e38f ? magnitude : __uint_as_float(0x7f800000u));
  }
  largest = warp_max(largest);
  float reciprocal = __fdiv_rn(1.0f, largest);
  for (long long i = first + 2 * lane; i < end; i += 64) {
    int high = code_of(to_float(x[i]), largest, reciprocal);
    int low = code_of(i + 1 < end ? to_float(x[i + 1]) : 0.0f, largest, reciprocal);
    codes[i / 2] = static_cast<unsigned char>(high * 16 + low);
  }
  if (lane == 0) {
    absmax[block] = largest;
  }
}

KERNEL(256) nf4_quantize_f32(const float *x, long long count, int shift, unsigned char *codes, float *absmax) {
  quantize(x, count, shift, codes, absmax);
}

KERNEL(256) nf4_quantize_bf16(const Bf16 *x, long long count, int shift, unsigned char *codes, float *absmax) {
  quantize(x, count, shift, codes, absmax);
}

KERNEL(256) nf4_quantize_f16(const F16 *x, long long count, int shift, unsigned char *codes, float *absmax) {
  quantize(x, count, shift, codes, absmax);
}
