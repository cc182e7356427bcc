// Stochastic gradient descent in one pass: reads a weight's gradient where the backward pass left it, changes velocity and
// weight. libtorch takes a pass for each operation, after one that lays all gradients side by side.

#include <exception>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "versions.h"

namespace {

// Numbers a thread takes at least.
constexpr int64_t kGrain = 32768;

// v = momentum * v - rate * g; w += v, or with Nesterov's momentum w += momentum * v - rate * g.
VERSIONS void descend(float* __restrict w, float* __restrict v, const float* __restrict g, int64_t n, float rate,
                      float momentum, bool nesterov) {
  if (nesterov) {
    for (int64_t i = 0; i < n; ++i) {
      const float step = rate * g[i];
      v[i] = momentum * v[i] - step;
      w[i] += momentum * v[i] - step;
    }
  } else {
    for (int64_t i = 0; i < n; ++i) {
      v[i] = momentum * v[i] - rate * g[i];
      w[i] += v[i];
    }
  }
}

VERSIONS void descend_plain(float* __restrict w, const float* __restrict g, int64_t n, float rate) {
  for (int64_t i = 0; i < n; ++i) w[i] -= rate * g[i];
}

thread_local std::string last_error;

}  // namespace

extern "C" {

// One step of the weights that lie in `weights` one after the other, `pieces` being their gradients; all contiguous fp32
// vectors on the CPU. `velocity` lies as the weights do, or is null. Null, or a message.
const char* facetui_sgd(const at::Tensor* weights, const at::Tensor* velocity, const at::Tensor* const* pieces,
                        int64_t count, double rate, double momentum, int nesterov) {
  try {
    float* w = weights->data_ptr<float>();
    float* v = velocity ? velocity->data_ptr<float>() : nullptr;
    int64_t rest = weights->numel();
    TORCH_CHECK(!velocity || velocity->numel() == rest, "the velocity has another length than the weights");
    for (int64_t piece = 0; piece < count; ++piece) {
      const at::Tensor& gradient = *pieces[piece];
      const int64_t length = gradient.numel();
      TORCH_CHECK(length <= rest && gradient.is_contiguous(), "the gradients do not lie as the weights do");
      const float* g = gradient.const_data_ptr<float>();
      at::parallel_for(0, length, kGrain, [&](int64_t begin, int64_t end) {
        if (v) {
          descend(w + begin, v + begin, g + begin, end - begin, static_cast<float>(rate), static_cast<float>(momentum),
                  nesterov != 0);
        } else {
          descend_plain(w + begin, g + begin, end - begin, static_cast<float>(rate));
        }
      });
      w += length;
      if (v) v += length;
      rest -= length;
    }
    return nullptr;
  } catch (const std::exception& error) {
    last_error = error.what();
  } catch (...) {
    last_error = "an unknown C++ exception";
  }
  return last_error.c_str();
}
}
