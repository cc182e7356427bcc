// Batch normalisation and what follows it (PReLU, ReLU, ReLU6, or a residual sum) as one operation with its own backward
// pass, for channels-last maps on the CPU, float32 or bfloat16; statistics, weights and sums are float32 for both. A residual
// sum before it is taken in as well: the sum is a second result, made while its statistics are read, and its other gradient
// is added where the normalisation's is written.
//
// libtorch runs the parts one after the other, each a pass over the whole activation, keeps the result of the batch norm
// for the backward pass of the activation, and its backward pass of PReLU is not vectorised. Here a training step reads or
// writes an activation eight times instead of fifteen: forward reads for the statistics, reads and writes to apply them;
// backward reads input and gradient for the sums, reads both and writes the input's gradient. Only the input is kept.
//
// The loops run over rows of channels, so that they vectorise; GCC makes a version for each family of processors. What a
// condition chooses from is computed before it: without AVX-512's masks a branch would keep a loop from being vectorised.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "versions.h"

namespace {

using at::Tensor;
using Maybe = std::optional<Tensor>;  // autograd takes no undefined tensors as inputs
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// What follows the normalisation. The numbers are those of `src/nn/native.rs`.
enum Act : int64_t { kNone = 0, kPRelu = 1, kRelu = 2, kRelu6 = 3 };

// Rows whose float sums are added up before they go into double ones.
constexpr int64_t kBlock = 64;

// A map's number as it is computed with. bfloat16 is the upper half of a float.
inline float up(float x) { return x; }
inline float up(at::BFloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.x) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// Stores a number in a map: in bfloat16 the nearest, of two as near the even one. Without branches, so that loops vectorise.
inline void put(float& to, float value) { to = value; }
inline void put(at::BFloat16& to, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  to.x = static_cast<uint16_t>(value != value ? 0x7fc0u : rounded);
}

// The value, or zero; by its bits, which GCC makes no branch of.
inline float unless(bool zero, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  bits &= static_cast<uint32_t>(zero) - 1u;
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}

// sum += x - shift, square += (x - shift)^2 over `rows` rows of `c` channels.
template <typename T>
VERSIONS void sum_rows(const T* __restrict x, int64_t rows, int64_t c, const float* __restrict shift,
                       float* __restrict sum, float* __restrict square) {
  for (int64_t r = 0; r < rows; ++r, x += c) {
    for (int64_t i = 0; i < c; ++i) {
      const float d = up(x[i]) - shift[i];
      sum[i] += d;
      square[i] += d * d;
    }
  }
}

// s = x + v.
template <typename T>
VERSIONS void sum_maps(const T* __restrict x, const T* __restrict v, T* __restrict s, int64_t n) {
  for (int64_t i = 0; i < n; ++i) put(s[i], up(x[i]) + up(v[i]));
}

// y = act(a * x + b) (+ other).
template <typename T>
VERSIONS void apply_none(const T* __restrict x, T* __restrict y, int64_t rows, int64_t c,
                         const float* __restrict a, const float* __restrict b) {
  for (int64_t r = 0; r < rows; ++r, x += c, y += c)
    for (int64_t i = 0; i < c; ++i) put(y[i], a[i] * up(x[i]) + b[i]);
}

template <typename T>
VERSIONS void apply_add(const T* __restrict x, const T* __restrict other, T* __restrict y, int64_t rows,
                        int64_t c, const float* __restrict a, const float* __restrict b) {
  for (int64_t r = 0; r < rows; ++r, x += c, y += c, other += c)
    for (int64_t i = 0; i < c; ++i) put(y[i], a[i] * up(x[i]) + b[i] + up(other[i]));
}

// slope * z below zero, at most `top`: PReLU, ReLU (slope 0) and ReLU6.
template <typename T>
VERSIONS void apply_act(const T* __restrict x, T* __restrict y, int64_t rows, int64_t c,
                        const float* __restrict a, const float* __restrict b, const float* __restrict slope, float top) {
  for (int64_t r = 0; r < rows; ++r, x += c, y += c)
    for (int64_t i = 0; i < c; ++i) {
      const float z = a[i] * up(x[i]) + b[i];
      const float low = slope[i] * z, s = z > 0.f ? z : low;
      put(y[i], s > top ? top : s);
    }
}

// Sums of the backward pass: of the gradient behind the normalisation, of it times (x - mean), and of slope's gradient.
template <typename T>
VERSIONS void grad_sums(const T* __restrict x, const T* __restrict dy, int64_t rows, int64_t c,
                        const float* __restrict a, const float* __restrict b, const float* __restrict mean,
                        const float* __restrict slope, float top, float* __restrict sum, float* __restrict dot,
                        float* __restrict dslope) {
  for (int64_t r = 0; r < rows; ++r, x += c, dy += c)
    for (int64_t i = 0; i < c; ++i) {
      const float z = a[i] * up(x[i]) + b[i];
      const float g = unless(z >= top, up(dy[i])), low = slope[i] * g;
      const float dz = z > 0.f ? g : low;
      sum[i] += dz;
      dot[i] += dz * (up(x[i]) - mean[i]);
      const float share = g * z;
      dslope[i] += z > 0.f ? 0.f : share;
    }
}

template <typename T>
VERSIONS void grad_sums_none(const T* __restrict x, const T* __restrict dy, int64_t rows, int64_t c,
                             const float* __restrict mean, float* __restrict sum, float* __restrict dot) {
  for (int64_t r = 0; r < rows; ++r, x += c, dy += c)
    for (int64_t i = 0; i < c; ++i) {
      sum[i] += up(dy[i]);
      dot[i] += up(dy[i]) * (up(x[i]) - mean[i]);
    }
}

// dx = a * dz + p * x + q.
template <typename T>
VERSIONS void grad_apply(const T* __restrict x, const T* __restrict dy, T* __restrict dx, int64_t rows,
                         int64_t c, const float* __restrict a, const float* __restrict b, const float* __restrict slope,
                         float top, const float* __restrict p, const float* __restrict q) {
  for (int64_t r = 0; r < rows; ++r, x += c, dy += c, dx += c)
    for (int64_t i = 0; i < c; ++i) {
      const float z = a[i] * up(x[i]) + b[i];
      const float g = unless(z >= top, up(dy[i])), low = slope[i] * g;
      const float dz = z > 0.f ? g : low;
      put(dx[i], a[i] * dz + p[i] * up(x[i]) + q[i]);
    }
}

template <typename T>
VERSIONS void grad_apply_none(const T* __restrict x, const T* __restrict dy, T* __restrict dx, int64_t rows,
                              int64_t c, const float* __restrict a, const float* __restrict p,
                              const float* __restrict q) {
  for (int64_t r = 0; r < rows; ++r, x += c, dy += c, dx += c)
    for (int64_t i = 0; i < c; ++i) put(dx[i], a[i] * up(dy[i]) + p[i] * up(x[i]) + q[i]);
}

// The same plus `more`, a gradient that comes another way.
template <typename T>
VERSIONS void grad_apply_more(const T* __restrict x, const T* __restrict dy, const T* __restrict more,
                              T* __restrict dx, int64_t rows, int64_t c, const float* __restrict a,
                              const float* __restrict b, const float* __restrict slope, float top,
                              const float* __restrict p, const float* __restrict q) {
  for (int64_t r = 0; r < rows; ++r, x += c, dy += c, dx += c, more += c)
    for (int64_t i = 0; i < c; ++i) {
      const float z = a[i] * up(x[i]) + b[i];
      const float g = unless(z >= top, up(dy[i])), low = slope[i] * g;
      const float dz = z > 0.f ? g : low;
      put(dx[i], a[i] * dz + p[i] * up(x[i]) + q[i] + up(more[i]));
    }
}

template <typename T>
VERSIONS void grad_apply_none_more(const T* __restrict x, const T* __restrict dy, const T* __restrict more,
                                   T* __restrict dx, int64_t rows, int64_t c, const float* __restrict a,
                                   const float* __restrict p, const float* __restrict q) {
  for (int64_t r = 0; r < rows; ++r, x += c, dy += c, dx += c, more += c)
    for (int64_t i = 0; i < c; ++i) put(dx[i], a[i] * up(dy[i]) + p[i] * up(x[i]) + q[i] + up(more[i]));
}

// Rows a thread takes at least: below about 32 kB another thread costs more than it helps.
int64_t grain(int64_t c) { return std::max<int64_t>(1, 8192 / std::max<int64_t>(1, c)); }

// Adds up, over all rows, `kinds` sums a channel that `block` makes of a run of rows. Float within a block of rows,
// double beyond, so that large maps lose no digits. The order depends on the number of threads only.
template <typename Block>
std::vector<double> sum_channels(int64_t rows, int64_t c, int64_t kinds, const Block& block) {
  const int64_t threads = at::get_num_threads();
  std::vector<std::vector<double>> parts(threads);
  at::parallel_for(0, rows, grain(c), [&](int64_t begin, int64_t end) {
    auto& part = parts[at::get_thread_num()];
    part.assign(kinds * c, 0.0);
    std::vector<float> sums(kinds * c);
    for (int64_t r = begin; r < end; r += kBlock) {
      std::fill(sums.begin(), sums.end(), 0.f);
      block(r, std::min(kBlock, end - r), sums.data());
      for (int64_t i = 0; i < kinds * c; ++i) part[i] += sums[i];
    }
  });
  std::vector<double> total(kinds * c, 0.0);
  for (const auto& part : parts)
    for (size_t i = 0; i < part.size(); ++i) total[i] += part[i];
  return total;
}

// The rows of channels of a map: (rows, channels).
std::pair<int64_t, int64_t> rows_of(const Tensor& x) { return {x.numel() / std::max<int64_t>(1, x.size(1)), x.size(1)}; }

const float* data_or(const Tensor& t, const std::vector<float>& otherwise) {
  return t.defined() ? t.const_data_ptr<float>() : otherwise.data();
}

// The numbers in a format; the same memory where they have it already.
Tensor in_format(const Tensor& t, at::ScalarType type) {
  const Tensor numbers = t.detach();
  return numbers.scalar_type() == type ? numbers : numbers.to(type);
}

// A per-channel vector as plain floats.
Tensor plain(const Tensor& t) { return t.defined() ? in_format(t, at::kFloat).reshape({-1}).contiguous() : t; }

// Results: act(norm(x)), or norm(x) + other; with `before`, act(norm(x + before)) and x + before.
template <typename T>
struct NormAct : public Function<NormAct<T>> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x_in, const Maybe& before_in, const Maybe& gamma_in,
                               const Maybe& beta_in, const Maybe& slope_in, const Maybe& other_in, const Tensor& mean,
                               const Tensor& variance, int64_t act, bool train, double momentum, double epsilon) {
    const Tensor gamma = gamma_in.value_or(Tensor()), beta = beta_in.value_or(Tensor());
    const Tensor slope = slope_in.value_or(Tensor()), other = other_in.value_or(Tensor());
    const auto format = at::MemoryFormat::ChannelsLast;
    const Tensor first = x_in.contiguous(format);
    const Tensor before = before_in ? in_format(*before_in, first.scalar_type()).contiguous(format) : Tensor();
    const auto rows_channels = rows_of(first);
    const int64_t rows = rows_channels.first, c = rows_channels.second;
    const Tensor x = before.defined() ? at::empty_like(first, first.options(), format) : first;
    const T* firsts = first.const_data_ptr<T>();
    const T* befores = before.defined() ? before.const_data_ptr<T>() : nullptr;
    T* summed = before.defined() ? x.data_ptr<T>() : nullptr;
    const T* xs = x.const_data_ptr<T>();
    std::vector<float> center(c), inverse(c);
    float* moving_mean = mean.data_ptr<float>();
    float* moving_variance = variance.data_ptr<float>();
    if (train) {
      // Shifted by the first row, so that a large mean costs no digits of the variance.
      std::vector<float> shift(c);
      for (int64_t i = 0; i < c; ++i) shift[i] = up(firsts[i]) + (befores ? up(befores[i]) : 0.f);
      const auto sums = sum_channels(rows, c, 2, [&](int64_t r, int64_t n, float* s) {
        if (befores) sum_maps(firsts + r * c, befores + r * c, summed + r * c, n * c);
        sum_rows(xs + r * c, n, c, shift.data(), s, s + c);
      });
      for (int64_t i = 0; i < c; ++i) {
        const double d = sums[i] / rows;
        const double biased = std::max(0.0, sums[c + i] / rows - d * d);
        const double m = shift[i] + d;
        center[i] = static_cast<float>(m);
        inverse[i] = static_cast<float>(1.0 / std::sqrt(biased + epsilon));
        // Keras keeps the unbiased variance of maps.
        const double kept = rows > 1 ? biased * rows / (rows - 1) : biased;
        moving_mean[i] = static_cast<float>(moving_mean[i] + momentum * (m - moving_mean[i]));
        moving_variance[i] = static_cast<float>(moving_variance[i] + momentum * (kept - moving_variance[i]));
      }
    } else {
      for (int64_t i = 0; i < c; ++i) {
        center[i] = moving_mean[i];
        inverse[i] = static_cast<float>(1.0 / std::sqrt(static_cast<double>(moving_variance[i]) + epsilon));
      }
    }
    const Tensor g = plain(gamma), s = plain(slope), h = plain(beta);
    const std::vector<float> ones(g.defined() ? 0 : c, 1.f), zeros(c, 0.f);
    const float *gs = data_or(g, ones), *hs = data_or(h, zeros), *ss = data_or(s, zeros);
    Tensor scale = at::empty({4, c}, x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous));
    float* a = scale.data_ptr<float>();
    float* b = a + c;
    for (int64_t i = 0; i < c; ++i) {
      a[i] = gs[i] * inverse[i];
      b[i] = hs[i] - center[i] * a[i];
    }
    std::copy(center.begin(), center.end(), a + 2 * c);
    std::copy(inverse.begin(), inverse.end(), a + 3 * c);

    Tensor y = at::empty_like(x, x.options(), format);
    T* ys = y.data_ptr<T>();
    const Tensor added = other.defined() ? in_format(other, first.scalar_type()).contiguous(format) : other;
    const T* os = added.defined() ? added.const_data_ptr<T>() : nullptr;
    const float top = act == kRelu6 ? 6.f : INFINITY;
    at::parallel_for(0, rows, grain(c), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r += kBlock) {
        const int64_t at = r * c, n = std::min(kBlock, end - r);
        if (befores && !train) sum_maps(firsts + at, befores + at, summed + at, n * c);
        if (os) {
          apply_add(xs + at, os + at, ys + at, n, c, a, b);
        } else if (act == kNone) {
          apply_none(xs + at, ys + at, n, c, a, b);
        } else {
          apply_act(xs + at, ys + at, n, c, a, b, ss, top);
        }
      }
    });
    ctx->save_for_backward({x, scale, s});
    ctx->saved_data["act"] = act;
    ctx->saved_data["train"] = train;
    ctx->saved_data["gamma"] = gamma.defined();
    ctx->saved_data["beta"] = beta.defined();
    ctx->saved_data["other"] = other.defined();
    if (slope.defined()) ctx->saved_data["slope"] = slope.sizes().vec();
    ctx->saved_data["before"] = before.defined();
    ctx->set_materialize_grads(false);
    if (before.defined()) return {y, x};
    return {y};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto format = at::MemoryFormat::ChannelsLast;
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &scale = saved[1], &s = saved[2];
    const int64_t act = ctx->saved_data["act"].toInt();
    const bool train = ctx->saved_data["train"].toBool();
    const Tensor none;
    const bool before = ctx->saved_data["before"].toBool();
    const Tensor more = before && grads[1].defined() ? grads[1].contiguous(format) : none;
    if (!grads[0].defined()) return {more, before ? more : none, none, none, none, none, none, none, none, none, none, none};
    const Tensor dy = grads[0].contiguous(format);
    const auto rows_channels = rows_of(x);
    const int64_t rows = rows_channels.first, c = rows_channels.second;
    const T *xs = x.const_data_ptr<T>(), *ds = dy.const_data_ptr<T>();
    const float* a = scale.const_data_ptr<float>();
    const float *b = a + c, *center = a + 2 * c, *inverse = a + 3 * c;
    const std::vector<float> zeros(c, 0.f);
    const float* ss = data_or(s, zeros);
    const float top = act == kRelu6 ? 6.f : INFINITY;
    const int64_t kinds = act == kNone ? 2 : 3;
    const auto sums = sum_channels(rows, c, kinds, [&](int64_t r, int64_t n, float* out) {
      if (act == kNone) {
        grad_sums_none(xs + r * c, ds + r * c, n, c, center, out, out + c);
      } else {
        grad_sums(xs + r * c, ds + r * c, n, c, a, b, center, ss, top, out, out + c, out + 2 * c);
      }
    });
    Tensor dgamma, dbeta, dslope, dx;
    if (ctx->saved_data["gamma"].toBool()) {
      dgamma = at::empty({c}, scale.options());
      for (int64_t i = 0; i < c; ++i) dgamma.data_ptr<float>()[i] = static_cast<float>(sums[c + i] * inverse[i]);
    }
    if (ctx->saved_data["beta"].toBool()) {
      dbeta = at::empty({c}, scale.options());
      for (int64_t i = 0; i < c; ++i) dbeta.data_ptr<float>()[i] = static_cast<float>(sums[i]);
    }
    if (ctx->saved_data.count("slope")) {
      dslope = at::empty({c}, scale.options());
      for (int64_t i = 0; i < c; ++i) dslope.data_ptr<float>()[i] = static_cast<float>(sums[2 * c + i]);
      dslope = dslope.view(ctx->saved_data["slope"].toIntVector());
    }
    if (ctx->needs_input_grad(0) || (before && ctx->needs_input_grad(1))) {
      std::vector<float> p(c, 0.f), q(c, 0.f);
      if (train) {
        for (int64_t i = 0; i < c; ++i) {
          const double mean_dz = sums[i] / rows;
          const double slope_x = static_cast<double>(inverse[i]) * inverse[i] * sums[c + i] / rows;
          p[i] = static_cast<float>(-a[i] * slope_x);
          q[i] = static_cast<float>(a[i] * (slope_x * center[i] - mean_dz));
        }
      }
      dx = at::empty_like(x, x.options(), format);
      T* out = dx.data_ptr<T>();
      const T* ms = more.defined() ? more.const_data_ptr<T>() : nullptr;
      at::parallel_for(0, rows, grain(c), [&](int64_t begin, int64_t end) {
        const int64_t at = begin * c, n = end - begin;
        if (ms && act == kNone) {
          grad_apply_none_more(xs + at, ds + at, ms + at, out + at, n, c, a, p.data(), q.data());
        } else if (ms) {
          grad_apply_more(xs + at, ds + at, ms + at, out + at, n, c, a, b, ss, top, p.data(), q.data());
        } else if (act == kNone) {
          grad_apply_none(xs + at, ds + at, out + at, n, c, a, p.data(), q.data());
        } else {
          grad_apply(xs + at, ds + at, out + at, n, c, a, b, ss, top, p.data(), q.data());
        }
      });
    }
    const Tensor dother = ctx->saved_data["other"].toBool() ? dy : none;
    return {dx, before ? dx : none, dgamma, dbeta, dslope, dother, none, none, none, none, none, none};
  }
};

