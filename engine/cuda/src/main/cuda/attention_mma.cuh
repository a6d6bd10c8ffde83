// Attention on tensor cores: queries, keys, values and probabilities rounded to bf16, sums and exponentials in float. A block
// has four warps with 16 rows each, whose operands and sums stay in registers; the other side comes by in tiles of 32 rows.
#pragma once

#include "attention.cuh"
#include "mma.cuh"

constexpr int OWN_ROWS = 64;    // of a block
constexpr int OTHER_ROWS = 32;  // of a tile that comes by

// A tile of the other side as it stands in memory, and in bf16.
template <int DIM, class T>
struct __align__(16) AttentionMmaRoom {
  T rows[OTHER_ROWS * DIM];
  Bf16 rounded[OTHER_ROWS * padded(DIM)];

  // Begins to copy rows first … of a head; rows from end on, and columns beyond the head, are 0.
  __device__ __forceinline__ void load(const T *x, int width, int head_dim, int first, int end) {
    copy_tile<OTHER_ROWS, DIM>(rows, x + static_cast<long long>(first) * width, width, end - first, head_dim);
  }

  __device__ __forceinline__ void round() { round_tile<OTHER_ROWS, DIM>(rows, rounded); }
};

// The first row of this lane in the tile of its block; its second is 8 further.
static __device__ __forceinline__ int own_row() { return threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4; }

// The column of an element of the scores, or of a result, that this lane has: element part of the tile of 8 columns.
static __device__ __forceinline__ int own_column(int tile, int part) {
  return tile * 8 + threadIdx.x % 4 * 2 + part % 2;
}

// Two neighbours in bf16.
static __device__ __forceinline__ unsigned load_pair(const float *x) { return bf16_pair(x[0], x[1]); }
static __device__ __forceinline__ unsigned load_pair(const Bf16 *x) { return x[0].bits | static_cast<unsigned>(x[1].bits) << 16; }

// The 16 rows of a warp, as fragments. Rows from end on, and columns beyond the head, are 0.
template <int DIM>
struct OwnRows {
  unsigned fragments[DIM / 16][4];

  template <class T>
  __device__ __forceinline__ void load(const T *x, int width, int head_dim, int first, int end) {
#pragma unroll
    for (int i = 0; i < DIM / 16; i++) {
#pragma unroll
      for (int part = 0; part < 4; part++) {
        int row = first + own_row() + part % 2 * 8;
        int column = own_column(i * 2 + part / 2, 0);
        const T *pair = x + static_cast<long long>(row) * width + column;
        fragments[i][part] = row < end && column < head_dim ? load_pair(pair) : 0;
      }
    }
  }

  // Products of these rows with those of a tile.
  template <class T>
  __device__ __forceinline__ void multiply(const AttentionMmaRoom<DIM, T> &room, float (&products)[4][4]) const {
#pragma unroll
    for (int j = 0; j < 4; j++) {
#pragma unroll
      for (int part = 0; part < 4; part++) {
        products[j][part] = 0;
      }
    }
#pragma unroll
    for (int i = 0; i < DIM / 16; i++) {
#pragma unroll
      for (int j = 0; j < 4; j += 2) {
        unsigned right[4];
        load_fragment<false>(right, room.rounded, padded(DIM), j * 8, i * 16);
        multiply_add(products[j], products[j + 1], fragments[i], right);
      }
    }
  }
};

// sums += weights · tile: the rows of a tile weighted, the weights rounded to bf16.
template <int DIM, class T>
static __device__ __forceinline__ void add_weighted(const AttentionMmaRoom<DIM, T> &room, const float (&weights)[4][4],
                                                    float (&sums)[DIM / 8][4]) {
#pragma unroll
  for (int i = 0; i < OTHER_ROWS / 16; i++) {
    unsigned left[4] = {bf16_pair(weights[2 * i][0], weights[2 * i][1]), bf16_pair(weights[2 * i][2], weights[2 * i][3]),
                        bf16_pair(weights[2 * i + 1][0], weights[2 * i + 1][1]),
                        bf16_pair(weights[2 * i + 1][2], weights[2 * i + 1][3])};
#pragma unroll
    for (int j = 0; j < DIM / 8; j += 2) {
      unsigned right[4];
      load_fragment<true>(right, room.rounded, padded(DIM), j * 8, i * 16);
      multiply_add(sums[j], sums[j + 1], left, right);
    }
  }
}

