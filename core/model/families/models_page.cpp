#include "core/model/families/models_page.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/model/families/families.h"
#include "core/model/families/family.h"

namespace xkde {
namespace {

bool has_role(const Family& family, TensorRole role) {
  return std::ranges::any_of(family.block,
                             [role](const TensorSpec& spec) { return spec.role == role; });
}

/// Whatever its config.json says.
bool always_has(const Family& family, TensorRole role) {
  return std::ranges::any_of(family.block, [role](const TensorSpec& spec) {
    return spec.role == role && spec.exists == nullptr;
  });
}

/// The tensors of a role, of a block.
size_t count(const Family& family, TensorRole role) {
  return static_cast<size_t>(std::ranges::count_if(
      family.block, [role](const TensorSpec& spec) { return spec.role == role; }));
}

std::vector<std::string> traits_of(const Family& family) {
  const Arithmetic& arithmetic = family.arithmetic;
  std::vector<std::string> traits;
  if (count(family, TensorRole::kQkv) == 1) traits.emplace_back("queries, keys and values joined");
  if (count(family, TensorRole::kGateUp) == 1) traits.emplace_back("gate and up joined");
  if (always_has(family, TensorRole::kQkvBias))
    traits.emplace_back("biases of queries, keys, values");
  if (has_role(family, TensorRole::kQueryNorm)) traits.emplace_back("norms of query and key heads");
  if (has_role(family, TensorRole::kDownNorm)) traits.emplace_back("four norms a block");
  if (arithmetic.norms_add_one) traits.emplace_back("norms of 1 + w");
  if (arithmetic.activation == Activation::kGeluTanh) traits.emplace_back("GeGLU");
  if (arithmetic.scales_embedding) traits.emplace_back("scaled embedding");
  if (arithmetic.has_windows) traits.emplace_back("sliding windows");
  if (arithmetic.has_local_rope) traits.emplace_back("other rotations in layers with a window");
  return traits;
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }
std::string code(std::string_view text) { return text.empty() ? "-" : fmt::format("`{}`", text); }

constexpr std::string_view kIntroduction = R"(# Models

<!-- Written from the table of families: XKDE_WRITE_DOCS=1 families_test. A test holds it current. -->

A model is a Hugging Face folder or a GGUF file of one of these families. `model_type` is that of config.json,
`general.architecture` that of the GGUF file.

)";

constexpr std::string_view kAll = R"(
## What all of them can do
Training by `sft` and `orpo` in every mode of `parallel.shard`, sampling, evaluation, checkpoints, `estimate`, and
export to a Hugging Face folder that transformers loads and, for families with a `general.architecture`, to a GGUF file
(`export.format: gguf`) where its keys say all that config.json does. Logits, gradients and greedy answers of tiny models of
each family are held to those of transformers (`tests/golden`), also with prompts longer than a window.

config.json may have the keys of transformers 4 (`rope_theta`, `rope_scaling`, `torch_dtype`) or 5 (`rope_parameters`,
`dtype`, `layer_types`).

## RoPE scaling
)";

constexpr std::string_view kScalings = R"(
`dynamic` begins to scale beyond `max_position_embeddings`, where a run never goes, and so it changes nothing here. The
rotations of a `longrope` model change at its original length, and so its context ends there. GGUF files keep Llama 3's
scaling as a tensor `rope_freqs.weight`, from which the numbers of config.json are found again.

## What none of them can do yet
- Mixtures of experts, images and sound, weights that are quantized in a Hugging Face folder.
- FlashAttention on a GPU where a layer's window is shorter than the sequence, or scores are capped: there each
  sequence is attended to by itself, with a mask. On a CPU windows and caps take no other way.

## What a family cannot do yet
)";

}  // namespace

std::string models_page() {
  std::string page(kIntroduction);
  page +=
      "| models | `model_type` | `general.architecture` | what its blocks have beside Llama's |\n";
  page += "| --- | --- | --- | --- |\n";
  for (const Family* family : families()) {
    page += fmt::format("| {} | {} | {} | {} |\n", family->models, code(family->model_type),
                        code(family->gguf_architecture),
                        or_dash(fmt::format("{}", fmt::join(traits_of(*family), ", "))));
  }
  page += kAll;
  page += fmt::format("`rope_type` is one of {}.\n", fmt::join(names_of(kRopeScalings), ", "));
  page += kScalings;
  for (const Family* family : families()) {
    for (const std::string_view limit : family->limits) {
      page += fmt::format("- {}: {}\n", code(family->model_type), limit);
    }
  }
  return page;
}

}  // namespace xkde
