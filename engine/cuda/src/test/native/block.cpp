#include "block.h"

#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <unordered_map>

#include "launch.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

extern "C" char __start_kernel_shared[], __stop_kernel_shared[];

namespace cpu {

Thread *running;
Block block;
std::vector<Range> memory;

namespace {

// Not a power of two: the tops of all stacks would fall into the same few sets of the cache.
constexpr size_t STACK = (32 << 10) + 320;
constexpr int MAX_THREADS = 1024;

enum class State { READY, AT_BARRIER, IN_WARP, DONE };

struct Copy {
  unsigned char *shared;
  const unsigned char *global;
  size_t bytes, read;
  int group;
};

struct Fiber : Thread {
#if defined(__x86_64__)
  void *stack_pointer;
#else
  ucontext_t context;
#endif
  State state;
  const char *file;
  int line;
  unsigned exchanges;
  std::vector<Copy> copies;
  int groups;
};

struct Warp {
  unsigned char shown[2][32][EXCHANGE];
  int epoch;
};

Fiber fibers[MAX_THREADS];
Warp warps[MAX_THREADS / 32];
unsigned char *stacks;
int threads;
bool checking;
Fault fault;
const Kernel *kernel;
void **kernel_arguments;

#if defined(__x86_64__)
void *scheduler_stack;

extern "C" void jqlora_switch(void **save, void *load);
asm(R"(
.text
.type jqlora_switch, @function
jqlora_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size jqlora_switch, .-jqlora_switch
)");

void to_scheduler(Fiber &fiber) { jqlora_switch(&fiber.stack_pointer, scheduler_stack); }
void to_fiber(Fiber &fiber) { jqlora_switch(&scheduler_stack, fiber.stack_pointer); }
#else
ucontext_t scheduler;
void to_scheduler(Fiber &fiber) { swapcontext(&fiber.context, &scheduler); }
void to_fiber(Fiber &fiber) { swapcontext(&scheduler, &fiber.context); }
#endif

Fiber &self() { return *static_cast<Fiber *>(running); }

// Ends the launch: the fiber that complains is never run again.
__attribute__((format(printf, 2, 3))) void complain(bool address, const char *format, ...) {
  if (fault.complaint.empty()) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int written = running == nullptr
                      ? snprintf(text, sizeof text, "%s: ", kernel->name.c_str())
                      : snprintf(text, sizeof text, "%s, block (%u, %u, %u), thread (%u, %u, %u): ", kernel->name.c_str(),
                                 block.index.x, block.index.y, block.index.z, running->index.x, running->index.y,
                                 running->index.z);
    vsnprintf(text + written, sizeof text - written, format, arguments);
    va_end(arguments);
    fault.complaint = text;
    fault.address = address;
  }
  if (running != nullptr) {
    to_scheduler(self());
  }
}

void body() {
  (checking ? kernel->checked : kernel->run)(kernel_arguments);
  Fiber &fiber = self();
  if (!fiber.copies.empty()) {
    complain(false, "ends with copies to shared memory that it never waited for");
  }
  fiber.state = State::DONE;
  to_scheduler(fiber);
}

void prepare(Fiber &fiber, int number) {
  fiber.number = number;
  fiber.index = {number % block.size.x, number / block.size.x % block.size.y, number / (block.size.x * block.size.y)};
  fiber.state = State::READY;
  fiber.exchanges = 0;
  fiber.copies.clear();
  fiber.groups = 0;
  unsigned char *top = stacks + (number + 1) * STACK;
  top -= reinterpret_cast<size_t>(top) % 16;
#if defined(__x86_64__)
  void **stack = reinterpret_cast<void **>(top);
  *--stack = nullptr;  // keeps the stack as it is behind a call
  *--stack = reinterpret_cast<void *>(body);
  stack -= 6;  // the registers that a switch restores
  memset(stack, 0, 6 * sizeof(void *));
  fiber.stack_pointer = stack;
#else
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = top - STACK;
  fiber.context.uc_stack.ss_size = STACK;
  makecontext(&fiber.context, body, 0);
#endif
}

// ---- shared memory: who touched each byte since threads last waited for each other

struct Touch {
  int epoch = -1;       // of the block
  int warp_epoch = -1;  // of the thread's warp
  short thread = -1;
};

struct Shadow {
  Touch write, read;
  bool many_readers = false;
  bool arriving = false;  // the target of a copy that nothing has waited for
};

std::vector<Shadow> shadows;
int epoch;

size_t shared_bytes() { return __stop_kernel_shared - __start_kernel_shared; }

Touch now() { return {epoch, warps[running->number / 32].epoch, static_cast<short>(running->number)}; }

// Whether an earlier touch may happen at the same time as one by the running thread.
bool unordered(const Touch &earlier) {
  if (earlier.epoch != epoch || earlier.thread == running->number) {
    return false;
  }
  int warp = running->number / 32;
  return earlier.thread / 32 != warp || earlier.warp_epoch == warps[warp].epoch;
}

void touch_shared(size_t offset, size_t bytes, bool write) {
  for (size_t at = offset; at < offset + bytes; at++) {
    Shadow &shadow = shadows[at];
    if (shadow.arriving) {
      complain(false, "touches byte %zu of shared memory before the copy to it was waited for", at);
    }
    if (unordered(shadow.write)) {
      complain(false, "race on byte %zu of shared memory: thread %d wrote it and no barrier stands between", at,
               shadow.write.thread);
    }
    if (write) {
      bool others = unordered(shadow.read) || (shadow.many_readers && shadow.read.epoch == epoch &&
                                               shadow.read.warp_epoch == warps[running->number / 32].epoch);
      if (others) {
        complain(false, "race on byte %zu of shared memory: thread %d read it and no barrier stands between", at,
                 shadow.read.thread);
      }
      shadow.write = now();
    } else {
      Touch reader = now();
      bool same = shadow.read.epoch == epoch && shadow.read.warp_epoch == reader.warp_epoch;
      shadow.many_readers = same && (shadow.many_readers || shadow.read.thread != reader.thread);
      // A reader of another warp is the one that a later write of this warp would race with: it is kept.
      if (!(shadow.read.epoch == epoch && shadow.read.thread / 32 != reader.thread / 32)) {
        shadow.read = reader;
      }
    }
  }
}

// ---- global memory

struct Segment {
  size_t begin, end;
};
std::vector<Segment> library;

int collect_segments(dl_phdr_info *info, size_t, void *) {
  std::vector<Segment> segments;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type == PT_LOAD) {
      size_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      segments.push_back({begin, begin + info->dlpi_phdr[i].p_memsz});
    }
  }
  size_t here = reinterpret_cast<size_t>(&fibers);
  bool own = std::any_of(segments.begin(), segments.end(),
                         [=](const Segment &segment) { return segment.begin <= here && here < segment.end; });
  if (own) {
    library = segments;
  }
  return own;
}