// Stores the rows of a warp. factors are those of its first row and of the second.
template <int DIM, class T>
static __device__ __forceinline__ void store_rows(const float (&sums)[DIM / 8][4], const float (&factors)[2], T *x,
                                                  int width, int head_dim, int first, int end) {
#pragma unroll
  for (int j = 0; j < DIM / 8; j++) {
#pragma unroll
    for (int part = 0; part < 4; part++) {
      int row = first + own_row() + part / 2 * 8;
      int column = own_column(j, part);
      if (row < end && column < head_dim) {
        store(x + static_cast<long long>(row) * width + column, sums[j][part] * factors[part / 2]);
      }
    }
  }
}

// Arguments and results as those of attention.
template <int DIM, class T>
static __device__ __forceinline__ void attention_mma(const T *q, const T *k, const T *v, const int *starts,
                                                     const int *lasts, int tokens, int keys, int heads, int kv_heads,
                                                     int head_dim, float factor, T *out, float *logsumexp,
                                                     AttentionMmaRoom<DIM, T> &room) {
  Heads<T> head = head_of(q, k, v, blockIdx.y, heads, kv_heads, head_dim);
  int first = blockIdx.x * OWN_ROWS;
  int end = min(first + OWN_ROWS, tokens);
  OwnRows<DIM> queries;
  queries.load(head.q, head.q_width, head_dim, first, end);
  float sums[DIM / 8][4] = {};
  float largest[2] = {-INFINITY, -INFINITY};
  float total[2] = {};  // of this lane's columns
  for (int from = first; from < end;) {
    Sequence sequence = sequence_at(from, end, starts, lasts, keys);
    int own_last[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      int token = first + own_row() + i * 8;
      own_last[i] = !sequence.has(token) ? -1 : lasts == nullptr ? token : lasts[token];
    }
    float scores[4][4];
    // Each tile takes two steps: keys, then values.
    auto load = [&](int step) {
      int key = sequence.start + step / 2 * OTHER_ROWS;
      room.load(step % 2 == 0 ? head.k : head.v, head.kv_width, head_dim, key, sequence.last + 1);
    };
    auto round = [&](int) { room.round(); };
    auto use = [&](int step) {
      if (step % 2 != 0) {
        add_weighted(room, scores, sums);
        return;
      }
      queries.multiply(room, scores);
      int key = sequence.start + step / 2 * OTHER_ROWS;
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float higher = largest[i];
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
          for (int part = 2 * i; part < 2 * i + 2; part++) {
            bool seen = key + own_column(j, part) <= own_last[i];
            scores[j][part] = seen ? factor * scores[j][part] : -INFINITY;
            higher = fmaxf(higher, scores[j][part]);
          }
        }
        higher = quad_max(higher);
        float rescale = higher == largest[i] ? 1.0f : expf(largest[i] - higher);
        largest[i] = higher;
        total[i] *= rescale;
#pragma unroll
        for (int j = 0; j < 4; j++) {
#pragma unroll
          for (int part = 2 * i; part < 2 * i + 2; part++) {
            scores[j][part] = scores[j][part] == -INFINITY ? 0.0f : expf(scores[j][part] - higher);
            total[i] += scores[j][part];
          }
        }
#pragma unroll
        for (int j = 0; j < DIM / 8; j++) {
          sums[j][2 * i] *= rescale;
          sums[j][2 * i + 1] *= rescale;
        }
      }
    };
    pipeline(2 * ((sequence.last - sequence.start) / OTHER_ROWS + 1), load, round, use);
    from = sequence.to;
  }
  float inverse[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    total[i] = quad_sum(total[i]);
    inverse[i] = 1.0f / total[i];
    int token = first + own_row() + i * 8;
    if (logsumexp != nullptr && token < end && threadIdx.x % 4 == 0) {
      logsumexp[static_cast<long long>(token) * heads + blockIdx.y] = largest[i] + logf(total[i]);
    }
  }
  store_rows<DIM>(sums, inverse, out + static_cast<long long>(blockIdx.y) * head_dim, head.q_width, head_dim, first, end);
}
