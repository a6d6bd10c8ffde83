#include "attention.cuh"
#include "attention_mma.cuh"

// Kernels for heads of up to so many columns; see attention.cuh and, for
// tensor cores, attention_mma.cuh. Those named bf16 are for activations in BF16.
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
    __shared__ AttentionMmaRoom<dim, float> room;                                                                      \
    attention_mma<dim>(q, k, v, starts, nullptr, tokens, tokens, heads, kv_heads, head_dim, factor, out, logsumexp,    \
                       room);                                                                                          \
  }                                                                                                                    \
  KERNEL(128) causal_attention_mma_bf16_##dim(const Bf16 *q, const Bf16 *k, const Bf16 *v, const int *starts,          \
                                              int tokens, int heads, int kv_heads, int head_dim, float factor,         \
                                              Bf16 *out, float *logsumexp) {                                           \
    __shared__ AttentionMmaRoom<dim, Bf16> room;                                                                       \
    attention_mma<dim>(q, k, v, starts, nullptr, tokens, tokens, heads, kv_heads, head_dim, factor, out, logsumexp,    \
                       room);                                                                                          \
  }

CAUSAL_ATTENTION(32)
CAUSAL_ATTENTION(64)
CAUSAL_ATTENTION(128)
