// A CUDA driver without a device: the calls that the backend makes, with the meaning that NVIDIA's manual gives them, and as
// little forgiveness as the manual allows. Work of a stream is done when something waits for it and not before; memory is
// fenced; what is wrong ends in the error that the real driver gives, and a kernel's fault stays until the context is gone.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "launch.h"

namespace {

enum Code {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  INVALID_PTX = 218,
  UNSUPPORTED_PTX_VERSION = 222,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_OUT_OF_RESOURCES = 701,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
  STREAM_CAPTURE_UNSUPPORTED = 900,
  STREAM_CAPTURE_INVALIDATED = 901,
  STREAM_CAPTURE_UNMATCHED = 903,
};

const std::map<int, std::pair<const char *, const char *>> ERRORS = {
    {SUCCESS, {"CUDA_SUCCESS", "no error"}},
    {INVALID_VALUE, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
    {OUT_OF_MEMORY, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
    {NOT_INITIALIZED, {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}},
    {NO_DEVICE, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}},
    {INVALID_DEVICE, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
    {INVALID_CONTEXT, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
    {NO_BINARY_FOR_GPU, {"CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"}},
    {INVALID_PTX, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
    {UNSUPPORTED_PTX_VERSION,
     {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."}},
    {INVALID_HANDLE, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}},
    {NOT_FOUND, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
    {NOT_READY, {"CUDA_ERROR_NOT_READY", "device not ready"}},
    {ILLEGAL_ADDRESS, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
    {LAUNCH_OUT_OF_RESOURCES, {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}},
    {LAUNCH_FAILED, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
    {NOT_SUPPORTED, {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"}},
    {STREAM_CAPTURE_UNSUPPORTED,
     {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}},
    {STREAM_CAPTURE_INVALIDATED,
     {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"}},
    {STREAM_CAPTURE_UNMATCHED, {"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture was not started in this stream"}},
};

constexpr uint64_t KIND_DEVICE = 0, KIND_MANAGED = 1, KIND_HOST = 2;

struct Allocation {
  uint64_t begin = 0, bytes = 0, kind = KIND_DEVICE;
  void *mapping = nullptr;
  size_t mapped = 0;
  size_t page = 0;             // of managed memory: what the driver moves at a time
  std::vector<bool> resident;  // on the device, for each page of managed memory
};

using Work = std::function<int()>;

struct Stream {
  unsigned flags = 0;
  std::deque<Work> queue;
  bool capturing = false;
  bool invalidated = false;
  std::vector<Work> captured;
};

struct Event {
  Stream *stream = nullptr;  // where it was recorded and has not happened yet
  long records = 0, happened = 0;
  std::chrono::steady_clock::time_point when;  // it last happened
};

struct Function {
  const cpu::Kernel *kernel;
};

struct Module {
  std::map<std::string, std::unique_ptr<Function>> functions;
};

struct Graph {
  std::vector<Work> nodes;
};

struct Settings {
  long checked = 1, dry = 0, devices = 1, driver = 13000, capability = 89, concurrent = 1, memory = 8L << 30, fences = 1,
       managed_page = 64 << 10;
} settings;

std::recursive_mutex lock;
std::map<std::string, long> counts;
std::string complaint;
bool initialized;
int sticky;
long retained;
int context_object;
thread_local void *current;
std::map<uint64_t, Allocation> allocations;
Stream default_stream;
std::set<Stream *> streams;
std::set<Event *> events;
std::set<Module *> modules;
std::set<Graph *> graphs, executables;

struct Injection {
  long after;
  int code;
};
std::map<std::string, Injection> injections;

int say(int code, const std::string &what) {
  complaint = what;
  return code;
}

// What every call begins with: 0, or the code that it returns at once.
int enter(const char *call, bool context = true) {
  auto found = injections.find(call);
  if (found != injections.end() && found->second.after-- <= 0) {
    int code = found->second.code;
    injections.erase(found);
    // Those after which the manual says that the context is beyond use.
    static const std::set<int> LAST = {214, 220, 226, ILLEGAL_ADDRESS, 702, 710, 714, 715, 716, 717, 718, LAUNCH_FAILED};
    if (LAST.count(code) > 0) {
      sticky = code;
    }
    return say(code, std::string(call) + ": as the test wants it");
  }
  if (!initialized) {
    return say(NOT_INITIALIZED, std::string(call) + " before cuInit");
  }
  if (context && (current == nullptr || retained == 0)) {
    return say(INVALID_CONTEXT, std::string(call) + " without a context on this thread");
  }
  return context ? sticky : 0;
}

#define ENTER(call)                                   \
  std::lock_guard<std::recursive_mutex> guard(lock);  \
  if (int code = enter(#call)) return code

#define REQUIRE(condition, code) \
  if (!(condition)) return say(code, std::string(__func__) + ": not " #condition)

Allocation *containing(uint64_t address, uint64_t bytes) {
  auto next = allocations.upper_bound(address);
  if (next == allocations.begin()) {
    return nullptr;
  }
  Allocation &allocation = (--next)->second;
  return address + bytes <= allocation.begin + allocation.bytes ? &allocation : nullptr;
}

// Device memory of any kind that holds these bytes.
bool is_device(uint64_t address, uint64_t bytes) {
  Allocation *allocation = containing(address, bytes);
  return allocation != nullptr && allocation->kind != KIND_HOST;
}

bool is_pinned(const void *address, uint64_t bytes) {
  Allocation *allocation = containing(reinterpret_cast<uint64_t>(address), bytes);
  return allocation != nullptr && allocation->kind == KIND_HOST;
}

// Page-locked or not, host memory is what the driver did not give out as device memory.
bool is_host(const void *address, uint64_t bytes) {
  Allocation *allocation = containing(reinterpret_cast<uint64_t>(address), 1);
  return address != nullptr && (allocation == nullptr || (allocation->kind == KIND_HOST && is_pinned(address, bytes)));
}

void list_memory() {
  cpu::memory.clear();
  for (const auto &[begin, allocation] : allocations) {
    if (allocation.kind != KIND_HOST) {
      cpu::memory.push_back({begin, begin + allocation.bytes});
    }
  }
}

long used() { return counts["allocated"] + counts["resident"]; }

void note_peak() { counts["peak"] = std::max(counts["peak"], used()); }

constexpr unsigned char FENCE = 0xa5;

int allocate(uint64_t *pointer, size_t bytes, uint64_t kind) {
  REQUIRE(pointer != nullptr && bytes > 0, INVALID_VALUE);
  if (kind == KIND_DEVICE && used() + static_cast<long>(bytes) > settings.memory) {
    return say(OUT_OF_MEMORY, "more than the device has");
  }
  // The bytes end where a page without access begins, but for what their alignment to 256 leaves: that is fenced.
  size_t page = sysconf(_SC_PAGESIZE), room = (bytes + 255) / 256 * 256, inner = (room + page - 1) / page * page;
  size_t mapped = inner + 2 * page;
  void *mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    return say(OUT_OF_MEMORY, "the host gives no more address space");
  }
  unsigned char *inside = static_cast<unsigned char *>(mapping) + page;
  mprotect(inside, inner, PROT_READ | PROT_WRITE);
  unsigned char *begin = inside + inner - room;
  if (!settings.dry) {
    memset(begin + bytes, FENCE, room - bytes);
    if (settings.checked) {
      memset(begin, 0xff, std::min<size_t>(bytes, 64 << 20));  // NaN, and no index
    }
  }
  Allocation allocation;
  allocation.begin = *pointer = reinterpret_cast<uint64_t>(begin);
  allocation.bytes = bytes;
  allocation.kind = kind;
  allocation.mapping = mapping;
  allocation.mapped = mapped;
  if (kind == KIND_MANAGED) {
    allocation.page = settings.managed_page;
    allocation.resident.resize((bytes + allocation.page - 1) / allocation.page);
  }
  allocations[allocation.begin] = allocation;
  static const char *const NAMES[] = {"allocated", "managed", "host"};
  counts[NAMES[kind]] += bytes;
  counts["allocations"]++;
  note_peak();
  list_memory();
  return SUCCESS;
}

long resident_bytes(const Allocation &allocation, size_t page) {
  return std::min<size_t>(allocation.page, allocation.bytes - page * allocation.page);
}

// Has the managed pages of these bytes on the device, or on the host; returns how many bytes had to be moved for it.
long move(Allocation &allocation, uint64_t begin, size_t bytes, bool device) {
  long moved = 0;
  size_t end = begin - allocation.begin + bytes;
  for (size_t page = (begin - allocation.begin) / allocation.page; page * allocation.page < end; page++) {
    if (allocation.resident[page] != device) {
      allocation.resident[page] = device;
      moved += resident_bytes(allocation, page);
    }
  }
  counts["resident"] += device ? moved : -moved;
  note_peak();
  return moved;
}

// The device touches memory. Where it is managed and still on the host, that is a page fault, and the page moves.
void touch_on_device(uint64_t begin, size_t bytes) {
  Allocation *allocation = containing(begin, bytes);
  if (allocation != nullptr && allocation->kind == KIND_MANAGED && move(*allocation, begin, bytes, true) > 0) {
    counts["faults"]++;
  }
}

int release(uint64_t begin, bool host) {
  auto found = allocations.find(begin);
  REQUIRE(found != allocations.end() && (found->second.kind == KIND_HOST) == host, INVALID_VALUE);
  Allocation &allocation = found->second;
  unsigned char *end = reinterpret_cast<unsigned char *>(begin + allocation.bytes);
  unsigned char *limit = reinterpret_cast<unsigned char *>(begin + (allocation.bytes + 255) / 256 * 256);
  bool broken = !settings.dry && std::any_of(end, limit, [](unsigned char byte) { return byte != FENCE; });
  static const char *const NAMES[] = {"allocated", "managed", "host"};
  counts[NAMES[allocation.kind]] -= allocation.bytes;
  counts["allocations"]--;
  for (size_t page = 0; page < allocation.resident.size(); page++) {
    counts["resident"] -= allocation.resident[page] ? resident_bytes(allocation, page) : 0;
  }
  munmap(allocation.mapping, allocation.mapped);
  allocations.erase(found);
  list_memory();
  if (broken) {
    counts["brokenFences"]++;
    sticky = ILLEGAL_ADDRESS;
    return say(ILLEGAL_ADDRESS, "something wrote behind the end of memory that is freed");
  }
  return SUCCESS;
}

// ---- streams

int drain(Stream &stream, const std::function<bool()> &enough = [] { return false; }) {
  while (!stream.queue.empty() && sticky == 0 && !enough()) {
    Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    if (int code = work()) {
      sticky = code;
    }
  }
  return sticky;
}

int drain_all() {
  drain(default_stream);
  for (Stream *stream : std::set<Stream *>(streams)) {
    drain(*stream);
  }
  return sticky;
}

bool known(void *handle) { return handle == nullptr || streams.count(static_cast<Stream *>(handle)) > 0; }

Stream &stream_of(void *handle) { return handle == nullptr ? default_stream : *static_cast<Stream *>(handle); }

bool any_capture() {
  return std::any_of(streams.begin(), streams.end(), [](Stream *stream) { return stream->capturing; });
}

int enqueue(void *handle, Work work) {
  Stream &stream = stream_of(handle);
  if (stream.capturing) {
    if (stream.invalidated) {
      return STREAM_CAPTURE_INVALIDATED;
    }
    stream.captured.push_back(std::move(work));
    return SUCCESS;
  }
  if (handle == nullptr) {
    REQUIRE(!any_capture(), STREAM_CAPTURE_UNSUPPORTED);
    for (Stream *other : std::set<Stream *>(streams)) {
      if ((other->flags & 1) == 0) {
        drain(*other);
      }
    }
  }
  stream.queue.push_back(std::move(work));
  return SUCCESS;
}

// A call that must not be made while a stream is captured: the capture is spoilt.
int refuse_capture() {
  for (Stream *stream : streams) {
    if (stream->capturing) {
      stream->invalidated = true;
      return say(STREAM_CAPTURE_UNSUPPORTED, "a call that waits or allocates while a stream is captured");
    }
  }
  return SUCCESS;
}

#define NO_CAPTURE() \
  if (int code = refuse_capture()) return code

int copy_bytes(uint64_t to, uint64_t from, size_t bytes) {
  touch_on_device(to, bytes);
  touch_on_device(from, bytes);
  if (!settings.dry) {
    memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
  }
  return SUCCESS;
}

int launch_kernel(const cpu::Kernel &kernel, cpu::Index grid, cpu::Index size,
                  std::shared_ptr<std::vector<std::vector<unsigned char>>> arguments) {
  counts["launches"]++;
  for (size_t i = 0; i < arguments->size(); i++) {
    if (kernel.parameters[i] == sizeof(uint64_t)) {
      uint64_t pointer;
      memcpy(&pointer, (*arguments)[i].data(), sizeof pointer);
      touch_on_device(pointer, 1);
    }
  }
  if (settings.dry) {
    return SUCCESS;
  }
  std::vector<void *> pointers;
  for (auto &argument : *arguments) {
    pointers.push_back(argument.data());
  }
  cpu::Fault fault = cpu::launch(kernel, settings.checked, grid, size, pointers.data());
  if (fault.complaint.empty()) {
    return SUCCESS;
  }
  fprintf(stderr, "test driver: %s\n", fault.complaint.c_str());
  return say(fault.address ? ILLEGAL_ADDRESS : LAUNCH_FAILED, fault.complaint);
}

// The sizes of a PTX parameter list such as ".param .u64 .ptr .align 1 x, .param .align 8 .b8 y[24]".
std::vector<size_t> parameter_sizes(const std::string &list) {
  static const std::regex parameter(R"(\.param\s+(?:\.align\s+\d+\s+)?\.[busf](\d+)[^,\[]*(?:\[(\d+)\])?)");
  std::vector<size_t> sizes;
  for (std::sregex_iterator at(list.begin(), list.end(), parameter), end; at != end; ++at) {
    size_t bytes = std::stoul((*at)[1]) / 8;
    sizes.push_back((*at)[2].matched ? bytes * std::stoul((*at)[2]) : bytes);
  }
  return sizes;
}

int load_module(void **handle, const char *ptx) {
  REQUIRE(handle != nullptr && ptx != nullptr, INVALID_VALUE);
  std::string text(ptx);
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(R"(\.version\s+(\d+)\.(\d+))"))) {
    return say(INVALID_PTX, "no .version");
  }
  // PTX 9.0 came with CUDA 13.0, 8.0 with 12.0.
  long needed = (std::stol(match[1]) + 4) * 1000 + std::stol(match[2]) * 10;
  if (needed > settings.driver) {
    return say(UNSUPPORTED_PTX_VERSION, "PTX " + match.str(1) + "." + match.str(2));
  }
  if (!std::regex_search(text, match, std::regex(R"(\.target\s+sm_(\d+))"))) {
    return say(INVALID_PTX, "no .target");
  }
  if (std::stol(match[1]) > settings.capability) {
    return say(NO_BINARY_FOR_GPU, match.str());
  }
  auto module = std::make_unique<Module>();
  size_t at = 0;
  while ((at = text.find(".entry ", at)) != std::string::npos) {
    size_t open = text.find('(', at), close = text.find(')', open);
    if (close == std::string::npos) {
      return say(INVALID_PTX, "an entry without parameters");
    }
    std::string name = text.substr(at + 7, open - at - 7);
    name.erase(name.find_last_not_of(" \n\t") + 1);
    const cpu::Kernel *kernel = cpu::find_kernel(name);
    if (kernel == nullptr || kernel->parameters != parameter_sizes(text.substr(open, close - open))) {
      return say(INVALID_PTX, name + " is not the kernel of its source: the PTX is stale");
    }
    module->functions[name] = std::make_unique<Function>(Function{kernel});
    at = close;
  }
  *handle = module.get();
  modules.insert(module.release());
  counts["modules"]++;
  return SUCCESS;
}

}  // namespace

extern "C" {

// ---- what tests ask of the driver beside CUDA

void jqlora_driver_reset() {
  std::lock_guard<std::recursive_mutex> guard(lock);
  injections.clear();
  complaint.clear();
  settings = {};
  for (const char *name : {"launches", "graphLaunches", "prefetchedToDevice", "prefetchedToHost", "faults", "brokenFences",
                           "copied", "waits"}) {
    counts[name] = 0;
  }
  counts["peak"] = used();
}

int jqlora_driver_set(const char *name, long value) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  const std::map<std::string, long *> names = {{"checked", &settings.checked},       {"dry", &settings.dry},
                                               {"devices", &settings.devices},       {"driver", &settings.driver},
                                               {"capability", &settings.capability}, {"concurrent", &settings.concurrent},
                                               {"memory", &settings.memory},         {"managedPage", &settings.managed_page}};
  auto found = names.find(name);
  if (found == names.end()) {
    return INVALID_VALUE;
  }
  *found->second = value;
  return SUCCESS;
}

long jqlora_driver_count(const char *name) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  return counts[name];
}

void jqlora_driver_fail(const char *call, long after, int code) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  injections[call] = {after, code};
}

const char *jqlora_driver_complaint() { return complaint.c_str(); }

// ---- initialization, devices, contexts

int cuInit(unsigned flags) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  initialized = true;
  if (int code = enter("cuInit", false)) return code;
  REQUIRE(flags == 0, INVALID_VALUE);
  REQUIRE(settings.devices > 0, NO_DEVICE);
  return SUCCESS;
}

int cuDriverGetVersion(int *version) {
  *version = settings.driver;
  return SUCCESS;
}

int cuDeviceGetCount(int *count) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  if (int code = enter("cuDeviceGetCount", false)) return code;
  *count = settings.devices;
  return SUCCESS;
}

int cuDeviceGet(int *device, int ordinal) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  if (int code = enter("cuDeviceGet", false)) return code;
  REQUIRE(ordinal >= 0 && ordinal < settings.devices, INVALID_DEVICE);
  *device = ordinal;
  return SUCCESS;
}

int cuDeviceGetName(char *name, int length, int device) {
  REQUIRE(device >= 0 && device < settings.devices, INVALID_DEVICE);
  snprintf(name, length, "test device");
  return SUCCESS;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  REQUIRE(device >= 0 && device < settings.devices, INVALID_DEVICE);
  *bytes = settings.memory;
  return SUCCESS;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  REQUIRE(device >= 0 && device < settings.devices, INVALID_DEVICE);
  const std::map<int, long> values = {
      {1, 1024},                       // MAX_THREADS_PER_BLOCK
      {8, 48 << 10},                   // MAX_SHARED_MEMORY_PER_BLOCK
      {16, 20},                        // MULTIPROCESSOR_COUNT
      {75, settings.capability / 10},  // COMPUTE_CAPABILITY_MAJOR
      {76, settings.capability % 10},  // COMPUTE_CAPABILITY_MINOR
      {83, 1},                         // MANAGED_MEMORY
      {89, settings.concurrent},       // CONCURRENT_MANAGED_ACCESS
      {97, 99 << 10},                  // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
  };
  auto found = values.find(attribute);
  REQUIRE(found != values.end(), INVALID_VALUE);
  *value = found->second;
  return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  if (int code = enter("cuDevicePrimaryCtxRetain", false)) return code;
  REQUIRE(device >= 0 && device < settings.devices, INVALID_DEVICE);
  retained++;
  counts["contexts"]++;
  *context = &context_object;
  return SUCCESS;
}

// With the last hold on the context all that is in it goes, a fault too.
int cuDevicePrimaryCtxRelease_v2(int device) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  if (int code = enter("cuDevicePrimaryCtxRelease_v2", false)) return code;
  REQUIRE(retained > 0, INVALID_CONTEXT);
  counts["contexts"]--;
  if (--retained == 0) {
    for (Stream *stream : streams) {
      stream->queue.clear();
    }
    default_stream.queue.clear();
    if (sticky != 0) {
      while (!allocations.empty()) {
        auto begin = allocations.begin();
        sticky = 0;
        release(begin->first, begin->second.kind == KIND_HOST);
      }
      counts["brokenFences"] = 0;
      for (const char *name : {"streams", "events", "modules", "graphs"}) {
        counts[name] = 0;
      }
      streams.clear();
      events.clear();
      modules.clear();
      graphs.clear();
      executables.clear();
    }
    sticky = 0;
  }
  return SUCCESS;
}

int cuCtxSetCurrent(void *context) {
  std::lock_guard<std::recursive_mutex> guard(lock);
  if (int code = enter("cuCtxSetCurrent", false)) return code;
  REQUIRE(context == nullptr || (context == &context_object && retained > 0), INVALID_CONTEXT);
  current = context;
  return SUCCESS;
}

int cuCtxGetCurrent(void **context) {
  *context = current;
  return SUCCESS;
}

int cuCtxSynchronize() {
  ENTER(cuCtxSynchronize);
  NO_CAPTURE();
  return drain_all();
}

int cuGetErrorName(int code, const char **name) {
  auto found = ERRORS.find(code);
  *name = found == ERRORS.end() ? nullptr : found->second.first;
  return found == ERRORS.end() ? INVALID_VALUE : SUCCESS;
}

int cuGetErrorString(int code, const char **text) {
  auto found = ERRORS.find(code);
  *text = found == ERRORS.end() ? nullptr : found->second.second;
  return found == ERRORS.end() ? INVALID_VALUE : SUCCESS;
}

// ---- memory

int cuMemAlloc_v2(uint64_t *pointer, size_t bytes) {
  ENTER(cuMemAlloc_v2);
  NO_CAPTURE();
  return allocate(pointer, bytes, KIND_DEVICE);
}

int cuMemAllocManaged(uint64_t *pointer, size_t bytes, unsigned flags) {
  ENTER(cuMemAllocManaged);
  NO_CAPTURE();
  REQUIRE(flags == 1 || flags == 2, INVALID_VALUE);
  return allocate(pointer, bytes, KIND_MANAGED);
}

int cuMemAllocHost_v2(void **pointer, size_t bytes) {
  ENTER(cuMemAllocHost_v2);
  NO_CAPTURE();
  return allocate(reinterpret_cast<uint64_t *>(pointer), bytes, KIND_HOST);
}

int cuMemFree_v2(uint64_t pointer) {
  ENTER(cuMemFree_v2);
  NO_CAPTURE();
  if (int code = drain_all()) return code;
  return release(pointer, false);
}

int cuMemFreeHost(void *pointer) {
  ENTER(cuMemFreeHost);
  NO_CAPTURE();
  if (int code = drain_all()) return code;
  return release(reinterpret_cast<uint64_t>(pointer), true);
}

int cuMemGetInfo_v2(size_t *available, size_t *total) {
  ENTER(cuMemGetInfo_v2);
  *total = settings.memory;
  *available = settings.memory - std::min(settings.memory, used());
  return SUCCESS;
}

// Moves the managed pages that these bytes touch to the device, or to the host where device is -1.
int cuMemPrefetchAsync(uint64_t pointer, size_t bytes, int device, void *stream) {
  ENTER(cuMemPrefetchAsync);
  REQUIRE(known(stream), INVALID_HANDLE);
  Allocation *allocation = containing(pointer, bytes);
  REQUIRE(allocation != nullptr && allocation->kind == KIND_MANAGED, INVALID_VALUE);
  REQUIRE(device == -1 || settings.concurrent, INVALID_DEVICE);
  REQUIRE(!stream_of(stream).capturing, STREAM_CAPTURE_UNSUPPORTED);
  return enqueue(stream, [pointer, bytes, device] {
    Allocation *moved = containing(pointer, bytes);
    REQUIRE(moved != nullptr, ILLEGAL_ADDRESS);
    counts[device >= 0 ? "prefetchedToDevice" : "prefetchedToHost"] += move(*moved, pointer, bytes, device >= 0);
    return 0;
  });
}

int cuMemsetD8Async(uint64_t pointer, unsigned char value, size_t count, void *stream) {
  ENTER(cuMemsetD8Async);
  REQUIRE(known(stream), INVALID_HANDLE);
  REQUIRE(is_device(pointer, count), INVALID_VALUE);
  return enqueue(stream, [=] {
    touch_on_device(pointer, count);
    if (!settings.dry) memset(reinterpret_cast<void *>(pointer), value, count);
    return 0;
  });
}

int cuMemsetD16Async(uint64_t pointer, unsigned short value, size_t count, void *stream) {
  ENTER(cuMemsetD16Async);
  REQUIRE(known(stream), INVALID_HANDLE);
  REQUIRE(is_device(pointer, count * 2) && pointer % 2 == 0, INVALID_VALUE);
  return enqueue(stream, [=] {
    touch_on_device(pointer, count * 2);
    if (!settings.dry) std::fill_n(reinterpret_cast<unsigned short *>(pointer), count, value);
    return 0;
  });
}

int cuMemsetD32Async(uint64_t pointer, unsigned value, size_t count, void *stream) {
  ENTER(cuMemsetD32Async);
  REQUIRE(known(stream), INVALID_HANDLE);
  REQUIRE(is_device(pointer, count * 4) && pointer % 4 == 0, INVALID_VALUE);
  return enqueue(stream, [=] {
    touch_on_device(pointer, count * 4);
    if (!settings.dry) std::fill_n(reinterpret_cast<unsigned *>(pointer), count, value);
    return 0;
  });
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
  ENTER(cuMemcpyHtoDAsync_v2);
  REQUIRE(known(stream), INVALID_HANDLE);
  REQUIRE(is_device(to, bytes) && is_host(from, bytes), INVALID_VALUE);
  counts["copied"] += bytes;
  if (is_pinned(from, bytes)) {
    return enqueue(stream, [=] { return copy_bytes(to, reinterpret_cast<uint64_t>(from), bytes); });
  }
  REQUIRE(!stream_of(stream).capturing, STREAM_CAPTURE_UNSUPPORTED);
  auto staged = std::make_shared<std::vector<unsigned char>>();
  if (!settings.dry) {
    staged->assign(static_cast<const unsigned char *>(from), static_cast<const unsigned char *>(from) + bytes);
  }
  return enqueue(stream, [=] { return copy_bytes(to, reinterpret_cast<uint64_t>(staged->data()), bytes); });
}

int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
  ENTER(cuMemcpyDtoHAsync_v2);
  REQUIRE(known(stream), INVALID_HANDLE);
  REQUIRE(is_device(from, bytes) && is_host(to, bytes), INVALID_VALUE);
  counts["copied"] += bytes;
  REQUIRE(is_pinned(to, bytes) || !stream_of(stream).capturing, STREAM_CAPTURE_UNSUPPORTED);
  int code = enqueue(stream, [=] { return copy_bytes(reinterpret_cast<uint64_t>(to), from, bytes); });
  return code != SUCCESS || is_pinned(to, bytes) ? code : drain(stream_of(stream));
}

int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) {
  ENTER(cuMemcpyDtoDAsync_v2);
  REQUIRE(known(stream), INVALID_HANDLE);
  REQUIRE(is_device(to, bytes) && is_device(from, bytes), INVALID_VALUE);
  REQUIRE(to >= from + bytes || from >= to + bytes, INVALID_VALUE);
  return enqueue(stream, [=] { return copy_bytes(to, from, bytes); });
}

// The copies that wait are work of the default stream: they wait for streams that are not made to run beside it.
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  ENTER(cuMemcpyHtoD_v2);
  NO_CAPTURE();
  if (int code = cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr)) return code;
  return drain(default_stream);
}

int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
  ENTER(cuMemcpyDtoH_v2);
  NO_CAPTURE();
  if (int code = cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr)) return code;
  return drain(default_stream);
}