Range last_touched;

// Whether a kernel with a planted bug is taken for the one that it is named after.
bool planted;

void touch(size_t address, size_t bytes, bool write) {
  if (address - reinterpret_cast<size_t>(stacks) < MAX_THREADS * STACK || running == nullptr) {
    return;
  }
  size_t offset = address - reinterpret_cast<size_t>(__start_kernel_shared);
  if (offset < shared_bytes()) {
    touch_shared(offset, bytes, write);
    return;
  }
  if (last_touched.begin <= address && address + bytes <= last_touched.end) {
    return;
  }
  auto next = std::upper_bound(memory.begin(), memory.end(), address,
                               [](size_t at, const Range &range) { return at < range.begin; });
  if (next != memory.begin() && address + bytes <= (next - 1)->end) {
    last_touched = *(next - 1);
    return;
  }
  for (const Segment &segment : library) {
    if (segment.begin <= address && address + bytes <= segment.end) {
      return;
    }
  }
  if (next != memory.begin()) {
    complain(true, "%s %zu bytes at %zx, which is %zu bytes behind the end of %zu bytes at %zx", write ? "writes" : "reads",
             bytes, address, address - (next - 1)->end + bytes, (next - 1)->end - (next - 1)->begin, (next - 1)->begin);
  }
  complain(true, "%s %zu bytes at %zx, where no memory is", write ? "writes" : "reads", bytes, address);
}

