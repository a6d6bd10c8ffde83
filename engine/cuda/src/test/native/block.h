// One block of a launch: its threads are fibers that run one after the other until all wait for each other.
#pragma once

#include <cstddef>

namespace cpu {

struct Index {
  unsigned x, y, z;
};

// Bytes that a lane can show to the others of its warp at a time.
constexpr int EXCHANGE = 32;

struct Thread {
  Index index;
  int number;
};

struct Block {
  Index index, size, grid;
};

extern Thread *running;
extern Block block;

__attribute__((no_sanitize("thread"))) inline const Thread &thread() { return *running; }
__attribute__((no_sanitize("thread"))) inline const Block &current_block() { return block; }
__attribute__((no_sanitize("thread"))) inline int lane() { return running->number & 31; }

// Waits for all threads of the block; all must wait at the same line.
void barrier(const char *file, int line);

// Waits for all threads of the warp and shows them some bytes; returns what the 32 lanes show, until the next call but one.
const unsigned char (*exchange(const void *mine, size_t bytes, const char *file, int line))[EXCHANGE];

// Copies bytes, of which the first so many are read and the rest are 0.
void copy_later(void *shared, const void *global, size_t bytes, size_t read);
void copies_commit();
void copies_wait(int pending);

}  // namespace cpu