// ---- modules and launches

int cuModuleLoadData(void **module, const void *image) {
  ENTER(cuModuleLoadData);
  return load_module(module, static_cast<const char *>(image));
}

int cuModuleUnload(void *module) {
  ENTER(cuModuleUnload);
  REQUIRE(modules.erase(static_cast<Module *>(module)) == 1, INVALID_HANDLE);
  counts["modules"]--;
  delete static_cast<Module *>(module);
  return SUCCESS;
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
  ENTER(cuModuleGetFunction);
  REQUIRE(modules.count(static_cast<Module *>(module)) == 1, INVALID_HANDLE);
  auto found = static_cast<Module *>(module)->functions.find(name);
  REQUIRE(found != static_cast<Module *>(module)->functions.end(), NOT_FOUND);
  *function = found->second.get();
  return SUCCESS;
}

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra) {
  ENTER(cuLaunchKernel);
  REQUIRE(known(stream), INVALID_HANDLE);
  REQUIRE(extra == nullptr && shared == 0, NOT_SUPPORTED);
  REQUIRE(function != nullptr, INVALID_HANDLE);
  REQUIRE(gx > 0 && gy > 0 && gz > 0 && bx > 0 && by > 0 && bz > 0, INVALID_VALUE);
  REQUIRE(gx <= 0x7fffffffu && gy <= 65535 && gz <= 65535, INVALID_VALUE);
  REQUIRE(bx <= 1024 && by <= 1024 && bz <= 64 && bx * by * bz <= 1024, INVALID_VALUE);
  const cpu::Kernel &kernel = *static_cast<Function *>(function)->kernel;
  auto arguments = std::make_shared<std::vector<std::vector<unsigned char>>>();
  for (size_t i = 0; i < kernel.parameters.size(); i++) {
    REQUIRE(parameters != nullptr && parameters[i] != nullptr, INVALID_VALUE);
    const unsigned char *bytes = static_cast<const unsigned char *>(parameters[i]);
    arguments->emplace_back(bytes, bytes + kernel.parameters[i]);
  }
  return enqueue(stream, [=, &kernel] { return launch_kernel(kernel, {gx, gy, gz}, {bx, by, bz}, arguments); });
}

