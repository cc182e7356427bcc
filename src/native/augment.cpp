// The augmentation of a whole batch on the CPU in one pass an image: bytes to floats, brightness, mirror, contrast, saturation
// and the resized crop, with the values of `src/data/augment.rs`'s tensor operations, which make some twenty passes over
// the batch.
//
// Brightness and contrast are one multiplication and one addition, since the channel's mean is a sum of bytes. A row is taken
// apart into channels, so that the loops vectorise; two resized rows are kept at a time, so that all stays in the first cache.

#include <algorithm>
#include <cstdint>
#include <vector>

#include <ATen/Parallel.h>

#include "versions.h"

namespace {

// One image's variation; laid out as `Parameters` of `src/data/augment/native.rs`.
struct Parameters {
  float brightness, contrast, saturation;
  int32_t flip, top, left;
};

// Source columns or rows of a resize and the weight of the second.
struct Places {
  std::vector<int32_t> first, second;
  std::vector<float> weight;
};

// `tf.image.resize`'s bilinear places from `in` to `out` samples: half-pixel centres, edges repeated.
Places places(int64_t in, int64_t out) {
  Places p{std::vector<int32_t>(out), std::vector<int32_t>(out), std::vector<float>(out)};
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  for (int64_t i = 0; i < out; ++i) {
    const float at = std::max(0.f, scale * (static_cast<float>(i) + 0.5f) - 0.5f);
    const auto low = std::min<int64_t>(static_cast<int64_t>(at), in - 1);
    p.first[i] = static_cast<int32_t>(low);
    p.second[i] = static_cast<int32_t>(std::min(low + 1, in - 1));
    p.weight[i] = std::min(at - static_cast<float>(low), 1.f);
  }
  return p;
}

VERSIONS void sum_bytes(const uint8_t* __restrict x, int64_t pixels, int64_t* sums) {
  int64_t r = 0, g = 0, b = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    r += x[3 * i];
    g += x[3 * i + 1];
    b += x[3 * i + 2];
  }
  sums[0] = r, sums[1] = g, sums[2] = b;
}

// A row of pixels to three channels, each a * byte + k.
VERSIONS void take_apart(const uint8_t* __restrict x, int64_t w, float a, const float* k, float* __restrict r,
                         float* __restrict g, float* __restrict b) {
  const float kr = k[0], kg = k[1], kb = k[2];
  for (int64_t i = 0; i < w; ++i) {
    r[i] = a * static_cast<float>(x[3 * i]) + kr;
    g[i] = a * static_cast<float>(x[3 * i + 1]) + kg;
    b[i] = a * static_cast<float>(x[3 * i + 2]) + kb;
  }
}

// In HSV the value stays and the saturation is scaled, at most to 1: every channel moves towards the largest one.
VERSIONS void saturate(float* __restrict r, float* __restrict g, float* __restrict b, int64_t w, float factor) {
  for (int64_t i = 0; i < w; ++i) {
    const float rg = r[i] > g[i] ? r[i] : g[i], value = rg > b[i] ? rg : b[i];
    const float low = r[i] < g[i] ? r[i] : g[i], least = low < b[i] ? low : b[i];
    const float range = value - least;
    const float most = value / (range > 1e-12f ? range : 1e-12f);  // the factor that saturates wholly
    const float scaled = most < factor ? most : factor;
    const float ratio = value > 0.f ? scaled : 0.f;
    r[i] = value - (value - r[i]) * ratio;
    g[i] = value - (value - g[i]) * ratio;
    b[i] = value - (value - b[i]) * ratio;
  }
}

// Three channels to pixels, 2 x - 1; mirrored where asked for.
VERSIONS void put_together(const float* __restrict r, const float* __restrict g, const float* __restrict b, int64_t w,
                           float* __restrict y) {
  for (int64_t i = 0; i < w; ++i) {
    y[3 * i] = 2.f * r[i] - 1.f;
    y[3 * i + 1] = 2.f * g[i] - 1.f;
    y[3 * i + 2] = 2.f * b[i] - 1.f;
  }
}

VERSIONS void put_mirrored(const float* __restrict r, const float* __restrict g, const float* __restrict b, int64_t w,
                           float* __restrict y) {
  for (int64_t i = 0; i < w; ++i) {
    const int64_t j = w - 1 - i;
    y[3 * i] = 2.f * r[j] - 1.f;
    y[3 * i + 1] = 2.f * g[j] - 1.f;
    y[3 * i + 2] = 2.f * b[j] - 1.f;
  }
}

