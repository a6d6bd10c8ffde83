// c = base + alpha · a · bᵀ on tensor cores: factors rounded to bf16, sums in float. A row of c does not depend on the others.
#pragma once

#include "mma.cuh"
#include "nf4.cuh"

constexpr int MMA_ROWS = 64;      // of c that a block makes
constexpr int MMA_COLUMNS = 128;  // of c that a block makes
constexpr int MMA_INNER = 32;     // of the inner axis at a time
constexpr int MMA_THREADS = 256;  // eight warps: 2 x 4 parts of 32 x 32

// Room in bf16 for EXTENT rows of an operand, whichever way its lines run.
template <int EXTENT>
static constexpr int ROUNDED = EXTENT * padded(MMA_INNER);

// An operand [rows, depth] whose lines in memory are its rows or, where across is set, its columns.
template <class T, int EXTENT>
struct MmaMatrix {
  using Element = T;
  static constexpr int PLACE = EXTENT * MMA_INNER;  // elements of a step

  const T *data;
  int rows;
  int depth;
  bool across;

  __device__ __forceinline__ void load(T *place, int first, int inner) {
    if (across) {
      copy_tile<MMA_INNER, EXTENT>(place, data + static_cast<long long>(inner) * rows + first, rows, depth - inner,
                                   rows - first);
    } else {
      copy_tile<EXTENT, MMA_INNER>(place, data + static_cast<long long>(first) * depth + inner, depth, rows - first,
                                   depth - inner);
    }
  }

  __device__ __forceinline__ void round(const T *place, Bf16 *tile) const {
    if (across) {
      round_tile<MMA_INNER, EXTENT>(place, tile);
    } else {
      round_tile<EXTENT, MMA_INNER>(place, tile);
    }
  }

  __device__ __forceinline__ void fragment(unsigned (&to)[4], const Bf16 *tile, int row, int k) const {
    if (across) {
      load_fragment<true>(to, tile, padded(EXTENT), row, k);
    } else {
      load_fragment<false>(to, tile, padded(MMA_INNER), row, k);
    }
  }
};

// An NF4 weight [out, width] as an operand: its rows or, ACROSS, its columns are the operand's. Each thread decodes 16
// neighbouring codes, which share a scale; it fetches the scale when the codes are sent for. Lines and blocks of codes are
// multiples of 32.
template <bool ACROSS>
struct MmaNf4 {
  using Element = unsigned char;
  static constexpr int PLACE = MMA_COLUMNS * MMA_INNER / 2;
  static constexpr int LINES = ACROSS ? MMA_INNER : MMA_COLUMNS;
  static constexpr int LENGTH = ACROSS ? MMA_COLUMNS : MMA_INNER;
  static constexpr int RUN = 16;
  static_assert(LINES * LENGTH == RUN * MMA_THREADS, "each thread decodes one run");

  Nf4Weight weight;
  int out;
  const float *values;  // NF4_VALUES in shared memory, where 16 lanes may look up 16 of them at once
  float scale;

  __device__ __forceinline__ void load(unsigned char *place, int first, int inner) {
    int line = ACROSS ? inner : first;
    int at = ACROSS ? first : inner;
    long long corner = static_cast<long long>(line) * weight.width + at;
    copy_tile<LINES, LENGTH / 2>(place, weight.codes + corner / 2, weight.width / 2, out - line, (weight.width - at) / 2);
    int own_line = threadIdx.x / (LENGTH / RUN);
    int own_at = threadIdx.x % (LENGTH / RUN) * RUN;
    bool inside = line + own_line < out && at + own_at < weight.width;
    long long own = corner + static_cast<long long>(own_line) * weight.width + own_at;
    scale = inside ? weight.scale(own >> weight.shift) : 0.0f;
  }

  __device__ __forceinline__ void round(const unsigned char *place, Bf16 *tile) const {
    struct __align__(RUN / 2) Run {
      unsigned char pairs[RUN / 2];
    };
    Run run = reinterpret_cast<const Run *>(place)[threadIdx.x];
    int at = threadIdx.x / (LENGTH / RUN) * padded(LENGTH) + threadIdx.x % (LENGTH / RUN) * RUN;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      RoundedPiece<Bf16> piece;
#pragma unroll
      for (int i = 0; i < 4; i++) {
        int pair = run.pairs[half * 4 + i];
        piece.pairs[i] = bf16_pair(__fmul_rn(values[pair / 16], scale), __fmul_rn(values[pair % 16], scale));
      }
      *reinterpret_cast<RoundedPiece<Bf16> *>(tile + at + half * 8) = piece;
    }
  }

  __device__ __forceinline__ void fragment(unsigned (&to)[4], const Bf16 *tile, int row, int k) const {
    load_fragment<ACROSS>(to, tile, padded(LENGTH), row, k);
  }
};

// A step's operands as they stand in memory, and in bf16.
template <class A, class B>
struct __align__(16) MmaRoom {
  typename A::Element a[A::PLACE];
  typename B::Element b[B::PLACE];
  Bf16 a_rounded[ROUNDED<MMA_ROWS>];
  Bf16 b_rounded[ROUNDED<MMA_COLUMNS>];
};