// ---- streams and events

int cuStreamCreate(void **stream, unsigned flags) {
  ENTER(cuStreamCreate);
  REQUIRE(flags <= 1, INVALID_VALUE);
  Stream *made = new Stream;
  made->flags = flags;
  streams.insert(made);
  counts["streams"]++;
  *stream = made;
  return SUCCESS;
}

int cuStreamDestroy_v2(void *stream) {
  ENTER(cuStreamDestroy_v2);
  REQUIRE(stream != nullptr && known(stream), INVALID_HANDLE);
  drain(stream_of(stream));
  streams.erase(static_cast<Stream *>(stream));
  counts["streams"]--;
  delete static_cast<Stream *>(stream);
  return SUCCESS;
}

int cuStreamSynchronize(void *stream) {
  ENTER(cuStreamSynchronize);
  REQUIRE(known(stream), INVALID_HANDLE);
  NO_CAPTURE();
  counts["waits"] += !stream_of(stream).queue.empty();
  return drain(stream_of(stream));
}

int cuStreamQuery(void *stream) {
  ENTER(cuStreamQuery);
  REQUIRE(known(stream), INVALID_HANDLE);
  NO_CAPTURE();
  return stream_of(stream).queue.empty() ? SUCCESS : NOT_READY;
}

int cuEventCreate(void **event, unsigned flags) {
  ENTER(cuEventCreate);
  Event *made = new Event;
  events.insert(made);
  counts["events"]++;
  *event = made;
  return SUCCESS;
}

