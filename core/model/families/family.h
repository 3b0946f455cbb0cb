#ifndef XKDE_CORE_MODEL_FAMILIES_FAMILY_H_
#define XKDE_CORE_MODEL_FAMILIES_FAMILY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"
#include "core/io/gguf.h"
#include "core/io/json_file.h"
#include "core/model/families/config_reader.h"
#include "core/model/families/model_config.h"

namespace xkde {

/// What a tensor is to the decoder's arithmetic. Consecutive tensors of one role are multiplied
/// with the same input, so the decoder sees them as one matrix, joined by rows.
enum class TensorRole {
  kEmbedding,
  kInputNorm,
  kQkv,
  kQkvBias,
  kQueryNorm,  ///< of each query head, before its rotation
  kKeyNorm,
  kAttentionOutput,
  kAttentionOutputBias,
  kAttentionOutputNorm,  ///< before the sum with the block's input
  kPostNorm,             ///< before the MLP
  kGateUp,
  kGateUpBias,
  kDown,
  kDownBias,
  kDownNorm,  ///< before the sum with the MLP's input
  kFinalNorm,
  kOutput,  ///< from the last rows to logits
};
/// The norms of whole rows [T, D] in a block.
inline constexpr TensorRole kNormsOfRows[] = {TensorRole::kInputNorm,
                                              TensorRole::kAttentionOutputNorm,
                                              TensorRole::kPostNorm, TensorRole::kDownNorm};
inline constexpr size_t kNumTensorRoles = static_cast<size_t>(TensorRole::kOutput) + 1;

/// A size that a shape is made of.
enum class Extent {
  kNone,          ///< the dimension is absent
  kVocab,         ///< V
  kHidden,        ///< D
  kInner,         ///< F, of the MLP
  kQueries,       ///< H E, the width of all query heads
  kKeys,          ///< K E, the width of all key heads
  kHead,          ///< E
  kJoinedQkv,     ///< (H + 2 K) E
  kJoinedGateUp,  ///< 2 F
};
int64_t extent_of(Extent extent, const ModelConfig& config);

/// How a GGUF file keeps a tensor.
enum class GgufForm {
  kAsIs,
  kPairs,  ///< the two members of each rotary pair are neighbours; transformers: half a head apart
  kPlusOne,  ///< every value is one more
};

/// One tensor as a family declares it.
struct TensorSpec {
  struct Shape {
    Extent rows;
    Extent columns = Extent::kNone;  ///< kNone: a vector
  };
  TensorRole role;
  std::string_view name;       ///< Hugging Face; in a block, what follows "model.layers.N."
  std::string_view gguf_name;  ///< in a block, what follows "blk.N."
  Shape shape;
  bool decays = true;  ///< takes weight decay (protocol 4.1, Q30)
  GgufForm gguf_form = GgufForm::kAsIs;
  /// Whether a model of this config has the tensor; null: all have it.
  bool (*exists)(const ModelConfig& config) = nullptr;
};

/// The function between gate and up of the MLP.
enum class Activation { kSilu, kGeluTanh };
inline constexpr Named<Activation> kActivationNames[] = {
    {"silu", Activation::kSilu}, {"gelu_pytorch_tanh", Activation::kGeluTanh}};

/// How a family computes with its tensors, where families differ.
struct Arithmetic {
  Activation activation = Activation::kSilu;
  bool norms_add_one = false;     ///< norms multiply by 1 + w, rounded once
  bool scales_embedding = false;  ///< embeddings times sqrt(D), which the compute dtype rounds
  bool has_windows = false;       ///< layers may see only the nearest tokens
  bool has_local_rope = false;    ///< those layers have rotations of their own
};

/// A kind of decoder: what it is called, what its config.json says beyond ModelConfig's common
/// keys, and its tensors. Everything else that lists tensors is derived from these lists.
struct Family {
  std::string_view model_type;         ///< of config.json
  std::string_view architecture;       ///< the class in config.json's `architectures`
  std::string_view gguf_architecture;  ///< `general.architecture` of a GGUF file; empty: none
  /// Reads the keys that only this family has, after all others. Throws DataError.
  void (*read)(const ConfigReader& reader, ModelConfig& config);
  /// Writes them; null: the family has none.
  void (*write)(const ModelConfig& config, Json& json);
  std::span<const TensorSpec> embedding;
  std::span<const TensorSpec> block;  ///< of every block, in the order of its flat vector
  std::span<const TensorSpec> head;
  /// Adds to `json`, a config.json, what GGUF metadata say of this family alone; null: nothing.
  void (*read_gguf)(const GgufFile& file, Json& json) = nullptr;
  Arithmetic arithmetic = {};
  int64_t default_head_dim = 0;         ///< where config.json has no head_dim; 0: D / H
  double default_rope_theta = 10000.0;  ///< where config.json has no rope_theta
  bool ties_by_default = false;         ///< where config.json has no tie_word_embeddings
  /// For docs/models.md: what people call its models, and what cannot be done with them yet.
  std::string_view models = {};
  std::span<const std::string_view> limits = {};
};

/// A tensor of a model, its names and shape worked out.
struct UnitTensor {
  std::string name;  ///< Hugging Face name
  std::vector<int64_t> shape;
  bool decays = true;
  TensorRole role = TensorRole::kEmbedding;
  std::string gguf_name;
  GgufForm gguf_form = GgufForm::kAsIs;

  int64_t numel() const;
};

/// The tensors that are gathered, used and freed together.
struct DecoderUnit {
  std::string name;  ///< "embedding", "block 0", "head"
  std::vector<UnitTensor> tensors;

  int64_t numel() const;
};

/// The embedding, each block, the head. A config's number of layers may be any: who has not held
/// the model against its file yet asks for one unit after the other.
int64_t num_units(const ModelConfig& config);
DecoderUnit unit_at(const ModelConfig& config, int64_t index);
/// All units of a model.
std::vector<DecoderUnit> units_of(const ModelConfig& config);

/// All tensors of these units, in their order.
std::vector<UnitTensor> tensors_of(const ModelConfig& config);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_FAMILY_H_