std::map<std::string, Kernel> &kernels() {
  static std::map<std::string, Kernel> all;
  return all;
}

// ---- the scheduler

// Lets the lanes of a warp go on that all show something; returns whether there were any. None is ready now.
bool release_warp(int first, int end) {
  Fiber *waiting = nullptr;
  const Fiber *other = nullptr;
  for (int i = first; i < end; i++) {
    Fiber &fiber = fibers[i];
    if (fiber.state != State::IN_WARP) {
      other = &fiber;
    } else if (waiting == nullptr) {
      waiting = &fiber;
    } else if (fiber.line != waiting->line || fiber.file != waiting->file) {
      complain(false, "divergence: lanes of a warp wait at %s:%d and at %s:%d", waiting->file, waiting->line, fiber.file,
               fiber.line);
      return false;
    }
  }
  if (waiting == nullptr) {
    return false;
  }
  if (other != nullptr || end - first < 32) {
    complain(false, "divergence: not all 32 lanes of a warp come to %s:%d", waiting->file, waiting->line);
    return false;
  }
  warps[first / 32].epoch++;
  for (int i = first; i < end; i++) {
    fibers[i].state = State::READY;
  }
  return true;
}

void run_ready(int first, int end) {
  for (int i = first; i < end && fault.complaint.empty(); i++) {
    if (fibers[i].state == State::READY) {
      running = &fibers[i];
      to_fiber(fibers[i]);
    }
  }
  running = nullptr;
}

void run_block() {
  epoch++;
  if (checking) {
    memset(__start_kernel_shared, 0xff, shared_bytes());
  }
  for (int i = 0; i < threads; i++) {
    prepare(fibers[i], i);
  }
  while (fault.complaint.empty()) {
    for (int first = 0; first < threads; first += 32) {
      int end = std::min(first + 32, threads);
      do {
        run_ready(first, end);
      } while (fault.complaint.empty() && release_warp(first, end));
    }
    if (!fault.complaint.empty()) {
      return;
    }
    int done = 0;
    Fiber *waiting = nullptr;
    for (int i = 0; i < threads; i++) {
      Fiber &fiber = fibers[i];
      if (fiber.state == State::DONE) {
        done++;
      } else if (waiting == nullptr) {
        waiting = &fiber;
      } else if (fiber.line != waiting->line || fiber.file != waiting->file) {
        complain(false, "divergence: threads wait at %s:%d and at %s:%d", waiting->file, waiting->line, fiber.file,
                 fiber.line);
        return;
      }
    }
    if (done == threads) {
      return;
    }
    if (done > 0) {
      complain(false, "divergence: %d of %d threads ended, others wait at %s:%d", done, threads, waiting->file,
               waiting->line);
      return;
    }
    for (int i = 0; i < threads; i++) {
      fibers[i].state = State::READY;
    }
    epoch++;
  }
}

}  // namespace

void barrier(const char *file, int line) {
  Fiber &fiber = self();
  fiber.state = State::AT_BARRIER;
  fiber.file = file;
  fiber.line = line;
  to_scheduler(fiber);
}

const unsigned char (*exchange(const void *mine, size_t bytes, const char *file, int line))[EXCHANGE] {
  Fiber &fiber = self();
  unsigned char(*shown)[EXCHANGE] = warps[fiber.number / 32].shown[fiber.exchanges++ & 1];
  if (bytes > 0) {
    memcpy(shown[fiber.number & 31], mine, bytes);
  }
  fiber.state = State::IN_WARP;
  fiber.file = file;
  fiber.line = line;
  to_scheduler(fiber);
  return shown;
}