int cuEventDestroy_v2(void *event) {
  ENTER(cuEventDestroy_v2);
  REQUIRE(events.erase(static_cast<Event *>(event)) == 1, INVALID_HANDLE);
  counts["events"]--;
  delete static_cast<Event *>(event);
  return SUCCESS;
}

int cuEventRecord(void *handle, void *stream) {
  ENTER(cuEventRecord);
  Event *event = static_cast<Event *>(handle);
  REQUIRE(events.count(event) == 1 && known(stream), INVALID_HANDLE);
  long record = ++event->records;
  event->stream = &stream_of(stream);
  return enqueue(stream, [=] {
    if (events.count(event) == 1) {
      event->happened = std::max(event->happened, record);
      event->when = std::chrono::steady_clock::now();
    }
    return 0;
  });
}

int cuEventSynchronize(void *handle) {
  ENTER(cuEventSynchronize);
  Event *event = static_cast<Event *>(handle);
  REQUIRE(events.count(event) == 1, INVALID_HANDLE);
  NO_CAPTURE();
  return event->stream == nullptr ? SUCCESS : drain(*event->stream, [=] { return event->happened == event->records; });
}

int cuStreamWaitEvent(void *stream, void *handle, unsigned flags) {
  ENTER(cuStreamWaitEvent);
  Event *event = static_cast<Event *>(handle);
  REQUIRE(events.count(event) == 1 && known(stream) && flags == 0, INVALID_HANDLE);
  REQUIRE(!stream_of(stream).capturing, STREAM_CAPTURE_UNSUPPORTED);
  long record = event->records;
  Stream *source = event->stream;
  return enqueue(stream, [=] {
    return source == nullptr || event->happened >= record ? sticky
                                                          : drain(*source, [=] { return event->happened >= record; });
  });
}

