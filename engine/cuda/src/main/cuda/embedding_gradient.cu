#include "jqlora.cuh"

// table[ids[i]] += dy[i] over i in order, a thread a column; the table is zero before. Ids that name no row are passed over.
KERNEL(256) embedding_gradient(const int *ids, const float *dy, int count, int rows, int width, float *table) {
  int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= width) {
    return;
  }
  for (int i = 0; i < count; i++) {
    int id = ids[i];
    if (id >= 0 && id < rows) {
      table[static_cast<long long>(id) * width + column] += dy[static_cast<long long>(i) * width + column];
    }
  }
}
