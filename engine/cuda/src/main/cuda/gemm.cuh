// c = base + alpha · a · b in float, tile by tile. What a and b are, and how they lie in memory, is told by small types with
// at(row, column): so the same product serves matrices of floats, of 16-bit elements and of 4-bit codes. An element of c is
// summed along the inner axis in order, whatever the tile: it does not depend on the other rows.
#pragma once

#include "jqlora.cuh"

// A matrix of T whose element (row, column) lies at row · row_step + column · column_step.
template <class T>
struct Matrix {
  const T *data;
  long long row_step;
  long long column_step;

  __device__ __forceinline__ float at(int row, int column) const {
    return to_float(data[row * row_step + column * column_step]);
  }

  // Whether neighbours along a row are neighbours in memory.
  __device__ __forceinline__ bool along_rows() const { return column_step == 1; }
};

// The matrix whose rows are another's columns.
template <class M>
struct Transposed {
  M matrix;

  __device__ __forceinline__ float at(int row, int column) const { return matrix.at(column, row); }
  __device__ __forceinline__ bool along_rows() const { return !matrix.along_rows(); }
};

template <class M>
static __device__ __forceinline__ Transposed<M> transposed(M matrix) {
  return {matrix};
}

constexpr int GEMM_TILE = 64;   // rows and columns of c that a block computes
constexpr int GEMM_INNER = 16;  // of the inner axis at a time
constexpr int GEMM_THREADS = 256;

// Room in shared memory for a tile of a and one of b. A row is one longer, so that writing a column meets all banks.
struct GemmRoom {
  float a[GEMM_INNER][GEMM_TILE + 1];
  float b[GEMM_INNER][GEMM_TILE + 1];
};

// Loads the tile whose corner is (first, inner) of a matrix [count, depth]; what is beyond its edge is 0.
template <class M>
static __device__ __forceinline__ void load_tile(const M &matrix, int first, int count, int inner, int depth,
                                                 float (*tile)[GEMM_TILE + 1]) {
  for (int i = threadIdx.x; i < GEMM_TILE * GEMM_INNER; i += GEMM_THREADS) {
    int row = matrix.along_rows() ? i / GEMM_INNER : i % GEMM_TILE;
    int column = matrix.along_rows() ? i % GEMM_INNER : i / GEMM_TILE;
    bool inside = first + row < count && inner + column < depth;
    tile[column][row] = inside ? matrix.at(first + row, inner + column) : 0.0f;
  }
}

// Adds to the sums of this block's tile of c what a [m, k] and b [n, k] (the weight of a linear layer) give.
template <class A, class B>
static __device__ __forceinline__ void gemm_add(const A &a, const B &b, int m, int n, int k, float (&sums)[4][4],
                                                GemmRoom &room) {
  int first_row = blockIdx.y * GEMM_TILE;
  int first_column = blockIdx.x * GEMM_TILE;
  int thread_row = threadIdx.x / 16;
  int thread_column = threadIdx.x % 16;
  for (int inner = 0; inner < k; inner += GEMM_INNER) {
    load_tile(a, first_row, m, inner, k, room.a);
    load_tile(b, first_column, n, inner, k, room.b);
    __syncthreads();
#pragma unroll
    for (int l = 0; l < GEMM_INNER; l++) {
      float left[4];
      float right[4];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        left[i] = room.a[l][thread_row + 16 * i];
        right[i] = room.b[l][thread_column + 16 * i];
      }
#pragma unroll
      for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
          sums[i][j] += left[i] * right[j];
        }
      }
    }
    __syncthreads();
  }
}

// The tile of c [m, n] row by row. base is null, or like c and may be c itself.
static __device__ __forceinline__ void gemm_store(const float (&sums)[4][4], int m, int n, float alpha, const float *base,
                                                  float *c) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
      int row = blockIdx.y * GEMM_TILE + threadIdx.x / 16 + 16 * i;
      int column = blockIdx.x * GEMM_TILE + threadIdx.x % 16 + 16 * j;
      if (row < m && column < n) {
        long long at = static_cast<long long>(row) * n + column;
        c[at] = base == nullptr ? alpha * sums[i][j] : base[at] + alpha * sums[i][j];
      }
    }
  }
}

template <class A, class B>
static __device__ void gemm(const A &a, const B &b, int m, int n, int k, float alpha, const float *base, float *c,
                            GemmRoom &room) {
  float sums[4][4] = {};
  gemm_add(a, b, m, n, k, sums, room);
  gemm_store(sums, m, n, alpha, base, c);
}

// c = x · bᵀ for one row x: a warp an element of c.
template <class B>
static __device__ void gemv(const float *x, const B &b, int n, int k, float *c) {
  int column = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  if (column >= n) {
    return;
  }
  float sum = 0;
  for (int i = threadIdx.x % 32; i < k; i += 32) {
    sum += x[i] * b.at(column, i);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) {
    c[column] = sum;
  }
}