int cuEventElapsedTime(float *milliseconds, void *first, void *second) {
  ENTER(cuEventElapsedTime);
  Event *begin = static_cast<Event *>(first);
  Event *end = static_cast<Event *>(second);
  REQUIRE(events.count(begin) == 1 && events.count(end) == 1 && begin->records > 0 && end->records > 0, INVALID_HANDLE);
  REQUIRE(begin->happened == begin->records && end->happened == end->records, NOT_READY);
  *milliseconds = std::chrono::duration<float, std::milli>(end->when - begin->when).count();
  return SUCCESS;
}

// ---- graphs of one captured stream

int cuStreamBeginCapture_v2(void *stream, int mode) {
  ENTER(cuStreamBeginCapture_v2);
  REQUIRE(stream != nullptr && known(stream), INVALID_HANDLE);
  REQUIRE(!any_capture(), STREAM_CAPTURE_UNSUPPORTED);
  stream_of(stream).capturing = true;
  stream_of(stream).invalidated = false;
  stream_of(stream).captured.clear();
  return SUCCESS;
}

// Ends the capture whatever it returns.
int cuStreamEndCapture(void *handle, void **graph) {
  std::lock_guard<std::recursive_mutex> outer(lock);
  bool capturing = handle != nullptr && known(handle) && stream_of(handle).capturing;
  if (capturing) {
    stream_of(handle).capturing = false;
  }
  ENTER(cuStreamEndCapture);
  REQUIRE(handle != nullptr && known(handle), INVALID_HANDLE);
  REQUIRE(capturing, STREAM_CAPTURE_UNMATCHED);
  Stream &stream = stream_of(handle);
  if (stream.invalidated) {
    *graph = nullptr;
    return STREAM_CAPTURE_INVALIDATED;
  }
  Graph *made = new Graph{std::move(stream.captured)};
  graphs.insert(made);
  counts["graphs"]++;
  *graph = made;
  return SUCCESS;
}

