// What kernels on tensor cores share. They take their operands tile by tile: a tile is copied to shared memory as it stands
// in global memory, rounded to bf16 into a second place, and multiplied from there while the next one is on its way.
#pragma once

#include "jqlora.cuh"

// Runs use(step) for each step. load(step) begins to copy a step's operands to the first place, round(step) brings them from
// there to the second, from which use reads.
template <class Load, class Round, class Use>
static __device__ __forceinline__ void pipeline(int steps, Load load, Round round, Use use) {
  load(0);
  cp_async_commit();
  for (int step = 0; step < steps; step++) {
    cp_async_wait<0>();
    __syncthreads();
    round(step);
    __syncthreads();
    if (step + 1 < steps) {
      load(step + 1);
      cp_async_commit();
    }
    use(step);
  }
}

// Sixteen bytes of elements, and what they are in bf16.
template <class T>
struct __align__(16) Piece {
  static constexpr int COUNT = 16 / sizeof(T);
  T elements[COUNT];
};

template <class T>
struct __align__(32 / sizeof(T)) RoundedPiece {
  unsigned pairs[8 / sizeof(T)];
};

// How long a line of so many elements is in bf16: eight longer, so that the eight rows of a matrix that load_matrices takes
// lie in different banks.
static constexpr __host__ __device__ int padded(int length) { return length + 8; }

// Begins to copy LINES lines of LENGTH elements, which in global memory are step apart. Of that corner only so many lines, and
// of each so many elements, are there; the rest is 0. Lines begin and end at multiples of 16 bytes.
template <int LINES, int LENGTH, class T>
static __device__ __forceinline__ void copy_tile(T *tile, const T *from, long long step, int lines, int length) {
  constexpr int COUNT = Piece<T>::COUNT;
  for (int i = threadIdx.x; i < LINES * LENGTH / COUNT; i += blockDim.x) {
    int line = i / (LENGTH / COUNT);
    int at = i % (LENGTH / COUNT) * COUNT;
    bool inside = line < lines && at < length;
    cp_async_16(tile + line * LENGTH + at, inside ? from + line * step + at : from, inside ? 16 : 0);
  }
}

// The tile in bf16, with padded lines.
template <int LINES, int LENGTH, class T>
static __device__ __forceinline__ void round_tile(const T *tile, Bf16 *rounded) {
  constexpr int COUNT = Piece<T>::COUNT;
  for (int i = threadIdx.x; i < LINES * LENGTH / COUNT; i += blockDim.x) {
    Piece<T> piece = reinterpret_cast<const Piece<T> *>(tile)[i];
    RoundedPiece<T> pairs;
#pragma unroll
    for (int j = 0; j < COUNT / 2; j++) {
      pairs.pairs[j] = bf16_pair(to_float(piece.elements[2 * j]), to_float(piece.elements[2 * j + 1]));
    }
    int at = i / (LENGTH / COUNT) * padded(LENGTH) + i % (LENGTH / COUNT) * COUNT;
    *reinterpret_cast<RoundedPiece<T> *>(rounded + at) = pairs;
  }
}

// The fragment of rows row … row + 15 and columns k … k + 15 of the inner axis, of a tile with lines of so many elements. The
// lines are the tile's rows or, ACROSS, its columns. It is an a of mma_bf16, or two b: of rows 0 … 7 and of 8 … 15.
template <bool ACROSS>
static __device__ __forceinline__ void load_fragment(unsigned (&fragment)[4], const Bf16 *tile, int line, int row, int k) {
  int lane = threadIdx.x % 32;
  if (ACROSS) {
    load_matrices<true>(fragment, tile + (k + lane / 16 * 8 + lane % 8) * line + row + lane / 8 % 2 * 8);
  } else {
    load_matrices<false>(fragment, tile + (row + lane % 16) * line + k + lane / 16 * 8);
  }
}

// Two results of 8 columns side by side, with the two b that a fragment is.
static __device__ __forceinline__ void multiply_add(float (&left)[4], float (&right)[4], const unsigned (&a)[4],
                                                    const unsigned (&b)[4]) {
  unsigned low[2] = {b[0], b[2]};
  unsigned high[2] = {b[1], b[3]};
  mma_bf16(left, a, low);
  mma_bf16(right, a, high);
}
