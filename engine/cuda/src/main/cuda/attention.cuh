// Attention without a matrix of all scores (Dao et al. 2022, arXiv 2205.14135): a block goes through the keys tile by tile and
// keeps for each of its queries the largest score so far, the sum of exponentials and the weighted values. Tiles of keys are
// counted from where a sequence starts, so a token's result does not depend on what stands before its sequence.
#pragma once

#include "jqlora.cuh"

constexpr int ATTENTION_THREADS = 128;
constexpr int QUERIES = 16;                            // that a block works on
constexpr int PER_QUERY = ATTENTION_THREADS / QUERIES;  // threads that share one
constexpr int KEYS = 32;                               // of a tile in the forward pass

// Where q, k and v of one head lie: rows are tokens.
template <class T>
struct Heads {
  const T *q;
  const T *k;
  const T *v;
  int q_width;   // of a row of all query heads
  int kv_width;  // of a row of all key-value heads
  int head_dim;
};

template <class T>
static __device__ __forceinline__ Heads<T> head_of(const T *q, const T *k, const T *v, int head, int heads, int kv_heads,
                                                   int head_dim) {
  int kv = head / (heads / kv_heads);
  return {q + static_cast<long long>(head) * head_dim,
          k + static_cast<long long>(kv) * head_dim,
          v + static_cast<long long>(kv) * head_dim,
          heads * head_dim,
          kv_heads * head_dim,
          head_dim};
}

// Tokens of several sequences may stand in a tile of queries, and one after the other goes through its keys: the tokens from …
// to - 1, whose keys are start … last.
struct Sequence {
  int from;
  int to;
  int start;
  int last;

  __device__ __forceinline__ bool has(int token) const { return token >= from && token < to; }
};

// The sequence of token from, as far as it stands before end. A null starts means 0, a null lasts the token itself.
static __device__ __forceinline__ Sequence sequence_at(int from, int end, const int *starts, const int *lasts, int keys) {
  Sequence sequence = {from, from, starts == nullptr ? 0 : starts[from], 0};
  while (sequence.to < end && (starts == nullptr || starts[sequence.to] == sequence.start)) {
    sequence.last = max(sequence.last, lasts == nullptr ? sequence.to : lasts[sequence.to]);
    sequence.to++;
  }
  sequence.last = min(sequence.last, keys - 1);
  return sequence;
}

// Loads rows first … first + COUNT - 1 of a head; rows from end on, and columns beyond the head, are 0.
template <int COUNT, int DIM>
static __device__ __forceinline__ void load_rows(const float *x, int width, int head_dim, int first, int end,
                                                 float (*tile)[DIM + 1]) {
  for (int i = threadIdx.x; i < COUNT * DIM; i += ATTENTION_THREADS) {
    int row = i / DIM;
    int column = i % DIM;
    bool inside = first + row < end && column < head_dim;
    tile[row][column] = inside ? x[static_cast<long long>(first + row) * width + column] : 0.0f;
  }
}

template <int DIM>
static __device__ __forceinline__ float dot(const float *a, const float *b) {
  float sum = 0;
#pragma unroll 16
  for (int i = 0; i < DIM; i++) {
    sum += a[i] * b[i];
  }
  return sum;
}

template <int DIM>
struct AttentionRoom {
  float q[QUERIES][DIM + 1];
  float k[KEYS][DIM + 1];
  float v[KEYS][DIM + 1];
  float p[QUERIES][KEYS + 1];
};

// out [tokens, heads · head_dim] and, unless null, logsumexp [tokens, heads]. Query i sees the keys starts[i] … lasts[i]; a null
// starts means 0, a null lasts means i. Blocks: x tiles of queries, y heads.
template <int DIM>
static __device__ void attention(const float *q, const float *k, const float *v, const int *starts, const int *lasts,
                                 int tokens, int keys, int heads, int kv_heads, int head_dim, float factor, float *out,
                                 float *logsumexp, AttentionRoom<DIM> &room) {
  constexpr int OWN = DIM / PER_QUERY;  // columns of the result that a thread keeps
  Heads<float> head = head_of(q, k, v, blockIdx.y, heads, kv_heads, head_dim);
  int first = blockIdx.x * QUERIES;
  int end = min(first + QUERIES, tokens);
  int row = threadIdx.x / PER_QUERY;
  int place = threadIdx.x % PER_QUERY;
  int token = first + row;
  load_rows<QUERIES, DIM>(head.q, head.q_width, head_dim, first, end, room.q);
  float sums[OWN] = {};
  float largest = -INFINITY;
  float total = 0;
  for (int from = first; from < end;) {
    Sequence sequence = sequence_at(from, end, starts, lasts, keys);
    int last = sequence.last;
    bool active = sequence.has(token);
    int own_last = !active ? -1 : lasts == nullptr ? token : lasts[token];
    for (int key = sequence.start; key <= last; key += KEYS) {
      __syncthreads();
      load_rows<KEYS, DIM>(head.k, head.kv_width, head_dim, key, last + 1, room.k);
      load_rows<KEYS, DIM>(head.v, head.kv_width, head_dim, key, last + 1, room.v);
      __syncthreads();
      for (int j = place; j < KEYS; j += PER_QUERY) {
        room.p[row][j] = key + j <= own_last ? factor * dot<DIM>(room.q[row], room.k[j]) : -INFINITY;
      }
      __syncthreads();
      float higher = largest;
      for (int j = 0; j < KEYS; j++) {
        higher = fmaxf(higher, room.p[row][j]);
      }
      __syncthreads();
      for (int j = place; j < KEYS; j += PER_QUERY) {
        room.p[row][j] = active && key + j <= own_last ? expf(room.p[row][j] - higher) : 0.0f;
      }
      __syncthreads();
      if (active) {
        float rescale = higher == largest ? 1.0f : expf(largest - higher);
        largest = higher;
        total *= rescale;
#pragma unroll
        for (int i = 0; i < OWN; i++) {
          sums[i] *= rescale;
        }
        for (int j = 0; j < KEYS; j++) {
          float p = room.p[row][j];
          total += p;
#pragma unroll
          for (int i = 0; i < OWN; i++) {
            sums[i] += p * room.v[j][place + i * PER_QUERY];
          }
        }
      }
    }
    from = sequence.to;
  }
  if (token < end) {
#pragma unroll
    for (int i = 0; i < OWN; i++) {
      int column = place + i * PER_QUERY;
      if (column < head_dim) {
        out[static_cast<long long>(token) * head.q_width + blockIdx.y * head_dim + column] = sums[i] / total;
      }
    }
    if (logsumexp != nullptr && place == 0) {
      logsumexp[static_cast<long long>(token) * heads + blockIdx.y] = largest + logf(total);
    }
  }
}
