/** Other libraries that the set is measured against. */
@NullMarked
package dev.jqlora.bench.peers;

import org.jspecify.annotations.NullMarked;