// Adds to the sums of this block's tile of c what a [m, k] and b [n, k] (the weight of a linear layer) give. Blocks: x tiles of
// columns, y of rows. The room is free again when all threads have come out.
template <class A, class B>
static __device__ __forceinline__ void mma_add(A a, B b, int k, float (&sums)[2][4][4], MmaRoom<A, B> &room) {
  int first_row = blockIdx.y * MMA_ROWS;
  int first_column = blockIdx.x * MMA_COLUMNS;
  int warp = threadIdx.x / 32;
  int warp_row = warp / 4 * 32;
  int warp_column = warp % 4 * 32;
  auto load = [&](int step) {
    a.load(room.a, first_row, step * MMA_INNER);
    b.load(room.b, first_column, step * MMA_INNER);
  };
  auto round = [&](int) {
    a.round(room.a, room.a_rounded);
    b.round(room.b, room.b_rounded);
  };
  auto use = [&](int) {
#pragma unroll
    for (int inner = 0; inner < MMA_INNER; inner += 16) {
      unsigned left[2][4];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        a.fragment(left[i], room.a_rounded, warp_row + i * 16, inner);
      }
#pragma unroll
      for (int j = 0; j < 4; j += 2) {
        unsigned right[4];
        b.fragment(right, room.b_rounded, warp_column + j * 8, inner);
#pragma unroll
        for (int i = 0; i < 2; i++) {
          multiply_add(sums[i][j], sums[i][j + 1], left[i], right);
        }
      }
    }
  };
  pipeline((k + MMA_INNER - 1) / MMA_INNER, load, round, use);
}

// The tile of c [m, n] row by row. base is null, or like c and may be c itself.
template <class C>
static __device__ __forceinline__ void mma_store(const float (&sums)[2][4][4], int m, int n, float alpha, const C *base,
                                                 C *c) {
  int warp = threadIdx.x / 32;
  int first_row = blockIdx.y * MMA_ROWS + warp / 4 * 32;
  int first_column = blockIdx.x * MMA_COLUMNS + warp % 4 * 32;
  int group = threadIdx.x % 32 / 4;
  int place = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < 2; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
#pragma unroll
      for (int part = 0; part < 4; part++) {
        int row = first_row + i * 16 + group + part / 2 * 8;
        int column = first_column + j * 8 + place * 2 + part % 2;
        if (row < m && column < n) {
          long long at = static_cast<long long>(row) * n + column;
          float product = alpha * sums[i][j][part];
          store(c + at, base == nullptr ? product : to_float(base[at]) + product);
        }
      }
    }
  }
}

template <class A, class B, class C>
static __device__ __forceinline__ void gemm_mma(A a, B b, int m, int n, int k, float alpha, const C *base, C *c,
                                                MmaRoom<A, B> &room) {
  float sums[2][4][4] = {};
  mma_add(a, b, k, sums, room);
  mma_store(sums, m, n, alpha, base, c);
}

// The same with an NF4 weight [out, in]: c = x · wᵀ or, ACROSS, c = x · w.
template <bool ACROSS, class T>
using MmaNf4Room = MmaRoom<MmaMatrix<T, MMA_ROWS>, MmaNf4<ACROSS>>;

template <bool ACROSS, class T>
static __device__ __forceinline__ void nf4_mma_add(const T *x, const Nf4Weight &weight, int rows, int out,
                                                   float (&sums)[2][4][4], float *values, MmaNf4Room<ACROSS, T> &room) {
  if (threadIdx.x < 16) {
    values[threadIdx.x] = NF4_VALUES[threadIdx.x];
  }
  int depth = ACROSS ? out : weight.width;
  mma_add(MmaMatrix<T, MMA_ROWS>{x, rows, depth, false}, MmaNf4<ACROSS>{weight, out, values, 0.0f}, depth, sums, room);
}

template <bool ACROSS, class T>
static __device__ __forceinline__ void gemm_nf4_mma(const T *x, const Nf4Weight &weight, int rows, int out, T *c,
                                                    float *values, MmaNf4Room<ACROSS, T> &room) {
  float sums[2][4][4] = {};
  nf4_mma_add(x, weight, rows, out, sums, values, room);
  mma_store<T>(sums, rows, ACROSS ? weight.width : out, 1.0f, nullptr, c);
}

// Room for one product with an NF4 weight and, after it, for the product that an adapter adds to its sums.
template <bool ACROSS, class T>
union MmaNf4LoraRoom {
  MmaNf4Room<ACROSS, T> weight;
  MmaRoom<MmaMatrix<float, MMA_ROWS>, MmaMatrix<float, MMA_COLUMNS>> adapter;
};

// c = base + x · wᵀ + u · bᵀ with u [rows, rank] and b [out, rank] or, ACROSS, c = base + x · w + u · b with b [rank, in].
// base is null, or like c and may be c itself.
template <bool ACROSS, class T>
static __device__ __forceinline__ void gemm_nf4_lora_mma(const T *x, const Nf4Weight &weight, const float *u,
                                                         const float *b, int rows, int out, int rank, const T *base, T *c,
                                                         float *values, MmaNf4LoraRoom<ACROSS, T> &room) {
  int columns = ACROSS ? weight.width : out;
  float sums[2][4][4] = {};
  nf4_mma_add(x, weight, rows, out, sums, values, room.weight);
  __syncthreads();
  mma_add(MmaMatrix<float, MMA_ROWS>{u, rows, rank, false}, MmaMatrix<float, MMA_COLUMNS>{b, columns, rank, ACROSS}, rank,
          sums, room.adapter);
  mma_store(sums, rows, columns, 1.0f, base, c);
}
