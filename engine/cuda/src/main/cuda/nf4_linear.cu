#include "gemm.cuh"
#include "nf4.cuh"

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

constexpr int MMA_TILE = 64;   // rows of x and of w that a block works on
constexpr int MMA_INNER = 32;  // of the inner axis at a time

// A step's part of x as it stands in memory, and of the codes. A row of x is four longer, so that the lanes of a fragment meet
// different banks and each row still begins at 16 bytes.
struct __align__(16) MmaStage {
  float x[MMA_TILE][MMA_INNER + 4];
  unsigned char codes[MMA_TILE][MMA_INNER / 2];
};

static __device__ __forceinline__ unsigned bf16_pair(float low, float high) {
  return static_cast<unsigned>(float_to_bf16(low)) | static_cast<unsigned>(float_to_bf16(high)) << 16;
}

// Begins to load the step that starts at inner. Rows beyond the last are loads of the last, whose results nobody stores.
static __device__ __forceinline__ void load_stage(MmaStage &stage, const float *x, const Nf4Weight &weight, int first_row,
                                                  int rows, int first_out, int out, int inner) {
  for (int i = threadIdx.x; i < MMA_TILE * MMA_INNER / 4; i += blockDim.x) {
    int row = i / (MMA_INNER / 4);
    int column = i % (MMA_INNER / 4) * 4;
    long long from = static_cast<long long>(min(first_row + row, rows - 1)) * weight.width + inner + column;
    cp_async_16(&stage.x[row][column], x + from);
  }
  if (threadIdx.x < MMA_TILE) {
    long long from = static_cast<long long>(min(first_out + static_cast<int>(threadIdx.x), out - 1)) * weight.width + inner;
    cp_async_16(stage.codes[threadIdx.x], weight.codes + from / 2);
  }
  cp_async_commit();
}

// y = x · wᵀ on tensor cores: x and the decoded weight are rounded to bf16, sums are float. A block of four warps makes a tile
// of 64 x 64, each warp a quarter; while it computes a step, the next one is on its way. in is a multiple of 32, so are the
// blocks of codes, and x and the codes begin at 16 bytes.
KERNEL(128) nf4_linear_bf16(const float *x, const unsigned char *codes, const float *absmax,
                            const unsigned char *absmax_codes, const float *map, const float *nested, const float *offset,
                            int shift, int rows, int out, int in, float *y) {
  __shared__ MmaStage stages[2];
  Nf4Weight weight = {codes, absmax, absmax_codes, map, nested, offset, in, shift};
  int first_row = blockIdx.y * MMA_TILE;
  int first_out = blockIdx.x * MMA_TILE;
  int warp = threadIdx.x / 32;
  int group = threadIdx.x % 32 / 4;
  int place = threadIdx.x % 4;
  int warp_row = warp / 2 * 32;
  int warp_out = warp % 2 * 32;
  float sums[2][4][4] = {};
  load_stage(stages[0], x, weight, first_row, rows, first_out, out, 0);
  for (int inner = 0; inner < in; inner += MMA_INNER) {
    const MmaStage &stage = stages[inner / MMA_INNER % 2];
    if (inner + MMA_INNER < in) {
      load_stage(stages[(inner / MMA_INNER + 1) % 2], x, weight, first_row, rows, first_out, out, inner + MMA_INNER);
      cp_async_wait<1>();
    } else {
      cp_async_wait<0>();
    }
    __syncthreads();
    float scales[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
      int row = min(first_out + warp_out + j * 8 + group, out - 1);
      scales[j] = weight.scale((static_cast<long long>(row) * in + inner) >> shift);
    }
#pragma unroll
    for (int k = 0; k < MMA_INNER; k += 16) {
      unsigned a[2][4];
#pragma unroll
      for (int i = 0; i < 2; i++) {
#pragma unroll
        for (int part = 0; part < 4; part++) {
          const float *pair = &stage.x[warp_row + i * 16 + group + part % 2 * 8][k + place * 2 + part / 2 * 8];
          a[i][part] = bf16_pair(pair[0], pair[1]);
        }
      }
#pragma unroll
      for (int j = 0; j < 4; j++) {
        unsigned b[2];
#pragma unroll
        for (int part = 0; part < 2; part++) {
          int pair = stage.codes[warp_out + j * 8 + group][(k + place * 2 + part * 8) / 2];
          b[part] = bf16_pair(__fmul_rn(NF4_VALUES[pair / 16], scales[j]), __fmul_rn(NF4_VALUES[pair % 16], scales[j]));
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
          mma_bf16(sums[i][j], a[i], b);
        }
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
#pragma unroll
      for (int part = 0; part < 4; part++) {
        int row = first_row + warp_row + i * 16 + group + part / 2 * 8;
        int column = first_out + warp_out + j * 8 + place * 2 + part % 2;
        if (row < rows && column < out) {
          y[static_cast<long long>(row) * out + column] = sums[i][j][part];
        }
      }
    }
  }
}