// Columns `first` and `second` of three channels, weighed, to pixels.
VERSIONS void widen(const float* __restrict r, const float* __restrict g, const float* __restrict b, int64_t w,
                    const int32_t* __restrict first, const int32_t* __restrict second, const float* __restrict weight,
                    float* __restrict y) {
  for (int64_t i = 0; i < w; ++i) {
    const int32_t p = first[i], q = second[i];
    const float u = weight[i];
    y[3 * i] = r[p] + (r[q] - r[p]) * u;
    y[3 * i + 1] = g[p] + (g[q] - g[p]) * u;
    y[3 * i + 2] = b[p] + (b[q] - b[p]) * u;
  }
}

VERSIONS void blend(const float* __restrict upper, const float* __restrict lower, float weight, int64_t n,
                    float* __restrict y) {
  for (int64_t i = 0; i < n; ++i) y[i] = 2.f * (upper[i] + (lower[i] - upper[i]) * weight) - 1.f;
}

// What a thread needs besides the batch.
struct Scratch {
  explicit Scratch(int64_t w) : channels(3 * w), rows(2 * 3 * w), first(w), second(w) {}
  std::vector<float> channels, rows;
  std::vector<int32_t> first, second;
};

void vary(const uint8_t* x, const Parameters& v, int64_t h, int64_t w, int64_t level, const Places& down,
          const Places& across, Scratch& scratch, float* y) {
  float a = 1.f / 255.f;
  float k[3] = {0.f, 0.f, 0.f};
  if (level >= 1) std::fill(k, k + 3, v.brightness);
  if (level >= 2) {
    int64_t sums[3];
    sum_bytes(x, h * w, sums);
    for (int c = 0; c < 3; ++c) {
      const double mean = static_cast<double>(sums[c]) / static_cast<double>(h * w) / 255.0 + v.brightness;
      k[c] = static_cast<float>((v.brightness - mean) * v.contrast + mean);
    }
    a *= v.contrast;
  }
  float *r = scratch.channels.data(), *g = r + w, *b = g + w;
  const bool flip = level >= 1 && v.flip != 0;
  const auto read = [&](int64_t row) {
    take_apart(x + row * w * 3, w, a, k, r, g, b);
    if (level >= 2) saturate(r, g, b, w, v.saturation);
  };
  if (level < 3) {
    for (int64_t row = 0; row < h; ++row) {
      read(row);
      (flip ? put_mirrored : put_together)(r, g, b, w, y + row * w * 3);
    }
    return;
  }
  // The crop is of the mirrored image: its columns, counted in the image as it lies there.
  for (int64_t i = 0; i < w; ++i) {
    const int64_t p = v.left + across.first[i], q = v.left + across.second[i];
    scratch.first[i] = static_cast<int32_t>(flip ? w - 1 - p : p);
    scratch.second[i] = static_cast<int32_t>(flip ? w - 1 - q : q);
  }
  int64_t held[2] = {-1, -1};
  const auto widened = [&](int64_t row) {
    float* to = scratch.rows.data() + (row % 2) * 3 * w;
    if (held[row % 2] != row) {
      read(row);
      widen(r, g, b, w, scratch.first.data(), scratch.second.data(), across.weight.data(), to);
      held[row % 2] = row;
    }
    return to;
  };
  for (int64_t row = 0; row < h; ++row) {
    const float* upper = widened(v.top + down.first[row]);
    const float* lower = widened(v.top + down.second[row]);
    blend(upper, lower, down.weight[row], 3 * w, y + row * w * 3);
  }
}

}  // namespace

// Varies `count` images of `h` rows of `w` RGB pixels into floats of the same layout. The crop has `crop_h` rows of `crop_w`
// pixels and lies inside the image. 0, or 1 when there is no memory.
extern "C" int facetui_augment(const uint8_t* images, const Parameters* variations, int64_t count, int64_t h, int64_t w,
                               int64_t crop_h, int64_t crop_w, int64_t level, float* out) {
  try {
    const Places down = places(crop_h, h), across = places(crop_w, w);
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      Scratch scratch(w);
      for (int64_t i = begin; i < end; ++i) {
        vary(images + i * h * w * 3, variations[i], h, w, level, down, across, scratch, out + i * h * w * 3);
      }
    });
    return 0;
  } catch (...) {
    return 1;
  }
}