void copy_later(void *shared, const void *global, size_t bytes, size_t read) {
  Fiber &fiber = self();
  if (checking) {
    size_t offset = static_cast<char *>(shared) - __start_kernel_shared;
    if (offset + bytes > shared_bytes() || offset + bytes < bytes) {
      complain(true, "copies to %p, which is not in shared memory", shared);
    }
    if (reinterpret_cast<size_t>(shared) % bytes != 0 || reinterpret_cast<size_t>(global) % bytes != 0) {
      complain(true, "copies %zu bytes from %p to %p, which are not aligned to them", bytes, global, shared);
    }
    if (read > 0) {
      touch(reinterpret_cast<size_t>(global), read, false);
    }
    touch_shared(offset, bytes, true);
    for (size_t i = 0; i < bytes; i++) {
      shadows[offset + i].arriving = true;
    }
  }
  fiber.copies.push_back({static_cast<unsigned char *>(shared), static_cast<const unsigned char *>(global), bytes,
                          read, fiber.groups});
}

void copies_commit() { self().groups++; }

void copies_wait(int pending) {
  Fiber &fiber = self();
  std::vector<Copy> later;
  for (const Copy &copy : fiber.copies) {
    if (copy.group >= fiber.groups - pending) {
      later.push_back(copy);
      continue;
    }
    memcpy(copy.shared, copy.global, copy.read);
    memset(copy.shared + copy.read, 0, copy.bytes - copy.read);
    if (checking) {
      size_t offset = reinterpret_cast<char *>(copy.shared) - __start_kernel_shared;
      for (size_t i = 0; i < copy.bytes; i++) {
        shadows[offset + i].arriving = false;
        shadows[offset + i].write = now();
      }
    }
  }
  fiber.copies = later;
}

void add_kernel(const char *name, std::vector<size_t> parameters, bool checked, void (*run)(void **)) {
  Kernel &kernel = kernels()[name];
  kernel.name = name;
  kernel.parameters = std::move(parameters);
  (checked ? kernel.checked : kernel.run) = run;
}

const Kernel *find_kernel(const std::string &name) {
  auto found = kernels().find((planted && kernels().count("planted_" + name) > 0 ? "planted_" : "") + name);
  return found == kernels().end() ? nullptr : &found->second;
}

Fault launch(const Kernel &called, bool checked, Index grid, Index size, void **arguments) {
  if (stacks == nullptr) {
    void *memory = mmap(nullptr, MAX_THREADS * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                        -1, 0);
    stacks = static_cast<unsigned char *>(memory);
    dl_iterate_phdr(collect_segments, nullptr);
  }
  kernel = &called;
  kernel_arguments = arguments;
  checking = checked;
  fault = {};
  threads = size.x * size.y * size.z;
  shadows.resize(shared_bytes());
  last_touched = {0, 0};
  block.size = size;
  block.grid = grid;
  for (unsigned z = 0; z < grid.z; z++) {
    for (unsigned y = 0; y < grid.y; y++) {
      for (unsigned x = 0; x < grid.x; x++) {
        block.index = {x, y, z};
        run_block();
        if (!fault.complaint.empty()) {
          shadows.clear();
          return fault;
        }
      }
    }
  }
  return fault;
}

}  // namespace cpu

extern "C" void jqlora_plant(bool yes) { cpu::planted = yes; }

// ---- what the compiler calls at each access of the checked kernels (-fsanitize=thread, without its library)

#define ACCESS(bytes)                                                                                       \
  extern "C" void __tsan_read##bytes(void *at) { cpu::touch(reinterpret_cast<size_t>(at), bytes, false); }  \
  extern "C" void __tsan_write##bytes(void *at) { cpu::touch(reinterpret_cast<size_t>(at), bytes, true); }
#define UNALIGNED(bytes)                                                                                              \
  extern "C" void __tsan_unaligned_read##bytes(void *at) { cpu::touch(reinterpret_cast<size_t>(at), bytes, false); }  \
  extern "C" void __tsan_unaligned_write##bytes(void *at) { cpu::touch(reinterpret_cast<size_t>(at), bytes, true); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
UNALIGNED(2)
UNALIGNED(4)
UNALIGNED(8)
UNALIGNED(16)
extern "C" void __tsan_read_range(void *at, size_t bytes) { cpu::touch(reinterpret_cast<size_t>(at), bytes, false); }
extern "C" void __tsan_write_range(void *at, size_t bytes) { cpu::touch(reinterpret_cast<size_t>(at), bytes, true); }
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void *) {}
extern "C" void __tsan_func_exit() {}
