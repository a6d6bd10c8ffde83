// Weights of 4-bit codes, decoded where they are used.
#pragma once

#include "jqlora.cuh"

// The values that codes stand for: the 16 of NF4 in bitsandbytes.
static __device__ const float NF4_VALUES[16] = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f};

// A weight [out, in]: two codes a byte, the first in the high half; blocks of 1 << shift codes run over the flat matrix. The
// scale of a block is absmax[block] or, where absmax is null, map[absmax_codes[block]] · nested[block / 256] + offset.
struct Nf4Weight {
  const unsigned char *codes;
  const float *absmax;
  const unsigned char *absmax_codes;
  const float *map;
  const float *nested;
  const float *offset;
  int width;
  int shift;

  __device__ __forceinline__ float scale(long long block) const {
    return absmax != nullptr ? absmax[block]
                             : __fadd_rn(__fmul_rn(map[absmax_codes[block]], nested[block / 256]), *offset);
  }

  __device__ __forceinline__ float at(int row, int column) const {
    long long i = static_cast<long long>(row) * width + column;
    int pair = codes[i / 2];
    return __fmul_rn(NF4_VALUES[i % 2 == 0 ? pair / 16 : pair % 16], scale(i >> shift));
  }

  __device__ __forceinline__ bool along_rows() const { return true; }
};
