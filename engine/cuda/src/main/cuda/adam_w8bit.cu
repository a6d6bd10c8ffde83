#include "dynamic_map.cuh"

// One step of AdamW with 8-bit moments, in place, a block of threads a block of 256 codes: blocks of tensors of so many
// elements that stand one behind another. Each rounding is the one that the rules name.
KERNEL(256) adam_w8bit(float *p, const float *gradient, unsigned char *codes1, float *absmax1, unsigned char *codes2,
                       float *absmax2, const float *rates, const float *scale, float beta1, float gradient1, float beta2,
                       float gradient2, float epsilon, long long size) {
  __shared__ float map1[256];
  __shared__ float map2[256];
  __shared__ float room[8];
  int thread = threadIdx.x;
  map1[thread] = signed_value(thread);
  map2[thread] = unsigned_value(thread);
  __syncthreads();
  long long blocks = (size + 255) / 256;
  long long tensor = blockIdx.x / blocks;
  long long within = blockIdx.x % blocks * 256 + thread;
  long long i = tensor * size + within;
  float m = 0;
  float v = 0;
  bool finite = false;
  if (within < size) {
    float g = __fmul_rn(gradient[i], *scale);
    finite = fabsf(g) <= 3.402823466e38f;
    if (finite) {
      m = __fmul_rn(map1[codes1[i]], absmax1[blockIdx.x]);
      v = __fmul_rn(map2[codes2[i]], absmax2[blockIdx.x]);
      m = __fadd_rn(__fmul_rn(m, beta1), __fmul_rn(gradient1, g));
      v = __fadd_rn(__fmul_rn(v, beta2), __fmul_rn(gradient2, __fmul_rn(g, g)));
      float update = __fdiv_rn(m, __fadd_rn(__fdiv_rn(__fsqrt_rn(v), rates[1]), epsilon));
      p[i] = __fadd_rn(__fmul_rn(p[i], rates[2]), __fmul_rn(rates[0], update));
    }
  }
  float largest1 = block_max(fabsf(m), room);
  float largest2 = block_max(fabsf(v), room);
  if (within < size) {
    codes1[i] = static_cast<unsigned char>(quantize(map1, m, largest1));
    codes2[i] = static_cast<unsigned char>(quantize(map2, v, largest2));
  }
  if (thread == 0) {
    absmax1[blockIdx.x] = largest1;
    absmax2[blockIdx.x] = largest2;
  }
}
