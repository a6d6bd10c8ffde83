#include "jqlora.cuh"

// Replaces rows of a cache from the given position on.
KERNEL(256) cache_write(const float *rows, long long count, const int *position, int width, float *cache) {
  float *to = cache + static_cast<long long>(*position) * width;
  for (long long i = first_index(); i < count; i += all_threads()) {
    to[i] = rows[i];
  }
}
