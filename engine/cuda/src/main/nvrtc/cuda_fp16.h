// What the kernels use of CUDA's header of this name, for NVRTC, to which a program must bring its own headers.
#pragma once

struct __half {
  unsigned short bits;
};

static __device__ __forceinline__ __half __ushort_as_half(unsigned short bits) { return {bits}; }

static __device__ __forceinline__ unsigned short __half_as_ushort(__half x) { return x.bits; }

static __device__ __forceinline__ float __half2float(__half x) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
  return value;
}

static __device__ __forceinline__ __half __float2half_rn(float value) {
  __half x;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(x.bits) : "f"(value));
  return x;
}
