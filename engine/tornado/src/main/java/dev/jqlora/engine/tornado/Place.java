package dev.jqlora.engine.tornado;

import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * Where an operand lies.
 *
 * @param first its first element in the array, at the start of all loops
 * @param strides per enclosing loop, outermost first, the elements to add for each step of its index
 */
record Place(TornadoNativeArray array, int first, int[] strides) {
  boolean moves() {
    for (int stride : strides) {
      if (stride != 0) {
        return true;
      }
    }
    return false;
  }
}
