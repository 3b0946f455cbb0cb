#include "core/model/pretrained/gguf_rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/families/family.h"

namespace xkde {
namespace {

constexpr std::string_view kFrequencies = "rope_freqs.weight";
constexpr std::string_view kShort = "rope_factors_short.weight";
constexpr std::string_view kLong = "rope_factors_long.weight";

/// The values of a tensor of rotations; empty: the file has none of that name.
std::vector<float> factors_of(const GgufFile& file, std::string_view name, const Json& json) {
  for (const GgufFile::Tensor& tensor : file.tensors()) {
    if (tensor.name != name) continue;
    const int64_t most = json["hidden_size"].get<int64_t>();
    const bool fits = tensor.shape.size() == 1 && tensor.shape[0] > 0 && tensor.shape[0] <= most;
    XKDE_CHECK(fits, DataError, file.path().string(), ": tensor ", name,
               ": expected one number for each pair of a head");
    std::vector<float> values(static_cast<size_t>(tensor.shape[0]));
    file.read_f32(tensor, values);
    return values;
  }
  return {};
}

/// Llama 3's scaling with low_freq_factor 1 and high_freq_factor 4, as every model has them: by how
/// much the frequency of a pair is divided.
double llama3_divisor(double wavelength, double factor, double original) {
  constexpr double kLow = 1.0, kHigh = 4.0;
  if (wavelength < original / kHigh) return 1.0;
  if (wavelength > original / kLow) return factor;
  const double smooth = (original / wavelength - kLow) / (kHigh - kLow);
  return 1.0 / ((1.0 - smooth) / factor + smooth);
}

/// The original length that gives these divisors.
std::optional<int64_t> original_length(const std::vector<float>& divisors, double theta) {
  constexpr int64_t kOfAllModels = 8192, kShortest = 64, kLongest = int64_t{1} << 20;
  constexpr double kTolerance = 1e-4;  // fp32, and the file's own rounding of theta's powers
  const double factor = *std::ranges::max_element(divisors);
  std::vector<int64_t> lengths = {kOfAllModels};
  for (int64_t length = kShortest; length <= kLongest; length *= 2) lengths.push_back(length);
  for (const int64_t length : lengths) {
    bool fits = true;
    for (size_t i = 0; i < divisors.size(); ++i) {
      const double share = static_cast<double>(i) / static_cast<double>(divisors.size());
      const double wavelength = 2 * std::numbers::pi * std::pow(theta, share);
      const double expected = llama3_divisor(wavelength, factor, static_cast<double>(length));
      fits = fits && std::abs(divisors[i] - expected) <= kTolerance * expected;
    }
    if (fits) return length;
  }
  return std::nullopt;
}

void read_llama3(const GgufFile& file, const std::vector<float>& divisors, Json& json) {
  if (std::ranges::all_of(divisors, [](float divisor) { return divisor == 1.0F; })) return;
  const auto original = original_length(divisors, json.value("rope_theta", 10000.0));
  XKDE_CHECK(original, DataError, file.path().string(), ": tensor ", kFrequencies,
             ": expected the factors of Llama 3's scaling (low_freq_factor 1, high_freq_factor 4), "
             "found others; use the Hugging Face folder");
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", *std::ranges::max_element(divisors)},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", *original}};
}

}  // namespace

bool is_gguf_rope_tensor(std::string_view name) {
  return name == kFrequencies || name == kShort || name == kLong;
}

void read_gguf_rope(const GgufFile& file, Json& json) {
  const std::string architecture = file.string("general.architecture");
  const auto key = [&](const char* suffix) { return architecture + ".rope.scaling." + suffix; };
  if (file.has(key("type")) && file.string(key("type")) != "none") {
    json["rope_scaling"] = {{"rope_type", file.string(key("type"))}};
    if (file.has(key("factor"))) json["rope_scaling"]["factor"] = file.number(key("factor"));
  }
  if (file.has(key("original_context_length"))) {
    json["original_max_position_embeddings"] = file.integer(key("original_context_length"));
  }
  const std::vector<float> divisors = factors_of(file, kFrequencies, json);
  if (!divisors.empty()) read_llama3(file, divisors, json);
  const std::vector<float> near = factors_of(file, kShort, json);
  if (near.empty()) return;
  json["rope_scaling"] = {{"rope_type", "longrope"},
                          {"short_factor", near},
                          {"long_factor", factors_of(file, kLong, json)}};
}

void add_gguf_rope(const ModelConfig& config, GgufMetadata& metadata) {
  using Scaling = RopeConfig::Scaling;
  const RopeConfig& rope = config.rope;
  const auto key = [&](const char* suffix) {
    return concat(config.family->gguf_architecture, ".rope.", suffix);
  };
  metadata.count(key("dimension_count"), rope.width(config.head_dim));
  metadata.real(key("freq_base"), rope.theta);
  if (rope.scaling == Scaling::kLinear || rope.scaling == Scaling::kYarn) {
    metadata.text(key("scaling.type"), name_of(kRopeScalings, rope.scaling));
    metadata.real(key("scaling.factor"), rope.factor);
  }
  if (rope.scaling == Scaling::kYarn || rope.scaling == Scaling::kLongRope) {
    metadata.count(key("scaling.original_context_length"), rope.original_max_position_embeddings);
  }
  if (rope.scaling == Scaling::kLongRope) {
    metadata.real(key("scaling.attn_factor"), rope.attention_factor);
  }
}

std::vector<std::pair<std::string, std::vector<float>>> gguf_rope_tensors(
    const ModelConfig& config) {
  using Scaling = RopeConfig::Scaling;
  const RopeConfig& rope = config.rope;
  if (rope.scaling == Scaling::kLongRope) {
    return {{std::string(kLong), {rope.long_factor.begin(), rope.long_factor.end()}},
            {std::string(kShort), {rope.short_factor.begin(), rope.short_factor.end()}}};
  }
  if (rope.scaling != Scaling::kLlama3) return {};
  const int64_t pairs = rope.width(config.head_dim) / 2;
  std::vector<float> divisors;
  for (int64_t i = 0; i < pairs; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(pairs);
    const double wavelength = 2 * std::numbers::pi * std::pow(rope.theta, share);
    divisors.push_back(static_cast<float>(llama3_divisor(
        wavelength, rope.factor, static_cast<double>(rope.original_max_position_embeddings))));
  }
  return {{std::string(kFrequencies), divisors}};
}

}  // namespace xkde
