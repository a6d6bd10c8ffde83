// The two maps of 256 values that 8-bit codes stand for, and the nearest code, as DynamicMap.java has them.
#pragma once

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

// The code of a number in a block whose absmax is the largest of all.
static __device__ __forceinline__ int quantize(const float *map, float x, float absmax) {
  return nearest(map, absmax > 0 ? __fdiv_rn(x, absmax) : 0.0f);
}
