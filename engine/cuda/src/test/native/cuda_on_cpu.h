// What kernels see of CUDA when they are compiled for the processor: the words of the language, and the operations that
// threads of a block do together. A block's threads are fibers, see block.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "block.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__ static __attribute__((section("kernel_shared")))
#define __constant__ static const

// Kernels of all files stand in one translation unit, so they have no names outside it.
#define KERNEL(threads) static __attribute__((noinline)) void

#define threadIdx (cpu::thread().index)
#define blockIdx (cpu::current_block().index)
#define blockDim (cpu::current_block().size)
#define gridDim (cpu::current_block().grid)

#define __syncthreads() cpu::barrier(__FILE__, __LINE__)
#define __syncwarp() cpu::exchange(nullptr, 0, __FILE__, __LINE__)
#define warp_sum(value) cpu::butterfly<32>(value, [](float a, float b) { return a + b; }, __FILE__, __LINE__)
#define warp_max(value) cpu::butterfly<32>(value, [](float a, float b) { return fmaxf(a, b); }, __FILE__, __LINE__)
#define quad_sum(value) cpu::butterfly<4>(value, [](float a, float b) { return a + b; }, __FILE__, __LINE__)
#define quad_max(value) cpu::butterfly<4>(value, [](float a, float b) { return fmaxf(a, b); }, __FILE__, __LINE__)
#define mma_bf16(d, a, b) cpu::mma_bf16_at(d, a, b, __FILE__, __LINE__)

static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }

static inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, 4);
  return bits;
}

static inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

static inline float half_to_float(unsigned short bits) {
  _Float16 half;
  memcpy(&half, &bits, 2);
  return (float)half;
}

static inline unsigned short float_to_half(float x) {
  _Float16 half = (_Float16)x;
  unsigned short bits;
  memcpy(&bits, &half, 2);
  return bits;
}

// Rounded to nearest even; NaN stays NaN.
static inline unsigned short float_to_bf16(float x) {
  unsigned bits = __float_as_uint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<unsigned short>(bits >> 16 | 0x40);
  }
  return static_cast<unsigned short>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline unsigned bf16_pair(float low, float high) {
  return static_cast<unsigned>(float_to_bf16(low)) | static_cast<unsigned>(float_to_bf16(high)) << 16;
}

namespace cpu {

// What each of LANES neighbours has after it took in, with an operation, the lane LANES / 2, …, 2 and 1 away.
template <int LANES, class Operation>
static inline float butterfly(float value, Operation operation, const char *file, int line) {
  const unsigned char(*lanes)[EXCHANGE] = exchange(&value, sizeof value, file, line);
  float values[LANES];
  for (int i = 0; i < LANES; i++) {
    memcpy(&values[i], lanes[lane() / LANES * LANES + i], sizeof(float));
  }
  for (int distance = LANES / 2; distance > 0; distance /= 2) {
    for (int i = 0; i < distance; i++) {
      values[i] = operation(values[i], values[i + distance]);
    }
  }
  return values[0];
}

static inline float bf16_at(unsigned pair, int half) { return __uint_as_float(half ? pair & 0xffff0000u : pair << 16); }

// d += a · b for a [16, 16], b [16, 8] in bf16 and d in float, spread over a warp as the PTX manual draws it for
// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32. All of it are registers, so no access is checked.
__attribute__((no_sanitize("thread"))) static void mma_bf16_at(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char *file,
                               int line) {
  struct Fragments {
    unsigned a[4], b[2];
  } mine;
  memcpy(mine.a, a, sizeof mine.a);
  memcpy(mine.b, b, sizeof mine.b);
  const unsigned char(*lanes)[EXCHANGE] = exchange(&mine, sizeof mine, file, line);
  int group = lane() / 4, place = lane() % 4;
  float rows[2][16], columns[2][16];  // group and group + 8 of a, 2 · place and the next of b
  for (int k = 0; k < 16; k++) {
    for (int i = 0; i < 2; i++) {
      Fragments of_row, of_column;
      memcpy(&of_row, lanes[group * 4 + k % 8 / 2], sizeof of_row);
      memcpy(&of_column, lanes[(place * 2 + i) * 4 + k % 8 / 2], sizeof of_column);
      rows[i][k] = bf16_at(of_row.a[k / 8 * 2 + i], k % 2);
      columns[i][k] = bf16_at(of_column.b[k / 8], k % 2);
    }
  }
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 16; k++) {
      d[i] += rows[i / 2][k] * columns[i % 2][k];
    }
  }
}

// ldmatrix.sync.aligned.m8n8.x4.b16, with .trans or without.
template <bool TRANSPOSED>
static inline void load_matrices_at(unsigned (&d)[4], const void *row, const char *file, int line) {
  unsigned short mine[8];
  memcpy(mine, row, sizeof mine);
  const unsigned char(*lanes)[EXCHANGE] = exchange(mine, sizeof mine, file, line);
  int group = lane() / 4, place = lane() % 4 * 2;
  for (int matrix = 0; matrix < 4; matrix++) {
    unsigned short pair[2];
    for (int i = 0; i < 2; i++) {
      int from = TRANSPOSED ? place + i : group, at = TRANSPOSED ? group : place + i;
      memcpy(&pair[i], lanes[matrix * 8 + from] + at * 2, 2);
    }
    d[matrix] = pair[0] | static_cast<unsigned>(pair[1]) << 16;
  }
}

}  // namespace cpu

template <bool TRANSPOSED>
static inline void load_matrices(unsigned (&d)[4], const void *row) {
  cpu::load_matrices_at<TRANSPOSED>(d, row, __FILE__, __LINE__);
}

// Sixteen bytes from global to shared memory that arrive when they are waited for, and not before.
static inline void cp_async_16(void *shared, const void *global, int bytes = 16) {
  cpu::copy_later(shared, global, 16, bytes);
}
static inline void cp_async_commit() { cpu::copies_commit(); }

template <int PENDING>
static inline void cp_async_wait() { cpu::copies_wait(PENDING); }
