#include "attention.cuh"
#include "attention_mma.cuh"

// Kernels for heads of up to so many columns; see attention.cuh and, for
// tensor cores, attention_mma.cuh.
#define CAUSAL_ATTENTION(dim)                                                                                          \
  KERNEL(128) causal_attention_##dim(const float *q, const float *k, const float *v, const int *starts, int tokens,    \
                                     int heads, int kv_heads, int head_dim, float factor, float *out,                  \
                                     float *logsumexp) {                                                               \
    __shared__ AttentionRoom<dim> room;                                                                                \
    attention<dim>(q, k, v, starts, nullptr, tokens, tokens, heads, kv_heads, head_dim, factor, out, logsumexp, room); \
  }                                                                                                                    \
  KERNEL(128) causal_attention_mma_##dim(const float *q, const float *k, const float *v, const int *starts, int tokens,\
                                         int heads, int kv_heads, int head_dim, float factor, float *out,              \
                                         float *logsumexp) {                                                           \
    __shared__ AttentionMmaRoom<dim> room;                                                                             \
    attention_mma<dim>(q, k, v, starts, nullptr, tokens, tokens, heads, kv_heads, head_dim, factor, out, logsumexp,    \
                       room);                                                                                          \
  }

CAUSAL_ATTENTION(32)
CAUSAL_ATTENTION(64)
CAUSAL_ATTENTION(128)
