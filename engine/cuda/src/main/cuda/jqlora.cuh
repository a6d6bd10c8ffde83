// What all kernels build on. They are C++ that nvcc compiles for a GPU and, for the tests, a host compiler for the processor;
// what the two say differently stands here and in the tests' own header.
#pragma once

#ifdef __CUDACC__

#include <cuda_fp16.h>

// A kernel of blocks of so many threads, of which a multiprocessor has room for two.
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 2)

static __device__ __forceinline__ float half_to_float(unsigned short bits) { return __half2float(__ushort_as_half(bits)); }

static __device__ __forceinline__ unsigned short float_to_half(float x) { return __half_as_ushort(__float2half_rn(x)); }

// Rounded to nearest even.
static __device__ __forceinline__ unsigned short float_to_bf16(float x) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

// Two of them, the first in the low half.
static __device__ __forceinline__ unsigned bf16_pair(float low, float high) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

// The sum, or the largest, of what the lanes of a warp bring: each lane adds that of the lane 16, 8, 4, 2 and 1 away.
static __device__ __forceinline__ float warp_sum(float value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, lanes);
  }
  return value;
}

static __device__ __forceinline__ float warp_max(float value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, lanes));
  }
  return value;
}

// The same over the four lanes of each quad.
static __device__ __forceinline__ float quad_sum(float value) {
  value += __shfl_xor_sync(0xffffffffu, value, 2);
  return value + __shfl_xor_sync(0xffffffffu, value, 1);
}

static __device__ __forceinline__ float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 2));
  return fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 1));
}

// d += a · b, fragments of a [16, 16], b [16, 8] in bf16 and d [16, 8] in float over a warp.
static __device__ __forceinline__ void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four matrices of 8 x 8 16-bit elements from shared memory. Lane l says where row l % 8 of matrix l / 8 begins, at 16 bytes,
// and gets of each matrix two neighbours from 2 · (l % 4) on: of row l / 4 or, TRANSPOSED, of column l / 4.
template <bool TRANSPOSED>
static __device__ __forceinline__ void load_matrices(unsigned (&d)[4], const void *row) {
  unsigned at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  if (TRANSPOSED) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(at)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(at)
                 : "memory");
  }
}

// Sixteen bytes from global to shared memory, both aligned to 16, that arrive when they are waited for. Only so many of them
// are read, the rest is 0.
static __device__ __forceinline__ void cp_async_16(void *shared, const void *global, int bytes = 16) {
  unsigned at = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(global), "r"(bytes) : "memory");
}

static __device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most PENDING of the groups committed so far are under way.
template <int PENDING>
static __device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

#else
#include "cuda_on_cpu.h"
#endif

// Element types of a tensor, as Operands.java numbers them.
enum ElementType { TYPE_F32 = 0, TYPE_BF16 = 1, TYPE_F16 = 2, TYPE_I32 = 3, TYPE_U8 = 4 };

// What stands for a 16-bit element, so that templates tell the two apart.
struct Bf16 {
  unsigned short bits;
};
struct F16 {
  unsigned short bits;
};

static __device__ __forceinline__ float to_float(float x) { return x; }
static __device__ __forceinline__ float to_float(Bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
static __device__ __forceinline__ float to_float(F16 x) { return half_to_float(x.bits); }

// Stores an element as its type has it, rounded to nearest even.
static __device__ __forceinline__ void store(float *to, float x) { *to = x; }
static __device__ __forceinline__ void store(Bf16 *to, float x) { to->bits = float_to_bf16(x); }

// The number of this thread in the grid, and of all threads.
static __device__ __forceinline__ long long first_index() {
  return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}
static __device__ __forceinline__ long long all_threads() { return static_cast<long long>(gridDim.x) * blockDim.x; }

// The sum over the threads of a block of whole warps: always in the same order. room has one place a warp and is free again
// when the sum is there.
static __device__ __forceinline__ float block_sum(float value, float *room) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) {
    room[threadIdx.x / 32] = value;
  }
  __syncthreads();
  float sum = room[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; warp++) {
    sum += room[warp];
  }
  __syncthreads();
  return sum;
}

static __device__ __forceinline__ float block_max(float value, float *room) {
  value = warp_max(value);
  if (threadIdx.x % 32 == 0) {
    room[threadIdx.x / 32] = value;
  }
  __syncthreads();
  float largest = room[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; warp++) {
    largest = fmaxf(largest, room[warp]);
  }
  __syncthreads();
  return largest;
}
