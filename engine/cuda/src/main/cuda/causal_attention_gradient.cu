#include "attention.cuh"

constexpr int TILE = 16;  // queries and keys of a tile in the backward pass

template <int DIM>
struct GradientRoom {
  float q[TILE][DIM + 1];
  float dout[TILE][DIM + 1];
  float k[TILE][DIM + 1];
  float v[TILE][DIM + 1];
  float p[TILE][TILE + 1];
  float ds[TILE][TILE + 1];
};

// delta[token, head] = Σ dout · out, a thread each.
KERNEL(128) attention_delta(const float *out, const float *dout, int tokens, int heads, int head_dim, float *delta) {
  long long i = first_index();
  if (i >= static_cast<long long>(tokens) * heads) {
    return;
  }
  float sum = 0;
  for (int column = 0; column < head_dim; column++) {
    sum += dout[i * head_dim + column] * out[i * head_dim + column];
  }
  delta[i] = sum;
}

// p = exp(q·kᵀ · factor - logsumexp) and ds = p · (dout·vᵀ - delta) · factor of a tile, 0 where the query does not see the key.
template <int DIM>
static __device__ __forceinline__ void tile_gradients(GradientRoom<DIM> &room, int query, int key, const int *starts,
                                                      int tokens, int heads, int head, float factor,
                                                      const float *logsumexp, const float *delta) {
  for (int i = threadIdx.x; i < TILE * TILE; i += ATTENTION_THREADS) {
    int row = i / TILE;
    int column = i % TILE;
    int token = query + row;
    bool seen = token < tokens && key + column <= token && key + column >= starts[token];
    float p = 0;
    float ds = 0;
    if (seen) {
      long long at = static_cast<long long>(token) * heads + head;
      p = expf(factor * dot<DIM>(room.q[row], room.k[column]) - logsumexp[at]);
      ds = factor * p * (dot<DIM>(room.dout[row], room.v[column]) - delta[at]);
    }
    room.p[row][column] = p;
    room.ds[row][column] = ds;
  }
}

// dq = ds · k. Blocks: x tiles of queries, y query heads.
template <int DIM>
static __device__ void query_gradient(const float *q, const float *k, const float *v, const int *starts,
                                      const float *logsumexp, const float *dout, const float *delta, int tokens, int heads,
                                      int kv_heads, int head_dim, float factor, float *dq, GradientRoom<DIM> &room) {
  constexpr int OWN = DIM / PER_QUERY;
  int number = blockIdx.y;
  Heads head = head_of(q, k, v, number, heads, kv_heads, head_dim);
  int first = blockIdx.x * TILE;
  int end = min(first + TILE, tokens);
  int row = threadIdx.x / PER_QUERY;
  int place = threadIdx.x % PER_QUERY;
  load_rows<TILE, DIM>(head.q, head.q_width, head_dim, first, end, room.q);
  load_rows<TILE, DIM>(dout + static_cast<long long>(number) * head_dim, head.q_width, head_dim, first, end, room.dout);
  float sums[OWN] = {};
  for (int key = starts[first]; key < end; key += TILE) {
    __syncthreads();
    load_rows<TILE, DIM>(head.k, head.kv_width, head_dim, key, end, room.k);
    load_rows<TILE, DIM>(head.v, head.kv_width, head_dim, key, end, room.v);
    __syncthreads();
    tile_gradients(room, first, key, starts, tokens, heads, number, factor, logsumexp, delta);
    __syncthreads();
    for (int j = 0; j < TILE; j++) {
      float ds = room.ds[row][j];
#pragma unroll
      for (int i = 0; i < OWN; i++) {
        sums[i] += ds * room.k[j][place + i * PER_QUERY];
      }
    }
  }
  for (int i = 0; i < OWN; i++) {
    int column = place + i * PER_QUERY;
    if (first + row < end && column < head_dim) {
      dq[static_cast<long long>(first + row) * head.q_width + number * head_dim + column] = sums[i];
    }
  }
}

