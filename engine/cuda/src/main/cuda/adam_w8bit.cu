#include "jqlora.cuh"

// A point of the steps between 0.1 and 1 that the maps are made from, with the fused products that its definition has.
static __device__ __forceinline__ float point(int k, int steps) {
  float step = (1.0f - 0.1f) / steps;
  return k < (steps + 1) / 2 ? fmaf(step, k, 0.1f) : fmaf(-step, steps - k, 1.0f);
}

static __device__ __forceinline__ float power_of_ten(int i) {
  return i == 0 ? 1e-6f : i == 1 ? 1e-5f : i == 2 ? 1e-4f : i == 3 ? 1e-3f : i == 4 ? 1e-2f : i == 5 ? 1e-1f : 1.0f;
}

// The i-th value above 0 of a map whose least exponent has so many steps, each further one twice as many.
static __device__ float positive(int i, int least_steps) {
  int exponent = 0;
  int steps = least_steps;
  while (i >= steps) {
    i -= steps;
    steps *= 2;
    exponent++;
  }
  return __fmul_rn(__fadd_rn(point(i, steps), point(i + 1, steps)) / 2, power_of_ten(exponent));
}

// The value of a code of the signed dynamic map: 127 is 0, 255 is 1.
static __device__ float signed_value(int code) {
  return code == 255 ? 1.0f : code == 127 ? 0.0f : code > 127 ? positive(code - 128, 1) : -positive(126 - code, 1);
}

// The value of a code of the unsigned one: 0 is 0, 255 is 1.
static __device__ float unsigned_value(int code) {
  return code == 255 ? 1.0f : code == 0 ? 0.0f : positive(code - 1, 2);
}

// The number of halfway points between neighbouring values that lie below x.
static __device__ int nearest(const float *map, float x) {
  int code = 0;
  for (int step = 128; step > 0; step /= 2) {
    int below = code + step - 1;
    if (x > __fadd_rn(map[below], map[below + 1]) / 2) {
      code += step;
    }
  }
  return code;
}

// The code of a moment in a block whose absmax is the largest of all.
static __device__ __forceinline__ int quantize(const float *map, float x, float absmax) {
  return nearest(map, absmax > 0 ? __fdiv_rn(x, absmax) : 0.0f);
}

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
