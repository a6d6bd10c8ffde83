// Kernels by name, and how the driver runs them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "block.h"

namespace cpu {

// A kernel as compiled: once as it is, and once with each access to memory reported to the checks of block.cpp.
struct Kernel {
  std::string name;
  std::vector<size_t> parameters;
  void (*run)(void **arguments);
  void (*checked)(void **arguments);
};

void add_kernel(const char *name, std::vector<size_t> parameters, bool checked, void (*run)(void **));
const Kernel *find_kernel(const std::string &name);

// What stands between the driver and a kernel is not the kernel's: its accesses are not checked.
template <auto KERNEL_FUNCTION, class... A, size_t... I>
__attribute__((no_sanitize("thread"))) void unpack(void (*)(A...), void **arguments, std::index_sequence<I...>) {
  KERNEL_FUNCTION(*static_cast<A *>(arguments[I])...);
}

template <auto KERNEL_FUNCTION, class... A>
void add_kernel(const char *name, bool checked, void (*)(A...)) {
  add_kernel(name, {sizeof(A)...}, checked, [](void **arguments) __attribute__((no_sanitize("thread"))) {
    unpack<KERNEL_FUNCTION>(KERNEL_FUNCTION, arguments, std::index_sequence_for<A...>());
  });
}

// Bytes of device memory that kernels may touch.
struct Range {
  size_t begin, end;
};
extern std::vector<Range> memory;  // ascending

// What went wrong in the last launch: an empty text, or the complaint.
struct Fault {
  std::string complaint;
  bool address = false;  // an access to memory that is not there
};

Fault launch(const Kernel &kernel, bool checked, Index grid, Index size, void **arguments);

}  // namespace cpu