// dk = dsᵀ · q and dv = pᵀ · dout, summed over the query heads that share a key-value head, and over the queries in order.
// Blocks: x tiles of keys, y key-value heads.
template <int DIM>
static __device__ void key_gradients(const float *q, const float *k, const float *v, const int *starts,
                                     const float *logsumexp, const float *dout, const float *delta, int tokens, int heads,
                                     int kv_heads, int head_dim, float factor, float *dk, float *dv,
                                     GradientRoom<DIM> &room) {
  constexpr int OWN = DIM / PER_QUERY;
  int group = heads / kv_heads;
  int first_head = blockIdx.y * group;
  int first = blockIdx.x * TILE;
  int end = min(first + TILE, tokens);
  int row = threadIdx.x / PER_QUERY;
  int place = threadIdx.x % PER_QUERY;
  Heads kv = head_of(q, k, v, first_head, heads, kv_heads, head_dim);
  load_rows<TILE, DIM>(kv.k, kv.kv_width, head_dim, first, end, room.k);
  load_rows<TILE, DIM>(kv.v, kv.kv_width, head_dim, first, end, room.v);
  float k_sums[OWN] = {};
  float v_sums[OWN] = {};
  for (int number = first_head; number < first_head + group; number++) {
    for (int query = first; query < tokens && starts[query] < end; query += TILE) {
      __syncthreads();
      load_rows<TILE, DIM>(q + static_cast<long long>(number) * head_dim, kv.q_width, head_dim, query, tokens, room.q);
      load_rows<TILE, DIM>(dout + static_cast<long long>(number) * head_dim, kv.q_width, head_dim, query, tokens,
                           room.dout);
      __syncthreads();
      tile_gradients(room, query, first, starts, tokens, heads, number, factor, logsumexp, delta);
      __syncthreads();
      for (int j = 0; j < TILE; j++) {
        float p = room.p[j][row];
        float ds = room.ds[j][row];
#pragma unroll
        for (int i = 0; i < OWN; i++) {
          k_sums[i] += ds * room.q[j][place + i * PER_QUERY];
          v_sums[i] += p * room.dout[j][place + i * PER_QUERY];
        }
      }
    }
  }
  for (int i = 0; i < OWN; i++) {
    int column = place + i * PER_QUERY;
    if (first + row < end && column < head_dim) {
      long long at = static_cast<long long>(first + row) * kv.kv_width + blockIdx.y * head_dim + column;
      dk[at] = k_sums[i];
      dv[at] = v_sums[i];
    }
  }
}

// Kernels for heads of up to so many columns.
#define CAUSAL_ATTENTION_GRADIENT(dim)                                                                                 \
  KERNEL(128) attention_query_gradient_##dim(const float *q, const float *k, const float *v, const int *starts,        \
                                             const float *logsumexp, const float *dout, const float *delta, int tokens, \
                                             int heads, int kv_heads, int head_dim, float factor, float *dq) {         \
    __shared__ GradientRoom<dim> room;                                                                                 \
    query_gradient<dim>(q, k, v, starts, logsumexp, dout, delta, tokens, heads, kv_heads, head_dim, factor, dq, room); \
  }                                                                                                                    \
  KERNEL(128) attention_key_gradients_##dim(const float *q, const float *k, const float *v, const int *starts,         \
                                            const float *logsumexp, const float *dout, const float *delta, int tokens, \
                                            int heads, int kv_heads, int head_dim, float factor, float *dk, float *dv) { \
    __shared__ GradientRoom<dim> room;                                                                                 \
    key_gradients<dim>(q, k, v, starts, logsumexp, dout, delta, tokens, heads, kv_heads, head_dim, factor, dk, dv, room); \
  }

CAUSAL_ATTENTION_GRADIENT(32)
CAUSAL_ATTENTION_GRADIENT(64)
CAUSAL_ATTENTION_GRADIENT(128)
