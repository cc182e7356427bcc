// Counts what a stretch of work asks of libtorch on this thread: operations, and the memory of its CPU allocator. For tests
// that guard the hot paths without a clock.

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace {

std::atomic<int64_t> operations{0};

struct Memory final : c10::MemoryReportingInfoBase {
  std::atomic<int64_t> allocations{0}, bytes{0}, live{0}, peak{0};

  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device device) override {
    if (!device.is_cpu()) return;
    if (size > 0) {
      ++allocations;
      bytes += size;
    }
    const int64_t now = live += size;
    int64_t most = peak;
    while (now > most && !peak.compare_exchange_weak(most, now)) {
    }
  }
  bool memoryProfilingEnabled() const override { return true; }
};

std::unique_ptr<at::ObserverContext> count(const at::RecordFunction&) {
  ++operations;
  return nullptr;
}

}  // namespace

extern "C" {

// Runs `work(data)` and fills operations, allocations, bytes allocated and the most bytes that were alive at once beyond those
// at the beginning. Only one stretch of work is counted at a time.
void facetui_count(void (*work)(void*), void* data, int64_t* out) {
  operations = 0;
  auto memory = std::make_shared<Memory>();
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(count).scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  {
    c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
    work(data);
  }
  at::removeCallback(handle);
  out[0] = operations;
  out[1] = memory->allocations;
  out[2] = memory->bytes;
  out[3] = memory->peak;
}

// How many threads a loop of our kernels is spread over, and how many libtorch uses for its own.
void facetui_threads(int64_t* out) {
  std::atomic<int64_t> parts{0};
  at::parallel_for(0, 1 << 20, 1, [&](int64_t, int64_t) { ++parts; });
  out[0] = parts;
  out[1] = at::get_num_threads();
}
}
