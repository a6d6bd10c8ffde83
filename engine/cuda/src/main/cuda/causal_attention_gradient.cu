#include "attention.cuh"
#include "attention_mma.cuh"

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
template <class T>
static __device__ __forceinline__ void sum_delta(const T *out, const T *dout, int tokens, int heads, int head_dim,
                                                 float *delta) {
  long long i = first_index();
  if (i >= static_cast<long long>(tokens) * heads) {
    return;
  }
  float sum = 0;
  for (int column = 0; column < head_dim; column++) {
    sum += to_float(dout[i * head_dim + column]) * to_float(out[i * head_dim + column]);
  }
  delta[i] = sum;
}

KERNEL(128) attention_delta_f32(const float *out, const float *dout, int tokens, int heads, int head_dim, float *delta) {
  sum_delta(out, dout, tokens, heads, head_dim, delta);
}

KERNEL(128) attention_delta_bf16(const Bf16 *out, const Bf16 *dout, int tokens, int heads, int head_dim, float *delta) {
  sum_delta(out, dout, tokens, heads, head_dim, delta);
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
  Heads<float> head = head_of(q, k, v, number, heads, kv_heads, head_dim);
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
  Heads<float> kv = head_of(q, k, v, first_head, heads, kv_heads, head_dim);
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

// What the backward pass on tensor cores reads.
template <class T>
struct Backward {
  const T *q;
  const T *k;
  const T *v;
  const int *starts;
  const float *logsumexp;
  const T *dout;
  const float *delta;
  int tokens;
  int heads;
  int kv_heads;
  int head_dim;
  float factor;

  __device__ __forceinline__ int group() const { return heads / kv_heads; }
  __device__ __forceinline__ int q_width() const { return heads * head_dim; }
  __device__ __forceinline__ int kv_width() const { return kv_heads * head_dim; }

  // Tiles of queries from first on of which some see keys before end.
  __device__ __forceinline__ int query_tiles(int first, int end) const {
    int tiles = 0;
    for (int query = first; query < tokens && starts[query] < end; query += OTHER_ROWS) {
      tiles++;
    }
    return tiles;
  }
};

// A query of one head.
struct Query {
  int token;
  int start;
  float logsumexp;
  float delta;

  // One beyond the last sees no key.
  template <class T>
  __device__ __forceinline__ Query(const Backward<T> &of, int head, int token)
      : token(token < of.tokens ? token : -1), start(0), logsumexp(0), delta(0) {
    if (token < of.tokens) {
      long long at = static_cast<long long>(token) * of.heads + head;
      start = of.starts[token];
      logsumexp = of.logsumexp[at];
      delta = of.delta[at];
    }
  }

  __device__ __forceinline__ float probability(int key, float score) const {
    return key >= start && key <= token ? expf(score - logsumexp) : 0.0f;
  }
};

// dq = ds · k or, OF_KEYS, dk = dsᵀ · q summed over the query heads that share a key-value head. A block keeps rows of the one
// side, with what their products become the gradients of probabilities by, and the other side comes by. Blocks: x tiles of
// rows, y heads of that side.
template <int DIM, bool OF_KEYS, class T>
static __device__ __forceinline__ void score_gradients_mma(const Backward<T> &of, T *result,
                                                           AttentionMmaRoom<DIM, T> &room) {
  int first_head = OF_KEYS ? blockIdx.y * of.group() : blockIdx.y;
  int heads = OF_KEYS ? of.group() : 1;
  const T *k = of.k + static_cast<long long>(first_head / of.group()) * of.head_dim;
  const T *v = of.v + static_cast<long long>(first_head / of.group()) * of.head_dim;
  int own_width = OF_KEYS ? of.kv_width() : of.q_width();
  int other_width = OF_KEYS ? of.q_width() : of.kv_width();
  int first = blockIdx.x * OWN_ROWS;
  int end = min(first + OWN_ROWS, of.tokens);
  int other_first = OF_KEYS ? first : of.starts[first];
  int other_end = OF_KEYS ? of.tokens : end;
  int tiles = OF_KEYS ? of.query_tiles(first, end) : (end - other_first + OTHER_ROWS - 1) / OTHER_ROWS;
  long long before_head = static_cast<long long>(first_head) * of.head_dim;
  OwnRows<DIM> scored;    // q, or k
  OwnRows<DIM> weighted;  // dout, or v
  scored.load(OF_KEYS ? k : of.q + before_head, own_width, of.head_dim, first, end);
  weighted.load(OF_KEYS ? v : of.dout + before_head, own_width, of.head_dim, first, end);
  Query own[2] = {Query(of, first_head, first + own_row()), Query(of, first_head, first + own_row() + 8)};
  float sums[DIM / 8][4] = {};
  for (int head = first_head; head < first_head + heads; head++) {
    long long before = static_cast<long long>(head) * of.head_dim;
    float gradients[4][4];
    // Each tile takes two steps: by the first probabilities get their gradients, by the second scores.
    auto load = [&](int step) {
      const T *rows = step % 2 == 0 ? (OF_KEYS ? of.dout + before : v) : (OF_KEYS ? of.q + before : k);
      room.load(rows, other_width, of.head_dim, other_first + step / 2 * OTHER_ROWS, other_end);
    };
    auto round = [&](int) { room.round(); };
    auto use = [&](int step) {
      if (step % 2 == 0) {
        weighted.multiply(room, gradients);
        return;
      }
      float scores[4][4];
      scored.multiply(room, scores);
#pragma unroll
      for (int j = 0; j < 4; j++) {
#pragma unroll
        for (int part = 0; part < 4; part++) {
          int other = other_first + step / 2 * OTHER_ROWS + own_column(j, part);
          int key = OF_KEYS ? first + own_row() + part / 2 * 8 : other;
          Query query = OF_KEYS ? Query(of, head, other) : own[part / 2];
          float p = query.probability(key, of.factor * scores[j][part]);
          scores[j][part] = of.factor * p * (gradients[j][part] - query.delta);
        }
      }
      add_weighted(room, scores, sums);
    };
    pipeline(2 * tiles, load, round, use);
  }
  store_rows<DIM>(sums, {1.0f, 1.0f}, result + static_cast<long long>(blockIdx.y) * of.head_dim, own_width, of.head_dim,
                  first, end);
}

// dv = pᵀ · dout, summed over the query heads that share a key-value head. Blocks: x tiles of keys, y key-value heads.
template <int DIM, class T>
static __device__ __forceinline__ void value_gradient_mma(const Backward<T> &of, T *dv, AttentionMmaRoom<DIM, T> &room) {
  long long before_kv = static_cast<long long>(blockIdx.y) * of.head_dim;
  int first = blockIdx.x * OWN_ROWS;
  int end = min(first + OWN_ROWS, of.tokens);
  int tiles = of.query_tiles(first, end);
  OwnRows<DIM> keys;
  keys.load(of.k + before_kv, of.kv_width(), of.head_dim, first, end);
  float sums[DIM / 8][4] = {};
  for (int head = blockIdx.y * of.group(); head < static_cast<int>(blockIdx.y + 1) * of.group(); head++) {
    long long before = static_cast<long long>(head) * of.head_dim;
    float scores[4][4];
    // Each tile takes two steps: queries, then their gradients of the output.
    auto load = [&](int step) {
      room.load((step % 2 == 0 ? of.q : of.dout) + before, of.q_width(), of.head_dim, first + step / 2 * OTHER_ROWS,
                of.tokens);
    };
    auto round = [&](int) { room.round(); };
    auto use = [&](int step) {
      if (step % 2 != 0) {
        add_weighted(room, scores, sums);
        return;
      }
      keys.multiply(room, scores);
#pragma unroll
      for (int j = 0; j < 4; j++) {
#pragma unroll
        for (int part = 0; part < 4; part++) {
          Query query(of, head, first + step / 2 * OTHER_ROWS + own_column(j, part));
          scores[j][part] = query.probability(first + own_row() + part / 2 * 8, of.factor * scores[j][part]);
        }
      }
    };
    pipeline(2 * tiles, load, round, use);
  }
  store_rows<DIM>(sums, {1.0f, 1.0f}, dv + before_kv, of.kv_width(), of.head_dim, first, end);
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
                                            int heads, int kv_heads, int head_dim, float factor, float *dk,            \
                                            float *dv) {                                                               \
    __shared__ GradientRoom<dim> room;                                                                                 \
    key_gradients<dim>(q, k, v, starts, logsumexp, dout, delta, tokens, heads, kv_heads, head_dim, factor, dk, dv,     \
                       room);                                                                                          \
  }

// The same on tensor cores, a kernel for each gradient; those named mma_bf16 are for activations in BF16.
#define GRADIENT_MMA(gradient, type, T, dim, function)                                                                 \
  KERNEL(128) attention_##gradient##_gradient_##type##_##dim(                                                          \
      const T *q, const T *k, const T *v, const int *starts, const float *logsumexp, const T *dout, const float *delta, \
      int tokens, int heads, int kv_heads, int head_dim, float factor, T *result) {                                    \
    __shared__ AttentionMmaRoom<dim, T> room;                                                                          \
    Backward<T> of = {q, k, v, starts, logsumexp, dout, delta, tokens, heads, kv_heads, head_dim, factor};             \
    function(of, result, room);                                                                                        \
  }

#define CAUSAL_ATTENTION_GRADIENT_MMA(type, T, dim)                                                                    \
  GRADIENT_MMA(query, type, T, dim, (score_gradients_mma<dim, false>))                                                 \
  GRADIENT_MMA(key, type, T, dim, (score_gradients_mma<dim, true>))                                                    \
  GRADIENT_MMA(value, type, T, dim, value_gradient_mma<dim>)

CAUSAL_ATTENTION_GRADIENT(32)
CAUSAL_ATTENTION_GRADIENT_MMA(mma, float, 32)
CAUSAL_ATTENTION_GRADIENT_MMA(mma_bf16, Bf16, 32)
CAUSAL_ATTENTION_GRADIENT(64)
CAUSAL_ATTENTION_GRADIENT_MMA(mma, float, 64)
CAUSAL_ATTENTION_GRADIENT_MMA(mma_bf16, Bf16, 64)
CAUSAL_ATTENTION_GRADIENT(128)
CAUSAL_ATTENTION_GRADIENT_MMA(mma, float, 128)
CAUSAL_ATTENTION_GRADIENT_MMA(mma_bf16, Bf16, 128)
