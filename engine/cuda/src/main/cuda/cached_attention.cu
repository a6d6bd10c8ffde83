#include "attention.cuh"
#include "attention_mma.cuh"

// Attention of new tokens over a cache of keys: query i sees the keys 0 … positions[i]; see attention.cuh and, for
// tensor cores, attention_mma.cuh.
#define CACHED_ATTENTION(dim)                                                                                          \
  KERNEL(128) cached_attention_##dim(const float *q, const float *k, const float *v, const int *positions, int tokens, \
                                     int capacity, int heads, int kv_heads, int head_dim, float factor, float *out) {  \
    __shared__ AttentionRoom<dim> room;                                                                                \
    attention<dim>(q, k, v, nullptr, positions, tokens, capacity, heads, kv_heads, head_dim, factor, out, nullptr,     \
                   room);                                                                                              \
  }                                                                                                                    \
  KERNEL(128) cached_attention_mma_##dim(const float *q, const float *k, const float *v, const int *positions,         \
                                         int tokens, int capacity, int heads, int kv_heads, int head_dim,              \
                                         float factor, float *out) {                                                   \
    __shared__ AttentionMmaRoom<dim, float> room;                                                                      \
    attention_mma<dim>(q, k, v, nullptr, positions, tokens, capacity, heads, kv_heads, head_dim, factor, out, nullptr, \
                       room);                                                                                          \
  }

CACHED_ATTENTION(32)
CACHED_ATTENTION(64)
CACHED_ATTENTION(128)