thread_local std::string last_error;

}  // namespace

extern "C" {

// The message of the last failure on this thread.
const char* facetui_last_error() { return last_error.c_str(); }

// act(batch_norm(x)) or batch_norm(x) + other; with `before`, act(batch_norm(x + before)), and x + before goes to `sum`. A new
// tensor, or null with a message. Pointers are `at::Tensor*`; before, gamma, beta, slope and other may be null, and `sum` is
// where the second result's pointer goes. `mean` and `variance`, float32, are updated in training.
Tensor* facetui_norm_act(const Tensor* x, const Tensor* before, const Tensor* gamma, const Tensor* beta,
                         const Tensor* slope, const Tensor* other, const Tensor* mean, const Tensor* variance,
                         int64_t act, int train, double momentum, double epsilon, Tensor** sum) {
  try {
    const auto or_none = [](const Tensor* t) { return t ? Maybe(*t) : Maybe(); };
    const auto run = [&](auto number) {
      return NormAct<decltype(number)>::apply(*x, or_none(before), or_none(gamma), or_none(beta), or_none(slope),
                                              or_none(other), *mean, *variance, act, train != 0, momentum, epsilon);
    };
    auto results = x->scalar_type() == at::kBFloat16 ? run(at::BFloat16()) : run(float());
    auto result = std::make_unique<Tensor>(std::move(results[0]));
    if (results.size() > 1) *sum = new Tensor(std::move(results[1]));
    return result.release();
  } catch (const std::exception& error) {
    last_error = error.what();
  } catch (...) {
    last_error = "an unknown C++ exception";
  }
  return nullptr;
}
}