int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
  ENTER(cuGraphInstantiateWithFlags);
  REQUIRE(graphs.count(static_cast<Graph *>(graph)) == 1, INVALID_HANDLE);
  Graph *made = new Graph(*static_cast<Graph *>(graph));
  executables.insert(made);
  counts["graphs"]++;
  *executable = made;
  return SUCCESS;
}

int cuGraphLaunch(void *executable, void *stream) {
  ENTER(cuGraphLaunch);
  REQUIRE(executables.count(static_cast<Graph *>(executable)) == 1 && known(stream), INVALID_HANDLE);
  REQUIRE(!stream_of(stream).capturing, STREAM_CAPTURE_UNSUPPORTED);
  counts["graphLaunches"]++;
  return enqueue(stream, [nodes = static_cast<Graph *>(executable)->nodes] {
    for (const Work &node : nodes) {
      if (int code = node()) return code;
    }
    return 0;
  });
}

int cuGraphDestroy(void *graph) {
  ENTER(cuGraphDestroy);
  REQUIRE(graphs.erase(static_cast<Graph *>(graph)) == 1, INVALID_HANDLE);
  counts["graphs"]--;
  delete static_cast<Graph *>(graph);
  return SUCCESS;
}

int cuGraphExecDestroy(void *executable) {
  ENTER(cuGraphExecDestroy);
  REQUIRE(executables.erase(static_cast<Graph *>(executable)) == 1, INVALID_HANDLE);
  counts["graphs"]--;
  delete static_cast<Graph *>(executable);
  return SUCCESS;
}

}  // extern "C"
